/*
 * What a satellite counts as stored here, by the rows of its signed usages, against what the store holds.
 *
 * Two things differ in good order, and are told apart: a piece that the satellite counts no more is deleted only when
 * its word comes, and one that was stored lately is counted once its object is committed. So only pieces that were
 * stored before the last signed day are asked for.
 */
#ifndef GRANARY_NODE_HOLDINGS_H
#define GRANARY_NODE_HOLDINGS_H

#include "node/papers.h"
#include "node/store/store.h"

/* A piece, by one side. */
struct holding {
	struct bytes32 piece;
	uint64_t size;
	uint64_t from;	/* since when it earns, Unix seconds; only where the satellite says so */
	uint32_t order; /* of the row among all */
	bool ended;
};

struct holdings_sum {
	uint64_t pieces;
	uint64_t bytes;
};

struct holdings {
	uint32_t day; /* the last that is signed */
	bool whole;   /* all rows are known, from the first piece on */
	struct holdings_sum alike;
	struct holdings_sum unlisted; /* held, and never counted */
	struct holdings_sum ended;    /* held, and counted no more */
	struct holdings_sum absent;   /* counted, and not held: deleted since, in the trash, or lost */
	uint64_t other_size;
	uint64_t other_time; /* of those that began on the last day */
};
/* Every upload leaves pieces that came too late to be committed, until they are collected: up to one byte in so many is
 * in good order. */
#define HOLDINGS_SPARE 10
/* Nothing that costs pay: no more unlisted than that, none of another size or counted from another time on. */
bool holdings_agree(const struct holdings *holdings);

/* When a piece was stored, by our own record; 0: it is gone meanwhile. */
typedef uint64_t holdings_stored(void *arg, const struct bytes32 *piece);

/* Pieces of one side. */
struct holding_list {
	struct holding *list;
	size_t count;
	size_t room;
};

/* The comparison, pure. `listed` are all rows there ever were, of which the last counts for each piece; `held` is what
 * the store holds. Both are sorted in place. *ret, whose day is set, gets the sums. */
void holdings_judge(struct holding_list *listed, struct holding_list *held, holdings_stored *stored, void *arg,
		    struct holdings *ret);

/* Compare with one satellite. ERR_NOT_FOUND when it has signed no usage yet; the database's and the store's errors.
 * Reads all usages, and walks the whole store: once a day is enough. */
enum err holdings_compare(struct papers *papers, struct store *store, const struct address *satellite,
			  struct holdings *ret) WARN_UNUSED;

#endif
