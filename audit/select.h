/*
 * Choosing nodes for the pieces of a segment: at random among those that have room, no two of one network unless that
 * is allowed, none that was excluded. Pure; randomness is passed in.
 *
 * Nodes may compete by price. With a chance that the rules give, a draw is of two nodes and the cheaper one wins. So a
 * node that asks little gets more pieces, but never more than twice its share: whoever underbids all others cannot
 * gather most pieces of a file, and pay goes on to reach those who ask what the satellite offers.
 */
#ifndef GRANARY_AUDIT_SELECT_H
#define GRANARY_AUDIT_SELECT_H

#include "common/amount.h"
#include "common/key.h"
#include "common/random.h"

struct candidate {
	struct address node;
	const char *network; /* "192.0.2.0/24" */
	uint64_t available;  /* bytes */
	struct amount price; /* for a TB kept a month and sent once */
};

struct select_rules {
	uint32_t want;
	uint64_t room; /* bytes that a node must have available */
	bool distinct_networks;
	unsigned cheaper; /* percent of draws in which the cheaper of two nodes wins; 0: prices do not count */
	const struct address *excluded; /* sorted by select_sort */
	size_t excluded_count;
};

/* Sort a list of addresses for select_rules. */
void select_sort(struct address *list, size_t count);
/* Whether a sorted list holds an address. */
bool select_listed(const struct address *address, const struct address *list, size_t count);

/* The indices of up to rules->want candidates go to ret, in random order; how many is returned. Fewer means that
 * there are no more that fit. */
uint32_t select_nodes(const struct candidate *candidates, uint32_t count, const struct select_rules *rules,
		      struct random_stream *random, uint32_t *ret);

#endif
