/*
 * What a store may never do, whatever happens to it: lose what it acknowledged, show what was never whole, serve a byte
 * that was not stored.
 *
 * One workload runs on a disk in memory. It is stopped at every change that it makes to the disk, and the images that a
 * power cut could leave then are opened; every operation of it is made to fail once; the bytes of a good store are
 * damaged. A small model knows what was acknowledged and what was under way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define MIB (1u << 20)
#define ALLOCATION (32u * MIB)
#define CAPACITY (128ull * MIB)
#define PIECES 24
#define TRANSFERS 4

/* What may be true of one piece: absent, or one of its versions. */
struct belief {
	bool absent, first, second;
	size_t len, second_len;
};

struct model {
	struct belief pieces[PIECES];
	uint64_t transferred[TRANSFERS]; /* acknowledged and since then synced */
	bool init_done;			 /* store_init answered */
};

struct run {
	struct fault *disk;
	struct store *store;
	struct model model;
	bool failed;
	unsigned refused; /* calls that failed */
	char why[STORE_MESSAGE];
};

static void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (uint32_t i = 0; i < PIECES; i++)
		model->pieces[i].absent = true;
}

/* A put is under way: what was true, or the new version. Acknowledged: the new version only. */
static void do_put(struct run *run, uint32_t number, uint32_t version, size_t len, uint64_t limit)
{
	struct belief *belief = &run->model.pieces[number];
	struct belief before = *belief;
	enum err err;

	*(version == 1 ? &belief->first : &belief->second) = true;
	*(version == 1 ? &belief->len : &belief->second_len) = len;
	err = pieces_put(run->store, number, version, len, limit);
	if (err == ERR_OK) {
		belief->absent = false;
		belief->first = version == 1;
		belief->second = version == 2;
	} else {
		run->refused++;
		/* Refused before anything was written, or nobody knows. */
		if (err == ERR_FULL || err == ERR_EXISTS)
			*belief = before;
	}
}

static void do_delete(struct run *run, uint32_t number)
{
	struct belief *belief = &run->model.pieces[number];
	enum err err;

	belief->absent = true;
	err = pieces_delete(run->store, number);
	if (err == ERR_OK)
		belief->first = belief->second = false;
	else
		run->refused++;
}

static void do_abort(struct run *run, uint32_t number, size_t len)
{
	if (pieces_abort(run->store, number, len, 2 * MIB) != ERR_OK)
		run->refused++;
}

static void do_transfer(struct run *run, uint32_t number, uint64_t amount)
{
	if (pieces_transfer(run->store, 500 + number, amount) != ERR_OK)
		run->refused++;
}

static void run_workload(struct run *run)
{
	do_put(run, 0, 1, 0, 0);
	do_put(run, 1, 1, 100, 0);
	do_put(run, 2, 1, 65536, 0);
	do_put(run, 3, 1, 200001, 0);
	do_abort(run, 4, 100000);
	do_put(run, 5, 1, 70000, 0);
	do_delete(run, 1);
	do_transfer(run, 0, 1000);
	do_put(run, 1, 2, 40000, 0);
	do_put(run, 6, 1, 90000, 300000); /* shorter than reserved */
	for (uint32_t i = 7; i < 12; i++)
		do_put(run, i, 1, 300000, 0); /* on into further segments */
	do_delete(run, 8);
	do_abort(run, 12, 10);
	do_put(run, 13, 1, 32768, 0);
	do_transfer(run, 1, 2000);
	do_delete(run, 3);
	for (uint32_t i = 14; i < 20; i++)
		do_put(run, i, 1, 150000 + i, 0);
	do_delete(run, 14);
	do_put(run, 14, 2, 10, 0);
	do_put(run, 20, 1, 1, 0);
}

static void run_init(struct run *run)
{
	run->disk = fault_new(CAPACITY);
	run->store = NULL;
	run->failed = false;
	run->refused = 0;
	model_init(&run->model);
	assert_int_equal(fault_seam(run->disk)->mkdir(fault_seam(run->disk), "/n", 0700), 0);
	assert_int_equal(fault_seam(run->disk)->sync_dir(fault_seam(run->disk), "/"), 0);
	assert_int_equal(store_init("/n", ALLOCATION, MIB, fault_seam(run->disk), run->why), ERR_OK);
}

