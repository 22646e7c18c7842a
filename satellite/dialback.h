/* Dialling a node back: is the owner of its key there where it says? */
#ifndef GRANARY_SATELLITE_DIALBACK_H
#define GRANARY_SATELLITE_DIALBACK_H

#include "common/peer.h"

/* `host` is the numeric address that was reached and answered; NULL when none was, `why` then says in words what
 * happened. Both die with the call. */
typedef void dialback_done(const char *host, const char *why, void *arg);

/* Connect, PING, hang up; `done` is called once, from the loop, within about ten seconds. */
void dialback_start(struct event_base *base, const struct key *key, const struct msg_hello *hello,
		    const struct endpoint *endpoint, dialback_done *done, void *arg);

#endif
