/*
 * Choosing nodes for the pieces of a segment: uniformly at random among those that have room, no two of one network
 * unless that is allowed, none that was excluded. Pure; randomness is passed in.
 */
#ifndef GRANARY_SATELLITE_SELECT_H
#define GRANARY_SATELLITE_SELECT_H

#include "common/key.h"
#include "common/random.h"

struct candidate {
	struct address node;
	const char *network; /* "192.0.2.0/24" */
	uint64_t available;  /* bytes */
};

struct select_rules {
	uint32_t want;
	uint64_t room; /* bytes that a node must have available */
	bool distinct_networks;
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
