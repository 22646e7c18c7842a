/*
 * Earnings: the months by satellite and kind of work, one month in all detail (?period=), this month's forecast, where
 * the money is on its way, what is held back, and every difference between the node's books and the statements.
 *
 * GET /api/v1/money is the report of `granary-node earnings --json` with that added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "common/options.h"
#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/money.h"
#include "node/dashboard/panel.h"
#include "node/earnings_report.h"
#include "payments/month.h"

static const char *const kinds[] = {"storage", "egress", "audit", "repair"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* All months without their days, but those of the period that is looked at. */
static void drop_days(json_t *report, const char *period)
{
	json_t *month;
	size_t i;

	json_array_foreach(json_object_get(report, "months"), i, month) {
		if (strcmp(json_text(month, "period"), period) != 0)
			json_object_set_new(month, "days", json_array());
	}
}

static enum err list_claim(void *arg, const struct papers_claim *claim)
{
	char satellite[KEY_ADDRESS_TEXT], amount[AMOUNT_TEXT];

	address_to_text(&claim->satellite, satellite);
	json_array_append_new(arg, json_pack("{s:s, s:I, s:s, s:s}", "satellite", satellite, "at",
					     (json_int_t)claim->at, "amount", amount_print(claim->amount, amount),
					     "transaction", claim->transaction));
	return ERR_OK;
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	struct earnings_query q = {.node = key_address(desk->key),
				   .trust = desk->trust,
				   .to = month_period(query->now),
				   .with_days = query->period[0] != '\0',
				   .now = query->now};
	struct amount claimed = amount_of(0);
	json_t *report = NULL, *claims = json_array();
	enum err err = earnings_report(desk->ledger, desk->papers, &q, &report);

	if (err == ERR_OK)
		err = money_claimed(desk->papers, &claimed);
	if (err == ERR_OK)
		err = papers_claims(desk->papers, list_claim, claims);
	if (err != ERR_OK) {
		log_event(LOG_ERROR, "earnings_unknown", "reason=%s", err_name(err));
		json_decref(report);
		json_decref(claims);
		return NULL;
	}
	drop_days(report, query->period);
	json_object_set_new(report, "stages", money_stages(report, claimed));
	json_object_set_new(report, "held", money_held(report, query->now));
	json_object_set_new(report, "net", money_net(report, &desk->cost, query->now));
	json_object_set_new(report, "claims", claims);
	return report;
}

/* Amounts of all lines of a kind, which may have several prices. */
static struct amount sum_of(const json_t *lines, const char *kind)
{
	struct amount sum = amount_of(0), one;
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		if (strcmp(json_text(line, "kind"), kind) == 0 &&
		    amount_parse(json_text(line, "amount"), &one) == ERR_OK)
			(void)!amount_add(sum, one, &sum);
	}
	return sum;
}

static void put_amount(FILE *to, const char *amount)
{
	char text[HTML_TEXT];

	html_put(to, "<td class=\"n\">$", html_money(amount, text));
}

/* Stages: where the money is. */
static void put_stages(FILE *to, const json_t *stages)
{
	static const char *const rows[][3] = {
		{"accrued", "Accrued", "this month so far, by the node's own books"},
		{"due", "Due", "months that are over, without a statement yet"},
		{"below_minimum", "Below the minimum", "rolled over until the satellite's least payout is reached"},
		{"paid", "Paid", "allotted to your address in payout trees"},
		{"claimed", "Claimed", "fetched from the contract by granary-node claim"},
	};

	fputs("<h2>Where the money is</h2><ol class=\"stages\">", to);
	for (size_t i = 0; i < 5; i++) {
		char text[HTML_TEXT];

		html_put(to, "<li data-stage=\"$\"><strong>$</strong><span>$</span><small>$</small>", rows[i][0],
			 html_money(json_text(stages, rows[i][0]), text), rows[i][1], rows[i][2]);
	}
	fputs("</ol>", to);
}

