/* The store in good weather, and in the weather that it refuses to work in; on a disk in memory. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define MIB (1u << 20)
#define ALLOCATION (64u * MIB)
#define CAPACITY (256ull * MIB)

struct box {
	struct fault *disk;
	struct store *store;
	char why[STORE_MESSAGE];
};

static void open_store(struct box *box)
{
	assert_int_equal(store_open("/n", ALLOCATION, fault_seam(box->disk), &box->store, box->why), ERR_OK);
}

static int set_up(void **state)
{
	struct box *box = calloc(1, sizeof(*box));
	struct address satellite = {{1}};
	uint16_t number;

	box->disk = fault_new(CAPACITY);
	assert_int_equal(fault_seam(box->disk)->mkdir(fault_seam(box->disk), "/n", 0700), 0);
	assert_int_equal(store_init("/n", ALLOCATION, MIB, fault_seam(box->disk), box->why), ERR_OK);
	open_store(box);
	assert_int_equal(store_satellite(box->store, &satellite, &number), ERR_OK);
	assert_int_equal(number, 0);
	*state = box;
	return 0;
}

static int tear_down(void **state)
{
	struct box *box = *state;

	store_close(box->store);
	fault_free(box->disk);
	free(box);
	return 0;
}

static void reopen(struct box *box)
{
	store_close(box->store);
	box->store = NULL;
	open_store(box);
}

static const size_t sizes[] = {0, 1, 100, 32767, 32768, 32769, 65535, 65536, 65537, 200000, 2097151, 2097152};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void test_pieces_of_all_sizes(void **state)
{
	struct box *box = *state;

	for (uint32_t i = 0; i < SIZES; i++)
		assert_int_equal(pieces_put(box->store, i, 1, sizes[i], 0), ERR_OK);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < SIZES; i++)
			assert_int_equal(pieces_check(box->store, i, 1, sizes[i]), ERR_OK);
		reopen(box);
	}
}

/* A piece that came out shorter than it was allowed to be. */
static void test_shorter_than_reserved(void **state)
{
	struct box *box = *state;
	struct store_space space;

	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_put(box->store, i, 1, 70000, 2 * MIB), ERR_OK);
	store_space(box->store, &space);
	assert_int_equal(space.reserved, 0);
	assert_int_equal(space.live, 20 * 70000);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(pieces_check(box->store, i, 1, 70000), ERR_OK);
}

static void test_refusals(void **state)
{
	struct box *box = *state;
	struct allocation allocation = pieces_allocation(1, TREE_PIECE + 1);
	struct signature signature = {{0}};
	struct bytes32 hash = {{0}};
	struct store_upload *upload;
	struct store *second;
	uint8_t block[TREE_BLOCK] = {0};

	assert_int_equal(store_put_begin(box->store, 0, &allocation, &signature, &hash, &upload), ERR_RANGE);
	assert_int_equal(pieces_put(box->store, 1, 1, 500, 0), ERR_OK);
	assert_int_equal(pieces_put(box->store, 1, 2, 500, 0), ERR_EXISTS);
	assert_int_equal(pieces_check(box->store, 1, 1, 500), ERR_OK);
	assert_int_equal(pieces_check(box->store, 2, 1, 500), ERR_NOT_FOUND);
	assert_int_equal(pieces_delete(box->store, 2), ERR_NOT_FOUND);
	allocation = pieces_allocation(3, 100);
	assert_int_equal(store_put_begin(box->store, 0, &allocation, &signature, &hash, &upload), ERR_OK);
	assert_int_equal(store_put_block(upload, block, 0), ERR_RANGE);
	assert_int_equal(store_put_block(upload, block, 101), ERR_LIMIT);
	assert_int_equal(store_put_block(upload, block, 60), ERR_OK);
	assert_int_equal(store_put_block(upload, block, 10), ERR_RANGE);
	store_put_abort(upload);
	assert_int_equal(store_open("/n", ALLOCATION, fault_seam(box->disk), &second, box->why), ERR_BUSY);
	assert_int_equal(store_init("/n", ALLOCATION, MIB, fault_seam(box->disk), box->why), ERR_EXISTS);
}

