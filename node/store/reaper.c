/* Rounds over the segments. */
#include "node/store/reaper.h"

#include <stdlib.h>

#include "common/clock.h"
#include "node/store/compact.h"
#include "node/store/marks.h"
#include "node/store/planted.h"

#define DAY 86400u
#define NEVER UINT16_MAX
#define TOMBSTONE_COST 256 /* bytes: the record and its entry */

static void ignore(void *arg, enum err err)
{
	/* A failure turned the store read-only, and the piece stays until the next start. */
	(void)arg;
	(void)err;
}

/* All of it expired: no slot may name it any more when its row is used again. */
static void unlink_expired(struct store *store, struct segment *segment, const struct segment_entry *entries,
			   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = index_hash(store->index, entries[i].satellite, &entries[i].piece);
		const struct store_key key = {entries[i].satellite, entries[i].piece};
		struct index_place gone;

		if (entries[i].type != RECORD_PIECE ||
		    !index_remove(store->index, hash, segment->number, entries[i].offset, &gone))
			continue;
		segments_bury(store->segments, segment, &gone, entries[i].extent);
		if ((gone.flags & INDEX_BAD) != 0)
			damage_forget(store, &key);
	}
	/* Compaction finds by itself that nothing is left of what it is at. */
	if (compact_is_at(store->compact, segment) || !segments_drain(store->segments, segment))
		return;
	/* Its numbers must never be given out again. Should it fail, the next start finds expired pieces. */
	if (store_save_super(store) == ERR_OK)
		(void)!segments_unlink(store->segments, segment);
}

/* The day on which this piece is due, NEVER when nothing says so or the segment's end will do. */
static uint16_t due_day(struct store *store, const struct marked *what, bool *ret_whole)
{
	struct index_place place;

	if (!index_get(store->index, what->hash, &(struct index_spot){what->segment->number, what->offset}, &place))
		return NEVER;
	*ret_whole = (place.flags & INDEX_TRASHED) == 0;
	if (!*ret_whole)
		return place.day;
	return what->expires == 0 ? NEVER : marks_day(what->expires + DAY);
}

static uint16_t today(const struct store *store)
{
	return (uint16_t)(store->reaper.now / DAY);
}

/* Bury what is due, from the sweep's place on; false when the budget ended first. */
static bool reap_pieces(struct store *store, uint64_t *budget)
{
	struct reaper *reaper = &store->reaper;
	struct sweep *sweep = &reaper->sweep;
	struct mark_options tombstone = {RECORD_TOMBSTONE, true, ignore, NULL};

	if (sweep->next == 0)
		reaper->next = NEVER;
	for (; sweep->next < sweep->count; sweep->next++) {
		const struct segment_entry *entry = &sweep->entries[sweep->next];
		struct marked what;
		bool whole = false;
		uint16_t day;

		if (entry->type != RECORD_PIECE)
			continue;
		what = marks_of_entry(store, sweep->segment, entry);
		day = due_day(store, &what, &whole);
		/* Of a class the file goes as one, tomorrow or the day after. */
		if (day <= today(store) && !(whole && sweep->segment->class != 0)) {
			if (*budget < TOMBSTONE_COST)
				return false;
			*budget -= TOMBSTONE_COST;
			if (marks_write(store, &what, &tombstone) == ERR_OK)
				continue;
		}
		if (day < reaper->next)
			reaper->next = day;
	}
	segments_note_due(store->segments, sweep->segment, reaper->next);
	return true;
}

/* What a round finds in one segment; false when the budget ended first. */
static bool reap_segment(struct store *store, uint64_t *budget)
{
	struct sweep *sweep = &store->reaper.sweep;

	/* Where the footer cannot be read pieces stay. */
	if (sweep->err != ERR_OK)
		segments_note_due(store->segments, sweep->segment, today(store));
	else if (segments_is_expired(store->segments, sweep->segment, store->reaper.now - DAY))
		unlink_expired(store, sweep->segment, sweep->entries, sweep->count);
	else
		return reap_pieces(store, budget);
	return true;
}

static bool is_due(struct store *store, struct segment *segment)
{
	return segments_is_due(store->segments, segment, today(store));
}

static bool begin_round(struct store *store)
{
	struct reaper *reaper = &store->reaper;
	uint64_t now = clock_wall();

	if (health_failed(&store->health) ||
	    !clockwatch_trusts(&reaper->watch, now, clock_monotonic(), atomic_load(&store->newest)))
		return false;
	segments_close_classes(store->segments, (uint32_t)(now / DAY));
	reaper->now = now + (planted(EXPIRED_EARLY) ? 30 * DAY : 0);
	reaper->under_way = true;
	sweep_restart(&reaper->sweep, store);
	return true;
}

enum upkeep_turn reaper_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	struct reaper *reaper = &store->reaper;

	if (!reaper->under_way && !begin_round(store))
		return UPKEEP_REST;
	while (*budget > 0 && !health_failed(&store->health)) {
		if (!sweep_go_on(&reaper->sweep, store, is_due, budget)) {
			reaper->under_way = false;
			break;
		}
		if (!reap_segment(store, budget))
			break;
		sweep_leave(&reaper->sweep, store);
	}
	committer_flush(store->committer);
	if (health_failed(&store->health))
		reaper->under_way = false;
	return reaper->under_way ? UPKEEP_MORE : UPKEEP_REST;
}

void reaper_stop(struct store *store)
{
	sweep_leave(&store->reaper.sweep, store);
}
