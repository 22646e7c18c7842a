/*
 * Files of pieces that are gone, and footers that rot: on a disk in memory every file of pieces is taken away after
 * each kind of stop, and what was in it must be told of by name, stay away, and be there again when the file is.
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

#define ALLOCATION (64ull << 20)
#define PIECES 60u
#define SIZE 40000u
#define FILES_MOST 32
#define FIRST 1 /* of the files, that holds pieces: the store keeps one for emergencies */

static const uint32_t deleted[] = {3, 17, 40}; /* by tombstones that stand in a later file than the pieces */

static bool is_deleted(uint32_t number)
{
	return number == deleted[0] || number == deleted[1] || number == deleted[2];
}

static struct store *open_as(struct fault *disk, bool rebuild)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true, .rebuild = rebuild};
	char why[STORE_MESSAGE] = "";
	struct store *store;
	enum err err = store_open("/", &options, fault_seam(disk), &store, why);

	if (err != ERR_OK)
		print_message("# %s\n", why);
	assert_int_equal(err, ERR_OK);
	return store;
}

static struct store *open_store(struct fault *disk)
{
	return open_as(disk, false);
}

/* Three files of pieces; the tombstones are in the last. */
static struct store *fill(struct fault *disk)
{
	char why[STORE_MESSAGE];
	struct store *store;

	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(disk), why), ERR_OK);
	store = open_store(disk);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_put(store, i, 1, SIZE, 0), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pieces_delete(store, deleted[i]), ERR_OK);
	/* A group is answered before the twins hear of it; now they heard of all. */
	committer_flush(store->committer);
	return store;
}

enum stop { CLEAN, KILLED, POWER_CUT, STOPS };

/* A disk as it is found after such a stop. */
static struct fault *stopped(enum stop stop)
{
	struct fault *disk = fault_new(256 << 20), *found;
	struct store *store = fill(disk);

	if (stop == CLEAN)
		store_close(store);
	found = fault_image(disk, stop == POWER_CUT ? FAULT_SYNCED : FAULT_ALL, 0);
	if (stop != CLEAN)
		store_close(store);
	fault_free(disk);
	return found;
}

struct lister {
	const char *suffix;
	char paths[FILES_MOST][64];
	size_t count;
};

static void note_path(void *arg, const char *path, uint64_t size)
{
	struct lister *lister = arg;

	(void)size;
	if (strstr(path, lister->suffix) == NULL)
		return;
	assert_true(lister->count < FILES_MOST);
	snprintf(lister->paths[lister->count++], sizeof(lister->paths[0]), "%s", path);
}

static struct lister list(const struct fault *disk, const char *suffix)
{
	struct lister lister = {.suffix = suffix};

	fault_files(disk, note_path, &lister);
	return lister;
}

static void take_away(struct fault *disk, const char *path)
{
	assert_int_equal(seam_unlink_file(fault_seam(disk), path), ERR_OK);
}

static bool is_named(const struct store_loss *losses, size_t count, uint32_t number)
{
	struct store_key key = pieces_key(number);

	for (size_t i = 0; i < count; i++) {
		if (bytes32_equal(&losses[i].piece, &key.piece))
			return true;
	}
	return false;
}

/* Each piece reads as it was put, or is lost; deleted ones are neither. Returns how many are lost. */
static size_t expect_pieces(struct store *store, bool named)
{
	struct store_loss *losses;
	size_t count = store_losses(store, 0, &losses), lost = 0;

	for (uint32_t i = 0; i < PIECES; i++) {
		enum err err = pieces_check(store, i, 1, SIZE);

		if (is_deleted(i)) {
			/* The power may cut off what a twin was told last. */
			if (named)
				assert_int_equal(err, ERR_NOT_FOUND);
			assert_false(is_named(losses, count, i));
			continue;
		}
		assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
		if (named)
			assert_int_equal(is_named(losses, count, i), err != ERR_OK);
		lost += err != ERR_OK;
	}
	free(losses);
	return lost;
}

static struct store_damage damage_of(struct store *store)
{
	struct store_damage damage;

	store_damage(store, &damage);
	return damage;
}

