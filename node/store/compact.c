/* One segment at a time, from choice to unlink. */
#include "node/store/compact.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/checkpointer.h"
#include "node/store/copy.h"
#include "node/store/planted.h"
#include "node/store/tombstones.h"
#include "payments/rules.h"

#define CHECKPOINT_EVERY 16 /* sources */
#define WORTH 10 /* percent of a segment that must come free, once its tombstones are looked at */

struct compact {
	struct store *store;
	unsigned least;		/* percent, of whoever asked */
	struct segment *source; /* pinned; NULL: none is under way */
	struct copy *copy;
	struct segment_entry *entries; /* the source's, by offset once the tombstones are known */
	size_t count;
	size_t next; /* the first that was not copied */
	struct tombstones tombstones;
	bool known; /* which of them are needed */
	bool bad;   /* something could not be read */
	bool saved;	     /* a transfer went to the log, … */
	atomic_bool unsaved; /* … or had no room there */
	unsigned moves; /* sources done with, since a checkpoint was asked for */
	struct store_compacted done;
	atomic_uint_fast64_t copied; /* in all */
	atomic_uint_fast64_t freed;
};

struct compact *compact_new(struct store *store)
{
	struct compact *compact = memory_new(1, sizeof(*compact));

	compact->store = store;
	return compact;
}

/* Done with the source, whatever became of it. */
static void drop_source(struct compact *compact)
{
	if (compact->source == NULL)
		return;
	if (compact->saved)
		transfer_log_flush(compact->store->log); /* it tells us how it went */
	tombstones_free(compact->store, &compact->tombstones);
	segments_unpin(compact->store->segments, compact->source);
	copy_free(compact->copy);
	free(compact->entries);
	compact->source = NULL;
	compact->copy = NULL;
	compact->entries = NULL;
}

/* The newest checkpoint names the places that pieces were copied from. A start copes, with what the targets say, but it
 * has to read them, and takes pieces for the old ones where those are there still. */
static void ask_for_checkpoint(struct compact *compact, unsigned least)
{
	if (compact->moves < least || compact->store->checkpointer == NULL)
		return;
	checkpointer_ask(compact->store);
	compact->moves = 0;
}

void compact_free(struct compact *compact)
{
	if (compact == NULL)
		return;
	drop_source(compact);
	ask_for_checkpoint(compact, 1);
	free(compact);
}

bool compact_is_at(const struct compact *compact, const struct segment *segment)
{
	return compact->source == segment;
}

void compact_totals(const struct compact *compact, uint64_t *ret_copied, uint64_t *ret_freed)
{
	*ret_copied = atomic_load(&compact->copied);
	*ret_freed = atomic_load(&compact->freed);
}

static bool speaks_of_trash(const struct segment_entry *entry)
{
	return entry->type == RECORD_TRASH || entry->type == RECORD_RESTORE;
}

/* Of several trash and restore records of one key the last one counts. */
static void drop_overruled(struct segment_entry *entries, size_t count)
{
	struct segment_entry *last = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!speaks_of_trash(&entries[i]))
			continue;
		if (last != NULL && last->satellite == entries[i].satellite &&
		    bytes32_equal(&last->piece, &entries[i].piece))
			last->type = RECORD_PAD;
		last = &entries[i];
	}
}

static void keep_source(struct compact *compact)
{
	segments_keep(compact->store->segments, compact->source);
	drop_source(compact);
}

/* False when there is nothing to do. */
static bool take_source(struct compact *compact)
{
	struct store *store = compact->store;
	struct segments_wish wish = {compact->least};

	compact->source = segments_choose(store->segments, &wish);
	if (compact->source == NULL) {
		ask_for_checkpoint(compact, 1);
		return false;
	}
	compact->next = 0;
	compact->known = false;
	compact->bad = false;
	compact->saved = false;
	atomic_store(&compact->unsaved, false);
	if (segments_entries(store->segments, compact->source, &compact->entries, &compact->count) != ERR_OK) {
		compact->entries = NULL;
		compact->done.bad++;
		keep_source(compact);
		return true;
	}
	drop_overruled(compact->entries, compact->count);
	tombstones_init(store, compact->source, compact->entries, compact->count, &compact->tombstones);
	compact->copy = copy_new(store);
	return true;
}

