/* Many pieces put to, or got from, the node of a piece_net over one connection, some at once. */
#ifndef GRANARY_TESTS_BENCH_MOVES_H
#define GRANARY_TESTS_BENCH_MOVES_H

#include "tests/bench/piece_net.h"

struct moves {
	struct piece_net *net;
	size_t count;	     /* pieces */
	size_t at_once;	     /* requests under way together */
	uint64_t size;	     /* of each piece */
	struct bytes32 *ids; /* of the pieces; made by moves_init */
	struct bytes32 root; /* of all of them: they hold the same bytes */
};

void moves_init(struct moves *moves, struct piece_net *net, size_t count, size_t at_once, uint64_t size);
void moves_clear(struct moves *moves);

/* Do it; returns the seconds from the first request to the last answer. Allocations are made before. Ends the process
 * when one fails. */
double moves_put(struct moves *moves);
double moves_get(struct moves *moves);

#endif
