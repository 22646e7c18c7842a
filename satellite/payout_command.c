/* granary-satellite payout preview, close: the month's pay stubs as a table, JSON or CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "payments/u256.h"
#include "satellite/closing.h"
#include "satellite/commands.h"
#include "satellite/payout_commands.h"

/* The numbers of a stub that are money, in base units. */
static const char *const money_names[] = {"work",      "bonus",	  "corrections", "earned",  "held",   "released",
					  "forfeited", "carried", "deducted",	 "payable", "rolled", "paid"};

#define MONEY (sizeof(money_names) / sizeof(money_names[0]))

static void money_of(const struct stub *stub, uint64_t out[MONEY])
{
	const struct sheet_sums *sums = &stub->sums;
	const uint64_t all[MONEY] = {
		amount_units(sums->work),      amount_units(sums->bonus),   amount_units(sums->corrections),
		amount_units(sums->earned),    amount_units(sums->held),    amount_units(sums->released),
		amount_units(sums->forfeited), amount_units(sums->carried), amount_units(sums->deducted),
		amount_units(sums->payable),   stub->statement.rolled,	    stub->statement.paid,
	};

	memcpy(out, all, sizeof(all));
}

static char *print_u128(uint128 value, char out[U256_TEXT])
{
	struct bytes32 wide = {{0}};

	put_be64(wide.b + 16, (uint64_t)(value >> 64));
	put_be64(wide.b + 24, (uint64_t)value);
	return u256_print(&wide, out);
}

static json_t *lines_json(const struct sheet *sheet)
{
	json_t *lines = json_array();
	char quantity[U256_TEXT];

	for (size_t i = 0; i < sheet->count; i++) {
		const struct sheet_line *line = &sheet->lines[i];

		json_array_append_new(lines, json_pack("{s:s, s:s, s:I, s:I}", "kind",
						       sheet_kind_name((enum line_kind)line->kind), "quantity",
						       print_u128(line->quantity, quantity), "price",
						       (json_int_t)amount_units(line->price), "amount",
						       (json_int_t)amount_units(line->amount)));
	}
	return lines;
}

static void add_money(json_t *json, const uint64_t money[MONEY])
{
	for (size_t i = 0; i < MONEY; i++)
		json_object_set_new(json, money_names[i], json_integer((json_int_t)money[i]));
}

static json_t *stub_json(const struct stub *stub, const struct sheet *sheet)
{
	char id[KEY_ID_HEX], node[KEY_ADDRESS_TEXT], payee[KEY_ADDRESS_TEXT], codes[SHEET_CODES_TEXT];
	char own[U256_TEXT], all[U256_TEXT];
	uint64_t money[MONEY];
	json_t *json;

	id_to_hex(&stub->id, id);
	address_to_text(&stub->statement.node, node);
	address_to_text(&stub->statement.payee, payee);
	json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:o}", "id", id, "address", node, "payee", payee, "codes",
			 sheet_codes_print(stub->codes, codes), "stored_bytes", (json_int_t)stub->carried.bytes,
			 "node_cumulative", u256_print(&stub->statement.nodeCumulative, own), "payee_cumulative",
			 u256_print(&stub->statement.payeeCumulative, all), "lines", lines_json(sheet));
	money_of(stub, money);
	add_money(json, money);
	return json;
}

static void print_as_json(const struct closing *closing)
{
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	uint64_t totals[MONEY] = {0}, money[MONEY];
	json_t *nodes = json_array(), *total = json_object();
	char period[PERIOD_TEXT];

	for (size_t i = 0; i < closing->count; i++) {
		if (sheet_decode(closing->stubs[i].sheet, sheet) != ERR_OK)
			abort(); /* it was encoded by us */
		json_array_append_new(nodes, stub_json(&closing->stubs[i], sheet));
		money_of(&closing->stubs[i], money);
		for (size_t j = 0; j < MONEY; j++)
			totals[j] += money[j];
	}
	add_money(total, totals);
	commands_print_json(json_pack("{s:s, s:b, s:I, s:I, s:o, s:o}", "period",
				      period_print(closing->stretch.period, period), "closed", closing->closed, "from",
				      (json_int_t)(closing->stretch.first_day * USAGE_DAY), "until",
				      (json_int_t)closing->stretch.until, "total", total, "nodes", nodes));
	free(sheet);
}

/* Quantities of work, by kind. */
static void sum_work(const struct sheet *sheet, uint128 out[LINE_REPAIR + 1])
{
	memset(out, 0, (LINE_REPAIR + 1) * sizeof(*out));
	for (size_t i = 0; i < sheet->count; i++)
		if (sheet->lines[i].kind <= LINE_REPAIR)
			out[sheet->lines[i].kind] += sheet->lines[i].quantity;
}

