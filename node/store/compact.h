/*
 * Compaction: a job of upkeep that gives the room of dead records back.
 *
 * It takes one sealed segment after the other, the one that promises most (segments_choose). First it finds out which
 * of the tombstones in it are still needed (tombstones.h), and leaves the segment alone if too little can go. Then it
 * copies what is live and needed, a batch at each step (copy.h). When nothing live is left the file is unlinked.
 * Records keep their numbers, so after a crash anywhere in between a start finds some of them twice, which is harmless.
 * What cannot be read stays where it is, and its segment with it: nothing is dropped in silence.
 */
#ifndef GRANARY_NODE_STORE_COMPACT_H
#define GRANARY_NODE_STORE_COMPACT_H

#include "node/store/engine.h"

struct compact;

struct compact *compact_new(struct store *store);
void compact_free(struct compact *compact);
/* Whether it is at work on that segment. */
bool compact_is_at(const struct compact *compact, const struct segment *segment);
/* Bytes copied, and freed, since the store was opened. From any thread. */
void compact_totals(const struct compact *compact, uint64_t *ret_copied, uint64_t *ret_freed);
/* The job; arg is the store. */
enum upkeep_turn compact_step(void *arg, uint64_t *budget);

#endif
