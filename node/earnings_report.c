/* From struct earned_month to JSON, and from there to text. */
#include "node/earnings_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/options.h"
#include "payments/u256.h"

#define DAY_TEXT 11

/* To JSON. */

static json_t *json_amount(struct amount amount)
{
	char text[AMOUNT_TEXT];

	return json_string(amount_print(amount, text));
}

static json_t *json_u128(uint128 value)
{
	struct bytes32 wide = {{0}};
	char text[U256_TEXT];

	for (int i = 0; i < 16; i++)
		wide.b[31 - i] = (uint8_t)(value >> (8 * i));
	return json_string(u256_print(&wide, text));
}

static char *print_day(uint32_t day, char out[DAY_TEXT])
{
	char full[24];

	clock_format((uint64_t)day * USAGE_DAY, full, sizeof(full));
	snprintf(out, DAY_TEXT, "%.10s", full);
	return out;
}

static json_t *json_day(const struct earnings_day *day)
{
	char text[DAY_TEXT];
	json_t *json = json_object();

	json_object_set_new(json, "day", json_string(print_day(day->day, text)));
	json_object_set_new(json, "signed", json_boolean(day->is_signed));
	json_object_set_new(json, "estimate", json_boolean(day->is_estimate));
	json_object_set_new(json, "byte_seconds", json_u128(byte_seconds_value(day->stored)));
	json_object_set_new(json, "egress", json_integer((json_int_t)day->egress));
	json_object_set_new(json, "audit", json_integer((json_int_t)day->audit));
	json_object_set_new(json, "repair", json_integer((json_int_t)day->repair));
	json_object_set_new(json, "orders", json_integer((json_int_t)day->orders));
	json_object_set_new(json, "price_storage", json_amount(day->prices.storage));
	json_object_set_new(json, "price_egress", json_amount(day->prices.egress));
	json_object_set_new(json, "price_audit", json_amount(day->prices.audit));
	json_object_set_new(json, "price_repair", json_amount(day->prices.repair));
	return json;
}

/* Days of nothing, as those before the node was there, are left out. */
static bool has_something(const struct earnings_day *day)
{
	return day->is_signed || byte_seconds_value(day->stored) > 0 || day->egress + day->audit + day->repair > 0 ||
	       day->orders > 0;
}

static json_t *json_line(const struct sheet_line *line)
{
	json_t *json = json_object();

	json_object_set_new(json, "kind", json_string(sheet_kind_name((enum line_kind)line->kind)));
	json_object_set_new(json, "quantity", json_u128(line->quantity));
	json_object_set_new(json, "price", json_amount(line->price));
	json_object_set_new(json, "amount", json_amount(line->amount));
	return json;
}

static json_t *json_sums(const struct sheet_sums *sums)
{
	json_t *json = json_object();

	json_object_set_new(json, "work", json_amount(sums->work));
	json_object_set_new(json, "bonus", json_amount(sums->bonus));
	json_object_set_new(json, "corrections", json_amount(sums->corrections));
	json_object_set_new(json, "earned", json_amount(sums->earned));
	json_object_set_new(json, "held", json_amount(sums->held));
	json_object_set_new(json, "released", json_amount(sums->released));
	json_object_set_new(json, "forfeited", json_amount(sums->forfeited));
	json_object_set_new(json, "carried", json_amount(sums->carried));
	json_object_set_new(json, "deducted", json_amount(sums->deducted));
	json_object_set_new(json, "payable", json_amount(sums->payable));
	return json;
}

