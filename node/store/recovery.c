/* Opening the files, choosing a checkpoint, replaying. */
#include "node/store/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/footer.h"
#include "node/store/replay.h"

#define DAY 86400

struct recovery {
	struct store *store;
	bool clean;
	char *why;
	struct recovery_found *found;
	struct replay replay;
	size_t room;
	struct checkpoint checkpoints[CHECKPOINT_GENERATIONS]; /* those that hold, newest first */
	int which[CHECKPOINT_GENERATIONS];		       /* … and the files they are in */
	int usable;
};

static const char *dir_of(const struct store *store, enum segment_kind kind)
{
	return kind == SEGMENT_PIECES ? store->pieces_dir : store->transfers_dir;
}

static enum err add_file(struct recovery *r, enum segment_kind kind, uint32_t id)
{
	struct replay_file file = {.kind = kind, .id = id};
	char path[SEGMENT_PATH];
	struct seam_stat st;
	enum err err;

	segment_path(dir_of(r->store, kind), id, path);
	err = seam_stat_path(r->store->seam, path, &st);
	if (err == ERR_OK && st.size > 2ull * SEGMENT_MOST)
		err = ERR_CORRUPT;
	if (err != ERR_OK) {
		snprintf(r->why, STORE_MESSAGE, "cannot open segment %08x: %s", id, err_text(err));
		return err;
	}
	file.size = (uint32_t)st.size;
	r->replay.files = memory_grow(r->replay.files, &r->room, r->replay.count + 1, sizeof(*r->replay.files));
	r->replay.files[r->replay.count++] = file;
	r->replay.total += file.size;
	return ERR_OK;
}

