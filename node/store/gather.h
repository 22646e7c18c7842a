/*
 * Writing the records of a group commit: those that stand side by side go in one call.
 *
 * A small record costs less than the call that writes it, and writers of the same file wait for each other anyway. So
 * small records are left to the committer, which knows them all.
 */
#ifndef GRANARY_NODE_STORE_GATHER_H
#define GRANARY_NODE_STORE_GATHER_H

#include "node/store/committer.h"

/* Records up to here, heads and all, are left to the committer. Larger ones are written where they come from, while it
 * waits for the disk. */
#define GATHER_MOST 8192

/* Memory that is used again; all zero at first. */
struct gather {
	struct commit **list;
	size_t room;
};

/* Write what the commits of this list have with them, in no order. A failure turns the store read-only:
 * ERR_READ_ONLY. */
enum err gather_write(struct gather *gather, const struct seam *seam, struct health *health,
		      struct commit *first) WARN_UNUSED;
void gather_free(struct gather *gather);

#endif
