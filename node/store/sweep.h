/*
 * Going through the entries of all segments of pieces, a bit at a time: what reaping and collecting do.
 *
 * The entries of the segment that it is at are kept between steps, so a footer is read once however many steps its
 * pieces take, and each step gets ahead. What is put meanwhile may be missed. One thread at a time.
 */
#ifndef GRANARY_NODE_STORE_SWEEP_H
#define GRANARY_NODE_STORE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct store;
struct segment;
struct segment_entry;

struct sweep {
	uint32_t row;		 /* of the segments' table: the next one */
	struct segment *segment; /* that it is at, pinned; NULL: none */
	enum err err;		 /* why its entries cannot be read */
	struct segment_entry *entries;
	size_t count;
	size_t next; /* the caller's: the first entry that is not done */
};

/* Go to the next segment unless it is at one, and read its entries, whose bytes are taken from *budget; `wants` tells
 * which are to be visited (NULL: all). False when there is none any more. */
bool sweep_go_on(struct sweep *sweep, struct store *store, bool (*wants)(struct store *store, struct segment *segment),
		 uint64_t *budget);
/* Done with the segment that it is at, if any. */
void sweep_leave(struct sweep *sweep, struct store *store);
/* Begin anew, at the first segment. */
void sweep_restart(struct sweep *sweep, struct store *store);

#endif
