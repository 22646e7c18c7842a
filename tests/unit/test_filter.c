/* The Bloom filter: nothing added is ever missed, chance finds what it may, and strangers' bytes do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/filter.h"
#include "common/hash.h"
#include "common/hex.h"
#include "common/memory.h"

static struct bytes32 piece_of(uint32_t number)
{
	struct bytes32 piece;

	hash_once("test.piece", &number, sizeof(number), &piece);
	return piece;
}

static struct filter_shape shape_of(uint8_t hashes, uint8_t bits, uint8_t shard, uint64_t pieces)
{
	return (struct filter_shape){hashes, bits, shard, 1700000000, pieces, {{1, 2, 3, 4}}};
}

static unsigned found_by_chance(const struct filter *filter, uint32_t from, uint32_t count)
{
	unsigned found = 0;

	for (uint32_t i = from; i < from + count; i++) {
		struct bytes32 piece = piece_of(i);

		found += filter_has(filter, &piece);
	}
	return found;
}

/* The chance is what was promised, within a few standard deviations; and all that was added is found. */
static void test_chance(void **state)
{
	static const struct {
		uint8_t hashes;
		unsigned least, most; /* of 40,000 */
	} cases[] = {{1, 19000, 21000}, {4, 2200, 2800}, {7, 220, 410}, {10, 12, 75}, {16, 0, 6}};
	const uint32_t count = 20000;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct filter_shape shape = shape_of(cases[i].hashes, 0, 0, count);
		struct filter *filter = filter_new(&shape);
		unsigned found;

		for (uint32_t k = 0; k < count; k++) {
			struct bytes32 piece = piece_of(k);

			filter_add(filter, &piece);
		}
		assert_int_equal(found_by_chance(filter, 0, count), count);
		found = found_by_chance(filter, count, 40000);
		assert_in_range(found, cases[i].least, cases[i].most);
		filter_free(filter);
	}
}

/* Another seed makes other pieces lucky: two rounds together keep as few by chance as their product. */
static void test_seeds(void **state)
{
	struct filter_shape shape = shape_of(4, 0, 0, 5000);
	struct filter *filters[2];
	unsigned both = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		shape.seed.b[15] = (uint8_t)i;
		filters[i] = filter_new(&shape);
		for (uint32_t k = 0; k < 5000; k++) {
			struct bytes32 piece = piece_of(k);

			filter_add(filters[i], &piece);
		}
	}
	for (uint32_t k = 5000; k < 45000; k++) {
		struct bytes32 piece = piece_of(k);

		both += filter_has(filters[0], &piece) && filter_has(filters[1], &piece);
	}
	assert_in_range(both, 90, 230); /* 40,000 ÷ 256 */
	filter_free(filters[0]);
	filter_free(filters[1]);
}

static void test_shards(void **state)
{
	struct bytes32 piece = {{0xb5}};
	struct filter_shape shape = shape_of(7, 3, 5, 10);
	struct filter *filter = filter_new(&shape);

	(void)state;
	assert_int_equal(filter_shard(&piece, 0), 0);
	assert_int_equal(filter_shard(&piece, 1), 1);
	assert_int_equal(filter_shard(&piece, 3), 5);
	assert_int_equal(filter_shard(&piece, 8), 0xb5);
	assert_true(filter_covers(filter, &piece));
	piece.b[0] = 0xc0;
	assert_false(filter_covers(filter, &piece));
	filter_free(filter);
	assert_int_equal(filter_bits_for(0), 0);
	assert_int_equal(filter_bits_for(FILTER_CAPACITY), 0);
	assert_int_equal(filter_bits_for(FILTER_CAPACITY + 1), 1);
	assert_int_equal(filter_bits_for(100000000), 4);
	assert_int_equal(filter_bits_for(UINT64_MAX), FILTER_BITS_MOST);
	/* A full one of that capacity fits. */
	shape = shape_of(FILTER_HASHES, 0, 0, FILTER_CAPACITY);
	filter = filter_new(&shape);
	assert_true(filter_size(filter) < FILTER_MOST);
	filter_free(filter);
	shape.pieces = UINT64_MAX;
	filter = filter_new(&shape);
	assert_int_equal(filter_size(filter), FILTER_MOST);
	filter_free(filter);
}

static struct filter *small_filter(void)
{
	struct filter_shape shape = shape_of(7, 1, 0, 100);
	struct filter *filter = filter_new(&shape);

	for (uint32_t k = 0; k < 200; k++) {
		struct bytes32 piece = piece_of(k);

		if (filter_covers(filter, &piece))
			filter_add(filter, &piece);
	}
	return filter;
}

static uint8_t *encoded(const struct filter *filter, size_t *ret_len)
{
	uint8_t *raw = memory_new(1, filter_size(filter));

	*ret_len = filter_size(filter);
	filter_encode(filter, 0, raw, *ret_len);
	return raw;
}

