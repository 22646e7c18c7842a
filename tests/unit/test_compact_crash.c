/*
 * Compaction under crashes: it is cut off at every change to the disk, failed at every operation, and meets deletes,
 * trash and readers on its way; what was acknowledged must be there, byte for byte, and what was deleted must not.
 *
 * Each run starts from an image of one disk: segments of which about half is dead, pieces in the trash among the rest,
 * and tombstones that kill records of other segments. GRANARY_SOAK=1 takes many more images.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/copy.h"
#include "node/store/marks.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define KEYS 64
#define FAR 23 /* a piece is deleted so many pieces later, mostly from another segment */

enum state { GONE, LIVE, TRASHED };

struct world {
	struct fault *fault;
	struct store *store;
	enum state states[KEYS];
	char why[STORE_MESSAGE];
};

static const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
static long images;

static size_t size_of(uint32_t key)
{
	return key % 7 == 0 ? 120000 : 2000 + key * 700;
}

static enum err open_world(struct world *w)
{
	return store_open("/", &options, fault_seam(w->fault), &w->store, w->why);
}

static void close_world(struct world *w)
{
	store_close(w->store);
	w->store = NULL;
}

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t come;
	bool here;
	enum err err;
};

static void note_answer(void *arg, enum err err)
{
	struct answer *answer = arg;

	pthread_mutex_lock(&answer->lock);
	answer->here = true;
	answer->err = err;
	pthread_cond_signal(&answer->come);
	pthread_mutex_unlock(&answer->lock);
}

/* Trash it, or restore it. */
static enum err mark(struct store *store, uint32_t key, bool trash)
{
	struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK};
	struct store_key piece = pieces_key(key);
	enum err err = trash ? store_trash(store, &piece, note_answer, &answer) :
			       store_restore(store, &piece, NULL, note_answer, &answer);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&answer.lock);
	while (!answer.here)
		pthread_cond_wait(&answer.come, &answer.lock);
	pthread_mutex_unlock(&answer.lock);
	return answer.err;
}

/* About three segments, closed cleanly. */
static void make_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->fault = fault_new(256 << 20);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w->fault), w->why), ERR_OK);
	assert_int_equal(open_world(w), ERR_OK);
	for (uint32_t key = 0; key < KEYS; key++) {
		assert_int_equal(pieces_put(w->store, key, 1, size_of(key), 0), ERR_OK);
		w->states[key] = LIVE;
		if (key >= FAR && key % 2 == FAR % 2) {
			assert_int_equal(pieces_delete(w->store, key - FAR), ERR_OK);
			w->states[key - FAR] = GONE;
		}
		if (key % 5 == 3) {
			assert_int_equal(mark(w->store, key, true), ERR_OK);
			w->states[key] = TRASHED;
		}
		if (key % 10 == 3) {
			assert_int_equal(mark(w->store, key, false), ERR_OK);
			w->states[key] = LIVE;
		}
	}
	close_world(w);
}

/* The same disk, with a store that may do to it what it likes. */
static struct world copy_of(const struct world *w)
{
	struct world copy = *w;

	copy.store = NULL;
	copy.fault = fault_image(w->fault, FAULT_ALL, 0);
	return copy;
}

static void end_world(struct world *w)
{
	close_world(w);
	fault_free(w->fault);
}

static void add_size(void *arg, const char *path, uint64_t size)
{
	if (strstr(path, ".seg") != NULL)
		*(uint64_t *)arg += size;
}

static void expect_sums(struct world *w)
{
	struct store_space space;
	uint64_t files = 0, live = 0, trash = 0;

	for (uint32_t key = 0; key < KEYS; key++) {
		live += w->states[key] == LIVE ? size_of(key) : 0;
		trash += w->states[key] == TRASHED ? size_of(key) : 0;
	}
	segments_wait_idle(w->store->segments);
	store_space(w->store, &space);
	fault_files(w->fault, add_size, &files);
	assert_int_equal(space.live + space.trash + space.dead + space.overhead + space.reserved + space.free, files);
	assert_int_equal(space.live, live);
	assert_int_equal(space.trash, trash);
	assert_int_equal(space.reserved, 0);
}

