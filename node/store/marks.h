/*
 * Records that speak of a piece: tombstone, trash, restore. Each is appended, and acts once it is durable.
 *
 * A piece in the trash is where it was; its index slot has a flag, and in place of the day on which the piece expires
 * the day on which the trash may be emptied of it. A mark names the piece by key and sequence, so it also acts on a
 * copy that compaction made meanwhile. Of a key whose mark is on its way (claims.h) no second one is written, but by
 * deletes: so marks of one piece settle in the order of their numbers, and the next start comes to the same end.
 */
#ifndef GRANARY_NODE_STORE_MARKS_H
#define GRANARY_NODE_STORE_MARKS_H

#include "node/store/engine.h"

#define MARKS_TRASH_SECONDS (7 * 86400u) /* how long the trash is kept, at least */

/* The piece that is spoken of. */
struct marked {
	struct segment *segment; /* pinned by the caller */
	struct store_key key;
	uint64_t hash;
	uint32_t offset;
	uint32_t size;
	uint32_t extent;
	uint64_t sequence;
	uint64_t expires; /* Unix seconds, 0: never */
};
struct marked marks_of_located(const struct located *found);
struct marked marks_of_entry(struct store *store, struct segment *segment, const struct segment_entry *entry);

/* Write a TOMBSTONE, TRASH or RESTORE about this piece; takes a pin of its own. done(arg, err) comes from the
 * committer's thread: ERR_NOT_FOUND when the piece is gone by then. `claim`: ERR_BUSY while another record of that key
 * is on its way. ERR_FULL, ERR_READ_ONLY. */
struct mark_options {
	enum record_type type;
	bool claim;
	void (*done)(void *arg, enum err err);
	void *arg;
};
enum err marks_write(struct store *store, const struct marked *what, const struct mark_options *options) WARN_UNUSED;

/* At start: do what a TRASH or RESTORE found on disk says. To be called in the order of their sequences, when all
 * pieces and tombstones are known. `hinted` is the segment that the entry names, or NULL. */
void marks_apply(struct store *store, struct segment *hinted, const struct segment_entry *entry);

/* The day, since 1970, by which this moment is over; 0 stays 0. */
uint16_t marks_day(uint64_t seconds);

#endif
