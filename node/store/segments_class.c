/*
 * Expiry classes: pieces that expire on one day share segments, which are unlinked whole when that day is over.
 *
 * At most CLASSES_OPEN such segments take records; when another day needs one, the one that was used longest ago is
 * closed. Pieces go to class 0, among those that stay, where a store is too small to give each day a segment of its
 * own, or has no room left for one.
 */
#include "node/store/segments_private.h"

#define CLASSES_OPEN 8
#define CLASSES_NEED 64 /* segments that the allocation must have room for */

uint32_t segments_class_of(const struct segments *set, uint64_t expires)
{
	uint64_t day = expires / 86400 + (expires % 86400 != 0);

	if (segments_allocation(set) / set->sizes[SEGMENT_PIECES] < CLASSES_NEED)
		return 0;
	return day > UINT16_MAX ? 0 : (uint32_t)day;
}

static bool is_open_class(const struct segments *set, const struct segment *segment)
{
	return segment->class != 0 && segment->state == SEGMENT_OPEN && segment != set->target;
}

static void close_class(struct segments *set, struct segment *segment)
{
	segment->state = SEGMENT_CLOSING;
	set->spare_refused = false;
	pthread_cond_signal(&set->work);
}

void segments_close_classes_locked(struct segments *set, uint32_t before)
{
	for (struct segment *segment = set->takers; segment != NULL; segment = segment->next) {
		if (is_open_class(set, segment) && segment->class < before)
			close_class(set, segment);
	}
}

void segments_close_classes(struct segments *set, uint32_t before)
{
	pthread_mutex_lock(&set->lock);
	segments_close_classes_locked(set, before);
	pthread_mutex_unlock(&set->lock);
}

/* Close the full one of this class, and make room among the others. */
static void close_others(struct segments *set, uint32_t class)
{
	struct segment *oldest = NULL;
	unsigned open = 0;

	for (struct segment *segment = set->takers; segment != NULL; segment = segment->next) {
		if (!is_open_class(set, segment))
			continue;
		if (segment->class == class) {
			close_class(set, segment);
			continue;
		}
		open++;
		if (oldest == NULL || segment->used < oldest->used)
			oldest = segment;
	}
	if (open >= CLASSES_OPEN)
		close_class(set, oldest);
}

enum err segments_open_class(struct segments *set, uint32_t class, uint32_t len)
{
	uint32_t size = set->sizes[SEGMENT_PIECES];
	struct segment *segment;
	enum err err;

	if (size < SEGMENT_LEAST_ROOM + len)
		return ERR_FULL;
	if (set->making[SEGMENT_PIECES]) {
		pthread_cond_wait(&set->changed, &set->lock);
		return ERR_OK;
	}
	if (set->emergency == NULL)
		return segments_make_emergency(set);
	if (size > segments_growth_locked(set))
		return ERR_FULL;
	set->making[SEGMENT_PIECES] = true;
	err = segments_make_locked(set, SEGMENT_PIECES, class, size, &segment);
	set->making[SEGMENT_PIECES] = false;
	pthread_cond_broadcast(&set->changed);
	if (err != ERR_OK)
		return err;
	close_others(set, class);
	segments_add_taker(set, segment, SEGMENT_OPEN);
	return ERR_OK;
}

struct segment *segments_next(struct segments *set, uint32_t *row)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&set->lock);
	for (; found == NULL && *row < set->rows; ++*row) {
		struct segment *segment = segments_row(set, *row);

		if (segment != NULL && segment->kind == SEGMENT_PIECES && segment->state != SEGMENT_SPARE)
			found = segment;
	}
	if (found != NULL) {
		--*row;
		atomic_fetch_add(&found->pins, 1);
	}
	pthread_mutex_unlock(&set->lock);
	return found;
}

bool segments_is_due(struct segments *set, struct segment *segment, uint16_t day)
{
	bool due;

	pthread_mutex_lock(&set->lock);
	due = segment->pieces + segment->trashed > 0 &&
	      (segment->state != SEGMENT_SEALED || segment->entries != NULL || segment->reap_day <= day);
	/* What is marked from now on lowers it again. */
	if (due)
		segment->reap_day = UINT16_MAX;
	pthread_mutex_unlock(&set->lock);
	return due;
}

void segments_note_due(struct segments *set, struct segment *segment, uint16_t day)
{
	pthread_mutex_lock(&set->lock);
	if (day < segment->reap_day)
		segment->reap_day = day;
	pthread_mutex_unlock(&set->lock);
}

bool segments_is_expired(struct segments *set, struct segment *segment, uint64_t before)
{
	const struct segment_trailer *trailer = &segment->trailer;
	bool expired;

	pthread_mutex_lock(&set->lock);
	expired = segment->state == SEGMENT_SEALED && segment->entries == NULL && trailer->tombstones == 0 &&
		  trailer->last_expiry != 0 && trailer->last_expiry < before;
	pthread_mutex_unlock(&set->lock);
	return expired;
}
