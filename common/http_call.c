/* One request to a daemon on this host, for command-line tools: an event loop of its own, a deadline, JSON back. */
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sodium.h>

#include "common/file.h"
#include "common/http.h"
#include "common/http_cookie.h"
#include "common/memory.h"

#define ANSWER_MAX (16 * 1024 * 1024)

struct call {
	struct event_base *base;
	bool done;
	bool failed;
	enum evhttp_request_error failure; /* when failed */
	int status;			   /* 0: no connection */
	char *body;
	size_t len;
};

static void on_answer(struct evhttp_request *request, void *arg)
{
	struct call *call = arg;

	call->done = true;
	if (request != NULL) {
		struct evbuffer *body = evhttp_request_get_input_buffer(request);

		call->status = evhttp_request_get_response_code(request);
		call->len = evbuffer_get_length(body);
		call->body = memory_copy(evbuffer_pullup(body, -1), call->len);
	}
	event_base_loopbreak(call->base);
}

static void on_failure(enum evhttp_request_error failure, void *arg)
{
	struct call *call = arg;

	call->failed = true;
	call->failure = failure;
}

/* The daemon serves all addresses: this host's own is one of them. */
static const char *reachable_host(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

static void add_headers(struct evhttp_request *request, const struct hostport *to, const char *cookie)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	char text[HOSTPORT_TEXT], token[sizeof(HTTP_COOKIE_SCHEME) + HTTP_COOKIE_TEXT];

	hostport_print(to, text);
	evhttp_add_header(headers, "Host", text);
	evhttp_add_header(headers, "Connection", "close");
	if (cookie != NULL) {
		snprintf(token, sizeof(token), "%s%s", HTTP_COOKIE_SCHEME, cookie);
		evhttp_add_header(headers, "Authorization", token);
		sodium_memzero(token, sizeof(token));
	}
}

/* Send the request and run until it is answered, fails or `timeout_ms` have passed. */
static void exchange(struct call *call, const char *method, const struct hostport *to, const char *path,
		     const char *cookie, unsigned timeout_ms)
{
	struct timeval deadline = {timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000};
	struct evhttp_connection *connection;
	struct evhttp_request *request;

	connection = evhttp_connection_base_new(call->base, NULL, to->host, to->port);
	request = evhttp_request_new(on_answer, call);
	if (connection == NULL || request == NULL)
		abort();
	evhttp_connection_set_max_body_size(connection, ANSWER_MAX);
	evhttp_request_set_error_cb(request, on_failure);
	add_headers(request, to, cookie);
	if (evhttp_make_request(connection, request, strcmp(method, "POST") == 0 ? EVHTTP_REQ_POST : EVHTTP_REQ_GET,
				path) != 0)
		call->done = true;
	event_base_loopexit(call->base, &deadline);
	if (!call->done)
		event_base_dispatch(call->base);
	evhttp_connection_free(connection);
}

/* What the exchange came to. */
static enum err judge(const struct call *call, const char *at, json_t **ret, char *why, size_t room)
{
	json_t *json = call->body == NULL ? NULL : json_loadb(call->body, call->len, JSON_DECODE_ANY, NULL);
	const char *message = json_string_value(json_object_get(json, "error"));
	enum err err = ERR_OK;

	if (!call->done || (call->failed && call->failure == EVREQ_HTTP_TIMEOUT)) {
		snprintf(why, room, "no answer in time from the daemon at %s", at);
		err = ERR_TIMEOUT;
	} else if (call->failed && call->failure == EVREQ_HTTP_DATA_TOO_LONG) {
		snprintf(why, room, "the answer from %s is larger than %d MiB", at, ANSWER_MAX >> 20);
		err = ERR_PROTOCOL;
	} else if (call->failed) {
		snprintf(why, room, "the daemon at %s hung up without an answer", at);
		err = ERR_CLOSED;
	} else if (call->status == 0) {
		snprintf(why, room, "no daemon listens at %s", at);
		err = ERR_UNREACHABLE;
	} else if (call->status >= 300) {
		snprintf(why, room, "%s", message != NULL ? message : "the daemon refused without a word");
		err = call->status == 401 || call->status == 403 ? ERR_DENIED : ERR_REMOTE;
	} else if (json == NULL) {
		snprintf(why, room, "what answers at %s does not speak JSON", at);
		err = ERR_PROTOCOL;
	} else {
		*ret = json;
		json = NULL;
	}
	json_decref(json);
	return err;
}

enum err http_call(const char *method, const struct hostport *at, const char *path, const char *dir,
		   unsigned timeout_ms, json_t **ret, char *why, size_t room)
{
	struct call call = {.base = event_base_new()};
	struct hostport to = {"", at->port};
	char *file = file_join(dir, HTTP_COOKIE_FILE), *cookie = NULL, shown[HOSTPORT_TEXT];
	size_t len = 0;
	enum err err = file_read(file, HTTP_COOKIE_TEXT - 1, &cookie, &len);

	if (call.base == NULL)
		abort();
	/* Without a cookie many pages answer all the same, and the daemon knows best which. */
	if (err != ERR_OK && err != ERR_NOT_FOUND && strcmp(method, "POST") == 0) {
		snprintf(why, room, "cannot read %s: %s", file, err_text(err));
	} else {
		snprintf(to.host, sizeof(to.host), "%s", reachable_host(at->host));
		hostport_print(&to, shown);
		exchange(&call, method, &to, path, cookie, timeout_ms);
		err = judge(&call, shown, ret, why, room);
	}
	event_base_free(call.base);
	free(call.body);
	if (cookie != NULL)
		sodium_memzero(cookie, len);
	free(cookie);
	free(file);
	return err;
}
