/* Reading transfers back: the log's entries, and the deals that stand in the heads of pieces; and dropping old ones. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/engine.h"

void store_deal_of(const struct allocation *allocation, const struct signature *allocation_signature,
		   const struct bytes32 *hash, struct record_deal *ret)
{
	struct writer w;

	memset(ret, 0, sizeof(*ret));
	ret->allocation_hash = *hash;
	writer_init(&w, ret->allocation, sizeof(ret->allocation));
	typed_encode(&typed_allocation, allocation, allocation_signature, &w);
	assert(w.err == ERR_OK && w.len == sizeof(ret->allocation));
}

void store_deal_order(const struct order *order, const struct signature *signature, struct record_deal *deal)
{
	struct writer w;

	memset(deal->order, 0, sizeof(deal->order));
	if (order == NULL || signature == NULL)
		return;
	writer_init(&w, deal->order, sizeof(deal->order));
	typed_encode(&typed_order, order, signature, &w);
	assert(w.err == ERR_OK && w.len == sizeof(deal->order));
}

enum err store_deal_read(const struct record_deal *deal, struct store_transfer *ret)
{
	struct bytes allocation = bytes_of(deal->allocation, sizeof(deal->allocation));
	struct bytes order = bytes_of(deal->order, sizeof(deal->order));

	if (typed_decode(&typed_allocation, allocation, &ret->allocation, &ret->allocation_signature) != ERR_OK ||
	    typed_decode(&typed_order, order, &ret->order, &ret->order_signature) != ERR_OK)
		return ERR_CORRUPT;
	return ERR_OK;
}

/* Where one transfer stands. */
struct spot {
	uint64_t sequence;
	struct segment *segment; /* pinned by the list */
	uint32_t offset;
	uint32_t head; /* bytes to read */
};

struct spots {
	struct spot *list;
	size_t count;
	size_t room;
};

struct window {
	uint64_t after;	  /* sequences above this … */
	uint64_t horizon; /* … and up to this */
	uint64_t since;	  /* made at or after this, Unix seconds */
};

static bool wanted(const struct segment_entry *entry, const struct window *window)
{
	return (entry->type == RECORD_PIECE || entry->type == RECORD_TRANSFER) && entry->sequence > window->after &&
	       entry->sequence <= window->horizon && entry->created >= window->since;
}

static uint32_t head_of(const struct segment_entry *entry)
{
	if (entry->type == RECORD_TRANSFER)
		return record_head_of(RECORD_TRANSFER);
	if (entry->size > RECORD_SMALL)
		return RECORD_HEAD_MAX;
	return record_head_of_piece(tree_blocks(entry->size));
}

static enum err gather(struct store *store, struct segment *segment, const struct window *window, struct spots *spots)
{
	struct segment_entry *entries;
	size_t count;
	enum err err;

	if (segments_ends_before(store->segments, segment, window->after))
		return ERR_OK;
	err = segments_entries(store->segments, segment, &entries, &count);
	if (err != ERR_OK) /* also for a damaged footer: the next start finds its records by walking */
		return ERR_IO;
	for (size_t i = 0; i < count; i++) {
		if (!wanted(&entries[i], window))
			continue;
		spots->list = memory_grow(spots->list, &spots->room, spots->count + 1, sizeof(*spots->list));
		spots->list[spots->count++] =
			(struct spot){entries[i].sequence, segment, entries[i].offset, head_of(&entries[i])};
	}
	free(entries);
	return ERR_OK;
}

