/*
 * The payout tree of a million payees: built, written as JSON, and read back.
 *
 * The bound of building is the hashing that the tree cannot do without, two Keccaks per leaf and one per pair, run over
 * and over on one block of 64 bytes in the cache. Reading builds the tree again and parses besides.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/keccak.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/payout_tree.h"
#include "payments/u256.h"
#include "tests/bench/bench.h"

#define PAYEES 1000000
#define SLICE 0.5 /* seconds for the bound, in each round */
#define ROUNDS 3
#define TEXT_ROOM 320000000u /* a little more than the JSON takes */

static void keccak_block(void *arg)
{
	keccak_once(arg, 64, arg);
}

static struct payout_leaf *make_leaves(void)
{
	struct payout_leaf *leaves = memory_new(PAYEES, sizeof(*leaves));
	struct random_stream s;

	random_stream_init(&s, bytes_of_text("payout tree"));
	for (size_t i = 0; i < PAYEES; i++) {
		/* Ascending, and of random bytes behind. */
		put_be64(leaves[i].payee.b, (uint64_t)i * (UINT64_MAX / PAYEES) + random_stream_below(&s, 1000000));
		put_be64(leaves[i].payee.b + 12, random_stream_u64(&s));
		leaves[i].cumulative = u256_of(random_stream_u64(&s) >> 20);
	}
	return leaves;
}

struct text {
	char *data;
	size_t len;
};

static enum err append(void *arg, const char *data, size_t len)
{
	struct text *text = arg;

	if (len > TEXT_ROOM - text->len)
		return ERR_FULL;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	return ERR_OK;
}

static double peak_bytes(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024;
}

static void bench_json(const struct payout_tree *tree)
{
	struct text text = {.data = memory_new(TEXT_ROOM, 1)};
	struct payout_sink sink = {append, NULL, &text};
	struct payout_tree *read = NULL;
	double start = bench_now(), written, done;
	char why[PAYOUT_WHY];

	if (payout_tree_dump(tree, &sink) != ERR_OK)
		abort();
	written = bench_now();
	if (payout_tree_load(bytes_of(text.data, text.len), &read, why) != ERR_OK)
		abort();
	done = bench_now();
	if (!bytes32_equal(payout_tree_root(read), payout_tree_root(tree)))
		abort();
	bench_result("payout_tree_1m_dump", written - start, "s", 0, BENCH_NO_SHARE);
	bench_result("payout_tree_1m_load", done - written, "s", 0, BENCH_NO_SHARE);
	payout_tree_free(read);
	free(text.data);
}

int main(void)
{
	struct payout_leaf *leaves = make_leaves();
	uint8_t block[64] = {1};
	double keccak = 0, took = 0;
	struct payout_tree *tree = NULL;

	/* The best of each, so that what else the machine does counts on neither side. */
	for (int round = 0; round < ROUNDS; round++) {
		double rate = bench_rate(SLICE, keccak_block, block), start, seconds;

		payout_tree_free(tree);
		start = bench_now();
		if (payout_tree_build(leaves, PAYEES, &tree) != ERR_OK)
			abort();
		seconds = bench_now() - start;
		keccak = rate > keccak ? rate : keccak;
		took = took == 0 || seconds < took ? seconds : took;
	}
	bench_say("a tree of %d payees on one core; bound: %d Keccaks at %.0f a second", PAYEES, 3 * PAYEES - 1,
		  keccak);
	bench_result("payout_tree_1m", took, "s", (3 * PAYEES - 1) / keccak, BENCH_LESS_IS_BETTER);
	bench_result("payout_tree_1m_peak_rss", peak_bytes(), "bytes", 0, BENCH_NO_SHARE);
	bench_json(tree);
	payout_tree_free(tree);
	free(leaves);
	return 0;
}