static int compare_files(const void *left, const void *right)
{
	const struct replay_file *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Files that there are only twins of are replayed like the others. */
static enum err add_gone(struct recovery *r, const uint32_t *ids, size_t count)
{
	struct gone *gone = &r->found->gone;
	enum err err = gone_find(r->store, ids, count, gone);

	if (err != ERR_OK)
		snprintf(r->why, STORE_MESSAGE, "cannot list %.180s: %s", r->store->twins.dir, err_text(err));
	if (gone->last_id > 0)
		segments_set_next_id(r->store->segments, gone->last_id + 1);
	for (size_t i = 0; i < gone->count; i++) {
		const struct gone_file *file = &gone->files[i];

		if (file->segment == NULL)
			continue;
		r->replay.files = memory_grow(r->replay.files, &r->room, r->replay.count + 1, sizeof(*r->replay.files));
		r->replay.files[r->replay.count++] = (struct replay_file){
			.kind = SEGMENT_PIECES, .id = file->id, .segment = file->segment, .examined = true};
		segments_pin_again(file->segment); /* the table's */
		segments_add(r->store->segments, file->segment);
	}
	if (r->replay.count > 0)
		qsort(r->replay.files, r->replay.count, sizeof(*r->replay.files), compare_files);
	return err;
}

/* Note all segment files of a kind, in order of id. */
static enum err list_kind(struct recovery *r, enum segment_kind kind)
{
	const char *dir = dir_of(r->store, kind);
	uint32_t *ids;
	size_t count;
	enum err err = segment_list_ids(r->store->seam, dir, SEGMENT_SUFFIX, &ids, &count);

	if (err != ERR_OK)
		snprintf(r->why, STORE_MESSAGE, "cannot list %.180s: %s", dir, err_text(err));
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = add_file(r, kind, ids[i]);
	if (err == ERR_OK && kind == SEGMENT_PIECES)
		err = add_gone(r, ids, count);
	free(ids);
	return err;
}

static void swap_checkpoints(struct recovery *r)
{
	struct checkpoint checkpoint = r->checkpoints[0];
	int which = r->which[0];

	r->checkpoints[0] = r->checkpoints[1];
	r->which[0] = r->which[1];
	r->checkpoints[1] = checkpoint;
	r->which[1] = which;
}

/* One that is damaged, or of a version to come, is as good as none: it is only a shortcut. */
static void open_checkpoints(struct recovery *r)
{
	for (int which = 0; which < CHECKPOINT_GENERATIONS; which++) {
		char path[SEGMENT_PATH];

		checkpoint_path(r->store->dir, which, path);
		if (checkpoint_open(r->store->seam, path, &r->store->secret, &r->store->super.store,
				    &r->checkpoints[r->usable]) == ERR_OK)
			r->which[r->usable++] = which;
	}
	if (r->usable == 2 && r->checkpoints[1].end.generation > r->checkpoints[0].end.generation)
		swap_checkpoints(r);
	if (r->usable > 0)
		r->replay.durable = r->checkpoints[0].end.horizon;
}

/* Whether any checkpoint vouches for this file. */
static bool is_vouched_for(const struct recovery *r, const struct replay_file *file)
{
	for (int i = 0; i < r->usable; i++) {
		const struct checkpoint_row *row = checkpoint_find(&r->checkpoints[i], file->kind, file->id);

		if (row != NULL && row->covered && row->size == file->size)
			return true;
	}
	return false;
}

/* The whole file is there, and nothing was ever written behind its header. */
static bool looks_blank(const struct store *store, const struct segment *segment)
{
	uint8_t page[SEGMENT_HEADER];

	if (segment->size < 2 * SEGMENT_HEADER ||
	    seam_read_full(store->seam, segment->fd, page, sizeof(page), SEGMENT_HEADER) != ERR_OK)
		return false;
	for (size_t i = 0; i < sizeof(page); i++) {
		if (page[i] != 0)
			return false;
	}
	return true;
}

/* Find the records of a segment without a footer. False when it holds nothing and never will: making it was cut off. */
static bool read_unsealed(struct recovery *r, struct segment *segment)
{
	bool complete = segment->planned != 0 && segment->size == segment->planned;

	/* After a clean stop all is sealed but spares. */
	if (r->clean && complete && looks_blank(r->store, segment))
		return true;
	return replay_walk(&r->replay, segment) || complete;
}

/* A header of another store is an operator's mistake. One of another segment is the disk's: a page in the wrong place,
 * as good as a damaged one, because the records and the footer are bound to their segment by their own MACs. */
static enum err check_header(struct recovery *r, struct segment_header *header, const struct replay_file *file)
{
	if (header->id == 0)
		return ERR_OK;
	if (memcmp(header->store.b, r->store->super.store.b, sizeof(header->store.b)) != 0) {
		snprintf(r->why, STORE_MESSAGE, "segment %08x belongs to another store", file->id);
		return ERR_DENIED;
	}
	if (header->id != file->id || header->kind != file->kind)
		*header = (struct segment_header){.id = 0};
	if (header->first_sequence > 0 && header->first_sequence - 1 > r->replay.last_sequence)
		r->replay.last_sequence = header->first_sequence - 1;
	return ERR_OK;
}

/* What the file is. A damaged header does not matter while the records hold; a missing one is a file in the making. */
static enum err read_header(struct recovery *r, const struct segment *segment, struct segment_header *ret)
{
	uint8_t raw[SEGMENT_HEADER];
	enum err err;

	*ret = (struct segment_header){.id = 0};
	if (segment->size < sizeof(raw))
		return ERR_OK;
	err = seam_read_full(r->store->seam, segment->fd, raw, sizeof(raw), 0);
	if (err == ERR_OK)
		err = segment_header_decode(raw, ret);
	return err == ERR_UNSUPPORTED ? err : ERR_OK;
}

/* Look at header and trailer; *ret_keep false when the file never became a segment. */
static enum err examine(struct recovery *r, struct replay_file *file, struct segment *segment, bool *ret_keep)
{
	struct segment_header header;
	struct footer footer;
	enum err err = read_header(r, segment, &header);

	file->examined = true;
	if (err == ERR_OK)
		err = check_header(r, &header, file);
	if (err != ERR_OK && err != ERR_UNSUPPORTED)
		return err;
	if (err == ERR_OK) {
		segment->class = header.class;
		segment->planned = header.size > 2ull * SEGMENT_MOST ? 0 : (uint32_t)header.size;
		err = footer_open(r->store->seam, segment, &r->store->secret, &footer);
	}
	if (err == ERR_UNSUPPORTED) {
		snprintf(r->why, STORE_MESSAGE, "segment %08x is of a newer version", file->id);
		return err;
	}
	*ret_keep = true;
	if (err == ERR_OK) {
		segment->state = SEGMENT_SEALED;
		segment->trailer = footer.trailer;
	} else {
		*ret_keep = read_unsealed(r, segment);
	}
	return ERR_OK;
}

/* Make a segment of the file, or unlink it when it is none. */
static enum err open_file(struct recovery *r, struct replay_file *file)
{
	const struct seam *seam = r->store->seam;
	char path[SEGMENT_PATH];
	struct segment *segment;
	bool keep = true;
	enum err err;
	int fd;

	segment_path(dir_of(r->store, file->kind), file->id, path);
	err = seam_open_file(seam, path, O_RDWR, &fd);
	if (err != ERR_OK) {
		snprintf(r->why, STORE_MESSAGE, "cannot open segment %08x: %s", file->id, err_text(err));
		return err;
	}
	segment = segment_new(file->id, file->kind, 0, fd);
	segment->size = file->size;
	if (is_vouched_for(r, file))
		segment->state = SEGMENT_SEALED;
	else
		err = examine(r, file, segment, &keep);
	if (err == ERR_OK && !keep)
		err = twin_remove(&r->store->twins, TWIN_PROPER, file->id);
	if (err == ERR_OK && !keep)
		err = seam_unlink_file(seam, path);
	if (err != ERR_OK || !keep) {
		segment_free(seam, segment);
		segments_set_next_id(r->store->segments, file->id + 1);
		return err;
	}
	/* It takes records from now on. */
	if (segment->state == SEGMENT_SPARE && segment->kind == SEGMENT_PIECES &&
	    twin_create(&r->store->twins, segment->id, &segment->twin_fd) != ERR_OK)
		segment->twin_state = TWIN_STALE;
	segments_add(r->store->segments, segment);
	file->segment = segment;
	return ERR_OK;
}

/* The index in a file if that is wished for and can be; else it must do in memory. */
static struct index *new_index(struct store *store)
{
	struct arena *arena;
	char path[SEGMENT_PATH];

	snprintf(path, sizeof(path), "%s/index/table", store->dir);
	if (store->options.index == STORE_INDEX_MAPPED && arena_new_mapped(store->seam, path, &arena) == ERR_OK)
		return index_new_in(&store->secret, arena);
	(void)!seam_unlink_file(store->seam, path); /* one that a killed process left */
	return index_new(&store->secret);
}

static void free_indexes(struct replay *replay)
{
	index_free(replay->loose);
	index_free(replay->orphans);
	index_free(replay->taken);
	replay->loose = NULL;
	replay->orphans = NULL;
	replay->taken = NULL;
}

/* As if no checkpoint had been looked at. */
static void begin_again(struct recovery *r)
{
	struct replay *replay = &r->replay;

	index_free(r->store->index);
	free_indexes(replay);
	r->store->index = new_index(r->store);
	replay->horizon = 0;
	replay->checkpoint = NULL;
	replay->ambiguous = false;
	replay->done = 0;
	for (size_t i = 0; i < replay->count; i++) {
		struct segment *segment = replay->files[i].segment;

		replay->files[i].covered = false;
		if (segment == NULL)
			continue;
		segment->bytes = (struct segment_bytes){.overhead = SEGMENT_HEADER};
		segment->pieces = 0;
		segment->trashed = 0;
	}
}

/* Those that a checkpoint vouched for, but not the one in use. */
static enum err examine_rest(struct recovery *r)
{
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < r->replay.count; i++) {
		struct replay_file *file = &r->replay.files[i];
		bool keep;

		if (file->segment != NULL && !file->covered && !file->examined)
			err = examine(r, file, file->segment, &keep);
	}
	return err;
}

