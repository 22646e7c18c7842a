/* All nodes of one owner on a page: sums, a row for each, and the pairing of further ones. */
#include <stdio.h>
#include <string.h>

#include "common/amount.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/peers.h"

/* What is added up over nodes: by the path into a summary. */
static const struct column {
	const char *name, *part, *member;
	enum { SIZE, NUMBER, MONEY } kind;
} columns[] = {
	{"stored", "space", "live", SIZE},
	{"room", "space", "available", SIZE},
	{"allocation", "space", "allocation", SIZE},
	{"pieces", "space", "pieces", NUMBER},
	{"traffic, 24 h", "day", "bytes", SIZE},
	{"failed, 24 h", "day", "failed", NUMBER},
	{"damaged", "damage", "pieces", NUMBER},
	{"orders waiting", "orders", "unsettled", NUMBER},
	{"this month so far", "money", "accrued", MONEY},
	{"this month at least", "money", "month_low", MONEY},
	{"paid", "money", "paid", MONEY},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	json_t *own = panel_overview.facts(desk, query), *list, *row;

	if (own == NULL)
		return NULL;
	list = peers_json(desk->peers);
	row = json_pack("{s:s, s:b, s:I, s:I, s:s, s:o}", "at", "", "reachable", 1, "asked", (json_int_t)query->now,
			"answered", (json_int_t)query->now, "error", "", "summary", own);
	json_array_insert_new(list, 0, row);
	return json_pack("{s:o}", "nodes", list);
}

static void put_value(FILE *to, const struct column *column, const json_t *summary)
{
	const json_t *part = json_object_get(summary, column->part);
	char text[HTML_TEXT];

	switch (column->kind) {
	case SIZE:
		html_size(to, json_u64(part, column->member));
		return;
	case NUMBER:
		html_put(to, "$", html_number(json_u64(part, column->member), text));
		return;
	case MONEY:
		html_put(to, "$", html_money(json_text(part, column->member), text));
		return;
	}
}

static void put_sum(FILE *to, const struct column *column, const json_t *nodes)
{
	struct amount money = amount_of(0), one;
	char text[HTML_TEXT], printed[AMOUNT_TEXT];
	uint64_t sum = 0;
	const json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		const json_t *part = json_object_get(json_object_get(node, "summary"), column->part);

		sum += json_u64(part, column->member);
		if (column->kind == MONEY && amount_parse(json_text(part, column->member), &one) == ERR_OK)
			(void)!amount_add(money, one, &money);
	}
	if (column->kind == MONEY)
		html_put(to, "$", html_money(amount_print(money, printed), text));
	else if (column->kind == SIZE)
		html_size(to, sum);
	else
		html_put(to, "$", html_number(sum, text));
}

static void put_state(FILE *to, const json_t *node)
{
	if (json_yes(node, "reachable")) {
		fputs("<td class=\"good\">answers", to);
	} else if (json_is_null(json_object_get(node, "asked"))) {
		fputs("<td>is asked", to);
	} else {
		html_put(to, "<td class=\"bad\">$; figures of ", json_text(node, "error"));
		html_time(to, json_u64(node, "answered"));
	}
}

static void put_node(FILE *to, const json_t *node, const struct panel_query *query)
{
	const json_t *summary = json_object_get(node, "summary");
	const char *at = json_text(node, "at");

	fputs("<tr><th>", to);
	html_put(to, "$", at[0] != '\0' ? at : "this node");
	put_state(to, node);
	fputs("<td>", to);
	if (json_is_object(summary))
		html_address(to, json_text(summary, "address"));
	for (size_t c = 0; c < COLUMNS; c++) {
		fprintf(to, "<td class=\"n\" data-col=\"%zu\">", c);
		if (json_is_object(summary))
			put_value(to, &columns[c], summary);
		else
			fputs("–", to);
	}
	fputs("<td>", to);
	if (at[0] != '\0' && query->form_token[0] != '\0')
		html_put(to,
			 "<form method=\"post\" action=\"/nodes/forget\"><input type=\"hidden\" name=\"form\" "
			 "value=\"$\">"
			 "<input type=\"hidden\" name=\"at\" value=\"$\"><button>Forget</button></form>",
			 query->form_token, at);
}

static void put_pairing(FILE *to, const char *form_token)
{
	fputs("<h2>Another node</h2>", to);
	if (form_token[0] == '\0') {
		fputs("<p>Log in to add nodes.</p>", to);
		return;
	}
	html_put(to,
		 "<p>On the other node's page, make a code; enter it here. That page must be reachable from this node: "
		 "start it with <code>--http</code> on an address of your own network or tunnel.</p>"
		 "<form method=\"post\" action=\"/nodes/add\" class=\"row\">"
		 "<input type=\"hidden\" name=\"form\" value=\"$\">"
		 "<label>Its dashboard <input name=\"at\" placeholder=\"192.0.2.7:7888\" required></label>"
		 "<label>Code <input name=\"code\" placeholder=\"XXXX-XXXX\" required autocomplete=\"off\"></label>"
		 "<button>Add</button></form>"
		 "<form method=\"post\" action=\"/nodes/code\" class=\"row\"><input type=\"hidden\" name=\"form\" "
		 "value=\"$\">"
		 "<button>Make a code for another node's page</button></form>",
		 form_token, form_token);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *nodes = json_object_get(facts, "nodes"), *node;
	size_t i;

	fputs("<h1>Nodes</h1><div id=\"columns\"></div><div class=\"wide\"><table "
	      "class=\"nodes\"><thead><tr><th>Node<th>State"
	      "<th>Address",
	      to);
	for (size_t c = 0; c < COLUMNS; c++) {
		fprintf(to, "<th class=\"n\" data-col=\"%zu\">", c);
		html_put(to, "$", columns[c].name);
	}
	fputs("<th><tbody>", to);
	json_array_foreach(nodes, i, node)
		put_node(to, node, query);
	fputs("<tfoot><tr><th>All<td><td>", to);
	for (size_t c = 0; c < COLUMNS; c++) {
		fprintf(to, "<td class=\"n\" data-col=\"%zu\">", c);
		put_sum(to, &columns[c], nodes);
	}
	fputs("<td></table></div><p>A node that does not answer counts with the figures that it told last.</p>", to);
	put_pairing(to, query->form_token);
}

const struct panel panel_nodes = {"nodes", "/nodes", "Nodes", facts, render, NULL};
