/*
 * What a node owes for the repair of a piece that it said itself was lost: what was read for it, at the price of repair
 * traffic, and never more than what is held back of its pay.
 *
 * Honest words cost less than being found out, but not nothing. It becomes a deduction of the month.
 */
#ifndef GRANARY_SATELLITE_REPAIR_COSTS_H
#define GRANARY_SATELLITE_REPAIR_COSTS_H

#include "satellite/desk.h"

/* Take the cost of `bytes` read from this node, in a transaction. Nothing when nothing is held, or when the month is
 * closed already. */
enum err repair_costs_take(struct database *db, const struct settings *settings, const struct address *node,
			   uint64_t bytes, uint64_t now) WARN_UNUSED;

#endif
