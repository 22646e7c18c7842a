/*
 * Collection: what no filter contains goes to the trash and nothing else does, however it comes; the fuse holds what is
 * too much, over restarts too; and payloads are never read.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/collect.h"
#include "node/store/marks.h"
#include "tests/kit/hands.h"
#include "tests/kit/pieces.h"
#include "tests/kit/stand.h"

#define ALLOCATION (64ull << 20)
#define DAY 86400
#define PIECES 100

static int set_up(void **state)
{
	const struct address address = {{7}};
	struct stand *f;
	uint16_t number;

	hands_set_ahead(0);
	f = stand_new(ALLOCATION);
	assert_int_equal(store_satellite(f->store, &address, &number), ERR_OK);
	assert_int_equal(number, 0);
	*state = f;
	return 0;
}

static void fill(struct stand *f, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pieces_put(f->store, i, 1, 20000, 0), ERR_OK);
}

/* A filter of one shard that wants pieces from..PIECES kept. */
static struct filter *filter_from(uint32_t from, uint8_t bits, uint8_t shard, uint64_t time)
{
	struct filter_shape shape = {.hashes = 16, .bits = bits, .shard = shard, .time = time, .pieces = PIECES};
	struct filter *filter = filter_new(&shape);

	for (uint32_t i = from; i < PIECES; i++) {
		struct store_key key = pieces_key(i);

		if (filter_covers(filter, &key.piece))
			filter_add(filter, &key.piece);
	}
	return filter;
}

struct answer {
	bool come;
	enum err err;
	struct store_collected result;
};

static void answered(void *arg, enum err err, const struct store_collected *result)
{
	*(struct answer *)arg = (struct answer){true, err, *result};
}

static void work(struct store *store)
{
	while (store_upkeep_step(store, "collect"))
		;
}

static struct answer collect(struct stand *f, struct filter *filter)
{
	struct answer answer = {.come = false};
	enum err err = store_collect(f->store, 0, filter, answered, &answer);

	if (err != ERR_OK) {
		filter_free(filter);
		return (struct answer){true, err, {0}};
	}
	assert_false(answer.come);
	work(f->store);
	assert_true(answer.come);
	return answer;
}

static enum err restore_since(struct stand *f, uint64_t since, struct answer *ret)
{
	enum err err = store_restore_since(f->store, 0, since, answered, ret);

	if (err == ERR_OK)
		work(f->store);
	return err;
}

static uint64_t soon(void)
{
	return clock_wall() + 4 * DAY;
}

