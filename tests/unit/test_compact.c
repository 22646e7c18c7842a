/* Compaction: what is live stays, byte for byte, what is dead goes, and the sums add up all the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"
#include "tests/kit/scratch.h"

#define ALLOCATION (64ull << 20)
#define KEYS 400

struct fixture {
	struct fault *fault;
	struct store *store;
	size_t sizes[KEYS];	 /* of what was put */
	uint32_t versions[KEYS]; /* 0: nothing is there */
	char why[STORE_MESSAGE];
};

static void open_store(struct fixture *f)
{
	struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};

	assert_int_equal(store_open("/", &options, fault_seam(f->fault), &f->store, f->why), ERR_OK);
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	open_store(f);
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	open_store(f);
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

static void put(struct fixture *f, uint32_t key, size_t len)
{
	uint32_t version = f->versions[key] + 1;

	assert_int_equal(pieces_put(f->store, key, version, len, 0), ERR_OK);
	f->versions[key] = version;
	f->sizes[key] = len;
}

static void drop(struct fixture *f, uint32_t key)
{
	assert_int_equal(pieces_delete(f->store, key), ERR_OK);
	f->versions[key] = 0;
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

/* What the store counts is what is found on the disk, to the byte, and fills the blocks of the filesystem. */
static void expect_scan(struct fixture *f, const struct store_space *space)
{
	struct store_scan scan;

	assert_int_equal(store_scan(f->store, &scan), ERR_OK);
	assert_int_equal(scan.live, space->live);
	assert_int_equal(scan.trash, space->trash);
	assert_int_equal(scan.dead, space->dead);
	assert_int_equal(scan.overhead, space->overhead);
	assert_int_equal(scan.pieces, space->pieces);
	assert_int_equal(scan.trashed, space->trashed);
	assert_int_equal(scan.unused, space->reserved + space->free);
	assert_int_equal(scan.bytes, scan.live + scan.trash + scan.dead + scan.overhead + scan.unused);
	assert_int_equal(scan.extra, 0);
	assert_int_equal(scan.bytes + scan.rounding, scan.blocks);
	assert_int_equal(scan.strange, 0);
	assert_int_equal(scan.bad, 0);
	assert_true(scan.others >= 131072);
}

/* Every piece reads as it was put, and the counters say the same as the files. */
static struct store_space expect_all(struct fixture *f)
{
	uint64_t files = 0, live = 0, pieces = 0;
	struct store_space space;

	committer_flush(f->store->committer);
	for (uint32_t key = 0; key < KEYS; key++) {
		enum err err = pieces_check(f->store, key, f->versions[key], f->sizes[key]);

		assert_int_equal(err, f->versions[key] == 0 ? ERR_NOT_FOUND : ERR_OK);
		pieces += f->versions[key] != 0;
		live += f->versions[key] != 0 ? f->sizes[key] : 0;
	}
	segments_wait_idle(f->store->segments);
	store_space(f->store, &space);
	fault_files(f->fault, add_size, &files);
	assert_int_equal(space.live + space.trash + space.dead + space.overhead + space.reserved + space.free, files);
	assert_int_equal(space.live, live);
	assert_int_equal(space.pieces, pieces);
	assert_false(space.read_only);
	expect_scan(f, &space);
	return space;
}

static struct store_compacted compact(struct fixture *f, unsigned least)
{
	struct store_compacted sum = {0}, step;

	do {
		assert_int_equal(store_compact_step(f->store, least, &step), ERR_OK);
		sum.copied += step.copied;
		sum.freed += step.freed;
		sum.segments += step.segments;
		sum.bad += step.bad;
	} while (step.more);
	return sum;
}

/* 300 pieces in about 12 segments, every other one deleted. */
static void fill_and_thin(struct fixture *f)
{
	for (uint32_t key = 0; key < 300; key++)
		put(f, key, 1000 + key * 200);
	for (uint32_t key = 0; key < 300; key += 2)
		drop(f, key);
	reopen(f); /* seals all */
}

static void test_halves_are_joined(void **state)
{
	struct fixture *f = *state;
	struct store_compacted done;
	struct store_space before, after;

	fill_and_thin(f);
	before = expect_all(f);
	assert_true(before.dead > before.live * 9 / 10);
	done = compact(f, 10);
	after = expect_all(f);
	assert_true(done.segments >= 8);
	assert_int_equal(done.bad, 0);
	assert_true(after.dead < before.dead / 10);
	/* Half of what is copied over is what comes free. */
	assert_true(done.copied <= done.freed - done.copied);
	for (int round = 0; round < 2; round++) {
		reopen(f);
		expect_all(f);
	}
	/* Nothing is left to do. */
	done = compact(f, 10);
	assert_int_equal(done.segments, 0);
}

/* What is dead altogether costs no copying, and tombstones go once nothing is left that they killed. */
static void test_all_deleted(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	struct store_compacted done;

	for (uint32_t key = 0; key < 100; key++)
		put(f, key, 100000);
	for (uint32_t key = 0; key < 100; key++)
		drop(f, key);
	reopen(f);
	done = compact(f, 10);
	assert_true(done.segments >= 9);
	assert_true(done.copied < 64000);
	reopen(f);
	for (int i = 0; i < 3; i++) {
		compact(f, 10);
		reopen(f);
	}
	space = expect_all(f);
	assert_int_equal(space.dead, 0);
	assert_true(space.overhead < 16 * SEGMENT_HEADER);
}

static void ignore(void *arg, enum err err)
{
	(void)arg;
	(void)err;
}

/* Put a piece under an allocation that ends then, and delete it again. */
static void put_and_drop(struct fixture *f, uint32_t key, uint64_t expires)
{
	struct allocation allocation = pieces_allocation(key, 1000);
	struct order order = {.amount = 1000};
	struct signature signature = {{1}};
	struct store_upload *upload;
	uint8_t content[1000] = {0};

	allocation.expires = expires;
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	assert_int_equal(store_put_begin(f->store, 0, &allocation, &signature, &order.allocation, &upload), ERR_OK);
	assert_int_equal(store_put_block(upload, content, sizeof(content)), ERR_OK);
	store_put_end(upload, &order, &signature, clock_wall(), ignore, NULL);
	committer_flush(f->store->committer);
	assert_int_equal(pieces_delete(f->store, key), ERR_OK);
}

static bool note_serial(void *arg, const struct store_transfer *transfer)
{
	assert_int_equal(transfer->order.amount, 1000);
	((bool *)arg)[get_be32(transfer->allocation.serial.b)] = true;
	return true;
}

/* Serials that could be used again, and orders that nobody has seen, outlive their pieces. */
static void test_transfers_are_saved(void **state)
{
	struct fixture *f = *state;
	uint64_t now = clock_wall();

	for (int round = 0; round < 2; round++) {
		bool found[6] = {false};

		put_and_drop(f, 1, now + 3600);	  /* valid still */
		put_and_drop(f, 2, now - 3600);	  /* can be settled still */
		put_and_drop(f, 3, now - 400000); /* over */
		/* In the second round somebody has followed the log. */
		if (round == 1)
			assert_int_equal(store_transfers_trim(f->store, UINT64_MAX, 1), ERR_OK);
		reopen(f);
		if (round == 1)
			assert_int_equal(store_transfers_trim(f->store, UINT64_MAX, now + 7200), ERR_OK);
		assert_int_equal(compact(f, 1).segments, 1);
		for (int twice = 0; twice < 2; twice++) {
			memset(found, 0, sizeof(found));
			assert_int_equal(store_transfers_each(f->store, 0, 0, note_serial, found), ERR_OK);
			assert_true(found[1]);
			assert_int_equal(found[2], round == 0);
			assert_false(found[3]);
			reopen(f);
		}
	}
}

/* Flip a bit of the piece's record, `at` bytes behind its start. */
static void rot(struct fixture *f, uint32_t key, uint32_t at)
{
	struct store_key piece = pieces_key(key);
	struct located found;
	char path[64];
	uint8_t byte;

	assert_int_equal(store_locate(f->store, &piece, LOCATE_CORE, &found, NULL), ERR_OK);
	snprintf(path, sizeof(path), "//store/segments/%08x.seg", found.segment->id);
	fault_peek(f->fault, path, found.place.offset + at, &byte, 1);
	byte ^= 1;
	fault_poke(f->fault, path, found.place.offset + at, &byte, 1);
	segments_unpin(f->store->segments, found.segment);
}

/* What does not read stays where it is, is known to be bad, and can be deleted and put again; then its room comes
 * free. */
static void test_rot_is_kept(void **state)
{
	struct fixture *f = *state;
	struct store_compacted done;

	for (uint32_t key = 0; key < 20; key++)
		put(f, key, 40000);
	for (uint32_t key = 0; key < 20; key += 2)
		drop(f, key);
	reopen(f);
	rot(f, 7, 1000 + TREE_BLOCK); /* the second block */
	rot(f, 9, 50);		      /* the head */
	done = compact(f, 10);
	assert_int_equal(done.bad, 2);
	assert_int_equal(done.segments, 0);
	assert_true(done.copied > 8 * 40000);
	for (int round = 0; round < 2; round++) {
		for (uint32_t key = 1; key < 20; key += 2)
			assert_int_equal(pieces_check(f->store, key, 1, 40000),
					 key == 7 || key == 9 ? ERR_CORRUPT : ERR_OK);
		/* It is not tried again and again. */
		assert_int_equal(compact(f, 10).copied, 0);
		reopen(f);
		assert_int_equal(compact(f, 10).segments, 0);
	}
	drop(f, 7);
	drop(f, 9);
	put(f, 7, 3000);
	put(f, 9, 3000);
	done = compact(f, 10);
	assert_int_equal(done.segments, 1);
	assert_int_equal(done.bad, 0);
	expect_all(f);
	reopen(f);
	expect_all(f);
}

/* With segments open, room given back, an upload under way, pieces in the trash, and a log of transfers. */
static void test_sums_at_any_time(void **state)
{
	struct fixture *f = *state;
	struct store_upload *held;
	struct store_space space;
	struct store_key key;

	for (uint32_t i = 0; i < 120; i++) {
		put(f, i, (i % 11) * 9000 + 17);
		if (i % 3 == 1)
			assert_int_equal(pieces_abort(f->store, KEYS + i, 90000, 200000), ERR_OK);
		if (i % 4 == 3)
			drop(f, i - 2);
		if (i % 40 == 9)
			assert_int_equal(pieces_transfer(f->store, i, 1000), ERR_OK);
		if (i % 30 == 29)
			compact(f, 5);
		if (i % 10 == 0)
			expect_all(f);
	}
	assert_int_equal(pieces_hold(f->store, KEYS, 100000, 200000, &held), ERR_OK);
	space = expect_all(f);
	assert_true(space.reserved >= 200000);
	store_put_abort(held);
	space = expect_all(f);
	assert_true(space.reserved < RECORD_HEAD_MAX);
	key = pieces_key(0);
	assert_int_equal(store_trash(f->store, &key, ignore, NULL), ERR_OK);
	key = pieces_key(4);
	assert_int_equal(store_trash(f->store, &key, ignore, NULL), ERR_OK);
	committer_flush(f->store->committer);
	for (int round = 0; round < 3; round++) {
		segments_wait_idle(f->store->segments);
		store_space(f->store, &space);
		assert_int_equal(space.trashed, 2);
		assert_int_equal(space.trash, 17 + 4 * 9000 + 17);
		expect_scan(f, &space);
		if (round == 0)
			compact(f, 1);
		else
			reopen(f);
	}
}

/* The counters against a true filesystem. */
static void test_blocks_of_a_filesystem(void **state)
{
	struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	char dir[] = "/tmp/granary-compact.XXXXXX", why[STORE_MESSAGE];
	struct store_space space;
	struct store_scan scan;
	struct store *store;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_init(dir, ALLOCATION, SEGMENT_LEAST, &seam_system, why), ERR_OK);
	assert_int_equal(store_open(dir, &options, &seam_system, &store, why), ERR_OK);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(pieces_put(store, i, 1, 100000, 0), ERR_OK);
	for (uint32_t i = 0; i < 40; i += 3)
		assert_int_equal(pieces_delete(store, i), ERR_OK);
	segments_wait_idle(store->segments);
	store_space(store, &space);
	assert_int_equal(store_scan(store, &scan), ERR_OK);
	assert_int_equal(scan.live, space.live);
	assert_int_equal(scan.dead, space.dead);
	assert_int_equal(scan.bytes, space.live + space.dead + space.overhead + space.reserved + space.free);
	assert_int_equal(scan.blocks, scan.bytes + scan.rounding + (uint64_t)scan.extra);
	/* A few blocks for the extents of each file, on some filesystems; all of the rest is ours. */
	assert_true(scan.extra >= 0 && scan.extra <= (int64_t)(scan.segments * 16384));
	store_close(store);
	scratch_remove("/tmp", dir + strlen("/tmp/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_halves_are_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_deleted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rot_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_transfers_are_saved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sums_at_any_time, set_up, tear_down),
		cmocka_unit_test(test_blocks_of_a_filesystem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
