/*
 * The checker finds segments that need repair, and puts them into the queue (satellite/repairs.h).
 *
 * It does not walk over everything all the time. A piece that was lost marks its segment (pieces.noticed), a segment
 * that became visible was never looked at (segments.healthy), and a node whose state or network changes, or that stays
 * away for too long, has its pieces looked at one batch after the other (the table watched). Besides, all segments are
 * walked over every few hours, for whatever those three miss. One process at a time checks, under a lease.
 */
#ifndef GRANARY_SATELLITE_CHECKER_H
#define GRANARY_SATELLITE_CHECKER_H

#include "satellite/patrol.h"

/* Look at the next batch of everything that there is to look at; *ret_more: there is more. */
enum err checker_step(struct desk *desk, bool *ret_more) WARN_UNUSED;

/* For patrol_start. */
patrol_round checker_walk;

#endif
