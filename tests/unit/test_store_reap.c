/*
 * What is over goes, and nothing else: expired pieces by day, the trash after a week, not by a clock that is wrong.
 *
 * The crash test empties trash and unlinks segments with the power cut off at every change; pieces whose time has not
 * come are there in every image, byte for byte, and what was gone does not come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/marks.h"
#include "tests/kit/hands.h"
#include "tests/kit/pieces.h"
#include "tests/kit/stand.h"

#define ALLOCATION (96ull << 20) /* enough segments for classes */
#define DAY 86400

static int set_up(void **state)
{
	hands_set_ahead(0);
	*state = stand_new(ALLOCATION);
	return 0;
}

static void reap(struct store *store)
{
	while (store_upkeep_step(store, "reap"))
		;
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

static struct store_space expect_sums(struct stand *f)
{
	struct store_space space;
	uint64_t files = 0;

	segments_wait_idle(f->store->segments);
	store_space(f->store, &space);
	fault_files(f->fault, add_size, &files);
	assert_int_equal(space.live + space.trash + space.dead + space.overhead + space.reserved + space.free, files);
	return space;
}

static uint32_t class_of(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;
	uint32_t class;

	assert_int_equal(store_locate(store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	class = found.segment->class;
	segments_unpin(store->segments, found.segment);
	return class;
}

static unsigned count_open(struct store *store)
{
	struct segment **list;
	unsigned open = 0;
	size_t count;

	list = segments_list(store->segments, &count);
	for (size_t i = 0; i < count; i++)
		open += list[i]->class != 0 && list[i]->state == SEGMENT_OPEN;
	segments_unlist(store->segments, list, count);
	return open;
}

/* Pieces of a day stand together, apart from those that stay; eight days at most are open. */
static void test_classes(void **state)
{
	struct stand *f = *state;
	uint64_t today = clock_wall() / DAY;

	assert_int_equal(pieces_put(f->store, 0, 1, 5000, 0), ERR_OK);
	for (uint32_t i = 1; i <= 12; i++) {
		assert_int_equal(pieces_put_until(f->store, i, 1, 5000, (today + i) * DAY), ERR_OK);
		assert_int_equal(pieces_put_until(f->store, 100 + i, 1, 5000, (today + i) * DAY - 100), ERR_OK);
		assert_int_equal(class_of(f->store, i), today + i);
		assert_int_equal(class_of(f->store, 100 + i), today + i);
		assert_true(count_open(f->store) <= 8);
	}
	assert_int_equal(count_open(f->store), 8);
	/* The first day was closed; another segment opens, and closes the one that was used longest ago. */
	assert_int_equal(pieces_put_until(f->store, 200, 1, 5000, (today + 1) * DAY), ERR_OK);
	assert_int_equal(count_open(f->store), 8);
	assert_int_equal(class_of(f->store, 200), today + 1);
	assert_int_equal(class_of(f->store, 0), 0);
	expect_sums(f);
	stand_reopen(f);
	for (uint32_t i = 1; i <= 12; i++) {
		assert_int_equal(pieces_check(f->store, i, 1, 5000), ERR_OK);
		assert_int_equal(class_of(f->store, i), today + i);
	}
	expect_sums(f);
}

static void fill_days(struct stand *f, uint64_t today)
{
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(pieces_put_until(f->store, i, 1, 100000, (today + 2) * DAY), ERR_OK);
		assert_int_equal(pieces_put_until(f->store, 100 + i, 1, 100000, (today + 4) * DAY), ERR_OK);
	}
	assert_int_equal(pieces_put(f->store, 200, 1, 100000, 0), ERR_OK);
}

static void test_unlinked(void **state)
{
	struct stand *f = *state;
	struct store_space before, after;
	uint64_t unlinks;

	fill_days(f, clock_wall() / DAY);
	before = expect_sums(f);
	assert_int_equal(before.pieces, 41);
	unlinks = fault_count(f->fault, FAULT_UNLINK);
	reap(f->store);
	assert_int_equal(fault_count(f->fault, FAULT_UNLINK), unlinks);
	/* Not found from the moment on, gone a day later. */
	hands_set_ahead(2 * DAY);
	assert_int_equal(pieces_put(f->store, 300, 1, 10, 0), ERR_OK);
	assert_int_equal(pieces_check(f->store, 0, 1, 100000), ERR_NOT_FOUND);
	reap(f->store);
	assert_int_equal(expect_sums(f).pieces, 42);
	hands_set_ahead(3 * DAY + 10);
	assert_int_equal(pieces_put(f->store, 301, 1, 10, 0), ERR_OK);
	reap(f->store);
	/* The last segment of that day was still open when the round began; it is closed by it. */
	segments_wait_idle(f->store->segments);
	reap(f->store);
	after = expect_sums(f);
	assert_int_equal(after.pieces, 23);
	assert_true(fault_count(f->fault, FAULT_UNLINK) > unlinks);
	assert_true(after.dead < 200000);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_check(f->store, 100 + i, 1, 100000), ERR_OK);
	stand_reopen(f);
	assert_int_equal(expect_sums(f).pieces, 23);
	assert_int_equal(pieces_check(f->store, 200, 1, 100000), ERR_OK);
}

/* Where days have no segments of their own, expired pieces get tombstones. */
static void test_small_store(void **state)
{
	struct stand *f = *state;
	const struct store_options small = {.allocation = 16 << 20, .no_upkeep = true};
	char why[STORE_MESSAGE];
	uint64_t today = clock_wall() / DAY;

	store_close(f->store);
	assert_int_equal(store_open("/", &small, fault_seam(f->fault), &f->store, why), ERR_OK);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(pieces_put_until(f->store, i, 1, 1000, (today + 1 + i % 2 * 5) * DAY), ERR_OK);
	assert_int_equal(pieces_put(f->store, 20, 1, 1000, 0), ERR_OK);
	assert_int_equal(class_of(f->store, 0), 0);
	reap(f->store);
	assert_int_equal(expect_sums(f).pieces, 11);
	hands_set_ahead(3 * DAY);
	assert_int_equal(pieces_put(f->store, 21, 1, 1000, 0), ERR_OK);
	reap(f->store);
	assert_int_equal(expect_sums(f).pieces, 7);
	store_close(f->store);
	assert_int_equal(store_open("/", &small, fault_seam(f->fault), &f->store, why), ERR_OK);
	assert_int_equal(expect_sums(f).pieces, 7);
	assert_int_equal(pieces_check(f->store, 1, 1, 1000), ERR_OK);
}

/* A week at least, also of what was found at the start; not what came out again meanwhile. */
static void test_trash(void **state)
{
	struct stand *f = *state;

	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(pieces_put(f->store, i, 1, 1000, 0), ERR_OK);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	stand_reopen(f);
	hands_set_ahead(5 * DAY);
	assert_int_equal(pieces_put(f->store, 10, 1, 1000, 0), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 3), ERR_OK);
	reap(f->store);
	assert_int_equal(expect_sums(f).trashed, 4);
	hands_set_ahead(7 * DAY - 60);
	assert_int_equal(pieces_restore(f->store, 2), ERR_OK);
	assert_int_equal(pieces_put(f->store, 11, 1, 1000, 0), ERR_OK);
	reap(f->store);
	assert_int_equal(expect_sums(f).trashed, 3);
	hands_set_ahead(8 * DAY + 60);
	assert_int_equal(pieces_put(f->store, 12, 1, 1000, 0), ERR_OK);
	reap(f->store);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(expect_sums(f).trashed, 1);
		assert_int_equal(pieces_check(f->store, 0, 1, 1000), ERR_NOT_FOUND);
		assert_int_equal(pieces_check(f->store, 1, 1, 1000), ERR_NOT_FOUND);
		assert_int_equal(pieces_check(f->store, 2, 1, 1000), ERR_OK);
		stand_reopen(f);
	}
	assert_int_equal(pieces_check(f->store, 3, 1, 1000), ERR_OK);
	assert_int_equal(pieces_restore(f->store, 0), ERR_NOT_FOUND);
}

