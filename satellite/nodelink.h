/* A connection to a node for threads that may wait: ask, get the answer. */
#ifndef GRANARY_SATELLITE_NODELINK_H
#define GRANARY_SATELLITE_NODELINK_H

#include "common/peer.h"
#include "satellite/desk.h"

struct nodelink;

/* Dial a node; `base` runs only inside these calls. A node that cannot be reached shows in the first call.
 * ERR_NOT_FOUND for one that never was. */
enum err nodelink_open(const struct desk *desk, struct event_base *base, const struct address *node,
		       struct nodelink **ret) WARN_UNUSED;
void nodelink_close(struct nodelink *link);

/* As peer_call and peer_call_next. */
enum err nodelink_ask(struct nodelink *link, struct message *message, unsigned timeout_ms,
		      struct message *ret) WARN_UNUSED;
enum err nodelink_next(struct nodelink *link, unsigned timeout_ms, struct message *ret) WARN_UNUSED;
/* As peer_call_begin and peer_call_part: a request in several parts, of which nodelink_next gives the answer. */
void nodelink_begin(struct nodelink *link, struct message *message, unsigned timeout_ms);
enum err nodelink_part(struct nodelink *link, struct message *part, unsigned timeout_ms) WARN_UNUSED;

#endif