/* One file is gone: told of once, its pieces by name, for good. */
static void expect_told(struct fault *disk, bool named)
{
	struct store *store = open_store(disk);
	struct store_damage damage = damage_of(store);
	size_t lost = expect_pieces(store, named);

	if (lost > 0)
		assert_int_equal(damage.gone_files, 1);
	if (named) {
		assert_int_equal(damage.gone_pieces, lost);
		assert_int_equal(damage.untold, lost);
	}
	store_close(store);
	for (int i = 0; i < 2; i++) {
		store = open_as(disk, i > 0);
		assert_int_equal(damage_of(store).gone_files, 0);
		assert_int_equal(expect_pieces(store, named), lost);
		store_close(store);
	}
}

static void test_each_file(void **state)
{
	size_t lost = 0;

	(void)state;
	for (enum stop stop = CLEAN; stop < STOPS; stop++) {
		struct fault *disk = stopped(stop);
		struct lister files = list(disk, "/segments/");

		assert_true(files.count >= 3);
		for (size_t i = 0; i < files.count; i++) {
			struct fault *copy = fault_image(disk, FAULT_ALL, 0);

			take_away(copy, files.paths[i]);
			expect_told(copy, stop != POWER_CUT);
			fault_free(copy);
			lost++;
		}
		fault_free(disk);
	}
	assert_true(lost >= 9);
}

/* All of them at once, after a kill: all that was acknowledged is told of. */
static void test_all_files(void **state)
{
	struct fault *disk = stopped(KILLED);
	struct lister files = list(disk, "/segments/");
	struct store *store;

	(void)state;
	for (size_t i = 0; i < files.count; i++)
		take_away(disk, files.paths[i]);
	store = open_store(disk);
	assert_int_equal(expect_pieces(store, true), PIECES - 3);
	assert_int_equal(damage_of(store).gone_pieces, PIECES - 3);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_put(store, i, 1, SIZE, 0), ERR_OK);
	store_close(store);
	store = open_store(disk);
	for (uint32_t i = 0; i < PIECES; i++)
		assert_int_equal(pieces_check(store, i, 1, SIZE), ERR_OK);
	assert_int_equal(damage_of(store).pieces, 0);
	store_close(store);
	fault_free(disk);
}

static void test_nothing_is_gone(void **state)
{
	(void)state;
	for (enum stop stop = CLEAN; stop < STOPS; stop++) {
		struct fault *disk = stopped(stop);
		struct store *store = open_store(disk);

		assert_int_equal(damage_of(store).gone_files, 0);
		assert_int_equal(damage_of(store).pieces, 0);
		assert_int_equal(expect_pieces(store, true), 0);
		store_close(store);
		fault_free(disk);
	}
}

/* Found in lost+found and put back: before a start missed it, or after several. */
static void test_file_comes_back(void **state)
{
	(void)state;
	for (int starts = 0; starts < 3; starts++) {
		struct fault *disk = stopped(KILLED);
		struct lister files = list(disk, "/segments/");
		uint64_t size = fault_size(disk, files.paths[FIRST]);
		uint8_t *kept = memory_new(1, size);
		struct store *store;
		int fd;

		fault_peek(disk, files.paths[FIRST], 0, kept, size);
		take_away(disk, files.paths[FIRST]);
		for (int i = 0; i < starts; i++)
			store_close(open_store(disk));
		assert_int_equal(seam_open_file(fault_seam(disk), files.paths[FIRST], O_RDWR | O_CREAT, &fd), ERR_OK);
		assert_int_equal(seam_write_full(fault_seam(disk), fd, kept, size, 0), ERR_OK);
		fault_seam(disk)->close(fault_seam(disk), fd);
		for (int i = 0; i < 2; i++) {
			store = open_store(disk);
			assert_int_equal(expect_pieces(store, true), 0);
			assert_int_equal(damage_of(store).gone_files, 0);
			assert_int_equal(damage_of(store).pieces, 0);
			store_close(store);
		}
		assert_int_equal(list(disk, ".gone").count, 0);
		free(kept);
		fault_free(disk);
	}
}

