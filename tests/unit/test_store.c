/* The store's face, on a disk in memory: what is put comes back whole, what must be refused is, and the sums add up. */
#include <errno.h>
#include <pthread.h>
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

struct fixture {
	struct fault *fault;
	struct store *store;
	char why[STORE_MESSAGE];
};

static struct store *open_store(struct fixture *f, uint64_t allocation)
{
	const struct store_options options = {.allocation = allocation, .no_upkeep = true};

	assert_int_equal(store_open("/", &options, fault_seam(f->fault), &f->store, f->why), ERR_OK);
	return f->store;
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	open_store(f, ALLOCATION);
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

static void reopen(struct fixture *f)
{
	store_close(f->store);
	open_store(f, ALLOCATION);
}

static const size_t sizes[] = {0,     1,     63,    64,	   1000,   TREE_BLOCK - 1, TREE_BLOCK,	   TREE_BLOCK + 1,
			       65535, 65536, 65537, 70000, 100000, 300000,	   TREE_PIECE - 1, TREE_PIECE};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void test_put_get_delete(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < SIZES; i++)
		assert_int_equal(pieces_put(f->store, i, 1, sizes[i], 0), ERR_OK);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < SIZES; i++)
			assert_int_equal(pieces_check(f->store, i, 1, sizes[i]), ERR_OK);
		reopen(f);
	}
	for (uint32_t i = 0; i < SIZES; i += 2)
		assert_int_equal(pieces_delete(f->store, i), ERR_OK);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < SIZES; i++)
			assert_int_equal(pieces_check(f->store, i, 1, sizes[i]), i % 2 == 0 ? ERR_NOT_FOUND : ERR_OK);
		reopen(f);
	}
	assert_int_equal(pieces_delete(f->store, 0), ERR_NOT_FOUND);
	/* Put anew, with other bytes: those count from now on, also after the next start. */
	assert_int_equal(pieces_put(f->store, 4, 2, 5000, 0), ERR_OK);
	reopen(f);
	assert_int_equal(pieces_check(f->store, 4, 2, 5000), ERR_OK);
}

static void test_metadata(void **state)
{
	struct fixture *f = *state;
	struct store_key key = pieces_key(1);
	struct allocation allocation = pieces_allocation(1, 100000);
	const struct store_piece *piece;
	struct store_reader *reader;
	struct bytes32 hash;

	assert_int_equal(pieces_put(f->store, 1, 7, 100000, 0), ERR_OK);
	assert_int_equal(store_get(f->store, &key, &reader), ERR_OK);
	piece = store_reader_piece(reader);
	typed_hash(&typed_allocation, &allocation, &hash);
	assert_true(bytes32_equal(&piece->allocation, &hash));
	assert_int_equal(piece->size, 100000);
	assert_int_equal(piece->stored_at, 1507);
	assert_int_equal(piece->expires, 0);
	store_reader_free(reader);
}

static void test_parts(void **state)
{
	struct fixture *f = *state;
	struct store_key key = pieces_key(1);
	uint8_t *out = memory_new(4, TREE_BLOCK), *all = memory_new(1, 200000);
	struct store_reader *reader;
	size_t len;

	pieces_fill(1, 1, all, 200000);
	assert_int_equal(pieces_put(f->store, 1, 1, 200000, 0), ERR_OK);
	assert_int_equal(store_get(f->store, &key, &reader), ERR_OK);
	assert_int_equal(store_reader_blocks(reader, 2, 3, out, &len), ERR_OK);
	assert_int_equal(len, 3 * TREE_BLOCK);
	assert_memory_equal(out, all + 2 * TREE_BLOCK, len);
	assert_int_equal(store_reader_blocks(reader, 6, 1, out, &len), ERR_OK);
	assert_int_equal(len, 200000 - 6 * TREE_BLOCK);
	assert_memory_equal(out, all + 6 * TREE_BLOCK, len);
	assert_int_equal(store_reader_blocks(reader, 6, 2, out, &len), ERR_RANGE);
	assert_int_equal(store_reader_blocks(reader, 7, 1, out, &len), ERR_RANGE);
	assert_int_equal(store_reader_blocks(reader, 0, 0, out, &len), ERR_RANGE);
	assert_int_equal(store_reader_blocks(reader, 1, UINT32_MAX, out, &len), ERR_RANGE);
	/* Deleting it does not take it from who reads it. */
	assert_int_equal(pieces_delete(f->store, 1), ERR_OK);
	assert_int_equal(store_reader_blocks(reader, 0, 1, out, &len), ERR_OK);
	assert_memory_equal(out, all, TREE_BLOCK);
	store_reader_free(reader);
	free(out);
	free(all);
}

