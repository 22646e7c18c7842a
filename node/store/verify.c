/* The walk over the files. */
#include "node/store/verify.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/checkpointer.h"

#define READ_MOST (4u << 20) /* in one go, unless a record is larger */
#define GAP_MOST (64u << 10) /* dead bytes that are read along rather than skipped */
#define RECORD_MOST (RECORD_HEAD_MAX + TREE_PIECE + RECORD_UNIT)

/* A record to be read. */
struct span {
	uint32_t offset;
	uint32_t len;
};

struct store_check {
	struct store *store;
	struct verify_place place;
	uint32_t until; /* segments with this id and above were made after the start */
	struct store_checked counts;
	struct segment *segment; /* under way; pinned during a step, and NULL between two: its file may go */
	struct span *spans;	 /* of it, by offset; NULL while none is under way */
	size_t count;
	size_t next;
	uint8_t *buffer; /* of READ_MOST, during a step */
};

/* Whether so many bytes are a whole record that holds at its place. */
static bool holds(const struct store *store, uint32_t segment, const struct span *span, const uint8_t *raw,
		  struct record *ret)
{
	struct record_place place = {segment, span->offset};
	size_t head = span->len < RECORD_HEAD_MAX ? span->len : RECORD_HEAD_MAX;

	if (record_decode(bytes_of(raw, head), &store->secret, &place, ret) != ERR_OK)
		return false;
	if (ret->type != RECORD_PIECE)
		return true;
	return ret->head <= span->len && ret->size <= span->len - ret->head &&
	       record_payload_holds(ret, raw + ret->head);
}

/* Bytes that the record of an entry takes; those of records that speak of another name that one's extent. */
static uint32_t length_of(const struct segment_entry *entry)
{
	if (entry->type == RECORD_PIECE || entry->type == RECORD_TRANSFER)
		return entry->extent;
	return record_head_of((enum record_type)entry->type);
}

static void drop_cache(struct store *store, const struct segment *segment, uint32_t offset, uint32_t len)
{
	seam_drop_cache(store->seam, segment->fd, offset, len);
}

enum err verify_record(struct store *store, struct segment *segment, const struct segment_entry *entry)
{
	const struct span span = {entry->offset, length_of(entry)};
	struct record *record = memory_new(1, sizeof(*record));
	uint8_t *raw = span.len <= RECORD_MOST ? memory_new(1, span.len + 1) : NULL;
	enum err err = ERR_CORRUPT;

	if (raw != NULL) {
		drop_cache(store, segment, span.offset, span.len);
		err = seam_read_full(store->seam, segment->fd, raw, span.len, span.offset);
	}
	if (err == ERR_OK && (!holds(store, segment->id, &span, raw, record) || record->type != entry->type ||
			      record->sequence != entry->sequence || record->satellite != entry->satellite ||
			      !bytes32_equal(&record->piece, &entry->piece)))
		err = ERR_CORRUPT;
	free(raw);
	free(record);
	return err == ERR_OK || err == ERR_CORRUPT ? err : ERR_IO;
}

/* What there is to read, about. */
static uint64_t bytes_to_read(struct store *store)
{
	struct segments_space space;

	segments_space(store->segments, &space);
	return space.bytes.live + space.bytes.trash + space.bytes.overhead;
}

struct store_check *verify_new(struct store *store, const struct verify_place *from, const struct store_checked *before)
{
	struct store_check *check = memory_new(1, sizeof(*check));

	check->store = store;
	check->place = (struct verify_place){SEGMENT_PIECES, 0, 0};
	if (from != NULL)
		check->place = *from;
	if (before != NULL)
		check->counts = *before;
	else
		check->counts.total = bytes_to_read(store);
	check->until = segments_next_id(store->segments);
	return check;
}

struct store_check *store_check_begin(struct store *store)
{
	return verify_new(store, NULL, NULL);
}

static void let_go(struct store_check *check)
{
	if (check->segment != NULL)
		segments_unpin(check->store->segments, check->segment);
	check->segment = NULL;
}

static void leave_segment(struct store_check *check)
{
	let_go(check);
	free(check->spans);
	check->spans = NULL;
	check->count = check->next = 0;
}

void store_check_free(struct store_check *check)
{
	if (check == NULL)
		return;
	leave_segment(check);
	free(check);
}

