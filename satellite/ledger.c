/* SQL of the ledger. */
#include "satellite/ledger.h"

#include <assert.h>
#include <string.h>

static const char *const account_names[LEDGER_ACCOUNTS] = {
	[LEDGER_EARNED] = "earned",	  [LEDGER_OWED] = "owed",	    [LEDGER_HELD] = "held",
	[LEDGER_ROLLED] = "rolled",	  [LEDGER_ALLOTTED] = "allotted",   [LEDGER_PAID] = "paid",
	[LEDGER_FORFEITED] = "forfeited", [LEDGER_TO_DEDUCT] = "to_deduct",
};

static const struct reason {
	const char *name;
	enum ledger_account debit, credit;
} reasons[LEDGER_REASONS] = {
	[LEDGER_FOR_STORAGE] = {"storage", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_EGRESS] = {"egress", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_AUDIT] = {"audit", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_REPAIR] = {"repair", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_BONUS] = {"bonus", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_CORRECTION] = {"correction", LEDGER_EARNED, LEDGER_OWED},
	[LEDGER_FOR_HELD] = {"held", LEDGER_OWED, LEDGER_HELD},
	[LEDGER_FOR_RELEASED] = {"released", LEDGER_HELD, LEDGER_OWED},
	[LEDGER_FOR_FORFEITED] = {"forfeited", LEDGER_HELD, LEDGER_FORFEITED},
	[LEDGER_FOR_CARRIED] = {"carried", LEDGER_ROLLED, LEDGER_OWED},
	[LEDGER_FOR_DEDUCTED] = {"deducted", LEDGER_OWED, LEDGER_TO_DEDUCT},
	[LEDGER_FOR_DEDUCTION] = {"deduction", LEDGER_TO_DEDUCT, LEDGER_EARNED},
	[LEDGER_FOR_ROLLED] = {"rolled", LEDGER_OWED, LEDGER_ROLLED},
	[LEDGER_FOR_ALLOTTED] = {"allotted", LEDGER_OWED, LEDGER_ALLOTTED},
	[LEDGER_FOR_PAID] = {"paid", LEDGER_ALLOTTED, LEDGER_PAID},
};

const char *ledger_account_name(unsigned account)
{
	return account > 0 && account < LEDGER_ACCOUNTS ? account_names[account] : "unknown";
}

const char *ledger_reason_name(unsigned reason)
{
	return reason > 0 && reason < LEDGER_REASONS ? reasons[reason].name : "unknown";
}

enum ledger_account ledger_debit(enum ledger_reason reason)
{
	return reasons[reason].debit;
}

enum ledger_account ledger_credit(enum ledger_reason reason)
{
	return reasons[reason].credit;
}

static void bind_party(struct query *q, const struct address *party)
{
	query_address(q, "party", party);
}

enum err ledger_post(struct database *db, const struct ledger_entry *entry)
{
	struct query *q;

	assert(entry->reason > 0 && entry->reason < LEDGER_REASONS);
	if (amount_units(entry->amount) == 0)
		return ERR_OK;
	q = database_query(db, "INSERT INTO entries (party, period, reason, ref, debit, credit, amount, at) VALUES "
			       "($party, $period, $reason, $ref, $debit, $credit, $amount, $at)");
	bind_party(q, &entry->party);
	query_int(q, "period", entry->period);
	query_int(q, "reason", entry->reason);
	query_bytes(q, "ref", entry->ref);
	query_int(q, "debit", reasons[entry->reason].debit);
	query_int(q, "credit", reasons[entry->reason].credit);
	query_int(q, "amount", amount_units(entry->amount));
	query_int(q, "at", entry->at);
	return query_run(q);
}

/* Columns: reason, debit, credit, sum. */
static enum err read_sums(struct query *q, struct ledger_sums *ret)
{
	bool row;
	enum err err;

	memset(ret, 0, sizeof(*ret));
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		uint64_t reason = query_get_int(q, 0);

		if (reason == 0 || reason >= LEDGER_REASONS || query_get_int(q, 1) != reasons[reason].debit ||
		    query_get_int(q, 2) != reasons[reason].credit) {
			err = ERR_CORRUPT;
			break;
		}
		ret->by_reason[reason] = amount_of(query_get_int(q, 3));
	}
	query_reset(q);
	return err;
}

enum err ledger_sum(struct database *db, const struct address *party, struct ledger_sums *ret)
{
	struct query *q = database_query(db, "SELECT reason, debit, credit, SUM(amount) FROM entries WHERE party = "
					     "$party GROUP BY reason, debit, credit");

	bind_party(q, party);
	return read_sums(q, ret);
}

enum err ledger_sum_month(struct database *db, const struct address *party, uint32_t period, struct ledger_sums *ret)
{
	struct query *q = database_query(db, "SELECT reason, debit, credit, SUM(amount) FROM entries WHERE party = "
					     "$party AND period = $period GROUP BY reason, debit, credit");

	bind_party(q, party);
	query_int(q, "period", period);
	return read_sums(q, ret);
}

__int128 ledger_balance(const struct ledger_sums *sums, enum ledger_account account)
{
	__int128 balance = 0;

	for (unsigned i = 1; i < LEDGER_REASONS; i++) {
		if (reasons[i].credit == account)
			balance += amount_units(sums->by_reason[i]);
		if (reasons[i].debit == account)
			balance -= amount_units(sums->by_reason[i]);
	}
	return balance;
}

enum err ledger_each(struct database *db, const struct address *party, ledger_visit *visit, void *arg)
{
	struct query *q = database_query(db, "SELECT period, reason, ref, amount, at FROM entries WHERE party = $party "
					     "ORDER BY period, reason, ref");
	bool row;
	enum err err;

	bind_party(q, party);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		const struct ledger_entry entry = {
			.party = *party,
			.period = (uint32_t)query_get_int(q, 0),
			.reason = (enum ledger_reason)query_get_int(q, 1),
			.ref = query_get_bytes(q, 2),
			.amount = amount_of(query_get_int(q, 3)),
			.at = query_get_int(q, 4),
		};

		err = visit(&entry, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
