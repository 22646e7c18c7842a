/*
 * Reading everything to find damage, on a disk in memory: whatever is hurt is found, once, and nothing else; the place
 * survives a stop; a bad bookmark costs a round and no more; the pace is even, and hurries within bounds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "node/store/scrub.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define PIECES 60
#define BOOKMARK "//store/index/scrub"
#define DAY 86400ull

struct fixture {
	struct fault *fault;
	struct store *store;
	char why[STORE_MESSAGE];
};

static size_t size_of(uint32_t number)
{
	static const size_t sizes[] = {0, 5, 900, 4000, TREE_BLOCK, 70000, 300000};

	return sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void open_store(struct fixture *f)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};

	assert_int_equal(store_open("/", &options, fault_seam(f->fault), &f->store, f->why), ERR_OK);
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	open_store(f);
}

/* Pieces, some of them deleted, and transfers; all sealed. */
static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	open_store(f);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_put(f->store, i, 1, size_of(i), 0), ERR_OK);
	for (uint32_t i = 0; i < PIECES; i += 10)
		assert_int_equal(pieces_delete(f->store, i), ERR_OK);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(pieces_transfer(f->store, 1000 + i, 7), ERR_OK);
	reopen(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	fault_free(f->fault);
	free(f);
	return 0;
}

/* A whole round; its counts. */
static struct store_checked scrub(struct fixture *f, uint64_t step)
{
	struct store_scrub state;

	while (store_scrub_step(f->store, step))
		;
	store_scrub(f->store, &state);
	assert_false(state.under_way);
	return state.now;
}

static void flip(struct fixture *f, const char *path, uint64_t at)
{
	uint8_t byte;

	fault_peek(f->fault, path, at, &byte, 1);
	byte ^= 0x01;
	fault_poke(f->fault, path, at, &byte, 1);
}

/* Where a piece's record stands, and how long it is. */
static uint32_t find(struct fixture *f, uint32_t number, char path[64], uint32_t *ret_offset)
{
	struct store_key key = pieces_key(number);
	struct located found;

	assert_int_equal(store_locate(f->store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	snprintf(path, 64, "//store/segments/%08x.seg", found.segment->id);
	*ret_offset = found.place.offset;
	segments_unpin(f->store->segments, found.segment);
	return found.record.head + found.record.size;
}

static void test_whole_store(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	struct store_scrub scrubbed;

	store_space(f->store, &space);
	for (uint64_t step = 1; step <= 8 << 20; step *= 64) {
		struct store_checked counts = scrub(f, step);

		assert_int_equal(counts.pieces, space.pieces);
		/* Tombstones and transfers too. */
		assert_int_equal(counts.records, space.pieces + 6 + 5);
		assert_true(counts.bytes >= space.live && counts.segments >= 2);
		assert_int_equal(counts.damaged + counts.found + counts.records_bad, 0);
		assert_int_equal(counts.segments_bad + counts.footers_bad, 0);
	}
	store_scrub(f->store, &scrubbed);
	assert_int_equal(scrubbed.rounds, 4);
	assert_int_equal(scrubbed.period, 30 * DAY);
	assert_true(scrubbed.started > 0 && scrubbed.finished >= scrubbed.started);
}

/* Any byte of any piece: the round finds exactly the pieces that were hit. */
static void test_finds_what_was_hit(void **state)
{
	struct fixture *f = *state;
	struct random_stream dice;
	struct store_checked counts;
	bool hit[PIECES] = {false};
	uint64_t hits = 0;

	random_stream_init(&dice, bytes_of("scrub", 5));
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t number = (uint32_t)random_stream_below(&dice, PIECES), offset, len;
		char path[64];

		if (number % 10 == 0 || hit[number])
			continue;
		len = find(f, number, path, &offset);
		/* What a head is padded with is nobody's. */
		flip(f, path, offset + random_stream_below(&dice, i % 2 == 0 && size_of(number) > 0 ? len : 600));
		hit[number] = true;
		hits++;
	}
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.damaged, hits);
	assert_int_equal(counts.found, hits);
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.damaged, hits);
	assert_int_equal(counts.found, 0);
	for (uint32_t i = 0; i < PIECES; i++) {
		if (i % 10 != 0)
			assert_int_equal(pieces_check(f->store, i, 1, size_of(i)), hit[i] ? ERR_CORRUPT : ERR_OK);
	}
}