void verify_place(const struct store_check *check, struct verify_place *ret)
{
	*ret = check->place;
}

void store_checked(const struct store_check *check, struct store_checked *ret)
{
	*ret = check->counts;
	/* It grows while it is read. */
	if (ret->total < ret->bytes)
		ret->total = ret->bytes;
}

/* Pin the segment of this kind with the lowest id from the place on; false when there is none. */
static bool pin_next(struct store_check *check)
{
	struct segments *set = check->store->segments;
	size_t count;
	struct segment **list = segments_list(set, &count), *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (list[i]->kind == check->place.kind && list[i]->id >= check->place.segment &&
		    list[i]->id < check->until && (best == NULL || list[i]->id < best->id))
			best = list[i];
	}
	if (best != NULL) {
		segments_pin(set, best->number);
		if (best->id != check->place.segment)
			check->place = (struct verify_place){best->kind, best->id, 0};
	}
	check->segment = best;
	segments_unlist(set, list, count);
	return best != NULL;
}

static bool header_holds(struct store_check *check)
{
	const struct store *store = check->store;
	struct segment_header header;
	uint8_t raw[SEGMENT_HEADER];

	return seam_read_full(store->seam, check->segment->fd, raw, sizeof(raw), 0) == ERR_OK &&
	       segment_header_decode(raw, &header) == ERR_OK && header.id == check->segment->id &&
	       header.kind == check->segment->kind &&
	       memcmp(header.store.b, store->super.store.b, sizeof(header.store.b)) == 0;
}

