/*
 * A thread that goes its rounds: it does what is due, then waits until it is told when more may be. It may block, on
 * the database and on nodes, and has a desk and an event base of its own.
 */
#ifndef GRANARY_SATELLITE_PATROL_H
#define GRANARY_SATELLITE_PATROL_H

#include <event2/event.h>

#include "satellite/desk.h"
#include "satellite/lease.h"

struct patrol;

/* What a round works with. */
struct round {
	struct desk *desk;
	struct event_base *base;
	struct lease_holder holder;
	uint64_t began;		     /* for the walk's own use: 0 at first */
	const struct patrol *patrol; /* NULL outside of a thread */
	struct event *look;	     /* wakes the loop, so that a silent node does not hold up the end; in a thread */
};

/* One round; returns the milliseconds until the next. */
typedef unsigned patrol_round(struct round *round);

/* Start a thread named `name` (at most 15 characters). `why` gets a sentence. */
enum err patrol_start(const char *name, patrol_round *walk, const struct settings *settings, const struct key *key,
		      struct patrol **ret, char why[DATABASE_MESSAGE]) WARN_UNUSED;
/* Let the round end as soon as it can: what it waits for from a node gives ERR_CANCELLED. */
void patrol_ask_stop(struct patrol *patrol);
/* patrol_ask_stop, then wait for the round under way and end the thread. */
void patrol_stop(struct patrol *patrol);
/* The round should end soon. */
bool patrol_is_stopping(const struct round *round);

/* A round outside of a thread, for commands: the desk stays the caller's. */
void round_init(struct round *round, struct desk *desk);
void round_end(struct round *round);

#endif
