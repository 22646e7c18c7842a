/* What the records of a segment are, and between which numbers and times they lie. */
#include "common/memory.h"
#include "node/store/segments_private.h"

enum err segments_entries(struct segments *set, struct segment *segment, struct segment_entry **ret, size_t *ret_count)
{
	struct segment_trailer trailer;
	bool in_memory;
	uint32_t size;
	enum err err;

	pthread_mutex_lock(&set->lock);
	/* Sealing sorts the entries in place. */
	while (segment->state == SEGMENT_SEALING)
		pthread_cond_wait(&set->changed, &set->lock);
	in_memory = segment->state != SEGMENT_SEALED || segment->entries != NULL;
	size = segment->size;
	if (in_memory) {
		*ret_count = segment->entry_count;
		*ret = memory_copy(segment->entries, segment->entry_count * sizeof(**ret));
	}
	pthread_mutex_unlock(&set->lock);
	if (in_memory)
		return ERR_OK;
	err = segment_read_footer(set->seam, segment->fd, size, segment->id, &set->secret, &trailer, ret);
	if (err == ERR_OK)
		*ret_count = trailer.count;
	return err == ERR_FORMAT ? ERR_CORRUPT : err;
}

static bool ends_before(const struct segment *segment, uint64_t sequence)
{
	return segment->state == SEGMENT_SEALED && segment->entries == NULL &&
	       segment->trailer.last_sequence <= sequence;
}

bool segments_begins_after(struct segments *set, struct segment *segment, uint64_t sequence)
{
	bool result;

	pthread_mutex_lock(&set->lock);
	result = segment->state == SEGMENT_SEALED && segment->entries == NULL &&
		 segment->trailer.first_sequence > sequence;
	pthread_mutex_unlock(&set->lock);
	return result;
}

bool segments_ends_before(struct segments *set, struct segment *segment, uint64_t sequence)
{
	bool result;

	pthread_mutex_lock(&set->lock);
	result = ends_before(segment, sequence);
	pthread_mutex_unlock(&set->lock);
	return result;
}

bool segments_is_over(struct segments *set, struct segment *segment, uint64_t sequence, uint64_t expired_before)
{
	const struct segment_trailer *trailer = &segment->trailer;
	bool result;

	pthread_mutex_lock(&set->lock);
	result = ends_before(segment, sequence) &&
		 (trailer->count == 0 || (trailer->last_expiry != 0 && trailer->last_expiry < expired_before));
	pthread_mutex_unlock(&set->lock);
	return result;
}
