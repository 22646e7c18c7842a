/*
 * Earnings as JSON, for the API and for the command, which prints it as text or CSV.
 *
 *	{"now": N, "months": [{"period": "YYYY-MM", "satellite": ADDRESS, "id": ID, "over": B, "statement": B,
 *	  "agrees": B, "days_unsigned": N, "days": […], "lines": […], "own": {sums}, "theirs": {sums} or null,
 *	  "differences": [{"kind", "ours": line or null, "theirs": line or null, "evidence": TEXT}]}],
 *	  "forecast": [of each satellite, when the month under way is among them]}
 *
 * Money is a decimal text of tokens, byte-seconds a decimal text, bytes and counts are integers.
 */
#ifndef GRANARY_NODE_EARNINGS_REPORT_H
#define GRANARY_NODE_EARNINGS_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "node/earnings.h"

struct earnings_query {
	const struct address *node;
	struct trust *trust; /* whose satellites */
	uint32_t from, to;   /* periods, both included; from 0: from the first with anything */
	bool with_days;
	uint64_t now;
};

/* A new reference in *ret. The caller frees it. */
enum err earnings_report(struct ledger *ledger, struct papers *papers, const struct earnings_query *query,
			 json_t **ret) WARN_UNUSED;

/* The report for a person: a line for each month and satellite, or, of one month only (`details`), all there is. */
void earnings_print(const json_t *report, bool details);
/* One row for each month's line and each day's work, with a header. */
void earnings_print_csv(FILE *to, const json_t *report);

#endif
