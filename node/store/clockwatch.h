/*
 * Whether the wall clock may be believed when it says that something is to be deleted.
 *
 * Small machines start in 1970, or in the year that a dying battery remembers, and are set right minutes later. A piece
 * that such a clock deletes is gone. What proves a clock is a transfer: its allocation carries the satellite's time,
 * and one that is off by more than minutes is refused before any record is made. So the clock is trusted within a day
 * of the newest piece or transfer record. A store that was quiet for longer trusts it after a day of running without
 * a jump. It is never trusted while it stands before the newest record. Pure: time is passed in.
 */
#ifndef GRANARY_NODE_STORE_CLOCKWATCH_H
#define GRANARY_NODE_STORE_CLOCKWATCH_H

#include <stdbool.h>
#include <stdint.h>

struct clockwatch {
	bool begun;
	uint64_t wall;	    /* when last asked */
	uint64_t monotonic; /* … */
	uint64_t steady;    /* monotonic: since then the two went at one pace */
};

/* `wall` and `newest` (the newest piece or transfer record, 0: none known) in Unix seconds, `monotonic` in
 * nanoseconds. A zeroed struct is a watch that was never asked. */
bool clockwatch_trusts(struct clockwatch *watch, uint64_t wall, uint64_t monotonic, uint64_t newest);

#endif
