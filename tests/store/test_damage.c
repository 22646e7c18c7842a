/*
 * Rot: flipped bits, zeroed blocks of 4 KiB, two blocks swapped, a block written where another belongs, or one from
 * long ago. Into the files of a store that is closed, that crashed, or that is open and has read all its pieces before.
 * No read may return other bytes than were put; what was damaged in a live record must be found, by the check of the
 * whole store or by the read; what was not touched must be there, and nothing that was deleted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "node/store/engine.h"
#include "tests/kit/effort.h"
#include "tests/kit/fault.h"
#include "tests/kit/model.h"
#include "tests/kit/pieces.h"

#define DISK (256ull << 20)
#define STEPS 300
#define FILES 128
#define BLOCK 4096
#define TRIES 32
#define TOMBSTONES 512

struct file {
	char path[160];
	uint64_t size;
};

/* A record that matters: the head and payload of a live piece, or a tombstone. */
struct span {
	char path[160];
	uint32_t from, to; /* to 0: there is none */
	uint32_t key;
};

/* One block of one file, as it was. */
struct wound {
	const struct file *file;
	uint64_t offset;
	uint8_t before[BLOCK];
};

struct injury {
	struct wound wounds[2];
	size_t count;
	bool hit[WORKLOAD_KEYS];    /* whose record has other bytes now, */
	bool forgot[WORKLOAD_KEYS]; /* … or one of whose tombstones */
	uint64_t hits;
};

/* A disk that a workload left behind. */
struct base {
	struct fault *disk;
	struct file files[FILES];
	size_t file_count;
	struct span live[WORKLOAD_KEYS];
	struct span tombstones[TOMBSTONES];
	size_t tombstone_count;
};

struct rot {
	struct base closed, crashed;
	struct step steps[STEPS];
	struct model model;
	uint8_t old[STEPS][BLOCK]; /* as they once were, on the way through the workload */
	size_t old_count;
	struct random_stream dice;
	uint64_t injections, reads, missing, found_by_check, found_by_read, undeleted;
};

static uint64_t below(struct rot *rot, uint64_t bound)
{
	return random_stream_below(&rot->dice, bound);
}

static void note_file(void *arg, const char *path, uint64_t size)
{
	struct base *base = arg;

	/* Two blocks in the wrong place may hit both copies of SUPER, which nothing survives. */
	if (size == 0 || strstr(path, "SUPER") != NULL || strstr(path, "LOCK") != NULL)
		return;
	assert_true(base->file_count < FILES);
	snprintf(base->files[base->file_count].path, sizeof(base->files[0].path), "%s", path);
	base->files[base->file_count++].size = size;
}

static struct span span_of(struct store *store, const struct segment *segment, uint32_t offset, uint32_t len)
{
	struct span span = {.from = offset, .to = offset + len};
	char path[SEGMENT_PATH];

	segment_path(store->pieces_dir, segment->id, path);
	snprintf(span.path, sizeof(span.path), "%.159s", path);
	return span;
}