static void put_forecasts(FILE *to, const json_t *forecasts)
{
	const json_t *f;
	size_t i;

	if (json_array_size(forecasts) == 0)
		return;
	fputs("<h2>What this month will pay</h2><div class=\"wide\"><table class=\"forecast\"><thead><tr><th>Satellite"
	      "<th class=\"n\">so far<th class=\"n\">at least<th class=\"n\">if traffic goes on"
	      "<th class=\"n\">counted as stored<th class=\"n\">fetched a day<th class=\"n\">audited a day"
	      "<th class=\"n\">time left<tbody>",
	      to);
	json_array_foreach(forecasts, i, f) {
		char left[HTML_TEXT];

		fputs("<tr><th>", to);
		html_address(to, json_text(f, "satellite"));
		put_amount(to, json_text(json_object_get(f, "so_far"), "payable"));
		put_amount(to, json_text(json_object_get(f, "low"), "payable"));
		put_amount(to, json_text(json_object_get(f, "high"), "payable"));
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(f, "stored"));
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(f, "egress_day"));
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(f, "audit_day"));
		html_put(to, "<td class=\"n\">$", html_span(json_u64(f, "seconds_left"), left));
	}
	fputs("</table></div><p>Payable, after what is held back. At least: what is stored stays and nothing more is "
	      "fetched. A price may change meanwhile; what is audited or repaired is the satellite's to say.</p>",
	      to);
}

static void put_state(FILE *to, const json_t *month)
{
	if (json_yes(month, "agrees"))
		fputs("<td class=\"good\">agrees", to);
	else if (json_yes(month, "statement"))
		fputs("<td class=\"bad\">differs", to);
	else
		fputs(json_yes(month, "over") ? "<td>none yet" : "<td>an estimate", to);
}

static int by_period(const void *a, const void *b)
{
	const json_t *one = *(const json_t *const *)a, *other = *(const json_t *const *)b;
	int order = strcmp(json_text(other, "period"), json_text(one, "period"));

	return order != 0 ? order : strcmp(json_text(one, "satellite"), json_text(other, "satellite"));
}

/* The newest first, whatever the satellite. The caller frees it. */
static const json_t **sort_months(const json_t *months)
{
	size_t count = json_array_size(months);
	const json_t **sorted = memory_new(count + 1, sizeof(json_t *));

	for (size_t i = 0; i < count; i++)
		sorted[i] = json_array_get(months, i);
	qsort(sorted, count, sizeof(json_t *), by_period);
	return sorted;
}

/* Month × satellite × action; the newest first. */
static void put_matrix(FILE *to, const json_t **months)
{
	fputs("<h2>Months</h2><div class=\"wide\"><table class=\"months\"><thead><tr><th>Month<th>Satellite"
	      "<th class=\"n\">storage<th class=\"n\">download<th class=\"n\">audit<th class=\"n\">repair"
	      "<th class=\"n\">earned<th class=\"n\">held back<th class=\"n\">released<th "
	      "class=\"n\">payable<th>Statement"
	      "<tbody>",
	      to);
	for (size_t i = 0; months[i] != NULL; i++) {
		const json_t *month = months[i], *own = json_object_get(month, "own");
		const char *period = json_text(month, "period");
		char text[AMOUNT_TEXT];

		html_put(to, "<tr><th><a href=\"/earnings?period=$\">$</a><td>", period, period);
		html_address(to, json_text(month, "satellite"));
		for (size_t k = 0; k < KINDS; k++)
			put_amount(to, amount_print(sum_of(json_object_get(month, "lines"), kinds[k]), text));
		put_amount(to, json_text(own, "earned"));
		put_amount(to, json_text(own, "held"));
		put_amount(to, json_text(own, "released"));
		put_amount(to, json_text(own, "payable"));
		put_state(to, month);
	}
	fputs("</table></div>", to);
}

/* "12.3 GB hours" of storage, a size of traffic, a percentage of what is held. */
static void put_quantity(FILE *to, const json_t *line)
{
	const char *kind = json_text(line, "kind"), *quantity = json_text(line, "quantity");
	char size[16];

	fputs("<td class=\"n\">", to);
	if (strcmp(kind, "storage") == 0)
		fprintf(to, "%.3f GB hours", strtod(quantity, NULL) / 3600e9);
	else if (strcmp(kind, "held") == 0)
		html_put(to, "$ %", quantity);
	else if (strcmp(kind, "egress") == 0 || strcmp(kind, "audit") == 0 || strcmp(kind, "repair") == 0)
		html_put(to, "$", option_print_size(strtoull(quantity, NULL, 10), size));
}

