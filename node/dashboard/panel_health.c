/*
 * Health: what each satellite thinks of this node, how far it is from losing its good standing, and every failed audit.
 *
 * A satellite tells its scores and the history of its verdicts; until it has, only its dial-backs are known.
 */
#include <stdio.h>
#include <string.h>

#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"

#define YEAR_DAYS 365

struct reach {
	json_t *list;
};

static enum err add_seen(void *arg, const struct history_seen *point)
{
	struct reach *reach = arg;
	char text[KEY_ADDRESS_TEXT];

	address_to_text(&point->view.satellite, text);
	json_array_append_new(reach->list,
			      json_pack("{s:s, s:I, s:I}", "satellite", text, "looks", (json_int_t)point->looks,
					"reachable", (json_int_t)point->reachable));
	return ERR_OK;
}

/* How often each satellite could dial the node, in the last 30 days. */
static json_t *reach_json(struct desk *desk, uint64_t now)
{
	/* One point that holds all of it. */
	const struct history_range range = {now - 30 * HISTORY_DAY, now + 1, 2 * now, NULL};
	struct reach reach = {json_array()};

	if (history_each_view(desk->history, &range, add_seen, &reach) != ERR_OK)
		json_array_clear(reach.list);
	return reach.list;
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	const json_t *satellites = json_object_get(query->live, "satellites"), *satellite;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(satellites, i, satellite) {
		static const char *const names[] = {"address",	 "status", "connected",
						    "reachable", "reason", "standing"};
		json_t *one = json_object();

		json_share(one, satellite, names, sizeof(names) / sizeof(names[0]));
		json_array_append_new(list, one);
	}
	return json_pack("{s:o, s:o}", "satellites", list, "reach", reach_json(desk, query->now));
}

static void put_reach(FILE *to, const json_t *reach, const char *satellite)
{
	const json_t *one;
	char text[HTML_TEXT];
	size_t i;

	json_array_foreach(reach, i, one) {
		if (strcmp(json_text(one, "satellite"), satellite) == 0)
			html_put(to, "<dt>Reachable in 30 days<dd>$ of the time",
				 html_percent(json_u64(one, "reachable"), json_u64(one, "looks"), text));
	}
}

static void put_score(FILE *to, const char *name, const json_t *score, const char *words)
{
	html_put(to, "<dt>$<dd>", name);
	fprintf(to, "<strong>%.2f %%</strong> ", 100 * json_number_value(score));
	html_put(to, "$", words);
}

/* How far it is from losing its standing. */
static void put_distance(FILE *to, const json_t *standing)
{
	uint64_t left = json_u64(standing, "audits_left"), away = json_u64(standing, "offline_left");
	uint64_t grace = json_u64(standing, "grace_until");
	char text[HTML_TEXT];

	html_put(to, "<dt>To disqualification<dd>this node could fail $ of the next 1,000 proofs",
		 html_number(left, text));
	html_put(to, "<dt>May be away for<dd>$ more, in the window that the satellite looks at", html_span(away, text));
	if (grace > 0) {
		fputs("<dt>Disqualified at<dd class=\"bad\">", to);
		html_time(to, grace);
		fputs(", unless it gets better", to);
	}
}

/* When the pieces that are left will be proven, at the pace so far; 0: there is none yet. */
static uint64_t vetting_seconds(const json_t *standing)
{
	uint64_t since = json_u64(standing, "since"), told = json_u64(standing, "told");
	uint64_t proven = json_u64(standing, "proven");

	if (proven == 0 || told <= since)
		return 0;
	return (uint64_t)((double)json_u64(standing, "vetting_left") * (double)(told - since) / (double)proven);
}

static void put_vetting(FILE *to, const json_t *standing, uint64_t now)
{
	uint64_t left = json_u64(standing, "vetting_left"), until = json_u64(standing, "vetting_until");
	uint64_t more = vetting_seconds(standing);
	char text[HTML_TEXT];

	if (left == 0 && until <= now) {
		fputs("<dt>Vetting<dd class=\"good\">done: the node gets its full share of pieces", to);
		return;
	}
	html_put(to, "<dt>Vetting<dd>$ pieces are still to be proven", html_number(left, text));
	if (left > 0 && more > 0)
		html_put(to, ", at the pace so far in $", html_span(more, text));
	if (until > now) {
		fputs("; not before ", to);
		html_time(to, until);
	}
	fputs(". Until then the node gets a small share of pieces", to);
}

