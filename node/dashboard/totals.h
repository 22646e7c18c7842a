/* Sums of traffic over a time, for several panels. */
#ifndef GRANARY_NODE_DASHBOARD_TOTALS_H
#define GRANARY_NODE_DASHBOARD_TOTALS_H

#include <jansson.h>

#include "node/dashboard/desk.h"

/* {"bytes", "done", "lost", "failed", "actions": {"put": {bytes, done, lost, failed}, "get", "audit", "get_repair",
 * "put_repair"}} in [from, until), Unix seconds, of one satellite or all (NULL); zeros when it cannot be read. The
 * caller owns it. */
json_t *totals_json(struct desk *desk, uint64_t from, uint64_t until, const struct address *satellite);

/* "put" … of an action; "" for others. */
const char *totals_action_name(enum action action);

#endif
