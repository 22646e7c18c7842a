/*
 * Prices in the database: what the satellite published that it pays, what nodes ask, and what a node is paid on a day.
 *
 * Every signed Price that was taken up is kept and none is changed; so a month is closed with the prices that held on
 * its days, whatever the configuration says by then.
 */
#ifndef GRANARY_SATELLITE_PRICING_H
#define GRANARY_SATELLITE_PRICING_H

#include "payments/price.h"
#include "satellite/desk.h"

/* Publish the configured prices, signed: from today when none holds yet, else, when they changed, from the next day
 * that has no price of its own. Nothing when they are published already. */
enum err pricing_publish(struct desk *desk) WARN_UNUSED;
/* What nodes ask at `at`, by their addresses. Stops at the first error of `each`. */
enum err pricing_each_ask(struct database *db, const struct address *satellite, uint64_t at,
			  enum err (*each)(const struct price *ask, void *arg), void *arg) WARN_UNUSED;
/* Keep a checked price of some party; inside a transaction. ERR_EXISTS: it has one that begins then. */
enum err pricing_keep(struct database *db, const struct price *price, const struct signature *signature) WARN_UNUSED;

/* The prices of a stretch of days, read once. */
struct pricing;
/* Of the satellite, with those that hold at any time in [from, until), Unix seconds. */
enum err pricing_open(struct database *db, const struct address *satellite, uint64_t from, uint64_t until,
		      struct pricing **ret) WARN_UNUSED;
void pricing_free(struct pricing *pricing);
/* From here on of this node: read what it asks. */
enum err pricing_set_node(struct pricing *pricing, struct database *db, const struct address *node) WARN_UNUSED;
/* What that node is paid on a day (Unix seconds / 86400): zeros where the satellite had published nothing. */
struct prices pricing_day(const struct pricing *pricing, uint64_t day);

#endif
