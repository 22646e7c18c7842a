/*
 * evhttp under tables of routes.
 *
 * Requests not yet answered are kept in a list: evhttp would free them with the server, but a handler may hold one
 * for an answer that comes later. http_free answers them (503) and cuts them off, so that the late answer only frees
 * our part. When a client hangs up first, evhttp leaves the request to us until it is answered.
 */
#include "common/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sodium.h>

#include "common/file.h"
#include "common/hex.h"
#include "common/http_cookie.h"
#include "common/http_private.h"
#include "common/memory.h"
#include "common/random.h"

#define HEADERS_MAX (16 * 1024)
#define BODY_MAX (1024 * 1024)
#define TIMEOUT_S 30

#define TABLES_MAX 6

struct table {
	const struct http_route *routes;
	size_t count;
	void *arg;
};

struct http {
	struct evhttp *server;
	struct table tables[TABLES_MAX];
	size_t table_count;
	struct http_guard guard;
	char host[ENDPOINT_HOST_MAX + 1];
	uint16_t port;
	char cookie[HTTP_COOKIE_TEXT];
	struct http_request *open;
	struct http_stream *streams;
};

static void link_request(struct http *http, struct http_request *r)
{
	r->http = http;
	r->next = http->open;
	r->link = &http->open;
	if (r->next != NULL)
		r->next->link = &r->next;
	http->open = r;
}

/*
 * A page on the web can make a browser ask a name of its own that leads here (DNS rebinding). Its Host then is that
 * name; an address or localhost cannot be rebound.
 */
static bool host_allowed(const struct http *http, const char *host)
{
	char plain[ENDPOINT_HOST_MAX + 1];
	uint8_t address[16];
	size_t len = host == NULL ? 0 : strlen(host);

	if (len == 0 || len >= sizeof(plain))
		return false;
	if (host[0] == '[' && host[len - 1] == ']')
		snprintf(plain, sizeof(plain), "%.*s", (int)len - 2, host + 1);
	else
		snprintf(plain, sizeof(plain), "%s", host);
	return strcasecmp(plain, "localhost") == 0 || strcasecmp(plain, http->host) == 0 ||
	       inet_pton(AF_INET, plain, address) == 1 || inet_pton(AF_INET6, plain, address) == 1;
}

static bool cookie_shown(const struct http *http, struct evhttp_request *request)
{
	const char *header = evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
	size_t scheme = strlen(HTTP_COOKIE_SCHEME);

	return header != NULL && strncasecmp(header, HTTP_COOKIE_SCHEME, scheme) == 0 &&
	       strlen(header + scheme) == HTTP_COOKIE_TEXT - 1 &&
	       sodium_memcmp(header + scheme, http->cookie, HTTP_COOKIE_TEXT - 1) == 0;
}

/* A browser says from where a form was sent; another site's is none of ours. */
static bool from_here(struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const char *origin = evhttp_find_header(headers, "Origin"), *host = evhttp_find_header(headers, "Host");
	const char *site = origin == NULL ? NULL : strstr(origin, "://");

	return origin == NULL || (site != NULL && host != NULL && strcasecmp(site + 3, host) == 0);
}

static bool method_fits(const struct http_route *route, enum evhttp_cmd_type method)
{
	if (strcmp(route->method, "POST") == 0)
		return method == EVHTTP_REQ_POST;
	return method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
}

/* The route of a request; NULL with the status that says why not. */
static const struct http_route *find_route(const struct http *http, const char *path, enum evhttp_cmd_type method,
					   void **ret_arg, int *ret_status)
{
	*ret_status = 404;
	for (size_t t = 0; t < http->table_count; t++) {
		const struct table *table = &http->tables[t];

		for (size_t i = 0; i < table->count; i++) {
			if (strcmp(table->routes[i].path, path) != 0)
				continue;
			*ret_arg = table->arg;
			if (method_fits(&table->routes[i], method))
				return &table->routes[i];
			*ret_status = 405;
		}
	}
	return NULL;
}

enum http_access http_allowed(struct http_request *r)
{
	const struct http *http = r->http;

	if (http == NULL || r->request == NULL)
		return HTTP_OPEN;
	if (cookie_shown(http, r->request))
		return HTTP_WRITE;
	return http->guard.allows == NULL ? HTTP_OPEN : http->guard.allows(r, http->guard.arg);
}

