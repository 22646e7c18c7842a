/* The SQL of closed months: statements as they were signed, and the entries behind them. */
#ifndef GRANARY_SATELLITE_STATEMENTS_H
#define GRANARY_SATELLITE_STATEMENTS_H

#include "satellite/closing.h"

/* Whether a month is closed, and then which days it had. */
enum err statements_month(struct database *db, uint32_t period, struct stretch *ret, bool *ret_closed) WARN_UNUSED;
/* Sign and write a month; inside a transaction. Each stub gets its entries and its statement. */
enum err statements_store(struct database *db, const struct desk *desk, uint64_t now,
			  const struct closing *closing) WARN_UNUSED;
/* Read a closed month back, in closing->stretch.period, by address. *room is that of closing->stubs. */
enum err statements_load(struct database *db, struct closing *closing, size_t *room) WARN_UNUSED;

#endif
