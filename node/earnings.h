/*
 * What the node should be paid, by its own books, and how that compares with what the satellite says.
 *
 * A month is closed here with the same function as at the satellite (payments/month.h), from the node's own facts: what
 * satellites accepted of its orders and what it answered in audits, day by day (node/ledger.h); the storage of each day
 * as signed usages have it (node/papers.h); and the prices that were published for those days. Then the two sheets are
 * compared, line by line. What only a satellite can know, bonuses and corrections, is taken from its statement.
 *
 * A month under way, or one whose statement has not come, is an estimate; the storage of days that are not signed yet
 * is taken to go on as it was.
 */
#ifndef GRANARY_NODE_EARNINGS_H
#define GRANARY_NODE_EARNINGS_H

#include "node/ledger.h"
#include "node/papers.h"
#include "payments/month.h"

#define EARNINGS_DAYS 31

/* One day of a month. */
struct earnings_day {
	uint32_t day;	  /* Unix seconds / 86400 */
	bool is_signed;	  /* its usage is here */
	bool is_estimate; /* it will be: `stored` goes on as it was; neither: nothing was stored on it */
	struct byte_seconds stored;
	uint64_t egress; /* bytes, as the next two */
	uint64_t audit;
	uint64_t repair;
	uint64_t orders;      /* settled */
	struct prices prices; /* of that day */
};

/* A line on which the two disagree; a side without it is all zeros. */
struct earnings_difference {
	enum line_kind kind;
	bool ours_there, theirs_there;
	struct sheet_line ours, theirs;
};
#define EARNINGS_DIFFERENCES (2 * SHEET_LINES)

struct earned_month {
	struct satellite satellite;
	uint32_t period;
	uint32_t first_day, day_count; /* of the month, as far as it has come */
	struct earnings_day days[EARNINGS_DAYS];
	uint32_t days_unsigned; /* of these */
	bool over;		/* the month is */
	struct closed_month own;
	bool has_statement;
	struct statement statement;
	struct sheet sheet; /* of the statement */
	size_t difference_count;
	struct earnings_difference differences[EARNINGS_DIFFERENCES];
};

/* Compute a month with one satellite, as of `now`; `node` is us. Takes the database's errors; ERR_OVERFLOW when the
 * numbers are absurd. *ret is large: keep it off the stack. */
enum err earnings_month(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
			const struct address *node, uint32_t period, uint64_t now,
			struct earned_month *ret) WARN_UNUSED;

/* The first month of which there is anything with this satellite; the current one when there is nothing. */
enum err earnings_first(struct ledger *ledger, struct papers *papers, const struct satellite *satellite, uint64_t now,
			uint32_t *ret_period) WARN_UNUSED;

/* What the month under way will come to, and from what that is reckoned. */
struct earnings_forecast {
	uint32_t period;
	uint64_t seconds_left; /* of the month */
	uint64_t stored;       /* bytes that earn now, by the last signed usage */
	uint64_t egress_day;   /* bytes a day, by the month so far; so are the next two */
	uint64_t audit_day;
	uint64_t repair_day;
	struct prices prices;	  /* of today */
	struct sheet_sums so_far; /* as of now */
	struct sheet_sums low;	  /* what is stored stays, nothing more is fetched */
	struct sheet_sums high;	  /* traffic goes on as it was */
};
/* Errors as earnings_month; *ret as it was. */
enum err earnings_forecast(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
			   const struct address *node, uint64_t now, struct earnings_forecast *ret) WARN_UNUSED;

#endif
