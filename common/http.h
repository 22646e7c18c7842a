/*
 * HTTP for people and machines on the same host: evhttp under a table of routes, JSON in and out.
 *
 * Loopback by default. A request whose Host is not the address served, an IP literal or localhost is refused (DNS
 * rebinding); POST wants the cookie. The cookie is a random token in DIR/cookie, mode 0600, made at each start and
 * shown as `Authorization: Bearer TOKEN`, so whoever can read the daemon's directory can command it. A request has at
 * most 16 KiB of headers and 1 MiB of body. HEAD is answered where GET is.
 */
#ifndef GRANARY_COMMON_HTTP_H
#define GRANARY_COMMON_HTTP_H

#include <jansson.h>

#include "common/endpoint.h"
#include "common/loop.h"

struct http;
struct http_request;

struct http_route {
	const char *method; /* "GET" or "POST" */
	const char *path;   /* exact */
	/* Must answer, now or later from the same loop, exactly once by one of the http_answer functions. */
	void (*handle)(struct http_request *request, void *arg);
	bool cookie; /* needs the cookie whatever the method */
};

/* Serve on `at` (port 0: any free one; http_port tells); `routes` must outlive the server. ERR_EXISTS when the port is
 * taken, ERR_DENIED, ERR_NOT_FOUND for an unknown host name, ERR_IO and its kind when the cookie cannot be written. */
enum err http_serve(struct loop *loop, const struct hostport *at, const char *dir, const struct http_route *routes,
		    size_t count, void *arg, struct http **ret) WARN_UNUSED;
/* Words for what http_serve failed with. */
const char *http_serve_text(enum err err);
/* Stop serving. Requests not yet answered get 503; answering them later is harmless. */
void http_free(struct http *http);
uint16_t http_port(const struct http *http);

/* Query parameter, NULL when absent; and the body. Both live as long as the request. */
const char *http_parameter(struct http_request *request, const char *name);
struct bytes http_body(struct http_request *request);
/* Answer with JSON (the reference is taken), text, or an error {"error": message}. */
void http_answer_json(struct http_request *request, int status, json_t *json);
void http_answer_text(struct http_request *request, int status, const char *type, const char *text);
void http_answer_error(struct http_request *request, int status, const char *message);

/* For command-line tools: one request to a daemon on this host, cookie from `dir`, at most 16 MiB of answer. The
 * caller owns *ret. ERR_UNREACHABLE when nobody listens, ERR_TIMEOUT after timeout_ms, ERR_CLOSED, ERR_PROTOCOL for
 * an answer that is too long or no JSON, ERR_DENIED (401, 403) and ERR_REMOTE with the daemon's message in `why`,
 * which gets a sentence whatever failed. */
enum err http_call(const char *method, const struct hostport *at, const char *path, const char *dir,
		   unsigned timeout_ms, json_t **ret, char *why, size_t room) WARN_UNUSED;

#endif