static void test_view(void **state)
{
	struct fixture *f = *state;
	struct store_key small = pieces_key(1), large = pieces_key(2);
	uint8_t *all = memory_new(1, 40000);
	struct store_reader *reader;
	const uint8_t *data;
	size_t len;

	pieces_fill(1, 1, all, 40000);
	assert_int_equal(pieces_put(f->store, 1, 1, 40000, 0), ERR_OK);
	assert_int_equal(store_get(f->store, &small, &reader), ERR_OK);
	assert_int_equal(store_reader_view(reader, 0, 2, &data, &len), ERR_OK);
	assert_int_equal(len, 40000);
	assert_memory_equal(data, all, len);
	assert_int_equal(store_reader_view(reader, 1, 1, &data, &len), ERR_OK);
	assert_int_equal(len, 40000 - TREE_BLOCK);
	assert_memory_equal(data, all + TREE_BLOCK, len);
	assert_int_equal(store_reader_view(reader, 1, 2, &data, &len), ERR_RANGE);
	assert_int_equal(store_reader_view(reader, 2, 1, &data, &len), ERR_RANGE);
	store_reader_free(reader);
	assert_int_equal(pieces_put(f->store, 2, 1, 65537, 0), ERR_OK);
	assert_int_equal(store_get(f->store, &large, &reader), ERR_OK);
	assert_int_equal(store_reader_view(reader, 0, 1, &data, &len), ERR_UNSUPPORTED);
	store_reader_free(reader);
	free(all);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct allocation allocation = pieces_allocation(1, TREE_PIECE + 1);
	struct signature signature = {{0}};
	struct store_upload *upload;
	struct bytes32 hash = {{0}};
	uint8_t *block = memory_new(1, TREE_BLOCK + 1);

	assert_int_equal(store_put_begin(f->store, 0, &allocation, &signature, &hash, &upload), ERR_RANGE);
	allocation.limit = TREE_BLOCK + 10;
	assert_int_equal(store_put_begin(f->store, 0, &allocation, &signature, &hash, &upload), ERR_OK);
	assert_int_equal(store_put_block(upload, block, 0), ERR_RANGE);
	assert_int_equal(store_put_block(upload, block, TREE_BLOCK + 1), ERR_RANGE);
	assert_int_equal(store_put_block(upload, block, TREE_BLOCK), ERR_OK);
	assert_int_equal(store_put_block(upload, block, 11), ERR_LIMIT);
	assert_int_equal(store_put_block(upload, block, 5), ERR_OK);
	assert_int_equal(store_put_block(upload, block, 5), ERR_RANGE); /* after a short block */
	store_put_abort(upload);
	store_put_abort(NULL);
	assert_int_equal(pieces_check(f->store, 1, 1, 5), ERR_NOT_FOUND);
	assert_int_equal(pieces_put(f->store, 1, 1, 500, 0), ERR_OK);
	assert_int_equal(pieces_put(f->store, 1, 1, 500, 0), ERR_EXISTS);
	free(block);
}

struct outcome {
	enum err errs[4];
	atomic_int count;
};

static void note(void *arg, enum err err)
{
	struct outcome *outcome = arg;

	outcome->errs[atomic_fetch_add(&outcome->count, 1)] = err;
}