/* The format is frozen: satellites and nodes of other days must agree. */
static void test_frozen(void **state)
{
	struct filter *filter = small_filter();
	struct bytes32 digest;
	char text[65];

	(void)state;
	filter_digest(filter, &digest);
	hex_encode(bytes_of(digest.b, 32), text);
	assert_string_equal(text, "0a55003da44cf795277cc01d16626160ffbd0fbc92103fff59488d2c4453a953");
	filter_free(filter);
}

static void test_code(void **state)
{
	struct filter *filter = small_filter(), *again;
	struct bytes32 digest, other;
	struct filter_parts parts = {NULL, 0, 0};
	uint8_t *raw, part[50];
	size_t len;

	(void)state;
	raw = encoded(filter, &len);
	for (size_t at = 0; at < len; at += sizeof(part)) {
		size_t more = len - at < sizeof(part) ? len - at : sizeof(part);

		assert_false(filter_parts_complete(&parts));
		filter_encode(filter, at, part, more);
		assert_memory_equal(part, raw + at, more);
		assert_int_equal(filter_parts_add(&parts, len, at, bytes_of(part, more)), ERR_OK);
	}
	assert_true(filter_parts_complete(&parts));
	assert_int_equal(filter_decode(bytes_of(parts.data, parts.total), &again), ERR_OK);
	filter_digest(filter, &digest);
	filter_digest(again, &other);
	assert_memory_equal(digest.b, other.b, 32);
	assert_int_equal(filter_shape(again)->time, 1700000000);
	assert_int_equal(filter_shape(again)->pieces, 100);
	for (uint32_t k = 0; k < 200; k++) {
		struct bytes32 piece = piece_of(k);

		if (filter_covers(again, &piece))
			assert_true(filter_has(again, &piece));
	}
	filter_free(again);
	filter_free(filter);
	filter_parts_clear(&parts);
	free(raw);
}

static void expect_refused(uint8_t *raw, size_t len, size_t at, uint8_t value, enum err expected)
{
	struct filter *filter = NULL;
	uint8_t before = raw[at];

	raw[at] = value;
	assert_int_equal(filter_decode(bytes_of(raw, len), &filter), expected);
	assert_null(filter);
	raw[at] = before;
}

static void test_hostile(void **state)
{
	struct filter *filter = small_filter();
	struct filter_parts parts = {NULL, 0, 0};
	uint8_t *raw;
	size_t len;

	(void)state;
	raw = encoded(filter, &len);
	filter_free(filter);
	expect_refused(raw, len, 0, 2, ERR_UNSUPPORTED);
	expect_refused(raw, len, 1, 0, ERR_RANGE);
	expect_refused(raw, len, 1, FILTER_HASHES_MOST + 1, ERR_RANGE);
	expect_refused(raw, len, 2, FILTER_BITS_MOST + 1, ERR_RANGE);
	expect_refused(raw, len, 2, 255, ERR_RANGE);
	expect_refused(raw, len, 3, 2, ERR_RANGE);
	expect_refused(raw, len, 36, 1, ERR_RANGE);
	expect_refused(raw, len, 43, (uint8_t)(raw[43] + 1), ERR_FORMAT);
	for (size_t short_len = 0; short_len < len; short_len++)
		assert_int_not_equal(filter_decode(bytes_of(raw, short_len), &filter), ERR_OK);
	/* Parts out of order, beyond the end, of another filter. */
	assert_int_equal(filter_parts_add(&parts, len, 10, bytes_of(raw, 10)), ERR_CONFLICT);
	assert_int_equal(filter_parts_add(&parts, FILTER_MOST + 1, 0, bytes_of(raw, 10)), ERR_RANGE);
	assert_int_equal(filter_parts_add(&parts, 10, 0, bytes_of(raw, 10)), ERR_RANGE);
	assert_int_equal(filter_parts_add(&parts, len, 0, bytes_of(raw, len + 1)), ERR_RANGE);
	assert_int_equal(filter_parts_add(&parts, len, SIZE_MAX, bytes_of(raw, 10)), ERR_RANGE);
	assert_int_equal(filter_parts_add(&parts, len, 0, bytes_of(raw, 10)), ERR_OK);
	assert_int_equal(filter_parts_add(&parts, len, 11, bytes_of(raw, 10)), ERR_CONFLICT);
	assert_int_equal(filter_parts_add(&parts, len, 9, bytes_of(raw, 10)), ERR_CONFLICT);
	assert_int_equal(filter_parts_add(&parts, len + 1, 10, bytes_of(raw, 10)), ERR_CONFLICT);
	assert_int_equal(filter_parts_add(&parts, len, 10, bytes_of(raw + 10, len - 10)), ERR_OK);
	assert_true(filter_parts_complete(&parts));
	/* The first part of the next one. */
	assert_int_equal(filter_parts_add(&parts, len, 0, bytes_of(raw, 10)), ERR_OK);
	assert_false(filter_parts_complete(&parts));
	filter_parts_clear(&parts);
	free(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chance), cmocka_unit_test(test_seeds), cmocka_unit_test(test_shards),
		cmocka_unit_test(test_frozen), cmocka_unit_test(test_code),  cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
