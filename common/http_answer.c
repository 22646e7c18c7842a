/*
 * What is read from a request, and the ways to answer it.
 *
 * A stream is a chunked answer that stays open. libevent would hold back what a peer does not read for ever, so a
 * stream with too much waiting is cut; and it would take a silent peer for a dead one, so the timeout is lifted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "common/http_private.h"
#include "common/memory.h"

#define FORM_MAX (64 * 1024)
#define STREAM_WAITING_MAX (256 * 1024) /* bytes that a peer has not read */

struct http_stream {
	struct evhttp_request *request;
	void (*gone)(void *arg);
	void *arg;
	struct http_stream *next, **link;
};

/* Take what is needed to answer and free our part. NULL when the server is gone. */
static struct evhttp_request *finish_request(struct http_request *r)
{
	struct evhttp_request *request = r->request;

	if (r->http != NULL) {
		*r->link = r->next;
		if (r->next != NULL)
			r->next->link = r->link;
	}
	evhttp_clear_headers(&r->parameters);
	free(r);
	return request;
}

static void send_reply(struct evhttp_request *request, int status, struct bytes content)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	char length[24];

	if (body == NULL)
		abort();
	/* libevent would send the body of an answer to HEAD, too. */
	snprintf(length, sizeof(length), "%zu", content.len);
	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
		evhttp_add_header(headers, "Content-Length", length);
	else if (evbuffer_add(body, content.data, content.len) != 0)
		abort();
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	/* NULL: the standard phrase of the status. */
	evhttp_send_reply(request, status, NULL, body);
	evbuffer_free(body);
}

static void send_text(struct evhttp_request *request, int status, const char *type, const char *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	send_reply(request, status, bytes_of(text, strlen(text)));
}

void http_answer_text(struct http_request *r, int status, const char *type, const char *text)
{
	struct evhttp_request *request = finish_request(r);

	if (request != NULL)
		send_text(request, status, type, text);
}

void http_answer_json(struct http_request *r, int status, json_t *json)
{
	struct evhttp_request *request = finish_request(r);
	char *text = json_dumps(json, JSON_INDENT(1));

	if (text == NULL)
		abort();
	if (request != NULL)
		send_text(request, status, "application/json", text);
	free(text);
	json_decref(json);
}

void http_answer_error(struct http_request *r, int status, const char *message)
{
	http_answer_json(r, status, json_pack("{s:s}", "error", message));
}

void http_answer_see(struct http_request *r, const char *location)
{
	http_add_header(r, "Location", location);
	http_answer_text(r, 303, "text/plain", "");
}

void http_answer_stopping(struct http_request *open)
{
	for (struct http_request *r = open; r != NULL; r = r->next) {
		send_text(r->request, 503, "text/plain", "stopping\n");
		r->request = NULL;
		r->http = NULL;
	}
}

void http_add_header(struct http_request *r, const char *name, const char *value)
{
	if (r->request != NULL)
		evhttp_add_header(evhttp_request_get_output_headers(r->request), name, value);
}

static bool has_it(struct evhttp_request *request, const char *quoted)
{
	const char *known = evhttp_find_header(evhttp_request_get_input_headers(request), "If-None-Match");

	return known != NULL && strstr(known, quoted) != NULL;
}

static bool unpacks(struct evhttp_request *request)
{
	const char *known = evhttp_find_header(evhttp_request_get_input_headers(request), "Accept-Encoding");

	return known != NULL && strstr(known, "gzip") != NULL;
}

void http_answer_file(struct http_request *r, const struct http_file *file)
{
	struct evhttp_request *request = finish_request(r);
	struct evkeyvalq *headers;
	struct bytes content = file->plain;
	char etag[80];

	if (request == NULL)
		return;
	headers = evhttp_request_get_output_headers(request);
	snprintf(etag, sizeof(etag), "\"%s\"", file->etag);
	evhttp_add_header(headers, "ETag", etag);
	evhttp_add_header(headers, "Cache-Control", "no-cache");
	evhttp_add_header(headers, "Vary", "Accept-Encoding");
	if (has_it(request, etag)) {
		send_reply(request, 304, bytes_of(NULL, 0));
		return;
	}
	evhttp_add_header(headers, "Content-Type", file->type);
	if (file->gzipped.len > 0 && unpacks(request)) {
		evhttp_add_header(headers, "Content-Encoding", "gzip");
		content = file->gzipped;
	}
	send_reply(request, 200, content);
}

/* Requests. */

const char *http_parameter(struct http_request *r, const char *name)
{
	return evhttp_find_header(&r->parameters, name);
}