/* Of two uploads of one piece the first to end wins; the other leaves nothing that a start could find. */
static void test_two_uploads_of_one_piece(void **state)
{
	struct fixture *f = *state;
	struct allocation allocation = pieces_allocation(5, 100000);
	struct signature signature = {{0}};
	struct store_upload *uploads[2];
	struct outcome outcome = {.count = 0};
	struct bytes32 hash = {{0}};
	uint8_t *content = memory_new(1, 100000);
	struct store_space space;

	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(store_put_begin(f->store, 0, &allocation, &signature, &hash, &uploads[i]), ERR_OK);
		pieces_fill(5, i + 1, content, 100000);
		for (size_t at = 0; at < 100000; at += TREE_BLOCK)
			assert_int_equal(store_put_block(uploads[i], content + at,
							 100000 - at < TREE_BLOCK ? 100000 - at : TREE_BLOCK),
					 ERR_OK);
	}
	store_put_end(uploads[1], NULL, NULL, 1, note, &outcome);
	store_put_end(uploads[0], NULL, NULL, 1, note, &outcome);
	committer_flush(f->store->committer);
	assert_int_equal(outcome.count, 2);
	assert_int_equal(outcome.errs[0], ERR_OK);
	assert_int_equal(outcome.errs[1], ERR_EXISTS);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(pieces_check(f->store, 5, 2, 100000), ERR_OK);
		store_space(f->store, &space);
		assert_int_equal(space.pieces, 1);
		assert_int_equal(space.reserved, 0);
		reopen(f);
	}
	free(content);
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

struct sum {
	uint64_t pieces;
	uint64_t bytes;
};

static bool add_piece(void *arg, const struct store_key *key, uint64_t size)
{
	struct sum *sum = arg;

	(void)key;
	sum->pieces++;
	sum->bytes += size;
	return true;
}

/* All bytes of all segment files are accounted for, and the live ones are those of the pieces. */
static struct store_space expect_sums(struct fixture *f)
{
	struct store_space space;
	struct sum sum = {0, 0};
	uint64_t files = 0;

	segments_wait_idle(f->store->segments);
	store_space(f->store, &space);
	fault_files(f->fault, add_size, &files);
	assert_int_equal(space.live + space.trash + space.dead + space.overhead + space.reserved + space.free, files);
	assert_int_equal(store_each(f->store, add_piece, &sum), ERR_OK);
	assert_int_equal(space.pieces, sum.pieces);
	assert_int_equal(space.live, sum.bytes);
	return space;
}

static void test_space(void **state)
{
	struct fixture *f = *state;
	struct store_space before, after;

	before = expect_sums(f);
	assert_int_equal(before.live, 0);
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(pieces_put(f->store, i, 1, 1000 + i * 3000, i % 3 == 0 ? 300000 : 0), ERR_OK);
		if (i % 4 == 1)
			assert_int_equal(pieces_abort(f->store, 100 + i, 90000, 200000), ERR_OK);
		if (i % 5 == 4)
			assert_int_equal(pieces_delete(f->store, i - 2), ERR_OK);
		expect_sums(f);
	}
	assert_int_equal(pieces_transfer(f->store, 1, 5), ERR_OK);
	before = expect_sums(f);
	assert_int_equal(before.reserved, RECORD_UNIT * 8); /* the transfer is written, and not synced yet */
	assert_true(before.dead > 0);
	reopen(f);
	after = expect_sums(f);
	assert_int_equal(after.live, before.live);
	assert_int_equal(after.pieces, before.pieces);
	assert_int_equal(after.reserved, 0);
	reopen(f);
	before = expect_sums(f);
	assert_int_equal(after.live, before.live);
	assert_int_equal(after.dead, before.dead);
	assert_int_equal(after.overhead, before.overhead);
}

/* Aborted and shortened extents are used again, so they cost nothing. */
static void test_aborted_room_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct store_space space;

	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(pieces_abort(f->store, i, 200000, 300000), ERR_OK);
		assert_int_equal(pieces_put(f->store, i, 1, 20000, 300000), ERR_OK);
	}
	segments_wait_idle(f->store->segments);
	store_space(f->store, &space);
	assert_int_equal(space.reserved, 0);
	assert_true(space.dead < SEGMENT_LEAST / 2);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(pieces_check(f->store, i, 1, 20000), ERR_OK);
}

