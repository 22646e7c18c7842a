/* Two sorted lists side by side: the tombstones of one segment and the footer of another. */
#include "node/store/tombstones.h"

#include <stdlib.h>

#include "common/memory.h"

/* The number of the record that a tombstone names: footers do not have it. False when it cannot be read. */
static bool read_target(struct store *store, struct segment *source, const struct segment_entry *entry,
			struct record *record)
{
	struct record_place place = {source->id, entry->offset};
	uint32_t len = record_head_of(RECORD_TOMBSTONE);
	uint8_t head[RECORD_HEAD_MAX];

	return seam_read_full(store->seam, source->fd, head, len, entry->offset) == ERR_OK &&
	       record_decode(bytes_of(head, len), &store->secret, &place, record) == ERR_OK &&
	       record->type == RECORD_TOMBSTONE;
}

void tombstones_init(struct store *store, struct segment *source, const struct segment_entry *entries, size_t count,
		     struct tombstones *ret)
{
	struct record *record = memory_new(1, sizeof(*record));
	size_t room = 0;

	*ret = (struct tombstones){.source = source};
	for (size_t i = 0; i < count; i++) {
		struct tombstone *new;

		if (entries[i].type != RECORD_TOMBSTONE)
			continue;
		ret->list = memory_grow(ret->list, &room, ret->count + 1, sizeof(*ret->list));
		new = &ret->list[ret->count++];
		*new = (struct tombstone){
			.satellite = entries[i].satellite, .piece = entries[i].piece, .offset = entries[i].offset};
		if (!read_target(store, source, &entries[i], record)) {
			new->needed = true;
			ret->needed++;
			continue;
		}
		new->sequence = record->target.sequence;
		if (new->sequence > ret->last)
			ret->last = new->sequence;
	}
	free(record);
	if (ret->needed < ret->count)
		ret->others = segments_list(store->segments, &ret->other_count);
}

void tombstones_free(struct store *store, struct tombstones *tombstones)
{
	if (tombstones->others != NULL)
		segments_unlist(store->segments, tombstones->others, tombstones->other_count);
	free(tombstones->list);
	*tombstones = (struct tombstones){.source = NULL};
}

static int compare_keys(const struct tombstone *tombstone, const struct segment_entry *entry)
{
	int order = (int)tombstone->satellite - (int)entry->satellite;

	return order != 0 ? order : bytes32_compare(&tombstone->piece, &entry->piece);
}

static int compare_entries(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;
	int order = (int)a->satellite - (int)b->satellite;

	return order != 0 ? order : bytes32_compare(&a->piece, &b->piece);
}

/* In a segment that still takes records they stand as they came. */
static void sort(struct segment_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_entries(&entries[i - 1], &entries[i]) > 0) {
			qsort(entries, count, sizeof(*entries), compare_entries);
			return;
		}
	}
}

/* Several tombstones may have one key, and several records too. */
static void match(struct tombstones *tombstones, const struct segment_entry *entries, size_t count)
{
	size_t first = 0;

	for (size_t i = 0; i < count; i++) {
		while (first < tombstones->count && compare_keys(&tombstones->list[first], &entries[i]) < 0)
			first++;
		if (entries[i].type != RECORD_PIECE)
			continue;
		for (size_t k = first; k < tombstones->count; k++) {
			struct tombstone *tombstone = &tombstones->list[k];

			if (compare_keys(tombstone, &entries[i]) != 0)
				break;
			if (tombstone->needed || entries[i].sequence > tombstone->sequence)
				continue;
			tombstone->needed = true;
			tombstones->needed++;
		}
	}
}

static void need_all(struct tombstones *tombstones)
{
	for (size_t i = 0; i < tombstones->count; i++)
		tombstones->list[i].needed = true;
	tombstones->needed = tombstones->count;
}

bool tombstones_search(struct store *store, struct tombstones *tombstones, uint64_t *budget)
{
	struct segment_entry *entries;
	struct segment *other;
	uint64_t cost;
	size_t count;

	if (tombstones->needed == tombstones->count || tombstones->at == tombstones->other_count)
		return false;
	other = tombstones->others[tombstones->at++];
	if (other == tombstones->source || other->kind != SEGMENT_PIECES ||
	    segments_begins_after(store->segments, other, tombstones->last))
		return true;
	/* One that cannot be read may hold anything. */
	if (segments_entries(store->segments, other, &entries, &count) != ERR_OK) {
		need_all(tombstones);
		return false;
	}
	sort(entries, count);
	match(tombstones, entries, count);
	free(entries);
	cost = count * SEGMENT_ENTRY;
	*budget -= cost < *budget ? cost : *budget;
	return true;
}

bool tombstones_needs(const struct tombstones *tombstones, const struct segment_entry *entry)
{
	size_t low = 0, high = tombstones->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_keys(&tombstones->list[middle], entry) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < tombstones->count && compare_keys(&tombstones->list[low], entry) == 0; low++) {
		if (tombstones->list[low].offset == entry->offset)
			return tombstones->list[low].needed;
	}
	return true;
}
