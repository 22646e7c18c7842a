/*
 * What the set does for the twins of its segments: entries are written behind each group commit, and the rest, with a
 * sync, before a segment is sealed. No file is touched under the lock.
 */
#include <stdlib.h>

#include "common/memory.h"
#include "node/store/segments_private.h"

/* Entries on their way into a twin. */
struct batch {
	struct segment *segment;
	struct segment_entry *entries;
	size_t count;
	size_t from;
};

/* What settled in this segment and is in no twin; false when there is none, or somebody is at it. */
static bool take_batch(struct segment *segment, struct batch *ret)
{
	size_t from = segment->twin_count;

	if (segment->kind != SEGMENT_PIECES || segment->twin_fd < 0 || segment->twin_busy ||
	    segment->entry_count <= from)
		return false;
	*ret = (struct batch){
		.segment = segment,
		.entries = memory_copy(segment->entries + from, (segment->entry_count - from) * sizeof(*ret->entries)),
		.count = segment->entry_count - from,
		.from = from,
	};
	segment->twin_busy = true;
	return true;
}

/* Write it, without the lock. A failure leaves a gap of entries that do not hold; the job of twins makes it anew. */
static void write_batch(struct segments *set, struct batch *batch)
{
	struct segment *segment = batch->segment;
	enum err err;

	pthread_mutex_unlock(&set->lock);
	err = twin_append(&set->twins, segment->twin_fd, segment->id, batch->entries, batch->count, batch->from);
	free(batch->entries);
	pthread_mutex_lock(&set->lock);
	segment->twin_busy = false;
	segment->twin_count += batch->count;
	if (err != ERR_OK)
		segment->twin_state = TWIN_STALE;
	pthread_cond_broadcast(&set->changed);
}

void segments_note_twins(struct segments *set)
{
	struct segment *segment;
	struct batch batch;

	pthread_mutex_lock(&set->lock);
	for (segment = set->takers; segment != NULL;) {
		/* Sealing sorts the entries. */
		if (segment->state == SEGMENT_SEALING || !take_batch(segment, &batch)) {
			segment = segment->next;
			continue;
		}
		write_batch(set, &batch);
		segment = set->takers; /* it may be gone */
	}
	pthread_mutex_unlock(&set->lock);
}

void segments_finish_twin(struct segments *set, struct segment *segment)
{
	struct batch batch;
	enum err err = ERR_OK;
	int fd;

	pthread_mutex_lock(&set->lock);
	while (segment->twin_busy)
		pthread_cond_wait(&set->changed, &set->lock);
	fd = segment->twin_fd;
	if (take_batch(segment, &batch))
		write_batch(set, &batch);
	segment->twin_fd = -1;
	pthread_mutex_unlock(&set->lock);
	if (fd < 0)
		return;
	err = seam_sync_file(set->seam, fd);
	set->seam->close(set->seam, fd);
	pthread_mutex_lock(&set->lock);
	if (segment->twin_state == TWIN_UNKNOWN)
		segment->twin_state = err == ERR_OK ? TWIN_WHOLE : TWIN_STALE;
	pthread_mutex_unlock(&set->lock);
}

enum twin_state segments_twin_state(struct segments *set, struct segment *segment)
{
	enum twin_state state;

	pthread_mutex_lock(&set->lock);
	state = segment->state == SEGMENT_SEALED && segment->kind == SEGMENT_PIECES ? segment->twin_state : TWIN_WHOLE;
	pthread_mutex_unlock(&set->lock);
	return state;
}

void segments_twin_is_whole(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	segment->twin_state = TWIN_WHOLE;
	pthread_mutex_unlock(&set->lock);
}