static void note_live(struct base *base, struct store *store, const struct model *model)
{
	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++) {
		struct store_key key = pieces_key(i);
		struct located found;

		base->live[i].to = 0;
		if (model->keys[i].states[0].version == 0)
			continue;
		assert_int_equal(store_locate(store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
		base->live[i] = span_of(store, found.segment, found.place.offset,
					found.record.head + found.record.size);
		segments_unpin(store->segments, found.segment);
	}
}

static uint32_t key_of(const struct bytes32 *piece)
{
	uint32_t key = 0;

	while (key < WORKLOAD_KEYS && memcmp(pieces_key(key).piece.b, piece->b, sizeof(piece->b)) != 0)
		key++;
	return key;
}

static void note_tombstones(struct base *base, struct store *store)
{
	size_t segment_count, count;
	struct segment **list = segments_list(store->segments, &segment_count);

	base->tombstone_count = 0;
	for (size_t i = 0; i < segment_count; i++) {
		struct segment_entry *entries;

		assert_int_equal(segments_entries(store->segments, list[i], &entries, &count), ERR_OK);
		for (size_t k = 0; k < count; k++) {
			struct span *span = &base->tombstones[base->tombstone_count];

			if (list[i]->kind != SEGMENT_PIECES || entries[k].type != RECORD_TOMBSTONE)
				continue;
			assert_true(++base->tombstone_count < TOMBSTONES);
			*span = span_of(store, list[i], entries[k].offset, record_head_of(RECORD_TOMBSTONE));
			span->key = key_of(&entries[k].piece);
		}
		free(entries);
	}
	segments_unlist(store->segments, list, segment_count);
}

/* Where everything is, as a store sees it that opens a copy. */
static void base_begin(struct base *base, struct fault *disk, const struct model *model)
{
	struct fault *copy = fault_image(disk, FAULT_ALL, 0);
	struct model ignored = *model;
	struct play play;

	base->disk = disk;
	base->file_count = 0;
	fault_files(disk, note_file, base);
	assert_true(base->file_count > 5);
	play_init(&play, "/", fault_seam(copy), &ignored);
	assert_int_equal(play_open(&play), ERR_OK);
	note_live(base, play.store, model);
	note_tombstones(base, play.store);
	play_end(&play);
	fault_free(copy);
}

static bool is_blank(const uint8_t block[BLOCK])
{
	for (size_t i = 0; i < BLOCK; i++) {
		if (block[i] != 0)
			return false;
	}
	return true;
}

/* A block of a segment, behind its header, that is all zeros or is not; any, when none turns up. */
static const struct file *find_block(struct rot *rot, const struct base *base, struct fault *disk, bool blank,
				     uint64_t *ret_offset)
{
	const struct file *file = base->files;
	uint8_t block[BLOCK];

	for (int i = 0; i < TRIES; i++) {
		file = &base->files[below(rot, base->file_count)];
		*ret_offset = below(rot, file->size) / BLOCK * BLOCK;
		fault_peek(disk, file->path, *ret_offset, block, BLOCK);
		if (strstr(file->path, ".seg") != NULL && *ret_offset > 0 && is_blank(block) == blank)
			break;
	}
	return file;
}

static void keep_old_block(struct rot *rot, struct fault *disk)
{
	struct base all = {.file_count = 0};
	const struct file *file;
	uint64_t offset;

	fault_files(disk, note_file, &all);
	if (all.file_count == 0)
		return;
	file = find_block(rot, &all, disk, false, &offset);
	fault_peek(disk, file->path, offset, rot->old[rot->old_count++ % STEPS], BLOCK);
}

/* Go through a workload, crash, then close. */
static void make_disks(struct rot *rot, uint64_t seed)
{
	struct fault *disk = fault_new(DISK), *crashed;
	struct play play;

	workload_draw(seed, rot->steps, STEPS);
	model_init(&rot->model);
	play_init(&play, "/", fault_seam(disk), &rot->model);
	assert_int_equal(play_make(&play), ERR_OK);
	assert_int_equal(play_open(&play), ERR_OK);
	for (size_t i = 0; i < STEPS; i++) {
		play_take(&play, &rot->steps[i]);
		keep_old_block(rot, disk);
	}
	(void)!model_check(&rot->model, play.store, rot->model.written);
	assert_string_equal(rot->model.flaw, "");
	crashed = fault_image(disk, FAULT_ALL, 0);
	play_end(&play);
	base_begin(&rot->closed, disk, &rot->model);
	base_begin(&rot->crashed, crashed, &rot->model);
}

/* Save what stands in a block; a file's last one may be short. */
static void open_wound(struct fault *disk, const struct file *file, uint64_t at, struct wound *ret)
{
	ret->file = file;
	ret->offset = at / BLOCK * BLOCK;
	fault_peek(disk, file->path, ret->offset, ret->before, BLOCK);
}

static void put(struct fault *disk, const struct wound *wound, const uint8_t *bytes)
{
	uint64_t left = wound->file->size - wound->offset;

	fault_poke(disk, wound->file->path, wound->offset, bytes, left < BLOCK ? (size_t)left : BLOCK);
}

/* Do some harm; returns to how many blocks. */
static size_t hurt(struct rot *rot, const struct base *base, struct fault *disk, struct wound wounds[2])
{
	const struct file *one = &base->files[below(rot, base->file_count)];
	const struct file *two = &base->files[below(rot, base->file_count)];
	uint64_t at = below(rot, one->size);
	uint8_t other[BLOCK];

	open_wound(disk, one, at, &wounds[0]);
	open_wound(disk, two, below(rot, two->size), &wounds[1]);
	memcpy(other, wounds[0].before, BLOCK);
	switch (below(rot, 5)) {
	case 0:
		other[at % BLOCK] ^= (uint8_t)(1 << below(rot, 8));
		put(disk, &wounds[0], other);
		return 1;
	case 1:
		memset(other, 0, BLOCK);
		put(disk, &wounds[0], other);
		return 1;
	case 2:
		put(disk, &wounds[0], wounds[1].before);
		put(disk, &wounds[1], wounds[0].before);
		return 2;
	case 3:
		put(disk, &wounds[0], wounds[1].before);
		return 1;
	default:
		/* Where nothing was written yet. */
		one = find_block(rot, base, disk, true, &at);
		open_wound(disk, one, at, &wounds[0]);
		put(disk, &wounds[0], rot->old[below(rot, STEPS)]);
		return 1;
	}
}

/* Whether any byte of the record is another now. */
static bool is_hit(const struct span *live, struct fault *disk, const struct wound *wounds, size_t count)
{
	for (size_t i = 0; i < count && live->to > 0; i++) {
		uint8_t now[BLOCK];

		if (strcmp(live->path, wounds[i].file->path) != 0)
			continue;
		fault_peek(disk, live->path, wounds[i].offset, now, BLOCK);
		for (uint64_t k = 0; k < BLOCK; k++) {
			uint64_t at = wounds[i].offset + k;

			if (at >= live->from && at < live->to && at < wounds[i].file->size &&
			    now[k] != wounds[i].before[k])
				return true;
		}
	}
	return false;
}

static struct store_checked check_all(struct store *store)
{
	struct store_check *check = store_check_begin(store);
	struct store_checked checked;
	bool more = true;

	while (more) {
		uint64_t budget = 16 << 20;

		assert_int_equal(store_check_step(check, &budget, &more), ERR_OK);
	}
	store_checked(check, &checked);
	store_check_free(check);
	return checked;
}

static void read_all(const struct model *model, struct store *store)
{
	for (uint32_t key = 0; key < WORKLOAD_KEYS; key++)
		assert_int_equal(model_read(model, store, key), ERR_OK);
}

static void tell(const struct rot *rot, uint32_t key, enum err err, const struct injury *injury)
{
	const struct model_state *state = &rot->model.keys[key].states[0];

	print_message("# injection %llu: key %u, version %u of %u bytes, %s: %s\n", (unsigned long long)rot->injections,
		      key, state->version, state->len, injury->hit[key] ? "hit" : "not hit", err_name(err));
	for (size_t i = 0; i < injury->count; i++)
		print_message("# block at %llu of %s, %llu bytes\n", (unsigned long long)injury->wounds[i].offset,
			      injury->wounds[i].file->path, (unsigned long long)injury->wounds[i].file->size);
}

/* A block may hold both the tombstone of a piece and the footer that speaks of it. Then the piece is there again, as it
 * was before it was deleted. */
static bool is_undeleted(const struct rot *rot, struct store *store, uint32_t key)
{
	for (size_t i = 0; i < STEPS; i++) {
		const struct step *step = &rot->steps[i];

		if (step->verb == STEP_PUT && step->key == key &&
		    pieces_check(store, key, step->version, step->len) == ERR_OK)
			return true;
	}
	return false;
}

/* A piece that must be there and shows none of its states is answered as missing, or it would be wrong bytes. */
static enum err expect_missing(struct store *store, uint32_t number)
{
	struct store_key key = pieces_key(number);
	struct store_reader *reader = NULL;
	enum err err = store_get(store, &key, &reader);

	store_reader_free(reader);
	assert_int_equal(err, ERR_NOT_FOUND);
	return err;
}

/* Read all keys; returns how many that were hit could not be read. */
static uint64_t expect_no_wrong_bytes(struct rot *rot, struct store *store, const struct injury *injury)
{
	uint64_t missing = 0;

	for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
		const struct model_state *state = &rot->model.keys[key].states[0];
		enum err err = model_read(&rot->model, store, key);
		bool hit = injury->hit[key];

		rot->reads++;
		/* A word about the trash may be lost like one about a deletion; the piece is what it was. */
		if (err == ERR_CONFLICT && state->version != 0)
			err = pieces_check(store, key, state->version, state->len);
		if (err == ERR_CONFLICT && injury->forgot[key] && is_undeleted(rot, store, key)) {
			rot->undeleted++;
			missing += hit;
			continue;
		}
		if (hit && err == ERR_CONFLICT)
			err = expect_missing(store, key);
		if (!hit && err != ERR_OK)
			tell(rot, key, err, injury);
		assert_true(hit || err == ERR_OK);
		missing += err != ERR_OK;
	}
	return missing;
}

