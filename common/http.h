/*
 * HTTP for people and machines, first of all on the same host: evhttp under tables of routes.
 *
 * Loopback by default. A request whose Host is not the address served, an IP literal or localhost is refused (DNS
 * rebinding), and so is a POST whose Origin is another site. The cookie is a random token in DIR/cookie, mode 0600,
 * made at each start and shown as `Authorization: Bearer TOKEN`, so whoever can read the daemon's directory can
 * command it; a guard may let others in, who show it something else. A request has at most 16 KiB of headers and 1
 * MiB of body. HEAD is answered where GET is.
 */
#ifndef GRANARY_COMMON_HTTP_H
#define GRANARY_COMMON_HTTP_H

#include <jansson.h>

#include "common/endpoint.h"
#include "common/loop.h"

struct http;
struct http_request;

/* What one must be allowed for a page, and what one is. */
enum http_access {
	HTTP_OPEN = 0, /* nothing: for everybody */
	HTTP_READ,     /* to see */
	HTTP_WRITE,    /* to command, as who shows the cookie is */
};

struct http_route {
	const char *method; /* "GET" or "POST" */
	const char *path;   /* exact */
	/* Must answer, now or later from the same loop, exactly once by one of the http_answer functions. */
	void (*handle)(struct http_request *request, void *arg);
	enum http_access access;
};

/* Who else is let in, without the cookie. */
struct http_guard {
	enum http_access (*allows)(struct http_request *request, void *arg);
	void *arg;
	const char *words; /* of the 401; NULL: of the cookie alone */
};

/* Serve on `at` (port 0: any free one; http_port tells); `routes` must outlive the server. ERR_EXISTS when the port is
 * taken, ERR_DENIED, ERR_NOT_FOUND for an unknown host name, ERR_IO and its kind when the cookie cannot be written. */
enum err http_serve(struct loop *loop, const struct hostport *at, const char *dir, const struct http_route *routes,
		    size_t count, void *arg, struct http **ret) WARN_UNUSED;
/* Further routes, of another part of the daemon; looked for after those before. At most six tables. */
void http_add_routes(struct http *http, const struct http_route *routes, size_t count, void *arg);
void http_set_guard(struct http *http, const struct http_guard *guard);
/* What this request may do: by the cookie, or by the guard. */
enum http_access http_allowed(struct http_request *request);
/* Words for what http_serve failed with. */
const char *http_serve_text(enum err err);
/* Stop serving. Requests not yet answered get 503; answering them later is harmless. */
void http_free(struct http *http);
uint16_t http_port(const struct http *http);

/* Query parameter, or, once http_read_form read it, field of a form; NULL when absent. The body. Header, NULL when
 * absent. All live as long as the request. */
const char *http_parameter(struct http_request *request, const char *name);
struct bytes http_body(struct http_request *request);
const char *http_header(struct http_request *request, const char *name);
/* The path asked for, decoded no further; "/" at the least. */
const char *http_path(struct http_request *request);
/* The body as a form's fields (application/x-www-form-urlencoded, at most 64 KiB): ERR_FORMAT, ERR_LIMIT. */
enum err http_read_form(struct http_request *request) WARN_UNUSED;
/* A browser's cookie by its name, into out; false when there is none, or it is longer. */
bool http_browser_cookie(struct http_request *request, const char *name, char *out, size_t room);
/* The address that it comes from, as text; "" when that is gone. */
const char *http_peer(struct http_request *request);

/* Answer with JSON (the reference is taken), text, or an error {"error": message}. */
void http_answer_json(struct http_request *request, int status, json_t *json);
void http_answer_text(struct http_request *request, int status, const char *type, const char *text);
void http_answer_error(struct http_request *request, int status, const char *message);
/* Go there instead, with GET: 303. */
void http_answer_see(struct http_request *request, const char *location);
/* A header of the answer, to be said before it. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* What does not change while the program runs: sent compressed where that is understood, and not at all to who has it
 * already (If-None-Match). */
struct http_file {
	const char *type;
	const char *etag; /* without quotes; hex */
	struct bytes plain;
	struct bytes gzipped; /* empty: there is none */
};
void http_answer_file(struct http_request *request, const struct http_file *file);

/* An answer without an end, such as server-sent events. It is over when the peer hangs up or does not read, when the
 * server stops, or by http_stream_end; gone(arg) is called in each case but the last, and the stream is no more. NULL
 * for a request that cannot be answered any more. */
struct http_stream;
struct http_stream *http_stream_begin(struct http_request *request, const char *type, void (*gone)(void *arg),
				      void *arg);
void http_stream_send(struct http_stream *stream, const char *text); /* may call gone */
void http_stream_end(struct http_stream *stream);

/* For command-line tools: one request to a daemon on this host, cookie from `dir`, at most 16 MiB of answer. The
 * caller owns *ret. ERR_UNREACHABLE when nobody listens, ERR_TIMEOUT after timeout_ms, ERR_CLOSED, ERR_PROTOCOL for
 * an answer that is too long or no JSON, ERR_DENIED (401, 403) and ERR_REMOTE with the daemon's message in `why`,
 * which gets a sentence whatever failed. */
enum err http_call(const char *method, const struct hostport *at, const char *path, const char *dir,
		   unsigned timeout_ms, json_t **ret, char *why, size_t room) WARN_UNUSED;

#endif