/* All of it reads; the sums first, because reading restores what is in the trash. */
static void expect_pieces(struct world *w)
{
	for (uint32_t key = 0; key < KEYS; key++) {
		enum err err = pieces_check(w->store, key, 1, size_of(key));

		if (err != (w->states[key] == GONE ? ERR_NOT_FOUND : ERR_OK)) {
			print_message("key %u: %s\n", key, err_name(err));
			fault_print(w->fault);
			fail();
		}
	}
}

/* All that is to be had, with a checkpoint after every so many steps; 0: none. */
static enum err compact_beside(struct world *w, unsigned checkpoints)
{
	struct store_compacted step = {.more = true};
	enum err err = ERR_OK;

	for (unsigned i = 1; err == ERR_OK && step.more; i++) {
		err = store_compact_step(w->store, 10, &step);
		if (err == ERR_OK && checkpoints > 0 && i % checkpoints == 0)
			err = store_checkpoint(w->store);
	}
	return err;
}

static enum err compact(struct world *w)
{
	return compact_beside(w, 0);
}

static bool soak(void)
{
	return getenv("GRANARY_SOAK") != NULL;
}

/* A disk as it may be after a crash: it holds all, goes on compacting, and holds all again. */
static void expect_image(const struct world *crashed, enum fault_keep keep, uint64_t seed)
{
	struct world w = *crashed;

	images++;
	w.store = NULL;
	w.fault = fault_image(crashed->fault, keep, seed);
	if (seed % 10 == 9) {
		struct fault *first = w.fault;

		fault_stop(first, seed / 10 % 23);
		if (open_world(&w) == ERR_OK)
			close_world(&w);
		w.fault = fault_image(first, (enum fault_keep)(seed % FAULT_KEEPS), seed);
		fault_free(first);
	}
	assert_int_equal(open_world(&w), ERR_OK);
	expect_sums(&w);
	if (seed % 3 == 0) {
		assert_int_equal(compact(&w), ERR_OK);
		expect_sums(&w);
		close_world(&w);
		assert_int_equal(open_world(&w), ERR_OK);
		expect_sums(&w);
	}
	expect_pieces(&w);
	end_world(&w);
}

static void cut_off_everywhere(unsigned checkpoints)
{
	uint64_t seeds = soak() ? 200 : 3, seed = 0, stop = 0;
	struct world base;
	bool reached = true;

	make_world(&base);
	for (; reached; stop++) {
		struct world w = copy_of(&base);
		bool opened;

		fault_stop(w.fault, stop);
		opened = open_world(&w) == ERR_OK;
		if (opened)
			(void)!compact_beside(&w, checkpoints);
		if (opened)
			close_world(&w);
		reached = fault_stopped(w.fault);
		for (int keep = 0; keep < FAULT_KEEPS; keep++) {
			for (uint64_t i = 0; i < (keep <= FAULT_SYNCED ? 1 : seeds); i++, seed++)
				expect_image(&w, (enum fault_keep)keep, seed);
		}
		end_world(&w);
	}
	print_message("# boundaries cut off at: %llu, images opened: %ld\n", (unsigned long long)stop, images);
	assert_true(stop > 40);
	end_world(&base);
}

static void test_cut_off_everywhere(void **state)
{
	(void)state;
	cut_off_everywhere(0);
}

/* A start from a checkpoint reads little, and must not miss what it does not read. */
static void test_cut_off_beside_checkpoints(void **state)
{
	(void)state;
	cut_off_everywhere(2);
	if (soak())
		cut_off_everywhere(1);
}

