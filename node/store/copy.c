/* A buffer of a few megabytes and a list of what is in it. */
#include "node/store/copy.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/planted.h"

#define DROP_AHEAD (1u << 20)
#define COPY_RECORDS 1024 /* of a batch at most: the committer must not be held up by moving their slots */

struct item {
	struct segment_entry entry; /* in the source's footer */
	struct extent to;
	uint32_t at; /* in the buffer */
	bool lost;   /* nobody needs the copy any more */
};

struct copy {
	struct commit commit; /* first */
	struct store *store;
	struct segment *source;
	uint32_t class;	  /* of the target */
	uint64_t dropped; /* of the source, up to this offset, the cache held nothing */
	struct record record; /* the one looked at */
	uint8_t *buffer;
	uint8_t *again; /* for reading back */
	uint32_t len;
	struct item *items;
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t settled;
	bool waiting;
	enum err err;
};

static_assert(offsetof(struct copy, commit) == 0, "a commit is cast to the batch that holds it");
static_assert(COPY_BYTES >= RECORD_HEAD_MAX + TREE_PIECE + RECORD_UNIT, "any piece fits into a batch");

struct copy *copy_new(struct store *store)
{
	struct copy *copy = memory_new(1, sizeof(*copy));

	copy->store = store;
	copy->buffer = memory_new(1, COPY_BYTES);
	copy->again = memory_new(1, COPY_BYTES);
	copy->items = memory_new(COPY_RECORDS, sizeof(*copy->items));
	pthread_mutex_init(&copy->lock, NULL);
	pthread_cond_init(&copy->settled, NULL);
	return copy;
}

void copy_free(struct copy *copy)
{
	if (copy == NULL)
		return;
	pthread_cond_destroy(&copy->settled);
	pthread_mutex_destroy(&copy->lock);
	free(copy->items);
	free(copy->again);
	free(copy->buffer);
	free(copy);
}

void copy_begin(struct copy *copy, struct segment *source)
{
	copy->source = source;
	copy->class = source->class;
	copy->dropped = 0;
	copy->len = 0;
	copy->count = 0;
}

/* What the record takes. Entries of records that speak of another have that one's extent. */
static uint32_t length_of(const struct segment_entry *entry)
{
	return entry->type == RECORD_PIECE ? entry->extent : record_head_of((enum record_type)entry->type);
}

bool copy_has_room(const struct copy *copy, const struct segment_entry *entry)
{
	/* One that fits nowhere is refused by adding it. */
	return copy->count == 0 || (copy->count < COPY_RECORDS && length_of(entry) <= COPY_BYTES - copy->len);
}

/* Read the record into `out`, and check that it is the one of the entry, all of it. */
static enum err read_record(struct copy *copy, const struct segment_entry *entry, uint8_t *out, uint32_t len)
{
	struct record_place place = {copy->source->id, entry->offset};
	struct record *record = &copy->record;
	enum err err = seam_read_full(copy->store->seam, copy->source->fd, out, len, entry->offset);

	if (err != ERR_OK)
		return err == ERR_CORRUPT ? ERR_CORRUPT : ERR_IO;
	err = record_decode(bytes_of(out, len < RECORD_HEAD_MAX ? len : RECORD_HEAD_MAX), &copy->store->secret, &place,
			    record);
	if (err != ERR_OK || record->type != entry->type || record->sequence != entry->sequence ||
	    record->satellite != entry->satellite || !bytes32_equal(&record->piece, &entry->piece))
		return ERR_CORRUPT;
	if (record->type != RECORD_PIECE)
		return ERR_OK;
	if (record->size != entry->size || record->extent != len || record->head > len - record->size)
		return ERR_CORRUPT;
	return record_payload_holds(record, out + record->head) ? ERR_OK : ERR_CORRUPT;
}

static void drop_cache(const struct copy *copy, const struct segment *segment, uint32_t offset, uint32_t len)
{
	seam_drop_cache(copy->store->seam, segment->fd, offset, len);
}

