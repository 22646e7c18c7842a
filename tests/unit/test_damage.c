/*
 * Damaged pieces, on a disk in memory: found once, kept for good, told until acknowledged, deleted and put again; the
 * rest of the store as it was. And what is no damage: a read that fails once, a disk that does not answer at all.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define PIECES 12
#define LIST "//store/DAMAGE"

/* The disk in memory, behind a seam of our own with a bad sector. */
struct fixture {
	struct seam seam;
	struct fault *fault;
	struct store *store;
	int bad_fd;
	uint64_t bad_from, bad_until; /* what cannot be read of that file */
	bool gone;		      /* nothing can be read */
	char why[STORE_MESSAGE];
};

static struct fixture *fixture_of(const struct seam *self)
{
	return (struct fixture *)(uintptr_t)self;
}

static ssize_t bad_pread(const struct seam *self, int fd, void *out, size_t len, uint64_t offset)
{
	const struct fixture *f = fixture_of(self);
	const struct seam *disk = fault_seam(f->fault);

	if (f->gone || (fd == f->bad_fd && offset < f->bad_until && offset + len > f->bad_from))
		return -EIO;
	return disk->pread(disk, fd, out, len, offset);
}

static const size_t sizes[PIECES] = {0, 1, 64, 1000, 30000, TREE_BLOCK, 65536, 65537, 100000, 300000, 500000, 4000};

static void open_store(struct fixture *f)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};

	assert_int_equal(store_open("/", &options, &f->seam, &f->store, f->why), ERR_OK);
}

static void reopen(struct fixture *f)
{
	store_close(f->store);
	open_store(f);
}

/* Every call but pread goes to the disk itself: its functions look for their state behind the table. */
/* clang-format off */
#define PASS(type, name, args, ...) \
	static type pass_##name args \
	{ \
		const struct seam *disk = fault_seam(fixture_of(self)->fault); \
		return disk->name(__VA_ARGS__); \
	}

PASS(int, open, (const struct seam *self, const char *path, int flags, mode_t mode), disk, path, flags, mode)
PASS(int, close, (const struct seam *self, int fd), disk, fd)
PASS(ssize_t, pwrite, (const struct seam *self, int fd, const void *from, size_t len, uint64_t at), disk, fd, from,
	len, at)
PASS(ssize_t, pwritev, (const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t at), disk, fd,
	parts, count, at)
PASS(int, truncate, (const struct seam *self, int fd, uint64_t size), disk, fd, size)
PASS(int, sync, (const struct seam *self, int fd), disk, fd)
PASS(int, allocate, (const struct seam *self, int fd, uint64_t at, uint64_t len), disk, fd, at, len)
PASS(int, advise, (const struct seam *self, int fd, uint64_t at, uint64_t len, int what), disk, fd, at, len, what)
PASS(int, lock, (const struct seam *self, int fd), disk, fd)
PASS(int, list, (const struct seam *self, const char *path, void (*each)(void *arg, const char *name), void *arg), disk,
	path, each, arg)
PASS(int, stat, (const struct seam *self, const char *path, struct seam_stat *ret), disk, path, ret)
PASS(int, mkdir, (const struct seam *self, const char *path, mode_t mode), disk, path, mode)
PASS(int, rename, (const struct seam *self, const char *from, const char *to), disk, from, to)
PASS(int, unlink, (const struct seam *self, const char *path), disk, path)
PASS(int, sync_dir, (const struct seam *self, const char *path), disk, path)
PASS(int, space, (const struct seam *self, const char *path, struct seam_space *ret), disk, path, ret)

/* clang-format on */

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->fault = fault_new(256 << 20);
	f->seam = *fault_seam(f->fault);
	f->seam.open = pass_open;
	f->seam.close = pass_close;
	f->seam.pread = bad_pread;
	f->seam.pwrite = pass_pwrite;
	f->seam.pwritev = pass_pwritev;
	f->seam.truncate = pass_truncate;
	f->seam.sync = pass_sync;
	f->seam.allocate = pass_allocate;
	f->seam.advise = pass_advise;
	f->seam.lock = pass_lock;
	f->seam.list = pass_list;
	f->seam.stat = pass_stat;
	f->seam.mkdir = pass_mkdir;
	f->seam.rename = pass_rename;
	f->seam.unlink = pass_unlink;
	f->seam.sync_dir = pass_sync_dir;
	f->seam.space = pass_space;
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, &f->seam, f->why), ERR_OK);
	open_store(f);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_put(f->store, i, 1, sizes[i], 0), ERR_OK);
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

/* Where the record of a piece stands. */
static struct record_place place_of(struct fixture *f, uint32_t number, int *ret_fd)
{
	struct store_key key = pieces_key(number);
	struct record_place place;
	struct located found;

