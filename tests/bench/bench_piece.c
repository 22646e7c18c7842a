/*
 * Pieces to and from one real node, over one connection.
 *
 * Whole pieces are held against the bound of bounds.h. Small ones count requests: each has an allocation, an order and
 * a receipt to be signed and verified, and is on the disk before its receipt is.
 */
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

static void measure_large(struct piece_net *net)
{
	double bound = bound_transfer(), bytes = (double)LARGE_PIECES * TREE_PIECE;
	struct moves warm, moves;

	moves_init(&warm, net, 10, LARGE_AT_ONCE, TREE_PIECE);
	moves_put(&warm);
	moves_clear(&warm);
	moves_init(&moves, net, LARGE_PIECES, LARGE_AT_ONCE, TREE_PIECE);
	bench_result("put_2mib", bytes / moves_put(&moves) / MB, "MB/s", bound / MB, BENCH_MORE_IS_BETTER);
	bench_result("get_2mib", bytes / moves_get(&moves) / MB, "MB/s", bound / MB, BENCH_MORE_IS_BETTER);
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

int main(void)
{
	struct piece_net *net = piece_net_new();

	bounds_show_machine(net->dir);
	measure_large(net);
	measure_small(net);
	piece_net_free(net);
	return 0;
}
