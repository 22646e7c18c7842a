/*
 * Closing one node's month: facts in, pay stub out. Pure; the satellite closes with it, and the node, from its own
 * books, checks with it, so that both come to the same lines.
 *
 * Facts are added as they come, in any order and cut anywhere: work of one kind and price is summed before it is
 * priced, so no cut changes a total. Then the month is closed: withheld, released, forfeited, deducted; what is left is
 * payable. Whether a payable amount is paid or rolled over depends on all nodes of one payee together, so that is
 * the last step.
 */
#ifndef GRANARY_PAYMENTS_MONTH_H
#define GRANARY_PAYMENTS_MONTH_H

#include "payments/held.h"
#include "payments/price.h"
#include "payments/statement.h"

struct month {
	uint64_t at; /* its first second */
	struct sheet sheet;
	struct amount deductions; /* to be taken off, as far as there is something to take from */
};

/* An empty month, any instant of which is `at`. */
void month_begin(struct month *month, uint64_t at);
/* Storage of a day or part of it, at what is paid then (prices_paid). All: ERR_OVERFLOW, ERR_LIMIT. */
enum err month_add_stored(struct month *month, struct byte_seconds stored, const struct prices *prices) WARN_UNUSED;
/* Settled bytes of an action, at what is paid on the day they are settled; uploads add nothing. */
enum err month_add_traffic(struct month *month, enum action action, uint64_t bytes,
			   const struct prices *prices) WARN_UNUSED;
enum err month_add_bonus(struct month *month, struct amount amount) WARN_UNUSED;
/* Owed for an earlier month, YYYYMM (0: of no one month), and not withheld from. */
enum err month_add_correction(struct month *month, uint32_t period, struct amount amount) WARN_UNUSED;
/* Overpaid earlier. What the month cannot bear stays to be deducted: closed_month.left. */
enum err month_add_deduction(struct month *month, struct amount amount) WARN_UNUSED;

/* What the months before left behind. */
struct month_before {
	struct held_account held;
	struct amount rolled;	   /* of the statement before */
	struct amount deduct;	   /* still to be deducted */
	struct bytes32 cumulative; /* ever allotted to this node */
};

/* A closed month. payable is paid or rolled over; the sheet is complete. */
struct closed_month {
	uint32_t period;
	struct sheet sheet;
	struct sheet_sums sums;
	struct held_account held; /* after it */
	struct amount left;	  /* still to be deducted */
};
/* ERR_OVERFLOW, ERR_LIMIT, *ret as it was. Large: keep it off small stacks. */
enum err month_close(const struct month *month, const struct held_schedule *schedule, const struct standing *standing,
		     const struct month_before *before, struct closed_month *ret) WARN_UNUSED;

/* Whether a payee whose nodes' months are payable with `total` in all is paid, given the satellite's minimum. */
bool month_pays(struct amount total, struct amount minimum);

/* Whose statement it is, and what the payee was ever allotted by this satellite, this month included (the leaf of the
 * payout tree). */
struct statement_parties {
	struct address satellite;
	struct address node;
	struct address payee;
	struct bytes32 payee_cumulative;
};
/* The Statement to be signed. Adds to before.cumulative what is paid. ERR_OVERFLOW. */
enum err month_statement(const struct closed_month *closed, const struct statement_parties *parties,
			 const struct bytes32 *cumulative_before, bool pays, struct statement *ret) WARN_UNUSED;
/* What the next month begins with, given this one's statement. */
struct month_before month_after(const struct closed_month *closed, const struct statement *statement);

#endif