static int compare_spots(const void *left, const void *right)
{
	const struct spot *a = left, *b = right;

	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static enum err read_spot(struct store *store, const struct spot *spot, struct record *record,
			  struct store_transfer *ret)
{
	struct record_place place = {spot->segment->id, spot->offset};
	uint8_t head[RECORD_HEAD_MAX];
	enum err err = seam_read_full(store->seam, spot->segment->fd, head, spot->head, spot->offset);

	if (err == ERR_OK)
		err = record_decode(bytes_of(head, spot->head), &store->secret, &place, record);
	if (err != ERR_OK)
		return err == ERR_IO ? ERR_IO : ERR_CORRUPT;
	ret->sequence = record->sequence;
	ret->is_piece = record->type == RECORD_PIECE;
	ret->at = ret->is_piece ? record->stored_at : record->created;
	ret->root = record->root;
	ret->size = record->size;
	return store_deal_read(&record->deal, ret);
}

/* What does not hold, or cannot be read, once more past the page cache. A bad sector is damage, if the disk answers
 * otherwise. */
static enum err read_twice(struct store *store, const struct spot *spot, struct record *record,
			   struct store_transfer *ret)
{
	enum err err = read_spot(store, spot, record, ret);

	if (err == ERR_OK)
		return ERR_OK;
	seam_drop_cache(store->seam, spot->segment->fd, spot->offset, spot->head);
	err = read_spot(store, spot, record, ret);
	return err == ERR_IO && damage_disk_answers(store) ? ERR_CORRUPT : err;
}

/* A damaged head costs its own entry, not the rest: the first failure is told when all is visited. */
static enum err visit(struct store *store, const struct spots *spots,
		      bool (*each)(void *arg, const struct store_transfer *transfer), void *arg)
{
	struct record *record = memory_new(1, sizeof(*record));
	struct store_transfer transfer;
	enum err first = ERR_OK;
	uint64_t last = 0;

	for (size_t i = 0; i < spots->count; i++) {
		enum err err;

		/* A half-done compaction leaves a record twice. */
		if (spots->list[i].sequence == last)
			continue;
		err = read_twice(store, &spots->list[i], record, &transfer);
		if (err == ERR_OK)
			last = spots->list[i].sequence;
		else if (first == ERR_OK)
			first = err;
		if (err == ERR_OK && !each(arg, &transfer))
			break;
	}
	free(record);
	return first;
}

enum err store_transfers_each(struct store *store, uint64_t after, uint64_t since,
			      bool (*each)(void *arg, const struct store_transfer *transfer), void *arg)
{
	struct window window = {after, 0, since};
	struct spots spots = {NULL, 0, 0};
	enum err err, first = ERR_OK;
	struct segment **list;
	size_t count;

	transfer_log_flush(store->log);
	committer_flush(store->committer);
	window.horizon = sequence_horizon(&store->sequence);
	list = segments_list(store->segments, &count);
	for (size_t i = 0; i < count; i++) {
		err = gather(store, list[i], &window, &spots);
		if (err != ERR_OK && first == ERR_OK)
			first = err;
	}
	if (spots.count > 0)
		qsort(spots.list, spots.count, sizeof(*spots.list), compare_spots);
	err = visit(store, &spots, each, arg);
	free(spots.list);
	segments_unlist(store->segments, list, count);
	return first != ERR_OK ? first : err;
}

uint64_t store_transfers_floor(struct store *store)
{
	uint64_t floor;

	pthread_mutex_lock(&store->super_lock);
	floor = store->super.floor;
	pthread_mutex_unlock(&store->super_lock);
	return floor;
}

enum err store_transfers_trim(struct store *store, uint64_t sequence, uint64_t expired_before)
{
	uint64_t horizon = sequence_horizon(&store->sequence);
	struct segment **list;
	enum err err = ERR_OK;
	bool saved = false;
	size_t count;

	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	if (sequence > horizon)
		sequence = horizon;
	if (sequence > atomic_load(&store->trimmed))
		atomic_store(&store->trimmed, sequence);
	list = segments_list(store->segments, &count);
	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		if (list[i]->kind != SEGMENT_TRANSFERS ||
		    !segments_is_over(store->segments, list[i], sequence, expired_before))
			continue;
		/* The numbers that go with it must never be given out again: the ledger remembers the last one. */
		if (!saved)
			err = store_save_super(store);
		saved = true;
		if (err == ERR_OK)
			err = segments_unlink(store->segments, list[i]);
	}
	segments_unlist(store->segments, list, count);
	return err;
}
