/*
 * What the dashboard's thread reads from: the books, opened a second time so that nobody waits for a settlement, the
 * history and the events. The store it never touches, because that may go at any time: its figures come from the
 * daemon's loop, in the status.
 */
#ifndef GRANARY_NODE_DASHBOARD_DESK_H
#define GRANARY_NODE_DASHBOARD_DESK_H

#include <jansson.h>

#include "node/dashboard/history.h"
#include "node/events.h"
#include "node/ledger.h"
#include "node/papers.h"
#include "node/settings.h"

struct desk {
	const char *dir;
	const struct key *key;
	struct trust *trust;
	struct meter *meter;
	struct ledger *ledger;
	struct papers *papers;
	struct history *history;
	struct events *events;
	struct peers *peers;
	struct running_cost cost;
	uint64_t recorded;   /* when the history was last written */
	enum err record_err; /* what came of it: trouble is logged when it begins */
};

/* Open the books of the directory. A sentence goes to `why`. Close it in any case. */
enum err desk_open(struct desk *desk, char why[LEDGER_MESSAGE]) WARN_UNUSED;
void desk_close(struct desk *desk);

/* What the filesystem that the store is on says (statvfs); zeros when it does not answer. */
struct desk_disk {
	uint64_t total; /* bytes */
	uint64_t free;	/* for everybody */
	uint64_t kept;	/* free, but for the system's owner only */
};
void desk_disk(const struct desk *desk, struct desk_disk *ret);

/* Write into the history what happened since the last time, a few seconds ago at the least; `live` as for panels. */
void desk_record(struct desk *desk, const json_t *live);

#endif
