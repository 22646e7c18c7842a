/*
 * The dashboard: the node as its owner sees it in a browser, served beside the API on the same port.
 *
 *	dashboard ─ visit ─ login                who may look
 *	         ├─ inquiry ─ panel… ─ desk      what there is to see: JSON below /api/v1/, HTML made of it
 *	         ├─ stream                       tells open pages that something changed
 *	         └─ files                        style, script and charts, inside the program
 *
 * One thread of its own reads the books and the disk's figures; the daemon's loop only hands over. Belongs to the loop.
 */
#ifndef GRANARY_NODE_DASHBOARD_DASHBOARD_H
#define GRANARY_NODE_DASHBOARD_DASHBOARD_H

#include "common/http.h"
#include "node/dashboard/desk.h"

struct dashboard;

struct dashboard_sources {
	const char *dir;
	const char *web_dir; /* in place of the embedded files; NULL */
	const struct key *key;
	struct trust *trust;
	struct meter *meter; /* what it has goes into the history */
	struct http *http;   /* of the API; freed before the dashboard */
	struct running_cost cost;
	/* The status of GET /api/v1/status, and the store's own figures besides; called in the loop. The caller owns
	 * it. */
	json_t *(*status)(void *arg);
	void *arg;
};

/* Add the dashboard's routes and its guard. A sentence goes to `why`. */
enum err dashboard_start(struct loop *loop, const struct dashboard_sources *sources, struct dashboard **ret,
			 char why[LEDGER_MESSAGE]) WARN_UNUSED;
/* Wait for what is under way. */
void dashboard_stop(struct dashboard *dashboard);

#endif
