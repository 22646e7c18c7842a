/* Everything that happened to this node, with reason and remedy. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "node/dashboard/html.h"
#include "node/dashboard/panel.h"

#define EVENTS_SHOWN 200

static json_t *facts(struct desk *desk, const struct panel_query *query)
{
	json_t *json = events_json(desk->events, 0, EVENTS_SHOWN);

	(void)query;
	if (json == NULL)
		log_event(LOG_WARN, "events_unknown", "%s", "file=events.db");
	return json;
}

static void put_event(FILE *to, const json_t *event)
{
	html_put(to, json_yes(event, "read") ? "<tr data-kind=\"$\"><td>" : "<tr class=\"unread\" data-kind=\"$\"><td>",
		 json_text(event, "kind"));
	html_time(to, json_u64(event, "at"));
	html_put(to, "<td class=\"severity $\">$<td>", json_text(event, "severity"), json_text(event, "severity"));
	if (json_text(event, "subject")[0] != '\0')
		html_address(to, json_text(event, "subject"));
	html_put(to, "<td>$ <em>$</em>", json_text(event, "text"), json_text(event, "remedy"));
}

static void put_mark(FILE *to, const json_t *events, const char *form_token)
{
	char number[24];

	if (form_token[0] == '\0')
		return;
	snprintf(number, sizeof(number), "%" PRIu64, json_u64(json_array_get(events, 0), "number"));
	html_put(to,
		 "<form method=\"post\" action=\"/events/read\"><input type=\"hidden\" name=\"form\" value=\"$\">"
		 "<input type=\"hidden\" name=\"number\" value=\"$\"><button>Mark all as read</button></form>",
		 form_token, number);
}

static void render(FILE *to, const json_t *facts, const struct panel_query *query)
{
	const json_t *events = json_object_get(facts, "events"), *event;
	char number[HTML_TEXT];
	size_t i;

	html_put(to, "<h1>Events</h1><p>$ unread.</p>", html_number(json_u64(facts, "unread"), number));
	if (json_array_size(events) == 0) {
		fputs("<p class=\"good\">Nothing happened yet.</p>", to);
		return;
	}
	if (json_u64(facts, "unread") > 0)
		put_mark(to, events, query->form_token);
	fputs("<div class=\"wide\"><table class=\"events\"><thead><tr><th>Time<th>Severity<th>Of<th>What "
	      "happened<tbody>",
	      to);
	json_array_foreach(events, i, event)
		put_event(to, event);
	fputs("</table></div>", to);
}

const struct panel panel_events = {"events", "/events", "Events", facts, render, NULL};
