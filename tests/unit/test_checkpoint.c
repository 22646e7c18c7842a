/*
 * Checkpoints: a start from one finds exactly what a start from the segments alone finds.
 *
 * A random workload is written once; at many moments the disk as it then is, or as a power cut would leave it, is
 * opened twice, with the checkpoints and without, and both must agree with each other and with the model. Then the
 * files are damaged, cut, swapped and taken away: whatever a checkpoint says, no piece may be missing that is there,
 * and none may come back that is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "node/store/checkpoint.h"
#include "node/store/checkpointer.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define KEYS 60

enum where { ABSENT, LIVE, TRASHED };

struct piece {
	enum where where;
	uint32_t version;
	size_t len;
};

struct fixture {
	struct fault *fault;
	struct store *store;
	struct store_upload *held;
	struct piece pieces[KEYS];
	struct random_stream dice;
	bool late;
	uint32_t starts;    /* with checkpoints allowed … */
	uint32_t shortcuts; /* … and used */
};

static const struct store_options plain = {.allocation = ALLOCATION, .no_upkeep = true};
static const struct store_options from_segments = {.allocation = ALLOCATION, .no_upkeep = true, .rebuild = true};
static const struct store_options mapped = {.allocation = ALLOCATION, .no_upkeep = true, .index = STORE_INDEX_MAPPED};

static struct store *open_on(struct fault *fault, const struct store_options *options)
{
	char why[STORE_MESSAGE] = "";
	struct store *store;

	if (store_open("/", options, fault_seam(fault), &store, why) != ERR_OK)
		fail_msg("%s", why);
	return store;
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	char why[STORE_MESSAGE];

	f->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), why), ERR_OK);
	f->store = open_on(f->fault, &plain);
	random_stream_init(&f->dice, bytes_of("checkpoint", 10));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_put_abort(f->held);
	store_close(f->store);
	fault_free(f->fault);
	free(f);
	return 0;
}

static uint32_t below(struct fixture *f, uint32_t most)
{
	return (uint32_t)random_stream_below(&f->dice, most);
}

/* Where the piece is, without reading it through the store's face, which would restore it. */
static enum where look(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;

	if (store_locate(store, &key, LOCATE_CORE, &found, NULL) != ERR_OK)
		return ABSENT;
	segments_unpin(store->segments, found.segment);
	return (found.place.flags & INDEX_TRASHED) != 0 ? TRASHED : LIVE;
}

/* All pieces are where the model has them, and hold what it says. */
static void check_model(const struct fixture *f, struct store *store)
{
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(look(store, i), f->pieces[i].where);
	for (uint32_t i = 0; i < KEYS; i++) {
		if (f->pieces[i].where == LIVE)
			assert_int_equal(pieces_check(store, i, f->pieces[i].version, f->pieces[i].len), ERR_OK);
	}
}

static void same_space(const struct store_space *a, const struct store_space *b)
{
	assert_int_equal(a->live, b->live);
	assert_int_equal(a->pieces, b->pieces);
	assert_int_equal(a->trash, b->trash);
	assert_int_equal(a->trashed, b->trashed);
	assert_int_equal(a->overhead, b->overhead);
	assert_int_equal(a->dead, b->dead);
	assert_int_equal(a->free, b->free);
}

/* Open a copy of the disk in this way, hold it against the model, and tell its sums. */
static void open_copy(struct fixture *f, enum fault_keep keep, uint64_t seed, const struct store_options *options,
		      struct store_space *ret)
{
	struct fault *copy = fault_image(f->fault, keep, seed);
	struct store *store = open_on(copy, options);

	assert_false(options->rebuild && store->short_start);
	f->shortcuts += store->short_start;
	f->starts += !options->rebuild;
	segments_wait_idle(store->segments); /* it makes spares */
	store_space(store, ret);
	assert_false(ret->read_only);
	check_model(f, store);
	store_close(store);
	/* And what it left behind serves the next one. */
	store = open_on(copy, options == &mapped ? &plain : &mapped);
	check_model(f, store);
	store_close(store);
	fault_free(copy);
}

/* Everything was acknowledged, so each image must hold all of it. */
static void compare_starts(struct fixture *f, uint64_t seed)
{
	enum fault_keep keep = (enum fault_keep)(seed % FAULT_KEEPS);
	struct store_space with, without;

	segments_wait_idle(f->store->segments); /* or the copies differ */
	open_copy(f, keep, seed, seed % 2 == 0 ? &plain : &mapped, &with);
	open_copy(f, keep, seed, &from_segments, &without);
	same_space(&with, &without);
}