static void injure(struct rot *rot, const struct base *base, struct fault *disk, struct injury *injury)
{
	memset(injury, 0, sizeof(*injury));
	injury->count = hurt(rot, base, disk, injury->wounds);
	for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
		injury->hit[key] = is_hit(&base->live[key], disk, injury->wounds, injury->count);
		injury->hits += injury->hit[key];
	}
	for (size_t i = 0; i < base->tombstone_count; i++) {
		const struct span *span = &base->tombstones[i];

		if (span->key < WORKLOAD_KEYS && is_hit(span, disk, injury->wounds, injury->count))
			injury->forgot[span->key] = true;
	}
}

static void inject(struct rot *rot)
{
	bool open = below(rot, 2) == 0, check_first = below(rot, 2) == 0;
	const struct base *base = open || below(rot, 2) == 0 ? &rot->closed : &rot->crashed;
	struct fault *disk = fault_image(base->disk, FAULT_ALL, 0);
	struct store_checked checked = {.bytes = 0};
	struct model model = rot->model;
	struct injury injury;
	uint64_t missing;
	struct play play;

	play_init(&play, "/", fault_seam(disk), &model);
	play.options.rebuild = below(rot, 3) == 0;
	if (open) {
		assert_int_equal(play_open(&play), ERR_OK);
		read_all(&model, play.store);
	}
	injure(rot, base, disk, &injury);
	if (!open)
		assert_int_equal(play_open(&play), ERR_OK);
	if (check_first)
		checked = check_all(play.store);
	missing = expect_no_wrong_bytes(rot, play.store, &injury);
	/* A head that is still remembered serves a read; the check finds it. */
	if (!check_first && missing < injury.hits) {
		checked = check_all(play.store);
		missing = expect_no_wrong_bytes(rot, play.store, &injury);
	}
	if (missing != injury.hits) {
		for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
			if (injury.hit[key])
				tell(rot, key, model_read(&model, play.store, key), &injury);
		}
	}
	assert_int_equal(missing, injury.hits);
	rot->injections++;
	rot->missing += missing;
	rot->found_by_check += checked.found;
	rot->found_by_read += missing - (checked.found < missing ? checked.found : missing);
	play_end(&play);
	fault_free(disk);
}