	assert_int_equal(store_locate(f->store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	place = (struct record_place){found.segment->id, found.place.offset};
	*ret_fd = found.segment->fd;
	segments_unpin(f->store->segments, found.segment);
	return place;
}

/* Flip a bit so many bytes behind the start of a piece's record. */
static void flip(struct fixture *f, uint32_t number, uint32_t behind)
{
	struct record_place place;
	char path[64];
	uint8_t byte;
	int fd;

	place = place_of(f, number, &fd);
	snprintf(path, sizeof(path), "//store/segments/%08x.seg", place.segment);
	fault_peek(f->fault, path, place.offset + behind, &byte, 1);
	byte ^= 0x10;
	fault_poke(f->fault, path, place.offset + behind, &byte, 1);
}

/* The same once its segment has a footer, and no head is kept in memory. */
static void hurt(struct fixture *f, uint32_t number, uint32_t behind)
{
	reopen(f);
	flip(f, number, behind);
}

/* All pieces but this one read as they were put. */
static void expect_others(struct fixture *f, uint32_t but)
{
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_check(f->store, i, 1, sizes[i]), i == but ? ERR_CORRUPT : ERR_OK);
}

static void expect_listed(struct fixture *f, uint64_t pieces, uint64_t untold)
{
	struct store_damage damage;

	store_damage(f->store, &damage);
	assert_int_equal(damage.pieces, pieces);
	assert_int_equal(damage.untold, untold);
}

/* A flipped bit in the core, in the rest of the head, in the payload: found by the first read, and kept over restarts
 * without being read again. */
static void test_found_once(void **state)
{
	struct fixture *f = *state;
	static const uint32_t where[] = {8, 300, 700};
	static const uint32_t which[] = {4, 9};

	for (size_t p = 0; p < 2; p++) {
		for (size_t w = 0; w < 3; w++) {
			uint64_t changes;

			/* Behind the head of a larger piece, its payload. */
			hurt(f, which[p], where[w] == 700 ? RECORD_HEAD_MAX : where[w]);
			expect_others(f, which[p]);
			expect_listed(f, 1, 1);
			changes = fault_changes(f->fault);
			expect_others(f, which[p]);
			assert_int_equal(fault_changes(f->fault), changes);
			for (int round = 0; round < 2; round++) {
				reopen(f);
				expect_listed(f, 1, 1);
				expect_others(f, which[p]);
			}
			assert_int_equal(pieces_delete(f->store, which[p]), ERR_OK);
			assert_int_equal(pieces_check(f->store, which[p], 1, sizes[which[p]]), ERR_NOT_FOUND);
			expect_listed(f, 0, 0);
			assert_int_equal(pieces_put(f->store, which[p], 1, sizes[which[p]], 0), ERR_OK);
			expect_others(f, PIECES);
			reopen(f);
			expect_others(f, PIECES);
			expect_listed(f, 0, 0);
		}
	}
}

/* Deleting is the first to touch it. */
static void test_delete_finds_it(void **state)
{
	struct fixture *f = *state;

	hurt(f, 3, 8);
	assert_int_equal(pieces_delete(f->store, 3), ERR_OK);
	reopen(f);
	assert_int_equal(pieces_check(f->store, 3, 1, sizes[3]), ERR_NOT_FOUND);
	assert_int_equal(pieces_delete(f->store, 3), ERR_NOT_FOUND);
}

/* It is not to be put over: whoever wants that deletes it first. */
static void test_not_put_over(void **state)
{
	struct fixture *f = *state;

	hurt(f, 4, RECORD_HEAD_MAX);
	assert_int_equal(pieces_check(f->store, 4, 1, sizes[4]), ERR_CORRUPT);
	assert_int_equal(pieces_put(f->store, 4, 2, 100, 0), ERR_CORRUPT);
}

static void test_told_until_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct store_loss *losses = NULL;

	hurt(f, 4, RECORD_HEAD_MAX);
	hurt(f, 9, 200);
	assert_int_equal(pieces_check(f->store, 9, 1, sizes[9]), ERR_CORRUPT);
	assert_int_equal(pieces_check(f->store, 4, 1, sizes[4]), ERR_CORRUPT);
	reopen(f);
	assert_int_equal(store_losses(f->store, 0, &losses), 2);
	assert_int_equal(losses[0].size + losses[1].size, sizes[4] + sizes[9]);
	assert_true(losses[0].found <= losses[1].found && losses[0].found > 1600000000);
	assert_int_equal(store_losses_told(f->store, 0, &losses[0].piece, 1), ERR_OK);
	expect_listed(f, 2, 1);
	free(losses);
	assert_int_equal(store_losses(f->store, 0, &losses), 1);
	reopen(f);
	expect_listed(f, 2, 1);
	assert_int_equal(store_losses_told(f->store, 0, &losses[0].piece, 1), ERR_OK);
	free(losses);
	reopen(f);
	expect_listed(f, 2, 0);
	assert_int_equal(store_losses(f->store, 0, &losses), 0);
	assert_null(losses);
	assert_int_equal(store_losses(f->store, 1, &losses), 0);
	assert_int_equal(pieces_check(f->store, 9, 1, sizes[9]), ERR_CORRUPT);
}