static void put(struct fixture *f, uint32_t number, size_t len)
{
	struct piece *piece = &f->pieces[number];

	assert_int_equal(pieces_put(f->store, number, piece->version + 1, len, len + below(f, 2) * 70000), ERR_OK);
	*piece = (struct piece){LIVE, piece->version + 1, len};
}

static void drop(struct fixture *f, uint32_t number)
{
	assert_int_equal(pieces_delete(f->store, number), ERR_OK);
	f->pieces[number].where = ABSENT;
}

/* An upload that goes on for long keeps its segment from being sealed. */
static void hold_or_let_go(struct fixture *f)
{
	if (f->held != NULL) {
		store_put_abort(f->held);
		f->held = NULL;
	} else {
		assert_int_equal(pieces_hold(f->store, KEYS + 1, 1000 + below(f, 90000), 100000, &f->held), ERR_OK);
	}
}

static void compact(struct fixture *f, unsigned steps)
{
	struct store_compacted done = {.more = true};

	for (unsigned i = 0; done.more && i < steps; i++)
		assert_int_equal(store_compact_step(f->store, 5, &done), ERR_OK);
}

/* A table or a few of a checkpoint, so that changes come between. */
static void step_on(struct fixture *f)
{
	uint64_t budget = 1 + below(f, 100);

	checkpointer_ask(f->store);
	(void)checkpointer_step(f->store, &budget);
}

static void change_something(struct fixture *f)
{
	static const size_t sizes[] = {0, 100, 5000, 65536, 70000, 130000};
	uint32_t number = below(f, KEYS), verb = below(f, 40);
	struct piece *piece = &f->pieces[number];

	if (verb == 0)
		hold_or_let_go(f);
	else if (verb == 1)
		compact(f, 1 + below(f, 20));
	else if (verb == 2)
		assert_int_equal(store_checkpoint(f->store), ERR_OK);
	else if (verb < 6)
		step_on(f);
	else if (piece->where == ABSENT)
		put(f, number, sizes[below(f, sizeof(sizes) / sizeof(sizes[0]))]);
	else if (verb < 20)
		drop(f, number);
	else if (piece->where == LIVE && pieces_trash(f->store, number) == ERR_OK)
		piece->where = TRASHED;
	else if (piece->where == TRASHED && pieces_restore(f->store, number) == ERR_OK)
		piece->where = LIVE;
}

static void test_like_the_segments(void **state)
{
	struct fixture *f = *state;
	bool soak = getenv("GRANARY_SOAK") != NULL;
	uint32_t steps = soak ? 20000 : 1500;

	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	for (uint32_t i = 1; i <= steps; i++) {
		change_something(f);
		if (i % 15 == 0)
			compare_starts(f, i / 15);
	}
	/* Or nothing was tested. */
	assert_int_equal(f->shortcuts, f->starts);
}