static void run_free(struct run *run)
{
	store_close(run->store);
	fault_free(run->disk);
}

/* Say what went wrong before the test fails. */
static void complain(const struct fault *disk, uint32_t number, const struct belief *belief, const char *what)
{
	fprintf(stderr, "# piece %u (absent %d, first %d, second %d, %zu bytes): %s\n", number, belief->absent,
		belief->first, belief->second, belief->len, what);
	fault_print(disk);
}

static bool piece_fits(struct store *store, uint32_t number, const struct belief *belief)
{
	enum err err = pieces_check(store, number, 1, belief->len);

	if (err == ERR_NOT_FOUND)
		return belief->absent;
	if (err == ERR_OK)
		return belief->first;
	if (err == ERR_CONFLICT)
		return belief->second && pieces_check(store, number, 2, belief->second_len) == ERR_OK;
	return false;
}

/* Every piece is in a state that the model allows. */
static void check_pieces(struct store *store, const struct fault *disk, const struct model *model)
{
	struct store_space space;

	for (uint32_t i = 0; i < PIECES; i++) {
		if (piece_fits(store, i, &model->pieces[i]))
			continue;
		complain(disk, i, &model->pieces[i], err_name(pieces_check(store, i, 1, model->pieces[i].len)));
		fail();
	}
	store_space(store, &space);
	assert_false(space.read_only);
}

static void open_image(struct fault *image, struct store **ret)
{
	char why[STORE_MESSAGE];
	enum err err = store_open("/n", ALLOCATION, fault_seam(image), ret, why);

	if (err != ERR_OK) {
		fprintf(stderr, "# cannot open: %s\n", why);
		fault_print(image);
	}
	assert_int_equal(err, ERR_OK);
}

/* Recovery itself loses power at change `nth`; what is left opens all the same. */
static struct fault *crash_recovery(struct fault *image, uint64_t nth, uint64_t seed)
{
	struct store *store = NULL;
	char why[STORE_MESSAGE];
	struct fault *next;

	fault_stop(image, nth);
	if (store_open("/n", ALLOCATION, fault_seam(image), &store, why) == ERR_OK)
		store_close(store);
	next = fault_image(image, (enum fault_keep)(seed % FAULT_KEEPS), seed);
	fault_free(image);
	return next;
}

/* Open the image, check it, and again after a clean stop; then new pieces can be put. */
static void check_image(struct fault *image, const struct model *model, uint64_t seed)
{
	struct model later = *model;
	struct store *store;

	if (seed % 10 == 0)
		image = crash_recovery(image, seed / 10 % 12, seed);
	open_image(image, &store);
	check_pieces(store, image, model);
	assert_int_equal(pieces_put(store, 23, 1, 5000, 0), ERR_OK);
	later.pieces[23] = (struct belief){.first = true, .len = 5000};
	store_close(store);
	open_image(image, &store);
	check_pieces(store, image, &later);
	store_close(store);
	fault_free(image);
}

static uint64_t workload_changes(void)
{
	struct run run;
	uint64_t changes;

	run_init(&run);
	open_image(run.disk, &run.store);
	run_workload(&run);
	assert_int_equal(run.refused, 0);
	check_pieces(run.store, run.disk, &run.model);
	store_close(run.store);
	run.store = NULL;
	changes = fault_changes(run.disk);
	run_free(&run);
	return changes;
}

/* Stop the machine at the change, and look at what a power cut may leave. */
static unsigned cut_power_at(uint64_t change, unsigned seeds)
{
	struct run run;
	unsigned images = 0;

	run_init(&run);
	fault_stop(run.disk, change);
	if (store_open("/n", ALLOCATION, fault_seam(run.disk), &run.store, run.why) == ERR_OK)
		run_workload(&run);
	else
		run.store = NULL;
	store_close(run.store);
	run.store = NULL;
	for (unsigned keep = FAULT_ALL; keep < FAULT_KEEPS; keep++) {
		for (unsigned i = 0; i < (keep < FAULT_PREFIX ? 1 : seeds); i++) {
			uint64_t seed = change * 1000 + keep * 100 + i;

			check_image(fault_image(run.disk, (enum fault_keep)keep, seed), &run.model, seed);
			images++;
		}
	}
	run_free(&run);
	return images;
}

