/* granary-satellite payout export, record, adjust; standing; ledger show. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "payments/u256.h"
#include "satellite/adjustments.h"
#include "satellite/ledger.h"
#include "satellite/payout_commands.h"
#include "satellite/payouts.h"
#include "satellite/standings.h"

static enum err write_stdout(void *arg, const char *text, size_t len)
{
	(void)arg;
	return fwrite(text, 1, len, stdout) == len ? ERR_OK : ERR_IO;
}

/* A line per payee: what it can claim in all, and for which nodes. */
struct table {
	uint32_t period;
	char *why;
};

static enum err print_leaf(struct database *db, uint32_t period, const struct payout_leaf *leaf)
{
	char address[KEY_ADDRESS_TEXT], cumulative[U256_TEXT];
	struct address *nodes = NULL;
	size_t count = 0;
	enum err err = payouts_nodes(db, period, &leaf->payee, &nodes, &count);

	if (err != ERR_OK)
		return err;
	address_to_text(&leaf->payee, address);
	printf("%s,%s,", address, u256_print(&leaf->cumulative, cumulative));
	for (size_t i = 0; i < count; i++) {
		address_to_text(&nodes[i], address);
		printf("%s%s", i == 0 ? "" : " ", address);
	}
	putchar('\n');
	free(nodes);
	return ERR_OK;
}

static enum err print_table(struct database *db, void *arg)
{
	const struct table *table = arg;
	struct payout payout = {.tree = NULL};
	enum err err = payouts_build(db, table->period, &payout, table->why);

	if (err == ERR_OK)
		printf("payee,cumulative,nodes\n");
	for (size_t i = 0; err == ERR_OK && i < payout_tree_count(payout.tree); i++)
		err = print_leaf(db, table->period, payout_tree_leaf(payout.tree, i));
	payouts_free(&payout);
	return err;
}

int commands_payout_export(struct options *options)
{
	char sentence[PAYOUTS_WHY] = "";
	struct opened opened;
	struct table table = {.why = sentence};
	enum err err = opened_begin(&opened, options, &table.period);

	if (err == ERR_OK)
		err = opened_require_period(&opened, table.period);
	if (err == ERR_OK) {
		if (option_flag(options, "csv"))
			err = database_view(opened.desk->db, print_table, &table);
		else
			err = payouts_export(opened.desk, table.period, write_stdout, NULL, sentence);
		opened_explain(&opened, err, sentence);
	}
	if (err == ERR_OK && fflush(stdout) != 0) {
		snprintf(opened.why, sizeof(opened.why), "cannot write to the standard output");
		err = ERR_IO;
	}
	return opened_end(&opened, err);
}

static enum err read_transaction(struct opened *opened, const struct options *options, struct bytes32 *ret)
{
	const char *text = option_text(options, "transaction");

	if (text == NULL || strncmp(text, "0x", 2) != 0 || hex_decode(text + 2, ret->b, sizeof(ret->b)) != ERR_OK) {
		snprintf(opened->why, sizeof(opened->why), "--transaction 0x… is needed: 64 hex digits");
		return ERR_USAGE;
	}
	return ERR_OK;
}

static void print_record(const struct options *options, uint32_t period, uint64_t nodes, uint64_t units)
{
	char month[PERIOD_TEXT], tokens[AMOUNT_TEXT];

	period_print(period, month);
	amount_print(amount_of(units), tokens);
	if (option_flag(options, "json"))
		commands_print_json(json_pack("{s:s, s:I, s:I}", "period", month, "statements", (json_int_t)nodes,
					      "paid", (json_int_t)units));
	else
		printf("%s: %" PRIu64 " statements, %s tokens paid\n", month, nodes, tokens);
}

int commands_payout_record(struct options *options)
{
	char sentence[PAYOUTS_WHY] = "";
	struct opened opened;
	struct bytes32 transaction;
	uint64_t nodes = 0, units = 0;
	uint32_t period = 0;
	enum err err = opened_begin(&opened, options, &period);

	if (err == ERR_OK)
		err = opened_require_period(&opened, period);
	if (err == ERR_OK)
		err = read_transaction(&opened, options, &transaction);
	if (err == ERR_OK) {
		err = payouts_record(opened.desk, period, &transaction, clock_wall(), &nodes, &units, sentence);
		opened_explain(&opened, err, sentence);
	}
	if (err == ERR_OK)
		print_record(options, period, nodes, units);
	return opened_end(&opened, err);
}