static json_t *json_theirs(const struct earned_month *e)
{
	struct sheet_sums sums;
	char codes[SHEET_CODES_TEXT], number[U256_TEXT], address[KEY_ADDRESS_TEXT];
	json_t *json;

	/* A statement that does not add up was not kept. */
	if (!e->has_statement || sheet_sum(&e->sheet, &sums) != ERR_OK)
		return json_null();
	json = json_sums(&sums);
	json_object_set_new(json, "paid", json_amount(amount_of(e->statement.paid)));
	json_object_set_new(json, "rolled", json_amount(amount_of(e->statement.rolled)));
	json_object_set_new(json, "codes", json_string(sheet_codes_print(e->sheet.codes, codes)));
	json_object_set_new(json, "node_cumulative", json_string(u256_print(&e->statement.nodeCumulative, number)));
	json_object_set_new(json, "payee_cumulative", json_string(u256_print(&e->statement.payeeCumulative, number)));
	address_to_text(&e->statement.payee, address);
	json_object_set_new(json, "payee", json_string(address));
	return json;
}

/* What one would show to prove it. */
static const char *evidence_of(enum line_kind kind)
{
	switch (kind) {
	case LINE_STORAGE:
		return "the signed usages of the month's days, and the signed prices";
	case LINE_EGRESS:
	case LINE_REPAIR:
		return "the settlements of the month with both signatures, their orders, and the signed prices";
	case LINE_AUDIT:
		return "what this node answered to audits, and the signed prices";
	case LINE_BONUS:
	case LINE_CORRECTION:
		return "the satellite's word";
	case LINE_HELD:
		return "the lines of work, of which this is a percentage";
	case LINE_RELEASED:
	case LINE_FORFEITED:
	case LINE_CARRIED:
	case LINE_DEDUCTED:
		return "the signed statements of the months before";
	}
	return "";
}

