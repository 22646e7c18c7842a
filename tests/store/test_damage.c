/*
 * Rot: flipped bits, zeroed blocks of 4 KiB, two blocks swapped, a block written where another belongs. Into the files
 * of a store that is closed, or that is open and has read all its pieces before. No read may return other bytes than
 * were put; what was damaged in a live record must be found, by the check of the whole store or by the read; what was
 * not touched must be there.
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

struct file {
	char path[160];
	uint64_t size;
};

/* A live record: its head and its payload. */
struct live {
	char path[160];
	uint32_t from, to;
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
	bool hit[WORKLOAD_KEYS]; /* whose record has other bytes now */
	uint64_t hits;
};

struct rot {
	struct fault *disk; /* closed and whole */
	struct step steps[STEPS];
	struct model model;
	struct file files[FILES];
	size_t file_count;
	struct live live[WORKLOAD_KEYS]; /* to 0: there is none */
	struct random_stream dice;
	uint64_t injections, harmless, missing, found_by_check, found_by_read, undeleted;
};

static uint64_t below(struct rot *rot, uint64_t bound)
{
	return random_stream_below(&rot->dice, bound);
}

static void note_file(void *arg, const char *path, uint64_t size)
{
	struct rot *rot = arg;

	/* Two blocks in the wrong place may hit both copies of SUPER, which nothing survives. */
	if (size == 0 || strstr(path, "SUPER") != NULL || strstr(path, "LOCK") != NULL)
		return;
	assert_true(rot->file_count < FILES);
	snprintf(rot->files[rot->file_count].path, sizeof(rot->files[0].path), "%s", path);
	rot->files[rot->file_count++].size = size;
}

static void note_live(struct rot *rot, struct play *play)
{
	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++) {
		struct store_key key = pieces_key(i);
		struct live *live = &rot->live[i];
		char path[SEGMENT_PATH];
		struct located found;

		live->to = 0;
		if (rot->model.keys[i].states[0].version == 0)
			continue;
		assert_int_equal(store_locate(play->store, &key, LOCATE_CORE, &found, NULL), ERR_OK);
		segment_path(play->store->pieces_dir, found.segment->id, path);
		snprintf(live->path, sizeof(live->path), "%.159s", path);
		live->from = found.place.offset;
		live->to = live->from + found.record.head + found.record.size;
		segments_unpin(play->store->segments, found.segment);
	}
}

/* A store that a workload left behind, closed. */
static void make_disk(struct rot *rot, uint64_t seed)
{
	struct play play;

	workload_draw(seed, rot->steps, STEPS);
	rot->disk = fault_new(DISK);
	model_init(&rot->model);
	play_init(&play, "/", fault_seam(rot->disk), &rot->model);
	assert_int_equal(play_make(&play), ERR_OK);
	assert_int_equal(play_open(&play), ERR_OK);
	for (size_t i = 0; i < STEPS; i++)
		play_take(&play, &rot->steps[i]);
	(void)!model_check(&rot->model, play.store, rot->model.written);
	assert_string_equal(rot->model.flaw, "");
	play_close(&play);
	assert_int_equal(play_open(&play), ERR_OK);
	note_live(rot, &play);
	play_end(&play);
	rot->file_count = 0;
	fault_files(rot->disk, note_file, rot);
	assert_true(rot->file_count > 5);
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
static size_t hurt(struct rot *rot, struct fault *disk, struct wound wounds[2])
{
	const struct file *one = &rot->files[below(rot, rot->file_count)];
	const struct file *two = &rot->files[below(rot, rot->file_count)];
	uint64_t at = below(rot, one->size);
	uint8_t other[BLOCK];

	open_wound(disk, one, at, &wounds[0]);
	open_wound(disk, two, below(rot, two->size), &wounds[1]);
	memcpy(other, wounds[0].before, BLOCK);
	switch (below(rot, 4)) {
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
	default:
		put(disk, &wounds[0], wounds[1].before);
		return 1;
	}
}

/* Whether any byte of the record is another now. */
static bool is_hit(const struct live *live, struct fault *disk, const struct wound *wounds, size_t count)
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

	print_message("# injection %llu: key %u, version %u of %u bytes at %s, %u to %u, %s\n",
		      (unsigned long long)rot->injections, key, state->version, state->len, rot->live[key].path,
		      rot->live[key].from, rot->live[key].to, err_name(err));
	for (size_t i = 0; i < injury->count; i++)
		print_message("# block at %llu of %s, %llu bytes\n", (unsigned long long)injury->wounds[i].offset,
			      injury->wounds[i].file->path, (unsigned long long)injury->wounds[i].file->size);
}

/* A block may hold both the tombstone of a piece and the footer that speaks of it, in a segment of a few records. Then
 * the piece is there again, as it was before it was deleted. */
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

		/* A word about the trash may be lost like one about a deletion; the piece is what it was. */
		if (err == ERR_CONFLICT && state->version != 0)
			err = pieces_check(store, key, state->version, state->len);
		if (err == ERR_CONFLICT && (hit || state->version == 0) &&
		    is_undeleted(rot, store, key)) {
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

static void injure(struct rot *rot, struct fault *disk, struct injury *injury)
{
	injury->count = hurt(rot, disk, injury->wounds);
	injury->hits = 0;
	for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
		injury->hit[key] = is_hit(&rot->live[key], disk, injury->wounds, injury->count);
		injury->hits += injury->hit[key];
	}
}

static void inject(struct rot *rot)
{
	bool open = below(rot, 2) == 0, check_first = below(rot, 2) == 0;
	struct fault *disk = fault_image(rot->disk, FAULT_ALL, 0);
	struct store_checked checked = {.bytes = 0};
	struct model model = rot->model;
	struct injury injury;
	uint64_t missing;
	struct play play;

	play_init(&play, "/", fault_seam(disk), &model);
	if (open) {
		assert_int_equal(play_open(&play), ERR_OK);
		read_all(&model, play.store);
	}
	injure(rot, disk, &injury);
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
	rot->harmless += missing == 0;
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
		make_disk(rot, seed);
		for (uint64_t i = 0; i < each; i++)
			inject(rot);
		fault_free(rot->disk);
	}
	print_message("# damage: %llu injections, %llu pieces hit: %llu found by checking, %llu by reading; "
		      "wrong bytes 0, deletions undone %llu\n",
		      (unsigned long long)rot->injections, (unsigned long long)rot->missing,
		      (unsigned long long)rot->found_by_check, (unsigned long long)rot->found_by_read,
		      (unsigned long long)rot->undeleted);
	assert_true(rot->missing > rot->injections / 20);
	free(rot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage_is_found_and_never_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