/* The start that misses a file is cut off before each of its changes; the next one tells of all the same. */
static void test_start_is_cut_off(void **state)
{
	struct fault *disk = stopped(CLEAN);
	struct lister files = list(disk, "/segments/");
	bool through = false;
	uint64_t nth;

	(void)state;
	take_away(disk, files.paths[FIRST]);
	for (nth = 0; !through; nth++) {
		struct fault *copy = fault_image(disk, FAULT_ALL, 0), *after;
		const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
		char why[STORE_MESSAGE];
		struct store *store;

		fault_stop(copy, nth);
		if (store_open("/", &options, fault_seam(copy), &store, why) == ERR_OK) {
			through = !fault_stopped(copy);
			store_close(store);
		}
		after = fault_image(copy, (enum fault_keep)(nth % FAULT_KEEPS), nth);
		fault_free(copy);
		store = open_store(after);
		assert_true(expect_pieces(store, true) > 0);
		store_close(store);
		fault_free(after);
	}
	assert_true(nth > 10);
	fault_free(disk);
}

/* A store from before there were twins gets them by and by. */
static void test_twins_are_made(void **state)
{
	struct fault *disk = stopped(CLEAN);
	struct lister files = list(disk, "/segments/"), twins = list(disk, ".twin");
	struct store *store;

	(void)state;
	for (size_t i = 0; i < twins.count; i++)
		take_away(disk, twins.paths[i]);
	store = open_store(disk);
	assert_int_equal(damage_of(store).gone_files, 0);
	while (store_upkeep_step(store, "twins"))
		;
	store_close(store);
	assert_true(list(disk, ".twin").count >= 3);
	take_away(disk, files.paths[FIRST]);
	expect_told(disk, true);
	fault_free(disk);
}

/* The file itself is left alone: what another store's twin says is nothing to this one. */
static void test_foreign_twins(void **state)
{
	struct fault *disk = stopped(CLEAN);
	struct lister twins = list(disk, ".twin");
	struct lister files = list(disk, "/segments/");
	uint8_t byte = 0x77;
	struct store *store;

	(void)state;
	for (size_t i = 0; i < twins.count; i++)
		fault_poke(disk, twins.paths[i], 20, &byte, 1);
	take_away(disk, files.paths[FIRST]);
	store = open_store(disk);
	/* The checkpoint of the clean stop knows of the file, though not by name what was in it. */
	assert_int_equal(damage_of(store).gone_files, 1);
	assert_int_equal(damage_of(store).untold, 0);
	assert_true(damage_of(store).gone_pieces > 0);
	store_close(store);
	fault_free(disk);
}

static void hurt_footer(struct fault *disk, const char *path)
{
	uint64_t size = fault_size(disk, path);
	uint8_t byte;

	fault_peek(disk, path, size - 1, &byte, 1);
	byte ^= 1;
	fault_poke(disk, path, size - 1, &byte, 1);
}

/* The first one in the file: its head is zeroed, or a byte of its payload is another. */
static void hurt_piece(struct fault *disk, const char *path, bool head)
{
	static const uint8_t zeros[RECORD_CORE];
	uint8_t byte;

	if (head) {
		fault_poke(disk, path, SEGMENT_HEADER, zeros, sizeof(zeros));
		return;
	}
	fault_peek(disk, path, SEGMENT_HEADER + 20000, &byte, 1);
	byte ^= 1;
	fault_poke(disk, path, SEGMENT_HEADER + 20000, &byte, 1);
}

/* The first piece of a file is damaged, and then its footer too: it is damaged still, whether it was listed before,
 * acknowledged even, or nobody knew, and whether there is a twin or not. */
