/*
 * Reaping: what is over goes. Segments whose pieces all expired are unlinked whole, a day after the last of them;
 * expired pieces among others, and pieces whose seven days in the trash are over, get tombstones.
 *
 * One round an hour over the segments, but only footers of those in which something may be due are read, never a
 * payload. Nothing happens while the clock is not to be trusted (clockwatch.h).
 */
#ifndef GRANARY_NODE_STORE_REAPER_H
#define GRANARY_NODE_STORE_REAPER_H

#include <pthread.h>

#include "node/store/clockwatch.h"
#include "node/store/sweep.h"
#include "node/store/upkeep.h"

struct reaper {
	struct clockwatch watch;
	bool under_way;
	uint64_t now; /* Unix seconds, when the round began */
	struct sweep sweep;
	uint16_t next; /* the first day on which something is due of what was seen of this segment */
};

/* Let go of what a round holds; upkeep must have stopped. */
void reaper_stop(struct store *store);
/* The job: arg is the store. */
enum upkeep_turn reaper_step(void *arg, uint64_t *budget);

#endif
