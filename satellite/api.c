/* HTTP routes: the loop takes the request, a worker counts, the loop answers. */
#include "satellite/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/metrics.h"
#include "satellite/facts.h"

struct api {
	struct server *server;
	struct http *http;
	uint64_t started; /* monotonic */
};

#define PREFIX "granary_satellite_"

/* What /metrics prints and, without the prefix, /api/v1/status: struct facts in its order, then the sessions. */
static const struct metric gauges[] = {
	{PREFIX "nodes", NULL, METRIC_GAUGE, "Nodes that ever checked in."},
	{PREFIX "nodes_online", NULL, METRIC_GAUGE, "Nodes that are online."},
	{PREFIX "clients", NULL, METRIC_GAUGE, "Enrolled clients."},
	{PREFIX "buckets", NULL, METRIC_GAUGE, "Buckets."},
	{PREFIX "objects", NULL, METRIC_GAUGE, "Visible objects."},
	{PREFIX "object_bytes", NULL, METRIC_GAUGE, "Plain bytes of visible objects."},
	{PREFIX "uploads", NULL, METRIC_GAUGE, "Objects begun and not committed."},
	{PREFIX "pieces", NULL, METRIC_GAUGE, "Pieces of committed segments."},
	{PREFIX "stored_bytes", NULL, METRIC_GAUGE, "Bytes of those pieces."},
	{PREFIX "lost_pieces", NULL, METRIC_GAUGE, "Pieces that an audit or their node's own word showed to be gone."},
	{PREFIX "deletions_queued", NULL, METRIC_GAUGE, "Pieces that nodes must still be told to delete."},
	{PREFIX "settled_bytes", NULL, METRIC_GAUGE, "Bytes of settled orders."},
	{PREFIX "settled_orders", NULL, METRIC_GAUGE, "Settled orders."},
	{PREFIX "repairs_urgent", NULL, METRIC_GAUGE, "Segments that are close to being lost."},
	{PREFIX "repairs_waiting", NULL, METRIC_GAUGE, "Other segments that wait for repair."},
	{PREFIX "repairs_moving", NULL, METRIC_GAUGE, "Segments with pieces on nodes that leave, and else well."},
	{PREFIX "repairs_blocked", NULL, METRIC_GAUGE, "Segments that cannot be repaired until nodes return."},
	{PREFIX "repairs_lost", NULL, METRIC_GAUGE, "Segments of which too few pieces are left anywhere."},
	{PREFIX "repaired_total", NULL, METRIC_COUNTER, "Repairs done."},
	{PREFIX "repaired_pieces_total", NULL, METRIC_COUNTER, "Pieces rebuilt."},
	{PREFIX "moved_pieces_total", NULL, METRIC_COUNTER, "Pieces moved away from nodes that leave."},
	{PREFIX "repair_failures_total", NULL, METRIC_COUNTER, "Repairs that failed, and were or will be tried again."},
	{PREFIX "repair_read_bytes_total", NULL, METRIC_COUNTER, "Bytes read for repairs."},
	{PREFIX "repair_stored_bytes_total", NULL, METRIC_COUNTER, "Bytes stored by repairs."},
	{PREFIX "sessions", NULL, METRIC_GAUGE, "Open channels."},
};

#define GAUGES (sizeof(gauges) / sizeof(gauges[0]))
#define FACTS (sizeof(struct facts) / sizeof(uint64_t))

_Static_assert(GAUGES == FACTS + 1, "a gauge for each fact, and the sessions");

/* A request whose numbers a worker is collecting. */
struct counting {
	struct http_request *request;
	void (*answer)(struct counting *counting);
	struct facts facts;
	const struct settings *settings;
	enum err err;
	unsigned sessions;
	uint64_t uptime; /* seconds */
	const struct key *key;
};

static void collect(struct desk *desk, void *arg)
{
	struct counting *counting = arg;

	counting->settings = desk->settings;
	counting->err = facts_collect(desk, clock_wall(), &counting->facts);
}

static void finish(void *arg)
{
	struct counting *counting = arg;

	if (counting->err == ERR_OK)
		counting->answer(counting);
	else
		http_answer_error(counting->request, 500, err_text(counting->err));
	free(counting);
}

static void count(struct api *api, struct http_request *request, void (*answer)(struct counting *counting))
{
	struct counting *counting = memory_new(1, sizeof(*counting));

	counting->request = request;
	counting->answer = answer;
	counting->sessions = server_session_count(api->server);
	counting->uptime = (clock_monotonic() - api->started) / 1000000000;
	counting->key = server_key(api->server);
	server_submit(api->server, collect, finish, counting);
}

static uint64_t value_of(const struct counting *counting, size_t gauge)
{
	return gauge < FACTS ? ((const uint64_t *)&counting->facts)[gauge] : counting->sessions;
}

static void answer_status(struct counting *counting)
{
	const struct settings *settings = counting->settings;
	char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT], redundancy[REDUNDANCY_TEXT];
	json_t *json;

	id_to_hex(key_id(counting->key), id);
	address_to_text(key_address(counting->key), address);
	redundancy_print(&settings->redundancy, redundancy);
	json = json_pack("{s:s, s:s, s:s, s:I, s:b, s:I, s:s}", "id", id, "address", address, "version",
			 GRANARY_VERSION, "uptime_seconds", (json_int_t)counting->uptime, "test_network",
			 settings->test_network, "chain_id", (json_int_t)settings->domain.chain_id, "redundancy",
			 redundancy);
	for (size_t i = 0; i < GAUGES; i++)
		json_object_set_new(json, gauges[i].name + strlen(PREFIX),
				    json_integer((json_int_t)value_of(counting, i)));
	http_answer_json(counting->request, 200, json);
}

static void answer_metrics(struct counting *counting)
{
	struct metrics *metrics = metrics_new(gauges, GAUGES);
	char *text;

	for (size_t i = 0; i < GAUGES; i++)
		metrics_add(metrics, i, value_of(counting, i));
	text = metrics_print(metrics);
	http_answer_text(counting->request, 200, METRICS_CONTENT_TYPE, text);
	free(text);
	metrics_free(metrics);
}

static void on_health(struct http_request *request, void *arg)
{
	(void)arg;
	http_answer_text(request, 200, "text/plain", "ok\n");
}

static void on_status(struct http_request *request, void *arg)
{
	count(arg, request, answer_status);
}

static void on_metrics(struct http_request *request, void *arg)
{
	count(arg, request, answer_metrics);
}

enum err api_serve(struct loop *loop, struct server *server, const struct hostport *at, struct api **ret, char *why,
		   size_t room)
{
	static const struct http_route routes[] = {
		{"GET", "/health", on_health, HTTP_OPEN},
		{"GET", "/metrics", on_metrics, HTTP_OPEN},
		{"GET", "/api/v1/status", on_status, HTTP_OPEN},
	};
	struct api *api = memory_new(1, sizeof(*api));
	enum err err;

	api->server = server;
	api->started = clock_monotonic();
	err = http_serve(loop, at, server_settings(server)->dir, routes, sizeof(routes) / sizeof(routes[0]), api,
			 &api->http);
	if (err != ERR_OK) {
		snprintf(why, room, "cannot serve HTTP on %s:%u: %s", at->host, at->port, http_serve_text(err));
		free(api);
		return err;
	}
	*ret = api;
	return ERR_OK;
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	http_free(api->http);
	free(api);
}

uint16_t api_port(const struct api *api)
{
	return http_port(api->http);
}
