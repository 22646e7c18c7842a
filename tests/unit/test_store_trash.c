/*
 * The trash: pieces go in and come out, on request and when they are read, through every stop and power cut.
 *
 * The crash test cuts a workload off at every change to the disk. A piece that was acknowledged as trashed or restored
 * is so in every image that the cut could leave; one whose answer never came may be either, and is never gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/marks.h"
#include "tests/kit/pieces.h"
#include "tests/kit/stand.h"

#define ALLOCATION (64ull << 20)

static int set_up(void **state)
{
	*state = stand_new(ALLOCATION);
	return 0;
}

enum where { ABSENT, LIVE, TRASHED };

/* Where the piece is, without reading it through the store's face, which would restore it. */
static enum where look(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct located found;
	enum err err = store_locate(store, &key, LOCATE_CORE, &found, NULL);

	if (err == ERR_NOT_FOUND)
		return ABSENT;
	assert_int_equal(err, ERR_OK);
	segments_unpin(store->segments, found.segment);
	return (found.place.flags & INDEX_TRASHED) != 0 ? TRASHED : LIVE;
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

static void expect_trash(struct stand *f, uint64_t trashed, uint64_t trash)
{
	struct store_space space = expect_sums(f);

	assert_int_equal(space.trashed, trashed);
	assert_int_equal(space.trash, trash);
}

static bool count_piece(void *arg, const struct store_key *key, uint64_t size)
{
	(void)key;
	(void)size;
	++*(int *)arg;
	return true;
}

static void test_there_and_back(void **state)
{
	struct stand *f = *state;
	int count = 0;

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pieces_put(f->store, i, 1, 1000 * (i + 1), 0), ERR_OK);
	assert_int_equal(pieces_restore(f->store, 0), ERR_EXISTS);
	assert_int_equal(pieces_trash(f->store, 9), ERR_NOT_FOUND);
	assert_int_equal(pieces_restore(f->store, 9), ERR_NOT_FOUND);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(pieces_trash(f->store, i), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 0), ERR_EXISTS);
	expect_trash(f, 3, 6000);
	assert_int_equal(store_each(f->store, count_piece, &count), ERR_OK);
	assert_int_equal(count, 1);
	/* What is in the trash is still in the way of a new one, and can be deleted for good. */
	assert_int_equal(pieces_put(f->store, 0, 2, 10, 0), ERR_EXISTS);
	assert_int_equal(pieces_restore(f->store, 1), ERR_OK);
	assert_int_equal(pieces_delete(f->store, 2), ERR_OK);
	for (int round = 0; round < 3; round++) {
		expect_trash(f, 1, 1000);
		assert_int_equal(look(f->store, 0), TRASHED);
		assert_int_equal(look(f->store, 1), LIVE);
		assert_int_equal(look(f->store, 2), ABSENT);
		assert_int_equal(look(f->store, 3), LIVE);
		stand_reopen(f);
	}
	/* The last word counts, whatever came before. */
	assert_int_equal(pieces_restore(f->store, 0), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 0), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 1), ERR_OK);
	assert_int_equal(pieces_restore(f->store, 1), ERR_OK);
	stand_reopen(f);
	assert_int_equal(look(f->store, 0), TRASHED);
	assert_int_equal(look(f->store, 1), LIVE);
	/* A piece put anew after a delete is not the one that was in the trash. */
	assert_int_equal(pieces_delete(f->store, 0), ERR_OK);
	assert_int_equal(pieces_put(f->store, 0, 2, 500, 0), ERR_OK);
	stand_reopen(f);
	assert_int_equal(look(f->store, 0), LIVE);
	expect_trash(f, 0, 0);
}

static void test_read_restores(void **state)
{
	struct stand *f = *state;

	assert_int_equal(pieces_put(f->store, 0, 1, 1000, 0), ERR_OK);
	assert_int_equal(pieces_put(f->store, 1, 1, 100000, 0), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 0), ERR_OK);
	assert_int_equal(pieces_trash(f->store, 1), ERR_OK);
	stand_reopen(f);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(pieces_check(f->store, i, 1, i == 0 ? 1000 : 100000), ERR_OK);
		assert_int_equal(pieces_check(f->store, i, 1, i == 0 ? 1000 : 100000), ERR_OK);
	}
	committer_flush(f->store->committer);
	expect_trash(f, 0, 0);
	stand_reopen(f);
	expect_trash(f, 0, 0);
	assert_int_equal(look(f->store, 0), LIVE);
	assert_int_equal(look(f->store, 1), LIVE);
}

