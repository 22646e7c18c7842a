/*
 * Reading all that the segment files hold, past the page cache, and comparing it with its checksums.
 *
 * Segment by segment, in the order of their ids: header, footer, then every record that still says something: live
 * pieces, tombstones and their kin, transfers. Neighbours are read in one go. What does not hold is read again by
 * itself; a piece that still does not is noted (damage.h). Both the scrubber and `store check` are this walk; each has
 * its own place in it. Of a segment it keeps 8 bytes per record, not its footer.
 */
#ifndef GRANARY_NODE_STORE_VERIFY_H
#define GRANARY_NODE_STORE_VERIFY_H

#include "node/store/engine.h"

/* Read one record of a pinned segment past the page cache: ERR_OK when all of it is as the entry says, ERR_CORRUPT,
 * ERR_IO. */
enum err verify_record(struct store *store, struct segment *segment, const struct segment_entry *entry) WARN_UNUSED;

/* Where a walk is: the next record to be read stands at or behind `offset` of that segment, or in the next one. */
struct verify_place {
	enum segment_kind kind;
	uint32_t segment;
	uint32_t offset;
};

/* Start over, or go on at `from` with what was counted before; NULL, NULL: from the beginning. */
struct store_check *verify_new(struct store *store, const struct verify_place *from,
			       const struct store_checked *before);
void verify_place(const struct store_check *check, struct verify_place *ret);

#endif
