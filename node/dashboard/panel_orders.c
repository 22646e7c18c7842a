/* Orders: which wait to be settled and for how long, and which were refused and why. They are money. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/refusal.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/totals.h"
#include "node/ledger_orders.h"

#define REJECTED_MOST 100

static json_t *json_address(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

static enum err list_waiting(void *arg, const struct ledger_waiting *waiting)
{
	json_array_append_new(arg, json_pack("{s:o, s:I, s:I, s:I}", "satellite", json_address(&waiting->satellite),
					     "since", (json_int_t)waiting->since, "orders", (json_int_t)waiting->orders,
					     "bytes", (json_int_t)waiting->bytes));
	return ERR_OK;
}

static enum err list_rejected(void *arg, const struct ledger_rejected *order)
{
	char hash[65];

	hex_encode(bytes_of(order->allocation.b, sizeof(order->allocation.b)), hash);
	json_array_append_new(arg, json_pack("{s:o, s:s, s:s, s:I, s:I, s:i, s:s}", "satellite",
					     json_address(&order->satellite), "allocation", hash, "action",
					     totals_action_name(order->action), "bytes", (json_int_t)order->amount,
					     "at", (json_int_t)order->at, "code", (int)order->code, "reason",
					     refusal_text(order->code)));
	return ERR_OK;
}

/* Of each trusted satellite, from the status: its orders, and when it last settled any. */
static enum err list_satellites(struct desk *desk, const json_t *live, json_t *list)
{
	const json_t *satellite;
	enum err err = ERR_OK;
	size_t i;

	json_array_foreach(json_object_get(live, "satellites"), i, satellite) {
		struct address address;
		uint64_t at = 0;

		err = address_from_text(json_text(satellite, "address"), &address);
		if (err == ERR_OK)
			err = ledger_last_settled(desk->ledger, &address, &at);
		if (err != ERR_OK)
			return err;
		json_array_append_new(list,
				      json_pack("{s:O, s:O, s:o}", "satellite", json_object_get(satellite, "address"),
						"orders", json_object_get(satellite, "orders"), "last_settled",
						at > 0 ? json_integer((json_int_t)at) : json_null()));
	}
	return err;
}

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	json_t *waiting = json_array(), *rejected = json_array(), *satellites = json_array(), *json = NULL;
	enum err err = ledger_each_waiting(desk->ledger, list_waiting, waiting);

	if (err == ERR_OK)
		err = ledger_each_rejected(desk->ledger, REJECTED_MOST, list_rejected, rejected);
	if (err == ERR_OK)
		err = list_satellites(desk, query->live, satellites);
	if (err == ERR_OK)
		json = json_pack("{s:O, s:O, s:O, s:O}", "all", json_object_get(query->live, "orders"), "satellites",
				 satellites, "waiting", waiting, "rejected", rejected);
	else
		log_event(LOG_ERROR, "orders_unknown", "reason=%s", err_name(err));
	json_decref(waiting);
	json_decref(rejected);
	json_decref(satellites);
	return json;
}

static void put_alert(FILE *to, const json_t *all)
{
	const char *alert = json_text(all, "alert");

	if (strcmp(alert, "none") == 0)
		return;
	fputs("<p class=\"bad\" role=\"alert\">", to);
	if (strcmp(alert, "waiting") == 0)
		fputs("Orders wait for more than two hours, since ", to);
	else
		fputs("Orders are worth nothing unless they are settled soon. The oldest wait since ", to);
	html_time(to, json_u64(all, "unsettled_since"));
	fputs("; the next deadline is ", to);
	html_time(to, json_u64(all, "settle_by"));
	fputs(". Is the satellite reachable? The network panel tells; <code>granary-node settle</code> tries at "
	      "once.</p>",
	      to);
}

static void put_satellites(FILE *to, const json_t *satellites)
{
	static const char *const columns[] = {"unsettled", "settled", "rejected"};
	const json_t *satellite;
	char number[HTML_TEXT];
	size_t i;

	fputs("<div class=\"wide\"><table><thead><tr><th>Satellite<th class=\"n\">waiting<th class=\"n\">settled"
	      "<th class=\"n\">rejected<th class=\"n\">bytes waiting<th class=\"n\">bytes settled<th>Last "
	      "settlement<tbody>",
	      to);
	json_array_foreach(satellites, i, satellite) {
		const json_t *orders = json_object_get(satellite, "orders");

		fputs("<tr><th>", to);
		html_address(to, json_text(satellite, "satellite"));
		for (size_t k = 0; k < 3; k++)
			html_put(to, "<td class=\"n\">$", html_number(json_u64(orders, columns[k]), number));
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(orders, "unsettled_bytes"));
		fputs("<td class=\"n\">", to);
		html_size(to, json_u64(orders, "settled_bytes"));
		fputs("<td>", to);
		html_time(to, json_u64(satellite, "last_settled"));
	}
	fputs("</table></div>", to);
}

static void put_waiting(FILE *to, const json_t *waiting, uint64_t now)
{
	const json_t *one;
	char text[HTML_TEXT];
	size_t i;

	fputs("<h2>Waiting</h2>", to);
	if (json_array_size(waiting) == 0) {
		fputs("<p class=\"good\">No order waits.</p>", to);
		return;
	}
	fputs("<div class=\"wide\"><table><thead><tr><th>Given in the hour<th class=\"n\">Age<th>Satellite"
	      "<th class=\"n\">Orders<th class=\"n\">Bytes<tbody>",
	      to);
	json_array_foreach(waiting, i, one) {
		uint64_t since = json_u64(one, "since");

		fputs("<tr><td>", to);
		html_time(to, since);
		html_put(to, "<td class=\"n\">$<td>", html_span(now > since ? now - since : 0, text));
		html_address(to, json_text(one, "satellite"));
		html_put(to, "<td class=\"n\">$<td class=\"n\">", html_number(json_u64(one, "orders"), text));
		html_size(to, json_u64(one, "bytes"));
	}
	fputs("</table></div>", to);
}

static void put_rejected(FILE *to, const json_t *rejected)
{
	const json_t *one;
	size_t i;

	fputs("<h2>Rejected</h2>", to);
	if (json_array_size(rejected) == 0) {
		fputs("<p class=\"good\">No order was rejected.</p>", to);
		return;
	}
	fputs("<div class=\"wide\"><table><thead><tr><th>Given<th>Satellite<th>Action<th class=\"n\">Bytes<th>Reason"
	      "<th>Allocation<tbody>",
	      to);
	json_array_foreach(rejected, i, one) {
		fputs("<tr><td>", to);
		html_time(to, json_u64(one, "at"));
		fputs("<td>", to);
		html_address(to, json_text(one, "satellite"));
		html_put(to, "<td>$<td class=\"n\">", json_text(one, "action"));
		html_size(to, json_u64(one, "bytes"));
		html_put(to, "<td>$<td>", json_text(one, "reason"));
		html_address(to, json_text(one, "allocation"));
	}
	fputs("</table></div><p><code>granary-node dispute export FILE</code> writes both sides of each to a file that "
	      "anybody can check.</p>",
	      to);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	fputs("<h1>Orders</h1><p>What clients ordered, which satellites settle every hour and then pay.</p>", to);
	put_alert(to, json_object_get(facts, "all"));
	put_satellites(to, json_object_get(facts, "satellites"));
	put_waiting(to, json_object_get(facts, "waiting"), query->now);
	put_rejected(to, json_object_get(facts, "rejected"));
}

const struct panel panel_orders = {"orders", "/orders", "Orders", facts, render, NULL};