static void test_damage_is_found_and_never_served(void **state)
{
	uint64_t seed = effort_seed("damage", 1), wanted = effort(10000, 100000), each = effort(2000, 2000);
	struct rot *rot = memory_new(1, sizeof(*rot));

	(void)state;
	random_stream_init(&rot->dice, bytes_of(&seed, sizeof(seed)));
	for (; rot->injections < wanted; seed++) {
		make_disks(rot, seed);
		for (uint64_t i = 0; i < each; i++)
			inject(rot);
		fault_free(rot->closed.disk);
		fault_free(rot->crashed.disk);
	}
	print_message("# damage: %llu injections, %llu reads without a wrong byte, %llu pieces hit: "
		      "%llu found by checking, %llu by reading; deletions undone %llu\n",
		      (unsigned long long)rot->injections, (unsigned long long)rot->reads,
		      (unsigned long long)rot->missing, (unsigned long long)rot->found_by_check,
		      (unsigned long long)rot->found_by_read, (unsigned long long)rot->undeleted);
	assert_true(rot->missing > rot->injections / 20);
	free(rot);
}

static void compact_all(struct store *store)
{
	struct store_compacted done = {.more = true};

	while (done.more)
		assert_int_equal(store_compact_step(store, 1, &done), ERR_OK);
}

/* A deleted piece of which nothing is left, its tombstone neither: its block, turning up in the free room of another
 * segment, holds a true head, but not the head of a record that stands there. */
static void test_a_block_of_long_ago_is_no_record(void **state)
{
	struct fault *disk = fault_new(DISK), *crashed;
	struct base base = {.file_count = 0};
	struct store_key key = pieces_key(7);
	struct located found;
	struct wound wound;
	struct span at;
	struct model model;
	struct play play;
	uint8_t old[BLOCK];

	(void)state;
	model_init(&model);
	play_init(&play, "/", fault_seam(disk), &model);
	assert_int_equal(play_make(&play), ERR_OK);
	assert_int_equal(play_open(&play), ERR_OK);
	assert_int_equal(pieces_put(play.store, 7, 1, 2000, 0), ERR_OK);
	assert_int_equal(store_locate(play.store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
	at = span_of(play.store, found.segment, found.place.offset, 1);
	segments_unpin(play.store->segments, found.segment);
	assert_int_equal(at.from, SEGMENT_HEADER);
	fault_peek(disk, at.path, SEGMENT_HEADER, old, BLOCK);
	assert_int_equal(pieces_delete(play.store, 7), ERR_OK);
	play_close(&play);
	assert_int_equal(play_open(&play), ERR_OK);
	compact_all(play.store);
	assert_int_equal(fault_size(disk, at.path), UINT64_MAX);
	assert_int_equal(pieces_put(play.store, 8, 1, 2000, 0), ERR_OK);
	crashed = fault_image(disk, FAULT_ALL, 0);
	play_end(&play);
	fault_free(disk);
	fault_files(crashed, note_file, &base);
	for (size_t i = 0; i < base.file_count; i++) {
		if (strstr(base.files[i].path, "segments/") == NULL || base.files[i].size < 1 << 20)
			continue;
		open_wound(crashed, &base.files[i], 1 << 19, &wound);
		put(crashed, &wound, old);
	}
	play_init(&play, "/", fault_seam(crashed), &model);
	play.options.rebuild = true;
	assert_int_equal(play_open(&play), ERR_OK);
	assert_int_equal(model_read(&model, play.store, 7), ERR_OK);
	assert_int_equal(pieces_check(play.store, 8, 1, 2000), ERR_OK);
	play_end(&play);
	fault_free(crashed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_of_long_ago_is_no_record),
		cmocka_unit_test(test_damage_is_found_and_never_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
