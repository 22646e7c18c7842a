/*
 * The SQL of garbage collection: which pieces a node should have, whose turn it is, and what came of the last rounds.
 *
 * Wanted are the pieces of committed segments, lost ones too, those offered for uploads or on their way by a repair,
 * and those that the node must still be told to delete: that is the deleter's work, and no garbage. Rows move from
 * offers and rebuilds to pieces to deletions only, so whoever reads the tables in this order misses none that moves
 * meanwhile.
 */
#ifndef GRANARY_SATELLITE_COLLECTIONS_H
#define GRANARY_SATELLITE_COLLECTIONS_H

#include "common/database.h"
#include "common/key.h"

enum collections_outcome {
	COLLECTIONS_NONE = 0, /* no round yet */
	COLLECTIONS_DONE = 1,
	COLLECTIONS_HELD = 2, /* the node holds it: too much would go */
	COLLECTIONS_FAILED = 3,
};

/* One round: all shards of one node. */
struct collections_round {
	struct address node;
	enum collections_outcome outcome;
	uint64_t begun;	     /* Unix seconds: the time of its filters */
	uint64_t ended;
	uint64_t held_since; /* by the node's clock; 0 unless held */
	uint64_t wanted;     /* pieces in the filters */
	uint64_t pieces;     /* that the node has, those in its trash too, … */
	uint64_t bytes;	     /* … and their bytes, … */
	uint64_t unwanted_pieces; /* … those of them in no filter, and old enough, … */
	uint64_t unwanted_bytes;
	uint64_t moved_pieces; /* … and those that went to the trash */
	uint64_t moved_bytes;
	char why[200]; /* of a failure, or "" */
};

/* When a node is due, the rules. */
struct collections_rules {
	uint64_t now;
	uint64_t interval;     /* seconds between two rounds */
	uint64_t online_since; /* the earliest check-in of a node that counts as online */
};

/* Among the nodes that have been due longest, the `skip`-th. Nodes that are not online, disqualified or gone are left
 * out; a new one is due an interval after it came. ERR_NOT_FOUND. */
enum err collections_due(struct database *db, const struct collections_rules *rules, uint32_t skip,
			 struct address *ret_node) WARN_UNUSED;

/* About how many pieces are wanted of a node. */
enum err collections_count(struct database *db, const struct address *node, uint64_t *ret) WARN_UNUSED;
/* The wanted pieces from `first` to `last`, both included; some more than once. An error ends the walk. */
typedef void collections_visit(const struct bytes32 *piece, void *arg);
enum err collections_each_wanted(struct database *db, const struct address *node, const struct bytes32 *first,
				 const struct bytes32 *last, collections_visit *visit, void *arg) WARN_UNUSED;

/* Keep what came of a round, and when the next is due: after the interval; a held one a day after its node said so
 * first, when the wish counts as repeated; one that failed in ten minutes, and twice as long each time. */
enum err collections_note(struct database *db, const struct collections_rules *rules,
			  const struct collections_round *round) WARN_UNUSED;

/* A node and its last round; outcome COLLECTIONS_NONE when there was none. `due`: Unix seconds. */
typedef enum err collections_tell(const struct id *node, const struct collections_round *round, uint64_t due,
				  void *arg);
enum err collections_each(struct database *db, const struct collections_rules *rules, collections_tell *tell,
			  void *arg) WARN_UNUSED;

/* "none", "done", "held", "failed". */
const char *collections_outcome_name(enum collections_outcome outcome);

#endif
