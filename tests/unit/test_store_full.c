/*
 * A disk without a byte left, and an allocation used up: refusals come before the first byte, deletes go through, and
 * compaction makes room out of what one emergency segment gives it. GRANARY_SOAK=1: a hundred rounds.
 */
#include <fcntl.h>
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

#define DISK (16ull << 20)
#define KEYS 1000

struct fixture {
	struct fault *fault;
	struct store *store;
	uint64_t allocation;
	size_t sizes[KEYS]; /* 0: nothing is there */
	uint32_t versions[KEYS];
	char why[STORE_MESSAGE];
};

static void open_store(struct fixture *f)
{
	const struct store_options options = {.allocation = f->allocation, .no_upkeep = true};

	assert_int_equal(store_open("/", &options, fault_seam(f->fault), &f->store, f->why), ERR_OK);
}

static void begin(struct fixture *f, uint64_t disk, uint64_t allocation)
{
	memset(f, 0, sizeof(*f));
	f->fault = fault_new(disk);
	f->allocation = allocation;
	assert_int_equal(store_init("/", allocation, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	open_store(f);
	segments_wait_idle(f->store->segments);
}

static void end(struct fixture *f)
{
	store_close(f->store);
	fault_free(f->fault);
}

static void expect_all(struct fixture *f)
{
	struct store_space space;
	struct store_scan scan;

	for (uint32_t key = 0; key < KEYS; key++)
		assert_int_equal(pieces_check(f->store, key, f->versions[key], f->sizes[key]),
				 f->sizes[key] == 0 ? ERR_NOT_FOUND : ERR_OK);
	segments_wait_idle(f->store->segments);
	store_space(f->store, &space);
	assert_false(space.read_only);
	assert_int_equal(store_scan(f->store, &scan), ERR_OK);
	assert_int_equal(scan.live, space.live);
	assert_int_equal(scan.dead, space.dead);
	assert_int_equal(scan.overhead, space.overhead);
	assert_int_equal(scan.unused, space.free + space.reserved);
}

static size_t size_of(uint32_t key)
{
	return 1000 + key * 7919 % 60000;
}

/* Put until the store refuses. */
static uint32_t fill(struct fixture *f)
{
	uint32_t count = 0;

	for (uint32_t key = 0; key < KEYS; key++) {
		enum err err;

		if (f->sizes[key] != 0)
			continue;
		err = pieces_put(f->store, key, f->versions[key] + 1, size_of(key), 0);
		if (err == ERR_FULL)
			return count;
		assert_int_equal(err, ERR_OK);
		f->versions[key]++;
		f->sizes[key] = size_of(key);
		count++;
	}
	fail();
	return 0;
}

static void delete_every(struct fixture *f, uint32_t nth)
{
	for (uint32_t key = 0; key < KEYS; key++) {
		if (f->sizes[key] == 0 || key % nth != 0)
			continue;
		assert_int_equal(pieces_delete(f->store, key), ERR_OK);
		f->sizes[key] = 0;
	}
}

static uint64_t compact(struct fixture *f)
{
	struct store_compacted step = {.more = true};
	uint64_t freed = 0;

	/* Only what the keeper has sealed can be compacted. */
	segments_wait_idle(f->store->segments);
	while (step.more) {
		assert_int_equal(store_compact_step(f->store, 0, &step), ERR_OK);
		freed += step.freed;
	}
	return freed;
}

/* What others leave of the disk: nothing. */
static void take_the_rest(struct fixture *f)
{
	const struct seam *seam = fault_seam(f->fault);
	struct seam_space space;
	int fd = seam->open(seam, "/other", O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	segments_wait_idle(f->store->segments);
	assert_int_equal(seam->space(seam, "/", &space), 0);
	if (space.free > 0)
		assert_int_equal(seam->allocate(seam, fd, 0, space.free), 0);
	assert_int_equal(seam->space(seam, "/", &space), 0);
	assert_int_equal(space.free, 0);
	seam->close(seam, fd);
}

static void test_no_byte_free(void **state)
{
	int rounds = getenv("GRANARY_SOAK") != NULL ? 100 : 8;
	struct fixture f;
	uint64_t freed;

	(void)state;
	begin(&f, DISK, 4 * DISK);
	assert_true(fill(&f) > 300);
	take_the_rest(&f);
	for (int round = 0; round < rounds; round++) {
		struct store_space space;

		assert_int_equal(pieces_put(f.store, KEYS, 1, 60000, 0), ERR_FULL);
		delete_every(&f, round % 3 == 2 ? 1 : 2);
		expect_all(&f);
		freed = compact(&f);
		assert_true(freed > 3 * SEGMENT_LEAST);
		expect_all(&f);
		if (round % 4 == 3) {
			store_close(f.store);
			open_store(&f);
		}
		assert_true(fill(&f) > 60);
		expect_all(&f);
		store_space(f.store, &space);
		assert_true(space.available < 4 * SEGMENT_LEAST);
	}
	end(&f);
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

static void test_allocation_used_up(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 8 * DISK, DISK);
	for (int round = 0; round < 6; round++) {
		uint64_t files = 0;

		assert_true(fill(&f) > 60);
		delete_every(&f, round % 3 == 2 ? 1 : 2);
		compact(&f);
		expect_all(&f);
		fault_files(f.fault, add_size, &files);
		assert_true(files <= DISK);
	}
	end(&f);
}

/* The operator wants some of his disk back: what is stored stays, what is deleted makes the store smaller. */
static void test_allocation_made_smaller(void **state)
{
	struct fixture f;
	struct store_space space;
	uint64_t files = 0;

	(void)state;
	begin(&f, 8 * DISK, DISK);
	assert_true(fill(&f) > 300);
	store_close(f.store);
	f.allocation = DISK / 2;
	open_store(&f);
	expect_all(&f);
	assert_int_equal(pieces_put(f.store, KEYS, 1, 60000, 0), ERR_FULL);
	store_space(f.store, &space);
	assert_true(space.available < SEGMENT_LEAST);
	delete_every(&f, 3);
	assert_true(compact(&f) > 3 * SEGMENT_LEAST);
	delete_every(&f, 2);
	compact(&f);
	expect_all(&f);
	fault_files(f.fault, add_size, &files);
	assert_true(files <= DISK / 2);
	/* How much room is left now depends on the segments that were worth it; without pieces there is some always. */
	delete_every(&f, 1);
	compact(&f);
	assert_true(fill(&f) > 0);
	expect_all(&f);
	end(&f);
}

/* More tombstones than the emergency segment holds, and no compaction in between. */
static void test_many_deletes_on_a_full_disk(void **state)
{
	struct fixture f;
	uint32_t count = 0;
	enum err err;

	(void)state;
	begin(&f, DISK, 4 * DISK);
	do
		err = pieces_put(f.store, count++, 1, 100, 0);
	while (err == ERR_OK);
	assert_int_equal(err, ERR_FULL);
	assert_true(count > 8000);
	take_the_rest(&f);
	for (uint32_t key = 0; key < count - 1; key++) {
		err = pieces_delete(f.store, key);
		if (err == ERR_FULL) {
			assert_true(key > 1500);
			assert_true(compact(&f) > 0);
			err = pieces_delete(f.store, key);
		}
		assert_int_equal(err, ERR_OK);
	}
	compact(&f);
	for (uint32_t key = 0; key < count - 1; key++)
		assert_int_equal(pieces_check(f.store, key, 1, 100), ERR_NOT_FOUND);
	store_close(f.store);
	open_store(&f);
	compact(&f);
	for (uint32_t key = 0; key < count - 1; key++)
		assert_int_equal(pieces_check(f.store, key, 1, 100), ERR_NOT_FOUND);
	assert_true(fill(&f) > 300);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_byte_free),
		cmocka_unit_test(test_allocation_used_up),
		cmocka_unit_test(test_allocation_made_smaller),
		cmocka_unit_test(test_many_deletes_on_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
