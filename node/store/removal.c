/* Deleting a piece: a tombstone is appended, and the index forgets the piece once it is durable. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"

struct removal {
	struct commit commit;
	struct store *store;
	struct sequence_ticket ticket;
	struct extent extent;
	struct record record;
	struct segment *pinned; /* the piece's */
	uint64_t hash;
	void (*done)(void *arg, enum err err);
	void *arg;
};

static void settle(struct commit *commit, enum err err)
{
	struct removal *removal = (struct removal *)commit;
	struct store *store = removal->store;
	const struct record_target *target = &removal->record.target;

	if (err == ERR_OK) {
		/* Only this very record: the key may have been put anew, or deleted twice. */
		if (index_remove(store->index, removal->hash, removal->pinned->number, target->place.offset, NULL))
			segments_bury(store->segments, removal->pinned, target->size, target->extent);
		segments_settle(store->segments, &removal->extent, &removal->record);
		sequence_done(&store->sequence, &removal->ticket);
	} else {
		sequence_lost(&store->sequence, &removal->ticket);
	}
	segments_unpin(store->segments, removal->pinned);
	removal->done(removal->arg, err);
	free(removal);
}

static void describe(struct removal *removal, const struct located *found)
{
	struct record *record = &removal->record;

	record->type = RECORD_TOMBSTONE;
	record->satellite = found->record.satellite;
	record->piece = found->record.piece;
	record->head = record_head_of(RECORD_TOMBSTONE);
	record->extent = record_extent(record->head, 0);
	record->created = clock_wall();
	record->target = (struct record_target){
		.place = {found->segment->id, found->place.offset},
		.size = found->record.size,
		.extent = found->record.extent,
		.sequence = found->record.sequence,
	};
}

static enum err write_tombstone(struct removal *removal)
{
	struct record_place place = {removal->extent.segment->id, removal->extent.offset};
	uint8_t head[RECORD_HEAD_MAX];
	enum err err;

	record_encode(&removal->record, &removal->store->secret, &place, head);
	err = seam_write_full(removal->store->seam, removal->extent.segment->fd, head, removal->record.head,
			      place.offset);
	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&removal->store->health, "writing", place.segment, err);
	return ERR_READ_ONLY;
}

enum err store_delete(struct store *store, const struct store_key *key, uint64_t *ret_size,
		      void (*done)(void *arg, enum err err), void *arg)
{
	struct removal *removal = memory_new(1, sizeof(*removal));
	struct located found;
	enum err err = store_locate(store, key, LOCATE_CORE, &found, NULL);

	if (err != ERR_OK) {
		free(removal);
		return err;
	}
	describe(removal, &found);
	err = segments_reserve(store->segments, SEGMENT_PIECES, removal->record.extent, true, &removal->extent);
	if (err != ERR_OK) {
		segments_unpin(store->segments, found.segment);
		free(removal);
		return err;
	}
	removal->store = store;
	removal->pinned = found.segment;
	removal->hash = found.hash;
	removal->done = done;
	removal->arg = arg;
	if (ret_size != NULL)
		*ret_size = found.record.size;
	removal->record.sequence = sequence_take(&store->sequence, &removal->ticket);
	removal->commit.settle = settle;
	removal->commit.segment = removal->extent.segment;
	removal->commit.err = write_tombstone(removal);
	committer_add(store->committer, &removal->commit);
	return ERR_OK;
}