static uint32_t segment_of(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;
	uint32_t id;

	assert_int_equal(store_locate(store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	id = found.segment->id;
	segments_unpin(store->segments, found.segment);
	return id;
}

/* Until not even a tombstone finds room in the segment of this piece. */
static void fill_up(struct fixture *f, uint32_t number)
{
	uint32_t next = 31;

	for (size_t len = 64000; len > 0 && next < KEYS; len /= 2) {
		do
			assert_int_equal(pieces_put(f->store, next, ++f->pieces[next].version, len, 0), ERR_OK);
		while (segment_of(f->store, next++) == segment_of(f->store, number) && next < KEYS);
	}
	for (uint32_t i = 31; i < next; i++) {
		assert_int_equal(pieces_delete(f->store, i), ERR_OK);
		f->pieces[i].where = ABSENT;
	}
	assert_true(next < KEYS);
}

/* Of a piece in a segment that was open at the checkpoint, deleted before it; the tombstone is in one that is covered,
 * and never read. */
static void test_dead_stays_dead(void **state)
{
	struct fixture *f = *state;
	struct sequence_ticket ticket;
	struct store_upload *held;

	/* A record that takes its time: the horizon stays below it. */
	if (f->late)
		sequence_take(&f->store->sequence, &ticket);
	assert_int_equal(pieces_hold(f->store, KEYS, 70000, 100000, &held), ERR_OK);
	put(f, 1, 5000);
	for (uint32_t i = 10; i < 18; i++)
		put(f, i, 130000);
	fill_up(f, 1);
	drop(f, 1);
	for (uint32_t i = 20; i < 30; i++)
		put(f, i, 130000);
	segments_wait_idle(f->store->segments);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	put(f, 2, 100);
	for (uint64_t seed = 0; seed < FAULT_KEEPS; seed++)
		compare_starts(f, seed);
	assert_int_equal(f->shortcuts, FAULT_KEEPS);
	store_put_abort(held);
	if (f->late)
		sequence_done(&f->store->sequence, &ticket);
}

static void test_dead_above_the_horizon(void **state)
{
	struct fixture *f = *state;

	f->late = true;
	test_dead_stays_dead(state);
}

static void fill(struct fixture *f)
{
	for (uint32_t i = 0; i < 40; i++)
		put(f, i, i % 3 == 0 ? 130000 : 5000 + i);
	for (uint32_t i = 0; i < 40; i += 5)
		drop(f, i);
}

enum { WRITERS = 3, OWN = KEYS / WRITERS };

struct writer_thread {
	struct fixture *f;
	uint32_t first; /* of its own keys */
	uint32_t steps;
	pthread_t thread;
};

/* Puts, deletes and trashes its own keys, as fast as it can. */
static void *write_on(void *arg)
{
	struct writer_thread *writer = arg;
	struct random_stream dice;

	random_stream_init(&dice, bytes_of(&writer->first, sizeof(writer->first)));
	for (uint32_t i = 0; i < writer->steps; i++) {
		uint32_t number = writer->first + (uint32_t)random_stream_below(&dice, OWN);
		struct piece *piece = &writer->f->pieces[number];

		if (piece->where == ABSENT) {
			piece->version++;
			piece->len = (size_t)random_stream_below(&dice, 3) * 30000;
			assert_int_equal(pieces_put(writer->f->store, number, piece->version, piece->len, 0), ERR_OK);
			piece->where = LIVE;
		} else if (piece->where == LIVE && random_stream_below(&dice, 3) == 0) {
			assert_int_equal(pieces_trash(writer->f->store, number), ERR_OK);
			piece->where = TRASHED;
		} else {
			assert_int_equal(pieces_delete(writer->f->store, number), ERR_OK);
			piece->where = ABSENT;
		}
	}
	return NULL;
}

/* The number of the piece's record, twice, and one more when it is in the trash; 0: absent. */
static uint64_t standing(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;

	if (store_locate(store, &key, LOCATE_CORE, &found, NULL) != ERR_OK)
		return 0;
	segments_unpin(store->segments, found.segment);
	return found.record.sequence * 2 + (found.place.flags & INDEX_TRASHED);
}

/* What was acknowledged at this moment nobody knows, but both ways must find the same. */
static void compare_at_random(const struct fixture *f, uint64_t seed)
{
	struct fault *image = fault_image(f->fault, (enum fault_keep)(seed % FAULT_KEEPS), seed);
	struct fault *copy = fault_image(image, FAULT_ALL, 0);
	struct store *with = open_on(image, &plain), *without = open_on(copy, &from_segments);

	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(standing(with, i), standing(without, i));
	store_close(with);
	store_close(without);
	fault_free(image);
	fault_free(copy);
}

/* Checkpoints while writers are at it, and the power cut at any moment. */
static void test_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct writer_thread writers[WRITERS];

	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer_thread){.f = f, .first = i * OWN, .steps = 600};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
	}
	for (uint32_t i = 0; i < 60; i++) {
		if (i % 3 == 0)
			compact(f, 5);
		assert_int_equal(store_checkpoint(f->store), ERR_OK);
		compare_at_random(f, i);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	for (uint64_t seed = 0; seed < FAULT_KEEPS; seed++)
		compare_starts(f, seed);
}

/* From a clean stop on nothing is read but headers of spares and the checkpoint. */
static void test_reads_little(void **state)
{
	struct fixture *f = *state;
	uint64_t before, reads;

	fill(f);
	store_close(f->store);
	f->store = open_on(f->fault, &plain);
	store_close(f->store);
	before = fault_count(f->fault, FAULT_PREAD);
	f->store = open_on(f->fault, &plain);
	reads = fault_count(f->fault, FAULT_PREAD) - before;
	/* SUPER twice; of each checkpoint end, header and rows; the slots of one; header, end and a page of each spare.
	 */
	assert_true(reads <= 20);
	check_model(f, f->store);
}

