/*
 * What each node did this month and has earned by it so far.
 *
 * Storage counts from a piece's storedAt to its signed deletion, to the last proof before it was found missing, to the
 * node's own Loss, or to now, if its object was ever visible (satellite/storage.h). Traffic counts when it is settled,
 * audits by the bytes of the leaves that were proven. All come from sums by hour (satellite/gather.h).
 */
#ifndef GRANARY_SATELLITE_TALLIES_H
#define GRANARY_SATELLITE_TALLIES_H

#include "payments/tally.h"
#include "satellite/desk.h"

struct node_tally {
	struct address address;
	struct id id;
	uint64_t stored_bytes; /* now */
	struct tally tally;
	uint64_t audits_passed; /* pieces proven this month */
	uint64_t audits_failed; /* pieces missing or corrupt */
	uint64_t orders;	/* settled this month */
	struct amount earned;	/* by its work, at the prices of each day */
};

struct tallies {
	uint64_t from;		  /* start of the month */
	uint64_t until;		  /* now */
	struct node_tally *nodes; /* by address */
	size_t count;
};

/* One consistent view. The caller frees it with tallies_free. */
enum err tallies_collect(struct desk *desk, uint64_t now, struct tallies *ret) WARN_UNUSED;
void tallies_free(struct tallies *tallies);

#endif
