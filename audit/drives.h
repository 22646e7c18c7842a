/*
 * The lives of virtual drives: when each comes, leaves and is gone, from a seed.
 *
 * A network has a fixed number of places, and a drive in each; one that fails or leaves is replaced on the same day by
 * a new one in its place. Drives are numbered in the order in which they come. A drive that fails is not healthy and
 * gone on the same day; one that leaves in good order stops being healthy first, and is gone when the exit period is
 * over.
 */
#ifndef GRANARY_AUDIT_DRIVES_H
#define GRANARY_AUDIT_DRIVES_H

#include "audit/simulate.h"

#define DRIVES_NEVER UINT32_MAX

struct drive {
	uint32_t place;
	int32_t born;	  /* day; before 0 for those that were there at the beginning */
	uint32_t leaving; /* the first day on which it is not healthy */
	uint32_t gone;	  /* the first day on which it has nothing */
};

struct drives {
	struct drive *drives;
	uint32_t count;
	size_t room;
	uint32_t days;
	uint32_t *first;  /* the first drive that came on each day, or later; days + 1 of them */
	uint32_t *failed; /* how many did on each day, outages included */
	uint64_t failures, outages, exits;
};

/* All lives of a plan. drives_free frees what it holds. */
void drives_init(const struct simulate_plan *plan, struct drives *ret);
void drives_free(struct drives *drives);

#endif
