/* Challenges: the encoding and its limits, and that leaves are drawn evenly, alike on both sides, as frozen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "audit/challenge.h"
#include "common/hex.h"

#define PIECES_AT (32 + 1 + 4 + 4)

static struct challenge_piece two[] = {{{{1}}, 4}, {{{2}}, PROOF_SAMPLES}};
static const struct challenge sample = {{{9, 9}}, CHALLENGE_LISTED, 1500, 2, two};

static size_t encode(const struct challenge *challenge, uint8_t *wire, size_t room)
{
	struct writer w;

	writer_init(&w, wire, room);
	challenge_encode(challenge, &w);
	assert_int_equal(w.err, ERR_OK);
	return w.len;
}

static void test_round_trip(void **state)
{
	uint8_t wire[200];
	size_t len = encode(&sample, wire, sizeof(wire));
	struct challenge found;

	(void)state;
	assert_int_equal(len, PIECES_AT + 2 * 33);
	assert_int_equal(challenge_decode(bytes_of(wire, len), &found), ERR_OK);
	assert_memory_equal(found.nonce.b, sample.nonce.b, 32);
	assert_int_equal(found.form, CHALLENGE_LISTED);
	assert_int_equal(found.piece_ms, 1500);
	assert_int_equal(found.count, 2);
	assert_memory_equal(found.pieces, two, sizeof(two));
	challenge_free(&found);
	assert_null(found.pieces);
}

static enum err decode(const uint8_t *wire, size_t len)
{
	struct challenge found = {0};
	enum err err = challenge_decode(bytes_of(wire, len), &found);

	assert_true(err == ERR_OK || found.pieces == NULL);
	challenge_free(&found);
	return err;
}

static void test_decoding_refuses(void **state)
{
	uint8_t wire[200] = {0};
	size_t len = encode(&sample, wire, sizeof(wire));

	(void)state;
	for (size_t short_of = 0; short_of < len; short_of++)
		assert_int_equal(decode(wire, short_of), ERR_FORMAT);
	assert_int_equal(decode(wire, len + 1), ERR_FORMAT);
	wire[32] = 0;
	assert_int_equal(decode(wire, len), ERR_RANGE);
	wire[32] = 4;
	assert_int_equal(decode(wire, len), ERR_RANGE);
	wire[32] = CHALLENGE_CHAINED;
	wire[PIECES_AT + 32] = 0;
	assert_int_equal(decode(wire, len), ERR_RANGE);
	wire[PIECES_AT + 32] = PROOF_SAMPLES + 1;
	assert_int_equal(decode(wire, len), ERR_RANGE);
	wire[PIECES_AT + 32] = 1;
	put_be32(wire + 37, 0);
	assert_int_equal(decode(wire, len), ERR_RANGE);
	put_be32(wire + 37, CHALLENGE_PIECES + 1);
	assert_int_equal(decode(wire, len), ERR_RANGE);
	put_be32(wire + 37, UINT32_MAX);
	assert_int_equal(decode(wire, len), ERR_RANGE);
	put_be32(wire + 37, 1);
	assert_int_equal(decode(wire, len), ERR_FORMAT);
	put_be32(wire + 37, 2);
	assert_int_equal(decode(wire, len), ERR_OK);
}

static struct samples draw(const struct challenge *challenge, uint64_t size, const struct bytes32 *previous)
{
	struct samples found;

	challenge_samples(challenge, 0, size, previous, &found);
	for (uint32_t i = 1; i < found.count; i++)
		assert_true(found.leaf[i - 1] < found.leaf[i]);
	assert_true(found.count > 0 && found.leaf[found.count - 1] < tree_leaves(size));
	return found;
}

static bool same(const struct samples *a, const struct samples *b)
{
	return a->count == b->count && memcmp(a->leaf, b->leaf, a->count * sizeof(a->leaf[0])) == 0;
}

/* What the leaves depend on: nonce and piece always, the proof before only when chained, the place never. */
static void test_samples_depend(void **state)
{
	struct challenge_piece pieces[] = {{{{1}}, 8}, {{{1}}, 8}};
	struct challenge c = {{{5}}, CHALLENGE_LISTED, 0, 2, pieces};
	struct bytes32 previous = {{7}};
	struct samples first = draw(&c, TREE_PIECE, NULL), other;

	(void)state;
	assert_int_equal(first.count, 8);
	other = draw(&c, TREE_PIECE, &previous);
	assert_true(same(&first, &other));
	challenge_samples(&c, 1, TREE_PIECE, NULL, &other);
	assert_true(same(&first, &other));
	c.form = CHALLENGE_CHAINED;
	other = draw(&c, TREE_PIECE, NULL);
	assert_true(same(&first, &other));
	other = draw(&c, TREE_PIECE, &previous);
	assert_false(same(&first, &other));
	c.form = CHALLENGE_LISTED;
	c.nonce.b[31] = 1;
	other = draw(&c, TREE_PIECE, NULL);
	assert_false(same(&first, &other));
	c.nonce.b[31] = 0;
	pieces[0].piece.b[0] = 2;
	other = draw(&c, TREE_PIECE, NULL);
	assert_false(same(&first, &other));
}

static void test_small_pieces(void **state)
{
	struct challenge_piece piece = {{{1}}, PROOF_SAMPLES};
	struct challenge c = {{{5}}, CHALLENGE_WHOLE, 0, 1, &piece};

	(void)state;
	for (uint64_t size = 0; size <= PROOF_SAMPLES * TREE_LEAF; size += 513) {
		struct samples found = draw(&c, size, NULL);

		assert_int_equal(found.count, tree_leaves(size));
	}
	assert_int_equal(draw(&c, TREE_PIECE, NULL).count, PROOF_SAMPLES);
}