const char *http_header(struct http_request *r, const char *name)
{
	if (r->request == NULL)
		return NULL;
	return evhttp_find_header(evhttp_request_get_input_headers(r->request), name);
}

const char *http_path(struct http_request *r)
{
	const char *path = r->request == NULL ? NULL : evhttp_uri_get_path(evhttp_request_get_evhttp_uri(r->request));

	return path == NULL || path[0] == '\0' ? "/" : path;
}

struct bytes http_body(struct http_request *r)
{
	struct evbuffer *body;
	size_t len;

	if (r->request == NULL)
		return bytes_of(NULL, 0);
	body = evhttp_request_get_input_buffer(r->request);
	len = evbuffer_get_length(body);
	return bytes_of(len == 0 ? NULL : evbuffer_pullup(body, -1), len);
}

enum err http_read_form(struct http_request *r)
{
	struct bytes body = http_body(r);
	struct evkeyvalq fields;
	struct evkeyval *field;
	enum err err = ERR_OK;
	char *text;

	if (body.len == 0)
		return ERR_OK;
	if (body.len > FORM_MAX)
		return ERR_LIMIT;
	text = memory_copy(body.data, body.len);
	/* Parsing drops what the list had, so it gets one of its own. */
	TAILQ_INIT(&fields);
	if (strlen(text) != body.len || evhttp_parse_query_str(text, &fields) != 0)
		err = ERR_FORMAT;
	TAILQ_FOREACH(field, &fields, next)
	evhttp_add_header(&r->parameters, field->key, field->value);
	evhttp_clear_headers(&fields);
	free(text);
	return err;
}

bool http_find_cookie(const char *header, const char *name, char *out, size_t room)
{
	const char *at = header;
	size_t len = strlen(name);

	while (at != NULL) {
		at += strspn(at, "; ");
		if (strncmp(at, name, len) == 0 && at[len] == '=') {
			size_t value = strcspn(at + len + 1, ";");

			if (value >= room)
				return false;
			memcpy(out, at + len + 1, value);
			out[value] = '\0';
			return true;
		}
		at = strchr(at, ';');
	}
	return false;
}

bool http_browser_cookie(struct http_request *r, const char *name, char *out, size_t room)
{
	return http_find_cookie(http_header(r, "Cookie"), name, out, room);
}

const char *http_peer(struct http_request *r)
{
	char *address = NULL;
	uint16_t port;

	if (r->request != NULL && evhttp_request_get_connection(r->request) != NULL)
		evhttp_connection_get_peer(evhttp_request_get_connection(r->request), &address, &port);
	return address != NULL ? address : "";
}

/* Streams. */

static void on_stream_closed(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	http_stream_cut(arg);
}

struct http_stream *http_stream_begin(struct http_request *r, const char *type, void (*gone)(void *arg), void *arg)
{
	struct http_stream **list = r->http == NULL ? NULL : http_streams(r->http);
	struct evhttp_request *request = finish_request(r);
	struct evkeyvalq *headers;
	struct http_stream *stream;

	if (request == NULL || list == NULL || evhttp_request_get_connection(request) == NULL)
		return NULL;
	headers = evhttp_request_get_output_headers(request);
	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	stream = memory_new(1, sizeof(*stream));
	*stream = (struct http_stream){request, gone, arg, *list, list};
	if (stream->next != NULL)
		stream->next->link = &stream->next;
	*list = stream;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_stream_closed, stream);
	evhttp_send_reply_start(request, 200, NULL);
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(evhttp_request_get_connection(request)), NULL, NULL);
	return stream;
}

void http_stream_end(struct http_stream *stream)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(stream->request);

	*stream->link = stream->next;
	if (stream->next != NULL)
		stream->next->link = stream->link;
	if (connection != NULL)
		evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_send_reply_end(stream->request);
	free(stream);
}

void http_stream_cut(struct http_stream *stream)
{
	void (*gone)(void *arg) = stream->gone;
	void *arg = stream->arg;

	http_stream_end(stream);
	gone(arg);
}

void http_stream_send(struct http_stream *stream, const char *text)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(stream->request);
	struct evbuffer *waiting = bufferevent_get_output(evhttp_connection_get_bufferevent(connection));
	struct evbuffer *chunk;

	if (evbuffer_get_length(waiting) > STREAM_WAITING_MAX) {
		http_stream_cut(stream);
		return;
	}
	chunk = evbuffer_new();
	if (chunk == NULL || evbuffer_add(chunk, text, strlen(text)) != 0)
		abort();
	evhttp_send_reply_chunk(stream->request, chunk);
	evbuffer_free(chunk);
}