static json_t *json_differences(const struct earned_month *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->difference_count; i++) {
		const struct earnings_difference *d = &e->differences[i];
		json_t *json = json_object();

		json_object_set_new(json, "kind", json_string(sheet_kind_name(d->kind)));
		json_object_set_new(json, "ours", d->ours_there ? json_line(&d->ours) : json_null());
		json_object_set_new(json, "theirs", d->theirs_there ? json_line(&d->theirs) : json_null());
		json_object_set_new(json, "evidence", json_string(evidence_of(d->kind)));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *json_month(const struct earned_month *e, bool with_days)
{
	char period[PERIOD_TEXT], address[KEY_ADDRESS_TEXT], id[KEY_ID_HEX];
	json_t *json = json_object(), *lines = json_array(), *days = json_array();

	address_to_text(&e->satellite.address, address);
	id_to_hex(&e->satellite.endpoint.id, id);
	for (size_t i = 0; i < e->own.sheet.count; i++)
		json_array_append_new(lines, json_line(&e->own.sheet.lines[i]));
	for (uint32_t i = 0; with_days && i < e->day_count; i++) {
		if (has_something(&e->days[i]))
			json_array_append_new(days, json_day(&e->days[i]));
	}
	json_object_set_new(json, "period", json_string(period_print(e->period, period)));
	json_object_set_new(json, "satellite", json_string(address));
	json_object_set_new(json, "id", json_string(id));
	json_object_set_new(json, "over", json_boolean(e->over));
	json_object_set_new(json, "statement", json_boolean(e->has_statement));
	json_object_set_new(json, "agrees", json_boolean(e->has_statement && e->difference_count == 0));
	json_object_set_new(json, "days_unsigned", json_integer(e->days_unsigned));
	json_object_set_new(json, "days", days);
	json_object_set_new(json, "lines", lines);
	json_object_set_new(json, "own", json_sums(&e->own.sums));
	json_object_set_new(json, "theirs", json_theirs(e));
	json_object_set_new(json, "differences", json_differences(e));
	return json;
}

static json_t *json_forecast(const struct earnings_forecast *f, const struct satellite *satellite)
{
	char period[PERIOD_TEXT], address[KEY_ADDRESS_TEXT];
	json_t *json = json_object();

	address_to_text(&satellite->address, address);
	json_object_set_new(json, "period", json_string(period_print(f->period, period)));
	json_object_set_new(json, "satellite", json_string(address));
	json_object_set_new(json, "seconds_left", json_integer((json_int_t)f->seconds_left));
	json_object_set_new(json, "stored", json_integer((json_int_t)f->stored));
	json_object_set_new(json, "egress_day", json_integer((json_int_t)f->egress_day));
	json_object_set_new(json, "audit_day", json_integer((json_int_t)f->audit_day));
	json_object_set_new(json, "repair_day", json_integer((json_int_t)f->repair_day));
	json_object_set_new(json, "price_storage", json_amount(f->prices.storage));
	json_object_set_new(json, "price_egress", json_amount(f->prices.egress));
	json_object_set_new(json, "price_audit", json_amount(f->prices.audit));
	json_object_set_new(json, "price_repair", json_amount(f->prices.repair));
	json_object_set_new(json, "so_far", json_sums(&f->so_far));
	json_object_set_new(json, "low", json_sums(&f->low));
	json_object_set_new(json, "high", json_sums(&f->high));
	return json;
}

static enum err report_forecast(struct ledger *ledger, struct papers *papers, const struct earnings_query *query,
				const struct satellite *satellite, json_t *forecasts)
{
	struct earnings_forecast f;
	enum err err;

	if (query->to < month_period(query->now) || query->from > month_period(query->now))
		return ERR_OK;
	err = earnings_forecast(ledger, papers, satellite, query->node, query->now, &f);
	if (err == ERR_OK)
		json_array_append_new(forecasts, json_forecast(&f, satellite));
	return err;
}

static enum err report_satellite(struct ledger *ledger, struct papers *papers, const struct earnings_query *query,
				 const struct satellite *satellite, json_t *months)
{
	struct earned_month *e = memory_new(1, sizeof(*e));
	uint32_t first = 0, period = query->from;
	uint64_t at;
	enum err err = earnings_first(ledger, papers, satellite, query->now, &first);

	if (period < first)
		period = first;
	while (err == ERR_OK && period <= query->to) {
		err = earnings_month(ledger, papers, satellite, query->node, period, query->now, e);
		if (err == ERR_OK)
			json_array_append_new(months, json_month(e, query->with_days));
		if (err == ERR_OK)
			err = month_of_period(period, &at);
		if (err == ERR_OK)
			period = month_period(month_end(at));
	}
	free(e);
	return err;
}

enum err earnings_report(struct ledger *ledger, struct papers *papers, const struct earnings_query *query, json_t **ret)
{
	json_t *months = json_array(), *forecasts = json_array();
	struct satellite *satellites;
	size_t count = trust_list(query->trust, &satellites);
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		err = report_satellite(ledger, papers, query, &satellites[i], months);
		if (err == ERR_OK)
			err = report_forecast(ledger, papers, query, &satellites[i], forecasts);
	}
	free(satellites);
	if (err == ERR_OK)
		*ret = json_pack("{s:I, s:O, s:O}", "now", (json_int_t)query->now, "months", months, "forecast",
				 forecasts);
	json_decref(months);
	json_decref(forecasts);
	return err;
}

/* To text. */

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static bool is_set(const json_t *json, const char *name)
{
	return json_is_true(json_object_get(json, name));
}

static const char *state_of(const json_t *month)
{
	if (is_set(month, "agrees"))
		return "statement agrees";
	if (is_set(month, "statement"))
		return "STATEMENT DIFFERS";
	return is_set(month, "over") ? "no statement yet" : "under way, an estimate";
}

/* Amounts of all lines of one kind, which may have several prices. */
static struct amount sum_of(const json_t *lines, const char *kind)
{
	struct amount sum = amount_of(0), one;
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		if (strcmp(text_of(line, "kind"), kind) == 0 && amount_parse(text_of(line, "amount"), &one) == ERR_OK &&
		    amount_add(sum, one, &sum) != ERR_OK)
			return sum;
	}
	return sum;
}