static void test_wrong_clock(void **state)
{
	struct stand *f = *state;

	fill_days(f, clock_wall() / DAY);
	assert_int_equal(pieces_trash(f->store, 200), ERR_OK);
	/* Far ahead, and no transfer says so. */
	hands_set_ahead(400 * DAY);
	reap(f->store);
	stand_reopen(f);
	reap(f->store);
	segments_wait_idle(f->store->segments);
	reap(f->store);
	/* Back in 1970. */
	hands_set_ahead(1000 - (int64_t)clock_wall() + 400 * DAY);
	reap(f->store);
	stand_reopen(f);
	reap(f->store);
	/* Right again: all is there. */
	hands_set_ahead(0);
	assert_int_equal(expect_sums(f).pieces, 40);
	assert_int_equal(expect_sums(f).trashed, 1);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_check(f->store, i, 1, 100000), ERR_OK);
}

/* Steps are small, and a round goes on where the one before ended. */
static void test_budget(void **state)
{
	struct stand *f = *state;
	uint64_t budget;
	int steps = 0;

	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(pieces_put(f->store, i, 1, 100, 0), ERR_OK);
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	}
	hands_set_ahead(9 * DAY);
	assert_int_equal(pieces_put(f->store, 100, 1, 100, 0), ERR_OK);
	do {
		uint64_t before = expect_sums(f).trashed;

		budget = 16384;
		assert_true(reaper_step(f->store, &budget) == UPKEEP_MORE || expect_sums(f).trashed == 0);
		assert_true(before - expect_sums(f).trashed <= 64);
		steps++;
	} while (expect_sums(f).trashed > 0);
	assert_true(steps > 1);
	assert_int_equal(expect_sums(f).pieces, 1);
}