/* A full store refuses at the beginning, still deletes, and says how much it can take. */
static void test_full(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	uint32_t count = 0;
	enum err err;

	store_close(f->store);
	open_store(f, 8 << 20);
	do
		err = pieces_put(f->store, count++, 1, 200000, 0);
	while (err == ERR_OK);
	assert_int_equal(err, ERR_FULL);
	assert_true(count > 25);
	space = expect_sums(f);
	assert_false(space.read_only);
	assert_true(space.available < 4 * 200000);
	assert_int_equal(pieces_put(f->store, count, 1, 200000, 0), ERR_FULL);
	for (uint32_t i = 0; i < count - 1; i++)
		assert_int_equal(pieces_delete(f->store, i), ERR_OK);
	space = expect_sums(f);
	assert_int_equal(space.pieces, 0);
}

/* The disk can be full though the allocation is not. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	uint32_t count = 0;
	enum err err;

	store_close(f->store);
	fault_free(f->fault);
	f->fault = fault_new(6 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	open_store(f, ALLOCATION);
	do
		err = pieces_put(f->store, count++, 1, 200000, 0);
	while (err == ERR_OK);
	assert_int_equal(err, ERR_FULL);
	expect_sums(f);
	reopen(f);
	for (uint32_t i = 0; i < count - 1; i++)
		assert_int_equal(pieces_check(f->store, i, 1, 200000), ERR_OK);
}

struct seen {
	uint64_t sequences[200];
	uint64_t amounts[200];
	uint32_t serials[200];
	size_t count;
	size_t stop_after;
};

static bool see(void *arg, const struct store_transfer *transfer)
{
	struct seen *seen = arg;

	assert_true(seen->count == 0 || transfer->sequence > seen->sequences[seen->count - 1]);
	seen->sequences[seen->count] = transfer->sequence;
	seen->amounts[seen->count] = transfer->order.amount;
	seen->serials[seen->count] = get_be32(transfer->allocation.serial.b);
	seen->count++;
	return seen->count != seen->stop_after;
}

/* Transfers of reads, and the deals of pieces, deleted ones too, come in the order in which they were made. */
static void test_transfers(void **state)
{
	struct fixture *f = *state;
	struct seen seen;

	for (uint32_t i = 0; i < 20; i++) {
		if (i % 2 == 0)
			assert_int_equal(pieces_put(f->store, i, 1, 100 + i, 0), ERR_OK);
		else
			assert_int_equal(pieces_transfer(f->store, i, 100 + i), ERR_OK);
	}
	assert_int_equal(pieces_delete(f->store, 4), ERR_OK);
	for (int round = 0; round < 2; round++) {
		seen = (struct seen){.count = 0};
		assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
		assert_int_equal(seen.count, 20);
		for (uint32_t i = 0; i < 20; i++)
			assert_true(seen.serials[i] == i && seen.amounts[i] == 100 + i);
		reopen(f);
	}
	uint64_t middle = seen.sequences[9];

	seen = (struct seen){.count = 0};
	assert_int_equal(store_transfers_each(f->store, middle, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 10);
	assert_true(seen.serials[0] == 10);
	seen = (struct seen){.stop_after = 3};
	assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 3);
	/* All were made in the test's own year 1970, but the records of pieces carry the clock. */
	seen = (struct seen){.count = 0};
	assert_int_equal(store_transfers_each(f->store, 0, 1601, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 10);
	assert_true(seen.serials[0] == 0 && seen.serials[1] == 2);
}

/* What the ledger has can go once it expired; numbers never come back. */
static void test_trim(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {.count = 0};
	uint64_t last;

	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(pieces_transfer(f->store, i, i), ERR_OK);
	reopen(f);
	assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 30);
	last = seen.sequences[29];
	assert_int_equal(store_transfers_trim(f->store, last - 1, UINT64_MAX), ERR_OK); /* the ledger lacks one */
	assert_int_equal(store_transfers_trim(f->store, last, 2029), ERR_OK);		/* one has not expired */
	seen = (struct seen){.count = 0};
	assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 30);
	assert_int_equal(store_transfers_trim(f->store, last, 2030), ERR_OK);
	seen = (struct seen){.count = 0};
	assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 0);
	expect_sums(f);
	/* Even when the power goes now, the next number is above all that were trimmed, come back as they may. */
	struct fault *image = fault_image(f->fault, FAULT_SYNCED, 0);
	struct fixture other = {.fault = image};

	open_store(&other, ALLOCATION);
	assert_int_equal(pieces_transfer(other.store, 50, 1), ERR_OK);
	seen = (struct seen){.count = 0};
	assert_int_equal(store_transfers_each(other.store, last, 0, see, &seen), ERR_OK);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.serials[0], 50);
	store_close(other.store);
	fault_free(image);
}

