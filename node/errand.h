/*
 * A conversation with a satellite, in a thread that may wait.
 *
 * Check-ins and settlements are a few questions one after the other, so they are written that way: in a thread of a
 * pool, on an event loop of their own that runs while they wait.
 */
#ifndef GRANARY_NODE_ERRAND_H
#define GRANARY_NODE_ERRAND_H

#include <stdatomic.h>

#include "common/peer.h"
#include "node/trust.h"

#define ERRAND_MESSAGE 256
#define ERRAND_TIMEOUT_MS 20000 /* for an answer */

struct errand;

/* Connect and wait for the satellite's HELLO. Once *stop, it and all that follows gives up with ERR_CANCELLED. A
 * sentence goes to `why` on failure: ERR_UNREACHABLE, ERR_AUTH, … */
enum err errand_open(const struct key *key, const struct endpoint *endpoint, const atomic_bool *stop,
		     struct errand **ret, char why[ERRAND_MESSAGE]) WARN_UNUSED;
/* Hang up, and wait until what was said is sent. */
void errand_close(struct errand *errand);

/* What its HELLO said. */
const struct msg_hello *errand_hello(const struct errand *errand);
/* The peer, NULL once the connection is lost. */
struct peer *errand_peer(struct errand *errand);

/* Let the loop run until *done: true; false when the connection was lost, or *stop set, before. */
bool errand_wait(struct errand *errand, const bool *done);
/* Why it was lost, with words in `why`. */
enum err errand_lost(const struct errand *errand, char why[ERRAND_MESSAGE]);
/* Ask one thing that has one answer, of this type. ERROR gives its nearest enum err; anything else ERR_PROTOCOL; words
 * go to `why`. *ret is valid inside `take` only. */
enum err errand_ask(struct errand *errand, struct message *message, enum message_type answer,
		    void (*take)(const struct message *answer, void *arg), void *arg,
		    char why[ERRAND_MESSAGE]) WARN_UNUSED;

/* Words of an answer that is not the one expected: ERROR's own, or that it was something else. Returns the err. */
enum err errand_explain(const struct message *answer, enum err err, char why[ERRAND_MESSAGE]);

#endif