static int compare_offsets(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Whether the store still needs this record. */
static bool is_needed(const struct compact *compact, const struct segment_entry *entry)
{
	struct index *index = compact->store->index;
	uint64_t hash = index_hash(index, entry->satellite, &entry->piece);
	struct index_place places[INDEX_MATCHES];

	if (entry->type == RECORD_PIECE)
		return index_has(index, hash, compact->source->number, entry->offset);
	if (entry->type == RECORD_TOMBSTONE)
		return !planted(TOMBSTONE_DROPPED) && tombstones_needs(&compact->tombstones, entry);
	return speaks_of_trash(entry) && index_find(index, hash, NULL, NULL, places) > 0;
}

/* What would be written again, if all of it were copied. */
static uint64_t needed_bytes(const struct compact *compact)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < compact->count; i++) {
		const struct segment_entry *entry = &compact->entries[i];

		if (is_needed(compact, entry))
			sum += entry->type == RECORD_PIECE ? entry->extent
							   : record_head_of((enum record_type)entry->type);
	}
	return sum;
}

/* The tombstones were the reason for choosing it, perhaps, and they must stay. */
static bool is_worth_it(const struct compact *compact)
{
	unsigned least = compact->least > 0 && compact->least < WORTH ? compact->least : WORTH;
	uint64_t size = compact->source->size, needed = needed_bytes(compact);

	return size * 8 < compact->store->super.segment_size || (size - needed) * 100 >= size * least;
}

/* All tombstones were looked for: go on, or leave the segment alone. */
static void begin_copying(struct compact *compact)
{
	if (!is_worth_it(compact)) {
		segments_note_review(compact->store->segments, compact->source);
		drop_source(compact);
		return;
	}
	if (compact->count > 0)
		qsort(compact->entries, compact->count, sizeof(*compact->entries), compare_offsets);
	compact->known = true;
}

/* Nothing in the source is needed any more. */
static enum err finish_source(struct compact *compact)
{
	struct store *store = compact->store;
	struct segment *source = compact->source;
	uint32_t size = source->size;
	enum err err = ERR_OK;

	compact->moves++;
	ask_for_checkpoint(compact, CHECKPOINT_EVERY);
	if (compact->bad) {
		keep_source(compact);
		return ERR_OK;
	}
	if (compact->saved) {
		transfer_log_flush(store->log);
		committer_flush(store->committer);
	}
	if (health_failed(&store->health))
		err = ERR_READ_ONLY;
	else if (atomic_load(&compact->unsaved))
		err = ERR_FULL;
	/* Its numbers must never be given out again. */
	if (err == ERR_OK && segments_drain(store->segments, source))
		err = store_save_super(store);
	if (err == ERR_OK && source->drained) {
		err = segments_unlink(store->segments, source);
		if (err == ERR_OK) {
			compact->done.freed += size;
			compact->done.segments++;
			atomic_fetch_add(&compact->freed, size);
		}
	}
	drop_source(compact);
	return err;
}

/* Known to be: the list of damage names it where it stands. */
static bool is_damaged(const struct compact *compact, const struct segment_entry *entry)
{
	struct index *index = compact->store->index;
	struct index_spot spot = {compact->source->number, entry->offset};
	struct index_place place;

	return entry->type == RECORD_PIECE &&
	       index_get(index, index_hash(index, entry->satellite, &entry->piece), &spot, &place) &&
	       (place.flags & INDEX_BAD) != 0;
}

/* A dead piece's transfer may be wanted still: its serial must not be used again while the allocation is valid, and its
 * order can be settled for a while. */
static bool is_wanted(const struct store *store, const struct record *record, const struct store_transfer *transfer)
{
	uint64_t now = clock_wall(), until = transfer->allocation.expires + RULES_SKEW;

	if (until >= now)
		return true;
	/* The ledger has it? */
	return record->sequence > atomic_load(&store->trimmed) && until + RULES_GRACE >= now;
}

/* From the log's thread. */
static void note_saved(void *arg, enum err err)
{
	struct compact *compact = arg;

	if (err != ERR_OK)
		atomic_store(&compact->unsaved, true);
}