static void put_lines(FILE *to, const json_t *lines)
{
	const json_t *line;
	size_t i;

	fputs("<div class=\"wide\"><table><thead><tr><th>Line<th class=\"n\">Quantity<th class=\"n\">Price per TB"
	      "<th class=\"n\">Amount<tbody>",
	      to);
	json_array_foreach(lines, i, line) {
		html_put(to, "<tr><th>$", json_text(line, "kind"));
		put_quantity(to, line);
		put_amount(to, json_text(line, "price"));
		put_amount(to, json_text(line, "amount"));
	}
	fputs("</table></div>", to);
}

static void put_days(FILE *to, const json_t *days)
{
	static const char *const moved[] = {"egress", "audit", "repair"};
	const json_t *day;
	char number[HTML_TEXT];
	size_t i;

	fputs("<details open id=\"days\"><summary>Days</summary><div class=\"wide\"><table><thead><tr><th>Day"
	      "<th class=\"n\">GB hours<th class=\"n\">download<th class=\"n\">audit<th class=\"n\">repair"
	      "<th class=\"n\">orders<th>Usage<tbody>",
	      to);
	json_array_foreach(days, i, day) {
		html_put(to, "<tr><th>$", json_text(day, "day"));
		fprintf(to, "<td class=\"n\">%.3f", strtod(json_text(day, "byte_seconds"), NULL) / 3600e9);
		for (size_t k = 0; k < 3; k++) {
			fputs("<td class=\"n\">", to);
			html_size(to, json_u64(day, moved[k]));
		}
		html_put(to, "<td class=\"n\">$", html_number(json_u64(day, "orders"), number));
		fputs(json_yes(day, "signed")	  ? "<td>signed"
		      : json_yes(day, "estimate") ? "<td>an estimate"
						  : "<td>nothing stored",
		      to);
	}
	fputs("</table></div></details>", to);
}

static void put_differences(FILE *to, const json_t *differences)
{
	const json_t *d;
	size_t i;

	if (json_array_size(differences) == 0)
		return;
	fputs("<h3 class=\"bad\">Where the statement differs</h3><div class=\"wide\"><table><thead><tr><th>Line"
	      "<th class=\"n\">ours<th class=\"n\">theirs<th>What proves ours<tbody>",
	      to);
	json_array_foreach(differences, i, d) {
		html_put(to, "<tr><th>$", json_text(d, "kind"));
		put_amount(to, json_text(json_object_get(d, "ours"), "amount"));
		put_amount(to, json_text(json_object_get(d, "theirs"), "amount"));
		html_put(to, "<td>$", json_text(d, "evidence"));
	}
	fputs("</table></div><p><code>granary-node dispute export FILE</code> writes it all to a file that anybody can "
	      "check.</p>",
	      to);
}

static void put_month(FILE *to, const json_t *months, const char *period)
{
	const json_t *month;
	size_t i;

	html_put(to,
		 "<h2>$</h2><p class=\"links\"><a href=\"/earnings\">All months</a> · "
		 "<a href=\"/api/v1/export?period=$\">CSV</a> · "
		 "<a href=\"/api/v1/export?period=$&amp;format=json\">JSON</a></p>",
		 period, period, period);
	json_array_foreach(months, i, month) {
		if (strcmp(json_text(month, "period"), period) != 0)
			continue;
		fputs("<h3>Satellite ", to);
		html_address(to, json_text(month, "satellite"));
		fputs("</h3>", to);
		put_lines(to, json_object_get(month, "lines"));
		put_differences(to, json_object_get(month, "differences"));
		put_days(to, json_object_get(month, "days"));
	}
}

