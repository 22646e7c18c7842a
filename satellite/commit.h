/*
 * Committing a segment: believing the client nothing that a node's receipt does not say.
 *
 * Every receipt must be for a piece offered for this segment, at most one per piece (and so per node), signed by
 * that node, and of exactly the size that the segment's plain size implies; there must be enough of them. So a client
 * and a node together cannot make the satellite pay for bytes that are not there to be paid for.
 */
#ifndef GRANARY_SATELLITE_COMMIT_H
#define GRANARY_SATELLITE_COMMIT_H

#include "satellite/desk.h"
#include "satellite/segments.h"

/* COMMIT_SEGMENT, idempotent: NOT_FOUND, CONFLICT, COMMIT with the number of the receipt that is at
 * fault. */
enum err commit_segment(struct work *work) WARN_UNUSED;
/* INLINE_SEGMENT: a segment whose data stays in the database. */
enum err commit_inline_segment(struct work *work) WARN_UNUSED;

#endif
