/* granary-satellite ledger show, check. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "satellite/books_check.h"
#include "satellite/ledger.h"
#include "satellite/payout_commands.h"

/* Balances of one node, or of all: the satellite's. */
struct balances {
	const struct address *node; /* NULL: all */
	__int128 by_account[LEDGER_ACCOUNTS];
	json_t *entries; /* of the node */
};

static void add_sums(struct balances *balances, const struct ledger_sums *sums)
{
	for (unsigned i = 1; i < LEDGER_ACCOUNTS; i++)
		balances->by_account[i] += ledger_balance(sums, (enum ledger_account)i);
}

static enum err add_entry(const struct ledger_entry *entry, void *arg)
{
	json_t *entries = arg;
	char period[PERIOD_TEXT], *ref = malloc(2 * entry->ref.len + 1);

	if (ref == NULL)
		abort();
	hex_encode(entry->ref, ref);
	json_array_append_new(
		entries, json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I}", "period", period_print(entry->period, period),
				   "reason", ledger_reason_name(entry->reason), "from",
				   ledger_account_name(ledger_debit(entry->reason)), "to",
				   ledger_account_name(ledger_credit(entry->reason)), "amount",
				   (json_int_t)amount_units(entry->amount), "ref", ref, "at", (json_int_t)entry->at));
	free(ref);
	return ERR_OK;
}

static enum err sum_all(struct database *db, struct balances *balances)
{
	struct query *q = database_query(db, "SELECT reason, SUM(amount) FROM entries GROUP BY reason");
	struct ledger_sums sums = {{AMOUNT_INIT(0)}};
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		uint64_t reason = query_get_int(q, 0);

		if (reason > 0 && reason < LEDGER_REASONS)
			sums.by_reason[reason] = amount_of(query_get_int(q, 1));
	}
	if (err == ERR_OK)
		add_sums(balances, &sums);
	return err;
}

static enum err collect(struct database *db, void *arg)
{
	struct balances *balances = arg;
	struct ledger_sums sums;
	enum err err;

	memset(balances->by_account, 0, sizeof(balances->by_account));
	json_array_clear(balances->entries);
	if (balances->node == NULL)
		return sum_all(db, balances);
	err = ledger_sum(db, balances->node, &sums);
	if (err == ERR_OK)
		add_sums(balances, &sums);
	return err == ERR_OK ? ledger_each(db, balances->node, add_entry, balances->entries) : err;
}

static const char *text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static void print_balances(const struct balances *balances)
{
	for (unsigned i = 1; i < LEDGER_ACCOUNTS; i++) {
		__int128 balance = balances->by_account[i];
		char tokens[AMOUNT_TEXT];

		amount_print(amount_of((uint64_t)(balance < 0 ? -balance : balance)), tokens);
		printf("%-12s %s%s\n", ledger_account_name(i), balance < 0 ? "-" : "", tokens);
	}
}

static void print_balances_csv(const struct balances *balances)
{
	printf("account,balance\n");
	for (unsigned i = 1; i < LEDGER_ACCOUNTS; i++)
		printf("%s,%lld\n", ledger_account_name(i), (long long)balances->by_account[i]);
}

static void print_entries(const json_t *entries, bool csv)
{
	size_t i;
	json_t *entry;

	if (csv)
		printf("period,reason,from,to,amount,ref,at\n");
	else
		printf("%-8s %-12s %-10s %-10s %20s\n", "month", "reason", "from", "to", "amount");
	json_array_foreach(entries, i, entry) {
		uint64_t units = (uint64_t)json_integer_value(json_object_get(entry, "amount"));
		char tokens[AMOUNT_TEXT];

		if (csv)
			printf("%s,%s,%s,%s,%" PRIu64 ",%s,%lld\n", text_of(entry, "period"), text_of(entry, "reason"),
			       text_of(entry, "from"), text_of(entry, "to"), units, text_of(entry, "ref"),
			       (long long)json_integer_value(json_object_get(entry, "at")));
		else
			printf("%-8s %-12s %-10s %-10s %20s\n", text_of(entry, "period"), text_of(entry, "reason"),
			       text_of(entry, "from"), text_of(entry, "to"), amount_print(amount_of(units), tokens));
	}
}

static void print_as_json(const struct balances *balances)
{
	json_t *json = json_object();
	char address[KEY_ADDRESS_TEXT];

	for (unsigned i = 1; i < LEDGER_ACCOUNTS; i++)
		json_object_set_new(json, ledger_account_name(i), json_integer((json_int_t)balances->by_account[i]));
	json = json_pack("{s:o}", "balances", json);
	if (balances->node != NULL) {
		address_to_text(balances->node, address);
		json_object_set_new(json, "address", json_string(address));
		json_object_set(json, "entries", balances->entries);
	}
	commands_print_json(json);
}

int commands_ledger_show(struct options *options)
{
	struct balances balances = {.entries = json_array()};
	struct opened opened;
	struct address node;
	enum err err = opened_begin(&opened, options, NULL);

	if (err == ERR_OK && option_count(options, "node") > 0) {
		err = opened_node(&opened, options, &node);
		balances.node = &node;
	}
	if (err == ERR_OK) {
		err = database_view(opened.desk->db, collect, &balances);
		opened_explain(&opened, err, "");
	}
	if (err == ERR_OK && option_flag(options, "json")) {
		print_as_json(&balances);
	} else if (err == ERR_OK && option_flag(options, "csv") && balances.node != NULL) {
		print_entries(balances.entries, true);
	} else if (err == ERR_OK && option_flag(options, "csv")) {
		print_balances_csv(&balances);
	} else if (err == ERR_OK) {
		if (balances.node != NULL)
			print_entries(balances.entries, false);
		print_balances(&balances);
	}
	json_decref(balances.entries);
	return opened_end(&opened, err);
}

static void complain(void *arg, const char *what)
{
	json_array_append_new(arg, json_string(what));
}

static void print_checked(const struct books_checked *checked, json_t *wrong)
{
	size_t i;
	json_t *what;

	json_array_foreach(wrong, i, what)
		printf("%s\n", json_string_value(what));
	printf("%" PRIu64 " nodes, %" PRIu64 " months, %" PRIu64 " statements, %" PRIu64 " entries, %" PRIu64
	       " settled orders, %" PRIu64 " pieces: %" PRIu64 " wrong\n",
	       checked->nodes, checked->months, checked->statements, checked->entries, checked->settled,
	       checked->pieces, checked->wrong);
}

int commands_ledger_check(struct options *options)
{
	struct books_checked checked = {.wrong = 0};
	json_t *wrong = json_array();
	struct opened opened;
	enum err err = opened_begin(&opened, options, NULL);

	if (err == ERR_OK) {
		err = books_check(opened.desk, complain, wrong, &checked);
		opened_explain(&opened, err, "");
	}
	if (err == ERR_OK && option_flag(options, "json"))
		commands_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "nodes", (json_int_t)checked.nodes,
					      "months", (json_int_t)checked.months, "statements",
					      (json_int_t)checked.statements, "entries", (json_int_t)checked.entries,
					      "settled", (json_int_t)checked.settled, "pieces",
					      (json_int_t)checked.pieces, "wrong", wrong));
	else if (err == ERR_OK)
		print_checked(&checked, wrong);
	json_decref(wrong);
	if (err == ERR_OK && checked.wrong > 0) {
		snprintf(opened.why, sizeof(opened.why), "the books are wrong");
		err = ERR_CORRUPT;
	}
	return opened_end(&opened, err);
}
