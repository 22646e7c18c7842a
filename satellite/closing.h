/*
 * Closing a month: from sums by hour to signed statements and entries in the ledger.
 *
 * All of it is one transaction, so a month is closed or it is not, whenever the process dies; closing it again after
 * that begins from nothing. Months are closed in order, each once. What becomes known afterwards belongs to the next:
 * nothing is ever added to a closed month. Its days are closed and signed first (satellite/usages.h); their
 * byte-seconds add up to the month's. On a test network a month can be closed before it is over; then it ends with the
 * current day, and the rest of it belongs to the next.
 *
 * Memory grows with nodes, not with pieces or orders.
 */
#ifndef GRANARY_SATELLITE_CLOSING_H
#define GRANARY_SATELLITE_CLOSING_H

#include "satellite/gather.h"

#define CLOSING_WHY 200

/* What a node's month comes to. */
struct stub {
	struct id id;
	struct statement statement;
	uint8_t codes;	    /* of enum sheet_code */
	struct bytes sheet; /* encoded */
	struct sheet_sums sums;
	struct amount deductions;     /* ordered for this month */
	struct usage_carried carried; /* into the next */
};

/* A month of all nodes, by address. */
struct closing {
	struct stretch stretch;
	bool closed; /* it was closed before; then this is what was signed */
	struct stub *stubs;
	size_t count;
	char why[CLOSING_WHY]; /* words for a refusal, ERR_CANCELLED */
};

/* What a month would come to if it were closed now, or came to when it was. ERR_CANCELLED when it can be neither. */
enum err closing_preview(struct desk *desk, uint32_t period, uint64_t now, struct closing *ret) WARN_UNUSED;
/* Close it. ERR_CANCELLED when it is closed already, is not over, or an earlier one is open: then nothing changed. */
enum err closing_close(struct desk *desk, uint32_t period, uint64_t now, struct closing *ret) WARN_UNUSED;
/* Also after a failure. */
void closing_free(struct closing *closing);

#endif
