/*
 * Choosing nodes for the pieces of a segment: at random among those that have room, vetted and new ones in a set
 * proportion, no two of one network unless that is allowed, none that was excluded. Pure; randomness is passed in.
 *
 * Nodes are put into a set once, and then chosen from it many times, each time at the cost of the nodes wanted and not
 * of all: the set keeps them in an order that every choice shuffles a little further, and what a choice must avoid is
 * stamped with its number.
 *
 * Nodes may compete. With the chances that the rules give, a draw is of two nodes, and the cheaper one wins, or the
 * one that served clients better wins the more often the better it is. So a node that asks little or serves well gets
 * more pieces, but never more than twice its share: whoever outdoes all others cannot gather most pieces of a file.
 * And whoever does badly keeps, of its share, what the draws without competition give it, and so can prove itself.
 *
 * Of the nodes wanted, the proportion of new ones is exact (to the rounding, which is drawn), and they stand anywhere
 * among the others; where one kind is too few, the other fills up.
 */
#ifndef GRANARY_AUDIT_SELECT_H
#define GRANARY_AUDIT_SELECT_H

#include "common/amount.h"
#include "common/key.h"
#include "common/random.h"

#define SELECT_QUALITY_MAX 1000
#define SELECT_QUALITY_USUAL 500 /* of a node that nothing is known of */

struct candidate {
	struct address node;
	const char *network; /* "192.0.2.0/24" */
	uint64_t available;  /* bytes */
	struct amount price; /* for a TB kept a month and sent once */
	uint16_t quality;    /* select_quality */
	bool vetted;
};

struct select_rules {
	uint32_t want;
	uint64_t room; /* bytes that a node must have available */
	bool distinct_networks;
	unsigned cheaper;   /* percent of draws in which the cheaper of two nodes wins; 0: prices do not count */
	unsigned better;    /* percent of draws that quality decides; at most 100 together */
	unsigned new_nodes; /* percent of `want` that is for nodes that are not vetted */
};

/* What clients saw of a node lately. */
struct select_record {
	uint64_t succeeded, failed; /* transfers; older ones may have faded */
	uint32_t ms;		    /* that one took, 0: unknown */
};
/* 0 to SELECT_QUALITY_MAX: the square of the share that succeeded, as if ten more had, by how much faster a node is
 * than what is typical, at most twice and at least half. */
uint16_t select_quality(const struct select_record *record, uint32_t typical_ms);

struct select_set;

/* A set of these candidates, which must stay where they are as long as it lives. What they have available, their
 * prices and qualities may change; to change `vetted`, call select_renew afterwards. */
struct select_set *select_set_new(const struct candidate *candidates, uint32_t count);
void select_set_free(struct select_set *set);
/* Read again who is vetted. */
void select_renew(struct select_set *set);

/* Begin a choice: nothing is excluded. */
void select_begin(struct select_set *set);
/* Do not choose this node; one that is not in the set is fine. */
void select_exclude(struct select_set *set, const struct address *node);
/* This candidate has a piece already: neither it nor, where networks must be distinct, its neighbours. */
void select_hold(struct select_set *set, uint32_t index);
/* A node on this network has one. */
void select_hold_network(struct select_set *set, const char *network);
/* Choose up to rules->want more candidates; their indices go to ret, in random order. How many is returned: fewer mean
 * that no more fit. They are held from then on, until select_begin. */
uint32_t select_nodes(struct select_set *set, const struct select_rules *rules, struct random_stream *random,
		      uint32_t *ret);

/* Sort a list of addresses; whether a sorted one holds an address. */
void select_sort(struct address *list, size_t count);
bool select_listed(const struct address *address, const struct address *list, size_t count);

#endif
