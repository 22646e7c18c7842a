/*
 * SQL of pieces that a repair makes: on their way, and in the place of what they replace.
 *
 * Before anything is sent to a node it is written down; so whatever becomes of the repairer, a piece that did not take
 * its place in a segment is deleted at its node. All but the first write inside a transaction.
 */
#ifndef GRANARY_SATELLITE_REBUILDS_H
#define GRANARY_SATELLITE_REBUILDS_H

#include "satellite/repair_plan.h"
#include "satellite/segments.h"

/* Delete at their nodes the pieces whose allocations have lapsed: their repairer died. In a transaction of its own. */
enum err rebuilds_drop_lapsed(struct desk *desk, bool *ret_more) WARN_UNUSED;

/* A piece that is about to be sent. */
struct rebuild_place {
	struct address node;
	struct bytes32 piece;
};
/* Write it down, and take its room. */
enum err rebuilds_begin(struct database *db, const struct bytes32 *segment, const struct rebuild_place *place,
			uint64_t size, uint64_t expires) WARN_UNUSED;
/* It is not needed: told to its node now, and once more when its allocation has lapsed. */
enum err rebuilds_drop(struct database *db, const struct rebuild_place *place, uint64_t now) WARN_UNUSED;

/* Put a piece that its node receipted into the segment. `replaced` is what it takes the place of as the repair began,
 * NULL: nothing; *ret_taken is false, and it is dropped, when the segment, that piece or its node's part in the segment
 * is another one by now. What is replaced ceases to earn and is deleted at its node. */
enum err rebuilds_commit(struct database *db, const struct bytes32 *segment, const struct judged_piece *replaced,
			 const struct stored_piece *piece, uint64_t now, bool *ret_taken) WARN_UNUSED;

#endif
