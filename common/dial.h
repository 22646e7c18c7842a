/*
 * Connect to a host and a port without blocking.
 *
 * A numeric address is connected to at once; a name is looked up by getaddrinfo in a thread of its own, so that the
 * machine's own configuration of names is honoured. Addresses are tried in order until one accepts.
 */
#ifndef GRANARY_COMMON_DIAL_H
#define GRANARY_COMMON_DIAL_H

#include <event2/event.h>

#include "common/endpoint.h"

struct dial;

/* ERR_OK with a connected non-blocking socket, which becomes the handler's; else ERR_UNREACHABLE, -1 and a sentence. */
typedef void dial_done(enum err err, evutil_socket_t fd, const char *why, void *arg);

/* Start; `done` is called from the event loop, once. There is no deadline: dial_cancel. */
struct dial *dial_start(struct event_base *base, const struct hostport *at, dial_done *done, void *arg);
/* Give up before `done` was called; it will not be. NULL is fine. */
void dial_cancel(struct dial *dial);

#endif
