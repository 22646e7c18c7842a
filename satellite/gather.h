/*
 * What a node did in a month, or in the part of it that is over: from the sums by hour to the facts that payments/month
 * closes a month with.
 */
#ifndef GRANARY_SATELLITE_GATHER_H
#define GRANARY_SATELLITE_GATHER_H

#include "payments/month.h"
#include "payments/usage.h"
#include "satellite/pricing.h"

/* A month of the books. Days are Unix seconds / 86400. */
struct stretch {
	uint32_t period;    /* YYYYMM */
	uint64_t at;	    /* its first second */
	uint64_t first_day; /* as a rule its first, else that after an earlier month's early closing */
	uint64_t end_day;   /* not of it any more */
	uint64_t until;	    /* Unix seconds: count up to here; the end of end_day - 1 or before */
};

struct gathered {
	struct month month; /* work only */
	struct tally tally; /* the same work by kind */
	uint64_t orders;    /* settled */
	uint64_t audits_passed;
	uint64_t audits_failed;
	struct usage_carried carried; /* into what comes after */
};

/* One node's, within a transaction or view. Large: keep it off small stacks. */
enum err gather_node(struct database *db, const struct address *node, const struct stretch *stretch,
		     struct pricing *pricing, struct gathered *ret) WARN_UNUSED;

#endif