static void print_overview(const json_t *months)
{
	static const char *const kinds[] = {"storage", "egress", "audit", "repair"};
	const json_t *month;
	size_t i;

	printf("%-7s  %-12s %14s %14s %14s %14s %14s %14s %14s  %s\n", "month", "satellite", "storage", "egress",
	       "audit", "repair", "earned", "held", "payable", "");
	json_array_foreach(months, i, month) {
		const json_t *own = json_object_get(month, "own");
		char text[AMOUNT_TEXT];

		printf("%-7s  %.10s… ", text_of(month, "period"), text_of(month, "satellite"));
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			printf(" %14s", amount_print(sum_of(json_object_get(month, "lines"), kinds[k]), text));
		printf(" %14s %14s %14s  %s\n", text_of(own, "earned"), text_of(own, "held"), text_of(own, "payable"),
		       state_of(month));
	}
}

/* "12.3 GB hours" of storage, a size of traffic, nothing of the rest. */
static void print_quantity(const json_t *line, char out[40])
{
	const char *kind = text_of(line, "kind"), *quantity = text_of(line, "quantity");
	char size[16];

	out[0] = '\0';
	if (strcmp(kind, "storage") == 0)
		snprintf(out, 40, "%.6f GB hours", strtod(quantity, NULL) / 3600e9);
	else if (strcmp(kind, "egress") == 0 || strcmp(kind, "audit") == 0 || strcmp(kind, "repair") == 0)
		snprintf(out, 40, "%s", option_print_size(strtoull(quantity, NULL, 10), size));
	else if (strcmp(kind, "held") == 0)
		snprintf(out, 40, "%s %%", quantity);
}

static void print_line(const char *whose, const json_t *line)
{
	char quantity[40];

	if (json_is_null(line)) {
		printf("    %-10s nothing\n", whose);
		return;
	}
	print_quantity(line, quantity);
	printf("    %-10s %22s  at %s  %16s\n", whose, quantity, text_of(line, "price"), text_of(line, "amount"));
}

static void print_days(const json_t *days)
{
	const json_t *day;
	size_t i;

	if (json_array_size(days) == 0)
		return;
	printf("  %-10s %20s %10s %10s %10s %8s\n", "day", "GB hours stored", "egress", "audit", "repair", "orders");
	json_array_foreach(days, i, day) {
		char egress[16], audit[16], repair[16];

		printf("  %-10s %20.6f %10s %10s %10s %8lld%s\n", text_of(day, "day"),
		       strtod(text_of(day, "byte_seconds"), NULL) / 3600e9,
		       option_print_size((uint64_t)json_integer_value(json_object_get(day, "egress")), egress),
		       option_print_size((uint64_t)json_integer_value(json_object_get(day, "audit")), audit),
		       option_print_size((uint64_t)json_integer_value(json_object_get(day, "repair")), repair),
		       (long long)json_integer_value(json_object_get(day, "orders")),
		       is_set(day, "estimate") ? "  an estimate, not signed yet" : "");
	}
}

static void print_sums(const char *whose, const json_t *sums)
{
	printf("  %-10s earned %s, held %s, released %s, carried %s, payable %s", whose, text_of(sums, "earned"),
	       text_of(sums, "held"), text_of(sums, "released"), text_of(sums, "carried"), text_of(sums, "payable"));
	if (json_object_get(sums, "paid") != NULL)
		printf(", paid %s, rolled over %s", text_of(sums, "paid"), text_of(sums, "rolled"));
	if (text_of(sums, "codes")[0] != '\0')
		printf(", codes %s", text_of(sums, "codes"));
	printf("\n");
}

static void print_month(const json_t *month)
{
	const json_t *line, *difference, *theirs = json_object_get(month, "theirs");
	size_t i;

	printf("%s with %s: %s\n", text_of(month, "period"), text_of(month, "satellite"), state_of(month));
	json_array_foreach(json_object_get(month, "lines"), i, line) {
		print_line(text_of(line, "kind"), line);
	}
	print_sums("own books", json_object_get(month, "own"));
	if (!json_is_null(theirs))
		print_sums("statement", theirs);
	json_array_foreach(json_object_get(month, "differences"), i, difference) {
		printf("  DIFFERS: %s; what can be shown: %s\n", text_of(difference, "kind"),
		       text_of(difference, "evidence"));
		print_line("ours", json_object_get(difference, "ours"));
		print_line("theirs", json_object_get(difference, "theirs"));
	}
	print_days(json_object_get(month, "days"));
}

