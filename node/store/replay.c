/* Slots and records into the index. */
#include "node/store/replay.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"
#include "node/store/footer.h"
#include "node/store/marks.h"
#include "node/store/walk.h"

/* Of a mapped index so much is filled in one round, so that its pages stay in memory: an eighth of that, */
#define MEMORY_SHARE 8
#define PART_BYTES (64ull << 20) /* or this, if that is more */
#define SLOT_BYTES 21
#define MARKS_LEAST 65536 /* records about the trash that are put in order at a time … */
#define MARKS_SHARE 64	  /* … or this share of the pieces */

struct replay_file *replay_find(const struct replay *replay, enum segment_kind kind, uint32_t id)
{
	size_t low = 0, high = replay->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct replay_file *file = &replay->files[middle];

		if (file->kind < kind || (file->kind == kind && file->id < id))
			low = middle + 1;
		else
			high = middle;
	}
	return low < replay->count && replay->files[low].kind == kind && replay->files[low].id == id
		       ? &replay->files[low]
		       : NULL;
}

static void note_progress(struct replay *replay, uint64_t bytes)
{
	const struct store_options *options = &replay->store->options;

	replay->done += bytes;
	if (options->progress != NULL)
		options->progress(options->progress_arg, replay->done, replay->total);
}

/* The checkpoint. */

struct load {
	struct replay *replay;
	const struct checkpoint *checkpoint;
	struct replay_file **files; /* by the number that the slots name; NULL: gone */
};

static void count_place(struct segment *segment, const struct index_place *place, int by)
{
	if ((place->flags & INDEX_TRASHED) != 0) {
		segment->bytes.trash += (uint64_t)((int64_t)by * place->size);
		segment->trashed += (uint32_t)by;
	} else {
		segment->bytes.live += (uint64_t)((int64_t)by * place->size);
		segment->pieces += (uint32_t)by;
	}
}

/* Where a slot belongs. One whose segment was gone at the end of the scan, or had given its number away, is undone by
 * an edit behind; until then any index will do, so long as it is the same each time. */
static struct index *resolve(const struct load *load, struct index_place *place)
{
	const struct replay_file *file = load->files[place->segment];

	if (file == NULL)
		return load->replay->orphans;
	if (file->covered && (uint64_t)place->offset + place->size > file->size)
		return load->replay->orphans;
	place->segment = file->segment->number;
	return file->covered ? load->replay->store->index : load->replay->loose;
}

/* No slot of ours says such a thing. */
static bool is_sound(const struct index_place *place)
{
	return place->segment < INDEX_SEGMENTS && place->offset >= SEGMENT_HEADER && place->size <= TREE_PIECE;
}

static bool load_slot(void *arg, const struct index_slot *slot)
{
	struct load *load = arg;
	struct index_place place;
	uint64_t hash = index_unpack(slot, &place);
	struct index *index;

	if (!is_sound(&place))
		return false;
	index = resolve(load, &place);
	index_insert(index, hash, &place);
	if (index == load->replay->store->index)
		count_place(segments_row(load->replay->store->segments, place.segment), &place, 1);
	return true;
}

static bool unload_slot(struct load *load, const struct index_slot *slot)
{
	struct index_place place, gone;
	uint64_t hash = index_unpack(slot, &place);
	struct index *index;

	if (!is_sound(&place))
		return false;
	index = resolve(load, &place);
	if (!index_remove(index, hash, place.segment, place.offset, &gone))
		return false;
	if (index == load->replay->store->index)
		count_place(segments_row(load->replay->store->segments, place.segment), &gone, -1);
	return true;
}

static bool load_edit(void *arg, const struct index_edit *edit)
{
	if (edit->old.place != 0 && !unload_slot(arg, &edit->old))
		return false;
	return edit->new.place == 0 || load_slot(arg, &edit->new);
}

/* A segment that is not to be read is as the checkpoint says. */
static void adopt(struct replay_file *file, const struct checkpoint_row *row)
{
	struct segment *segment = file->segment;

	file->covered = true;
	segment->state = SEGMENT_SEALED;
	segment->class = row->class;
	segment->planned = row->planned;
	segment->trailer = row->trailer;
	segment->bytes.overhead = row->bytes.overhead;
}