static void put_scores(FILE *to, const json_t *standing, uint64_t now)
{
	char proven[HTML_TEXT], failed[HTML_TEXT];

	put_score(to, "Audit score", json_object_get(standing, "audit"),
		  "of proofs: too low, and the node is disqualified");
	put_score(to, "Suspension score", json_object_get(standing, "unknown"),
		  "of answers: too low, and the node gets no new pieces");
	put_score(to, "Online score", json_object_get(standing, "online"), "of the time in which it was looked for");
	html_put(to, "<dt>Audits<dd>$ pieces proven, $ failed", html_number(json_u64(standing, "proven"), proven),
		 html_number(json_u64(standing, "failed"), failed));
	put_distance(to, standing);
	put_vetting(to, standing, now);
	fputs("<dt>Told<dd>", to);
	html_time(to, json_u64(standing, "told"));
}

/* "piece" → "a piece failed an audit"; others as they are. */
static const char *kind_words(const char *kind)
{
	if (strcmp(kind, "piece") == 0)
		return "a piece failed an audit";
	if (strcmp(kind, "loss") == 0)
		return "losses were reported";
	return strcmp(kind, "state") == 0 ? "the state changed" : kind;
}

static void put_notices(FILE *to, const json_t *notices)
{
	const json_t *notice;
	size_t i;

	if (json_array_size(notices) == 0)
		return;
	fputs("<h3>What the satellite noted</h3><div class=\"wide\"><table "
	      "class=\"notices\"><thead><tr><th>Time<th>What"
	      "<th>State<th>Piece<th>Verdict<th>In its words<tbody>",
	      to);
	json_array_foreach(notices, i, notice) {
		fputs("<tr><td>", to);
		html_time(to, json_u64(notice, "at"));
		html_put(to, "<td>$<td>$<td>", kind_words(json_text(notice, "kind")), json_text(notice, "state"));
		if (json_text(notice, "piece")[0] != '\0')
			html_address(to, json_text(notice, "piece"));
		html_put(to, "<td>$<td>$", json_text(notice, "verdict"), json_text(notice, "words"));
	}
	fputs("</table></div><p class=\"links\">The newest; <a href=\"/api/v1/standing\">all of them as JSON</a>.</p>",
	      to);
}

static void put_standing(FILE *to, const json_t *satellite)
{
	const json_t *standing = json_object_get(satellite, "standing");
	const char *state = json_text(standing, "state");

	fputs("<dt>Standing<dd", to);
	if (json_is_object(standing)) {
		html_put(to,
			 strcmp(state, "good") == 0 || strcmp(state, "vetting") == 0 ? " class=\"good\">$ since "
										     : " class=\"bad\">$ since ",
			 state);
		html_time(to, json_u64(standing, "since"));
		if (json_text(standing, "reason")[0] != '\0')
			html_put(to, ": $", json_text(standing, "reason"));
	} else if (!json_yes(satellite, "connected")) {
		fputs(">not known: the satellite did not answer the last check-in", to);
	} else if (json_u64(satellite, "status") == 1) {
		fputs(" class=\"good\">good", to);
	} else {
		html_put(to, " class=\"bad\">$", json_text(satellite, "reason"));
	}
}

static void put_satellite(FILE *to, const json_t *satellite, const json_t *reach, uint64_t now)
{
	const json_t *standing = json_object_get(satellite, "standing");

	fputs("<section class=\"satellite\"><h2>Satellite ", to);
	html_address(to, json_text(satellite, "address"));
	fputs("</h2><dl>", to);
	put_standing(to, satellite);
	put_reach(to, reach, json_text(satellite, "address"));
	if (json_is_object(standing))
		put_scores(to, standing, now);
	else
		fputs("<dt>Scores<dd>the satellite has not told them yet", to);
	fputs("</dl>", to);
	put_notices(to, json_object_get(standing, "notices"));
	fputs("</section>", to);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *satellite;
	size_t i;

	fputs("<h1>Health</h1>", to);
	json_array_foreach(json_object_get(facts, "satellites"), i, satellite)
		put_satellite(to, satellite, json_object_get(facts, "reach"), query->now);
}

static void charts(FILE *to, const json_t *facts)
{
	const json_t *satellite;
	size_t i;

	json_array_foreach(json_object_get(facts, "satellites"), i, satellite)
		chart_put_satellite(to, "scores", "Scores", json_text(satellite, "address"), YEAR_DAYS);
}

const struct panel panel_health = {"health", "/standing", "Health", facts, render, charts};
