/* Routes, the history's timer, and the streams that keep pages alive. */
#include "node/dashboard/dashboard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/options.h"
#include "node/dashboard/chart.h"
#include "node/dashboard/export.h"
#include "node/dashboard/files.h"
#include "node/dashboard/inquiry.h"
#include "node/dashboard/login.h"
#include "node/dashboard/nodes.h"
#include "node/dashboard/panel.h"
#include "node/dashboard/stream.h"
#include "node/dashboard/visit.h"

#define API "/api/v1/"
#define FACTS_PATH 32
#define RECORD_SECONDS 60

const struct panel *const panels[] = {
	&panel_overview, &panel_earnings, &panel_health, &panel_disk,	&panel_traffic,
	&panel_orders,	 &panel_network,  &panel_nodes,	 &panel_events,
};
#define PANELS (sizeof(panels) / sizeof(panels[0]))
const size_t panel_count = PANELS;

struct dashboard {
	struct loop *loop;
	struct dashboard_sources sources;
	struct pool *pool;
	struct desk desk;
	struct visit visit;
	struct nodes nodes;
	char name[KEY_ADDRESS_TEXT]; /* what we call ourselves at other nodes */
	struct streams *streams;
	struct event *timer;
	struct http_route panel_routes[2 * PANELS]; /* of each its page and its facts */
	char facts_paths[PANELS][FACTS_PATH];
};

static void ask_panel(struct dashboard *dashboard, struct http_request *request, const struct panel *panel,
		      enum inquiry_form form)
{
	char session[LOGIN_TOKEN_TEXT], form_token[LOGIN_TOKEN_TEXT] = "";
	struct inquiry_how how = {.desk = &dashboard->desk,
				  .pool = dashboard->pool,
				  .loop = dashboard->loop,
				  .panel = panel,
				  .form = form,
				  .form_token = form_token};

	if (visit_session(&dashboard->visit, request, session) &&
	    login_has_session(dashboard->visit.login, session, clock_wall()))
		login_form_token(session, form_token);
	how.live = dashboard->sources.status(dashboard->sources.arg);
	inquiry_begin(request, &how);
}

/* A page, or with ?part what is inside it. */
static void on_page(struct http_request *request, void *arg)
{
	const char *path = http_path(request);
	bool part = http_parameter(request, "part") != NULL;

	if (http_allowed(request) < HTTP_READ && part) {
		http_answer_error(request, 401, "log in again");
		return;
	}
	if (http_allowed(request) < HTTP_READ) {
		visit_send_away(request, path);
		return;
	}
	for (size_t i = 0; i < panel_count; i++) {
		if (strcmp(panels[i]->path, path) == 0) {
			ask_panel(arg, request, panels[i], part ? INQUIRY_PART : INQUIRY_PAGE);
			return;
		}
	}
	http_answer_error(request, 404, "no such page");
}

static void on_facts(struct http_request *request, void *arg)
{
	const char *name = http_path(request) + strlen(API);

	for (size_t i = 0; i < panel_count; i++) {
		if (strcmp(panels[i]->name, name) == 0) {
			ask_panel(arg, request, panels[i], INQUIRY_JSON);
			return;
		}
	}
	http_answer_error(request, 404, "no such page");
}

static void on_file(struct http_request *request, void *arg)
{
	const struct dashboard *dashboard = arg;

	files_answer(request, http_path(request) + 1, dashboard->sources.web_dir);
}

static void on_stream(struct http_request *request, void *arg)
{
	struct dashboard *dashboard = arg;

	streams_open(dashboard->streams, request);
}

static void on_chart(struct http_request *request, void *arg)
{
	struct dashboard *dashboard = arg;

	chart_begin(request, &dashboard->desk, dashboard->pool, dashboard->loop,
		    dashboard->sources.status(dashboard->sources.arg));
}

static void on_export(struct http_request *request, void *arg)
{
	struct dashboard *dashboard = arg;

	export_begin(request, &dashboard->desk, dashboard->pool, dashboard->loop);
}

/* The form of the events panel. */
struct marking {
	struct http_request *request;
	struct events *events;
	uint64_t number;
	enum err err;
};

static void work_mark(void *arg)
{
	struct marking *marking = arg;

	marking->err = events_mark_read(marking->events, marking->number);
}

static void marked(void *arg)
{
	struct marking *marking = arg;

	if (marking->err == ERR_OK)
		http_answer_see(marking->request, "/events");
	else
		http_answer_error(marking->request, 500, err_text(marking->err));
	free(marking);
}

static void on_mark(struct http_request *request, void *arg)
{
	struct dashboard *dashboard = arg;
	const char *number = http_parameter(request, "number");
	struct marking *marking;
	uint64_t value;

	if (number == NULL || option_parse_size(number, &value) != ERR_OK || value > INT64_MAX) {
		http_answer_error(request, 400, "number: of the last event that was read");
		return;
	}
	marking = memory_new(1, sizeof(*marking));
	*marking = (struct marking){.request = request, .events = dashboard->desk.events, .number = value};
	pool_submit(dashboard->pool, work_mark, dashboard->loop, marked, marking);
}