static void route_request(struct http_request *r)
{
	struct http *http = r->http;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->request);
	enum evhttp_cmd_type method = evhttp_request_get_command(r->request);
	const char *query = evhttp_uri_get_query(uri);
	const struct http_route *route;
	void *arg = NULL;
	int status;

	if (!host_allowed(http, evhttp_request_get_host(r->request))) {
		http_answer_error(r, 403, "Host is neither an address, localhost nor the name served here");
		return;
	}
	if (query != NULL && evhttp_parse_query_str(query, &r->parameters) != 0) {
		http_answer_error(r, 400, "malformed query");
		return;
	}
	route = find_route(http, http_path(r), method, &arg, &status);
	if (route == NULL)
		http_answer_error(r, status, status == 404 ? "no such page" : "wrong method for this page");
	else if (method == EVHTTP_REQ_POST && !from_here(r->request))
		http_answer_error(r, 403, "sent from another site");
	else if (route->access > http_allowed(r))
		http_answer_error(r, 401,
				  http->guard.words != NULL ? http->guard.words
							    : "needs the token of this daemon's cookie file");
	else
		route->handle(r, arg);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	struct http_request *r = memory_new(1, sizeof(*r));

	TAILQ_INIT(&r->parameters);
	r->request = request;
	link_request(arg, r);
	route_request(r);
}

/* A listening socket on the first address of `at` that can be had. */
static enum err listen_on(const struct hostport *at, int *ret_fd)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char port[8];
	int fd, one = 1, number = 0;

	snprintf(port, sizeof(port), "%u", at->port);
	if (getaddrinfo(at->host, port, &hints, &found) != 0)
		return ERR_NOT_FOUND;
	fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 128) != 0)
		number = errno;
	freeaddrinfo(found);
	if (number == 0) {
		*ret_fd = fd;
		return ERR_OK;
	}
	if (fd >= 0)
		close(fd);
	return number == EADDRINUSE ? ERR_EXISTS : err_from_errno(number);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static enum err make_cookie(const char *dir, char cookie[HTTP_COOKIE_TEXT])
{
	uint8_t token[(HTTP_COOKIE_TEXT - 1) / 2];
	char *path = file_join(dir, HTTP_COOKIE_FILE);
	enum err err;

	random_bytes(token, sizeof(token));
	hex_encode(bytes_of(token, sizeof(token)), cookie);
	sodium_memzero(token, sizeof(token));
	err = file_replace(path, bytes_of(cookie, HTTP_COOKIE_TEXT - 1), 0600);
	free(path);
	return err;
}

const char *http_serve_text(enum err err)
{
	return err == ERR_EXISTS ? "another program listens there already" : err_text(err);
}

enum err http_serve(struct loop *loop, const struct hostport *at, const char *dir, const struct http_route *routes,
		    size_t count, void *arg, struct http **ret)
{
	struct http *http = memory_new(1, sizeof(*http));
	int fd = -1;
	enum err err;

	http_add_routes(http, routes, count, arg);
	snprintf(http->host, sizeof(http->host), "%s", at->host);
	err = listen_on(at, &fd);
	if (err == ERR_OK)
		err = make_cookie(dir, http->cookie);
	if (err != ERR_OK)
		goto out;
	http->port = port_of(fd);
	http->server = evhttp_new(loop_base(loop));
	if (http->server == NULL)
		abort();
	evhttp_set_max_headers_size(http->server, HEADERS_MAX);
	evhttp_set_max_body_size(http->server, BODY_MAX);
	evhttp_set_timeout(http->server, TIMEOUT_S);
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_gencb(http->server, on_request, http);
	if (evhttp_accept_socket_with_handle(http->server, fd) == NULL)
		abort();
	fd = -1;
	*ret = http;
	http = NULL;
out:
	if (fd >= 0)
		close(fd);
	http_free(http);
	return err;
}

void http_add_routes(struct http *http, const struct http_route *routes, size_t count, void *arg)
{
	assert(http->table_count < TABLES_MAX);
	http->tables[http->table_count++] = (struct table){routes, count, arg};
}

void http_set_guard(struct http *http, const struct http_guard *guard)
{
	http->guard = *guard;
}

struct http_stream **http_streams(struct http *http)
{
	return &http->streams;
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	while (http->streams != NULL)
		http_stream_cut(http->streams);
	http_answer_stopping(http->open);
	if (http->server != NULL)
		evhttp_free(http->server);
	sodium_memzero(http->cookie, sizeof(http->cookie));
	free(http);
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}
