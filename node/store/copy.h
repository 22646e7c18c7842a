/*
 * Copying a batch of records from a sealed segment into the target.
 *
 * Read past the page cache and check, reserve, write under new MACs, sync, read back past the cache and compare. Only
 * then, on the committer's thread, where uploads and deletes settle too, does each slot of the index move to its copy,
 * if it still names the old place. A copy whose piece was deleted meanwhile is wiped, durably, so that it cannot
 * outlive its tombstone, and its room is used again. All of this is one step of upkeep: no checkpoint comes in between.
 */
#ifndef GRANARY_NODE_STORE_COPY_H
#define GRANARY_NODE_STORE_COPY_H

#include "node/store/engine.h"

#define COPY_BYTES (4u << 20) /* of a batch at most; a piece and its head fit twice */

struct copy; /* a batch */

struct copy *copy_new(struct store *store);
void copy_free(struct copy *copy);

/* Begin a batch out of this segment. */
void copy_begin(struct copy *copy, struct segment *source);
/* Room for one more record of this entry in the batch. */
bool copy_has_room(const struct copy *copy, const struct segment_entry *entry);
/* Read the entry's record and give it room in the target. ERR_CORRUPT and ERR_IO: it does not read as it was written;
 * ERR_FULL, ERR_RANGE, ERR_READ_ONLY, ERR_BUSY: no room for it. The batch stays as it was then. */
enum err copy_add(struct copy *copy, const struct segment_entry *entry) WARN_UNUSED;
/* Write, sync, read back, move the slots, wipe what lost. *ret_bytes is what was copied. On failure the store is
 * read-only, and the copies do not count. */
enum err copy_finish(struct copy *copy, uint64_t *ret_bytes) WARN_UNUSED;

#endif