#define NEWER "//store/index/checkpoint-0"
#define OLDER "//store/index/checkpoint-1"

/* Leave checkpoint-0 the newest, and more behind each. */
static void make_two(struct fixture *f)
{
	fill(f);
	store_close(f->store);
	f->store = open_on(f->fault, &plain);
	put(f, 50, 30000);
	drop(f, 1);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	drop(f, 2);
	put(f, 51, 130000);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	drop(f, 3);
	put(f, 52, 130000);
	assert_true(fault_size(f->fault, NEWER) != UINT64_MAX && fault_size(f->fault, OLDER) != UINT64_MAX);
}

/* A start on this disk finds all that the model has; the disk is done with. */
static void expect_all(const struct fixture *f, struct fault *disk)
{
	struct store *store = open_on(disk, &plain);

	check_model(f, store);
	store_close(store);
	fault_free(disk);
}

static void flip(struct fault *fault, const char *path, uint64_t at)
{
	uint8_t byte;

	fault_peek(fault, path, at, &byte, 1);
	byte ^= 1;
	fault_poke(fault, path, at, &byte, 1);
}

/* Whatever bit is wrong, in either or in both: the pieces are there. */
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	make_two(f);
	size = fault_size(f->fault, NEWER);
	for (uint64_t at = 0; at < size; at += 1 + at % 13) {
		struct fault *copy = fault_image(f->fault, FAULT_ALL, 0);

		flip(copy, NEWER, at);
		if (at % 3 == 0)
			flip(copy, OLDER, fault_size(copy, OLDER) - 1 - at / 2);
		expect_all(f, copy);
	}
}

static void cut(struct fault *fault, const char *path, uint64_t size)
{
	const struct seam *seam = fault_seam(fault);
	int fd;

	assert_int_equal(seam_open_file(seam, path, O_RDWR, &fd), ERR_OK);
	assert_int_equal(seam_cut_file(seam, fd, size), ERR_OK);
	seam->close(seam, fd);
}

static void test_truncated(void **state)
{
	struct fixture *f = *state;
	uint64_t size;

	make_two(f);
	size = fault_size(f->fault, NEWER);
	for (uint64_t left = 0; left < size; left += 1 + left / 5) {
		struct fault *copy = fault_image(f->fault, FAULT_ALL, 0);

		cut(copy, NEWER, left);
		expect_all(f, copy);
	}
}

static uint8_t *read_file(struct fault *fault, const char *path, uint64_t *ret_size)
{
	uint8_t *bytes;

	*ret_size = fault_size(fault, path);
	assert_true(*ret_size != UINT64_MAX);
	bytes = memory_new(1, *ret_size);
	fault_peek(fault, path, 0, bytes, *ret_size);
	return bytes;
}

static void write_file(struct fault *fault, const char *path, const uint8_t *bytes, uint64_t size)
{
	const struct seam *seam = fault_seam(fault);
	int fd;

	assert_int_equal(seam_open_file(seam, path, O_RDWR | O_CREAT | O_TRUNC, &fd), ERR_OK);
	assert_int_equal(seam_write_full(seam, fd, bytes, size, 0), ERR_OK);
	assert_int_equal(seam_sync_file(seam, fd), ERR_OK);
	seam->close(seam, fd);
}

/* Another store's is none of ours. One of our own from long ago is true as far as it goes. */
static void test_foreign_and_old(void **state)
{
	struct fixture *f = *state;
	struct fault *other = fault_new(64 << 20);
	uint64_t size, foreign_size;
	uint8_t *old, *foreign;
	char why[STORE_MESSAGE];
	struct store *store;

	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(other), why), ERR_OK);
	store = open_on(other, &plain);
	assert_int_equal(pieces_put(store, 1, 1, 1000, 0), ERR_OK);
	assert_int_equal(store_checkpoint(store), ERR_OK);
	store_close(store);
	foreign = read_file(other, NEWER, &foreign_size);
	fill(f);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	old = read_file(f->fault, NEWER, &size);
	for (uint32_t i = 0; i < 40; i++) {
		if (f->pieces[i].where == LIVE && i % 2 == 0)
			drop(f, i);
		else if (f->pieces[i].where == ABSENT)
			put(f, i, 60000);
	}
	store_close(f->store);
	write_file(f->fault, NEWER, old, size);
	write_file(f->fault, OLDER, foreign, foreign_size);
	f->store = open_on(f->fault, &plain);
	check_model(f, f->store);
	fault_free(other);
	free(foreign);
	free(old);
}

