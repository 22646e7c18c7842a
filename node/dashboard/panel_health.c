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

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			json_t *value = json_object_get(satellite, names[k]);

			json_object_set(one, names[k], value != NULL ? value : json_null());
		}
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

static void put_satellite(FILE *to, const json_t *satellite, const json_t *reach)
{
	const json_t *standing = json_object_get(satellite, "standing");

	fputs("<section class=\"satellite\"><h2>Satellite ", to);
	html_address(to, json_text(satellite, "address"));
	fputs("</h2><dl><dt>Standing<dd", to);
	if (!json_yes(satellite, "connected"))
		fputs(">not known: the satellite did not answer the last check-in", to);
	else if (json_u64(satellite, "status") == 1)
		fputs(" class=\"good\">good", to);
	else
		html_put(to, " class=\"bad\">$", json_text(satellite, "reason"));
	put_reach(to, reach, json_text(satellite, "address"));
	if (!json_is_object(standing))
		fputs("<dt>Scores<dd>the satellite has not told them yet", to);
	fputs("</dl></section>", to);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *satellite;
	size_t i;

	(void)query;
	fputs("<h1>Health</h1>", to);
	json_array_foreach(json_object_get(facts, "satellites"), i, satellite)
		put_satellite(to, satellite, json_object_get(facts, "reach"));
}

static void charts(FILE *to, const json_t *facts)
{
	const json_t *satellite;
	size_t i;

	json_array_foreach(json_object_get(facts, "satellites"), i, satellite)
		chart_put_satellite(to, "scores", "Scores", json_text(satellite, "address"), YEAR_DAYS);
}

const struct panel panel_health = {"health", "/standing", "Health", facts, render, charts};