static void test_floor(void **state)
{
	struct fixture *f = *state;
	struct fixture other = {.fault = NULL};
	uint64_t floor;

	reopen(f);
	assert_int_equal(store_transfers_floor(f->store), 0);
	other.fault = fault_image(f->fault, FAULT_ALL, 0);
	open_store(&other, ALLOCATION);
	floor = store_transfers_floor(other.store);
	assert_true(floor > 1700000000);
	store_close(other.store);
	/* The serials that are missing are missing still after a clean stop. */
	open_store(&other, ALLOCATION);
	assert_int_equal(store_transfers_floor(other.store), floor);
	store_close(other.store);
	fault_free(other.fault);
}

static void test_satellites(void **state)
{
	struct fixture *f = *state;
	struct address one = {{1}}, two = {{2}};
	uint16_t number;

	assert_int_equal(store_satellite(f->store, &one, &number), ERR_OK);
	assert_int_equal(number, 0);
	assert_int_equal(store_satellite(f->store, &two, &number), ERR_OK);
	assert_int_equal(number, 1);
	for (uint16_t i = 2; i < SUPER_SATELLITES; i++) {
		struct address other = {{3, (uint8_t)(i >> 8), (uint8_t)i}};

		assert_int_equal(store_satellite(f->store, &other, &number), ERR_OK);
	}
	one.b[5] = 9;
	assert_int_equal(store_satellite(f->store, &one, &number), ERR_LIMIT);
	reopen(f);
	assert_int_equal(store_satellite(f->store, &two, &number), ERR_OK);
	assert_int_equal(number, 1);
}

static void test_opening_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	const struct seam *seam = fault_seam(f->fault);
	char why[STORE_MESSAGE];
	struct store *other;
	uint8_t byte;

	assert_int_equal(store_open("/", &options, seam, &other, why), ERR_BUSY);
	assert_non_null(strstr(why, "open already"));
	assert_int_equal(store_init("/", ALLOCATION, 0, seam, why), ERR_EXISTS);
	assert_int_equal(store_init("/", 1000, 0, seam, why), ERR_RANGE);
	assert_int_equal(store_init("/x", ALLOCATION, 3 << 20, seam, why), ERR_RANGE);
	assert_int_equal(store_init("/x", ALLOCATION, 0, seam, why), ERR_NOT_FOUND);
	assert_int_equal(store_open("/x", &options, seam, &other, why), ERR_NOT_FOUND);
	assert_non_null(strstr(why, "mounted"));
	assert_int_equal(pieces_put(f->store, 1, 1, 1000, 0), ERR_OK);
	store_close(f->store);
	/* One copy of SUPER may rot. */
	fault_peek(f->fault, "//store/SUPER", 50, &byte, 1);
	byte ^= 1;
	fault_poke(f->fault, "//store/SUPER", 50, &byte, 1);
	open_store(f, ALLOCATION);
	assert_int_equal(pieces_check(f->store, 1, 1, 1000), ERR_OK);
	reopen(f);
	/* A segment of another store does not belong here. */
	struct fault *disk = fault_new(64 << 20);
	uint8_t header[SEGMENT_HEADER];

	store_close(f->store);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(disk), why), ERR_OK);
	struct fixture elsewhere = {.fault = disk};

	open_store(&elsewhere, ALLOCATION);
	assert_int_equal(pieces_put(elsewhere.store, 2, 1, 1000, 0), ERR_OK);
	store_close(elsewhere.store);
	fault_peek(disk, "//store/segments/00000001.seg", 0, header, sizeof(header));
	fault_free(disk);
	fault_poke(f->fault, "//store/segments/00000001.seg", 0, header, sizeof(header));
	assert_int_equal(store_open("/", &options, seam, &other, why), ERR_DENIED);
	assert_non_null(strstr(why, "another store"));
	f->fault = (fault_free(f->fault), fault_new(64 << 20));
	assert_int_equal(store_init("/", ALLOCATION, 0, fault_seam(f->fault), why), ERR_OK);
	open_store(f, ALLOCATION);
}

