/* The SQL of the queue of pieces that nodes must still be told to delete. */
#ifndef GRANARY_SATELLITE_DELETIONS_H
#define GRANARY_SATELLITE_DELETIONS_H

#include "common/database.h"
#include "payments/typed.h"

#define DELETIONS_BATCH 1000 /* most pieces of one DELETE */

/* Pieces of one node whose storage ends at the same time, sorted. */
struct deletion_batch {
	struct address node;
	uint64_t ends;
	struct bytes32 pieces[DELETIONS_BATCH];
	uint32_t count;
};

/* Some node with pieces that are due: the `skip`-th. ERR_NOT_FOUND. */
enum err deletions_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret_node) WARN_UNUSED;
/* The node's next batch: batch->node is set. A count of 0 when nothing is due. */
enum err deletions_take(struct database *db, uint64_t now, struct deletion_batch *batch) WARN_UNUSED;
/* The node was told: those that could still be uploaded wait until that has ended, the others are done. */
enum err deletions_done(struct database *db, uint64_t now, const struct deletion_batch *batch) WARN_UNUSED;
/* It could not be told: all of its pieces that are due wait, 10 s at first and twice as long each time, up to an
 * hour. */
enum err deletions_failed(struct database *db, uint64_t now, const struct address *node) WARN_UNUSED;

#endif
