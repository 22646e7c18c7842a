/*
 * Pieces to and from one real node, over one connection.
 *
 * Whole pieces are held against the bound of bounds.h. Small ones count requests: each has an allocation, an order and
 * a receipt to be signed and verified, and is on the disk before its receipt is.
 */
#include <string.h>

#include "audit/tree.h"
#include "tests/bench/bench.h"
#include "tests/bench/bounds.h"
#include "tests/bench/moves.h"

#define MB 1e6
#define LARGE_PIECES 120
#define LARGE_ROUNDS 4
#define LARGE_AT_ONCE 4
#define SMALL_PIECES 4000
/* Half of what a node takes on one connection: a download is over for the client with its last block, for the node once
 * its order is in the log, so the node may have more under way than the client counts. */
#define SMALL_AT_ONCE 32
#define SMALL_SIZE 4096

/* The best round of one direction. */
struct best {
	double rate;	     /* bytes per second */
	double client, node; /* CPU seconds per byte */
};

static void keep_best(struct moves *moves, double (*move)(struct moves *moves), struct best *best)
{
	double bytes = (double)moves->count * (double)moves->size, before[2], after[2], rate;

	piece_net_cpu(moves->net, &before[0], &before[1]);
	rate = bytes / move(moves);
	piece_net_cpu(moves->net, &after[0], &after[1]);
	if (rate > best->rate)
		*best = (struct best){rate, (after[0] - before[0]) / bytes, (after[1] - before[1]) / bytes};
}

static void report(const char *name, const struct best *best, double bound)
{
	bench_result(name, best->rate / MB, "MB/s", bound / MB, BENCH_MORE_IS_BETTER);
	bench_say("CPU: client %.2f, node %.2f ns per byte; two cores %.0f %% busy with it", best->client * 1e9,
		  best->node * 1e9, (best->client + best->node) * best->rate / 2 * 100);
}

/* In rounds, so that the bound and what is held against it have the same chances of a quiet moment. */
static void measure_large(struct piece_net *net)
{
	struct bound bound = {0};
	struct best put = {0}, get = {0};
	double rate;

	for (int i = 0; i < LARGE_ROUNDS; i++) {
		struct moves moves;

		bound_measure(&bound);
		moves_init(&moves, net, LARGE_PIECES, LARGE_AT_ONCE, TREE_PIECE);
		keep_best(&moves, moves_put, &put);
		keep_best(&moves, moves_get, &get);
		moves_clear(&moves);
	}
	rate = bound_transfer(&bound);
	report("put_2mib", &put, rate);
	report("get_2mib", &get, rate);
}

static void measure_small(struct piece_net *net)
{
	struct moves moves;

	moves_init(&moves, net, SMALL_PIECES, SMALL_AT_ONCE, SMALL_SIZE);
	bench_result("put_4kib", SMALL_PIECES / moves_put(&moves), "1/s", 0, BENCH_NO_SHARE);
	bench_result("get_4kib", SMALL_PIECES / moves_get(&moves), "1/s", 0, BENCH_NO_SHARE);
	moves_clear(&moves);
}

/* `bench_piece large` or `bench_piece small` measures only these: for a profiler. */
int main(int argc, char **argv)
{
	struct piece_net *net = piece_net_new();

	bounds_show_machine(net->dir);
	if (argc < 2 || strcmp(argv[1], "large") == 0)
		measure_large(net);
	if (argc < 2 || strcmp(argv[1], "small") == 0)
		measure_small(net);
	piece_net_free(net);
	return 0;
}