static int compare_spans(const void *left, const void *right)
{
	const struct span *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Whether a record says anything still; of a damaged piece it is known what it says. */
static bool wants_reading(struct store_check *check, const struct segment_entry *entry)
{
	struct store *store = check->store;
	struct index_spot spot = {check->segment->number, entry->offset};
	struct index_place place;

	if (entry->type == RECORD_PAD || entry->offset < check->place.offset)
		return false;
	if (entry->type != RECORD_PIECE)
		return true;
	if (!index_get(store->index, index_hash(store->index, entry->satellite, &entry->piece), &spot, &place))
		return false;
	if ((place.flags & INDEX_BAD) != 0)
		check->counts.damaged++;
	return (place.flags & INDEX_BAD) == 0;
}

static void take_spans(struct store_check *check, const struct segment_entry *entries, size_t count)
{
	check->spans = memory_new(count + 1, sizeof(*check->spans));
	for (size_t i = 0; i < count; i++) {
		if (wants_reading(check, &entries[i]))
			check->spans[check->count++] = (struct span){entries[i].offset, length_of(&entries[i])};
	}
	qsort(check->spans, check->count, sizeof(*check->spans), compare_spans);
}

/* Read header and footer of the next segment, and note its records; false when all are done. */
static bool enter_segment(struct store_check *check, uint64_t *ret_read)
{
	struct store *store = check->store;
	struct segment_entry *entries = NULL;
	size_t count = 0;
	enum err err;

	while (!pin_next(check)) {
		if (check->place.kind == SEGMENT_TRANSFERS)
			return false;
		check->place = (struct verify_place){SEGMENT_TRANSFERS, 0, 0};
	}
	drop_cache(store, check->segment, 0, 0);
	if (check->place.offset == 0) {
		check->counts.segments++;
		if (!header_holds(check) && !header_holds(check))
			check->counts.segments_bad++;
	}
	err = segments_entries(store->segments, check->segment, &entries, &count);
	if (err != ERR_OK)
		err = segments_entries(store->segments, check->segment, &entries, &count);
	*ret_read = SEGMENT_HEADER + SEGMENT_TRAILER + (uint64_t)count * SEGMENT_ENTRY;
	take_spans(check, entries, err == ERR_OK ? count : 0);
	if (err != ERR_OK && check->place.offset == 0)
		check->counts.footers_bad++;
	if (err != ERR_OK && segments_suspect(store->segments, check->segment))
		checkpointer_ask(store);
	free(entries);
	return true;
}

/* The entry of the record at this offset; false when the footer says nothing of it (any more). */
static bool find_entry(struct store_check *check, uint32_t offset, struct segment_entry *ret)
{
	struct segment_entry *entries = NULL;
	size_t count = 0, i;

	if (segments_entries(check->store->segments, check->segment, &entries, &count) != ERR_OK)
		return false;
	for (i = 0; i < count && entries[i].offset != offset; i++)
		;
	if (i < count)
		*ret = entries[i];
	free(entries);
	return i < count;
}

/* It did not hold when it was read with others. Again, by itself. ERR_IO when the disk does not answer. */
static enum err look_again(struct store_check *check, const struct span *span)
{
	struct segment_entry entry;
	enum err err;

	if (!find_entry(check, span->offset, &entry))
		return ERR_OK;
	err = verify_record(check->store, check->segment, &entry);
	if (err == ERR_OK)
		return ERR_OK;
	if (entry.type != RECORD_PIECE) {
		check->counts.records_bad++;
		return ERR_OK;
	}
	err = damage_mark(check->store, check->segment, &entry);
	if (err == ERR_IO)
		return ERR_IO;
	/* Deleted meanwhile, or whole after all: fine. */
	if (err != ERR_NOT_FOUND && err != ERR_OK) {
		check->counts.damaged++;
		check->counts.found++;
	}
	return ERR_OK;
}

/* How many records from the next one on are read in one go: neighbours, within the budget. */
static size_t group(const struct store_check *check, uint64_t budget, uint32_t *ret_len)
{
	const struct span *first = &check->spans[check->next];
	size_t last = check->next;

	for (size_t i = last + 1; i < check->count; i++) {
		const struct span *before = &check->spans[i - 1], *span = &check->spans[i];
		uint32_t len = span->offset + span->len - first->offset;

		if (len > READ_MOST || len > budget || span->offset - before->offset < before->len ||
		    span->offset - before->offset - before->len > GAP_MOST)
			break;
		last = i;
	}
	*ret_len = check->spans[last].offset + check->spans[last].len - first->offset;
	return last - check->next + 1;
}

/* Read and check the next few records. */
static enum err read_some(struct store_check *check, uint64_t budget, uint64_t *ret_read)
{
	struct store *store = check->store;
	const struct span *first = &check->spans[check->next];
	struct record record;
	uint32_t len;
	size_t count = group(check, budget, &len);
	enum err err = len <= READ_MOST ? ERR_OK : ERR_RANGE;

	drop_cache(store, check->segment, first->offset, len);
	if (err == ERR_OK)
		err = seam_read_full(store->seam, check->segment->fd, check->buffer, len, first->offset);
	for (size_t i = 0; i < count; i++) {
		const struct span *span = first + i;

		if (err != ERR_OK ||
		    !holds(store, check->segment->id, span, check->buffer + (span->offset - first->offset), &record)) {
			if (look_again(check, span) == ERR_IO)
				return ERR_IO;
		} else if (record.type == RECORD_PIECE) {
			check->counts.pieces++;
		}
		check->counts.records++;
		check->place.offset = span->offset + span->len;
		check->next++;
	}
	/* What customers did not ask for shall not push out what they did. */
	drop_cache(store, check->segment, first->offset, len);
	*ret_read = len;
	return ERR_OK;
}

static void end_segment(struct store_check *check)
{
	check->place.segment++;
	check->place.offset = 0;
	leave_segment(check);
}

enum err store_check_step(struct store_check *check, uint64_t *budget, bool *ret_more)
{
	uint64_t read;
	bool more = true;
	enum err err = ERR_OK;

	check->buffer = malloc(READ_MOST);
	if (check->buffer == NULL)
		abort();
	/* Compaction may have emptied it since the last step. */
	if (check->spans != NULL)
		check->segment = segments_find(check->store->segments, check->place.kind, check->place.segment);
	if (check->spans != NULL && check->segment == NULL)
		end_segment(check);
	while (err == ERR_OK && more && *budget > 0) {
		read = 0;
		if (check->spans == NULL)
			more = enter_segment(check, &read);
		else if (check->next < check->count)
			err = read_some(check, *budget, &read);
		else
			end_segment(check);
		check->counts.bytes += read;
		*budget -= read < *budget ? read : *budget;
	}
	let_go(check);
	free(check->buffer);
	check->buffer = NULL;
	*ret_more = more;
	return err;
}
