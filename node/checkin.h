/*
 * Check-in: tell each satellite, again and again, where this node is, how much room it has and whom to pay.
 *
 * The first check-in is also how the satellite's domain is learned (node/trust.h). A satellite that cannot be reached
 * is tried again after a second, then after ever longer pauses. Belongs to the daemon's loop; the talking is done in
 * a pool, because it waits.
 */
#ifndef GRANARY_NODE_CHECKIN_H
#define GRANARY_NODE_CHECKIN_H

#include "node/errand.h"
#include "node/parts.h"

struct checkin;

/* What a node says of itself. */
struct checkin_options {
	struct hostport external; /* where it can be dialled; a wildcard host means: by the address we come from */
	struct address payee;
	bool paused;
	uint64_t interval; /* seconds between two check-ins */
	const char *dir;   /* the node's, where what satellites say of it is kept */
};

struct checkin *checkin_start(struct loop *loop, const struct parts *parts, const struct checkin_options *options);
/* Say something else from now on, at once. */
void checkin_change(struct checkin *checkin, const struct checkin_options *options);
/* Wait for what is under way and end. */
void checkin_stop(struct checkin *checkin);

/* What came of the last check-in with a satellite. */
struct checkin_state {
	uint64_t at;		     /* of the last answer, Unix seconds; 0: none yet */
	bool reachable;		     /* the satellite could dial this node */
	int64_t skew;		     /* its clock less ours at the last answer, seconds */
	uint8_t status;		     /* its opinion of this node; 1: in good standing */
	enum err err;		     /* of the last try */
	char reason[ERRAND_MESSAGE]; /* why not, in words; "" when all is well */
};
void checkin_state(struct checkin *checkin, const struct address *satellite, struct checkin_state *ret);

#endif
