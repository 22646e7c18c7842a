/*
 * Garbage collection: what a satellite's filter does not contain goes to the trash, and what it asks for comes back.
 *
 * Tasks wait in a queue, and are worked off one after the other by a job of upkeep. Collecting reads the footers of
 * all segments twice, never a payload: the first time it counts what would go, so that the fuse (fuse.h) can tell
 * before anything goes, the second time it writes the TRASH records. A piece younger than 72 hours at the filter's time
 * stays: its upload may not have been known to whoever made the filter.
 */
#ifndef GRANARY_NODE_STORE_COLLECT_H
#define GRANARY_NODE_STORE_COLLECT_H

#include "node/store/store.h"
#include "node/store/upkeep.h"

#define COLLECT_AGE (72 * 3600u) /* seconds that a piece must be older than the filter */

struct collector;

/* Reads what the fuses remember from DIR/store/index/fuse. */
struct collector *collect_new(struct store *store);
/* What waits is answered ERR_CANCELLED, or the like. Upkeep must have stopped. */
void collect_free(struct collector *collector);

/* Tasks that wait or are under way. */
unsigned collect_waiting(struct collector *collector);

/* The job: arg is the store. */
enum upkeep_turn collect_step(void *arg, uint64_t *budget);

#endif
