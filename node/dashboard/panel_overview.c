/*
 * The first page: one card for each panel, with what one wants to know first. GET /api/v1/summary is also what other
 * nodes of the same owner ask for.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/money.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/totals.h"
#include "node/earnings_report.h"
#include "payments/month.h"

static json_t *sum_forecasts(const json_t *forecasts, const char *which)
{
	struct amount sum = amount_of(0), one;
	char text[AMOUNT_TEXT];
	const json_t *f;
	size_t i;

	json_array_foreach(forecasts, i, f)
		if (amount_parse(json_text(json_object_get(f, which), "payable"), &one) == ERR_OK)
			(void)!amount_add(sum, one, &sum);
	return json_string(amount_print(sum, text));
}

/* NULL when the books cannot be read. */
static json_t *money_json(struct desk *desk, uint64_t now)
{
	struct earnings_query q = {
		.node = key_address(desk->key), .trust = desk->trust, .to = month_period(now), .now = now};
	struct amount claimed = amount_of(0);
	json_t *report = NULL, *json;
	enum err err = money_claimed(desk->papers, &claimed);

	if (err == ERR_OK)
		err = earnings_report(desk->ledger, desk->papers, &q, &report);
	if (err != ERR_OK) {
		log_event(LOG_ERROR, "earnings_unknown", "reason=%s", err_name(err));
		return NULL;
	}
	json = money_stages(report, claimed);
	json_object_set_new(json, "month_low", sum_forecasts(json_object_get(report, "forecast"), "low"));
	json_object_set_new(json, "month_high", sum_forecasts(json_object_get(report, "forecast"), "high"));
	json_decref(report);
	return json;
}

static json_t *satellites_json(const json_t *satellites)
{
	const json_t *satellite;
	json_int_t connected = 0, reachable = 0;
	size_t i;

	json_array_foreach(satellites, i, satellite) {
		connected += json_yes(satellite, "connected");
		reachable += json_yes(satellite, "connected") && json_yes(satellite, "reachable");
	}
	return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)i, "connected", connected, "reachable", reachable);
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	static const char *const names[] = {"id",  "address", "version", "endpoint", "started",
					    "now", "space",   "damage",	 "orders",   "findings"};
	json_t *json = json_object(), *money = money_json(desk, query->now);

	if (money == NULL) {
		json_decref(json);
		return NULL;
	}
	json_share(json, query->live, names, sizeof(names) / sizeof(names[0]));
	json_object_set_new(json, "money", money);
	json_object_set_new(json, "satellites", satellites_json(json_object_get(query->live, "satellites")));
	json_object_set_new(json, "day", totals_json(desk, query->now - HISTORY_DAY, query->now + 1, NULL));
	return json;
}

static void put_findings(FILE *to, const json_t *findings)
{
	const json_t *finding;
	size_t i;

	if (!json_is_array(findings))
		return;
	if (json_array_size(findings) == 0)
		fputs("<p class=\"good\">All is well: nothing needs your attention.</p>", to);
	json_array_foreach(findings, i, finding) {
		const char *severity = json_text(finding, "severity");

		html_put(to, "<div class=\"finding $\" role=\"$\"><strong>$</strong> ", severity,
			 strcmp(severity, "note") == 0 ? "note" : "alert", severity);
		if (json_text(finding, "subject")[0] != '\0')
			html_put(to, "<code>$</code> ", json_text(finding, "subject"));
		html_put(to, "$ <em>$</em></div>", json_text(finding, "text"), json_text(finding, "remedy"));
	}
}

static void begin_card(FILE *to, const char *path, const char *title)
{
	html_put(to, "<a class=\"card\" href=\"$\"><h2>$</h2>", path, title);
}

static void put_cards(FILE *to, const json_t *facts)
{
	const json_t *money = json_object_get(facts, "money"), *space = json_object_get(facts, "space");
	const json_t *satellites = json_object_get(facts, "satellites"), *orders = json_object_get(facts, "orders");
	const json_t *day = json_object_get(facts, "day");
	char a[HTML_TEXT], b[HTML_TEXT];

	begin_card(to, "/earnings", "This month");
	html_put(to, "<p class=\"big\">$ – $</p>", html_money(json_text(money, "month_low"), a),
		 html_money(json_text(money, "month_high"), b));
	html_put(to, "<p>so far $; paid in all $</p></a>", html_money(json_text(money, "accrued"), a),
		 html_money(json_text(money, "paid"), b));
	begin_card(to, "/disk", "Disk");
	fputs("<p class=\"big\">", to);
	html_size(to, json_u64(space, "live"));
	html_put(to, "</p><p>in $ pieces; room for ", html_number(json_u64(space, "pieces"), a));
	html_size(to, json_u64(space, "available"));
	fputs("</p></a>", to);
	begin_card(to, "/traffic", "Last 24 hours");
	fputs("<p class=\"big\">", to);
	html_size(to, json_u64(day, "bytes"));
	if (json_u64(day, "done") + json_u64(day, "failed") > 0)
		html_put(to, "</p><p>$ of transfers that were not lost to a faster node succeeded</p></a>",
			 html_percent(json_u64(day, "done"), json_u64(day, "done") + json_u64(day, "failed"), a));
	else
		fputs("</p><p>no transfer was asked for, or all were lost to faster nodes</p></a>", to);
	begin_card(to, "/network", "Satellites");
	html_put(to, "<p class=\"big\">$ of $</p><p>can dial this node</p></a>",
		 html_number(json_u64(satellites, "reachable"), a), html_number(json_u64(satellites, "count"), b));
	begin_card(to, "/orders", "Orders");
	html_put(to, "<p class=\"big\">$</p><p>wait to be settled; $ rejected</p></a>",
		 html_number(json_u64(orders, "unsettled"), a), html_number(json_u64(orders, "rejected"), b));
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	char up[HTML_TEXT];
	uint64_t started = json_u64(facts, "started");

	html_put(to, "<h1>Your node</h1><p><code>$</code> at $, version $, running for $</p>",
		 json_text(facts, "address"), json_text(facts, "endpoint"), json_text(facts, "version"),
		 html_span(query->now > started ? query->now - started : 0, up));
	put_findings(to, json_object_get(facts, "findings"));
	fputs("<div class=\"cards\">", to);
	put_cards(to, facts);
	fputs("</div>", to);
}

static void charts(FILE *to, const json_t *facts)
{
	(void)facts;
	chart_put(to, "traffic", "Traffic, bytes", true);
}

const struct panel panel_overview = {"summary", "/", "Overview", facts, render, charts};