/* Fill index and counters, with this checkpoint or without any. ERR_CORRUPT: it is not to be used. */
static enum err try(struct recovery *r, const struct checkpoint *checkpoint)
{
	enum err err = ERR_OK;

	begin_again(r);
	if (checkpoint != NULL && replay_checkpoint(&r->replay, checkpoint) != ERR_OK)
		return ERR_CORRUPT;
	err = examine_rest(r);
	if (err == ERR_OK)
		err = replay_records(&r->replay);
	free_indexes(&r->replay);
	return err;
}

static enum err open_files(struct recovery *r)
{
	enum err err = list_kind(r, SEGMENT_PIECES);

	if (err == ERR_OK)
		err = list_kind(r, SEGMENT_TRANSFERS);
	for (size_t i = 0; err == ERR_OK && i < r->replay.count; i++) {
		if (r->replay.files[i].segment == NULL)
			err = open_file(r, &r->replay.files[i]);
	}
	return err;
}

static bool all_is_covered(const struct replay *replay)
{
	for (size_t i = 0; i < replay->count; i++) {
		const struct segment *segment = replay->files[i].segment;

		if (segment != NULL && !replay->files[i].covered && segment->state == SEGMENT_SEALED)
			return false;
	}
	return true;
}

/* How many pieces were in a file, by the newest checkpoint that knows it. False when none does. */
static bool ask_checkpoints(const struct recovery *r, uint32_t id, uint64_t *ret)
{
	for (int i = 0; i < r->usable; i++) {
		const struct checkpoint_row *row = checkpoint_find(&r->checkpoints[i], SEGMENT_PIECES, id);

		if (row == NULL)
			continue;
		*ret = row->pieces + row->trashed;
		return true;
	}
	return false;
}

