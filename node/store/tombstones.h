/*
 * Which tombstones of a segment are still needed.
 *
 * A tombstone acts on every record of its key up to the number of the one that it names, wherever a copy stands. It may
 * go only when no other file can hold such a record: a power cut may have left a copy that nobody knows of, and a start
 * would bring the piece back to life. So the footers of all other segments are looked through, those whose numbers can
 * match, one at each step. Trash and restore records matter only while the index knows a piece of their key.
 */
#ifndef GRANARY_NODE_STORE_TOMBSTONES_H
#define GRANARY_NODE_STORE_TOMBSTONES_H

#include "node/store/engine.h"

struct tombstone {
	uint16_t satellite;
	struct bytes32 piece;
	uint32_t offset;   /* where it stands */
	uint64_t sequence; /* of the record that it names */
	bool needed;
};

struct tombstones {
	struct segment *source; /* whose they are */
	struct tombstone *list; /* by satellite and piece, as footers are sorted */
	size_t count;
	size_t needed;
	uint64_t last; /* the highest sequence that any of them names */
	struct segment **others; /* pinned */
	size_t other_count;
	size_t at; /* the next one to look through */
};

/* Read the tombstones among these entries, sorted as in the footer. One that cannot be read is needed. */
void tombstones_init(struct store *store, struct segment *source, const struct segment_entry *entries, size_t count,
		     struct tombstones *ret);
void tombstones_free(struct store *store, struct tombstones *tombstones);
/* Look through one more segment, and take what was read from *budget. False when all is known. */
bool tombstones_search(struct store *store, struct tombstones *tombstones, uint64_t *budget);
/* Whether the tombstone at this offset is needed. */
bool tombstones_needs(const struct tombstones *tombstones, const struct segment_entry *entry);

#endif