static bool soak(void)
{
	return getenv("GRANARY_SOAK") != NULL;
}

static void test_power_cut_at_every_change(void **state)
{
	uint64_t changes = workload_changes(), first = 0;
	unsigned images = 0, seeds = soak() ? 40 : 1;
	struct run run;

	(void)state;
	run_init(&run);
	first = fault_changes(run.disk);
	run_free(&run);
	for (uint64_t change = first; change <= changes; change++)
		images += cut_power_at(change, seeds);
	print_message("# stopped at %u of %u changes, %u images opened\n", (unsigned)(changes - first + 1),
		      (unsigned)(changes - first + 1), images);
	assert_true(images > 1000);
}

/* After a failed sync nothing may be acknowledged; the rest of the pieces stay. */
static void fail_operation(uint64_t nth, int number)
{
	struct run run;
	enum err err;

	run_init(&run);
	fault_fail(run.disk, nth, number);
	err = store_open("/n", ALLOCATION, fault_seam(run.disk), &run.store, run.why);
	if (err == ERR_OK) {
		run_workload(&run);
	} else {
		assert_true(strlen(run.why) > 0);
		run.store = NULL;
	}
	/* Interruptions and short counts are the kernel's daily bread. */
	if (number == EINTR || number == FAULT_SHORT) {
		if (err != ERR_OK || run.refused != 0) {
			fprintf(stderr, "# operation %u, error %d: %u refused, %s\n", (unsigned)nth, number,
				run.refused, err == ERR_OK ? "opened" : run.why);
			fault_print(run.disk);
		}
		assert_int_equal(err, ERR_OK);
		assert_int_equal(run.refused, 0);
	}
	store_close(run.store);
	run.store = NULL;
	fault_fail(run.disk, FAULT_NEVER, EIO);
	check_image(fault_image(run.disk, FAULT_SYNCED, nth), &run.model, 1);
	if (soak() || number == EIO) {
		check_image(fault_image(run.disk, FAULT_ALL, nth), &run.model, 1);
		check_image(fault_image(run.disk, FAULT_SUBSET, nth), &run.model, 1);
	}
	run_free(&run);
}

static void test_every_operation_fails_once(void **state)
{
	static const int numbers[] = {EIO, ENOSPC, EINTR, FAULT_SHORT};
	struct run run;
	uint64_t operations;
	unsigned failed = 0;

	(void)state;
	run_init(&run);
	operations = fault_operations(run.disk);
	open_image(run.disk, &run.store);
	run_workload(&run);
	operations = fault_operations(run.disk) - operations;
	run_free(&run);
	for (uint64_t nth = 0; nth < operations; nth++) {
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			fail_operation(nth, numbers[i]);
			failed++;
		}
	}
	print_message("# %u operations of the workload, each failed in 4 ways\n", failed / 4);
}

struct files {
	char paths[64][128];
	uint64_t sizes[64];
	size_t count;
};

static void note_file(void *arg, const char *path, uint64_t size)
{
	struct files *files = arg;

	if (strstr(path, ".seg") != NULL && files->count < 64 && size > 0) {
		snprintf(files->paths[files->count], sizeof(files->paths[0]), "%s", path);
		files->sizes[files->count++] = size;
	}
}

/* One damage of a kind that disks do: a flipped bit, a zeroed or a misplaced 4 KiB block. */
static void damage(struct fault *disk, const struct files *files, struct random_stream *dice)
{
	size_t file = (size_t)random_stream_below(dice, files->count);
	uint64_t at = random_stream_below(dice, files->sizes[file]);
	uint8_t block[4096] = {0};

	if (random_stream_below(dice, 2) == 0) {
		fault_peek(disk, files->paths[file], at, block, 1);
		block[0] ^= (uint8_t)(1u << random_stream_below(dice, 8));
		fault_poke(disk, files->paths[file], at, block, 1);
		return;
	}
	at -= at % sizeof(block);
	if (random_stream_below(dice, 2) == 0) {
		size_t from = (size_t)random_stream_below(dice, files->count);
		uint64_t there = random_stream_below(dice, files->sizes[from]);

		fault_peek(disk, files->paths[from], there - there % sizeof(block), block, sizeof(block));
	}
	if (at + sizeof(block) <= files->sizes[file])
		fault_poke(disk, files->paths[file], at, block, sizeof(block));
}

