/*
 * The pay stub: a Statement, signed by the satellite, and the sheet of lines that it commits to. Pure.
 *
 * Every number of a Statement is a sum of lines, so each can be traced to what was done. Lines are sorted and unique by
 * kind and key, so the same facts make the same bytes, and so the same commitment, on either side.
 */
#ifndef GRANARY_PAYMENTS_STATEMENT_H
#define GRANARY_PAYMENTS_STATEMENT_H

#include "payments/tally.h"

#define STATEMENT_LINES 256 /* most of one statement: 4 kinds of work, 31 days with a price each, and some */
#define STATEMENT_LINE 33   /* bytes of a line */
#define STATEMENT_SHEET (1 + STATEMENT_LINES * STATEMENT_LINE)

/* What a line is of; in brackets its quantity, and its key where that is not 0. The number is the order, too. */
enum line_kind {
	LINE_STORAGE = 1, /* work: [byte-seconds; key: price], price per TB-month */
	LINE_EGRESS = 2,  /* [bytes; key: price], price per TB, as the next two */
	LINE_AUDIT = 3,
	LINE_REPAIR = 4,
	LINE_BONUS = 5,	     /* a gift [0] */
	LINE_CORRECTION = 6, /* owed for an earlier month [its period; key: that] */
	LINE_HELD = 7,	     /* withheld of the work [percent] */
	LINE_RELEASED = 8,   /* of what was withheld before [0] */
	LINE_FORFEITED = 9,  /* of what was withheld, this month's included [0] */
	LINE_CARRIED = 10,   /* rolled over from the month before [0] */
	LINE_DEDUCTED = 11,  /* overpaid earlier, taken off now [what is left of it, base units] */
};

struct statement_line {
	uint8_t kind; /* enum line_kind */
	uint128 quantity;
	struct amount price; /* of work; else 0 */
	struct amount amount;
};

/* What an operator sees beside the pay, as bits of a sheet's first byte; in the order of the letters. */
enum statement_code {
	STATEMENT_DISQUALIFIED = 1, /* D */
	STATEMENT_EXITED = 2,	    /* X */
	STATEMENT_EXITING = 4,	    /* I */
	STATEMENT_OFFLINE = 8,	    /* O */
	STATEMENT_WITHHOLDING = 16, /* E: in a month of which a part is withheld */
	STATEMENT_BONUS = 32,	    /* B */
};
#define STATEMENT_CODES 63
#define STATEMENT_CODES_TEXT 7

struct sheet {
	uint8_t codes; /* of enum statement_code */
	size_t count;
	struct statement_line lines[STATEMENT_LINES];
};

/* "storage"; for JSON, CSV and tables. "unknown" for others. Never NULL. */
const char *line_kind_name(enum line_kind kind);
/* "EB"; "" for none. Returns out. */
char *statement_codes_print(uint8_t codes, char out[STATEMENT_CODES_TEXT]);

/* Add work to the line of its kind and price, or begin one. `kind`: STORAGE to REPAIR. The amount is made when all is
 * added (sheet_price), so that rounding happens once. ERR_OVERFLOW, ERR_LIMIT: STATEMENT_LINES. */
enum err sheet_add_work(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount price) WARN_UNUSED;
/* Add money to the line of its kind and quantity, or begin one. `kind`: BONUS and after. */
enum err sheet_add_money(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount amount) WARN_UNUSED;
/* Set the amounts of all work of a month, any instant of which is `at`: quantity * price, rounded down. */
enum err sheet_price(struct sheet *sheet, uint64_t at) WARN_UNUSED;

/* Sums of a sheet's lines, and what is left to pay or to roll over:
 * payable = earned - held + released + carried - deducted. */
struct sheet_sums {
	struct amount work;   /* storage, egress, audit, repair */
	struct amount earned; /* work, bonus, corrections */
	struct amount held;
	struct amount released;
	struct amount forfeited;
	struct amount carried;
	struct amount deducted;
	struct amount payable;
};
/* ERR_OVERFLOW when a sum does not fit or payable is below zero. */
enum err sheet_sum(const struct sheet *sheet, struct sheet_sums *ret) WARN_UNUSED;

/* The sheet's bytes, which stand beside a Statement in messages, files and evidence: u8 codes ‖ lines of
 * STATEMENT_LINE bytes. The writer needs room for them. */
void sheet_encode(const struct sheet *sheet, struct writer *w);
/* ERR_FORMAT unless it is whole lines of known kinds, sorted and unique; ERR_LIMIT for too many. Amounts are not
 * checked (statement_check does). */
enum err sheet_decode(struct bytes from, struct sheet *ret) WARN_UNUSED;
/* Statement.lines: keccak256 of these bytes. */
void sheet_commit(const struct sheet *sheet, struct bytes32 *ret);

/* What can be wrong with a statement by itself; the first that applies. */
enum statement_fault {
	STATEMENT_SOUND = 0,
	STATEMENT_FAULT_PERIOD, /* no month */
	STATEMENT_FAULT_LINES,	/* the sheet is not the one that it commits to */
	STATEMENT_FAULT_AMOUNT, /* a line of work is not quantity * price, or held not its percent */
	STATEMENT_FAULT_SUM,	/* lines add up to more than fits, or to less than nothing */
	STATEMENT_FAULT_EARNED, /* a number differs from the sum of its lines */
	STATEMENT_FAULT_HELD,
	STATEMENT_FAULT_RELEASED,
	STATEMENT_FAULT_FORFEITED,
	STATEMENT_FAULT_PAID,	    /* paid and rolled are not payable and 0, or 0 and payable */
	STATEMENT_FAULT_CUMULATIVE, /* less was allotted to the payee than to this node this month */
};
enum statement_fault statement_check(const struct statement *statement, const struct sheet *sheet) WARN_UNUSED;
/* "amount"; for JSON. And a phrase. Never NULL. */
const char *statement_fault_name(enum statement_fault fault);
const char *statement_fault_text(enum statement_fault fault);

/* Two sheets of one month line by line: which lines one has and the other has not, or says differently. `ours` or
 * `theirs` is NULL when there is no such line on that side. Returns how many differ. */
typedef void sheet_differ_fn(void *arg, const struct statement_line *ours, const struct statement_line *theirs);
size_t sheet_compare(const struct sheet *ours, const struct sheet *theirs, sheet_differ_fn *differ, void *arg);

/* A month's first second from YYYYMM. ERR_RANGE for what is no month, or before 1970. */
enum err period_start(uint32_t period, uint64_t *ret) WARN_UNUSED;

#endif