/* Compaction moves pieces away from segments that the checkpoint still names, and unlinks them. */
static void test_orphans(void **state)
{
	struct fixture *f = *state;
	struct store_space with, without;

	fill(f);
	for (uint32_t i = 41; i < 59; i++)
		put(f, i, 100000);
	for (uint32_t i = 7; i < 40; i += 6) {
		assert_int_equal(pieces_trash(f->store, i), f->pieces[i].where == LIVE ? ERR_OK : ERR_NOT_FOUND);
		if (f->pieces[i].where == LIVE)
			f->pieces[i].where = TRASHED;
	}
	segments_wait_idle(f->store->segments);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	for (uint32_t i = 42; i < 59; i += 2)
		drop(f, i);
	compact(f, 200);
	/* The checkpoint still serves. */
	for (uint64_t seed = 0; seed < FAULT_KEEPS; seed++) {
		open_copy(f, (enum fault_keep)seed, seed, &plain, &with);
		open_copy(f, (enum fault_keep)seed, seed, &from_segments, &without);
		assert_int_equal(with.live, without.live);
		assert_int_equal(with.trash, without.trash);
	}
	assert_int_equal(f->shortcuts, FAULT_KEEPS);
}

struct lister {
	char paths[64][64];
	size_t count;
};

static void list(void *arg, const char *path, uint64_t size)
{
	struct lister *lister = arg;

	(void)size;
	if (strstr(path, "/segments/") != NULL && lister->count < 64)
		snprintf(lister->paths[lister->count++], 64, "%s", path);
}

/* A segment that is gone takes its own pieces along, and no others. Tombstones that were in it do not count any more.
 */
static void test_missing_segment(void **state)
{
	struct fixture *f = *state;
	struct lister lister = {.count = 0};
	uint32_t homes[KEYS] = {0};

	fill(f);
	for (uint32_t k = 0; k < KEYS; k++)
		homes[k] = f->pieces[k].where == ABSENT ? 0 : segment_of(f->store, k);
	store_close(f->store);
	fault_files(f->fault, list, &lister);
	assert_true(lister.count > 2);
	for (size_t i = 0; i < lister.count; i++) {
		struct fault *copy = fault_image(f->fault, FAULT_ALL, 0);
		struct store *store;
		uint32_t gone;

		assert_int_equal(sscanf(strrchr(lister.paths[i], '/') + 1, "%x", &gone), 1);
		assert_int_equal(seam_unlink_file(fault_seam(copy), lister.paths[i]), ERR_OK);
		store = open_on(copy, &plain);
		for (uint32_t k = 0; k < KEYS; k++) {
			if (homes[k] == gone)
				assert_int_equal(look(store, k), ABSENT);
			else if (homes[k] != 0)
				assert_int_equal(pieces_check(store, k, f->pieces[k].version, f->pieces[k].len),
						 ERR_OK);
		}
		store_close(store);
		fault_free(copy);
	}
	f->store = open_on(f->fault, &plain);
}

/* Cut off at every change that a checkpoint makes to the disk, while one generation is there, and two. */
static void test_cut_off(void **state)
{
	struct fixture *f = *state;
	uint64_t cuts = 0;

	fill(f);
	for (int round = 0; round < 3; round++) {
		put(f, 41 + (uint32_t)round, 3000);
		for (uint64_t nth = 0;; nth++) {
			struct fault *copy = fault_image(f->fault, FAULT_ALL, 0);
			struct store *store = open_on(copy, &plain);
			enum err err;

			check_model(f, store);
			fault_stop(copy, fault_changes(copy) + nth);
			err = store_checkpoint(store);
			store_close(store);
			for (uint64_t seed = 0; seed < FAULT_KEEPS; seed++) {
				expect_all(f, fault_image(copy, (enum fault_keep)seed, nth * 31 + seed));
				cuts++;
			}
			fault_free(copy);
			if (err == ERR_OK)
				break;
		}
		assert_int_equal(store_checkpoint(f->store), ERR_OK);
	}
	assert_true(cuts > 100);
}

