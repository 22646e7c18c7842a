/*
 * The HTTP interface against a real socket: routes, the Host check, the cookie, limits, late answers; and the
 * command-line side, http_call, against servers that answer, refuse, hang up and keep silent.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/http.h"
#include "common/memory.h"

struct fixture {
	char dir[64];
	char *cookie_path;
	char cookie[80];
	struct loop *loop;
	struct http *http;
	struct hostport at;
	struct http_request *held; /* a request whose answer waits */
};

static void say_hello(struct http_request *request, void *arg)
{
	const char *name = http_parameter(request, "name");

	(void)arg;
	http_answer_json(request, 200, json_pack("{s:s}", "hello", name == NULL ? "nobody" : name));
}

static void measure_body(struct http_request *request, void *arg)
{
	struct bytes body = http_body(request);

	(void)arg;
	http_answer_json(request, 200, json_pack("{s:i}", "bytes", (int)body.len));
}

static void fail_loudly(struct http_request *request, void *arg)
{
	(void)arg;
	http_answer_error(request, 409, "the \"state\" does not allow it");
}

static void say_text(struct http_request *request, void *arg)
{
	(void)arg;
	http_answer_text(request, 200, "text/plain", "just text");
}

static void answer_held(void *arg)
{
	struct fixture *f = arg;

	http_answer_json(f->held, 200, json_pack("{s:b}", "late", 1));
	f->held = NULL;
}

static void answer_later(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	f->held = request;
	loop_post(f->loop, answer_held, f);
}

static void never_answer(struct http_request *request, void *arg)
{
	struct fixture *f = arg;

	f->held = request;
}

static const struct http_route routes[] = {
	{"GET", "/", say_hello, HTTP_OPEN},
	{"GET", "/api/v1/hello", say_hello, HTTP_OPEN},
	{"GET", "/api/v1/secret", say_hello, HTTP_READ},
	{"POST", "/api/v1/body", measure_body, HTTP_WRITE},
	{"POST", "/api/v1/fail", fail_loudly, HTTP_WRITE},
	{"GET", "/text", say_text, HTTP_OPEN},
	{"GET", "/later", answer_later, HTTP_OPEN},
	{"GET", "/never", never_answer, HTTP_OPEN},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	char *text;
	size_t len;

	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->loop = loop_new();
	assert_int_equal(hostport_parse("127.0.0.1:0", &f->at), ERR_OK);
	assert_int_equal(http_serve(f->loop, &f->at, f->dir, routes, ROUTES, f, &f->http), ERR_OK);
	f->at.port = http_port(f->http);
	f->cookie_path = file_join(f->dir, "cookie");
	assert_int_equal(file_read(f->cookie_path, sizeof(f->cookie) - 1, &text, &len), ERR_OK);
	memcpy(f->cookie, text, len + 1);
	free(text);
	loop_start(f->loop, "http");
	*state = f;
	return 0;
}

static void stop(struct fixture *f)
{
	if (f->loop != NULL) {
		loop_stop(f->loop);
		loop_join(f->loop);
		http_free(f->http);
		if (f->held != NULL)
			http_answer_error(f->held, 500, "too late");
		loop_free(f->loop);
	}
	f->loop = NULL;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	stop(f);
	unlink(f->cookie_path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f->cookie_path);
	free(f);
	return 0;
}

static int connect_to(const struct hostport *at)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, at->host, &to.sin_addr), 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Send raw bytes and read the whole answer; returns its status, 0 for none. */
static int raw(const struct fixture *f, const char *text, char *answer, size_t room)
{
	int fd = connect_to(&f->at), status = 0;
	size_t len = 0;
	ssize_t got;

	assert_int_equal(file_write_all(fd, bytes_of_text(text)), ERR_OK);
	while (len < room - 1 && (got = read(fd, answer + len, room - 1 - len)) > 0)
		len += (size_t)got;
	answer[len] = '\0';
	close(fd);
	sscanf(answer, "HTTP/1.%*d %d", &status);
	return status;
}

static int ask(const struct fixture *f, const char *method, const char *path, const char *host, const char *cookie)
{
	char request[1024], answer[4096];

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\n%s%s%sConnection: close\r\nContent-Length: 0\r\n%s%s%s\r\n", method, path,
		 host == NULL ? "" : "Host: ", host == NULL ? "" : host, host == NULL ? "" : "\r\n",
		 cookie == NULL ? "" : "Authorization: Bearer ", cookie == NULL ? "" : cookie,
		 cookie == NULL ? "" : "\r\n");
	return raw(f, request, answer, sizeof(answer));
}

