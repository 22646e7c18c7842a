/*
 * What to do about one segment: which numbers to make, and from which pieces. Pure.
 *
 * Pieces of leaving nodes are always moved, while their nodes are there. When the segment needs repair as well, the
 * rest up to `success` is made: first what is lost, so that data is data again, then numbers that nobody holds, and
 * only then numbers whose holders are crowded, suspended or gone, which may come back.
 */
#ifndef GRANARY_SATELLITE_REPAIR_PLAN_H
#define GRANARY_SATELLITE_REPAIR_PLAN_H

#include "common/random.h"
#include "satellite/segment_health.h"

struct repair_plan {
	uint16_t numbers[REDUNDANCY_TOTAL]; /* to make, the most important first */
	uint32_t count;
	uint32_t moves;			    /* so many of them, the first, only have to be moved */
	bool waits;			    /* pieces are to move whose node is away */
	uint32_t sources[REDUNDANCY_TOTAL]; /* indices into the segment's pieces, to be read in this order */
	uint32_t source_count;
	uint32_t begin_with; /* so many at first: those to be moved, when there is nothing else to do */
};

void repair_plan_make(const struct segment_health *health, struct random_stream *random, struct repair_plan *ret);

/* Fewer nodes could be found than numbers: keep the first `count` of these. */
void repair_plan_cut(struct repair_plan *plan, uint32_t count);

/* The segment's piece with this number; NULL when there is none. */
const struct judged_piece *repair_plan_piece(const struct segment_health *health, uint16_t number);

#endif
