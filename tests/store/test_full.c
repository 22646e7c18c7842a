/*
 * A disk that is full. On a filesystem of 64 MiB, with an allocation that it cannot hold, pieces are put until there is
 * no room for the smallest; a ballast file takes the very last bytes. Then all that was acknowledged must be there,
 * also after a restart, each delete must work, and compaction must give the room back: again and again.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/effort.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"
#include "tests/kit/scratch.h"

#define MEBIBYTES 64
#define PIECES 4096

struct full {
	struct scratch scratch;
	struct fault *fault; /* in place of a filesystem that cannot be mounted */
	const char *dir;
	const struct seam *seam;
	struct store *store;
	struct random_stream dice;
	uint32_t version;
	bool there[PIECES];
	uint32_t versions[PIECES];
	uint32_t lens[PIECES];
	uint64_t put, deleted; /* pieces, in all rounds */
	uint64_t least;	       /* bytes that went in, of any round */
};

static void open_store(struct full *f)
{
	const struct store_options options = {.allocation = 1ull << 30, .no_upkeep = true};
	char why[STORE_MESSAGE] = "";
	enum err err = store_open(f->dir, &options, f->seam, &f->store, why);

	if (err != ERR_OK)
		print_message("# %s\n", why);
	assert_int_equal(err, ERR_OK);
}

static void expect_writable(struct full *f)
{
	struct store_space space;

	store_space(f->store, &space);
	if (space.read_only)
		print_message("# read-only: %s\n", space.reason);
	assert_false(space.read_only);
}

/* Put pieces of about so many bytes until there is no room; returns the bytes of those that went in. */
static uint64_t fill(struct full *f, uint32_t about)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PIECES; i++) {
		uint32_t len = about / 2 + (uint32_t)random_stream_below(&f->dice, about);
		enum err err;

		if (f->there[i])
			continue;
		err = pieces_put(f->store, i, f->version, len, 0);
		if (err == ERR_FULL)
			return sum;
		assert_int_equal(err, ERR_OK);
		f->there[i] = true;
		f->versions[i] = f->version;
		f->lens[i] = len;
		f->put++;
		sum += len;
	}
	fail_msg("the disk took all pieces");
	return 0;
}

/* The last bytes of the filesystem. */
static void take_ballast(struct full *f)
{
	static const uint8_t page[4096];
	char path[SCRATCH_PATH + 16];
	int fd;

	if (!f->scratch.mounted)
		return;
	snprintf(path, sizeof(path), "%s/ballast", f->scratch.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void drop_ballast(struct full *f)
{
	if (f->scratch.mounted)
		scratch_remove(f->scratch.dir, "ballast");
}

static void expect_all(struct full *f)
{
	for (uint32_t i = 0; i < PIECES; i++) {
		struct store_key key = pieces_key(i);
		struct store_reader *reader = NULL;

		if (f->there[i])
			assert_int_equal(pieces_check(f->store, i, f->versions[i], f->lens[i]), ERR_OK);
		else
			assert_int_equal(store_get(f->store, &key, &reader), ERR_NOT_FOUND);
	}
}

/* All but one in sixteen. */
static void empty(struct full *f)
{
	for (uint32_t i = 0; i < PIECES; i++) {
		enum err err;

		if (!f->there[i] || random_stream_below(&f->dice, 16) == 0)
			continue;
		err = pieces_delete(f->store, i);
		if (err != ERR_OK)
			print_message("# delete %llu on a full disk: %s\n", (unsigned long long)f->deleted,
				      err_name(err));
		assert_int_equal(err, ERR_OK);
		f->there[i] = false;
		f->deleted++;
	}
}

static void compact(struct full *f)
{
	struct store_compacted done = {.more = true};

	for (int i = 0; i < 10000 && done.more; i++)
		assert_int_equal(store_compact_step(f->store, 1, &done), ERR_OK);
	assert_false(done.more);
}

static void fill_and_empty(struct full *f, uint64_t round)
{
	uint64_t bytes = fill(f, 100000);

	bytes += fill(f, 10000);
	bytes += fill(f, 1000);
	take_ballast(f);
	if (round % 3 == 0) {
		store_close(f->store);
		open_store(f);
	}
	expect_writable(f);
	expect_all(f);
	empty(f);
	compact(f);
	expect_writable(f);
	if (round % 3 == 1) {
		store_close(f->store);
		open_store(f);
	}
	expect_all(f);
	drop_ballast(f);
	if (f->least == 0 || bytes < f->least)
		f->least = bytes;
	f->version++;
}

static void begin(struct full *f, uint64_t seed)
{
	char why[STORE_MESSAGE];

	random_stream_init(&f->dice, bytes_of(&seed, sizeof(seed)));
	f->version = 1;
	scratch_open(&f->scratch, MEBIBYTES);
	f->dir = f->scratch.dir;
	f->seam = &seam_system;
	if (!f->scratch.mounted) {
		f->fault = fault_new((uint64_t)MEBIBYTES << 20);
		f->dir = "/";
		f->seam = fault_seam(f->fault);
	}
	assert_int_equal(store_init(f->dir, 1ull << 30, 1 << 20, f->seam, why), ERR_OK);
	open_store(f);
}

static void test_filled_and_emptied(void **state)
{
	uint64_t seed = effort_seed("full disk", 1), rounds = effort(20, 100);
	struct full *f = memory_new(1, sizeof(*f));

	(void)state;
	begin(f, seed);
	for (uint64_t i = 0; i < rounds; i++)
		fill_and_empty(f, i);
	print_message("# full disk: %s of %d MiB filled and emptied %llu times, %llu pieces put, %llu deleted on the "
		      "full disk, at least %.1f MiB in each round\n",
		      f->scratch.mounted ? "a filesystem" : "a disk in memory", MEBIBYTES, (unsigned long long)rounds,
		      (unsigned long long)f->put, (unsigned long long)f->deleted, (double)f->least / (1 << 20));
	/* What compaction gave back can be used again. */
	assert_true(f->least > (MEBIBYTES << 20) / 2);
	store_close(f->store);
	fault_free(f->fault);
	scratch_close(&f->scratch);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled_and_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