/* Headers, footers, tombstones and transfers. */
static void test_finds_other_damage(void **state)
{
	struct fixture *f = *state;
	struct store_checked counts;
	uint32_t offset;
	char path[64];

	(void)find(f, 1, path, &offset);
	flip(f, path, 9);
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.segments_bad, 1);
	flip(f, path, 9);
	flip(f, path, fault_size(f->fault, path) - 100);
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.footers_bad, 1);
	/* The next start writes it anew. */
	reopen(f);
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.footers_bad + counts.damaged, 0);
	assert_int_equal(counts.pieces, PIECES - PIECES / 10);
}

static void test_goes_on_after_a_stop(void **state)
{
	struct fixture *f = *state;
	struct store_scrub before, after;
	struct store_checked whole = scrub(f, 1 << 20), counts;
	int stops = 0;

	do {
		assert_true(store_scrub_step(f->store, whole.bytes / 100));
		store_scrub(f->store, &before);
		reopen(f);
		store_scrub(f->store, &after);
		assert_true(after.under_way);
		assert_int_equal(after.started, before.started);
		assert_int_equal(after.now.bytes, before.now.bytes);
		assert_int_equal(after.now.pieces, before.now.pieces);
		stops++;
	} while (after.now.bytes < whole.bytes / 2);
	assert_true(stops > 5);
	counts = scrub(f, 1 << 20);
	assert_int_equal(counts.pieces, whole.pieces);
	assert_int_equal(counts.records, whole.records);
	/* Footers are read again after each stop. */
	assert_in_range(counts.bytes, whole.bytes, whole.bytes + whole.bytes / 2);
}

static void test_bad_bookmark(void **state)
{
	struct fixture *f = *state;
	struct store_scrub scrubbed;
	uint64_t size;

	assert_true(store_scrub_step(f->store, 100000));
	store_close(f->store);
	size = fault_size(f->fault, BOOKMARK);
	assert_int_equal(size, SCRUB_FILE);
	for (uint64_t at = 0; at < size; at++) {
		flip(f, BOOKMARK, at);
		open_store(f);
		store_scrub(f->store, &scrubbed);
		assert_false(scrubbed.under_way);
		assert_int_equal(scrubbed.now.bytes, 0);
		store_close(f->store);
		flip(f, BOOKMARK, at);
	}
	open_store(f);
	store_scrub(f->store, &scrubbed);
	assert_true(scrubbed.under_way);
	assert_true(scrubbed.now.bytes > 0);
}

/* A bookmark that cannot be kept stops nothing: the round that ends writes one. */
static void test_bookmark_cannot_be_written(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	uint64_t before = fault_changes(f->fault), in_round;

	(void)scrub(f, 1 << 20);
	in_round = fault_changes(f->fault) - before;
	assert_true(in_round > 2);
	before = fault_operations(f->fault);
	(void)scrub(f, 1 << 20);
	in_round = fault_operations(f->fault) - before;
	for (uint64_t nth = in_round - 6; nth < in_round; nth++) {
		fault_fail(f->fault, nth, ENOSPC);
		(void)scrub(f, 1 << 20);
		fault_fail(f->fault, FAULT_NEVER, ENOSPC);
		store_space(f->store, &space);
		assert_false(space.read_only);
	}
}

/* Pieces that go while the round is under way are not damage. */
static void test_deleted_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct store_checked counts;

	assert_true(store_scrub_step(f->store, 50000));
	for (uint32_t i = 0; i < PIECES; i++) {
		if (i % 10 != 0)
			assert_int_equal(pieces_delete(f->store, i), ERR_OK);
	}
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pieces_put(f->store, i, 2, 5000, 0), ERR_OK);
	counts = scrub(f, 50000);
	assert_int_equal(counts.damaged, 0);
	assert_int_equal(counts.records_bad, 0);
}