static void test_answers(void **state)
{
	struct fixture *f = *state;
	char answer[4096], *body;
	json_t *json;

	assert_int_equal(raw(f, "GET /?name=a%20b&x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", answer,
			     sizeof(answer)),
			 200);
	assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(answer, "Cache-Control: no-store\r\n"));
	body = strstr(answer, "\r\n\r\n");
	assert_non_null(body);
	json = json_loads(body + 4, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "hello")), "a b");
	json_decref(json);
	assert_int_equal(raw(f, "GET /text HTTP/1.0\r\nHost: localhost\r\n\r\n", answer, sizeof(answer)), 200);
	assert_non_null(strstr(answer, "\r\n\r\njust text"));
	assert_int_equal(raw(f, "HEAD /text HTTP/1.0\r\nHost: localhost\r\n\r\n", answer, sizeof(answer)), 200);
	assert_null(strstr(answer, "just text"));
}

static void test_routes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "GET", "/nothing", "localhost", NULL), 404);
	assert_int_equal(ask(f, "GET", "/api/v1/hello/", "localhost", NULL), 404);
	assert_int_equal(ask(f, "GET", "/api/v1/body", "localhost", NULL), 405);
	assert_int_equal(ask(f, "POST", "/api/v1/hello", "localhost", f->cookie), 405);
	assert_int_equal(ask(f, "DELETE", "/", "localhost", f->cookie), 501);
	assert_int_equal(ask(f, "FOO", "/", "localhost", f->cookie), 501);
	assert_int_equal(ask(f, "GET", "/?=%zz&&==", "localhost", NULL), 400);
}

static void test_host(void **state)
{
	static const char *const good[] = {"127.0.0.1", "127.0.0.1:7888", "localhost", "LOCALHOST:1",
					   "[::1]:80",	"[::1]",	  "192.0.2.7"};
	static const char *const bad[] = {"evil.example", "evil.example:80", "localhost.evil.example",
					  "127.0.0.1.nip.io"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(ask(f, "GET", "/", good[i], NULL), 200);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ask(f, "GET", "/", bad[i], f->cookie), 403);
	assert_int_equal(ask(f, "GET", "/", NULL, NULL), 403);
	assert_int_equal(ask(f, "GET", "http://evil.example/", "localhost", NULL), 403);
}

