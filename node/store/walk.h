/*
 * Finding the records of a segment that has no footer.
 *
 * From head to head; where none holds, on by 64 bytes until the next one does. Only heads whose MACs hold count, so
 * nothing that a stranger put into a payload is ever taken for one. A core that is not committed is an upload that was
 * under way, and is stepped over. Payloads are checked too: what was not synced may be torn.
 */
#ifndef GRANARY_NODE_STORE_WALK_H
#define GRANARY_NODE_STORE_WALK_H

#include "node/store/segment.h"

struct walk {
	uint64_t last_sequence; /* highest of any record, whole or torn */
	uint32_t torn;		/* records whose body or payload does not hold */
	struct segment_entry *pieces; /* … of these are pieces, not noted; the caller frees them */
	size_t piece_count;
	size_t piece_room;
	uint32_t unreadable;	/* 4 KiB blocks that could not be read */
	bool blank;		/* nothing but zeros */
};

/* Note all whole records of segment->fd (segment->size bytes) in the segment, and where its tail is. */
void walk_segment(const struct seam *seam, const struct record_secret *secret, struct segment *segment,
		  struct walk *ret);

#endif
