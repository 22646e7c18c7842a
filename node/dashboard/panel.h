/*
 * A panel: facts as JSON, and the same facts as HTML. What the page shows is made from what the API tells and from
 * nothing else, so that the two cannot differ; and the page needs no script to be read.
 *
 * Facts are gathered in the dashboard's thread, which may read databases; what belongs to the daemon's loop comes along
 * in `live`, the status of GET /api/v1/status as of the request.
 */
#ifndef GRANARY_NODE_DASHBOARD_PANEL_H
#define GRANARY_NODE_DASHBOARD_PANEL_H

#include <stdio.h>

#include <jansson.h>

#include "node/dashboard/desk.h"

#define PANEL_WORD 48

/* What is asked. */
struct panel_query {
	uint64_t now;
	const json_t *live;
	char period[PANEL_WORD];    /* ?period=YYYY-MM, or "" */
	char by[PANEL_WORD];	    /* ?by=hour|day|month|year, or "" */
	char satellite[PANEL_WORD]; /* ?satellite=ADDRESS, or "" */
	const char *form_token;	    /* for forms; "": none */
};

struct panel {
	const char *name;  /* "disk": GET /api/v1/disk */
	const char *path;  /* "/disk" */
	const char *title; /* "Disk" */
	/* The caller owns it. NULL: the databases cannot be read, and it was logged. */
	json_t *(*facts)(struct desk *desk, const struct panel_query *query);
	void (*render)(FILE *to, const json_t *facts, const struct panel_query *query);
	/* Charts, which stay while the rest is renewed; NULL: none. */
	void (*charts)(FILE *to, const json_t *facts);
};

/* All of them, in the order of the navigation. */
extern const struct panel *const panels[];
extern const size_t panel_count;

extern const struct panel panel_overview, panel_earnings, panel_health, panel_disk, panel_traffic, panel_orders,
	panel_network, panel_nodes, panel_events;

#endif