static void put_held(FILE *to, const json_t *held)
{
	const json_t *one, *release;
	char number[HTML_TEXT], amount[HTML_TEXT];
	size_t i, k;

	fputs("<h2>Held back</h2><p>A young node gets part of its pay later: it is the satellite's security that the "
	      "node "
	      "stays.</p>",
	      to);
	json_array_foreach(held, i, one) {
		fputs("<dl class=\"held\"><dt>Satellite<dd>", to);
		html_address(to, json_text(one, "satellite"));
		html_put(to, "<dt>This month<dd>number $: ", html_number(json_u64(one, "month"), number));
		html_put(to, "$ % of what is earned is held back<dt>Held now<dd>$",
			 html_number(json_u64(one, "percent"), number), html_money(json_text(one, "balance"), amount));
		html_put(to, "<dt>Held in all<dd>$", html_money(json_text(one, "withheld"), amount));
		html_put(to, "<dt>Released<dd>$", html_money(json_text(one, "released"), amount));
		json_array_foreach(json_object_get(one, "releases"), k, release) {
			html_put(to, "<dt>To come<dd>$ ", html_money(json_text(release, "amount"), amount));
			if (!json_is_null(json_object_get(release, "at"))) {
				fputs("on ", to);
				html_time(to, json_u64(release, "at"));
				fputs(" ", to);
			}
			html_put(to, "when $", json_text(release, "why"));
		}
		fputs("</dl>", to);
	}
}

static void put_net(FILE *to, const json_t *net)
{
	fputs("<h2>After the cost of running it</h2>", to);
	if (!json_is_array(net)) {
		fputs("<p>Nobody said what this node costs: <code>watts</code> and <code>kwh-price</code> in "
		      "config.ini "
		      "tell, and then the net stands here.</p>",
		      to);
		return;
	}
	fputs("<table><thead><tr><th>Month<th class=\"n\">payable<th class=\"n\">power<th class=\"n\">net<tbody>", to);
	for (size_t i = json_array_size(net); i-- > 0;) {
		const json_t *one = json_array_get(net, i);

		html_put(to, "<tr><th>$", json_text(one, "period"));
		put_amount(to, json_text(one, "earned"));
		put_amount(to, json_text(one, "cost"));
		put_amount(to, json_text(one, "net"));
	}
	fputs("</table>", to);
}

static void put_claims(FILE *to, const json_t *claims)
{
	const json_t *claim;
	char text[HTML_TEXT];
	size_t i;

	if (json_array_size(claims) == 0)
		return;
	fputs("<h2>Claims</h2><div class=\"wide\"><table><thead><tr><th>Time<th "
	      "class=\"n\">Amount<th>Transaction<tbody>",
	      to);
	json_array_foreach(claims, i, claim) {
		fputs("<tr><td>", to);
		html_time(to, json_u64(claim, "at"));
		html_put(to, "<td class=\"n\">$<td><code>$</code>", html_money(json_text(claim, "amount"), text),
			 json_text(claim, "transaction"));
	}
	fputs("</table></div>", to);
}

/* A link for each UTC year of which there is anything, the latest first. */
static void put_years(FILE *to, const json_t **months)
{
	char year[8], before[8] = "";

	fputs("<p class=\"links\">Tax years:", to);
	for (size_t i = 0; months[i] != NULL; i++) {
		snprintf(year, sizeof(year), "%.4s", json_text(months[i], "period"));
		if (strcmp(year, before) != 0)
			html_put(to,
				 " $ <a href=\"/api/v1/export?year=$\">CSV</a> "
				 "<a href=\"/api/v1/export?year=$&amp;format=json\">JSON</a>",
				 year, year, year);
		snprintf(before, sizeof(before), "%s", year);
	}
	fputs("</p>", to);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *months = json_object_get(facts, "months"), **sorted;

	fputs("<h1>Earnings</h1>", to);
	if (query->period[0] != '\0') {
		put_month(to, months, query->period);
		return;
	}
	sorted = sort_months(months);
	put_stages(to, json_object_get(facts, "stages"));
	put_forecasts(to, json_object_get(facts, "forecast"));
	put_matrix(to, sorted);
	put_years(to, sorted);
	free(sorted);
	put_held(to, json_object_get(facts, "held"));
	put_claims(to, json_object_get(facts, "claims"));
	put_net(to, json_object_get(facts, "net"));
}

const struct panel panel_earnings = {"money", "/earnings", "Earnings", facts, render, NULL};
