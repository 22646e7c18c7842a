/*
 * The ledger: double entry, append-only.
 *
 * An entry moves an amount from one account of a party to another; the reason says which two. So the accounts of a
 *party always add up to zero, and each balance is a sum of entries. What comes from EARNED is the satellite's cost. A
 *closed month leaves nothing on OWED: it was withheld, rolled over or allotted.
 *
 *	EARNED ──> OWED ──> ALLOTTED ──> PAID	work, gifts; the tree of the month; the chain's transaction
 *	            │ ^
 *	            │ └──── ROLLED		below the minimum: once more next month
 *	            ├─────> HELD ──> FORFEITED	or back to OWED when it is released
 *	            └─────> TO_DEDUCT		overpaid earlier; below zero as long as something is left to be deducted
 *
 * The numbers of reasons up to DEDUCTED are those of a statement's lines.
 */
#ifndef GRANARY_SATELLITE_LEDGER_H
#define GRANARY_SATELLITE_LEDGER_H

#include "common/database.h"
#include "payments/sheet.h"

enum ledger_account {
	LEDGER_EARNED = 1,
	LEDGER_OWED = 2,
	LEDGER_HELD = 3,
	LEDGER_ROLLED = 4,
	LEDGER_ALLOTTED = 5,
	LEDGER_PAID = 6,
	LEDGER_FORFEITED = 7,
	LEDGER_TO_DEDUCT = 8,
};
#define LEDGER_ACCOUNTS (LEDGER_TO_DEDUCT + 1)

enum ledger_reason {
	LEDGER_FOR_STORAGE = LINE_STORAGE,
	LEDGER_FOR_EGRESS = LINE_EGRESS,
	LEDGER_FOR_AUDIT = LINE_AUDIT,
	LEDGER_FOR_REPAIR = LINE_REPAIR,
	LEDGER_FOR_BONUS = LINE_BONUS,
	LEDGER_FOR_CORRECTION = LINE_CORRECTION,
	LEDGER_FOR_HELD = LINE_HELD,
	LEDGER_FOR_RELEASED = LINE_RELEASED,
	LEDGER_FOR_FORFEITED = LINE_FORFEITED,
	LEDGER_FOR_CARRIED = LINE_CARRIED,
	LEDGER_FOR_DEDUCTED = LINE_DEDUCTED,
	LEDGER_FOR_DEDUCTION = 12, /* that is to be deducted */
	LEDGER_FOR_ROLLED = 13,
	LEDGER_FOR_ALLOTTED = 14,
	LEDGER_FOR_PAID = 15,
};
#define LEDGER_REASONS (LEDGER_FOR_PAID + 1)

/* "owed", "rolled"; for JSON, CSV and tables. "unknown" for others. Never NULL. */
const char *ledger_account_name(unsigned account);
const char *ledger_reason_name(unsigned reason);
/* The two accounts of a reason. */
enum ledger_account ledger_debit(enum ledger_reason reason);
enum ledger_account ledger_credit(enum ledger_reason reason);

struct ledger_entry {
	struct address party;
	uint32_t period; /* YYYYMM, to which it belongs */
	enum ledger_reason reason;
	struct bytes ref; /* of the thing behind it, or empty */
	struct amount amount;
	uint64_t at; /* Unix seconds */
};
/* Inside a transaction. Nothing for an amount of 0. ERR_EXISTS: party, period, reason and ref are there already. */
enum err ledger_post(struct database *db, const struct ledger_entry *entry) WARN_UNUSED;

/* What a party's entries add up to, by reason. ERR_CORRUPT for a row that names other accounts than its reason does. */
struct ledger_sums {
	struct amount by_reason[LEDGER_REASONS];
};
enum err ledger_sum(struct database *db, const struct address *party, struct ledger_sums *ret) WARN_UNUSED;
/* The same of one month. */
enum err ledger_sum_month(struct database *db, const struct address *party, uint32_t period,
			  struct ledger_sums *ret) WARN_UNUSED;
/* The balance of an account: what came less what went. May be below zero. */
__int128 ledger_balance(const struct ledger_sums *sums, enum ledger_account account);

/* A party's entries in the order of months. An error ends the walk. */
typedef enum err ledger_visit(const struct ledger_entry *entry, void *arg);
enum err ledger_each(struct database *db, const struct address *party, ledger_visit *visit, void *arg) WARN_UNUSED;

#endif
