/* The fuse: when it blows, who may replace it, and that it remembers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/fuse.h"

#define DAY 86400u
#define MIB ((uint64_t)1 << 20)
#define NOW 1700000000ull

static struct fuse_wish wish_of(uint64_t now, uint8_t shard, uint64_t bytes)
{
	return (struct fuse_wish){.now = now,
				  .time = now - 100,
				  .bits = 2,
				  .shard = shard,
				  .shard_bytes = 1000 * MIB,
				  .bytes = bytes * MIB,
				  .total = 4000 * MIB};
}

static bool allows(struct fuse_row *row, uint64_t now, uint8_t shard, uint64_t bytes)
{
	struct fuse_wish wish = wish_of(now, shard, bytes);
	bool allowed = fuse_allows(row, &wish);

	if (allowed)
		fuse_note(row, bytes * MIB);
	return allowed;
}

static void test_shard(void **state)
{
	struct fuse_row row = {.satellite = 3};

	(void)state;
	assert_true(fuse_begins(&row, NOW));
	assert_true(allows(&row, NOW, 0, 0));
	assert_false(fuse_begins(&row, NOW));
	assert_true(allows(&row, NOW, 0, 200));
	assert_false(allows(&row, NOW, 1, 201));
	assert_true(row.held);
	assert_int_equal(row.held_bytes, 201 * MIB);
	assert_int_equal(row.held_of, 1000 * MIB);
	/* The same again adds nothing, another shard does. */
	assert_false(allows(&row, NOW, 1, 201));
	assert_int_equal(row.held_bytes, 201 * MIB);
	assert_false(allows(&row, NOW, 2, 999));
	assert_int_equal(row.held_bytes, 1200 * MIB);
	assert_int_equal(row.held_of, 2000 * MIB);
	/* Wishing for less releases. */
	assert_true(allows(&row, NOW + 10, 1, 100));
	assert_true(row.held);
	assert_true(allows(&row, NOW + 10, 2, 100));
	assert_false(row.held);
}

/* Many small rounds of one day are one. */
static void test_round(void **state)
{
	struct fuse_row row = {.satellite = 3};

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(allows(&row, NOW + (uint64_t)i * 1000, 0, 100));
	assert_false(allows(&row, NOW + 9000, 0, 1));
	assert_false(allows(&row, NOW + DAY - 1, 0, 1));
	assert_true(fuse_begins(&row, NOW + DAY));
	assert_true(allows(&row, NOW + DAY, 0, 200));
	/* A clock that goes back begins nothing. */
	assert_false(fuse_begins(&row, NOW - DAY));
}

static void test_empty(void **state)
{
	struct fuse_row row = {.satellite = 3};
	struct fuse_wish nothing = {.now = NOW, .time = NOW};

	(void)state;
	assert_true(fuse_allows(&row, &nothing));
	nothing.bytes = UINT64_MAX;
	nothing.shard_bytes = UINT64_MAX;
	assert_false(fuse_allows(&row, &nothing));
}

static void test_operator(void **state)
{
	struct fuse_row row = {.satellite = 3};

	(void)state;
	assert_false(fuse_agree(&row));
	assert_false(allows(&row, NOW, 0, 500));
	assert_false(allows(&row, NOW, 1, 500));
	assert_true(fuse_agree(&row));
	assert_true(allows(&row, NOW + 120, 0, 520));
	assert_true(row.held);
	/* More than was agreed to is held, and the agreement is used up. */
	assert_false(allows(&row, NOW + 120, 1, 600));
	assert_false(row.agreed);
	assert_false(allows(&row, NOW + 130, 1, 500));
	assert_true(fuse_agree(&row));
	assert_true(allows(&row, NOW + 140, 1, 550));
	assert_false(row.held);
}

