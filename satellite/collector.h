/*
 * Garbage collection, the satellite's side: each node is told now and then which of its pieces are wanted, and puts the
 * others in its trash.
 *
 * Nodes are told of each deletion by itself (satellite/deleter.h). What is left is what nobody told them of: uploads
 * that ended after their allocations had lapsed, what a disk set back to an old copy holds again. A round sends
 * Bloom filters of the node's wanted pieces, one for each shard of ids, so that memory stays bounded: each is signed,
 * sent in parts, and answered when the node has done it. The filters of a round carry the time at which it began, and
 * the node keeps whatever is newer than three days before it, so a piece that comes while they are made is safe. A seed
 * is used for one round. A node that holds a wish, since too much would go, is asked again a day later.
 */
#ifndef GRANARY_SATELLITE_COLLECTOR_H
#define GRANARY_SATELLITE_COLLECTOR_H

#include "satellite/collections.h"
#include "satellite/patrol.h"

/* One round with a node, due or not; what came of it is kept. A node that cannot be told or refuses is an outcome and
 * no error; ERR_BUSY when somebody else is collecting it, ERR_CANCELLED when the thread is to end. */
enum err collector_collect(struct round *round, const struct address *node,
			   struct collections_round *ret) WARN_UNUSED;
/* One round with a node that is due. ERR_NOT_FOUND when none is. */
enum err collector_do_due(struct round *round, struct collections_round *ret) WARN_UNUSED;
/* Have a node take out of its trash what went there at `since`, Unix seconds, or later. What it answers fills the
 * round's pieces, bytes and what was moved; outcome and `why` as for a round. Nothing of it is kept. */
enum err collector_restore(struct round *round, const struct address *node, uint64_t since,
			   struct collections_round *ret) WARN_UNUSED;
void collector_rules(const struct desk *desk, struct collections_rules *ret);

/* For patrol_start. */
patrol_round collector_walk;

#endif