static void test_read_parts(void **state)
{
	struct box *box = *state;
	struct store_key key = pieces_key(1);
	struct store_reader *reader;
	uint8_t *out = malloc(4 * TREE_BLOCK), *all = malloc(200000);
	size_t len;

	pieces_fill(1, 1, all, 200000);
	assert_int_equal(pieces_put(box->store, 1, 1, 200000, 0), ERR_OK);
	assert_int_equal(store_get(box->store, &key, &reader), ERR_OK);
	assert_int_equal(store_reader_blocks(reader, 2, 3, out, &len), ERR_OK);
	assert_int_equal(len, 3 * TREE_BLOCK);
	assert_memory_equal(out, all + 2 * TREE_BLOCK, len);
	assert_int_equal(store_reader_blocks(reader, 6, 1, out, &len), ERR_OK);
	assert_int_equal(len, 200000 - 6 * TREE_BLOCK);
	assert_memory_equal(out, all + 6 * TREE_BLOCK, len);
	assert_int_equal(store_reader_blocks(reader, 6, 2, out, &len), ERR_RANGE);
	assert_int_equal(store_reader_blocks(reader, 7, 1, out, &len), ERR_RANGE);
	/* Deleting it does not take it from who reads it. */
	assert_int_equal(pieces_delete(box->store, 1), ERR_OK);
	assert_int_equal(store_reader_blocks(reader, 0, 1, out, &len), ERR_OK);
	assert_memory_equal(out, all, TREE_BLOCK);
	store_reader_free(reader);
	free(out);
	free(all);
}

/* One read for a piece of up to 64 KiB; for a larger one, one for its head and one for the blocks. */
static void test_reads_per_get(void **state)
{
	struct box *box = *state;
	uint64_t before;

	assert_int_equal(pieces_put(box->store, 1, 1, 65536, 0), ERR_OK);
	assert_int_equal(pieces_put(box->store, 2, 1, 300000, 0), ERR_OK);
	reopen(box);
	before = fault_count(box->disk, FAULT_PREAD);
	assert_int_equal(pieces_check(box->store, 1, 1, 65536), ERR_OK);
	assert_int_equal(fault_count(box->disk, FAULT_PREAD) - before, 1);
	before = fault_count(box->disk, FAULT_PREAD);
	assert_int_equal(pieces_check(box->store, 2, 1, 300000), ERR_OK);
	assert_int_equal(fault_count(box->disk, FAULT_PREAD) - before, 2);
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

/* What the store says adds up to what its files take, to the byte. */
static void check_space(struct box *box)
{
	struct store_space space;
	uint64_t files = 0;

	store_space(box->store, &space);
	fault_files(box->disk, add_size, &files);
	assert_int_equal(space.live + space.dead + space.overhead + space.reserved + space.free, files);
}

static void test_space_adds_up(void **state)
{
	struct box *box = *state;
	struct store_space space;

	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(pieces_put(box->store, i, 1, 1000 + i * 9973 % 300000, 0), ERR_OK);
		if (i % 3 == 0)
			assert_int_equal(pieces_abort(box->store, 1000 + i, 100000, 2 * MIB), ERR_OK);
		if (i % 4 == 0)
			assert_int_equal(pieces_delete(box->store, i), ERR_OK);
	}
	store_space(box->store, &space);
	assert_int_equal(space.pieces, 30);
	assert_true(space.dead > 0);
	reopen(box);
	check_space(box);
	store_space(box->store, &space);
	assert_int_equal(space.pieces, 30);
}

/* A full store refuses before the first byte, keeps what it has, and takes deletes. */
static void test_full(void **state)
{
	struct box *box = *state;
	struct store_space space;
	enum err err = ERR_OK;
	uint32_t count = 0;

	while (err == ERR_OK)
		err = pieces_put(box->store, count++, 1, 500000, 0);
	assert_int_equal(err, ERR_FULL);
	assert_true(count > 100);
	store_space(box->store, &space);
	assert_false(space.read_only);
	assert_true(space.available < 6 * MIB); /* what no two pieces of a segment fill */
	for (uint32_t i = 0; i + 1 < count; i++)
		assert_int_equal(pieces_check(box->store, i, 1, 500000), ERR_OK);
	for (uint32_t i = 0; i + 1 < count; i++)
		assert_int_equal(pieces_delete(box->store, i), ERR_OK);
	reopen(box);
	store_space(box->store, &space);
	assert_int_equal(space.pieces, 0);
}