/* What months under way will come to, and why. */
static void print_forecasts(const json_t *forecasts)
{
	const json_t *f;
	size_t i;

	json_array_foreach(forecasts, i, f) {
		char stored[16], egress[16];

		printf("%s  %.10s…  will pay %s if nothing more is fetched, %s if %s a day are; %s stored\n",
		       text_of(f, "period"), text_of(f, "satellite"), text_of(json_object_get(f, "low"), "payable"),
		       text_of(json_object_get(f, "high"), "payable"),
		       option_print_size((uint64_t)json_integer_value(json_object_get(f, "egress_day")), egress),
		       option_print_size((uint64_t)json_integer_value(json_object_get(f, "stored")), stored));
	}
}

void earnings_print(const json_t *report, bool details)
{
	const json_t *months = json_object_get(report, "months"), *month;
	size_t i;

	if (!details) {
		print_overview(months);
		print_forecasts(json_object_get(report, "forecast"));
		return;
	}
	json_array_foreach(months, i, month) {
		print_month(month);
	}
	print_forecasts(json_object_get(report, "forecast"));
}

static void print_csv_days(FILE *to, const json_t *month)
{
	static const char *const actions[] = {"egress", "audit", "repair"};
	const json_t *day;
	size_t i;

	json_array_foreach(json_object_get(month, "days"), i, day) {
		const char *period = text_of(month, "period"), *satellite = text_of(month, "satellite");

		fprintf(to, "%s,%s,%s,storage,%s,%s,,\n", period, satellite, text_of(day, "day"),
			text_of(day, "byte_seconds"), text_of(day, "price_storage"));
		for (size_t a = 0; a < sizeof(actions) / sizeof(actions[0]); a++) {
			char price[16];

			snprintf(price, sizeof(price), "price_%s", actions[a]);
			fprintf(to, "%s,%s,%s,%s,%lld,%s,,\n", period, satellite, text_of(day, "day"), actions[a],
				(long long)json_integer_value(json_object_get(day, actions[a])), text_of(day, price));
		}
	}
}

/* The statement's line that stands against one of ours: the same, unless it is among the differences. */
static const char *statement_of(const json_t *month, const json_t *ours)
{
	const json_t *difference;
	size_t i;

	if (!is_set(month, "statement"))
		return "";
	json_array_foreach(json_object_get(month, "differences"), i, difference) {
		if (json_equal(json_object_get(difference, "ours"), ours))
			return text_of(json_object_get(difference, "theirs"), "amount");
	}
	return text_of(ours, "amount");
}

void earnings_print_csv(FILE *to, const json_t *report)
{
	const json_t *month, *line, *difference;
	size_t i, k;

	fprintf(to, "period,satellite,day,action,quantity,price,amount,statement\n");
	json_array_foreach(json_object_get(report, "months"), i, month) {
		const char *period = text_of(month, "period"), *satellite = text_of(month, "satellite");

		print_csv_days(to, month);
		json_array_foreach(json_object_get(month, "lines"), k, line) {
			fprintf(to, "%s,%s,,%s,%s,%s,%s,%s\n", period, satellite, text_of(line, "kind"),
				text_of(line, "quantity"), text_of(line, "price"), text_of(line, "amount"),
				statement_of(month, line));
		}
		json_array_foreach(json_object_get(month, "differences"), k, difference) {
			const json_t *theirs = json_object_get(difference, "theirs");

			if (json_is_null(json_object_get(difference, "ours")))
				fprintf(to, "%s,%s,,%s,%s,%s,,%s\n", period, satellite, text_of(theirs, "kind"),
					text_of(theirs, "quantity"), text_of(theirs, "price"),
					text_of(theirs, "amount"));
		}
	}
}
