/* evhttp as a client: make the request, run the loop until it is answered, fails, or the deadline comes. */
#include "common/http_exchange.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "common/memory.h"

#define HEADERS_MOST (64 * 1024)

struct exchange {
	struct event_base *base;
	bool done;
	bool failed;
	enum evhttp_request_error failure; /* when failed */
	struct http_reply reply;	   /* status 0: no connection */
};

static void on_answer(struct evhttp_request *request, void *arg)
{
	struct exchange *exchange = arg;

	exchange->done = true;
	if (request != NULL) {
		struct evbuffer *body = evhttp_request_get_input_buffer(request);
		size_t len = evbuffer_get_length(body);

		exchange->reply.status = evhttp_request_get_response_code(request);
		exchange->reply.len = len;
		exchange->reply.body = len == 0 ? NULL : memory_copy(evbuffer_pullup(body, -1), len);
	}
	event_base_loopbreak(exchange->base);
}

static void on_failure(enum evhttp_request_error failure, void *arg)
{
	struct exchange *exchange = arg;

	exchange->failed = true;
	exchange->failure = failure;
}

static void add_headers(struct evhttp_request *request, const struct http_question *question)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	char host[HOSTPORT_TEXT];

	hostport_print(&question->to, host);
	evhttp_add_header(headers, "Host", host);
	evhttp_add_header(headers, "Connection", "close");
	if (question->authorization != NULL)
		evhttp_add_header(headers, "Authorization", question->authorization);
	if (question->body.len > 0)
		evhttp_add_header(headers, "Content-Type", "application/json");
}

static void run(struct exchange *exchange, const struct http_question *question)
{
	struct timeval deadline = {question->timeout_ms / 1000, (suseconds_t)(question->timeout_ms % 1000) * 1000};
	bool posts = strcmp(question->method, "POST") == 0;
	struct evhttp_connection *connection;
	struct evhttp_request *request;

	connection = evhttp_connection_base_new(exchange->base, NULL, question->to.host, question->to.port);
	request = evhttp_request_new(on_answer, exchange);
	if (connection == NULL || request == NULL)
		abort();
	evhttp_connection_set_max_body_size(connection, (ev_ssize_t)question->answer_most);
	evhttp_connection_set_max_headers_size(connection, HEADERS_MOST);
	evhttp_request_set_error_cb(request, on_failure);
	add_headers(request, question);
	evbuffer_add(evhttp_request_get_output_buffer(request), question->body.data, question->body.len);
	if (evhttp_make_request(connection, request, posts ? EVHTTP_REQ_POST : EVHTTP_REQ_GET, question->path) != 0)
		exchange->done = true;
	event_base_loopexit(exchange->base, &deadline);
	if (!exchange->done)
		event_base_dispatch(exchange->base);
	evhttp_connection_free(connection);
}

static enum err judge(const struct exchange *exchange)
{
	if (!exchange->done || (exchange->failed && exchange->failure == EVREQ_HTTP_TIMEOUT))
		return ERR_TIMEOUT;
	if (exchange->failed)
		return exchange->failure == EVREQ_HTTP_DATA_TOO_LONG ? ERR_LIMIT : ERR_CLOSED;
	return exchange->reply.status == 0 ? ERR_UNREACHABLE : ERR_OK;
}

enum err http_exchange(const struct http_question *question, struct http_reply *ret)
{
	struct exchange exchange = {.base = event_base_new()};
	enum err err;

	if (exchange.base == NULL)
		abort();
	run(&exchange, question);
	event_base_free(exchange.base);
	err = judge(&exchange);
	if (err == ERR_OK)
		*ret = exchange.reply;
	else
		free(exchange.reply.body);
	return err;
}
