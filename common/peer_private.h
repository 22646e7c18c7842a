/* What peer.c and peer_call.c share: how a waiting caller keeps a peer from being freed under it. */
#ifndef GRANARY_COMMON_PEER_PRIVATE_H
#define GRANARY_COMMON_PEER_PRIVATE_H

#include "common/peer.h"

/* The state of the last peer_call. */
struct call;

struct event_base *peer_base(struct peer *peer);
/* The bytes of the message whose handler is running. */
struct bytes peer_current(const struct peer *peer);
/* Where peer_call keeps its state; call_free frees it with the peer. */
struct call **peer_call_slot(struct peer *peer);
void call_free(struct call *call);
/* While pinned, a peer whose connection is lost is kept; its end comes after the last unpin. */
void peer_pin(struct peer *peer);
void peer_unpin(struct peer *peer);
/* Set the flag when the peer is freed. */
void peer_tell_end(struct peer *peer, bool *ended);
/* Give an open ask a new timeout, from now; false when it is over. */
bool peer_extend(struct peer *peer, uint32_t request, unsigned timeout_ms);

#endif