/* A checkpoint that fails is no harm: the store goes on, and the next one comes about. */
static void test_failures(void **state)
{
	static const int numbers[] = {EIO, ENOSPC, EINTR, FAULT_SHORT};
	struct fixture *f = *state;
	uint32_t failed = 0;

	fill(f);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t begun = fault_operations(f->fault), count;

		assert_int_equal(store_checkpoint(f->store), ERR_OK);
		count = fault_operations(f->fault) - begun;
		for (uint64_t nth = 0; nth < count; nth++) {
			struct store_space space;

			put(f, 50, 100);
			fault_fail(f->fault, nth, numbers[i]);
			if (store_checkpoint(f->store) != ERR_OK)
				failed++;
			fault_fail(f->fault, FAULT_NEVER, 0);
			store_space(f->store, &space);
			assert_false(space.read_only);
			drop(f, 50);
			compare_starts(f, nth);
		}
	}
	assert_true(failed > 5);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
}

/* What is left of a nearly full disk is for pieces; the older generation goes, the newer stays. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	const struct seam *seam = fault_seam(f->fault);
	struct store_space space;
	struct seam_space disk;
	int fd;

	make_two(f);
	segments_wait_idle(f->store->segments);
	assert_int_equal(seam_free_space(seam, "/", &disk), ERR_OK);
	assert_int_equal(seam_open_file(seam, "//filler", O_RDWR | O_CREAT, &fd), ERR_OK);
	assert_int_equal(seam_allocate_file(seam, fd, disk.free - 100000), ERR_OK);
	assert_int_equal(store_checkpoint(f->store), ERR_FULL);
	assert_true((fault_size(f->fault, NEWER) == UINT64_MAX) != (fault_size(f->fault, OLDER) == UINT64_MAX));
	store_space(f->store, &space);
	assert_false(space.read_only);
	drop(f, 50);
	check_model(f, f->store);
	seam->close(seam, fd);
	assert_int_equal(seam_unlink_file(seam, "//filler"), ERR_OK);
	assert_int_equal(store_checkpoint(f->store), ERR_OK);
	compare_starts(f, 0);
	assert_int_equal(f->shortcuts, 1);
}

static void test_rebuild(void **state)
{
	struct fixture *f = *state;
	const struct seam *seam = fault_seam(f->fault);
	struct store_space space, before;
	char why[STORE_MESSAGE];

	make_two(f);
	assert_int_equal(store_rebuild("/", &plain, seam, &space, why), ERR_BUSY);
	store_close(f->store);
	f->store = open_on(f->fault, &plain);
	segments_wait_idle(f->store->segments);
	store_space(f->store, &before);
	store_close(f->store);
	assert_int_equal(store_rebuild("/", &plain, seam, &space, why), ERR_OK);
	assert_int_equal(space.live, before.live);
	assert_int_equal(space.dead, before.dead);
	assert_int_equal(space.pieces, before.pieces);
	f->store = open_on(f->fault, &plain);
	check_model(f, f->store);
}

static void test_job(void **state)
{
	const struct store_options often = {.allocation = ALLOCATION, .no_upkeep = true, .checkpoint_records = 5};
	struct fixture *f = *state;
	uint64_t changes;

	store_close(f->store);
	f->store = open_on(f->fault, &often);
	/* The one that closing left. */
	assert_true(fault_size(f->fault, NEWER) != UINT64_MAX);
	assert_false(store_upkeep_step(f->store, "checkpoint"));
	for (uint32_t i = 0; i < 4; i++)
		put(f, i, 100);
	assert_false(store_upkeep_step(f->store, "checkpoint"));
	assert_true(fault_size(f->fault, OLDER) == UINT64_MAX);
	put(f, 4, 100);
	while (store_upkeep_step(f->store, "checkpoint"))
		;
	assert_true(fault_size(f->fault, OLDER) != UINT64_MAX);
	changes = fault_changes(f->fault);
	assert_false(store_upkeep_step(f->store, "checkpoint"));
	assert_int_equal(fault_changes(f->fault), changes);
	checkpointer_ask(f->store);
	while (store_upkeep_step(f->store, "checkpoint"))
		;
	assert_true(fault_changes(f->fault) > changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_like_the_segments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_stays_dead, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dead_above_the_horizon, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reads_little, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_and_old, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_orphans, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_missing_segment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rebuild, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_job, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