/* What the cache holds is what was written once; that the disk has it is what must be known. A good deal at a time, or
 * what the kernel reads ahead for one record would be dropped before the next. */
static void drop_ahead(struct copy *copy, uint32_t offset, uint32_t len)
{
	uint64_t end = (uint64_t)offset + len;

	if (end <= copy->dropped)
		return;
	drop_cache(copy, copy->source, offset, len > DROP_AHEAD ? len : DROP_AHEAD);
	copy->dropped = offset + (uint64_t)(len > DROP_AHEAD ? len : DROP_AHEAD);
}

enum err copy_add(struct copy *copy, const struct segment_entry *entry)
{
	struct item *item = &copy->items[copy->count];
	uint8_t *raw = copy->buffer + copy->len;
	uint32_t len = length_of(entry);
	struct record_place place;
	enum err err;

	assert(copy_has_room(copy, entry));
	if (len > COPY_BYTES)
		return ERR_CORRUPT;
	drop_ahead(copy, entry->offset, len);
	err = read_record(copy, entry, raw, len);
	if (err != ERR_OK) {
		drop_cache(copy, copy->source, entry->offset, len);
		err = read_record(copy, entry, raw, len);
	}
	if (err == ERR_OK)
		err = segments_reserve_copy(copy->store->segments, copy->class, len, &item->to);
	if (err != ERR_OK)
		return err;
	copy->class = item->to.segment->class;
	place = (struct record_place){item->to.segment->id, item->to.offset};
	record_encode(&copy->record, &copy->store->secret, &place, raw);
	item->entry = *entry;
	item->at = copy->len;
	item->lost = false;
	copy->len += len;
	copy->count++;
	return ERR_OK;
}

/* Neighbours in the buffer that are neighbours in one file too: one call. Returns how many items. */
static size_t run_of(const struct copy *copy, size_t from, uint32_t *ret_len)
{
	const struct item *first = &copy->items[from];
	size_t i = from;

	*ret_len = 0;
	while (i < copy->count && copy->items[i].to.segment == first->to.segment &&
	       copy->items[i].to.offset == first->to.offset + *ret_len) {
		*ret_len += copy->items[i].to.len;
		i++;
	}
	return i - from;
}

static enum err write_all(struct copy *copy)
{
	enum err err = ERR_OK;
	uint32_t len;

	for (size_t i = 0; err == ERR_OK && i < copy->count;) {
		const struct item *item = &copy->items[i];

		i += run_of(copy, i, &len);
		err = seam_write_full(copy->store->seam, item->to.segment->fd, copy->buffer + item->at, len,
				      item->to.offset);
	}
	return err;
}

/* Each segment that copies went into; there are two when the first became full. */
static enum err sync_all(struct copy *copy)
{
	struct segment *last = NULL;
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < copy->count; i++) {
		if (copy->items[i].to.segment == last)
			continue;
		last = copy->items[i].to.segment;
		if (planted(COPY_NOT_SYNCED))
			continue;
		err = seam_sync_file(copy->store->seam, last->fd);
	}
	return err;
}

/* The originals are about to go, so it is not enough that the disk took the copies: it must give them back. */
static enum err read_back(struct copy *copy)
{
	enum err err = ERR_OK;
	uint32_t len;

	for (size_t i = 0; err == ERR_OK && i < copy->count;) {
		const struct item *item = &copy->items[i];

		i += run_of(copy, i, &len);
		drop_cache(copy, item->to.segment, item->to.offset, len);
		err = seam_read_full(copy->store->seam, item->to.segment->fd, copy->again, len, item->to.offset);
		if (err == ERR_OK && memcmp(copy->again, copy->buffer + item->at, len) != 0)
			err = ERR_CORRUPT;
	}
	return err;
}

