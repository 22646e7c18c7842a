/* Rebuilding the index from footers and walks. */
#include "node/store/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/marks.h"
#include "node/store/walk.h"

struct names {
	uint32_t *ids;
	size_t count;
	size_t room;
};

struct recovery {
	struct store *store;
	bool clean;
	uint64_t last_sequence;
	char *why;
	struct segment **by_id; /* once all are read, in order of id */
	size_t count;
	struct segment_entry *marks; /* TRASH and RESTORE */
	size_t mark_count;
	size_t mark_room;
};

static void add_name(void *arg, const char *name)
{
	struct names *names = arg;
	uint32_t id;

	if (!segment_name(name, &id))
		return;
	names->ids = memory_grow(names->ids, &names->room, names->count + 1, sizeof(*names->ids));
	names->ids[names->count++] = id;
}

static int compare_ids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static const char *dir_of(const struct store *store, enum segment_kind kind)
{
	return kind == SEGMENT_PIECES ? store->pieces_dir : store->transfers_dir;
}

/* A record of the same key stands at one of these places: the slot of the loser goes. False when `entry` loses. */
static bool beats_others(struct store *store, const struct segment_entry *entry, uint64_t hash,
			 const struct index_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct segment *segment = segments_row(store->segments, places[i].segment);
		struct record_place where = {segment->id, places[i].offset};
		uint8_t core[RECORD_CORE];
		struct index_place gone;
		struct record other;

		/* An unreadable head cannot be told apart from another key's; both stay, and reads look at both. */
		if (seam_read_full(store->seam, segment->fd, core, sizeof(core), where.offset) != ERR_OK ||
		    record_decode_core(core, &store->secret, &where, &other) != ERR_OK)
			continue;
		if (other.satellite != entry->satellite || !bytes32_equal(&other.piece, &entry->piece))
			continue;
		if (other.sequence >= entry->sequence)
			return false;
		if (index_remove(store->index, hash, places[i].segment, places[i].offset, &gone))
			segments_bury(store->segments, segment, &gone, other.extent);
	}
	return true;
}

static void add_piece(struct store *store, struct segment *segment, const struct segment_entry *entry)
{
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);
	struct index_place places[INDEX_MATCHES], place = {
							  .segment = segment->number,
							  .offset = entry->offset,
							  .size = entry->size,
							  .day = (uint16_t)(((uint64_t)entry->expires + 86399) / 86400),
						  };
	size_t count = index_find(store->index, hash, NULL, NULL, places);

	if (count > 0 && !beats_others(store, entry, hash, places, count))
		return;
	index_insert(store->index, hash, &place);
	segment->bytes.live += entry->size;
	segment->bytes.overhead += entry->extent - entry->size;
	segment->pieces++;
}

/* First pass: pieces into the index. Tombstones wait until all pieces are there. */
static void add_entries(struct recovery *r, struct segment *segment, const struct segment_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct segment_entry *entry = &entries[i];

		if (entry->sequence > r->last_sequence)
			r->last_sequence = entry->sequence;
		if (entry->type == RECORD_PIECE || entry->type == RECORD_TRANSFER)
			store_note_created(r->store, entry->created);
		if (entry->type == RECORD_PIECE)
			add_piece(r->store, segment, entry);
		else if (entry->type == RECORD_TRANSFER)
			segment->bytes.overhead += entry->extent;
		else if (entry->type != RECORD_PAD)
			segment->bytes.overhead += record_head_of((enum record_type)entry->type);
	}
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
	struct store *store = r->store;
	struct walk walk;
	enum err err;

	/* After a clean stop all is sealed but spares. */
	if (r->clean && complete && looks_blank(store, segment))
		return true;
	/* What the page cache holds but the disk does not, because a sync failed, must not be believed. */
	err = seam_sync_file(store->seam, segment->fd);
	if (err != ERR_OK)
		health_fail(&store->health, "syncing", segment->id, err);
	store->seam->advise(store->seam, segment->fd, 0, 0, POSIX_FADV_DONTNEED);
	walk_segment(store->seam, &store->secret, segment, &walk);
	if (walk.last_sequence > r->last_sequence)
		r->last_sequence = walk.last_sequence;
	if (walk.blank && walk.unreadable == 0)
		return complete;
	segment->state = SEGMENT_SEALED;
	if (segment->entries == NULL)
		segment->entries = memory_grow(NULL, &segment->entry_room, 1, sizeof(*segment->entries));
	return true;
}

