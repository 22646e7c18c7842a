/*
 * The segment that compaction copies into, the one kept for emergencies, and the choice of what to compact.
 *
 * On a disk without room, or in an allocation used up, neither a delete nor a compaction could write a byte, and
 * nothing would ever get free again. So the first thing that a store makes is a spare that no upload gets. When no
 * other segment can be made it becomes the target: copies go there, and tombstones too. Once something was unlinked
 * the next one is made before uploads may take what came free.
 */
#include "common/clock.h"
#include "node/store/segments_private.h"

#define DEAD_ALWAYS 50	   /* percent of a segment that pay for copying the rest at any time */
#define DEAD_IN_ALL 20	   /* percent of all files from which on … */
#define DEAD_THEN 25	   /* … so much of a segment is enough */
#define DEAD_PRESSED 12	   /* … and so much when uploads are refused */
#define TINY 8		   /* a segment below this part of the usual size is a fragment, as a stop leaves one … */
#define TINY_MOST 8	   /* … and so many of them are made into one */
#define REVIEW_EVERY 8	   /* segments unlinked between two looks at one segment's tombstones */
#define TOMBSTONE_BYTES 192 /* of a segment that a tombstone takes, and its entry */

bool segments_wants_emergency(const struct segments *set)
{
	return !set->finishing && set->emergency == NULL && !set->spare_refused && !set->making[SEGMENT_PIECES] &&
	       set->sizes[SEGMENT_PIECES] <= segments_growth_locked(set);
}

enum err segments_make_emergency(struct segments *set)
{
	uint32_t size = set->sizes[SEGMENT_PIECES];
	struct segment *segment;
	enum err err;

	if (size > segments_growth_locked(set))
		return ERR_FULL;
	set->making[SEGMENT_PIECES] = true;
	err = segments_make_locked(set, SEGMENT_PIECES, 0, size, &segment);
	set->making[SEGMENT_PIECES] = false;
	if (err == ERR_OK)
		set->emergency = segment;
	pthread_cond_broadcast(&set->changed);
	return err;
}

void segments_close_target_locked(struct segments *set)
{
	if (set->target == NULL)
		return;
	set->target->state = SEGMENT_CLOSING;
	set->target = NULL;
	set->spare_refused = false;
	pthread_cond_signal(&set->work);
}

static void become_target(struct segments *set, struct segment *segment)
{
	segments_close_target_locked(set);
	segments_add_taker(set, segment, SEGMENT_OPEN);
	set->target = segment;
}

static bool use_emergency(struct segments *set)
{
	struct segment *segment = set->emergency;

	if (segment == NULL)
		return false;
	set->emergency = NULL;
	become_target(set, segment);
	return true;
}

/* Make a segment, and the target of it; gives up the lock meanwhile. ERR_OK too when somebody else made one. */
static enum err make_target(struct segments *set, uint32_t class, uint32_t size)
{
	struct segment *segment;
	enum err err;

	if (set->making[SEGMENT_PIECES]) {
		pthread_cond_wait(&set->changed, &set->lock);
		return ERR_OK;
	}
	set->making[SEGMENT_PIECES] = true;
	err = segments_make_locked(set, SEGMENT_PIECES, class, size, &segment);
	set->making[SEGMENT_PIECES] = false;
	pthread_cond_broadcast(&set->changed);
	if (err == ERR_OK)
		become_target(set, segment);
	return err;
}

/* Not among records that expire: a tombstone must not go before what it killed. And of the last room that there is
 * half stays for copies, or nothing could come free any more. */
static bool takes_tombstones(const struct segments *set)
{
	const struct segment *target = set->target;

	return target != NULL && target->class == 0 && (set->emergency != NULL || target->tail < target->planned / 2);
}

enum err segments_take_urgent(struct segments *set, uint32_t len, struct extent *ret)
{
	enum err err = ERR_OK;

	while (err == ERR_OK) {
		if (takes_tombstones(set) && segments_take_in(set->target, len, ret))
			return ERR_OK;
		if (!use_emergency(set))
			err = make_target(set, 0, set->sizes[SEGMENT_PIECES]);
	}
	return err;
}

/* A new target. Within the allocation, for which the emergency segment is there; when that is in use a smaller one must
 * do: what compaction got back is a little less than a segment at first. At last past the allocation: it may have been
 * made smaller than what is stored. */
static enum err open_target(struct segments *set, uint32_t class, uint32_t len)
{
	enum err err = ERR_FULL;
	uint32_t size;

	for (size = set->sizes[SEGMENT_PIECES]; err == ERR_FULL && size >= SEGMENT_LEAST_ROOM + len; size /= 2) {
		if (size <= segments_growth_locked(set))
			err = make_target(set, class, size);
		if (err == ERR_FULL && class == 0 && use_emergency(set))
			err = ERR_OK;
		if (class != 0 || size / 2 < SEGMENT_LEAST / TINY)
			break;
	}
	return err == ERR_FULL && class == 0 ? make_target(set, 0, set->sizes[SEGMENT_PIECES]) : err;
}

enum err segments_reserve_copy(struct segments *set, uint32_t class, uint32_t len, struct extent *ret)
{
	enum err err = ERR_OK;