/* A mark finds its piece also where compaction put it meanwhile, and after a start that finds only the copy. */
static void test_moved_piece(void **state)
{
	struct stand *f = *state;
	struct segment_entry entry = {.type = RECORD_TRASH, .sequence = UINT64_MAX, .created = 86400};
	struct store_key key = pieces_key(0);

	assert_int_equal(pieces_put(f->store, 0, 1, 1000, 0), ERR_OK);
	entry.piece = key.piece;
	entry.expires = 77; /* a segment that is gone */
	entry.size = 4096;
	marks_apply(f->store, NULL, &entry);
	assert_int_equal(look(f->store, 0), TRASHED);
	entry.type = RECORD_RESTORE;
	marks_apply(f->store, NULL, &entry);
	assert_int_equal(look(f->store, 0), LIVE);
	/* One that is older than the piece speaks of another piece. */
	entry.type = RECORD_TRASH;
	entry.sequence = 1;
	marks_apply(f->store, NULL, &entry);
	assert_int_equal(look(f->store, 0), LIVE);
}

#define PIECES 6

enum verb { PUT, TRASH, RESTORE, READ, DELETE };

static const struct {
	enum verb verb;
	uint32_t piece;
} workload[] = {
	{PUT, 0},   {PUT, 1},	{TRASH, 0}, {PUT, 2},	 {RESTORE, 0}, {TRASH, 1},  {PUT, 3},
	{TRASH, 0}, {READ, 1},	{TRASH, 2}, {PUT, 4},	 {RESTORE, 2}, {TRASH, 3},  {DELETE, 3},
	{TRASH, 2}, {PUT, 5},	{READ, 0},  {TRASH, 0},	 {TRASH, 4},   {DELETE, 2}, {RESTORE, 4},
	{PUT, 2},   {TRASH, 5}, {TRASH, 2}, {DELETE, 5},
};
#define STEPS (sizeof(workload) / sizeof(workload[0]))

static size_t length_of(uint32_t piece)
{
	return piece % 2 == 0 ? 1000 : 200000;
}

/* What may be true of each piece: a bit per enum where. */
struct model {
	unsigned may[PIECES];
};

static enum where after(enum verb verb)
{
	return verb == DELETE ? ABSENT : verb == TRASH ? TRASHED : LIVE;
}

static enum err take_step(struct store *store, enum verb verb, uint32_t piece)
{
	switch (verb) {
	case PUT:
		return pieces_put(store, piece, 1, length_of(piece), 0);
	case TRASH:
		return pieces_trash(store, piece);
	case RESTORE:
		return pieces_restore(store, piece);
	case READ:
		return pieces_check(store, piece, 1, length_of(piece));
	case DELETE:
		return pieces_delete(store, piece);
	}
	return ERR_OK;
}

/* Until the machine stops. */
static void run_workload(struct stand *f, struct model *m)
{
	for (int i = 0; i < PIECES; i++)
		m->may[i] = 1u << ABSENT;
	for (size_t i = 0; i < STEPS; i++) {
		uint32_t piece = workload[i].piece;
		unsigned now = 1u << after(workload[i].verb);
		enum err err = take_step(f->store, workload[i].verb, piece);

		/* A read restores, some time. */
		if (err == ERR_OK && workload[i].verb != READ)
			m->may[piece] = now;
		else
			m->may[piece] |= now;
		if (workload[i].verb == READ && err == ERR_OK)
			committer_flush(f->store->committer);
		if (fault_stopped(f->fault))
			return;
		assert_int_equal(err, ERR_OK);
		if (workload[i].verb == READ)
			m->may[piece] = now;
	}
}

static void expect_image(struct stand *w, const struct model *m)
{
	uint64_t trashed = 0;

	assert_int_equal(stand_open(w), ERR_OK);
	for (uint32_t i = 0; i < PIECES; i++) {
		enum where where = look(w->store, i);

		if ((m->may[i] & 1u << where) == 0)
			fault_print(w->fault);
		assert_true((m->may[i] & 1u << where) != 0);
		trashed += where == TRASHED;
	}
	assert_int_equal(expect_sums(w).trashed, trashed);
	for (uint32_t i = 0; i < PIECES; i++) {
		if (look(w->store, i) != ABSENT)
			assert_int_equal(pieces_check(w->store, i, 1, length_of(i)), ERR_OK);
	}
	store_close(w->store);
}

static void test_power_cuts(void **state)
{
	int images = getenv("GRANARY_SOAK") != NULL ? 40 : 2;
	bool finished = false;

	(void)state;
	for (uint64_t change = 0; !finished; change++) {
		struct stand *f;
		struct model m;

		set_up((void **)&f);
		fault_stop(f->fault, fault_changes(f->fault) + change);
		run_workload(f, &m);
		finished = !fault_stopped(f->fault);
		for (int keep = 0; keep < FAULT_KEEPS; keep++) {
			for (int i = 0; i < images; i++) {
				struct stand image = {fault_image(f->fault, (enum fault_keep)keep, (uint64_t)i), NULL,
						      ALLOCATION};

				expect_image(&image, &m);
				fault_free(image.fault);
			}
		}
		stand_tear_down((void **)&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_read_restores, set_up, stand_tear_down),
		cmocka_unit_test_setup_teardown(test_moved_piece, set_up, stand_tear_down),
		cmocka_unit_test(test_power_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