static void print_as_csv(const struct closing *closing)
{
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	char period[PERIOD_TEXT];

	printf("period,id,address,payee,codes,storage_byte_seconds,egress_bytes,audit_bytes,repair_bytes");
	for (size_t i = 0; i < MONEY; i++)
		printf(",%s", money_names[i]);
	printf(",node_cumulative,payee_cumulative\n");
	for (size_t i = 0; i < closing->count; i++) {
		const struct stub *stub = &closing->stubs[i];
		char id[KEY_ID_HEX], node[KEY_ADDRESS_TEXT], payee[KEY_ADDRESS_TEXT], codes[SHEET_CODES_TEXT];
		char text[U256_TEXT];
		uint128 work[LINE_REPAIR + 1];
		uint64_t money[MONEY];

		if (sheet_decode(stub->sheet, sheet) != ERR_OK)
			abort();
		id_to_hex(&stub->id, id);
		address_to_text(&stub->statement.node, node);
		address_to_text(&stub->statement.payee, payee);
		printf("%s,%s,%s,%s,%s", period_print(closing->stretch.period, period), id, node, payee,
		       sheet_codes_print(stub->codes, codes));
		sum_work(sheet, work);
		for (unsigned kind = LINE_STORAGE; kind <= LINE_REPAIR; kind++)
			printf(",%s", print_u128(work[kind], text));
		money_of(stub, money);
		for (size_t j = 0; j < MONEY; j++)
			printf(",%" PRIu64, money[j]);
		printf(",%s", u256_print(&stub->statement.nodeCumulative, text));
		printf(",%s\n", u256_print(&stub->statement.payeeCumulative, text));
	}
	free(sheet);
}

static void print_as_text(const struct closing *closing)
{
	char period[PERIOD_TEXT], from[32], until[32], tokens[5][AMOUNT_TEXT];
	uint64_t paid = 0, rolled = 0, held = 0;

	printf("%s, from %s to %s%s\n", period_print(closing->stretch.period, period),
	       clock_format(closing->stretch.first_day * USAGE_DAY, from, sizeof(from)),
	       clock_format(closing->stretch.until, until, sizeof(until)), closing->closed ? ", closed" : "");
	printf("%-22s %-5s %16s %16s %16s %16s %16s  %s\n", "node", "codes", "earned", "held", "released",
	       "rolled over", "paid", "to");
	for (size_t i = 0; i < closing->count; i++) {
		const struct statement *statement = &closing->stubs[i].statement;
		char id[KEY_ID_HEX], payee[KEY_ADDRESS_TEXT], codes[SHEET_CODES_TEXT];

		id_to_hex(&closing->stubs[i].id, id);
		address_to_text(&statement->payee, payee);
		printf("%.20s…  %-5s %16s %16s %16s %16s %16s  %s\n", id,
		       sheet_codes_print(closing->stubs[i].codes, codes),
		       amount_print(amount_of(statement->earned), tokens[0]),
		       amount_print(amount_of(statement->held), tokens[1]),
		       amount_print(amount_of(statement->released), tokens[2]),
		       amount_print(amount_of(statement->rolled), tokens[3]),
		       amount_print(amount_of(statement->paid), tokens[4]), payee);
		paid += statement->paid;
		rolled += statement->rolled;
		held += statement->held;
	}
	printf("%zu nodes: %s paid, %s rolled over, %s held\n", closing->count,
	       amount_print(amount_of(paid), tokens[0]), amount_print(amount_of(rolled), tokens[1]),
	       amount_print(amount_of(held), tokens[2]));
}

static int run(struct options *options, bool close)
{
	struct opened opened;
	struct closing closing = {.count = 0};
	uint32_t period = 0;
	enum err err = opened_begin(&opened, options, &period);

	if (err == ERR_OK && close)
		err = opened_require_period(&opened, period);
	/* The clock is right once the books are open: a test network has its own. */
	if (err == ERR_OK && period == 0)
		period = month_period(clock_wall());
	if (err == ERR_OK) {
		err = close ? closing_close(opened.desk, period, clock_wall(), &closing)
			    : closing_preview(opened.desk, period, clock_wall(), &closing);
		opened_explain(&opened, err, closing.why);
	}
	if (err == ERR_OK && option_flag(options, "json"))
		print_as_json(&closing);
	else if (err == ERR_OK && option_flag(options, "csv"))
		print_as_csv(&closing);
	else if (err == ERR_OK)
		print_as_text(&closing);
	closing_free(&closing);
	return opened_end(&opened, err);
}

int commands_payout_preview(struct options *options)
{
	return run(options, false);
}

int commands_payout_close(struct options *options)
{
	return run(options, true);
}