/* Also when a footer alone is more than a step may read. */
static void test_tiny_budget(void **state)
{
	struct stand *f = *state;
	uint64_t budget = 300;
	int steps = 0;

	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(pieces_put(f->store, i, 1, 100, 0), ERR_OK);
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	}
	stand_reopen(f);
	hands_set_ahead(9 * DAY);
	assert_int_equal(pieces_put(f->store, 100, 1, 100, 0), ERR_OK);
	while (reaper_step(f->store, &budget) == UPKEEP_MORE) {
		assert_true(++steps < 100);
		budget = 300;
	}
	assert_int_equal(expect_sums(f).trashed, 0);
}

/* Pieces 0-19 expire, 100-119 do not, 120-124 leave the trash, 125-129 are in it since today. */
static void build(struct stand *f)
{
	uint64_t today = clock_wall() / DAY;

	hands_set_ahead(0);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_put_until(f->store, i, 1, 60000, (today + 1) * DAY), ERR_OK);
	for (uint32_t i = 100; i < 130; i++)
		assert_int_equal(pieces_put(f->store, i, 1, 1000, 0), ERR_OK);
	for (uint32_t i = 120; i < 125; i++)
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	hands_set_ahead(10 * DAY);
	assert_int_equal(pieces_put(f->store, 99, 1, 1000, 0), ERR_OK);
	for (uint32_t i = 125; i < 130; i++)
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
}

static void work(struct store *store)
{
	reap(store);
	segments_wait_idle(store->segments);
	reap(store);
}

static void expect_kept(struct store *store)
{
	for (uint32_t i = 99; i < 130; i++) {
		enum err err;

		if (i >= 120 && i < 125)
			continue;
		err = pieces_check(store, i, 1, 1000);
		assert_int_equal(err, ERR_OK);
	}
}

static void expect_image(struct stand *f, bool finished)
{
	struct store_space space;

	assert_int_equal(stand_open(f), ERR_OK);
	space = expect_sums(f);
	assert_in_range(space.trashed, 5, finished ? 5 : 10);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_check(f->store, i, 1, 60000), ERR_NOT_FOUND);
	work(f->store);
	space = expect_sums(f);
	assert_int_equal(space.trashed, 5);
	assert_int_equal(space.pieces, 21);
	expect_kept(f->store);
	store_close(f->store);
	assert_int_equal(stand_open(f), ERR_OK);
	space = expect_sums(f);
	assert_int_equal(space.pieces + space.trashed, 26);
	store_close(f->store);
}

static void test_power_cuts(void **state)
{
	uint64_t images = getenv("GRANARY_SOAK") != NULL ? 20 : 1;
	bool finished = false;

	(void)state;
	for (uint64_t change = 0; !finished; change++) {
		struct stand *f;

		set_up((void **)&f);
		build(f);
		segments_wait_idle(f->store->segments);
		fault_stop(f->fault, fault_changes(f->fault) + change);
		work(f->store);
		finished = !fault_stopped(f->fault);
		for (int keep = 0; keep < FAULT_KEEPS; keep++) {
			for (uint64_t i = 0; i < images; i++) {
				struct stand image = {fault_image(f->fault, (enum fault_keep)keep, i), NULL,
						      ALLOCATION};

				expect_image(&image, finished);
				fault_free(image.fault);
			}
		}
		stand_tear_down((void **)&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_classes, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_unlinked, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_small_store, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_trash, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_clock, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_budget, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_tiny_budget, set_up, stand_tear_down),
		cmocka_unit_test(test_power_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