static void test_each_operation_fails(void **state)
{
	static const int numbers[] = {EIO, ENOSPC, EINTR, FAULT_SHORT};
	struct world base;
	uint64_t runs = 0;

	(void)state;
	make_world(&base);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		bool reached = true;

		for (uint64_t nth = i; reached; nth += soak() ? 1 : 3, runs++) {
			struct world w = copy_of(&base);
			uint64_t before;
			enum err err;

			assert_int_equal(open_world(&w), ERR_OK);
			segments_wait_idle(w.store->segments);
			before = fault_operations(w.fault);
			fault_fail(w.fault, before + nth, numbers[i]);
			err = compact(&w);
			if (numbers[i] == EINTR || numbers[i] == FAULT_SHORT)
				assert_int_equal(err, ERR_OK);
			reached = fault_operations(w.fault) > before + nth;
			fault_fail(w.fault, FAULT_NEVER, 0);
			expect_pieces(&w);
			close_world(&w);
			/* Reading restored what was in the trash. */
			for (uint32_t key = 0; key < KEYS; key++)
				w.states[key] = w.states[key] == TRASHED ? LIVE : w.states[key];
			assert_int_equal(open_world(&w), ERR_OK);
			expect_pieces(&w);
			end_world(&w);
		}
	}
	print_message("# operations failed: %llu\n", (unsigned long long)runs);
	assert_true(runs > 60);
	end_world(&base);
}

/* Take the fullest sealed segment and put all its live records into a batch. */
static struct segment *begin_batch(struct world *w, struct copy *copy)
{
	struct segments_wish wish = {10};
	struct segment *source = segments_choose(w->store->segments, &wish);
	struct segment_entry *entries;
	size_t count;

	assert_non_null(source);
	assert_int_equal(segments_entries(w->store->segments, source, &entries, &count), ERR_OK);
	copy_begin(copy, source);
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = index_hash(w->store->index, entries[i].satellite, &entries[i].piece);

		if (entries[i].type == RECORD_PIECE &&
		    index_has(w->store->index, hash, source->number, entries[i].offset))
			assert_int_equal(copy_add(copy, &entries[i]), ERR_OK);
	}
	free(entries);
	return source;
}

/* Deleted, trashed and restored after the batch was read and before its slots move. */
static void mark_before_the_move(bool checkpoint)
{
	struct segment *source;
	struct world base, w;
	struct copy *copy;
	uint64_t copied;

	make_world(&base);
	w = copy_of(&base);
	assert_int_equal(open_world(&w), ERR_OK);
	copy = copy_new(w.store);
	source = begin_batch(&w, copy);
	for (uint32_t key = 1; key < KEYS; key += 2) {
		if (key % 4 == 1) {
			assert_int_equal(pieces_delete(w.store, key), ERR_OK);
			w.states[key] = GONE;
		} else if (w.states[key] == TRASHED) {
			assert_int_equal(mark(w.store, key, false), ERR_OK);
			w.states[key] = LIVE;
		} else {
			assert_int_equal(mark(w.store, key, true), ERR_OK);
			w.states[key] = TRASHED;
		}
	}
	/* In one of two the marks stand in segments that a checkpoint covers. */
	if (checkpoint)
		assert_int_equal(store_checkpoint(w.store), ERR_OK);
	assert_int_equal(copy_finish(copy, &copied), ERR_OK);
	assert_true(copied > 0);
	copy_free(copy);
	segments_unpin(w.store->segments, source);
	expect_sums(&w);
	/* The power fails; no copy may come back to life, though its tombstone is far away. */
	for (int keep = FAULT_SYNCED; keep < FAULT_KEEPS; keep++)
		expect_image(&w, (enum fault_keep)keep, (uint64_t)keep);
	assert_int_equal(compact(&w), ERR_OK);
	expect_sums(&w);
	expect_pieces(&w);
	end_world(&w);
	end_world(&base);
}

static void test_marks_before_the_move(void **state)
{
	(void)state;
	mark_before_the_move(false);
	mark_before_the_move(true);
}