/* Files that there are twins of, and that no start missed before. A twin may be empty or unreadable: then it is only
 * known that there was a file, and it may have been a spare. */
static void count_gone(struct recovery *r)
{
	struct recovery_found *found = r->found;

	for (size_t i = 0; i < found->gone.count; i++) {
		const struct gone_file *file = &found->gone.files[i];
		uint64_t pieces = file->lost;
		bool known = file->segment != NULL && file->segment->entry_count > 0;

		if (file->given_up)
			continue;
		if (!known)
			known = ask_checkpoints(r, file->id, &pieces) && r->clean;
		if (known && pieces == 0)
			continue;
		found->gone_files++;
		found->gone_pieces += pieces;
	}
}

static bool has_twin(const struct gone *gone, uint32_t id)
{
	for (size_t i = 0; i < gone->count; i++) {
		if (gone->files[i].id == id)
			return true;
	}
	return false;
}

/* Files that a clean stop left, and that this start does not find, of a store from before there were twins. After a
 * crash nobody can tell: compaction may have unlinked them; and what expired may be unlinked at any time. */
static void count_gone_without_twin(struct recovery *r, const struct checkpoint *checkpoint)
{
	const uint64_t today = clock_wall() / DAY;
	struct recovery_found *ret = r->found;

	if (!r->clean || ret->replayed || r->replay.last_sequence != checkpoint->end.horizon)
		return;
	for (uint32_t i = 0; i < checkpoint->end.rows; i++) {
		const struct checkpoint_row *row = &checkpoint->rows[i];

		if ((row->class != 0 && row->class <= today) || row->pieces + row->trashed == 0 ||
		    replay_find(&r->replay, row->kind, row->id) != NULL || has_twin(&ret->gone, row->id))
			continue;
		ret->gone_files++;
		ret->gone_pieces += row->pieces + row->trashed;
	}
}

