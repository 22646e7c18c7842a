/*
 * What we saw of nodes with one segment, for the satellite: it prefers nodes that serve its clients well.
 *
 * At most MESSAGE_REPORT_MAX transfers, drawn at random from all that ended, so that none is favoured; sent once, as a
 * hint that nobody answers. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_REPORT_H
#define GRANARY_UPLINK_REPORT_H

#include "uplink/permit.h"
#include "uplink/uplink.h"

struct report;

struct report *report_new(struct uplink *uplink);
void report_free(struct report *report);

/* A transfer ended; it began at `begun`, monotonic nanoseconds, and moved so many bytes. */
void report_add(struct report *report, const struct permit *permit, enum transfer_outcome outcome, uint64_t bytes,
		uint64_t begun);
/* Send what was added, if there is a satellite to send it to, and begin anew. */
void report_send(struct report *report);

#endif