static const struct {
	const char *name;
	enum line_kind kind;
} adjustment_kinds[] = {{"bonus", LINE_BONUS}, {"correction", LINE_CORRECTION}, {"deduction", LINE_DEDUCTED}};

static enum err read_adjustment(struct opened *opened, const struct options *options, struct adjustment *ret)
{
	const char *kind = option_text(options, "kind"), *concerns = option_text(options, "concerns");

	for (size_t i = 0; i < sizeof(adjustment_kinds) / sizeof(adjustment_kinds[0]); i++)
		if (strcmp(kind, adjustment_kinds[i].name) == 0)
			ret->kind = adjustment_kinds[i].kind;
	ret->amount = amount_of(option_int(options, "amount"));
	ret->note = option_text(options, "note") == NULL ? "" : option_text(options, "note");
	if (amount_units(ret->amount) == 0) {
		snprintf(opened->why, sizeof(opened->why), "--amount TOKENS is needed");
		return ERR_USAGE;
	}
	if (concerns != NULL && (ret->kind != LINE_CORRECTION || period_parse(concerns, &ret->concerns) != ERR_OK)) {
		snprintf(opened->why, sizeof(opened->why), "--concerns %s: the month, as YYYY-MM, of a correction",
			 concerns);
		return ERR_USAGE;
	}
	return opened_node(opened, options, &ret->node);
}

static enum err add_adjustment(struct database *db, void *arg)
{
	return adjustments_add(db, arg);
}

int commands_payout_adjust(struct options *options)
{
	struct opened opened;
	struct adjustment adjustment = {.at = 0};
	enum err err = opened_begin(&opened, options, &adjustment.period);

	if (err == ERR_OK && adjustment.period == 0)
		adjustment.period = month_period(clock_wall());
	if (err == ERR_OK)
		err = read_adjustment(&opened, options, &adjustment);
	if (err == ERR_OK) {
		adjustment.at = clock_wall();
		err = database_transaction(opened.desk->db, add_adjustment, &adjustment);
		opened_explain(&opened, err, "");
		if (err == ERR_EXPIRED)
			snprintf(opened.why, sizeof(opened.why), "that month is closed: name a later --period");
		else if (err == ERR_EARLY)
			snprintf(opened.why, sizeof(opened.why), "that month has not begun: name an earlier --period");
	}
	return opened_end(&opened, err);
}

struct note {
	struct address node;
	enum standing_state state;
	uint64_t at;
	const char *note;
};

static enum err note_standing(struct database *db, void *arg)
{
	const struct note *note = arg;

	return standings_note(db, &note->node, note->state, note->at, note->note);
}

int commands_standing(struct options *options)
{
	static const char *const states[] = {
		[STANDING_DISQUALIFIED] = "disqualified", [STANDING_EXITING] = "exiting", [STANDING_EXITED] = "exited"};
	const char *state = option_text(options, "state"), *text = option_text(options, "note");
	struct note note = {.note = text == NULL ? "" : text};
	struct opened opened;
	enum err err = opened_begin(&opened, options, NULL);

	for (unsigned i = STANDING_DISQUALIFIED; state != NULL && i <= STANDING_EXITED; i++)
		if (strcmp(state, states[i]) == 0)
			note.state = (enum standing_state)i;
	if (err == ERR_OK && note.state == 0) {
		snprintf(opened.why, sizeof(opened.why), "--state is needed");
		err = ERR_USAGE;
	}
	if (err == ERR_OK)
		err = opened_node(&opened, options, &note.node);
	if (err == ERR_OK) {
		note.at = clock_wall();
		err = database_transaction(opened.desk->db, note_standing, &note);
		opened_explain(&opened, err, "");
		if (err == ERR_EXISTS)
			snprintf(opened.why, sizeof(opened.why), "the node is %s already", state);
		else if (err == ERR_CONFLICT)
			snprintf(opened.why, sizeof(opened.why),
				 "a disqualified node does not leave in good order, nor the other way round");
	}
	return opened_end(&opened, err);
}