/* They were made while files were gone that are there again, and that they would have be dead. */
static enum err drop_checkpoints(struct recovery *r)
{
	char path[SEGMENT_PATH];
	enum err err = ERR_OK;

	while (r->usable > 0) {
		r->usable--;
		checkpoint_path(r->store->dir, r->which[r->usable], path);
		checkpoint_close(&r->checkpoints[r->usable]);
		if (err == ERR_OK)
			err = seam_unlink_file(r->store->seam, path);
	}
	snprintf(path, sizeof(path), "%s/index", r->store->dir);
	if (err == ERR_OK)
		err = seam_sync_directory(r->store->seam, path);
	if (err != ERR_OK)
		snprintf(r->why, STORE_MESSAGE, "cannot drop the checkpoints: %s", err_text(err));
	return err;
}

static enum err read_all(struct recovery *r)
{
	struct recovery_found *ret = r->found;
	enum err err = open_files(r);

	if (r->usable > 0)
		ret->generation = r->checkpoints[0].end.generation;
	if (err == ERR_OK && ret->gone.back_count > 0)
		err = drop_checkpoints(r);
	if (err != ERR_OK)
		return err;
	err = ERR_CORRUPT;
	for (int i = 0; err == ERR_CORRUPT && !r->store->options.rebuild && i < r->usable; i++) {
		err = try(r, &r->checkpoints[i]);
		if (err != ERR_OK)
			continue;
		ret->newest = r->which[i];
		ret->horizon = r->replay.horizon;
		ret->replayed = i > 0 || !all_is_covered(&r->replay);
		count_gone_without_twin(r, &r->checkpoints[i]);
	}
	if (err == ERR_CORRUPT)
		err = try(r, NULL);
	ret->last_sequence = r->replay.last_sequence;
	if (err != ERR_OK)
		return err;
	gone_take_out(r->store, &ret->gone);
	count_gone(r);
	return ERR_OK;
}

enum err recovery_read(struct store *store, bool clean, struct recovery_found *ret, char why[STORE_MESSAGE])
{
	struct recovery r = {
		.store = store, .clean = clean, .why = why, .found = ret, .replay = {.store = store, .parts = 1}};
	enum err err;

	*ret = (struct recovery_found){.newest = -1, .replayed = true};
	open_checkpoints(&r);
	err = read_all(&r);
	for (int i = 0; i < r.usable; i++)
		checkpoint_close(&r.checkpoints[i]);
	free_indexes(&r.replay);
	free(r.replay.files);
	ret->doubts = r.replay.doubts;
	ret->doubt_count = r.replay.doubt_count;
	return err;
}

void recovery_list(struct store *store, struct recovery_found *found)
{
	for (size_t i = 0; i < found->doubt_count; i++) {
		struct replay_doubt *doubt = &found->doubts[i];
		struct segment *segment = segments_find(store->segments, SEGMENT_PIECES, doubt->segment);

		if (segment == NULL)
			continue;
		/* Not now: the next read of it, or the scrubber, tries again. */
		(void)!damage_mark(store, segment, &doubt->entry);
		segments_unpin(store->segments, segment);
	}
	gone_settle(store, &found->gone);
}

void recovery_found_free(struct store *store, struct recovery_found *found)
{
	gone_free(store, &found->gone);
	free(found->doubts);
	found->doubts = NULL;
}

void recovery_seal(struct store *store)
{
	struct segment **list;
	size_t count;

	list = segments_list(store->segments, &count);
	for (size_t i = 0; i < count; i++) {
		if (list[i]->state == SEGMENT_SEALED)
			segments_settle_found(store->segments, list[i]);
	}
	segments_unlist(store->segments, list, count);
}
