/*
 * How surely a sample finds damage: an audit of c leaves, drawn over all bytes of a node of which a share f is gone,
 * finds some of it with a chance of 1 - (1 - f)^c. Ten thousand audits for each share, by the rules that satellite and
 * node share; nonces are counted up, so that the outcome is always the same.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/challenge.h"
#include "common/memory.h"
#include "common/random.h"

#define AUDITS 10000
#define PIECES 4000
#define SAMPLES_MOST 4600

/* A node's pieces, in the order in which they are walked. Damage is whole pieces, or leaves here and there. */
struct farm {
	struct challenge_piece pieces[PIECES];
	uint64_t ends[PIECES]; /* running sum of sizes */
	bool gone[PIECES];
	double share; /* of all bytes, that are in pieces that are gone */
};

static uint64_t farm_size(const struct farm *farm, uint32_t i)
{
	return farm->ends[i] - (i == 0 ? 0 : farm->ends[i - 1]);
}

static void farm_make(struct farm *farm, double share, uint32_t seed)
{
	struct bytes32 drawn;
	uint64_t end = 0, gone = 0;

	for (uint32_t i = 0; i < PIECES; i++) {
		uint64_t number = (uint64_t)seed << 32 | i, size;

		hash_once("test.farm", &number, sizeof(number), &drawn);
		farm->pieces[i].piece = drawn;
		/* Sizes from a leaf to a whole piece, all in full leaves. */
		size = (get_be32(drawn.b) % tree_leaves(TREE_PIECE) + 1) * TREE_LEAF;
		end += size;
		farm->ends[i] = end;
	}
	/* The ids are random, so the first pieces are as good as any. */
	for (uint32_t i = 0; i < PIECES; i++) {
		farm->gone[i] = (double)gone < share * (double)end;
		gone += farm->gone[i] ? farm_size(farm, i) : 0;
	}
	farm->share = (double)gone / (double)end;
}

/* Whether this leaf of a piece that is there has rotted: a fixed share of all leaves. */
static bool has_rotted(const struct farm *farm, uint32_t piece, uint32_t leaf, double share)
{
	struct hash hash;
	struct bytes32 drawn;

	hash_init(&hash, "test.rot");
	hash_update(&hash, farm->pieces[piece].piece.b, sizeof(farm->pieces[piece].piece.b));
	hash_update(&hash, &leaf, sizeof(leaf));
	hash_final(&hash, &drawn);
	return get_be32(drawn.b) < share * 4294967296.0;
}

/* One audit of `count` leaves: whether it meets damage. */
static bool audit_finds(struct farm *farm, uint32_t nonce, uint32_t count, double rot)
{
	static uint64_t positions[SAMPLES_MOST];
	struct challenge challenge = {.form = CHALLENGE_WHOLE, .count = PIECES, .pieces = farm->pieces};
	bool found = false;

	put_be32(challenge.nonce.b, nonce);
	challenge_draw(&challenge.nonce, farm->ends[PIECES - 1], positions, count);
	for (uint32_t at = 0, piece = 0; at < count && !found; piece++) {
		struct samples samples;
		uint32_t hits = 0;

		for (; at < count && positions[at] < farm->ends[piece]; at++)
			hits++;
		if (hits == 0)
			continue;
		farm->pieces[piece].samples = (uint8_t)(hits < PROOF_SAMPLES ? hits : PROOF_SAMPLES);
		challenge_samples(&challenge, piece, farm_size(farm, piece), NULL, &samples);
		found = farm->gone[piece];
		for (uint32_t i = 0; i < samples.count && !found; i++)
			found = rot > 0 && has_rotted(farm, piece, samples.leaf[i], rot);
	}
	return found;
}

/* Within 4 standard deviations of the binomial distribution. */
static void expect_curve(struct farm *farm, uint32_t count, double share, double rot)
{
	double expected = 1 - pow(1 - share, count), sigma = sqrt(expected * (1 - expected) / AUDITS);
	uint32_t found = 0;

	for (uint32_t nonce = 0; nonce < AUDITS; nonce++)
		found += audit_finds(farm, nonce, count, rot);
	print_message("%.4f of the bytes gone, %u leaves: found by %.4f of %d audits, expected %.4f ± %.4f\n", share,
		      count, (double)found / AUDITS, AUDITS, expected, sigma);
	assert_true(fabs((double)found / AUDITS - expected) <= 4 * sigma + 1.0 / AUDITS);
}

static void test_lost_pieces(void **state)
{
	static struct farm farm;
	const struct {
		double share;
		uint32_t count;
	} cases[] = {{0.001, 460}, {0.01, 100}, {0.01, 460}, {0.05, 20}, {0.05, 60}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		farm_make(&farm, cases[i].share, 1);
		assert_true(farm.share > 0);
		expect_curve(&farm, cases[i].count, farm.share, 0);
	}
}

/* Leaves that rotted one by one, in no piece more than in another. */
static void test_rotten_leaves(void **state)
{
	static struct farm farm;
	const struct {
		double share;
		uint32_t count;
	} cases[] = {{0.001, 460}, {0.01, 100}, {0.05, 20}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		farm_make(&farm, 0, 1);
		expect_curve(&farm, cases[i].count, cases[i].share, cases[i].share);
	}
}

/* The figure that operators are told: 460 leaves find a loss of one in a hundred with 99 %. */
static void test_known_figure(void **state)
{
	(void)state;
	assert_true(1 - pow(0.99, 460) > 0.99);
	assert_true(1 - pow(0.99, 458) < 0.99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_pieces),
		cmocka_unit_test(test_rotten_leaves),
		cmocka_unit_test(test_known_figure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
