/* The geometry of segments: that every plaintext byte has one place, at every size that is anywhere near an edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "audit/tree.h"
#include "common/random.h"
#include "uplink/segment.h"

static struct segment_layout plan(uint64_t size, uint32_t required)
{
	struct segment_layout layout;

	assert_int_equal(segment_plan(size, required, &layout), ERR_OK);
	return layout;
}

/* One unit: its edges are found where it says that it is. Returns the plaintext offset after it. */
static uint64_t check_unit(const struct segment_layout *l, uint32_t stripe, uint32_t unit, uint64_t expected_start)
{
	uint32_t held = segment_unit_plain(l, stripe, unit);
	struct segment_place place;

	assert_int_equal(segment_unit_start(l, stripe, unit), expected_start);
	assert_true(held + SEGMENT_TAG <= segment_unit_size(l, stripe));
	if (held == 0)
		return expected_start;
	assert_int_equal(segment_find(l, expected_start, &place), ERR_OK);
	assert_true(place.stripe == stripe && place.unit == unit && place.offset == 0);
	assert_int_equal(segment_find(l, expected_start + held - 1, &place), ERR_OK);
	assert_true(place.stripe == stripe && place.unit == unit && place.offset == held - 1);
	return expected_start + held;
}

/* Units in order tile the plaintext, stripes tile the pieces, numbers never repeat, pieces are as short as the rule
 * for the last stripe makes them. */
static void check_layout(uint64_t size, uint32_t required)
{
	struct segment_layout l = plan(size, required);
	uint64_t plain = 0, piece = 0, number = 0, rest, unit;
	struct segment_place place;

	for (uint32_t stripe = 0; stripe < l.stripes; stripe++) {
		uint64_t start = plain;

		assert_int_equal(segment_stripe_start(&l, stripe), plain);
		for (uint32_t i = 0; i < required; i++) {
			plain = check_unit(&l, stripe, i, plain);
			assert_int_equal(segment_unit_number(&l, stripe, i), number++);
		}
		assert_int_equal(segment_stripe_plain(&l, stripe), plain - start);
		assert_true(plain > start);
		piece += segment_unit_size(&l, stripe);
	}
	assert_int_equal(plain, size);
	assert_int_equal(piece, l.piece_size);
	assert_true(l.stripes <= SEGMENT_STRIPES && l.piece_size <= TREE_PIECE);
	assert_int_equal(tree_blocks(l.piece_size), l.stripes);
	rest = segment_stripe_plain(&l, l.stripes - 1);
	unit = (rest + required - 1) / required + SEGMENT_TAG;
	assert_true(l.last_unit % SEGMENT_ALIGN == 0 && l.last_unit >= unit && l.last_unit < unit + SEGMENT_ALIGN);
	assert_int_equal(segment_find(&l, size, &place), ERR_RANGE);
	assert_int_equal(segment_find(&l, UINT64_MAX, &place), ERR_RANGE);
}

static const uint32_t ks[] = {1, 2, 3, 4, 16, 29, 255};
#define KS (sizeof(ks) / sizeof(ks[0]))

static void test_small_sizes(void **state)
{
	(void)state;
	for (size_t index = 0; index < KS; index++)
		for (uint64_t size = 1; size <= 3000; size++)
			check_layout(size, ks[index]);
}

static void test_edges(void **state)
{
	(void)state;
	for (size_t index = 0; index < KS; index++) {
		uint32_t k = ks[index];
		uint64_t stripe = segment_stripe_plain_max(k), full = segment_plain_max(k);

		for (uint32_t s = 1; s <= SEGMENT_STRIPES; s += s < 3 ? 1 : 20) {
			for (uint64_t near = s * stripe - 70; near <= s * stripe + 70; near++)
				if (near <= full)
					check_layout(near, k);
		}
		check_layout(full, k);
		assert_int_equal(plan(full, k).piece_size, TREE_PIECE);
	}
}

static void test_random_sizes(void **state)
{
	struct random_stream random;

	(void)state;
	random_stream_init(&random, bytes_of_text("segments"));
	for (int round = 0; round < 300; round++) {
		uint32_t k = 1 + (uint32_t)random_stream_below(&random, 40);

		check_layout(1 + random_stream_below(&random, segment_plain_max(k)), k);
	}
}

/* Every single byte of a few segments, not only the edges of units. */
static void test_every_byte(void **state)
{
	static const uint64_t sizes[] = {1, 47, 48, 49, 5000, 131008, 131009, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct segment_layout l = plan(sizes[i], 4);
		struct segment_place place;

		for (uint64_t at = 0; at < sizes[i]; at++) {
			assert_int_equal(segment_find(&l, at, &place), ERR_OK);
			assert_int_equal(segment_unit_start(&l, place.stripe, place.unit) + place.offset, at);
			assert_true(place.offset < segment_unit_plain(&l, place.stripe, place.unit));
		}
	}
}

static void test_known(void **state)
{
	struct segment_layout l = plan(100, 4);

	(void)state;
	assert_int_equal(segment_plain_max(29), 60787712); /* 58 MiB at k = 29 */
	assert_int_equal(l.piece_size, 64);
	assert_int_equal(segment_unit_plain(&l, 0, 0), 48);
	assert_int_equal(segment_unit_plain(&l, 0, 2), 4);
	assert_int_equal(segment_unit_plain(&l, 0, 3), 0);
	l = plan(4 * 32752 + 1, 4);
	assert_int_equal(l.piece_size, 32768 + 64);
}

static void test_refuses(void **state)
{
	struct segment_layout l = {.plain_size = 7};

	(void)state;
	assert_int_equal(segment_plan(0, 4, &l), ERR_RANGE);
	assert_int_equal(segment_plan(1, 0, &l), ERR_RANGE);
	assert_int_equal(segment_plan(1, SEGMENT_REQUIRED + 1, &l), ERR_RANGE);
	assert_int_equal(segment_plan(segment_plain_max(4) + 1, 4, &l), ERR_RANGE);
	assert_int_equal(segment_plan(UINT64_MAX, 4, &l), ERR_RANGE);
	assert_int_equal(l.plain_size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_sizes), cmocka_unit_test(test_edges), cmocka_unit_test(test_random_sizes),
		cmocka_unit_test(test_every_byte),  cmocka_unit_test(test_known), cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
