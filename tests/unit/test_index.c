/* The index against a plain array: random inserts, removals and replacements, with hashes that collide. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "node/store/index.h"
#include "tests/kit/fault.h"

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
	/* 16-byte slots; a table's last block is half empty at this small count. */
	assert_true(index_bytes(index) < COUNT * 26ull);
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

static void collect(void *arg, const struct index_slot *slot)
{
	struct index *copy = arg;
	struct index_place place;
	uint64_t hash = index_unpack(slot, &place);

	index_insert(copy, hash, &place);
}

static void change_at_random(struct index *index, struct random_stream *dice, uint32_t keys)
{
	uint32_t number = (uint32_t)random_stream_below(dice, keys);
	struct index_place place = place_of(number);
	uint64_t hash = hash_of(index, number);
	struct index_spot spot = {place.segment, place.offset};
	struct index_change change = {.set = INDEX_BAD, .clear = INDEX_TRASHED};

	if (!index_has(index, hash, place.segment, place.offset))
		index_insert(index, hash, &place);
	else if (random_stream_below(dice, 2) == 0)
		assert_true(index_remove(index, hash, place.segment, place.offset, NULL));
	else
		assert_true(index_mark(index, hash, &spot, &change, &place));
}

/* What a scan visited, and the edits after it, are the index as it was at its end. */
static void test_scan(void **state)
{
	enum { KEYS = 30000 };
	struct index *index = index_new(&secret), *copy = index_new(&secret);
	struct random_stream dice;
	struct index_edit *edits;
	size_t count;

	(void)state;
	random_stream_init(&dice, bytes_of("scan", 4));
	for (uint32_t i = 0; i < KEYS; i++)
		change_at_random(index, &dice, KEYS);
	index_scan_begin(index);
	assert_int_equal(index_scan_edits(index), 0);
	while (index_scan_next(index, collect, copy)) {
		for (int i = 0; i < 5; i++)
			change_at_random(index, &dice, KEYS);
	}
	assert_true(index_scan_edits(index) > 5000);
	edits = index_scan_end(index, &count);
	for (size_t i = 0; i < count; i++) {
		struct index_place place;
		uint64_t hash;

		hash = index_unpack(&edits[i].old, &place);
		if (edits[i].old.place != 0)
			assert_true(index_remove(copy, hash, place.segment, place.offset, NULL));
		hash = index_unpack(&edits[i].new, &place);
		if (edits[i].new.place != 0)
			index_insert(copy, hash, &place);
	}
	free(edits);
	assert_int_equal(index_count(copy), index_count(index));
	for (uint32_t i = 0; i < KEYS; i++) {
		struct index_place place = place_of(i), found, other;
		struct index_spot spot = {place.segment, place.offset};
		bool there = index_get(index, hash_of(index, i), &spot, &found);

		assert_int_equal(index_get(copy, hash_of(index, i), &spot, &other), there);
		if (there)
			expect_place(&found, &other);
	}
	/* Over: nothing is noted any more. */
	change_at_random(index, &dice, KEYS);
	assert_int_equal(index_scan_edits(index), 0);
	index_free(index);
	index_free(copy);
}

/* The same index in a file: it is gone afterwards, and a disk without room for it costs memory, nothing else. */
static void test_mapped(void **state)
{
	enum { COUNT = 400000 };
	struct fault *fault = fault_new(6 << 20);
	struct arena *arena;
	struct index *index;

	(void)state;
	assert_int_equal(arena_new_mapped(fault_seam(fault), "/table", &arena), ERR_OK);
	index = index_new_in(&secret, arena);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct index_place place = place_of(i);

		index_insert(index, hash_of(index, i), &place);
	}
	assert_int_equal(fault_size(fault, "/table"), 4 << 20);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(index_has(index, hash_of(index, i), place_of(i).segment, place_of(i).offset));
	index_free(index);
	assert_true(fault_size(fault, "/table") == UINT64_MAX);
	fault_fail(fault, 0, ENOSPC);
	assert_int_equal(arena_new_mapped(fault_seam(fault), "/table", &arena), ERR_FULL);
	fault_free(fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
