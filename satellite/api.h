/*
 * The satellite's HTTP face: GET /health, /metrics and /api/v1/status (doc/formats.md, section 8).
 */
#ifndef GRANARY_SATELLITE_API_H
#define GRANARY_SATELLITE_API_H

#include "common/http.h"
#include "satellite/server.h"

struct api;

/* Serve on `loop`, the server's own. `why` gets a sentence. */
enum err api_serve(struct loop *loop, struct server *server, const struct hostport *at, struct api **ret, char *why,
		   size_t room) WARN_UNUSED;
void api_free(struct api *api);
uint16_t api_port(const struct api *api);

#endif
