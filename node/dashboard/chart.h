/*
 * GET /api/v1/history?what=…&from=&until=&step=&satellite=: series over time, as JSON or, with &format=csv, as CSV.
 *
 * {"what", "unit", "step", "labels": ["time", …], "rows": [[T, N or null, …], …]}, at most 2,000 rows: the step grows
 * as the range does. What there is stands in a table in chart.c.
 */
#ifndef GRANARY_NODE_DASHBOARD_CHART_H
#define GRANARY_NODE_DASHBOARD_CHART_H

#include <stdio.h>

#include "common/http.h"
#include "node/dashboard/desk.h"

struct chart_query {
	char what[24];
	uint64_t from, until, step;
	struct address satellite;
	bool has_satellite;
};

/* Answer, later; `live` is taken over. */
void chart_begin(struct http_request *request, struct desk *desk, struct pool *pool, struct loop *loop, json_t *live);

/* The series itself; the caller owns it. NULL when there is none of that name, or the database cannot be read. */
json_t *chart_series(struct desk *desk, const struct chart_query *query);

/* A chart of a page: `what` and its heading; `stacked` series lie upon each other. */
void chart_put(FILE *to, const char *what, const char *heading, bool stacked);
/* The same of one satellite, and of so many days. */
void chart_put_satellite(FILE *to, const char *what, const char *heading, const char *satellite, unsigned days);

#endif