/* Whatever rots, a piece reads as it was put, or not at all; the others are none the worse. */
static void test_rot_is_never_served(void **state)
{
	unsigned rounds = soak() ? 10000 : 1000, unreadable = 0;
	struct files files = {.count = 0};
	struct random_stream dice;
	uint64_t seed = 42;
	struct run run;

	(void)state;
	random_stream_init(&dice, bytes_of(&seed, sizeof(seed)));
	run_init(&run);
	open_image(run.disk, &run.store);
	run_workload(&run);
	store_close(run.store);
	run.store = NULL;
	fault_files(run.disk, note_file, &files);
	for (unsigned round = 0; round < rounds; round++) {
		struct fault *image = fault_image(run.disk, FAULT_ALL, round);
		struct store *store = NULL;
		char why[STORE_MESSAGE];
		unsigned lost = 0;

		damage(image, &files, &dice);
		if (store_open("/n", ALLOCATION, fault_seam(image), &store, why) == ERR_OK) {
			for (uint32_t i = 0; i < PIECES; i++) {
				const struct belief *belief = &run.model.pieces[i];
				enum err err = belief->second ? pieces_check(store, i, 2, belief->second_len)
							      : pieces_check(store, i, 1, belief->len);

				/* A deletion may be forgotten with its tombstone; a wrong byte never appears. */
				assert_int_not_equal(err, belief->absent ? ERR_OK + 100 : ERR_CONFLICT);
				lost += err != ERR_OK && !belief->absent;
			}
			store_close(store);
			assert_true(lost <= 2);
		}
		unreadable += lost;
		fault_free(image);
	}
	print_message("# %u damages, %u pieces refused, no wrong byte served\n", rounds, unreadable);
	assert_true(unreadable > 0);
	run_free(&run);
}

/* A stranger's payload that is a copy of a true head is no piece, wherever a scan for heads comes upon it. */
static void test_planted_heads_are_not_found(void **state)
{
	struct allocation allocation = pieces_allocation(7, 120000);
	struct files files = {.count = 0};
	struct signature signature = {{0}};
	struct bytes32 hash = {{0}};
	struct store_upload *upload;
	struct store_space space;
	uint8_t block[TREE_BLOCK] = {0};
	struct fault *image;
	struct store *store;
	struct run run;

	(void)state;
	run_init(&run);
	open_image(run.disk, &run.store);
	assert_int_equal(pieces_put(run.store, 5, 1, 100, 0), ERR_OK);
	assert_int_equal(pieces_delete(run.store, 5), ERR_OK);
	/* The deleted piece's record, whole, from where a stranger could know it: right behind a segment's header. */
	fault_files(run.disk, note_file, &files);
	for (size_t i = 0; i < files.count && memcmp(block, "GRNR", 4) != 0; i++)
		fault_peek(run.disk, files.paths[i], 4096, block, 1024);
	assert_memory_equal(block, "GRNR", 4);
	for (size_t at = 1024; at < sizeof(block); at += 1024)
		memcpy(block + at, block, 1024);
	assert_int_equal(store_put_begin(run.store, 0, &allocation, &signature, &hash, &upload), ERR_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_put_block(upload, block, sizeof(block)), ERR_OK);
	image = fault_image(run.disk, FAULT_ALL, 1);
	store_put_abort(upload);
	open_image(image, &store);
	store_space(store, &space);
	assert_int_equal(space.pieces, 0);
	assert_int_equal(pieces_check(store, 5, 1, 100), ERR_NOT_FOUND);
	store_close(store);
	fault_free(image);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cut_at_every_change),
		cmocka_unit_test(test_every_operation_fails_once),
		cmocka_unit_test(test_rot_is_never_served),
		cmocka_unit_test(test_planted_heads_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