/* clang-format off */
static const struct http_route routes[] = {
	{"GET", API "history", on_chart, HTTP_READ},
	{"GET", API "export", on_export, HTTP_READ},
	{"GET", API "stream", on_stream, HTTP_READ},
	{"POST", "/events/read", on_mark, HTTP_WRITE},
	{"GET", "/page.css", on_file, HTTP_OPEN},
	{"GET", "/page.js", on_file, HTTP_OPEN},
	{"GET", "/theme.js", on_file, HTTP_OPEN},
	{"GET", "/dygraph.css", on_file, HTTP_OPEN},
	{"GET", "/dygraph.js", on_file, HTTP_OPEN},
};
static const struct http_route visit_routes[] = {
	{"GET", "/login", visit_show_login, HTTP_OPEN},
	{"POST", "/login", visit_log_in, HTTP_OPEN},
	{"POST", "/logout", visit_log_out, HTTP_WRITE},
};
static const struct http_route nodes_routes[] = {
	{"POST", API "pair", nodes_answer_pair, HTTP_OPEN},
	{"POST", "/nodes/code", nodes_make_code, HTTP_WRITE},
	{"POST", "/nodes/add", nodes_add, HTTP_WRITE},
	{"POST", "/nodes/forget", nodes_forget, HTTP_WRITE},
};
/* clang-format on */

static void add_panel_routes(struct dashboard *dashboard)
{
	for (size_t i = 0; i < PANELS; i++) {
		snprintf(dashboard->facts_paths[i], FACTS_PATH, API "%s", panels[i]->name);
		dashboard->panel_routes[2 * i] = (struct http_route){"GET", panels[i]->path, on_page, HTTP_OPEN};
		dashboard->panel_routes[2 * i + 1] =
			(struct http_route){"GET", dashboard->facts_paths[i], on_facts, HTTP_READ};
	}
	http_add_routes(dashboard->sources.http, dashboard->panel_routes, 2 * PANELS, dashboard);
}

struct recording {
	struct desk *desk;
	json_t *live;
};

static void work_record(void *arg)
{
	struct recording *recording = arg;

	desk_record(recording->desk, recording->live);
	json_decref(recording->live);
	free(recording);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dashboard *dashboard = arg;
	struct recording *recording = memory_new(1, sizeof(*recording));

	(void)fd;
	(void)what;
	*recording = (struct recording){&dashboard->desk, dashboard->sources.status(dashboard->sources.arg)};
	pool_submit(dashboard->pool, work_record, NULL, NULL, recording);
}

enum err dashboard_start(struct loop *loop, const struct dashboard_sources *sources, struct dashboard **ret,
			 char why[LEDGER_MESSAGE])
{
	const struct timeval every = {RECORD_SECONDS, 0};
	struct dashboard *dashboard = memory_new(1, sizeof(*dashboard));
	enum err err;

	dashboard->loop = loop;
	dashboard->sources = *sources;
	dashboard->desk = (struct desk){.dir = sources->dir,
					.key = sources->key,
					.trust = sources->trust,
					.meter = sources->meter,
					.cost = sources->cost};
	err = desk_open(&dashboard->desk, why);
	if (err != ERR_OK) {
		desk_close(&dashboard->desk);
		free(dashboard);
		return err;
	}
	dashboard->pool = pool_new(1, "dashboard");
	dashboard->visit = (struct visit){login_new(sources->dir), dashboard->pool, loop, http_port(sources->http)};
	dashboard->desk.peers = peers_new(loop, sources->dir);
	address_to_text(key_address(sources->key), dashboard->name);
	dashboard->nodes =
		(struct nodes){dashboard->visit.login, dashboard->desk.peers, dashboard->pool, loop, dashboard->name};
	dashboard->streams = streams_new(loop, sources->status, sources->arg);
	dashboard->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, dashboard);
	event_add(dashboard->timer, &every);
	add_panel_routes(dashboard);
	http_add_routes(sources->http, routes, sizeof(routes) / sizeof(routes[0]), dashboard);
	http_add_routes(sources->http, visit_routes, sizeof(visit_routes) / sizeof(visit_routes[0]), &dashboard->visit);
	http_add_routes(sources->http, nodes_routes, sizeof(nodes_routes) / sizeof(nodes_routes[0]), &dashboard->nodes);
	http_set_guard(sources->http,
		       &(struct http_guard){visit_allows, &dashboard->visit, "log in, or show a token of this node"});
	*ret = dashboard;
	return ERR_OK;
}

void dashboard_stop(struct dashboard *dashboard)
{
	if (dashboard == NULL)
		return;
	event_free(dashboard->timer);
	streams_free(dashboard->streams);
	pool_free(dashboard->pool);
	peers_free(dashboard->desk.peers);
	login_free(dashboard->visit.login);
	desk_close(&dashboard->desk);
	free(dashboard);
}
