/* The index against a plain array: random inserts, removals and replacements, with hashes that collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "node/store/index.h"

static const struct record_secret secret = {{3, 1, 4}};

static struct index_place place_of(uint32_t number)
{
	return (struct index_place){.segment = number % 1000,
				    .offset = (number + 64) * RECORD_UNIT,
				    .size = number % (TREE_PIECE + 1),
				    .day = (uint16_t)number,
				    .flags = number % 64};
}

static void expect_place(const struct index_place *a, const struct index_place *b)
{
	assert_true(a->segment == b->segment && a->offset == b->offset && a->size == b->size);
	assert_true(a->day == b->day && a->flags == b->flags);
}

static uint64_t hash_of(const struct index *index, uint32_t number)
{
	struct bytes32 piece = {{0}};

	put_be32(piece.b, number);
	return index_hash(index, 1, &piece);
}

static void test_many(void **state)
{
	enum { COUNT = 200000 };
	struct index *index = index_new(&secret);
	struct index_place found[INDEX_MATCHES];

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct index_place place = place_of(i);

		index_insert(index, hash_of(index, i), &place);
	}
	assert_int_equal(index_count(index), COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct index_place place = place_of(i);

		assert_int_equal(index_find(index, hash_of(index, i), NULL, NULL, found), 1);
		expect_place(&found[0], &place);
	}
	/* 16-byte slots, never more than a quarter of them empty at this count. */
	assert_true(index_bytes(index) < COUNT * 25ull);
	for (uint32_t i = 0; i < COUNT; i += 2)
		assert_true(index_remove(index, hash_of(index, i), place_of(i).segment, place_of(i).offset, NULL));
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(index_find(index, hash_of(index, i), NULL, NULL, found), i % 2);
	assert_int_equal(index_count(index), COUNT / 2);
	index_free(index);
}

/* Few hashes, all in one small table, wrapping round its end: every probe and every gap closed is exercised. */
static void test_against_a_model(void **state)
{
	enum { KEYS = 300, STEPS = 40000 };
	struct index *index = index_new(&secret);
	struct index_place found[INDEX_MATCHES];
	bool there[KEYS] = {false};
	uint64_t hashes[KEYS], count = 0;
	struct random_stream dice;

	(void)state;
	random_stream_init(&dice, bytes_of("index", 5));
	for (uint32_t i = 0; i < KEYS; i++)
		hashes[i] =
			((1ull << 30) - 1 - random_stream_below(&dice, 60) * (i % 3 == 0 ? 17000000 : 1)) | 5ull << 30;
	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t i = (uint32_t)random_stream_below(&dice, KEYS), same = 0;
		struct index_place place = place_of(i);

		assert_int_equal(index_has(index, hashes[i], place.segment, place.offset), there[i]);
		if (!there[i]) {
			for (uint32_t k = 0; k < KEYS; k++)
				same += there[k] && hashes[k] == hashes[i];
			if (same == INDEX_MATCHES)
				continue;
			index_insert(index, hashes[i], &place);
		} else {
			assert_true(index_remove(index, hashes[i], place.segment, place.offset, &found[0]));
			expect_place(&found[0], &place);
		}
		count += there[i] ? -1 : 1;
		there[i] = !there[i];
		assert_int_equal(index_count(index), count);
	}
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(index_has(index, hashes[i], place_of(i).segment, place_of(i).offset), there[i]);
	index_free(index);
}

static void test_replace_compares(void **state)
{
	struct index *index = index_new(&secret);
	struct index_place old = place_of(1), new = place_of(2), found[INDEX_MATCHES];
	uint64_t hash = hash_of(index, 1);

	(void)state;
	assert_false(index_replace(index, hash, old.segment, old.offset, &new));
	index_insert(index, hash, &old);
	assert_false(index_replace(index, hash, old.segment, old.offset + RECORD_UNIT, &new));
	assert_true(index_replace(index, hash, old.segment, old.offset, &new));
	assert_int_equal(index_find(index, hash, NULL, NULL, found), 1);
	expect_place(&found[0], &new);
	assert_false(index_remove(index, hash, old.segment, old.offset, NULL));
	index_free(index);
}

static void test_extremes(void **state)
{
	struct index *index = index_new(&secret);
	struct index_place most = {INDEX_SEGMENTS - 1, (1u << 30) - RECORD_UNIT, TREE_PIECE, UINT16_MAX, 63};
	struct index_place found[INDEX_MATCHES];

	(void)state;
	index_insert(index, (1ull << 42) - 1, &most);
	assert_int_equal(index_find(index, (1ull << 42) - 1, NULL, NULL, found), 1);
	expect_place(&found[0], &most);
	assert_int_equal(index_find(index, 0, NULL, NULL, found), 0);
	index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_replace_compares),
		cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
