/*
 * What an operator gives or takes beside the work: bonuses, corrections of earlier months, deductions of what was
 * overpaid. Each is part of one month, is kept with its reason, and is never changed: another one makes up for it.
 */
#ifndef GRANARY_SATELLITE_ADJUSTMENTS_H
#define GRANARY_SATELLITE_ADJUSTMENTS_H

#include "common/database.h"
#include "payments/month.h"

struct adjustment {
	struct address node;
	uint32_t period;     /* YYYYMM */
	enum line_kind kind; /* LINE_BONUS, LINE_CORRECTION, LINE_DEDUCTED */
	uint32_t concerns;   /* of a correction: the month, YYYYMM, or 0 */
	struct amount amount;
	uint64_t at;
	const char *note;
};

/* Inside a transaction. ERR_EXPIRED: the month is closed; ERR_EARLY: it has not begun at adjustment->at. */
enum err adjustments_add(struct database *db, const struct adjustment *adjustment) WARN_UNUSED;
/* Add a node's of a month to that; *ret_deductions is their sum of those. */
enum err adjustments_apply(struct database *db, const struct address *node, uint32_t period, struct month *month,
			   struct amount *ret_deductions) WARN_UNUSED;

#endif
