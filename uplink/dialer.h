/*
 * Connections to nodes, shared by everything that moves pieces and kept across segments.
 *
 * A link is one node's connection, made when it is first asked for and handed out again as long as it lives; a link
 * that broke is not handed out any more. Unused links are kept, the longest unused ones beyond a limit are closed.
 * Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_DIALER_H
#define GRANARY_UPLINK_DIALER_H

#include "common/loop.h"
#include "common/peer.h"

#define DIALER_UNUSED_MAX 256 /* links kept open though nobody uses them */

struct dialer;
struct link;

/* Someone who moves a piece over a link. Zeroed, then filled in by the user; linked by link_acquire. */
struct link_user {
	/* There is room again to send. May be called when there was room all along. */
	void (*drained)(void *arg);
	void *arg;
	struct link *link;
	struct link_user *prev, *next;
};

/* `key` and `hello` must outlive the dialer. */
struct dialer *dialer_new(struct loop *loop, const struct key *key, const struct msg_hello *hello);
/* All links must have been released. Runs the loop once so that channels can end. */
void dialer_free(struct dialer *dialer);

/* Make `user` a user of the node's link. Never fails: a connection that cannot be made fails its asks. */
void dialer_acquire(struct dialer *dialer, const struct endpoint *endpoint, struct link_user *user);
/* No more calls to `user`. Fine when it is no user. */
void link_release(struct link_user *user);

/* The link's peer; NULL once it is broken. */
struct peer *link_peer(const struct link_user *user);
/* It is connected and its channel is not full; otherwise `drained` will be called when it can. */
bool link_can_send(const struct link_user *user);

#endif