/* A header of another store is an operator's mistake. One of another segment is the disk's: a page in the wrong place,
 * as good as a damaged one, because the records and the footer are bound to their segment by their own MACs. */
static enum err check_header(struct recovery *r, struct segment_header *header, enum segment_kind kind, uint32_t id)
{
	if (header->id == 0)
		return ERR_OK;
	if (memcmp(header->store.b, r->store->super.store.b, sizeof(header->store.b)) != 0) {
		snprintf(r->why, STORE_MESSAGE, "segment %08x belongs to another store", id);
		return ERR_DENIED;
	}
	if (header->id != id || header->kind != kind)
		*header = (struct segment_header){.id = 0};
	if (header->first_sequence > 0 && header->first_sequence - 1 > r->last_sequence)
		r->last_sequence = header->first_sequence - 1;
	return ERR_OK;
}

/* What the file is. A damaged header does not matter while the records hold; a missing one is a file in the making. */
static enum err read_header(struct recovery *r, int fd, uint64_t size, struct segment_header *ret)
{
	uint8_t raw[SEGMENT_HEADER];
	enum err err;

	*ret = (struct segment_header){.id = 0};
	if (size < sizeof(raw))
		return ERR_OK;
	err = seam_read_full(r->store->seam, fd, raw, sizeof(raw), 0);
	if (err == ERR_OK)
		err = segment_header_decode(raw, ret);
	return err == ERR_UNSUPPORTED ? err : ERR_OK;
}

/* Read the records of one open file into a segment of the set; *ret_keep false when it never became one. */
static enum err read_file(struct recovery *r, enum segment_kind kind, uint32_t id, struct segment *segment,
			  bool *ret_keep)
{
	struct store *store = r->store;
	struct segment_entry *entries = NULL;
	struct segment_header header;
	enum err err = read_header(r, segment->fd, segment->size, &header);

	if (err == ERR_UNSUPPORTED)
		snprintf(r->why, STORE_MESSAGE, "segment %08x is of a newer version", id);
	if (err == ERR_OK)
		err = check_header(r, &header, kind, id);
	if (err != ERR_OK)
		return err;
	segment->class = header.class;
	segment->planned = header.size > 2ull * SEGMENT_MOST ? 0 : (uint32_t)header.size;
	err = segment_read_footer(store->seam, segment->fd, segment->size, id, &store->secret, &segment->trailer,
				  &entries);
	if (err == ERR_UNSUPPORTED) {
		snprintf(r->why, STORE_MESSAGE, "segment %08x is of a newer version", id);
		return err;
	}
	*ret_keep = true;
	if (err == ERR_OK)
		segment->state = SEGMENT_SEALED;
	else
		*ret_keep = read_unsealed(r, segment);
	if (*ret_keep) {
		segments_add(store->segments, segment);
		if (err == ERR_OK)
			add_entries(r, segment, entries, segment->trailer.count);
		else
			add_entries(r, segment, segment->entries, segment->entry_count);
	}
	free(entries);
	if (err == ERR_OK)
		segment->bytes.overhead += (uint64_t)segment->trailer.count * SEGMENT_ENTRY + SEGMENT_TRAILER;
	return ERR_OK;
}

static enum err open_segment(struct recovery *r, enum segment_kind kind, uint32_t id)
{
	const struct seam *seam = r->store->seam;
	char path[SEGMENT_PATH];
	struct segment *segment;
	struct seam_stat st;
	bool keep = true;
	enum err err;
	int fd;

	segment_path(dir_of(r->store, kind), id, path);
	err = seam_stat_path(seam, path, &st);
	if (err == ERR_OK && st.size > 2ull * SEGMENT_MOST)
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = seam_open_file(seam, path, O_RDWR, &fd);
	if (err != ERR_OK) {
		snprintf(r->why, STORE_MESSAGE, "cannot open segment %08x: %s", id, err_text(err));
		return err;
	}
	segment = segment_new(id, kind, 0, fd);
	segment->size = (uint32_t)st.size;
	err = read_file(r, kind, id, segment, &keep);
	if (err == ERR_OK && !keep)
		err = seam_unlink_file(seam, path);
	if (err != ERR_OK || !keep) {
		segment_free(seam, segment);
		segments_set_next_id(r->store->segments, id + 1);
	}
	return err;
}

