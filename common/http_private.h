/* What http.c, which takes requests, and http_answer.c, which answers them, share. */
#ifndef GRANARY_COMMON_HTTP_PRIVATE_H
#define GRANARY_COMMON_HTTP_PRIVATE_H

#include <sys/queue.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "common/http.h"

struct http_request {
	struct http *http; /* NULL once the server is gone */
	struct evhttp_request *request;
	struct evkeyvalq parameters;
	struct http_request *next, **link; /* among the server's open requests */
};

/* The value of a cookie in the header of that name, which may be NULL; as http_browser_cookie. */
bool http_find_cookie(const char *header, const char *name, char *out, size_t room);
/* The list of the server's streams. */
struct http_stream **http_streams(struct http *http);
/* End it and tell its owner. */
void http_stream_cut(struct http_stream *stream);
/* Answer all requests of the list with 503, and cut them off from the server. */
void http_answer_stopping(struct http_request *open);

#endif
