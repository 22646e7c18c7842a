/*
 * Reports of clients about nodes: REPORT, and the SQL of the sums that come of it (satellite/experience.h).
 *
 * Only transfers that this satellite allowed the reporting client count, which the allocations prove that the client
 * shows. There is no answer, and what is wrong is passed over: a report is a hint, and a client owes none.
 */
#ifndef GRANARY_SATELLITE_REPORTS_H
#define GRANARY_SATELLITE_REPORTS_H

#include "satellite/desk.h"
#include "satellite/experience.h"

/* REPORT. */
enum err reports_take(struct work *work) WARN_UNUSED;

/* What clients saw of each node that was seen, as of `now`, by address; an error ends the walk. */
typedef enum err reports_visit(const struct address *node, const struct select_record *record, void *arg);
enum err reports_each(struct database *db, uint64_t now, reports_visit *visit, void *arg) WARN_UNUSED;

#endif