static void match_rows(struct load *load)
{
	struct replay *replay = load->replay;

	for (uint32_t i = 0; i < load->checkpoint->end.rows; i++) {
		const struct checkpoint_row *row = &load->checkpoint->rows[i];
		struct replay_file *file = replay_find(replay, row->kind, row->id);

		if (file != NULL && file->segment == NULL)
			file = NULL;
		load->files[row->number] = file;
		/* Nothing is written to a sealed file any more. */
		if (file != NULL && row->covered && row->size == file->size)
			adopt(file, row);
	}
}

/* The sums must come out as they were. */
static bool adds_up(const struct load *load)
{
	for (uint32_t i = 0; i < load->checkpoint->end.rows; i++) {
		const struct checkpoint_row *row = &load->checkpoint->rows[i];
		const struct replay_file *file = load->files[row->number];

		if (file == NULL || !file->covered)
			continue;
		if (file->segment->pieces != row->pieces || file->segment->trashed != row->trashed ||
		    file->segment->bytes.live != row->bytes.live || file->segment->bytes.trash != row->bytes.trash)
			return false;
	}
	return true;
}

enum err replay_checkpoint(struct replay *replay, const struct checkpoint *checkpoint)
{
	struct load load = {
		.replay = replay,
		.checkpoint = checkpoint,
		.files = memory_new(INDEX_SEGMENTS, sizeof(struct replay_file *)),
	};
	enum err err;

	replay->horizon = checkpoint->end.horizon;
	replay->checkpoint = checkpoint;
	replay->loose = index_new(&replay->store->secret);
	replay->orphans = index_new(&replay->store->secret);
	replay->taken = index_new(&replay->store->secret);
	match_rows(&load);
	index_reserve(replay->store->index, checkpoint->end.slots);
	err = checkpoint_each_slot(checkpoint, load_slot, &load);
	if (err == ERR_OK)
		err = checkpoint_each_edit(checkpoint, load_edit, &load);
	if (err == ERR_OK && !adds_up(&load))
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		if (replay->horizon > replay->last_sequence)
			replay->last_sequence = replay->horizon;
		store_note_created(replay->store, checkpoint->end.newest_record);
		for (size_t i = 0; i < replay->count; i++)
			note_progress(replay, replay->files[i].covered ? replay->files[i].size : 0);
	}
	free(load.files);
	return err;
}

/* The records. */