	if (SEGMENT_LEAST_ROOM + len > set->sizes[SEGMENT_PIECES])
		return ERR_RANGE;
	pthread_mutex_lock(&set->lock);
	while (err == ERR_OK) {
		if (health_failed(set->health))
			err = ERR_READ_ONLY;
		else if (set->finishing)
			err = ERR_BUSY;
		else if (set->target != NULL && set->target->class == class && segments_take_in(set->target, len, ret))
			break;
		else
			err = open_target(set, class, len);
		/* Without room for a target of their own they go where those go that stay, like uploads. */
		if (err == ERR_FULL && class != 0) {
			class = 0;
			err = ERR_OK;
		}
	}
	pthread_mutex_unlock(&set->lock);
	return err;
}

/* What the choice is made by, of all segments. */
struct survey {
	uint64_t dead;
	uint64_t files;
	unsigned tiny;
	bool pressed;
	uint64_t next_sequence;
	uint32_t today; /* segments of classes up to this day go by themselves */
};

static bool is_tiny(const struct segments *set, const struct segment *segment)
{
	return segment->size < set->sizes[SEGMENT_PIECES] / TINY && segment->class == 0;
}

static uint32_t held(const struct segment *segment)
{
	return segment->pieces + segment->trashed;
}

static bool is_candidate(const struct segment *segment)
{
	return segment != NULL && segment->kind == SEGMENT_PIECES && segment->state == SEGMENT_SEALED &&
	       segment->entries == NULL && !segment->drained &&
	       (segment->kept == 0 || held(segment) + 1 < segment->kept);
}

static struct survey look_around(struct segments *set)
{
	struct survey survey = {
		.files = set->files,
		.pressed = set->emergency == NULL || segments_growth_locked(set) < 2ull * set->sizes[SEGMENT_PIECES],
		.next_sequence = sequence_next(set->sequence),
		.today = (uint32_t)(clock_wall() / 86400),
	};

	for (uint32_t i = 0; i < set->rows; i++) {
		const struct segment *segment = segments_row(set, i);

		if (segment == NULL)
			continue;
		survey.dead += segment->bytes.dead;
		survey.tiny += is_candidate(segment) && is_tiny(set, segment);
	}
	return survey;
}

static unsigned least_share(const struct segments_wish *wish, const struct survey *survey)
{
	if (wish->least > 0)
		return wish->least;
	if (survey->pressed)
		return DEAD_PRESSED;
	return survey->dead * 100 >= survey->files * DEAD_IN_ALL ? DEAD_THEN : DEAD_ALWAYS;
}

/* Bytes that may come free: the dead ones, and tombstones if it is time to look at them again. */
static uint64_t gain_of(const struct segments *set, const struct segment *segment)
{
	uint64_t gain = segment->bytes.dead;

	if (segment->reviewed == 0 || set->unlinked + 1 >= segment->reviewed + REVIEW_EVERY)
		gain += (uint64_t)segment->trailer.tombstones * (TOMBSTONE_BYTES + SEGMENT_ENTRY);
	return gain < segment->size ? gain : segment->size;
}

/* How much is to be had for how much work; 0 when it is not worth it. Old segments first: what is left in them stays,
 * while in young ones more will die by itself. */
static double score_of(const struct segments *set, const struct segment *segment, const struct survey *survey,
		       unsigned least)
{
	uint64_t gain, age;

	if (!is_candidate(segment))
		return 0;
	if (held(segment) == 0 && segment->trailer.tombstones == 0)
		return 1e300; /* nothing to copy */
	if (segment->class != 0 && segment->class <= survey->today)
		return 0;
	gain = gain_of(set, segment);
	if (gain * 100 < (uint64_t)segment->size * least && !(is_tiny(set, segment) && survey->tiny >= TINY_MOST))
		return 0;
	/* When room is short the deadest comes first: the rest of it fits where hardly anything does. */
	age = survey->pressed ? 1 : survey->next_sequence - segment->trailer.last_sequence + 1;
	return (double)(gain + SEGMENT_HEADER) * (double)age / ((double)segment->size * 2 - (double)gain);
}

struct segment *segments_choose(struct segments *set, const struct segments_wish *wish)
{
	struct segment *best = NULL;
	double best_score = 0;
	struct survey survey;

	pthread_mutex_lock(&set->lock);
	survey = look_around(set);
	for (uint32_t i = 0; i < set->rows; i++) {
		struct segment *segment = segments_row(set, i);
		double score = score_of(set, segment, &survey, least_share(wish, &survey));

		if (score > best_score) {
			best = segment;
			best_score = score;
		}
	}
	if (best != NULL)
		atomic_fetch_add(&best->pins, 1);
	pthread_mutex_unlock(&set->lock);
	return best;
}

void segments_keep(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	segment->kept = held(segment) + 1;
	pthread_mutex_unlock(&set->lock);
}

void segments_note_review(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	segment->reviewed = set->unlinked + 1;
	pthread_mutex_unlock(&set->lock);
}

bool segments_drain(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	segment->drained = held(segment) == 0;
	pthread_mutex_unlock(&set->lock);
	return segment->drained;
}
