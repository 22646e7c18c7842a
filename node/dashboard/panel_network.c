/* The network: whether each satellite can dial this node, and what is known of clock, port and version. */
#include <stdio.h>
#include <string.h>

#include "node/dashboard/chart.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	static const char *const names[] = {"version",	  "endpoint",	  "listen", "started",
					    "satellites", "port_mapping", "now"};
	json_t *json = json_object();

	(void)desk;
	json_share(json, query->live, names, sizeof(names) / sizeof(names[0]));
	return json;
}

/* "IPv4", "IPv6", or by its name. */
static const char *family_of(const char *endpoint)
{
	if (endpoint[0] == '[')
		return "IPv6";
	return endpoint[strspn(endpoint, "0123456789.:")] == '\0' ? "IPv4" : "by name";
}

static void put_satellite(FILE *to, const json_t *satellite)
{
	bool connected = json_yes(satellite, "connected"), reachable = json_yes(satellite, "reachable");
	const json_t *skew = json_object_get(satellite, "clock_skew");

	fputs("<tr><th>", to);
	html_address(to, json_text(satellite, "address"));
	html_put(to, "<td>$<td>", json_text(satellite, "endpoint"));
	html_time(to, json_u64(satellite, "last_check_in"));
	fputs(connected ? "<td class=\"good\">answers" : "<td class=\"bad\">does not answer", to);
	fputs(!connected  ? "<td>not known"
	      : reachable ? "<td class=\"good\">it can dial this node"
			  : "<td class=\"bad\">it cannot dial this node",
	      to);
	if (json_is_integer(skew))
		fprintf(to, "<td class=\"n\">%+lld s", (long long)json_integer_value(skew));
	else
		fputs("<td class=\"n\">–", to);
	html_put(to, "<td>$", json_text(satellite, "reason"));
}

static void put_mapping(FILE *to, const json_t *mapping)
{
	if (json_is_object(mapping))
		html_put(to, "<dt>Port on the router<dd>$", json_text(mapping, "text"));
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const char *endpoint = json_text(facts, "endpoint");
	const json_t *satellite;
	size_t i;

	(void)query;
	html_put(to, "<h1>Network</h1><dl><dt>Satellites dial<dd>$ ($)<dt>This node listens on<dd>$<dt>Version<dd>$",
		 endpoint, family_of(endpoint), json_text(facts, "listen"), json_text(facts, "version"));
	put_mapping(to, json_object_get(facts, "port_mapping"));
	fputs("<dt>This node's clock<dd>", to);
	html_time(to, json_u64(facts, "now"));
	fputs("<dt>Running since<dd>", to);
	html_time(to, json_u64(facts, "started"));
	fputs("</dl><h2>Satellites</h2><div class=\"wide\"><table><thead><tr><th>Satellite<th>At<th>Last answer"
	      "<th>Check-in<th>Dial-back<th class=\"n\">Its clock<th>In its words<tbody>",
	      to);
	json_array_foreach(json_object_get(facts, "satellites"), i, satellite)
		put_satellite(to, satellite);
	fputs("</table></div><p>A satellite that cannot dial this node sends it no pieces and soon counts it as "
	      "offline: "
	      "open the port, and tell with <code>external</code> where the node is to be dialled.</p>",
	      to);
}

static void charts(FILE *to, const json_t *facts)
{
	(void)facts;
	chart_put(to, "scores", "Reachable, share of the time, and scores; of several satellites the least", false);
}

const struct panel panel_network = {"network", "/network", "Network", facts, render, charts};