struct seen {
	uint32_t count;
	uint64_t bytes, last;
};

static bool see_piece(void *arg, const struct store_key *key, uint64_t size)
{
	struct seen *seen = arg;

	assert_int_equal(key->satellite, 0);
	seen->count++;
	seen->bytes += size;
	return true;
}

static bool see_transfer(void *arg, const struct store_transfer *transfer)
{
	struct seen *seen = arg;

	assert_true(transfer->sequence > seen->last);
	seen->last = transfer->sequence;
	seen->count++;
	seen->bytes += transfer->order.amount;
	return true;
}

static void test_walks(void **state)
{
	struct box *box = *state;
	struct seen pieces = {0, 0, 0}, transfers = {0, 0, 0}, later;

	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(pieces_put(box->store, i, 1, 1000, 0), ERR_OK);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(pieces_transfer(box->store, 100 + i, 10), ERR_OK);
	assert_int_equal(pieces_delete(box->store, 3), ERR_OK);
	assert_int_equal(store_each(box->store, see_piece, &pieces), ERR_OK);
	assert_int_equal(pieces.count, 9);
	assert_int_equal(pieces.bytes, 9000);
	for (int round = 0; round < 2; round++) {
		transfers = (struct seen){0, 0, 0};
		assert_int_equal(store_transfers_each(box->store, 0, 0, see_transfer, &transfers), ERR_OK);
		/* Ten uploads and five reads: a deleted piece's order is owed all the same. */
		assert_int_equal(transfers.count, 15);
		assert_int_equal(transfers.bytes, 10 * 1000 + 5 * 10);
		later = (struct seen){0, 0, transfers.last};
		assert_int_equal(store_transfers_each(box->store, transfers.last, 0, see_transfer, &later), ERR_OK);
		assert_int_equal(later.count, 0);
		reopen(box);
	}
}

static void test_floor(void **state)
{
	struct box *box = *state;
	struct fault *image;

	assert_int_equal(store_transfers_floor(box->store), 0);
	reopen(box);
	assert_int_equal(store_transfers_floor(box->store), 0);
	image = fault_image(box->disk, FAULT_ALL, 1);
	store_close(box->store);
	fault_free(box->disk);
	box->disk = image;
	open_store(box);
	assert_true(store_transfers_floor(box->store) > 0);
}

struct crowd {
	struct store *store;
	uint32_t first;
	unsigned bad;
};

static void *put_many(void *arg)
{
	struct crowd *crowd = arg;

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t number = crowd->first + i;
		size_t len = 100 + number * 7919 % 150000;

		crowd->bad += pieces_put(crowd->store, number, 1, len, i % 2 == 0 ? 0 : 200000) != ERR_OK;
		crowd->bad += pieces_check(crowd->store, number, 1, len) != ERR_OK;
		if (i % 5 == 0)
			crowd->bad += pieces_delete(crowd->store, number) != ERR_OK;
		if (i % 7 == 0)
			crowd->bad += pieces_transfer(crowd->store, number, 1) != ERR_OK;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct box *box = *state;
	struct crowd crowds[8];
	pthread_t threads[8];
	struct store_space space;

	for (uint32_t i = 0; i < 8; i++) {
		crowds[i] = (struct crowd){box->store, i * 1000, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &crowds[i]), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].bad, 0);
	}
	reopen(box);
	store_space(box->store, &space);
	assert_int_equal(space.pieces, 8 * 32);
	check_space(box);
}

/* Two uploads of one key: one wins, the other is told so. */
static void test_same_key_twice(void **state)
{
	struct box *box = *state;
	struct allocation allocation = pieces_allocation(1, 1000);
	struct signature signature = {{0}};
	struct bytes32 hash = {{0}};
	struct store_upload *slow;

	assert_int_equal(store_put_begin(box->store, 0, &allocation, &signature, &hash, &slow), ERR_OK);
	assert_int_equal(pieces_put(box->store, 1, 1, 1000, 0), ERR_OK);
	store_put_abort(slow);
	assert_int_equal(pieces_check(box->store, 1, 1, 1000), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces_of_all_sizes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shorter_than_reserved, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reads_per_get, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_space_adds_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_walks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_floor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same_key_twice, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
