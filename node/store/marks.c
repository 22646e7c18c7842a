/* Appending tombstones, trash and restore records, and what they do to the index. */
#include "node/store/marks.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/planted.h"

#define TRIES 8 /* waits for another mark of the same piece to settle */

struct mark {
	struct commit commit;
	struct store *store;
	struct sequence_ticket ticket;
	struct extent extent;
	struct record record;
	struct marked what;
	struct claim claim;
	struct mark_options options;
};

static_assert(offsetof(struct mark, commit) == 0, "a commit is cast to the mark that holds it");

uint16_t marks_day(uint64_t seconds)
{
	uint64_t day = seconds / 86400 + (seconds % 86400 != 0);

	return day > UINT16_MAX ? UINT16_MAX : (uint16_t)day;
}

struct marked marks_of_located(const struct located *found)
{
	return (struct marked){
		.segment = found->segment,
		.key = {found->record.satellite, found->record.piece},
		.hash = found->hash,
		.offset = found->place.offset,
		.size = found->record.size,
		.extent = found->record.extent,
		.sequence = found->record.sequence,
		.expires = found->record.expires,
	};
}

struct marked marks_of_entry(struct store *store, struct segment *segment, const struct segment_entry *entry)
{
	return (struct marked){
		.segment = segment,
		.key = {entry->satellite, entry->piece},
		.hash = index_hash(store->index, entry->satellite, &entry->piece),
		.offset = entry->offset,
		.size = entry->size,
		.extent = entry->extent,
		.sequence = entry->sequence,
		.expires = entry->expires,
	};
}

/* Change the slot at this very place, and the sums with it; false when it is not there. */
static bool act_at(struct store *store, const struct record *record, uint64_t hash, const struct marked *what)
{
	struct index_spot spot = {what->segment->number, what->offset};
	struct index_change change = {.dated = true};
	const struct store_key key = {record->satellite, record->piece};
	struct index_place before;

	if (record->type == RECORD_TOMBSTONE) {
		if (!index_remove(store->index, hash, spot.segment, spot.offset, &before))
			return false;
		if ((before.flags & INDEX_BAD) != 0)
			damage_forget(store, &key);
		segments_bury(store->segments, what->segment, &before, what->extent);
		return true;
	}
	if (record->type == RECORD_TRASH) {
		change.set = INDEX_TRASHED;
		change.day = marks_day(record->created + MARKS_TRASH_SECONDS);
	} else {
		change.clear = INDEX_TRASHED;
		change.day = marks_day(what->expires);
	}
	if (!index_mark(store->index, hash, &spot, &change, &before))
		return false;
	segments_note_mark(store->segments, what->segment, &before, &change);
	return true;
}

/* The record acts on the piece wherever it stands by now. */
static enum err act(struct store *store, const struct record *record, const struct marked *what)
{
	struct located found;
	enum err err;

	if (act_at(store, record, what->hash, what))
		return ERR_OK;
	/* Compaction moved it, or somebody deleted it. */
	for (;;) {
		struct marked moved;
		bool acted;

		err = store_locate(store, &what->key, LOCATE_CORE, &found, NULL);
		if (err != ERR_OK)
			return err;
		moved = marks_of_located(&found);
		acted = moved.sequence == what->sequence && act_at(store, record, what->hash, &moved);
		segments_unpin(store->segments, found.segment);
		if (acted)
			return ERR_OK;
		if (moved.sequence != what->sequence)
			return ERR_NOT_FOUND;
	}
}

static void settle(struct commit *commit, enum err err)
{
	struct mark *mark = (struct mark *)commit;
	struct store *store = mark->store;

	if (err == ERR_OK) {
		/* Counted before it acts, so that the sums hold at any moment. */
		segments_settle(store->segments, &mark->extent, &mark->record);
		sequence_done(&store->sequence, &mark->ticket);
		err = act(store, &mark->record, &mark->what);
		/* Deleting twice is fine. */
		if (err == ERR_NOT_FOUND && mark->record.type == RECORD_TOMBSTONE)
			err = ERR_OK;
	} else {
		sequence_lost(&store->sequence, &mark->ticket);
	}
	if (mark->options.claim)
		claims_drop(&store->claims, &mark->claim);
	segments_unpin(store->segments, mark->what.segment);
	mark->options.done(mark->options.arg, err);
	free(mark);
}

static void describe(struct mark *mark)
{
	struct record *record = &mark->record;
	const struct marked *what = &mark->what;

	record->type = mark->options.type;
	record->satellite = what->key.satellite;
	record->piece = what->key.piece;
	record->head = record_head_of(record->type);
	record->extent = record_extent(record->head, 0);
	record->created = clock_wall();
	record->target = (struct record_target){
		.place = {what->segment->id, what->offset},
		.size = what->size,
		.extent = what->extent,
		.sequence = what->sequence,
	};
}

static enum err write_mark(struct mark *mark)
{
	struct record_place place = {mark->extent.segment->id, mark->extent.offset};
	uint8_t head[RECORD_HEAD_MAX];
	enum err err;