/* Chi-square of `cells` equally likely counts; 4 sigma over its mean for so many degrees of freedom. */
static void expect_even(const uint64_t *counts, uint32_t cells, uint64_t draws)
{
	double expected = (double)draws / cells, chi = 0, freedom = cells - 1;

	for (uint32_t i = 0; i < cells; i++)
		chi += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
	assert_true(chi < freedom + 4 * sqrt(2 * freedom));
	assert_true(chi > freedom - 4 * sqrt(2 * freedom));
}

/* Nonces 0, 1, 2, …: fixed, so the outcome is. 1500 leaves do not divide 2^32. */
static void test_leaves_are_even(void **state)
{
	enum { LEAVES = 1500, ROUNDS = 40000 };
	struct challenge_piece piece = {{{1}}, 3};
	struct challenge c = {{{0}}, CHALLENGE_LISTED, 0, 1, &piece};
	static uint64_t counts[LEAVES];

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct samples found;

		put_be32(c.nonce.b, round);
		found = draw(&c, (uint64_t)LEAVES * TREE_LEAF, NULL);
		assert_int_equal(found.count, 3);
		for (uint32_t i = 0; i < found.count; i++)
			counts[found.leaf[i]]++;
	}
	expect_even(counts, LEAVES, (uint64_t)ROUNDS * 3);
}

/* Positions among a node's bytes are even over thirds too when the total is just above a half of 2^64, where a plain
 * remainder would favour the first part by two to one. */
static void test_positions_are_even(void **state)
{
	enum { ROUNDS = 300, PER_ROUND = 100 };
	const uint64_t total = (UINT64_C(3) << 62) + 3;
	uint64_t found[PER_ROUND], counts[3] = {0};
	struct bytes32 nonce = {{0}};

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		put_be32(nonce.b, round);
		challenge_draw(&nonce, total, found, PER_ROUND);
		for (uint32_t i = 0; i < PER_ROUND; i++) {
			assert_true(found[i] < total);
			assert_true(i == 0 || found[i - 1] <= found[i]);
			counts[found[i] / (total / 3 + 1)]++;
		}
	}
	expect_even(counts, 3, ROUNDS * PER_ROUND);
	challenge_draw(&nonce, 1, found, 1);
	assert_int_equal(found[0], 0);
}

static void test_answer_hash(void **state)
{
	struct bytes32 proof_hash, expected, found, other;
	uint8_t text[2 * 37];
	struct answer_hash a;

	(void)state;
	put_be32(text, 0);
	text[4] = AUDIT_HELD;
	keccak_once("proof", 5, &proof_hash);
	memcpy(text + 5, proof_hash.b, 32);
	put_be32(text + 37, 1);
	text[41] = AUDIT_MISSING;
	keccak_once("", 0, &proof_hash);
	memcpy(text + 42, proof_hash.b, 32);
	keccak_once(text, sizeof(text), &expected);
	answer_init(&a);
	answer_add(&a, 0, AUDIT_HELD, bytes_of("proof", 5));
	answer_add(&a, 1, AUDIT_MISSING, bytes_of(NULL, 0));
	answer_final(&a, &found);
	assert_memory_equal(&found, &expected, sizeof(found));
	answer_init(&a);
	answer_add(&a, 0, AUDIT_HELD, bytes_of("proof", 5));
	answer_add(&a, 1, AUDIT_CORRUPT, bytes_of(NULL, 0));
	answer_final(&a, &other);
	assert_memory_not_equal(&found, &other, sizeof(found));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(audit_verdict_name(AUDITED_PROVEN), "proven");
	assert_string_equal(audit_verdict_name(AUDITED_UNREACHABLE), "unreachable");
	assert_string_equal(audit_verdict_name((enum audit_verdict)77), "unknown");
}

static void hex_of(const json_t *vector, const char *name, struct bytes32 *ret)
{
	assert_int_equal(hex_decode(json_string_value(json_object_get(vector, name)), ret->b, 32), ERR_OK);
}

static void check_vector(const json_t *vector)
{
	const json_t *leaves = json_object_get(vector, "leaves");
	struct challenge_piece piece;
	struct challenge c = {.form = CHALLENGE_CHAINED, .count = 1, .pieces = &piece};
	struct bytes32 previous;
	struct samples found;

	hex_of(vector, "nonce", &c.nonce);
	hex_of(vector, "piece", &piece.piece);
	hex_of(vector, "previous", &previous);
	piece.samples = (uint8_t)json_integer_value(json_object_get(vector, "wanted"));
	found = draw(&c, (uint64_t)json_integer_value(json_object_get(vector, "size")), &previous);
	assert_int_equal(found.count, json_array_size(leaves));
	for (uint32_t i = 0; i < found.count; i++)
		assert_int_equal(found.leaf[i], json_integer_value(json_array_get(leaves, i)));
}

static void test_vectors(void **state)
{
	char path[1024];
	json_t *file, *vector;
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/tree.json", getenv("GRANARY_VECTORS"));
	file = json_load_file(path, 0, NULL);
	assert_non_null(file);
	assert_true(json_array_size(json_object_get(file, "draws")) > 0);
	json_array_foreach(json_object_get(file, "draws"), i, vector) check_vector(vector);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_decoding_refuses),
		cmocka_unit_test(test_samples_depend),	cmocka_unit_test(test_small_pieces),
		cmocka_unit_test(test_leaves_are_even), cmocka_unit_test(test_positions_are_even),
		cmocka_unit_test(test_answer_hash),	cmocka_unit_test(test_names),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
