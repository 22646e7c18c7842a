/*
 * Allowances that the satellite signs to itself: to read the pieces of a segment that needs repair, and to store those
 * that are made of them.
 */
#ifndef GRANARY_SATELLITE_REPAIR_PERMITS_H
#define GRANARY_SATELLITE_REPAIR_PERMITS_H

#include "satellite/repair_plan.h"
#include "uplink/permit.h"

/* One for each of the plan's sources, in their order. */
void repair_permits_read(const struct desk *desk, const struct segment_health *health, const struct repair_plan *plan,
			 struct permit *ret);

/* Choose nodes for the plan's numbers, on other networks than its pieces, and make a permit for each; *ret_count may be
 * fewer, and 0, when no more nodes fit. A permit's root is that of the piece it replaces, or zeros. */
enum err repair_permits_store(struct desk *desk, const struct segment_health *health, const struct repair_plan *plan,
			      struct permit *ret, uint32_t *ret_count) WARN_UNUSED;

#endif
