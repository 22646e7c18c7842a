/*
 * Stores that earlier programs made: each opens, with every piece, mark and transfer in it; what it holds is not
 * touched; and this program would write each header, head and footer in it the same, byte for byte. So whoever changes
 * a layout finds out here, and has to make it a new version.
 */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/golden/golden.h"
#include "tests/kit/pieces.h"

#define FILES 16

struct file {
	char *path;
	char *content;
	size_t len;
};

struct fixture {
	const char *archive;
	bool full; /* made by a program that knew trash, expiry, damage, checkpoints and owners */
	char dir[64];
	struct key *key;
	struct store *store;
	struct file files[FILES]; /* sealed segments, as they were */
	size_t file_count;
};

static void run(const char *const argv[])
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool is_sealed(const struct file *file)
{
	return file->len >= 64 && memcmp(file->content + file->len - 64, "GRANFOOT", 8) == 0;
}

static void note_files(struct fixture *f, const char *pattern)
{
	char *path = file_join(f->dir, pattern);
	glob_t found;

	assert_int_equal(glob(path, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct file *file = &f->files[f->file_count];

		assert_true(f->file_count < FILES);
		assert_int_equal(file_read(found.gl_pathv[i], 4 << 20, &file->content, &file->len), ERR_OK);
		file->path = strdup(found.gl_pathv[i]);
		if (is_sealed(file)) {
			f->file_count++;
		} else {
			free(file->path);
			free(file->content);
		}
	}
	globfree(&found);
	free(path);
}

static int unpack(void **state, const char *archive, bool full)
{
	static const uint8_t secret[32] = {[31] = GOLDEN_KEY};
	struct fixture *f = memory_new(1, sizeof(*f));
	const char *golden = getenv("GRANARY_GOLDEN");
	char *path;

	assert_non_null(golden);
	path = file_join(golden, archive);
	f->archive = archive;
	f->full = full;
	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-golden-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	run((const char *const[]){"tar", "-xzf", path, "-C", f->dir, "--no-same-owner", NULL});
	free(path);
	assert_int_equal(key_from_secret(secret, &f->key), ERR_OK);
	note_files(f, "store/segments/*.seg");
	note_files(f, "store/transfers/*.seg");
	*state = f;
	return 0;
}

static int set_up_first(void **state)
{
	return unpack(state, "store-v1-first.tar.gz", false);
}

static int set_up_full(void **state)
{
	return unpack(state, "store-v1.tar.gz", true);
}

static int set_up_twins(void **state)
{
	return unpack(state, "store-v1-twins.tar.gz", true);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	run((const char *const[]){"rm", "-r", f->dir, NULL});
	for (size_t i = 0; i < f->file_count; i++) {
		free(f->files[i].path);
		free(f->files[i].content);
	}
	key_free(f->key);
	free(f);
	return 0;
}

static void open_golden(struct fixture *f)
{
	const struct store_options options = {
		.allocation = GOLDEN_ALLOCATION, .no_upkeep = true, .owner = key_id(f->key)};
	char why[STORE_MESSAGE] = "";

	assert_int_equal(store_open(f->dir, &options, &seam_system, &f->store, why), ERR_OK);
}

static void expect_content(struct fixture *f, const struct golden_piece *piece, uint32_t version)
{
	struct store_key key = pieces_key(piece->number);
	uint32_t blocks = tree_blocks(piece->size);
	uint8_t *content = memory_new(blocks, TREE_BLOCK), *wanted = memory_new(blocks, TREE_BLOCK);
	struct store_reader *reader;
	size_t len;

	golden_fill(piece->number, version, wanted, piece->size);
	assert_int_equal(store_get(f->store, &key, &reader), ERR_OK);
	assert_int_equal(store_reader_piece(reader)->size, piece->size);
	assert_int_equal(store_reader_piece(reader)->stored_at, 1500 + version);
	assert_int_equal(store_reader_piece(reader)->expires, piece->fate == GOLDEN_EXPIRING ? GOLDEN_EXPIRES : 0);
	assert_int_equal(store_reader_blocks(reader, 0, blocks, content, &len), ERR_OK);
	assert_int_equal(len, piece->size);
	assert_memory_equal(content, wanted, len);
	store_reader_free(reader);
	free(content);
	free(wanted);
}

static void expect_piece(struct fixture *f, const struct golden_piece *piece)
{
	struct store_key key = pieces_key(piece->number);
	struct store_reader *reader;

	switch (piece->fate) {
	case GOLDEN_LIVE:
	case GOLDEN_EXPIRING:
	case GOLDEN_RESTORED:
	case GOLDEN_TRASHED: /* which reading restores, so this comes last */
		expect_content(f, piece, 1);
		break;
	case GOLDEN_AGAIN:
		expect_content(f, piece, 2);
		break;
	case GOLDEN_DELETED:
		assert_int_equal(store_get(f->store, &key, &reader), ERR_NOT_FOUND);
		break;
	case GOLDEN_DAMAGED:
		assert_int_equal(store_get(f->store, &key, &reader), ERR_CORRUPT);
		break;
	}
}

/* What the store knows without reading pieces. */
static void expect_sums(struct fixture *f, uint64_t trashed)
{
	struct store_damage damage;
	struct store_scrub scrub;
	struct store_space space;
	struct store_scan scan;

	segments_wait_idle(f->store->segments); /* a spare that is being made counts on one side only */
	store_space(f->store, &space);
	store_damage(f->store, &damage);
	store_scrub(f->store, &scrub);
	assert_int_equal(space.pieces, f->full ? 10 - trashed : 6);
	assert_int_equal(space.trashed, trashed);
	assert_int_equal(space.trash, trashed * 700);
	assert_int_equal(damage.pieces, f->full);
	assert_int_equal(damage.bytes, f->full ? 1100 : 0);
	assert_int_equal(damage.untold, f->full);
	assert_int_equal(scrub.rounds, f->full);
	assert_int_equal(store_scan(f->store, &scan), ERR_OK);
	assert_int_equal(scan.live, space.live);
	assert_int_equal(scan.dead, space.dead);
	assert_int_equal(scan.overhead, space.overhead);
}

struct seen {
	uint64_t last;
	bool transfers[GOLDEN_COUNT(golden_transfers)];
	size_t pieces;
};

static bool see(void *arg, const struct store_transfer *transfer)
{
	struct seen *seen = arg;
	uint32_t number = get_be32(transfer->allocation.serial.b);

	assert_true(transfer->sequence > seen->last);
	seen->last = transfer->sequence;
	for (size_t i = 0; i < GOLDEN_COUNT(golden_transfers); i++) {
		if (golden_transfers[i].number != number)
			continue;
		assert_int_equal(transfer->order.amount, golden_transfers[i].amount);
		seen->transfers[i] = true;
		return true;
	}
	for (size_t i = 0; i < GOLDEN_COUNT(golden_pieces); i++) {
		if (golden_pieces[i].number == number) {
			assert_int_equal(transfer->order.amount, golden_pieces[i].size);
			seen->pieces++;
		}
	}
	return true;
}

static void expect_transfers(struct fixture *f)
{
	struct seen seen = {.last = 0};

	assert_int_equal(store_transfers_each(f->store, 0, 0, see, &seen), ERR_OK);
	for (size_t i = 0; i < GOLDEN_COUNT(golden_transfers); i++)
		assert_true(seen.transfers[i]);
	/* Also of pieces that were deleted: somebody ordered them. */
	assert_int_equal(seen.pieces, f->full ? 12 : 8);
}

static void expect_untouched(const struct fixture *f)
{
	for (size_t i = 0; i < f->file_count; i++) {
		char *content;
		size_t len;

		assert_int_equal(file_read(f->files[i].path, 4 << 20, &content, &len), ERR_OK);
		assert_int_equal(len, f->files[i].len);
		assert_memory_equal(content, f->files[i].content, len);
		free(content);
	}
}

static void test_opens(void **state)
{
	struct fixture *f = *state;

	assert_true(f->file_count >= (f->full ? 4 : 3));
	open_golden(f);
	/* A new program finds the index that the old one saved good enough. */
	assert_int_equal(f->store->short_start, f->full);
	for (int round = 0; round < 2; round++) {
		expect_sums(f, f->full && round == 0);
		expect_transfers(f);
		for (size_t i = 0; i < GOLDEN_COUNT(golden_pieces); i++) {
			if (f->full || golden_pieces[i].fate <= GOLDEN_AGAIN)
				expect_piece(f, &golden_pieces[i]);
		}
		store_close(f->store);
		open_golden(f);
	}
	expect_untouched(f);
}

/* From the segments alone. */
static void test_rebuilds(void **state)
{
	struct fixture *f = *state;
	const struct store_options options = {.allocation = GOLDEN_ALLOCATION, .no_upkeep = true};
	char why[STORE_MESSAGE] = "";
	struct store_space space;

	assert_int_equal(store_rebuild(f->dir, &options, &seam_system, &space, why), ERR_OK);
	assert_int_equal(space.pieces, f->full ? 9 : 6);
	assert_int_equal(space.trashed, f->full);
	open_golden(f);
	expect_sums(f, f->full);
	expect_untouched(f);
}

/* Decode what stands there, and encode it anew. */
static void expect_same_record(const struct file *file, const struct segment_header *header,
			       const struct segment_entry *entry)
{
	const struct record_place place = {header->id, entry->offset};
	const uint8_t *kept = (const uint8_t *)file->content + entry->offset;
	struct segment_entry entry_again;
	uint8_t again[RECORD_HEAD_MAX], entry_raw[2][SEGMENT_ENTRY];
	struct record *record = memory_new(1, sizeof(*record));

	assert_int_equal(record_decode(bytes_of(kept, file->len - entry->offset), &header->secret, &place, record),
			 ERR_OK);
	record_encode(record, &header->secret, &place, again);
	assert_memory_equal(again, kept, record->head);
	entry_again = segment_entry_of(record, entry->offset);
	segment_entry_encode(&entry_again, entry_raw[0]);
	segment_entry_encode(entry, entry_raw[1]);
	assert_memory_equal(entry_raw[0], entry_raw[1], SEGMENT_ENTRY);
	free(record);
}

static size_t expect_same_segment(const struct file *file)
{
	uint8_t header_again[SEGMENT_HEADER], trailer_again[SEGMENT_TRAILER], entry_again[SEGMENT_ENTRY];
	const uint8_t *kept = (const uint8_t *)file->content;
	struct segment_header header;
	struct segment_trailer trailer;
	size_t at;

	assert_int_equal(segment_header_decode(kept, &header), ERR_OK);
	segment_header_encode(&header, header_again);
	assert_memory_equal(header_again, kept, sizeof(header_again));
	at = file->len - SEGMENT_TRAILER;
	assert_int_equal(segment_trailer_decode(kept + at, &header.secret, &trailer), ERR_OK);
	segment_trailer_encode(&trailer, &header.secret, trailer_again);
	assert_memory_equal(trailer_again, kept + at, sizeof(trailer_again));
	at -= (size_t)trailer.count * SEGMENT_ENTRY;
	for (uint32_t i = 0; i < trailer.count; i++, at += SEGMENT_ENTRY) {
		struct segment_entry entry;

		assert_int_equal(segment_entry_decode(kept + at, &entry), ERR_OK);
		segment_entry_encode(&entry, entry_again);
		assert_memory_equal(entry_again, kept + at, sizeof(entry_again));
		if (entry.type != RECORD_PAD)
			expect_same_record(file, &header, &entry);
	}
	return trailer.count;
}

static void expect_same_super(struct fixture *f)
{
	char *path = file_join(f->dir, "store/SUPER"), *content;
	struct super *super = memory_new(1, sizeof(*super));
	uint8_t again[SUPER_COPY];
	size_t len;

	assert_int_equal(file_read(path, SUPER_FILE, &content, &len), ERR_OK);
	assert_int_equal(len, SUPER_FILE);
	for (size_t at = 0; at <= SUPER_SECOND; at += SUPER_SECOND) {
		assert_int_equal(super_decode((const uint8_t *)content + at, super), ERR_OK);
		super_encode(super, again);
		assert_memory_equal(again, content + at, sizeof(again));
		assert_int_equal(super->owned, f->full);
		assert_true(!f->full || id_equal(&super->owner, key_id(f->key)));
	}
	free(content);
	free(super);
	free(path);
}

static void expect_same_list(struct fixture *f)
{
	char *path = file_join(f->dir, "store/DAMAGE"), *content;
	uint8_t again[DAMAGE_ENTRY];
	struct damage_entry entry;
	size_t len;

	assert_int_equal(file_read(path, 1 << 20, &content, &len), ERR_OK);
	assert_int_equal(damage_entry_decode((const uint8_t *)content, &entry), ERR_OK);
	damage_entry_encode(&entry, again);
	assert_memory_equal(again, content, sizeof(again));
	free(content);
	free(path);
}

static void test_would_be_written_the_same(void **state)
{
	struct fixture *f = *state;
	size_t records = 0;

	for (size_t i = 0; i < f->file_count; i++)
		records += expect_same_segment(&f->files[i]);
	/* Pieces, the one put again, transfers and marks. */
	assert_int_equal(records, f->full ? 11 + 1 + 3 + 2 + 2 + 1 : 7 + 1 + 3 + 2);
	expect_same_super(f);
	if (f->full)
		expect_same_list(f);
}

/* The twin of a segment of pieces, if it is one: its header, and each entry, as in the footer. */
static size_t expect_same_twin(const struct fixture *f, const struct file *file)
{
	struct segment_trailer trailer;
	struct segment_header header;
	struct segment_entry entry;
	uint8_t again[TWIN_ENTRY];
	char path[SEGMENT_PATH], *content;
	size_t len;

	assert_int_equal(segment_header_decode((const uint8_t *)file->content, &header), ERR_OK);
	if (header.kind != SEGMENT_PIECES)
		return 0;
	assert_int_equal(segment_trailer_decode((const uint8_t *)file->content + file->len - SEGMENT_TRAILER,
						&header.secret, &trailer),
			 ERR_OK);
	snprintf(path, sizeof(path), "%s/store/twins/%08x.twin", f->dir, header.id);
	assert_int_equal(file_read(path, 1 << 20, &content, &len), ERR_OK);
	assert_int_equal(len, TWIN_HEADER + trailer.count * TWIN_ENTRY);
	assert_int_equal(twin_header_check((const uint8_t *)content, &header.store, header.id), ERR_OK);
	twin_header_encode(&header.store, header.id, again);
	assert_memory_equal(again, content, TWIN_HEADER);
	for (size_t at = TWIN_HEADER; at < len; at += TWIN_ENTRY) {
		assert_int_equal(twin_entry_decode((const uint8_t *)content + at, &header.secret, header.id, &entry),
				 ERR_OK);
		twin_entry_encode(&entry, &header.secret, header.id, again);
		assert_memory_equal(again, content + at, sizeof(again));
	}
	free(content);
	return trailer.count;
}

static void test_twins_would_be_written_the_same(void **state)
{
	struct fixture *f = *state;
	size_t entries = 0;

	for (size_t i = 0; i < f->file_count; i++)
		entries += expect_same_twin(f, &f->files[i]);
	/* All records but the transfers. */
	assert_int_equal(entries, 11 + 1 + 2 + 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_opens, set_up_first, tear_down),
		cmocka_unit_test_setup_teardown(test_opens, set_up_full, tear_down),
		cmocka_unit_test_setup_teardown(test_opens, set_up_twins, tear_down),
		cmocka_unit_test_setup_teardown(test_rebuilds, set_up_first, tear_down),
		cmocka_unit_test_setup_teardown(test_rebuilds, set_up_full, tear_down),
		cmocka_unit_test_setup_teardown(test_rebuilds, set_up_twins, tear_down),
		cmocka_unit_test_setup_teardown(test_would_be_written_the_same, set_up_first, tear_down),
		cmocka_unit_test_setup_teardown(test_would_be_written_the_same, set_up_full, tear_down),
		cmocka_unit_test_setup_teardown(test_would_be_written_the_same, set_up_twins, tear_down),
		cmocka_unit_test_setup_teardown(test_twins_would_be_written_the_same, set_up_twins, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