static enum err read_kind(struct recovery *r, enum segment_kind kind)
{
	struct names names = {NULL, 0, 0};
	const char *dir = dir_of(r->store, kind);
	enum err err = seam_list_directory(r->store->seam, dir, add_name, &names);

	if (err != ERR_OK)
		snprintf(r->why, STORE_MESSAGE, "cannot list %.180s: %s", dir, err_text(err));
	if (names.count > 0)
		qsort(names.ids, names.count, sizeof(*names.ids), compare_ids);
	for (size_t i = 0; err == ERR_OK && i < names.count; i++) {
		if (i == 0 || names.ids[i] != names.ids[i - 1])
			err = open_segment(r, kind, names.ids[i]);
	}
	free(names.ids);
	return err;
}

static int compare_segments(const void *left, const void *right)
{
	const struct segment *const *a = left, *const *b = right;

	return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

static struct segment *by_id(const struct recovery *r, uint32_t id)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (r->by_id[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->count && r->by_id[low]->id == id ? r->by_id[low] : NULL;
}

/* Second pass: a tombstone kills the very record that it names, or a copy of it that a compaction moved. A newer record
 * of the same key stays. */
static void apply_tombstone(struct recovery *r, const struct segment_entry *entry)
{
	struct store *store = r->store;
	struct segment *segment = by_id(r, entry->expires);
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);
	struct index_place gone, places[INDEX_MATCHES];
	size_t count;

	if (segment != NULL && index_remove(store->index, hash, segment->number, entry->size, &gone)) {
		segments_bury(store->segments, segment, &gone, entry->extent);
		return;
	}
	count = index_find(store->index, hash, NULL, NULL, places);
	if (count > 0)
		beats_others(store, entry, hash, places, count);
}

/* What moves pieces into the trash and out of it: the last word counts, so they are put in order first. */
static void keep_mark(struct recovery *r, const struct segment_entry *entry)
{
	r->marks = memory_grow(r->marks, &r->mark_room, r->mark_count + 1, sizeof(*r->marks));
	r->marks[r->mark_count++] = *entry;
}

static int compare_marks(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;

	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static void apply_marks(struct recovery *r)
{
	if (r->mark_count > 0)
		qsort(r->marks, r->mark_count, sizeof(*r->marks), compare_marks);
	for (size_t i = 0; i < r->mark_count; i++)
		marks_apply(r->store, by_id(r, r->marks[i].expires), &r->marks[i]);
}

static enum err apply_tombstones(struct recovery *r)
{
	struct store *store = r->store;
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < r->count; i++) {
		struct segment *segment = r->by_id[i];
		struct segment_entry *entries;
		size_t count;

		if (segment->kind != SEGMENT_PIECES || segment->state != SEGMENT_SEALED ||
		    (segment->entries == NULL && segment->trailer.tombstones == 0))
			continue;
		err = segments_entries(store->segments, segment, &entries, &count);
		if (err != ERR_OK) {
			snprintf(r->why, STORE_MESSAGE, "cannot read segment %08x again: %s", segment->id,
				 err_text(err));
			break;
		}
		for (size_t k = 0; k < count; k++) {
			if (entries[k].type == RECORD_TOMBSTONE)
				apply_tombstone(r, &entries[k]);
			else if (entries[k].type == RECORD_TRASH || entries[k].type == RECORD_RESTORE)
				keep_mark(r, &entries[k]);
		}
		free(entries);
	}
	return err;
}

enum err recovery_read(struct store *store, bool clean, uint64_t *ret_last, char why[STORE_MESSAGE])
{
	struct recovery r = {.store = store, .clean = clean, .why = why};
	enum err err = read_kind(&r, SEGMENT_PIECES);

	if (err == ERR_OK)
		err = read_kind(&r, SEGMENT_TRANSFERS);
	if (err != ERR_OK)
		return err;
	r.by_id = segments_list(store->segments, &r.count);
	qsort(r.by_id, r.count, sizeof(struct segment *), compare_segments);
	err = apply_tombstones(&r);
	if (err == ERR_OK)
		apply_marks(&r);
	free(r.marks);
	segments_unlist(store->segments, r.by_id, r.count);
	*ret_last = r.last_sequence;
	return err;
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