static int compare_offsets(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Add those of these records that the walk did not find, and doubt their pieces. */
static void add_doubted(struct replay *replay, struct segment *segment, const struct segment_entry *entries,
			size_t count)
{
	size_t sorted = segment->entry_count;

	if (sorted > 0)
		qsort(segment->entries, sorted, sizeof(*entries), compare_offsets);
	for (size_t i = 0; i < count; i++) {
		const struct segment_entry *entry = &entries[i];
		uint32_t end;

		if (sorted > 0 && bsearch(entry, segment->entries, sorted, sizeof(*entry), compare_offsets) != NULL)
			continue;
		segment_add_entry(segment, entry);
		end = entry->offset + (entry->type == RECORD_PIECE ? entry->extent : record_head_of(entry->type));
		if (end > segment->tail)
			segment->tail = end;
		if (entry->type != RECORD_PIECE)
			continue;
		replay->doubts = memory_grow(replay->doubts, &replay->doubt_room, replay->doubt_count + 1,
					     sizeof(*replay->doubts));
		replay->doubts[replay->doubt_count++] = (struct replay_doubt){segment->id, *entry};
	}
}

/* What is not whole may be an upload that a crash cut off. It is not when the twin has it; nor when the file was sealed
 * before, for then all in it was durable; nor below the horizon of a checkpoint. */
static void add_damaged(struct replay *replay, struct segment *segment, struct walk *walk)
{
	bool was_sealed = segment->size != segment->planned;
	struct segment_entry *entries = NULL;
	size_t count = 0, torn = 0;

	if (segment->kind != SEGMENT_PIECES)
		return;
	if (twin_read(&replay->store->twins, TWIN_PROPER, segment->id, &entries, &count) == ERR_OK)
		add_doubted(replay, segment, entries, count);
	free(entries);
	for (size_t i = 0; i < walk->piece_count; i++) {
		if (was_sealed || walk->pieces[i].sequence <= replay->durable)
			walk->pieces[torn++] = walk->pieces[i];
	}
	add_doubted(replay, segment, walk->pieces, torn);
}

bool replay_walk(struct replay *replay, struct segment *segment)
{
	struct store *store = replay->store;
	struct walk walk;
	enum err err;

	/* What the page cache holds but the disk does not, because a sync failed, must not be believed. */
	err = seam_sync_file(store->seam, segment->fd);
	if (err != ERR_OK)
		health_fail(&store->health, "syncing", segment->id, err);
	store->seam->advise(store->seam, segment->fd, 0, 0, POSIX_FADV_DONTNEED);
	walk_segment(store->seam, &store->secret, segment, &walk);
	if (walk.last_sequence > replay->last_sequence)
		replay->last_sequence = walk.last_sequence;
	add_damaged(replay, segment, &walk);
	free(walk.pieces);
	if (walk.blank && walk.unreadable == 0 && segment->entry_count == 0)
		return false;
	segment->state = SEGMENT_SEALED;
	segment->trailer = (struct segment_trailer){.id = 0};
	if (segment->entries == NULL)
		segment->entries = memory_grow(NULL, &segment->entry_room, 1, sizeof(*segment->entries));
	return true;
}

/* What a record says of itself, for telling whose it is. */
struct standing {
	uint64_t sequence;
	uint32_t extent;
};

/* Of a segment whose footer was read, that is asked again: it is in the page cache, and the record may not be. */
static enum err look_in_footer(const struct replay *replay, const struct segment *segment,
			       const struct segment_entry *key, uint32_t offset, struct standing *ret)
{
	struct segment_entry entry;
	struct footer footer;
	enum err err = footer_open(replay->store->seam, segment, &replay->store->secret, &footer);

	if (err == ERR_OK)
		err = footer_find(&footer, key->satellite, &key->piece, offset, &entry);
	if (err == ERR_OK)
		*ret = (struct standing){entry.sequence, entry.extent};
	return err;
}

static enum err look_in_entries(const struct segment *segment, const struct segment_entry *key, uint32_t offset,
				struct standing *ret)
{
	for (size_t i = 0; i < segment->entry_count; i++) {
		const struct segment_entry *entry = &segment->entries[i];

		if (entry->offset != offset)
			continue;
		if (entry->satellite != key->satellite || !bytes32_equal(&entry->piece, &key->piece))
			break;
		*ret = (struct standing){entry->sequence, entry->extent};
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

static enum err look_at_core(const struct replay *replay, const struct segment *segment,
			     const struct segment_entry *key, uint32_t offset, struct standing *ret)
{
	struct record_place where = {segment->id, offset};
	uint8_t core[RECORD_CORE];
	struct record record;
	enum err err = seam_read_full(replay->store->seam, segment->fd, core, sizeof(core), offset);

	if (err == ERR_OK)
		err = record_decode_core(core, &replay->store->secret, &where, &record);
	if (err != ERR_OK)
		return err;
	if (record.satellite != key->satellite || !bytes32_equal(&record.piece, &key->piece))
		return ERR_NOT_FOUND;
	*ret = (struct standing){record.sequence, record.extent};
	return ERR_OK;
}

/* ERR_NOT_FOUND when it is another key's; other errors when nobody can tell. */
static enum err look(const struct replay *replay, const struct segment_entry *key, const struct index_place *at,
		     struct standing *ret)
{
	const struct segment *segment = segments_row(replay->store->segments, at->segment);
	const struct replay_file *file = replay_find(replay, SEGMENT_PIECES, segment->id);
	enum err err = ERR_CORRUPT;

	if (segment->ghost)
		return look_in_entries(segment, key, at->offset, ret);
	if (file != NULL && !file->covered && segment->entries == NULL)
		err = look_in_footer(replay, segment, key, at->offset, ret);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		err = look_at_core(replay, segment, key, at->offset, ret);
	return err;
}

/* Take what lives of this key with a number below `sequence` out of the index; false when there is one above. */
static bool beat_others(struct replay *replay, const struct segment_entry *key, uint64_t hash, uint64_t sequence)
{
	struct store *store = replay->store;
	struct index_place places[INDEX_MATCHES];
	size_t count = index_find(store->index, hash, NULL, NULL, places);
	bool won = true;

	for (size_t i = 0; i < count; i++) {
		struct standing other;
		struct index_place gone;

		/* What cannot be told apart from another key's stays, and reads look at both. */
		if (look(replay, key, &places[i], &other) != ERR_OK)
			continue;
		if (other.sequence >= sequence)
			won = false;
		else if (index_remove(store->index, hash, places[i].segment, places[i].offset, &gone))
			segments_bury(store->segments, segments_row(store->segments, places[i].segment), &gone,
				      other.extent);
	}
	return won;
}

static bool in_part(const struct replay *replay, uint64_t hash)
{
	return replay->parts == 1 || (hash >> 30) * replay->parts >> 12 == replay->part;
}

/* The slot of this very key; false when there is none. */
static bool find_key(const struct replay *replay, const struct segment_entry *key, uint64_t hash,
		     struct index_place *ret, struct standing *ret_standing)
{
	struct index_place places[INDEX_MATCHES];
	size_t count = index_find(replay->store->index, hash, NULL, NULL, places);

	for (size_t i = 0; i < count; i++) {
		if (look(replay, key, &places[i], ret_standing) != ERR_OK)
			continue;
		*ret = places[i];
		return true;
	}
	return false;
}

static bool is_taken(const struct replay *replay, uint64_t hash)
{
	struct index_place places[INDEX_MATCHES];

	return index_find(replay->taken, hash, NULL, NULL, places) > 0;
}

/* An orphan that may be this record's, wherever it stands now. */
static bool take_orphan(struct replay *replay, uint64_t hash, const struct segment_entry *entry,
			struct index_place *ret)
{
	struct index_place places[INDEX_MATCHES];
	size_t count = index_find(replay->orphans, hash, NULL, NULL, places);

	for (size_t i = 0; i < count; i++) {
		bool trashed = (places[i].flags & INDEX_TRASHED) != 0;

		if (places[i].size != entry->size || (!trashed && places[i].day != marks_day(entry->expires)))
			continue;
		if (!index_remove(replay->orphans, hash, places[i].segment, places[i].offset, ret))
			continue;
		index_insert(replay->taken, hash, ret);
		return true;
	}
	return false;
}

/* A record for whose hash an orphan was taken. Of one key's, copies or older ones that are dead, the highest number has
 * it. True when this one takes the other's place. */
static bool contest(struct replay *replay, uint64_t hash, const struct segment_entry *entry, struct index_place *ret)
{
	struct standing other;

	if (!find_key(replay, entry, hash, ret, &other)) {
		if (take_orphan(replay, hash, entry, ret))
			return true;
		replay->ambiguous = true;
		return false;
	}
	if (other.sequence >= entry->sequence ||
	    !index_remove(replay->store->index, hash, ret->segment, ret->offset, NULL))
		return false;
	segments_bury(replay->store->segments, segments_row(replay->store->segments, ret->segment), ret, other.extent);
	return true;
}

/* Whether the checkpoint has this record, here or where it was moved from; *ret gets its slot. */
static bool is_known(struct replay *replay, const struct segment *segment, uint64_t hash,
		     const struct segment_entry *entry, struct index_place *ret)
{
	if (replay->loose == NULL)
		return false;
	if (index_remove(replay->loose, hash, segment->number, entry->offset, ret))
		return true;
	if (entry->sequence <= replay->horizon && is_taken(replay, hash))
		return contest(replay, hash, entry, ret);
	return take_orphan(replay, hash, entry, ret);
}

static void apply_piece(struct replay *replay, struct segment *segment, const struct segment_entry *entry)
{
	struct store *store = replay->store;
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);
	struct index_place place = {.day = marks_day(entry->expires)};
	bool known;

	if (!in_part(replay, hash))
		return;
	known = is_known(replay, segment, hash, entry, &place);
	if (entry->sequence <= replay->horizon && !known)
		return;
	if (entry->sequence > replay->horizon) {
		if (!beat_others(replay, entry, hash, entry->sequence))
			return;
		/* All that was ever said of it is above the horizon too. A slot may have been an older record's. */
		place.flags = 0;
		place.day = marks_day(entry->expires);
	}
	place.segment = segment->number;
	place.offset = entry->offset;
	place.size = entry->size;
	index_insert(store->index, hash, &place);
	count_place(segment, &place, 1);
	segment->bytes.overhead += entry->extent - entry->size;
}

/* One file of which all entries are visited. */
struct visit {
	struct replay *replay;
	struct segment *segment;
	void (*each)(struct visit *visit, const struct segment_entry *entry);
	struct segment_entry *marks;
	size_t mark_count;
	size_t mark_room;
};

static void visit_entry(void *arg, const struct segment_entry *entry)
{
	struct visit *visit = arg;

	visit->each(visit, entry);
}

/* A footer that does not hold is found before any of it is visited, and then the segment is walked. */
static void visit_file(struct visit *visit)
{
	const struct store *store = visit->replay->store;
	struct segment *segment = visit->segment;
	struct footer footer;

	if (segment->entries == NULL) {
		if (footer_open(store->seam, segment, &store->secret, &footer) == ERR_OK &&
		    footer_each(&footer, visit_entry, visit) == ERR_OK)
			return;
		if (!replay_walk(visit->replay, segment))
			segment->entries = memory_grow(NULL, &segment->entry_room, 1, sizeof(*segment->entries));
	}
	for (size_t i = 0; i < segment->entry_count; i++)
		visit->each(visit, &segment->entries[i]);
}

static void apply_first(struct visit *visit, const struct segment_entry *entry)
{
	struct replay *replay = visit->replay;

	if (entry->type == RECORD_PIECE)
		apply_piece(replay, visit->segment, entry);
	if (replay->part > 0)
		return;
	if (entry->sequence > replay->last_sequence)
		replay->last_sequence = entry->sequence;
	if (entry->type == RECORD_PIECE || entry->type == RECORD_TRANSFER)
		store_note_created(replay->store, entry->created);
	if (entry->type == RECORD_TRANSFER)
		visit->segment->bytes.overhead += entry->extent;
	else if (entry->type != RECORD_PIECE && entry->type != RECORD_PAD)
		visit->segment->bytes.overhead += record_head_of((enum record_type)entry->type);
}

/* The number of the piece that a tombstone speaks of, and of older ones. Footers do not have it. */
static uint64_t target_of(const struct replay *replay, const struct segment *segment, const struct segment_entry *entry)
{
	struct record_place where = {segment->id, entry->offset};
	uint32_t len = record_head_of(RECORD_TOMBSTONE);
	struct record *record = memory_new(1, sizeof(*record));
	uint8_t head[RECORD_HEAD_MAX];
	uint64_t sequence = entry->sequence - 1;

	if (seam_read_full(replay->store->seam, segment->fd, head, len, entry->offset) == ERR_OK &&
	    record_decode(bytes_of(head, len), &replay->store->secret, &where, record) == ERR_OK &&
	    record->type == RECORD_TOMBSTONE)
		sequence = record->target.sequence;
	free(record);
	return sequence;
}

/* A tombstone kills the very record that it names, or a copy of it that a compaction moved, and older ones of the key.
 * A newer one stays. */
static void apply_tombstone(struct visit *visit, const struct segment_entry *entry)
{
	struct replay *replay = visit->replay;
	struct store *store = replay->store;
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);
	struct replay_file *file = replay_find(replay, SEGMENT_PIECES, entry->expires);
	struct index_place gone, places[INDEX_MATCHES];
	struct standing other;

	if (file != NULL && file->segment != NULL &&
	    index_remove(store->index, hash, file->segment->number, entry->size, &gone)) {
		segments_bury(store->segments, file->segment, &gone, entry->extent);
		return;
	}
	if (index_find(store->index, hash, NULL, NULL, places) == 0)
		return;
	/* Another key has the orphan that was this one's. */
	if (replay->taken != NULL && is_taken(replay, hash) && !find_key(replay, entry, hash, &gone, &other))
		replay->ambiguous = true;
	(void)beat_others(replay, entry, hash, target_of(replay, visit->segment, entry) + 1);
}

static void apply_second(struct visit *visit, const struct segment_entry *entry)
{
	if (entry->type == RECORD_TOMBSTONE && entry->sequence > visit->replay->horizon)
		apply_tombstone(visit, entry);
}

/* Before any piece: an orphan that was deleted where it stood has no copy, and nothing else may take it. */
static void bury_orphan(struct visit *visit, const struct segment_entry *entry)
{
	struct replay *replay = visit->replay;
	const struct checkpoint_row *row = checkpoint_find(replay->checkpoint, SEGMENT_PIECES, entry->expires);

	if (entry->type == RECORD_TOMBSTONE && row != NULL)
		(void)index_remove(replay->orphans, index_hash(replay->store->index, entry->satellite, &entry->piece),
				   row->number, entry->size, NULL);
}

/* The last word counts, so those of this part are gathered and put in order first. */
static void gather_mark(struct visit *visit, const struct segment_entry *entry)
{
	const struct replay *replay = visit->replay;

	if ((entry->type != RECORD_TRASH && entry->type != RECORD_RESTORE) || entry->sequence <= replay->horizon ||
	    !in_part(replay, index_hash(replay->store->index, entry->satellite, &entry->piece)))
		return;
	visit->marks = memory_grow(visit->marks, &visit->mark_room, visit->mark_count + 1, sizeof(*visit->marks));
	visit->marks[visit->mark_count++] = *entry;
}

static int compare_marks(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;

	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Visit the files that are not covered; `marking`: those only that speak of other records. */
static void visit_files(struct visit *visit, bool marking,
			void (*each)(struct visit *visit, const struct segment_entry *entry))
{
	struct replay *replay = visit->replay;

	visit->each = each;
	for (size_t i = 0; i < replay->count; i++) {
		const struct replay_file *file = &replay->files[i];

		if (file->segment == NULL || file->covered || file->segment->state != SEGMENT_SEALED)
			continue;
		if (marking && (file->kind != SEGMENT_PIECES ||
				(file->segment->entries == NULL && file->segment->trailer.tombstones == 0)))
			continue;
		visit->segment = file->segment;
		visit_file(visit);
		if (!marking)
			note_progress(replay, file->size / replay->parts);
	}
}

static void apply_marks(struct visit *visit)
{
	struct replay *replay = visit->replay;

	visit_files(visit, true, gather_mark);
	if (visit->mark_count > 0)
		qsort(visit->marks, visit->mark_count, sizeof(*visit->marks), compare_marks);
	for (size_t i = 0; i < visit->mark_count; i++) {
		struct replay_file *file = replay_find(replay, SEGMENT_PIECES, visit->marks[i].expires);

		marks_apply(replay->store, file == NULL ? NULL : file->segment, &visit->marks[i]);
	}
	visit->mark_count = 0;
}

/* How many entries there are to visit, and how many of them speak of others. */
static void count_entries(const struct replay *replay, uint64_t *ret_entries, uint64_t *ret_marks)
{
	*ret_entries = 0;
	*ret_marks = 0;
	for (size_t i = 0; i < replay->count; i++) {
		const struct segment *segment = replay->files[i].segment;

		if (segment == NULL || replay->files[i].covered)
			continue;
		*ret_entries += segment->entries != NULL ? segment->entry_count : segment->trailer.count;
		*ret_marks += segment->entries != NULL ? segment->entry_count : segment->trailer.tombstones;
	}
}

/* Every round reads all footers again, so there should not be more of them than the machine needs. */
static uint64_t part_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t share = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / MEMORY_SHARE : 0;

	return share > PART_BYTES ? share : PART_BYTES;
}

static uint32_t parts_for(uint64_t bytes, uint64_t most)
{
	uint64_t parts = bytes / most + 1;

	return parts > 4096 ? 4096 : (uint32_t)parts;
}

/* The footers that hold are part of their files. */
static void count_footers(struct replay *replay)
{
	for (size_t i = 0; i < replay->count; i++) {
		struct segment *segment = replay->files[i].segment;

		if (segment != NULL && !replay->files[i].covered && segment->state == SEGMENT_SEALED &&
		    segment->entries == NULL)
			segment->bytes.overhead += (uint64_t)segment->trailer.count * SEGMENT_ENTRY + SEGMENT_TRAILER;
	}
}

static void apply_pieces(struct visit *visit, uint64_t entries)
{
	struct replay *replay = visit->replay;

	replay->parts = 1;
	if (replay->orphans != NULL && index_count(replay->orphans) > 0)
		visit_files(visit, true, bury_orphan);
	if (replay->store->options.index == STORE_INDEX_MAPPED)
		replay->parts = parts_for(entries * SLOT_BYTES, part_bytes());
	for (replay->part = 0; replay->part < replay->parts; replay->part++)
		visit_files(visit, false, apply_first);
	count_footers(replay);
}

enum err replay_records(struct replay *replay)
{
	struct visit visit = {.replay = replay};
	uint64_t entries, marks, most;

	count_entries(replay, &entries, &marks);
	apply_pieces(&visit, entries);
	visit_files(&visit, true, apply_second);
	if (replay->ambiguous)
		return ERR_CORRUPT;
	most = index_count(replay->store->index) / MARKS_SHARE;
	replay->parts = parts_for(marks, most > MARKS_LEAST ? most : MARKS_LEAST);
	for (replay->part = 0; replay->part < replay->parts; replay->part++)
		apply_marks(&visit);
	free(visit.marks);
	return ERR_OK;
}