/* Looked up before the move, settled after it. */
static void test_marks_after_the_move(void **state)
{
	struct located found[KEYS];
	struct world base, w;

	(void)state;
	make_world(&base);
	w = copy_of(&base);
	assert_int_equal(open_world(&w), ERR_OK);
	for (uint32_t key = 1; key < KEYS; key += 2) {
		struct store_key piece = pieces_key(key);

		assert_int_equal(store_locate(w.store, &piece, LOCATE_CORE, &found[key], NULL), ERR_OK);
	}
	assert_int_equal(compact(&w), ERR_OK);
	for (uint32_t key = 1; key < KEYS; key += 2) {
		struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK};
		struct mark_options kind = {RECORD_TOMBSTONE, false, note_answer, &answer};
		struct marked what = marks_of_located(&found[key]);

		if (key % 4 == 1)
			kind.type = w.states[key] == TRASHED ? RECORD_RESTORE : RECORD_TRASH;
		w.states[key] = kind.type == RECORD_TOMBSTONE ? GONE : kind.type == RECORD_TRASH ? TRASHED : LIVE;
		assert_int_equal(marks_write(w.store, &what, &kind), ERR_OK);
		committer_flush(w.store->committer);
		assert_true(answer.here);
		assert_int_equal(answer.err, ERR_OK);
		segments_unpin(w.store->segments, found[key].segment);
	}
	expect_sums(&w);
	for (int keep = FAULT_SYNCED; keep < FAULT_KEEPS; keep++)
		expect_image(&w, (enum fault_keep)keep, (uint64_t)keep);
	expect_pieces(&w);
	end_world(&w);
	end_world(&base);
}

/* A reader keeps the file that it reads from, though its name is gone. */
static void test_readers_keep_their_file(void **state)
{
	struct store_reader *readers[KEYS];
	uint8_t *out = memory_new(8, TREE_BLOCK), *expected = memory_new(8, TREE_BLOCK);
	struct store_compacted step = {.more = true};
	struct world base, w;
	uint64_t freed = 0;

	(void)state;
	make_world(&base);
	w = copy_of(&base);
	assert_int_equal(open_world(&w), ERR_OK);
	for (uint32_t key = 1; key < KEYS; key += 2) {
		struct store_key piece = pieces_key(key);

		assert_int_equal(store_get(w.store, &piece, &readers[key]), ERR_OK);
	}
	while (step.more) {
		assert_int_equal(store_compact_step(w.store, 10, &step), ERR_OK);
		freed += step.freed;
	}
	assert_true(freed > SEGMENT_LEAST);
	for (uint32_t key = 1; key < KEYS; key += 2) {
		size_t len;

		assert_int_equal(store_reader_blocks(readers[key], 0, tree_blocks(size_of(key)), out, &len), ERR_OK);
		pieces_fill(key, 1, expected, size_of(key));
		assert_int_equal(len, size_of(key));
		assert_memory_equal(out, expected, len);
		store_reader_free(readers[key]);
	}
	free(out);
	free(expected);
	end_world(&w);
	end_world(&base);
}

struct deleting {
	struct world *w;
	uint32_t first;
};

static void *delete_some(void *arg)
{
	struct deleting *deleting = arg;

	for (uint32_t key = deleting->first; key < KEYS; key += 4) {
		if (deleting->w->states[key] == GONE)
			continue;
		if (pieces_delete(deleting->w->store, key) == ERR_OK)
			deleting->w->states[key] = GONE;
	}
	return NULL;
}

/* Deletes and compaction side by side, in whatever order it comes to. */
static void test_deletes_beside_it(void **state)
{
	struct world base;

	(void)state;
	make_world(&base);
	for (int round = 0; round < (soak() ? 200 : 12); round++) {
		struct world w = copy_of(&base);
		struct deleting deleting = {&w, 3};
		pthread_t thread;

		assert_int_equal(open_world(&w), ERR_OK);
		assert_int_equal(pthread_create(&thread, NULL, delete_some, &deleting), 0);
		assert_int_equal(compact(&w), ERR_OK);
		pthread_join(thread, NULL);
		for (uint32_t key = 3; key < KEYS; key += 4)
			assert_int_equal(w.states[key], GONE);
		expect_sums(&w);
		expect_image(&w, FAULT_SYNCED, (uint64_t)round);
		expect_pieces(&w);
		end_world(&w);
	}
	end_world(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_off_everywhere),
		cmocka_unit_test(test_cut_off_beside_checkpoints),
		cmocka_unit_test(test_each_operation_fails),
		cmocka_unit_test(test_marks_before_the_move),
		cmocka_unit_test(test_marks_after_the_move),
		cmocka_unit_test(test_readers_keep_their_file),
		cmocka_unit_test(test_deletes_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