static void test_footer_rots(void **state)
{
	(void)state;
	for (int which = 0; which < 12; which++) {
		bool head = which % 2 == 1, twins = which / 2 % 2 == 0;
		int known = which / 4; /* 0: not, 1: listed, 2: acknowledged */
		struct fault *disk = stopped(CLEAN);
		struct lister files = list(disk, "/segments/"), all = list(disk, ".twin");
		struct store_key key = pieces_key(0);
		struct store *store;

		if (head && !twins) {
			fault_free(disk);
			continue; /* nothing is left of it */
		}
		hurt_piece(disk, files.paths[FIRST], head);
		if (known > 0) {
			store = open_store(disk);
			assert_int_equal(pieces_check(store, 0, 1, SIZE), ERR_CORRUPT);
			if (known > 1)
				assert_int_equal(store_losses_told(store, 0, &key.piece, 1), ERR_OK);
			store_close(store);
		}
		hurt_footer(disk, files.paths[FIRST]);
		/* A checkpoint would cover the file, and nobody would look at the footer. */
		take_away(disk, "//store/index/checkpoint-0");
		if (fault_size(disk, "//store/index/checkpoint-1") != UINT64_MAX)
			take_away(disk, "//store/index/checkpoint-1");
		for (size_t i = 0; i < all.count && !twins; i++)
			take_away(disk, all.paths[i]);
		for (int i = 0; i < 2; i++) {
			store = open_store(disk);
			assert_int_equal(damage_of(store).pieces, 1);
			assert_int_equal(damage_of(store).untold, known < 2);
			assert_int_equal(pieces_check(store, 0, 1, SIZE), ERR_CORRUPT);
			assert_int_equal(pieces_check(store, 1, 1, SIZE), ERR_OK);
			store_close(store);
		}
		store = open_store(disk);
		assert_int_equal(pieces_delete(store, 0), ERR_OK);
		assert_int_equal(pieces_put(store, 0, 2, SIZE, 0), ERR_OK);
		store_close(store);
		store = open_store(disk);
		assert_int_equal(pieces_check(store, 0, 2, SIZE), ERR_OK);
		assert_int_equal(damage_of(store).pieces, 0);
		store_close(store);
		fault_free(disk);
	}
}

static void test_format(void **state)
{
	const struct segment_entry entry = {
		.satellite = 3, .type = RECORD_PIECE, .piece = pieces_key(9).piece, .offset = 4096, .sequence = 77,
		.created = 1700000000, .size = 1000, .extent = 1344, .expires = 1800000000};
	const struct record_secret secret = {"sixteen byte key"}, other = {"another such key"};
	const struct store_id store = {"this very store"}, foreign = {"some other one"};
	uint8_t header[TWIN_HEADER], raw[TWIN_ENTRY];
	struct segment_entry back;

	(void)state;
	twin_header_encode(&store, 42, header);
	assert_int_equal(twin_header_check(header, &store, 42), ERR_OK);
	assert_int_equal(twin_header_check(header, &store, 43), ERR_CORRUPT);
	assert_int_equal(twin_header_check(header, &foreign, 42), ERR_DENIED);
	header[9]++;
	assert_int_equal(twin_header_check(header, &store, 42), ERR_UNSUPPORTED);
	header[0]++;
	assert_int_equal(twin_header_check(header, &store, 42), ERR_FORMAT);
	twin_entry_encode(&entry, &secret, 42, raw);
	assert_int_equal(twin_entry_decode(raw, &secret, 42, &back), ERR_OK);
	assert_true(bytes32_equal(&back.piece, &entry.piece));
	assert_int_equal(back.sequence, entry.sequence);
	assert_int_equal(back.offset, entry.offset);
	assert_int_equal(back.expires, entry.expires);
	assert_int_equal(twin_entry_decode(raw, &secret, 43, &back), ERR_CORRUPT);
	assert_int_equal(twin_entry_decode(raw, &other, 42, &back), ERR_CORRUPT);
	for (size_t i = 0; i < sizeof(raw); i++) {
		raw[i] ^= 4;
		assert_int_equal(twin_entry_decode(raw, &secret, 42, &back), ERR_CORRUPT);
		raw[i] ^= 4;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),	       cmocka_unit_test(test_each_file),
		cmocka_unit_test(test_all_files),      cmocka_unit_test(test_nothing_is_gone),
		cmocka_unit_test(test_file_comes_back), cmocka_unit_test(test_start_is_cut_off),
		cmocka_unit_test(test_twins_are_made), cmocka_unit_test(test_foreign_twins),
		cmocka_unit_test(test_footer_rots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