/* The slot names the copy now: count it where it stands, in the trash if it is, and no longer in the source. */
static void recount(struct copy *copy, const struct item *item, const struct index_place *moved)
{
	struct index_change change = {moved->flags & INDEX_TRASHED, 0, true, moved->day};
	struct index_place fresh = *moved;

	fresh.flags = 0;
	segments_bury(copy->store->segments, copy->source, moved, item->entry.extent);
	segments_note_mark(copy->store->segments, item->to.segment, &fresh, &change);
}

/* From the committer's thread: let the index name the copies. */
static void move_slots(struct copy *copy)
{
	struct store *store = copy->store;

	for (size_t i = 0; i < copy->count; i++) {
		struct item *item = &copy->items[i];
		struct segment_entry entry = item->entry;
		struct index_spot from = {copy->source->number, entry.offset};
		struct index_spot to = {item->to.segment->number, item->to.offset};
		struct index_place moved;

		entry.offset = item->to.offset;
		if (entry.type == RECORD_PIECE) {
			uint64_t hash = index_hash(store->index, entry.satellite, &entry.piece);

			item->lost = !index_move(store->index, hash, &from, &to, &moved);
			if (!item->lost && planted(STALE_INDEX))
				(void)index_move(store->index, hash, &to, &from, &moved);
			if (item->lost && planted(BLIND_SET)) {
				moved = (struct index_place){to.segment, to.offset, entry.size, 0, 0};
				index_insert(store->index, hash, &moved);
				item->lost = false;
			}
			if (item->lost)
				continue;
		}
		segments_settle_entry(store->segments, &item->to, &entry);
		if (entry.type == RECORD_PIECE)
			recount(copy, item, &moved);
	}
}

static void settle(struct commit *commit, enum err err)
{
	struct copy *copy = (struct copy *)commit;

	if (err == ERR_OK)
		move_slots(copy);
	pthread_mutex_lock(&copy->lock);
	copy->err = err;
	copy->waiting = false;
	pthread_cond_signal(&copy->settled);
	pthread_mutex_unlock(&copy->lock);
}

/* All is synced, so the commit has no segment: it only takes its turn among those of uploads and deletes. */
static enum err move_in_turn(struct copy *copy)
{
	copy->commit = (struct commit){.settle = settle};
	copy->waiting = true;
	committer_add(copy->store->committer, &copy->commit);
	pthread_mutex_lock(&copy->lock);
	while (copy->waiting)
		pthread_cond_wait(&copy->settled, &copy->lock);
	pthread_mutex_unlock(&copy->lock);
	return copy->err;
}

/* Nothing that looks like a record may stay where a copy lost. */
static enum err wipe_lost(struct copy *copy)
{
	static const uint8_t zeros[RECORD_CORE];
	enum err err = ERR_OK;
	bool any = false;

	for (size_t i = 0; err == ERR_OK && i < copy->count; i++) {
		const struct item *item = &copy->items[i];

		if (!item->lost)
			continue;
		err = seam_write_full(copy->store->seam, item->to.segment->fd, zeros, sizeof(zeros), item->to.offset);
		any = true;
	}
	if (err == ERR_OK && any)
		err = sync_all(copy);
	for (size_t i = 0; err == ERR_OK && i < copy->count; i++) {
		if (copy->items[i].lost)
			segments_release(copy->store->segments, &copy->items[i].to);
	}
	return err;
}

enum err copy_finish(struct copy *copy, uint64_t *ret_bytes)
{
	enum err err;

	if (copy->count == 0) {
		*ret_bytes = 0;
		return ERR_OK;
	}
	err = write_all(copy);
	if (err == ERR_OK)
		err = sync_all(copy);
	if (err == ERR_OK)
		err = read_back(copy);
	if (err == ERR_OK)
		err = move_in_turn(copy);
	if (err == ERR_OK)
		err = wipe_lost(copy);
	if (err != ERR_OK) {
		health_fail(&copy->store->health, "copying into", copy->items[0].to.segment->id, err);
		return ERR_READ_ONLY;
	}
	*ret_bytes = copy->len;
	return ERR_OK;
}
