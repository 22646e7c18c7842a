/* First fit in a short sorted list of gaps. */
#include "node/store/room.h"

#include <assert.h>
#include <string.h>

#include "common/memory.h"

static void remove_gap(struct segment *segment, size_t i)
{
	segment->gap_count--;
	memmove(&segment->gaps[i], &segment->gaps[i + 1], (segment->gap_count - i) * sizeof(*segment->gaps));
}

/* With one more entry the footer still fits behind this tail. */
static bool footer_fits(const struct segment *segment, uint64_t tail)
{
	return tail + (segment->slots + 1ull) * SEGMENT_ENTRY + SEGMENT_TRAILER <= segment->size;
}

bool room_take(struct segment *segment, uint32_t len, uint32_t *ret_offset)
{
	assert(len > 0 && len % RECORD_UNIT == 0);
	if (!footer_fits(segment, segment->tail))
		return false;
	for (size_t i = 0; i < segment->gap_count; i++) {
		struct segment_gap *gap = &segment->gaps[i];

		if (gap->len < len)
			continue;
		*ret_offset = gap->offset;
		gap->offset += len;
		gap->len -= len;
		if (gap->len == 0)
			remove_gap(segment, i);
		segment->slots++;
		return true;
	}
	if (!footer_fits(segment, (uint64_t)segment->tail + len))
		return false;
	*ret_offset = segment->tail;
	segment->tail += len;
	segment->slots++;
	return true;
}

void room_give_slot(struct segment *segment)
{
	assert(segment->slots > 0);
	segment->slots--;
}

static void insert_gap(struct segment *segment, size_t i, struct segment_gap gap)
{
	segment->gaps = memory_grow(segment->gaps, &segment->gap_room, segment->gap_count + 1, sizeof(gap));
	memmove(&segment->gaps[i + 1], &segment->gaps[i], (segment->gap_count - i) * sizeof(gap));
	segment->gaps[i] = gap;
	segment->gap_count++;
}

void room_give(struct segment *segment, uint32_t offset, uint32_t len)
{
	size_t i = 0;

	if (len == 0)
		return;
	while (i < segment->gap_count && segment->gaps[i].offset < offset)
		i++;
	assert(i == 0 || segment->gaps[i - 1].offset + segment->gaps[i - 1].len <= offset);
	assert(i == segment->gap_count || offset + len <= segment->gaps[i].offset);
	if (i > 0 && segment->gaps[i - 1].offset + segment->gaps[i - 1].len == offset)
		segment->gaps[--i].len += len;
	else
		insert_gap(segment, i, (struct segment_gap){offset, len});
	if (i + 1 < segment->gap_count &&
	    segment->gaps[i].offset + segment->gaps[i].len == segment->gaps[i + 1].offset) {
		segment->gaps[i].len += segment->gaps[i + 1].len;
		remove_gap(segment, i + 1);
	}
	if (segment->gaps[i].offset + segment->gaps[i].len == segment->tail) {
		assert(i + 1 == segment->gap_count);
		segment->tail = segment->gaps[i].offset;
		segment->gap_count--;
	}
}
