/*
 * The clerk asks a satellite for what it signed about this node's pay since last time, and has it kept.
 *
 *	ASK_PRICES → PRICES…, ASK_USAGE → USAGE… (day by day), ASK_STATEMENTS → STATEMENT…
 *	EXIT → EXIT_STATE, while the node leaves
 *
 * Before that it offers what the node asks for its work (OFFER_PRICE → DONE), until the satellite accepts or refuses.
 *
 * It begins with the day on which this node first asks, and catches up from wherever it stopped. What does not check
 * out is not kept, and nothing after it of that kind is asked for: the next try begins there again.
 */
#ifndef GRANARY_NODE_CLERK_H
#define GRANARY_NODE_CLERK_H

#include "node/errand.h"
#include "node/papers.h"

struct clerk_outcome {
	struct satellite satellite;
	uint64_t days;	     /* usages that were kept now */
	uint64_t statements; /* the same */
	unsigned accepted;   /* asks, now */
	unsigned refused;    /* the same; papers_asks tells why */
	enum err err;
	char why[ERRAND_MESSAGE]; /* what did not check out, or could not be had */
};

/* Fetch all there is from one pinned satellite; gives up once *stop. Waits. */
void clerk_run(struct papers *papers, const struct key *key, const struct satellite *satellite, const atomic_bool *stop,
	       struct clerk_outcome *ret);

#endif
