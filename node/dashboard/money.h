/*
 * The money of the earnings panel, reckoned from the same report that `granary-node earnings` prints: where it stands
 * on its way, what is held back and when that comes, and what is left after the cost of running the node.
 */
#ifndef GRANARY_NODE_DASHBOARD_MONEY_H
#define GRANARY_NODE_DASHBOARD_MONEY_H

#include <jansson.h>

#include "node/dashboard/desk.h"

/* The sum of all claims. */
enum err money_claimed(struct papers *papers, struct amount *ret) WARN_UNUSED;
/* {"accrued", "due", "below_minimum", "paid", "claimed"}: of all satellites, in tokens. */
json_t *money_stages(const json_t *report, struct amount claimed);
/* [{satellite, percent, month, withheld, released, forfeited, balance, "releases": [{at, amount, why}]}]. */
json_t *money_held(const json_t *report, uint64_t now);
/* [{period, earned, cost, net}] or null when nobody said what it costs; net may be below zero. */
json_t *money_net(const json_t *report, const struct running_cost *cost, uint64_t now);

#endif