/* What goes with a dead piece and is wanted goes to the log of transfers first. */
static void save_transfer(struct compact *compact, const struct segment_entry *entry)
{
	struct store *store = compact->store;
	struct record_place place = {compact->source->id, entry->offset};
	struct record *record = memory_new(1, sizeof(*record));
	uint8_t head[RECORD_HEAD_MAX];
	struct store_transfer transfer;
	uint32_t len = entry->extent < sizeof(head) ? entry->extent : (uint32_t)sizeof(head);

	if (seam_read_full(store->seam, compact->source->fd, head, len, entry->offset) == ERR_OK &&
	    record_decode(bytes_of(head, len), &store->secret, &place, record) == ERR_OK &&
	    record->type == RECORD_PIECE && store_deal_read(&record->deal, &transfer) == ERR_OK &&
	    is_wanted(store, record, &transfer)) {
		transfer.at = record->stored_at;
		store_transfer_add(store, &transfer, note_saved, compact);
		compact->saved = true;
	}
	free(record);
}

/* Old enough that nobody can want its transfer. */
static bool is_long_over(const struct segment_entry *entry)
{
	return (uint64_t)entry->created + RULES_LIFETIME + RULES_GRACE + 2 * RULES_SKEW < clock_wall();
}

/* A batch, of what fits into the budget: each byte is read, written and read back. */
static enum err copy_some(struct compact *compact, uint64_t *budget)
{
	uint64_t cost = 0, copied;
	enum err err = ERR_OK, written;

	copy_begin(compact->copy, compact->source);
	for (; compact->next < compact->count && cost < *budget; compact->next++) {
		const struct segment_entry *entry = &compact->entries[compact->next];

		if (!is_needed(compact, entry)) {
			if (entry->type == RECORD_PIECE && !is_long_over(entry)) {
				save_transfer(compact, entry);
				cost += RECORD_HEAD_MAX;
			}
			continue;
		}
		if (!copy_has_room(compact->copy, entry))
			break;
		err = is_damaged(compact, entry) ? ERR_CORRUPT : copy_add(compact->copy, entry);
		if (err == ERR_RANGE) {
			compact->bad = true; /* fits no target: it stays */
			err = ERR_OK;
		}
		if (err == ERR_CORRUPT || err == ERR_IO) {
			compact->bad = true;
			compact->done.bad++;
			if (entry->type == RECORD_PIECE)
				(void)!damage_mark(compact->store, compact->source, entry);
			err = ERR_OK;
		}
		if (err != ERR_OK)
			break;
		cost += 3ull * (entry->type == RECORD_PIECE ? entry->extent : RECORD_UNIT);
	}
	written = copy_finish(compact->copy, &copied);
	if (written != ERR_OK)
		return written;
	compact->done.copied += copied;
	atomic_fetch_add(&compact->copied, copied);
	*budget -= cost < *budget ? cost : *budget;
	return err;
}

/* Until the budget is used up, a batch is written, or there is nothing to do. */
static enum err run_step(struct compact *compact, uint64_t *budget, bool *ret_more)
{
	struct store *store = compact->store;
	enum err err = ERR_OK;

	*ret_more = false;
	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	if (compact->source == NULL && !take_source(compact))
		return ERR_OK;
	*ret_more = true;
	while (compact->source != NULL && !compact->known && *budget > 0) {
		if (!tombstones_search(store, &compact->tombstones, budget))
			begin_copying(compact);
	}
	if (compact->source == NULL || !compact->known)
		return ERR_OK;
	err = copy_some(compact, budget);
	if (err == ERR_OK && compact->next == compact->count)
		err = finish_source(compact);
	if (err != ERR_OK) {
		drop_source(compact);
		*ret_more = false;
	}
	return err;
}

enum upkeep_turn compact_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	bool more;

	/* A failure is the store's state by now: read-only, or full. */
	(void)!run_step(store->compact, budget, &more);
	return more ? UPKEEP_MORE : UPKEEP_REST;
}

enum err store_compact_step(struct store *store, unsigned least, struct store_compacted *ret)
{
	struct compact *compact = store->compact;
	uint64_t budget = UPKEEP_BYTES;
	enum err err;

	upkeep_enter(store->upkeep);
	compact->least = least;
	compact->done = (struct store_compacted){0};
	err = run_step(compact, &budget, &compact->done.more);
	*ret = compact->done;
	compact->least = 0;
	upkeep_leave(store->upkeep);
	return err;
}
