/*
 * The sheet of a statement: the lines that its numbers are sums of, and the codes beside them. Pure.
 *
 * Every number of a Statement is a sum of lines, so each can be traced to what was done. Lines are sorted and unique by
 * kind and key, so the same facts make the same bytes, and so the same commitment, on either side.
 */
#ifndef GRANARY_PAYMENTS_SHEET_H
#define GRANARY_PAYMENTS_SHEET_H

#include "payments/tally.h"

#define SHEET_LINES 256	    /* most of one sheet: 4 kinds of work, 31 days with a price each, and some */
#define SHEET_LINE_BYTES 33 /* in its encoding */
#define SHEET_BYTES (1 + SHEET_LINES * SHEET_LINE_BYTES)

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

struct sheet_line {
	uint8_t kind; /* enum line_kind */
	uint128 quantity;
	struct amount price; /* of work; else 0 */
	struct amount amount;
};

/* What an operator sees beside the pay, as bits of a sheet's first byte; in the order of the letters. */
enum sheet_code {
	SHEET_DISQUALIFIED = 1, /* D */
	SHEET_EXITED = 2,	/* X */
	SHEET_EXITING = 4,	/* I */
	SHEET_OFFLINE = 8,	/* O */
	SHEET_WITHHOLDING = 16, /* E: in a month of which a part is withheld */
	SHEET_BONUS = 32,	/* B */
};
#define SHEET_CODES 63 /* all of them */
#define SHEET_CODES_TEXT 7

struct sheet {
	uint8_t codes; /* of enum sheet_code */
	size_t count;
	struct sheet_line lines[SHEET_LINES];
};

/* "storage"; for JSON, CSV and tables. "unknown" for others. Never NULL. */
const char *sheet_kind_name(enum line_kind kind);
/* "EB"; "" for none. Returns out. */
char *sheet_codes_print(uint8_t codes, char out[SHEET_CODES_TEXT]);

/* Add work to the line of its kind and price, or begin one. `kind`: STORAGE to REPAIR. The amount is made when all is
 * added (sheet_price), so that rounding happens once. ERR_OVERFLOW; ERR_LIMIT: SHEET_LINES. */
enum err sheet_add_work(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount price) WARN_UNUSED;
/* Add money to the line of its kind and key, or begin one of this quantity. `kind`: BONUS and after. */
enum err sheet_add_money(struct sheet *sheet, enum line_kind kind, uint128 quantity, struct amount amount) WARN_UNUSED;
/* What a line of work comes to in the month that holds `at`: quantity * price, rounded down. ERR_OVERFLOW. */
enum err sheet_line_amount(const struct sheet_line *line, uint64_t at, struct amount *ret) WARN_UNUSED;
/* Set the amounts of all lines of work. After an error some are set. */
enum err sheet_price(struct sheet *sheet, uint64_t at) WARN_UNUSED;

/* Sums of a sheet's lines, and what is left to pay or to roll over:
 * payable = earned - held + released + carried - deducted. */
struct sheet_sums {
	struct amount work; /* storage, egress, audit, repair */
	struct amount bonus;
	struct amount corrections;
	struct amount earned; /* these three */
	struct amount held;
	struct amount released;
	struct amount forfeited;
	struct amount carried;
	struct amount deducted;
	struct amount payable;
};
/* ERR_OVERFLOW when a sum does not fit or payable is below zero; ERR_FORMAT for a kind that there is not. */
enum err sheet_sum(const struct sheet *sheet, struct sheet_sums *ret) WARN_UNUSED;

/* The sheet's bytes, which stand beside a Statement in messages, files and evidence: u8 codes ‖ lines of
 * SHEET_LINE_BYTES. The writer needs room for them. */
void sheet_encode(const struct sheet *sheet, struct writer *w);
/* ERR_FORMAT unless it is whole lines of known kinds, sorted and unique; ERR_LIMIT for too many. Amounts are not
 * checked (statement_check does). */
enum err sheet_decode(struct bytes from, struct sheet *ret) WARN_UNUSED;
/* Statement.lines: keccak256 of these bytes. */
void sheet_commit(const struct sheet *sheet, struct bytes32 *ret);

/* Two sheets of one month line by line: which lines one has and the other has not, or says differently. `ours` or
 * `theirs` is NULL when there is no such line on that side. Returns how many differ. */
typedef void sheet_differ_fn(void *arg, const struct sheet_line *ours, const struct sheet_line *theirs);
size_t sheet_compare(const struct sheet *ours, const struct sheet *theirs, sheet_differ_fn *differ, void *arg);

#endif