	record_encode(&mark->record, &mark->store->secret, &place, head);
	err = seam_write_full(mark->store->seam, mark->extent.segment->fd, head, mark->record.head, place.offset);
	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&mark->store->health, "writing", place.segment, err);
	return ERR_READ_ONLY;
}

enum err marks_write(struct store *store, const struct marked *what, const struct mark_options *options)
{
	struct mark *mark = memory_new(1, sizeof(*mark));
	struct segments_need need = {.kind = SEGMENT_PIECES, .urgent = true};
	enum err err;

	mark->store = store;
	mark->what = *what;
	mark->options = *options;
	if (options->claim && !claims_take(&store->claims, &mark->claim, &what->key)) {
		free(mark);
		return ERR_BUSY;
	}
	describe(mark);
	need.len = mark->record.extent;
	err = segments_reserve(store->segments, &need, &mark->extent);
	if (err != ERR_OK) {
		if (options->claim)
			claims_drop(&store->claims, &mark->claim);
		free(mark);
		return err;
	}
	segments_pin_again(what->segment);
	mark->record.sequence = sequence_take(&store->sequence, &mark->ticket);
	mark->commit.settle = settle;
	mark->commit.segment = mark->extent.segment;
	if (planted(RESTORE_NOT_SYNCED) && options->type == RECORD_RESTORE)
		mark->commit.segment = NULL;
	mark->commit.err = write_mark(mark);
	committer_add(store->committer, &mark->commit);
	return ERR_OK;
}

enum err store_delete(struct store *store, const struct store_key *key, uint64_t *ret_size,
		      void (*done)(void *arg, enum err err), void *arg)
{
	struct mark_options options = {.type = RECORD_TOMBSTONE, .done = done, .arg = arg};
	struct located found;
	struct marked what;
	enum err err = store_locate(store, key, LOCATE_CORE, &found, NULL);

	if (err == ERR_CORRUPT && store_locate_damaged(store, key, &found) == ERR_OK)
		err = ERR_OK;
	if (err != ERR_OK)
		return err;
	what = marks_of_located(&found);
	if (ret_size != NULL)
		*ret_size = found.record.size;
	err = marks_write(store, &what, &options);
	segments_unpin(store->segments, found.segment);
	return err;
}

/* Into the trash, or out of it. */
static enum err move(struct store *store, const struct store_key *key, const struct mark_options *options,
		     uint64_t *ret_size)
{
	enum err err = ERR_BUSY;

	for (int i = 0; err == ERR_BUSY && i < TRIES; i++) {
		struct located found;
		struct marked what;

		if (i > 0)
			committer_flush(store->committer);
		err = store_locate(store, key, LOCATE_CORE, &found, NULL);
		if (err != ERR_OK)
			return err;
		what = marks_of_located(&found);
		if (((found.place.flags & INDEX_TRASHED) != 0) == (options->type == RECORD_TRASH))
			err = ERR_EXISTS;
		else
			err = marks_write(store, &what, options);
		segments_unpin(store->segments, found.segment);
		if (err == ERR_OK && ret_size != NULL)
			*ret_size = what.size;
	}
	return err;
}

enum err store_trash(struct store *store, const struct store_key *key, void (*done)(void *arg, enum err err), void *arg)
{
	struct mark_options options = {RECORD_TRASH, true, done, arg};

	return move(store, key, &options, NULL);
}

enum err store_restore(struct store *store, const struct store_key *key, uint64_t *ret_size,
		       void (*done)(void *arg, enum err err), void *arg)
{
	struct mark_options options = {RECORD_RESTORE, true, done, arg};

	return move(store, key, &options, ret_size);
}

/* The expiry of the piece at this place, when its head can be read and its key is the entry's; false if not. */
static bool read_piece(struct store *store, const struct index_place *place, const struct segment_entry *entry,
		       struct record *ret)
{
	struct segment *segment = segments_row(store->segments, place->segment);
	struct record_place where = {segment->id, place->offset};
	uint8_t core[RECORD_CORE];

	return seam_read_full(store->seam, segment->fd, core, sizeof(core), where.offset) == ERR_OK &&
	       record_decode_core(core, &store->secret, &where, ret) == ERR_OK && ret->type == RECORD_PIECE &&
	       ret->satellite == entry->satellite && bytes32_equal(&ret->piece, &entry->piece) &&
	       ret->sequence < entry->sequence;
}

void marks_apply(struct store *store, struct segment *hinted, const struct segment_entry *entry)
{
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);
	struct record mark = {.type = (enum record_type)entry->type, .created = entry->created}, piece;
	struct marked what = {.segment = hinted, .offset = entry->size};
	struct index_place places[INDEX_MATCHES];
	size_t count;

	/* A restored piece gets its own day back, which only its head has. Trash does without reading. */
	if (hinted != NULL && mark.type == RECORD_TRASH && act_at(store, &mark, hash, &what))
		return;
	count = index_find(store->index, hash, NULL, NULL, places);
	for (size_t i = 0; i < count; i++) {
		if (!read_piece(store, &places[i], entry, &piece))
			continue;
		what.segment = segments_row(store->segments, places[i].segment);
		what.offset = places[i].offset;
		what.expires = piece.expires;
		(void)act_at(store, &mark, hash, &what);
	}
}