/* Sectors that cannot be read, in head and payload. */
static void test_bad_sector(void **state)
{
	struct fixture *f = *state;
	struct record_place place = place_of(f, 9, &f->bad_fd);

	f->bad_from = place.offset + RECORD_HEAD_MAX + 2ull * TREE_BLOCK;
	f->bad_until = f->bad_from + 512;
	expect_others(f, 9);
	expect_listed(f, 1, 1);
	assert_int_equal(pieces_delete(f->store, 9), ERR_OK);
	reopen(f);
	place = place_of(f, 8, &f->bad_fd);
	f->bad_from = place.offset;
	f->bad_until = f->bad_from + 512;
	assert_int_equal(pieces_check(f->store, 8, 1, sizes[8]), ERR_CORRUPT);
	expect_listed(f, 1, 1);
}

/* A disk that was pulled out: nothing is damaged, nothing is marked, and all is back when it is. */
static void test_disk_gone_is_no_damage(void **state)
{
	struct fixture *f = *state;

	f->gone = true;
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_check(f->store, i, 1, sizes[i]), ERR_IO);
	f->gone = false;
	expect_listed(f, 0, 0);
	expect_others(f, PIECES);
}

/* One failing read, whichever, is tried again. */
static void test_one_failure_is_no_damage(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < PIECES; i++) {
		for (uint64_t nth = 0; nth < 4; nth++) {
			fault_fail(f->fault, nth, EIO);
			assert_int_equal(pieces_check(f->store, i, 1, sizes[i]), ERR_OK);
			fault_fail(f->fault, FAULT_NEVER, EIO);
		}
	}
	expect_listed(f, 0, 0);
}

/* When it cannot be listed, it is damaged all the same, and whatever failed says why the store is read-only. */
static void test_list_fails(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	int read_only = 0;

	hurt(f, 3, 300);
	for (uint64_t nth = 0; nth < 12; nth++) {
		fault_fail(f->fault, nth, EIO);
		assert_int_equal(pieces_check(f->store, 3, 1, sizes[3]), ERR_CORRUPT);
		fault_fail(f->fault, FAULT_NEVER, EIO);
		store_space(f->store, &space);
		if (space.read_only) {
			assert_non_null(strstr(space.reason, "damaged"));
			read_only++;
		}
		reopen(f);
		expect_others(f, 3);
		expect_listed(f, 1, 1);
		assert_int_equal(pieces_delete(f->store, 3), ERR_OK);
		assert_int_equal(pieces_put(f->store, 3, 1, sizes[3], 0), ERR_OK);
		hurt(f, 3, 300);
	}
	assert_true(read_only > 0);
}

/* Torn, flipped and foreign entries are passed over; a version to come is refused. */
static void test_list_is_hostile(void **state)
{
	struct fixture *f = *state;
	uint8_t raw[DAMAGE_ENTRY], junk[3 * DAMAGE_ENTRY + 7];
	struct damage_entry entry;

	hurt(f, 3, 300);
	hurt(f, 4, 300);
	assert_int_equal(pieces_check(f->store, 3, 1, sizes[3]), ERR_CORRUPT);
	assert_int_equal(pieces_check(f->store, 4, 1, sizes[4]), ERR_CORRUPT);
	store_close(f->store);
	memset(junk, 'G', sizeof(junk));
	fault_poke(f->fault, LIST, 2 * DAMAGE_ENTRY, junk, sizeof(junk));
	open_store(f);
	expect_listed(f, 2, 2);
	store_close(f->store);
	fault_peek(f->fault, LIST, 0, raw, sizeof(raw));
	assert_int_equal(damage_entry_decode(raw, &entry), ERR_OK);
	for (size_t i = 0; i < DAMAGE_ENTRY; i++) {
		raw[i] ^= 1;
		assert_true(damage_entry_decode(raw, &entry) != ERR_OK);
		raw[i] ^= 1;
	}
	raw[50] ^= 1;
	fault_poke(f->fault, LIST, 0, raw, sizeof(raw));
	open_store(f);
	expect_listed(f, 1, 1);
	/* What was forgotten is found again. */
	assert_int_equal(pieces_check(f->store, 3, 1, sizes[3]), ERR_CORRUPT);
	expect_listed(f, 2, 2);
}

/* Found and deleted over and over: the list does not grow for ever. */
static void test_list_is_tidied(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++) {
			flip(f, 2, 100);
			assert_int_equal(pieces_check(f->store, 2, 1, sizes[2]), ERR_CORRUPT);
			assert_int_equal(pieces_delete(f->store, 2), ERR_OK);
			assert_int_equal(pieces_put(f->store, 2, 1, sizes[2], 0), ERR_OK);
		}
		hurt(f, 3, 300);
		assert_int_equal(pieces_check(f->store, 3, 1, sizes[3]), ERR_CORRUPT);
		reopen(f);
		expect_listed(f, 1, 1);
		assert_true(fault_size(f->fault, LIST) <= 128 * 1024);
		reopen(f);
		expect_listed(f, 1, 1);
		assert_int_equal(pieces_delete(f->store, 3), ERR_OK);
		assert_int_equal(pieces_put(f->store, 3, 1, sizes[3], 0), ERR_OK);
	}
	expect_others(f, PIECES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_delete_finds_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_put_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_told_until_acknowledged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_sector, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_gone_is_no_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_failure_is_no_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list_is_hostile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_list_is_tidied, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
