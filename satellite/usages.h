/*
 * Usage, signed: what each node stored on each day, and the changes behind it.
 *
 * A day is closed for all nodes at once, some time after midnight UTC, or before the month that it is part of is: from
 * then on nothing is booked on it any more. What was signed is kept and told to the node that it is about.
 */
#ifndef GRANARY_SATELLITE_USAGES_H
#define GRANARY_SATELLITE_USAGES_H

#include "satellite/patrol.h"

/* Close and sign all days before `end_day` (Unix seconds / 86400) that are not closed yet. Inside a transaction.
 * ERR_CORRUPT when the changes do not add up to the sums. */
enum err usages_close_until(struct database *db, const struct desk *desk, uint64_t end_day) WARN_UNUSED;
/* The first day that is not closed; 0: nothing was ever stored. */
enum err usages_open_day(struct database *db, uint64_t *ret) WARN_UNUSED;

/* For patrol_start: closes days as they pass. */
patrol_round usages_walk;

/* ASK_USAGE: USAGE in parts. EARLY when the day is not closed yet, NOT_FOUND when the node had and did nothing on
 * it. */
enum err usages_answer(struct work *work) WARN_UNUSED;

#endif