/* After a failed sync nothing is acknowledged any more, and the store says why; reading goes on. */
static void test_read_only(void **state)
{
	struct fixture *f = *state;
	struct store_space space;
	struct address satellite = {{1}};
	uint16_t number;

	assert_int_equal(pieces_put(f->store, 1, 1, 1000, 0), ERR_OK);
	segments_wait_idle(f->store->segments);
	fault_fail(f->fault, 1, EIO); /* 0 is the write, 1 the sync */
	assert_int_equal(pieces_put(f->store, 2, 1, 1000, 0), ERR_IO);
	assert_int_equal(pieces_put(f->store, 3, 1, 1000, 0), ERR_READ_ONLY);
	assert_int_equal(pieces_delete(f->store, 1), ERR_READ_ONLY);
	assert_int_equal(pieces_transfer(f->store, 1, 1), ERR_READ_ONLY);
	assert_int_equal(store_satellite(f->store, &satellite, &number), ERR_READ_ONLY);
	assert_int_equal(pieces_check(f->store, 1, 1, 1000), ERR_OK);
	assert_int_equal(pieces_check(f->store, 2, 1, 1000), ERR_NOT_FOUND);
	store_space(f->store, &space);
	assert_true(space.read_only);
	assert_int_equal(space.available, 0);
	assert_non_null(strstr(space.reason, "syncing segment"));
	/* The next start believes only what the disk holds. */
	reopen(f);
	assert_int_equal(pieces_check(f->store, 1, 1, 1000), ERR_OK);
	assert_int_equal(pieces_check(f->store, 2, 1, 1000), ERR_NOT_FOUND);
	assert_int_equal(pieces_put(f->store, 2, 1, 1000, 0), ERR_OK);
}

/* One sync for a group, one read for a small piece, two at most for a block of a large one. */
static void test_operations_counted(void **state)
{
	struct fixture *f = *state;
	uint64_t syncs, reads;

	assert_int_equal(pieces_put(f->store, 1, 1, 60000, 0), ERR_OK);
	assert_int_equal(pieces_put(f->store, 2, 1, 500000, 0), ERR_OK);
	segments_wait_idle(f->store->segments);
	reads = fault_count(f->fault, FAULT_PREAD);
	assert_int_equal(pieces_check(f->store, 1, 1, 60000), ERR_OK);
	assert_int_equal(fault_count(f->fault, FAULT_PREAD) - reads, 1);
	assert_int_equal(pieces_check(f->store, 2, 1, 500000), ERR_OK);
	assert_int_equal(fault_count(f->fault, FAULT_PREAD) - reads, 3);
	assert_int_equal(pieces_check(f->store, 2, 1, 500000), ERR_OK);
	assert_int_equal(fault_count(f->fault, FAULT_PREAD) - reads, 4); /* its head is cached */
	syncs = fault_count(f->fault, FAULT_SYNC);
	reads = fault_count(f->fault, FAULT_PREAD);
	assert_int_equal(pieces_put(f->store, 3, 1, 3000, 0), ERR_OK);
	assert_int_equal(fault_count(f->fault, FAULT_SYNC) - syncs, 1);
	assert_int_equal(fault_count(f->fault, FAULT_PREAD) - reads, 0);
}

