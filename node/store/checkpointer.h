/*
 * Writing checkpoints (checkpoint.h): a job of the upkeep, and the last thing that closing a store does.
 *
 * The index is scanned table by table while it is in use. The moment that counts is the end of the scan: there, in the
 * committer's thread, between two records, the edits since the scan passed them, the segments and the horizon are
 * taken down together. The file is made beside the others, synced, and renamed over the older generation. A failure is
 * no harm: nothing was promised, and what was there stays.
 *
 * A segment is covered when it was sealed at that moment and no number in it is above the horizon: so whatever it says
 * was in the index. Whoever settles a record must therefore change the index and the sums in the committer's thread, in
 * one go; or in a job of the upkeep, of which no other runs meanwhile.
 */
#ifndef GRANARY_NODE_STORE_CHECKPOINTER_H
#define GRANARY_NODE_STORE_CHECKPOINTER_H

#include "node/store/recovery.h"
#include "node/store/upkeep.h"

struct checkpointer;

/* When the store's sequence is known. */
struct checkpointer *checkpointer_new(struct store *store, const struct recovery_found *found);
void checkpointer_free(struct checkpointer *checkpointer);

/* The job. */
enum upkeep_turn checkpointer_step(void *store, uint64_t *budget);
/* One is wanted soon: what compaction did should not have to be found out again. */
void checkpointer_ask(struct store *store);
/* While closing, when the committer and the keeper have ended: write one unless the newest says all. */
enum err checkpointer_close(struct store *store) WARN_UNUSED;

#endif
