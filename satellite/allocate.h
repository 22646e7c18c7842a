/*
 * Allowances: signed allocations to upload the pieces of a segment, and to read them.
 *
 * An upload's allocations are remembered as offers until the segment is committed or dropped; a download's need no
 * row, because settling them asks for nothing but our own signature.
 */
#ifndef GRANARY_SATELLITE_ALLOCATE_H
#define GRANARY_SATELLITE_ALLOCATE_H

#include "payments/typed.h"
#include "satellite/desk.h"
#include "satellite/segments.h"

/* BEGIN_SEGMENT: as many allocations as the policy's total, at least `success`, else NOT_ENOUGH_NODES. */
enum err allocate_begin_segment(struct work *work) WARN_UNUSED;
/* GET_SEGMENT. */
enum err allocate_get_segment(struct work *work) WARN_UNUSED;

/* The allocation that an offer of this segment stands for. */
void allocate_from_offer(const struct desk *desk, const struct segment *segment, const struct offer *offer,
			 const struct address *client, uint64_t piece_expires, struct allocation *ret);

/* The order in which to offer the pieces found for reading, as indices into `found`: numbers beginning with `first`,
 * wrapping at `total`, online ones; when those are fewer than `required`, the others after them. At most `count`;
 * how many is returned. Pure. */
uint32_t allocate_order_pieces(const struct found_piece *found, uint32_t found_count, uint16_t first, uint16_t total,
			       uint16_t required, uint32_t count, uint32_t *ret);

#endif