struct crowd {
	struct store *store;
	uint32_t first;
	unsigned bad;
};

/* Puts, reads, deletes and transfers of its own pieces. */
static void *work_alone(void *arg)
{
	struct crowd *crowd = arg;

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t number = crowd->first + i;
		size_t len = 100 + number * 7919 % 150000;

		crowd->bad += pieces_put(crowd->store, number, 1, len, i % 2 == 0 ? 0 : 200000) != ERR_OK;
		crowd->bad += pieces_check(crowd->store, number, 1, len) != ERR_OK;
		if (i % 3 == 0)
			crowd->bad += pieces_abort(crowd->store, 5000 + number, len, 200000) != ERR_OK;
		if (i % 5 == 0)
			crowd->bad += pieces_delete(crowd->store, number) != ERR_OK;
		if (i % 7 == 0)
			crowd->bad += pieces_transfer(crowd->store, number, 1) != ERR_OK;
	}
	return NULL;
}

/* All at the same pieces: any answer but one of those is wrong, and so is any other content. */
static void *work_together(void *arg)
{
	struct crowd *crowd = arg;

	for (uint32_t i = 0; i < 60; i++) {
		uint32_t number = 9000 + i % 10;
		enum err put = pieces_put(crowd->store, number, 1, 3000, 0);
		enum err check = pieces_check(crowd->store, number, 1, 3000);
		enum err gone = i % 2 == 0 ? pieces_delete(crowd->store, number) : ERR_OK;

		crowd->bad += put != ERR_OK && put != ERR_EXISTS;
		crowd->bad += check != ERR_OK && check != ERR_NOT_FOUND;
		crowd->bad += gone != ERR_OK && gone != ERR_NOT_FOUND;
	}
	return NULL;
}

/* What others do meanwhile: follow the log, walk the pieces, ask for the space. */
static bool skip_piece(void *arg, const struct store_key *key, uint64_t size)
{
	(void)arg;
	(void)key;
	(void)size;
	return true;
}

static bool follow(void *arg, const struct store_transfer *transfer)
{
	uint64_t *last = arg;

	if (transfer->sequence <= *last)
		return false;
	*last = transfer->sequence;
	return true;
}

static void *look_on(void *arg)
{
	struct crowd *crowd = arg;
	struct store_space space;
	uint64_t last = 0;

	for (int i = 0; i < 20; i++) {
		crowd->bad += store_transfers_each(crowd->store, last, 0, follow, &last) != ERR_OK;
		crowd->bad += store_each(crowd->store, skip_piece, NULL) != ERR_OK;
		store_space(crowd->store, &space);
		crowd->bad += space.read_only;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	void *(*const jobs[])(void *arg) = {work_alone,	   work_alone,	  work_alone,	 work_alone,
					    work_together, work_together, work_together, look_on};
	struct fixture *f = *state;
	struct crowd crowds[8];
	pthread_t threads[8];
	struct store_space space;

	for (uint32_t i = 0; i < 8; i++) {
		crowds[i] = (struct crowd){f->store, i * 1000, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], &crowds[i]), 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].bad, 0);
	}
	space = expect_sums(f);
	reopen(f);
	assert_int_equal(expect_sums(f).live, space.live);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t k = 0; k < 40; k++)
			assert_int_equal(pieces_check(f->store, i * 1000 + k, 1, 100 + (i * 1000 + k) * 7919 % 150000),
					 k % 5 == 0 ? ERR_NOT_FOUND : ERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put_get_delete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_metadata, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_view, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_uploads_of_one_piece, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_space, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_aborted_room_is_used_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_transfers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trim, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_floor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_satellites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_opening_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_read_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_operations_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
