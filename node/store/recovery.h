/*
 * Starting: from segment files to segments, index and counters.
 *
 * Sealed segments tell their records in their footers. One without a footer is synced, dropped from the page cache and
 * walked (walk.h), so that only what the disk really holds counts. Pieces go into the index first, the higher sequence
 * number winning between records of one key; tombstones are applied after, so their order does not matter. Nothing is
 * deleted but files that never became segments. Doing it again, or over after being killed, gives the same.
 */
#ifndef GRANARY_NODE_STORE_RECOVERY_H
#define GRANARY_NODE_STORE_RECOVERY_H

#include "node/store/engine.h"

/* Read all segments into store->segments and store->index; `clean` as SUPER says. *ret_last: the highest sequence
 * number found. ERR_DENIED for a segment of another store, ERR_UNSUPPORTED, ERR_IO; `why` gets a sentence. */
enum err recovery_read(struct store *store, bool clean, uint64_t *ret_last, char why[STORE_MESSAGE]) WARN_UNUSED;
/* Give a footer to what was walked, then account for what is dead. A failure turns the store read-only. */
void recovery_seal(struct store *store);

#endif