/* A round that stands still in the middle of a file keeps nobody from giving its room back. */
static void test_files_go_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct store_compacted compacted;
	struct store_checked counts;
	struct segment **list;
	size_t count;

	assert_true(store_scrub_step(f->store, 500000));
	list = segments_list(f->store->segments, &count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(atomic_load(&list[i]->pins), 2); /* the set's and the list's own */
	segments_unlist(f->store->segments, list, count);
	for (uint32_t i = 0; i < PIECES; i++) {
		if (i % 10 != 0)
			assert_int_equal(pieces_delete(f->store, i), ERR_OK);
	}
	do {
		assert_int_equal(store_compact_step(f->store, 1, &compacted), ERR_OK);
	} while (compacted.more);
	counts = scrub(f, 50000);
	assert_int_equal(counts.damaged + counts.records_bad + counts.footers_bad + counts.segments_bad, 0);
}

static void test_pace(void **state)
{
	const uint64_t tera = 1000000000000ull, day_ms = DAY * 1000;
	struct scrub_pace pace = {tera, tera, 30 * DAY, 0};
	uint64_t read = 0;

	(void)state;
	/* Even at first, and after half of the time with half of it done. */
	assert_in_range(scrub_allowance(&pace, day_ms), tera / 30, tera / 30 + 2);
	pace = (struct scrub_pace){tera, tera / 2, 30 * DAY, 15 * DAY};
	assert_in_range(scrub_allowance(&pace, day_ms), tera / 30, tera / 30 + 2);
	/* Behind: faster, four times at most, also when the time is long over. */
	pace = (struct scrub_pace){tera, tera, 30 * DAY, 20 * DAY};
	assert_in_range(scrub_allowance(&pace, day_ms), tera / 10, tera / 10 + 2);
	pace.gone = 29 * DAY;
	assert_in_range(scrub_allowance(&pace, day_ms), tera * 4 / 30, tera * 4 / 30 + 2);
	pace.gone = 300 * DAY;
	assert_in_range(scrub_allowance(&pace, day_ms), tera * 4 / 30, tera * 4 / 30 + 2);
	/* Done in time when the steps come in time. */
	for (uint64_t hour = 0; hour < 30 * 24; hour++) {
		pace = (struct scrub_pace){tera, tera - read, 30 * DAY, hour * 3600};
		read += scrub_allowance(&pace, 3600 * 1000);
		read = read < tera ? read : tera;
	}
	assert_true(read >= tera - tera / 1000);
	/* Nothing to read, nothing at all, and the largest numbers. */
	pace = (struct scrub_pace){0, 0, 1, 0};
	assert_int_equal(scrub_allowance(&pace, 1000), 1);
	pace = (struct scrub_pace){UINT64_MAX, UINT64_MAX, 1, 0};
	assert_int_equal(scrub_allowance(&pace, 60000), UINT64_MAX);
}

/* Left to itself it does not read all at once, and not at all when told never to. */
static void test_upkeep_keeps_the_pace(void **state)
{
	struct fixture *f = *state;
	struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	struct store_scrub scrubbed;

	for (int i = 0; i < 20; i++)
		(void)store_upkeep_step(f->store, "scrub");
	store_scrub(f->store, &scrubbed);
	assert_true(scrubbed.under_way);
	assert_true(scrubbed.now.bytes < scrubbed.now.total / 2);
	while (store_scrub_step(f->store, 1 << 20))
		;
	(void)store_upkeep_step(f->store, "scrub");
	store_scrub(f->store, &scrubbed);
	assert_false(scrubbed.under_way);
	store_close(f->store);
	options.scrub_seconds = STORE_SCRUB_NEVER;
	assert_int_equal(store_open("/", &options, fault_seam(f->fault), &f->store, f->why), ERR_OK);
	(void)store_upkeep_step(f->store, "scrub");
	store_scrub(f->store, &scrubbed);
	assert_false(scrubbed.under_way);
	assert_int_equal(scrubbed.period, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_finds_what_was_hit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_finds_other_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_goes_on_after_a_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_bookmark, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bookmark_cannot_be_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_deleted_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_go_meanwhile, set_up, tear_down),
		cmocka_unit_test(test_pace),
		cmocka_unit_test_setup_teardown(test_upkeep_keeps_the_pace, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