static void test_cookie(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char wrong[80];

	assert_int_equal(stat(f->cookie_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(strlen(f->cookie), 64);
	memcpy(wrong, f->cookie, sizeof(wrong));
	wrong[63] = wrong[63] == '0' ? '1' : '0';
	assert_int_equal(ask(f, "POST", "/api/v1/body", "localhost", NULL), 401);
	assert_int_equal(ask(f, "POST", "/api/v1/body", "localhost", wrong), 401);
	assert_int_equal(ask(f, "POST", "/api/v1/body", "localhost", ""), 401);
	assert_int_equal(ask(f, "POST", "/api/v1/body", "localhost", f->cookie), 200);
	assert_int_equal(ask(f, "GET", "/api/v1/secret", "localhost", NULL), 401);
	assert_int_equal(ask(f, "GET", "/api/v1/secret", "localhost", f->cookie), 200);
}

static int post_body(const struct fixture *f, size_t announced, const char *body, char answer[4096])
{
	char request[512];

	snprintf(request, sizeof(request),
		 "POST /api/v1/body HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		 "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
		 f->cookie, announced, body);
	return raw(f, request, answer, 4096);
}

static void test_body(void **state)
{
	struct fixture *f = *state;
	char answer[4096];

	assert_int_equal(post_body(f, 5, "12345", answer), 200);
	assert_non_null(strstr(answer, "\"bytes\": 5"));
	/* Refused by its announced length, without waiting for the rest. */
	assert_int_equal(post_body(f, 1024 * 1024 + 1, "12345", answer), 413);
}

static void test_huge_header(void **state)
{
	struct fixture *f = *state;
	char *request = memory_new(1, 40000), answer[4096];

	snprintf(request, 40000, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %020000d\r\n\r\n", 0);
	assert_int_equal(raw(f, request, answer, sizeof(answer)), 400);
	free(request);
}

static enum err call(struct fixture *f, const char *method, const char *path, unsigned timeout_ms, json_t **ret,
		     char why[256])
{
	why[0] = '\0';
	return http_call(method, &f->at, path, f->dir, timeout_ms, ret, why, 256);
}

static void test_call(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;
	char why[256];

	assert_int_equal(call(f, "GET", "/api/v1/hello?name=x", 60000, &json, why), ERR_OK);
	assert_string_equal(json_string_value(json_object_get(json, "hello")), "x");
	json_decref(json);
	assert_int_equal(call(f, "POST", "/api/v1/body", 60000, &json, why), ERR_OK);
	json_decref(json);
	assert_int_equal(call(f, "GET", "/later", 60000, &json, why), ERR_OK);
	assert_true(json_is_true(json_object_get(json, "late")));
	json_decref(json);
}

static void test_call_refused(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;
	char why[256];

	assert_int_equal(call(f, "POST", "/api/v1/fail", 60000, &json, why), ERR_REMOTE);
	assert_string_equal(why, "the \"state\" does not allow it");
	assert_int_equal(call(f, "GET", "/nothing", 60000, &json, why), ERR_REMOTE);
	assert_string_equal(why, "no such page");
	assert_int_equal(call(f, "GET", "/text", 60000, &json, why), ERR_PROTOCOL);
	assert_non_null(strstr(why, "does not speak JSON"));
	assert_int_equal(unlink(f->cookie_path), 0);
	assert_int_equal(call(f, "POST", "/api/v1/body", 60000, &json, why), ERR_DENIED);
	assert_string_equal(why, "needs the token of this daemon's cookie file");
	assert_int_equal(mkdir(f->cookie_path, 0700), 0);
	assert_int_equal(call(f, "POST", "/api/v1/body", 60000, &json, why), ERR_IO);
	assert_non_null(strstr(why, "cannot read "));
	assert_int_equal(rmdir(f->cookie_path), 0);
	assert_null(json);
}

/* The deadline ends a call that is never answered; the server stops all the same. */
static void test_call_deadline(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;
	char why[256];

	assert_int_equal(call(f, "GET", "/never", 50, &json, why), ERR_TIMEOUT);
	assert_non_null(strstr(why, "no answer in time"));
}

static void test_call_nobody(void **state)
{
	struct fixture *f = *state;
	json_t *json = NULL;
	char why[256], expected[100];

	stop(f);
	assert_int_equal(call(f, "GET", "/", 60000, &json, why), ERR_UNREACHABLE);
	snprintf(expected, sizeof(expected), "no daemon listens at 127.0.0.1:%u", f->at.port);
	assert_string_equal(why, expected);
}

/* A server that takes a request and closes the connection. */
static void *hang_up(void *arg)
{
	char buffer[4096];
	int fd = accept(*(int *)arg, NULL, NULL);

	if (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		close(fd);
	return NULL;
}

static void test_call_hung_up(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	json_t *json = NULL;
	char why[256];

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	f->at.port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&thread, NULL, hang_up, &fd), 0);
	assert_int_equal(call(f, "GET", "/", 60000, &json, why), ERR_CLOSED);
	assert_non_null(strstr(why, "hung up"));
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fd);
}

static void test_port_taken(void **state)
{
	struct fixture *f = *state;
	struct http *second = NULL;
	struct loop *loop = loop_new();
	struct hostport nowhere;
	char cookie[80], *text;
	size_t len;

	memcpy(cookie, f->cookie, sizeof(cookie));
	assert_int_equal(http_serve(loop, &f->at, f->dir, routes, ROUTES, f, &second), ERR_EXISTS);
	assert_int_equal(hostport_parse("no-such-host.invalid:0", &nowhere), ERR_OK);
	assert_int_equal(http_serve(loop, &nowhere, f->dir, routes, ROUTES, f, &second), ERR_NOT_FOUND);
	assert_null(second);
	/* The running daemon's cookie is still good. */
	assert_int_equal(file_read(f->cookie_path, 100, &text, &len), ERR_OK);
	assert_string_equal(text, cookie);
	free(text);
	loop_free(loop);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_answers),	WITH_FIXTURE(test_routes),	 WITH_FIXTURE(test_host),
		WITH_FIXTURE(test_cookie),	WITH_FIXTURE(test_body),	 WITH_FIXTURE(test_huge_header),
		WITH_FIXTURE(test_call),	WITH_FIXTURE(test_call_refused), WITH_FIXTURE(test_call_deadline),
		WITH_FIXTURE(test_call_nobody), WITH_FIXTURE(test_call_hung_up), WITH_FIXTURE(test_port_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
