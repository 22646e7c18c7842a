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
#define LARGE_PIECES 250
#define LARGE_AT_ONCE 4
#define SMALL_PIECES 4000
#define SMALL_AT_ONCE 64
#define SMALL_SIZE 4096

/* Move them all and say how fast that was, and what it cost each side. */
static void measure_one(struct moves *moves, const char *name, double (*move)(struct moves *moves), double bound)
{
	double bytes = (double)moves->count * (double)moves->size, before[2], after[2], seconds;

	piece_net_cpu(moves->net, &before[0], &before[1]);
	seconds = move(moves);
	piece_net_cpu(moves->net, &after[0], &after[1]);
	bench_result(name, bytes / seconds / MB, "MB/s", bound / MB, BENCH_MORE_IS_BETTER);
	bench_say("CPU: client %.2f, node %.2f ns per byte; both cores %.0f %% busy",
		  (after[0] - before[0]) / bytes * 1e9, (after[1] - before[1]) / bytes * 1e9,
		  (after[0] - before[0] + after[1] - before[1]) / seconds / 2 * 100);
}

static void measure_large(struct piece_net *net)
{
	double bound = bound_transfer();
	struct moves warm, moves;

	moves_init(&warm, net, 10, LARGE_AT_ONCE, TREE_PIECE);
	moves_put(&warm);
	moves_clear(&warm);
	moves_init(&moves, net, LARGE_PIECES, LARGE_AT_ONCE, TREE_PIECE);
	measure_one(&moves, "put_2mib", moves_put, bound);
	measure_one(&moves, "get_2mib", moves_get, bound);
	moves_clear(&moves);
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
