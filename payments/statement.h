/*
 * The pay stub: a Statement, signed by the satellite, held against the sheet of lines that it commits to. Pure.
 *
 * This is what a stranger can check: that lines are quantity times price, add up to the Statement's numbers, and
 * leave nothing over. Whether the quantities are right, the two parties' books must say (month.h, sheet_compare).
 */
#ifndef GRANARY_PAYMENTS_STATEMENT_H
#define GRANARY_PAYMENTS_STATEMENT_H

#include "payments/sheet.h"

/* What can be wrong with a statement by itself; the first that applies. */
enum statement_fault {
	STATEMENT_SOUND = 0,
	STATEMENT_FAULT_PERIOD, /* no month */
	STATEMENT_FAULT_LINES,	/* the sheet is not the one that it commits to */
	STATEMENT_FAULT_AMOUNT, /* a line of work is not quantity * price, or held not its percent of the work */
	STATEMENT_FAULT_SUM,	/* lines add up to more than fits, or to less than nothing */
	STATEMENT_FAULT_EARNED, /* a number differs from the sum of its lines */
	STATEMENT_FAULT_HELD,
	STATEMENT_FAULT_RELEASED,
	STATEMENT_FAULT_FORFEITED,
	STATEMENT_FAULT_PAID,	    /* paid and rolled are not payable and 0, or 0 and payable */
	STATEMENT_FAULT_CUMULATIVE, /* less was allotted in all than in this month */
};
#define STATEMENT_FAULTS (STATEMENT_FAULT_CUMULATIVE + 1)

/* The signature is not looked at: typed_verify does that. */
enum statement_fault statement_check(const struct statement *statement, const struct sheet *sheet) WARN_UNUSED;
/* A phrase for people. Never NULL. */
const char *statement_fault_text(enum statement_fault fault);

#endif
