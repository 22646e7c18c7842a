/*
 * GET /api/v1/export?period=YYYY-MM or ?year=YYYY, &format=csv (as it is) or json: the earnings report of a month or of
 * a tax year (UTC), as `granary-node earnings --csv` and `--json` print it, to be saved.
 */
#ifndef GRANARY_NODE_DASHBOARD_EXPORT_H
#define GRANARY_NODE_DASHBOARD_EXPORT_H

#include "common/http.h"
#include "node/dashboard/desk.h"

void export_begin(struct http_request *request, struct desk *desk, struct pool *pool, struct loop *loop);

#endif
