/*
 * What happened to this node that its owner should know of: DIR/events.db.
 *
 * An event has a kind (a stable word), a severity, whom it concerns, a sentence, and what to do about it. The latest
 * 10,000 are kept. Safe from any thread; each call may wait for the disk. Times are Unix seconds.
 */
#ifndef GRANARY_NODE_EVENTS_H
#define GRANARY_NODE_EVENTS_H

#include <jansson.h>

#include "common/database.h"
#include "node/findings.h"

#define EVENTS_KEPT 10000

struct events;

/* Open or make the database; one that is damaged is put aside. A sentence goes to `why`. */
enum err events_open(const char *dir, struct events **ret, char why[DATABASE_MESSAGE]) WARN_UNUSED;
void events_close(struct events *events);

struct event_note {
	uint64_t at;
	const char *kind; /* "started", or a finding's name */
	enum finding_severity severity;
	const char *subject; /* a satellite's address, a file; "" */
	const char *text;
	const char *remedy; /* "" when there is nothing to do */
};
enum err events_add(struct events *events, const struct event_note *note) WARN_UNUSED;

/* {"unread": N, "events": [{number, at, kind, severity, subject, text, remedy, read}]}, the newest first, at most
 * `most` below number `before` (0: from the newest). The caller owns it; NULL when it cannot be read. */
json_t *events_json(struct events *events, uint64_t before, uint32_t most);
/* Those up to `number` were read. */
enum err events_mark_read(struct events *events, uint64_t number) WARN_UNUSED;

/* Hold what is found now against what was found at the last call, and note what began and what is over. `list` is as
 * of findings_json. */
enum err events_compare(struct events *events, const json_t *list, uint64_t now) WARN_UNUSED;

#endif
