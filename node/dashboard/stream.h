/*
 * GET /api/v1/stream: server-sent events for open pages, one `data: NUMBER` whenever something changed. The page then
 * asks for its part anew, so there is one way only in which figures get there. Nothing is done while no page is open.
 */
#ifndef GRANARY_NODE_DASHBOARD_STREAM_H
#define GRANARY_NODE_DASHBOARD_STREAM_H

#include <jansson.h>

#include "common/http.h"

struct streams;

/* status(arg) as of GET /api/v1/status. */
struct streams *streams_new(struct loop *loop, json_t *(*status)(void *arg), void *arg);
/* After http_free. */
void streams_free(struct streams *streams);
/* Answer with a stream; 503 when too many are open. */
void streams_open(struct streams *streams, struct http_request *request);

#endif
