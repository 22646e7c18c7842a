/*
 * Traffic: what was moved, by time, action and satellite, and what became of it. Lost races stand apart from errors: a
 * client asks more nodes than it needs and lets go of the slowest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/totals.h"
#include "payments/month.h"

static const char *const actions[][2] = {{"put", "upload"},
					 {"get", "download"},
					 {"audit", "audit"},
					 {"get_repair", "repair out"},
					 {"put_repair", "repair in"}};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

enum span { BY_HOUR, BY_DAY, BY_MONTH, BY_YEAR };
static const char *const spans[] = {"hour", "day", "month", "year"};

static enum span span_of(const char *by)
{
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (strcmp(by, spans[i]) == 0)
			return (enum span)i;
	return BY_DAY;
}

/* The start of the span that holds `at`, and of the next. */
static uint64_t span_start(enum span span, uint64_t at)
{
	uint64_t start = 0;

	switch (span) {
	case BY_HOUR:
		return at / HISTORY_HOUR * HISTORY_HOUR;
	case BY_DAY:
		return at / HISTORY_DAY * HISTORY_DAY;
	case BY_MONTH:
		(void)!month_of_period(month_period(at), &start);
		return start;
	case BY_YEAR:
		(void)!month_of_period(month_period(at) / 100 * 100 + 1, &start);
		return start;
	}
	return at;
}

/* How many rows there are of each. */
static const unsigned rows_most[] = {48, 31, 14, 2};

static json_t *rows_json(struct desk *desk, enum span span, uint64_t now, const struct address *satellite)
{
	uint64_t until = now + 1, start = span_start(span, now);
	json_t *rows = json_array();

	for (unsigned i = 0; i < rows_most[span] && start > 0; i++) {
		json_t *row = totals_json(desk, start, until, satellite);

		json_object_set_new(row, "at", json_integer((json_int_t)start));
		json_array_append_new(rows, row);
		until = start;
		start = span_start(span, start - 1);
	}
	return rows;
}

static json_t *satellites_json(struct desk *desk, uint64_t from, uint64_t until)
{
	struct satellite *satellites;
	size_t count = trust_list(desk->trust, &satellites);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *json = totals_json(desk, from, until, &satellites[i].address);
		char text[KEY_ADDRESS_TEXT];

		address_to_text(&satellites[i].address, text);
		json_object_set_new(json, "satellite", json_string(text));
		json_array_append_new(list, json);
	}
	free(satellites);
	return list;
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	enum span span = span_of(query->by);
	struct address satellite;
	bool one = query->satellite[0] != '\0' && address_from_text(query->satellite, &satellite) == ERR_OK;
	json_t *json = json_object();

	json_object_set_new(json, "by", json_string(spans[span]));
	json_object_set_new(json, "satellite", one ? json_string(query->satellite) : json_null());
	json_object_set_new(json, "rows", rows_json(desk, span, query->now, one ? &satellite : NULL));
	json_object_set_new(json, "satellites", satellites_json(desk, query->now - HISTORY_HOURS_KEPT, query->now + 1));
	return json;
}

static void put_sums(FILE *to, const json_t *sums)
{
	const json_t *by = json_object_get(sums, "actions");
	uint64_t done = json_u64(sums, "done"), lost = json_u64(sums, "lost"), failed = json_u64(sums, "failed");
	char text[HTML_TEXT];

	for (size_t i = 0; i < ACTIONS; i++) {
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(json_object_get(by, actions[i][0]), "bytes"));
	}
	html_put(to, "<td class=\"n\">$", html_number(done, text));
	html_put(to, "<td class=\"n\">$", html_number(lost, text));
	html_put(to, failed > 0 ? "<td class=\"n bad\">$" : "<td class=\"n\">$", html_number(failed, text));
	html_put(to, "<td class=\"n\">$", html_percent(done, done + failed, text));
}

static void put_head(FILE *to, const char *first)
{
	html_put(to, "<div class=\"wide\"><table><thead><tr><th>$", first);
	for (size_t i = 0; i < ACTIONS; i++)
		html_put(to, "<th class=\"n\">$", actions[i][1]);
	fputs("<th class=\"n\">done<th class=\"n\">lost races<th class=\"n\">failed<th class=\"n\">success<tbody>", to);
}

static void put_links(FILE *to, const char *by, const char *satellite)
{
	fputs("<p class=\"links\">By", to);
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		bool here = strcmp(spans[i], by) == 0;

		html_put(to,
			 here ? " <a href=\"/traffic?by=$&amp;satellite=$\" aria-current=\"page\">$</a>"
			      : " <a href=\"/traffic?by=$&amp;satellite=$\">$</a>",
			 spans[i], satellite, spans[i]);
	}
	if (satellite[0] != '\0')
		html_put(to, " · of one satellite; <a href=\"/traffic?by=$\">of all</a>", by);
	fputs("</p>", to);
}

/* "2026-11-24 10:00", cut to what the span needs. */
static void put_start(FILE *to, const char *by, uint64_t at)
{
	static const int lengths[] = {16, 10, 7, 4};
	char text[32];

	clock_format(at, text, sizeof(text));
	text[10] = ' ';
	text[lengths[span_of(by)]] = '\0';
	html_put(to, "<tr><th>$", text);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const char *by = json_text(facts, "by"), *one = json_text(facts, "satellite");
	const json_t *row;
	size_t i;

	(void)query;
	fputs("<h1>Traffic</h1>", to);
	put_links(to, by, one);
	put_head(to, by);
	json_array_foreach(json_object_get(facts, "rows"), i, row) {
		if (i > 0 && json_u64(row, "done") + json_u64(row, "lost") + json_u64(row, "failed") == 0)
			continue; /* nothing happened then */
		put_start(to, by, json_u64(row, "at"));
		put_sums(to, row);
	}
	fputs("</table></div><p>Lost races are no errors: a client asks more nodes than it needs, and lets go of the "
	      "slowest. Success is what was done, of what was done and failed.</p>"
	      "<h2>By satellite, last 35 days</h2>",
	      to);
	put_head(to, "Satellite");
	json_array_foreach(json_object_get(facts, "satellites"), i, row) {
		html_put(to, "<tr><th><a href=\"/traffic?by=$&amp;satellite=$\">", by, json_text(row, "satellite"));
		html_address(to, json_text(row, "satellite"));
		fputs("</a>", to);
		put_sums(to, row);
	}
	fputs("</table></div>", to);
}

static void charts(FILE *to, const json_t *facts)
{
	(void)facts;
	chart_put(to, "traffic", "Bytes", true);
	chart_put(to, "outcomes", "Transfers", true);
	chart_put(to, "latency", "Duration, milliseconds", false);
}

const struct panel panel_traffic = {"traffic", "/traffic", "Traffic", facts, render, charts};