static bool is_trashed(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;

	assert_int_equal(store_locate(store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	segments_unpin(store->segments, found.segment);
	return (found.place.flags & INDEX_TRASHED) != 0;
}

static void expect_trashed_below(struct stand *f, uint32_t count, uint32_t below)
{
	struct store_space space;

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(is_trashed(f->store, i), i < below);
	store_space(f->store, &space);
	assert_int_equal(space.trashed, below);
	assert_int_equal(space.trash, below * 20000);
}

static void test_collects(void **state)
{
	struct stand *f = *state;
	struct answer answer;
	uint64_t reads;

	fill(f, PIECES);
	stand_reopen(f);
	reads = fault_count(f->fault, FAULT_PREAD);
	answer = collect(f, filter_from(15, 0, 0, soon()));
	/* A trailer and a footer of each segment, twice. */
	assert_true(fault_count(f->fault, FAULT_PREAD) - reads <= 4 * 6);
	assert_int_equal(answer.err, ERR_OK);
	assert_false(answer.result.held);
	assert_int_equal(answer.result.pieces, PIECES);
	assert_int_equal(answer.result.bytes, PIECES * 20000);
	assert_int_equal(answer.result.unwanted_pieces, 15);
	assert_int_equal(answer.result.unwanted_bytes, 15 * 20000);
	assert_int_equal(answer.result.moved_pieces, 15);
	assert_int_equal(answer.result.moved_bytes, 15 * 20000);
	for (int round = 0; round < 2; round++) {
		expect_trashed_below(f, PIECES, 15);
		stand_reopen(f);
	}
	/* Again: there is nothing left to do. */
	answer = collect(f, filter_from(15, 0, 0, soon()));
	assert_int_equal(answer.result.unwanted_pieces, 0);
	assert_int_equal(answer.result.moved_pieces, 0);
	assert_int_equal(answer.result.pieces, PIECES);
	/* An older filter than one that was seen. */
	answer = collect(f, filter_from(15, 0, 0, soon() - 1000));
	assert_int_equal(answer.err, ERR_EXPIRED);
}

static void test_age(void **state)
{
	struct stand *f = *state;
	struct answer answer;

	fill(f, PIECES);
	answer = collect(f, filter_from(15, 0, 0, clock_wall() + COLLECT_AGE - 60));
	assert_int_equal(answer.result.unwanted_pieces, 0);
	answer = collect(f, filter_from(15, 0, 0, clock_wall() + COLLECT_AGE + 60));
	assert_int_equal(answer.result.moved_pieces, 15);
}

static void test_other_satellite(void **state)
{
	struct stand *f = *state;
	struct filter_shape shape = {.hashes = 7, .time = soon(), .pieces = 1};
	struct filter *filter = filter_new(&shape);
	struct answer answer = {.come = false};

	fill(f, 20);
	assert_int_equal(store_collect(f->store, 1, filter, answered, &answer), ERR_OK);
	work(f->store);
	assert_int_equal(answer.err, ERR_OK);
	assert_int_equal(answer.result.pieces, 0);
	assert_false(answer.result.held);
	expect_trashed_below(f, 20, 0);
}

/* Shards are collected each by itself. */
static void test_shards(void **state)
{
	struct stand *f = *state;
	uint64_t time = soon(), moved = 0, pieces = 0;

	fill(f, PIECES);
	for (uint8_t shard = 0; shard < 4; shard++) {
		struct answer answer = collect(f, filter_from(5, 2, shard, time));

		assert_int_equal(answer.err, ERR_OK);
		assert_false(answer.result.held);
		moved += answer.result.moved_pieces;
		pieces += answer.result.pieces;
	}
	assert_int_equal(moved, 5);
	assert_int_equal(pieces, PIECES);
	expect_trashed_below(f, PIECES, 5);
}

static void expect_held(struct stand *f, uint64_t bytes, bool agreed)
{
	struct store_held *held;

	assert_int_equal(store_collect_held(f->store, &held), 1);
	assert_int_equal(held[0].satellite, 0);
	assert_int_equal(held[0].address.b[0], 7);
	assert_int_equal(held[0].bytes, bytes);
	assert_int_equal(held[0].of, PIECES * 20000);
	assert_int_equal(held[0].agreed, agreed);
	free(held);
}

static void test_fuse(void **state)
{
	struct stand *f = *state;
	struct store_held *held;
	struct answer answer;

	fill(f, PIECES);
	assert_int_equal(store_collect_agree(f->store, 0), ERR_NOT_FOUND);
	answer = collect(f, filter_from(21, 0, 0, soon()));
	assert_int_equal(answer.err, ERR_OK);
	assert_true(answer.result.held);
	assert_int_equal(answer.result.unwanted_pieces, 21);
	assert_int_equal(answer.result.moved_pieces, 0);
	expect_trashed_below(f, PIECES, 0);
	stand_reopen(f);
	expect_held(f, 21 * 20000, false);
	answer = collect(f, filter_from(21, 0, 0, soon()));
	assert_true(answer.result.held);
	assert_int_equal(store_collect_agree(f->store, 9), ERR_NOT_FOUND);
	assert_int_equal(store_collect_agree(f->store, 0), ERR_OK);
	stand_reopen(f);
	expect_held(f, 21 * 20000, true);
	answer = collect(f, filter_from(21, 0, 0, soon()));
	assert_false(answer.result.held);
	assert_int_equal(answer.result.moved_pieces, 21);
	expect_trashed_below(f, PIECES, 21);
	assert_int_equal(store_collect_held(f->store, &held), 0);
	free(held);
	/* The round is used up; the next day is another. */
	answer = collect(f, filter_from(22, 0, 0, soon()));
	assert_true(answer.result.held);
	stand_reopen(f);
	hands_set_ahead(DAY + 60);
	answer = collect(f, filter_from(22, 0, 0, soon()));
	assert_false(answer.result.held);
	assert_int_equal(answer.result.moved_pieces, 1);
}

static void test_repeat(void **state)
{
	struct stand *f = *state;
	struct answer answer;

	fill(f, PIECES);
	answer = collect(f, filter_from(PIECES, 0, 0, soon()));
	assert_true(answer.result.held);
	stand_reopen(f);
	hands_set_ahead(DAY - 60);
	answer = collect(f, filter_from(PIECES, 0, 0, soon()));
	assert_true(answer.result.held);
	stand_reopen(f);
	hands_set_ahead(DAY + 60);
	answer = collect(f, filter_from(PIECES, 0, 0, soon()));
	assert_false(answer.result.held);
	assert_int_equal(answer.result.moved_pieces, PIECES);
	expect_trashed_below(f, PIECES, PIECES);
}

/* A step gets ahead also when a footer alone is more than it may read. */
static void test_tiny_budget(void **state)
{
	struct stand *f = *state;
	struct filter *filter = filter_from(15, 0, 0, soon());
	struct answer answer = {.come = false};
	int steps = 0;

	fill(f, PIECES);
	stand_reopen(f);
	assert_int_equal(store_collect(f->store, 0, filter, answered, &answer), ERR_OK);
	while (!answer.come) {
		uint64_t budget = 300;

		assert_int_equal(collect_step(f->store, &budget), UPKEEP_MORE);
		assert_true(++steps < 200);
	}
	assert_int_equal(answer.result.moved_pieces, 15);
	expect_trashed_below(f, PIECES, 15);
}

static void test_restore(void **state)
{
	struct stand *f = *state;
	struct answer answer = {.come = false};

	fill(f, PIECES);
	(void)collect(f, filter_from(10, 0, 0, soon()));
	expect_trashed_below(f, PIECES, 10);
	hands_set_ahead(3 * DAY);
	assert_int_equal(restore_since(f, clock_wall(), &answer), ERR_OK);
	assert_int_equal(answer.err, ERR_OK);
	assert_int_equal(answer.result.moved_pieces, 0);
	for (uint32_t i = 50; i < 55; i++)
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	assert_int_equal(restore_since(f, clock_wall(), &answer), ERR_OK);
	assert_int_equal(answer.result.moved_pieces, 5);
	assert_int_equal(answer.result.moved_bytes, 5 * 20000);
	expect_trashed_below(f, PIECES, 10);
	assert_int_equal(restore_since(f, 0, &answer), ERR_OK);
	assert_int_equal(answer.result.moved_pieces, 10);
	stand_reopen(f);
	expect_trashed_below(f, PIECES, 0);
}

/* Whoever waits is told, or may leave; a queue has an end. */
static void test_queue(void **state)
{
	struct stand *f = *state;
	struct answer answers[100] = {{.come = false}}, other = {.come = false};
	struct filter *filter = filter_from(10, 0, 0, soon());
	size_t count = 0;
	enum err err;

	fill(f, PIECES);
	assert_int_equal(store_collect(f->store, 0, filter, answered, &other), ERR_OK);
	assert_true(store_collect_forget(f->store, &other));
	assert_false(store_collect_forget(f->store, &other));
	do
		err = store_restore_since(f->store, 0, UINT32_MAX, answered, &answers[count++]);
	while (err == ERR_OK && count < 100);
	assert_int_equal(err, ERR_LIMIT);
	assert_true(store_upkeep_step(f->store, "collect"));
	store_close(f->store);
	for (size_t i = 0; i + 1 < count; i++) {
		assert_true(answers[i].come);
		assert_int_equal(answers[i].err, ERR_CANCELLED);
	}
	assert_false(other.come);
	assert_int_equal(stand_open(f), ERR_OK);
}

/* Everything that is asked of a store in trouble is refused or answered, and nothing is lost. */
static void test_read_only(void **state)
{
	struct stand *f = *state;
	struct answer answer = {.come = false};

	fill(f, PIECES);
	fault_fail(f->fault, 0, 5);
	(void)pieces_put(f->store, 200, 1, 100000, 0);
	health_fail(&f->store->health, "a test of", 0, ERR_IO);
	answer = collect(f, filter_from(10, 0, 0, soon()));
	assert_int_equal(answer.err, ERR_READ_ONLY);
	assert_int_equal(restore_since(f, 0, &answer), ERR_READ_ONLY);
	assert_int_equal(store_collect_agree(f->store, 0), ERR_READ_ONLY);
}

/* Failures in the middle: the store goes read-only and says so, and the next start finds each piece live or trashed. */
static void test_failures(void **state)
{
	(void)state;
	for (uint64_t nth = 0; nth < 60; nth++) {
		struct stand *f;
		struct answer answer = {.come = false};

		set_up((void **)&f);
		fill(f, 40);
		fault_fail(f->fault, nth, 5);
		answer = collect(f, filter_from(5, 0, 0, soon()));
		assert_true(answer.err == ERR_OK || answer.err == ERR_READ_ONLY);
		fault_fail(f->fault, FAULT_NEVER, 5);
		stand_reopen(f);
		for (uint32_t i = 0; i < 40; i++) {
			if (i >= 5 || (answer.err == ERR_OK && answer.result.moved_pieces == 5))
				assert_int_equal(is_trashed(f->store, i), i < 5);
		}
		for (uint32_t i = 0; i < 40; i++)
			assert_int_equal(pieces_check(f->store, i, 1, 20000), ERR_OK);
		stand_tear_down((void **)&f);
	}
}

static void test_power_cuts(void **state)
{
	uint64_t images = getenv("GRANARY_SOAK") != NULL ? 20 : 1;
	bool finished = false;

	(void)state;
	for (uint64_t change = 0; !finished; change++) {
		struct answer answer = {.come = false};
		struct stand *f;

		set_up((void **)&f);
		fill(f, 40);
		fault_stop(f->fault, fault_changes(f->fault) + change);
		/* Twice as many are still within the fuse: out of the trash again, they count again. */
		answer = collect(f, filter_from(3, 0, 0, soon()));
		if (!fault_stopped(f->fault))
			assert_int_equal(restore_since(f, 0, &(struct answer){.come = false}), ERR_OK);
		finished = !fault_stopped(f->fault);
		for (int keep = 0; keep < FAULT_KEEPS * (int)images; keep++) {
			struct stand image = {fault_image(f->fault, (enum fault_keep)(keep % FAULT_KEEPS), change),
					      NULL, ALLOCATION};

			assert_int_equal(stand_open(&image), ERR_OK);
			for (uint32_t i = 0; i < 40; i++)
				assert_true(!is_trashed(image.store, i) || i < 3);
			/* Asking again comes to the end that the first time would have come to. */
			answer = collect(&image, filter_from(3, 0, 0, soon()));
			assert_int_equal(answer.err, ERR_OK);
			assert_false(answer.result.held);
			for (uint32_t i = 0; i < 40; i++)
				assert_int_equal(is_trashed(image.store, i), i < 3);
			store_close(image.store);
			fault_free(image.fault);
		}
		stand_tear_down((void **)&f);
	}
}

/* A damaged file of the fuses costs their memory, not the store. */
static void test_damaged_fuse(void **state)
{
	struct stand *f = *state;
	uint8_t zeros[8] = {0};
	struct store_held *held;

	fill(f, PIECES);
	assert_true(collect(f, filter_from(50, 0, 0, soon())).result.held);
	fault_poke(f->fault, "//store/index/fuse", 20, zeros, sizeof(zeros));
	stand_reopen(f);
	assert_int_equal(store_collect_held(f->store, &held), 0);
	free(held);
	assert_true(collect(f, filter_from(50, 0, 0, soon())).result.held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_collects, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_age, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_other_satellite, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_shards, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_fuse, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_repeat, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_restore, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_tiny_budget, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_queue, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_read_only, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_fuse, set_up, stand_tear_down),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_power_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