static void test_repeat(void **state)
{
	struct fuse_row row = {.satellite = 3};

	(void)state;
	assert_false(allows(&row, NOW, 0, 500));
	assert_false(allows(&row, NOW, 1, 500));
	assert_false(allows(&row, NOW + 3600, 0, 500));
	assert_false(allows(&row, NOW + 3600, 1, 500));
	assert_false(allows(&row, NOW + DAY - 1, 0, 500));
	assert_false(allows(&row, NOW + DAY - 1, 1, 500));
	assert_int_equal(row.held_since, NOW);
	/* A day after the first, whatever came in between, in two parts as before. */
	assert_true(allows(&row, NOW + DAY, 0, 540));
	assert_true(allows(&row, NOW + DAY, 1, 540));
	assert_false(row.held);
	assert_false(row.agreed);
}

/* Having waited with a small wish is no licence for a large one. */
static void test_larger_repeat(void **state)
{
	struct fuse_row row = {.satellite = 3};

	(void)state;
	assert_false(allows(&row, NOW, 0, 300));
	assert_false(allows(&row, NOW + DAY + 1, 0, 900));
	assert_int_equal(row.held_since, NOW + DAY + 1);
	assert_false(allows(&row, NOW + DAY + 2, 0, 900));
	assert_true(allows(&row, NOW + 2 * DAY + 1, 0, 900));
}

static void test_file(void **state)
{
	struct fuse fuse = {NULL, 0, 0}, again;
	uint8_t *raw;
	size_t len;

	(void)state;
	assert_false(allows(fuse_row(&fuse, 3), NOW, 3, 500));
	assert_true(fuse_agree(fuse_row(&fuse, 3)));
	assert_true(allows(fuse_row(&fuse, 700), NOW, 1, 5));
	assert_false(allows(fuse_row(&fuse, 5), NOW, 1, 500));
	fuse_encode(&fuse, &raw, &len);
	assert_true(len <= FUSE_FILE_MOST);
	assert_int_equal(fuse_decode(bytes_of(raw, len), &again), ERR_OK);
	assert_int_equal(again.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct fuse_row *a = &fuse.rows[i], *b = fuse_row(&again, a->satellite);

		assert_int_equal(a->time, b->time);
		assert_int_equal(a->begun, b->begun);
		assert_int_equal(a->total, b->total);
		assert_int_equal(a->trashed, b->trashed);
		assert_int_equal(a->held, b->held);
		assert_int_equal(a->agreed, b->agreed);
		assert_int_equal(a->held_bits, b->held_bits);
		assert_memory_equal(a->held_map, b->held_map, sizeof(a->held_map));
		assert_int_equal(a->held_time, b->held_time);
		assert_int_equal(a->held_since, b->held_since);
		assert_int_equal(a->held_bytes, b->held_bytes);
		assert_int_equal(a->held_of, b->held_of);
		assert_int_equal(a->left, b->left);
	}
	assert_true(allows(fuse_row(&again, 3), NOW + 1, 3, 500));
	fuse_free(&again);
	for (size_t at = 0; at < len; at++) {
		raw[at] ^= 0x10;
		assert_int_not_equal(fuse_decode(bytes_of(raw, len), &again), ERR_OK);
		raw[at] ^= 0x10;
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(fuse_decode(bytes_of(raw, cut), &again), ERR_OK);
	free(raw);
	fuse_free(&fuse);
}

static void test_rows(void **state)
{
	struct fuse fuse = {NULL, 0, 0}, again;
	uint8_t *raw;
	size_t len;

	(void)state;
	for (uint16_t i = 0; i < FUSE_ROWS_MOST; i++)
		assert_non_null(fuse_row(&fuse, i));
	assert_null(fuse_row(&fuse, FUSE_ROWS_MOST));
	assert_non_null(fuse_row(&fuse, 799));
	fuse_encode(&fuse, &raw, &len);
	assert_true(len <= FUSE_FILE_MOST);
	assert_int_equal(fuse_decode(bytes_of(raw, len), &again), ERR_OK);
	assert_int_equal(again.count, FUSE_ROWS_MOST);
	free(raw);
	fuse_free(&again);
	fuse_free(&fuse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shard),	 cmocka_unit_test(test_round),	cmocka_unit_test(test_empty),
		cmocka_unit_test(test_operator), cmocka_unit_test(test_repeat), cmocka_unit_test(test_larger_repeat),
		cmocka_unit_test(test_file),	 cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
