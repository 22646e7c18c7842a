/*
 * The held-back amount: a part of a young node's pay that it gets later, if it stays or leaves properly. Pure.
 *
 * By default 75 % of its work is withheld in its months 1 to 3, 50 % in 4 to 6, 25 % in 7 to 9, then nothing; half of
 * all that was withheld is released with its first month after month 15, the rest when it exits gracefully; what a
 * disqualified node has left is forfeited. Months are UTC months, month 1 is the one in which it registered. Always
 * withheld = held + released + forfeited, where held is what is still kept back.
 */
#ifndef GRANARY_PAYMENTS_HELD_H
#define GRANARY_PAYMENTS_HELD_H

#include "payments/tally.h"

#define HELD_MONTHS 120

struct held_schedule {
	uint8_t percent[HELD_MONTHS]; /* of month 1, 2, …; 0 to 100 */
	uint8_t release_percent;      /* of what was withheld in all, released … */
	uint16_t release_after;	      /* … with the first month after this one; 0: never */
};
extern const struct held_schedule held_default;

/* "75:3,50:3,25:3": percent and for how many months, from month 1 on; "" holds nothing. ERR_FORMAT, ERR_RANGE (more
 * than 100 percent, no or more than HELD_MONTHS months). Sets `percent` only. */
enum err held_parse(const char *text, struct held_schedule *ret) WARN_UNUSED;
/* "50:15": percent released, after which month; "0:0" for never. Sets the other two. */
enum err held_parse_release(const char *text, struct held_schedule *ret) WARN_UNUSED;

/* The node's age in months in the month that holds `at`: 1 in that of its registration, 0 before. */
uint32_t held_month(uint64_t registered, uint64_t at);
/* What is withheld of a node's month of this number, percent. */
unsigned held_percent(const struct held_schedule *schedule, uint32_t month);

/* Sums over a node's life, of one satellite. */
struct held_account {
	struct amount withheld;
	struct amount released;
	struct amount forfeited;
};
/* withheld - released - forfeited; ERR_OVERFLOW when that is below zero: no such account comes from these rules. */
enum err held_balance(const struct held_account *account, struct amount *ret) WARN_UNUSED;

/* How a node stands with its satellite at the end of a month. Times are Unix seconds; those after that month's end
 * count as 0: not (yet). */
struct standing {
	uint64_t registered;
	uint64_t exiting;      /* asked to leave */
	uint64_t exited;       /* and did so in good order */
	uint64_t disqualified; /* before it had exited, else it changes nothing */
	bool offline;	       /* not reached at the end of the month */
};

/* By the end of a month, `end`: it had left in good order; it was disqualified before it had. Never both. */
bool standing_exited(const struct standing *standing, uint64_t end);
bool standing_disqualified(const struct standing *standing, uint64_t end);

/* What a month does to the account. */
struct held_month {
	unsigned percent; /* of the month's work */
	struct amount held;
	struct amount released;
	struct amount forfeited;
};
/* The month that holds `at`, of which `work` was earned by work. An exited node's work is not withheld and all that is
 * left is released; a disqualified one's is withheld as ever and all that is left, this included, forfeited. Adds to
 * *account. ERR_OVERFLOW when a sum does not fit, *account as it was. */
enum err held_close(const struct held_schedule *schedule, const struct standing *standing, uint64_t at,
		    struct amount work, struct held_account *account, struct held_month *ret) WARN_UNUSED;

#endif
