/* JSON and metrics, put together from what the parts say. */
#include "node/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/options.h"
#include "node/condition.h"
#include "node/standing.h"
#include "node/stats.h"
#include "node/store_facts.h"

#define STATUS_NOTICES 20   /* of each satellite, in the status */
#define ALL_NOTICES 10000 /* the same when they are asked for */

struct api {
	struct http *http;
	struct loop *loop;
	struct api_sources sources;
	struct standing *standing; /* NULL when it cannot be opened */
};

static json_t *json_findings(const struct api *api)
{
	struct findings *findings = findings_new();
	json_t *json;

	condition_find(&api->sources, findings);
	json = findings_json(findings);
	findings_free(findings);
	return json;
}

/* What the store says, or zeros while it is not there. */
static void space_of(const struct api *api, struct store_space *ret)
{
	*ret = (struct store_space){.read_only = true};
	if (api->sources.parts->store != NULL)
		store_space(api->sources.parts->store, ret);
	else
		snprintf(ret->reason, sizeof(ret->reason), "%s", storage_missing(api->sources.storage));
}

/* Answers for itself when there is no store to ask. */
static bool has_store(struct http_request *request, const struct api *api)
{
	if (api->sources.parts->store != NULL)
		return true;
	http_answer_error(request, 503, storage_missing(api->sources.storage));
	return false;
}

static json_t *json_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *json_address(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

static json_t *json_id(const struct id *id)
{
	char text[KEY_ID_HEX];

	id_to_hex(id, text);
	return json_string(text);
}

static json_t *json_hostport(const struct hostport *at)
{
	char text[HOSTPORT_TEXT];

	hostport_print(at, text);
	return json_string(text);
}

static json_t *json_orders(struct books *books, const struct address *satellite)
{
	struct ledger_totals t;

	ledger_totals(books_ledger(books), satellite, &t);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "unsettled", (json_int_t)t.orders[LEDGER_UNSETTLED],
			 "settled", (json_int_t)t.orders[LEDGER_SETTLED], "rejected",
			 (json_int_t)t.orders[LEDGER_REJECTED], "bytes",
			 (json_int_t)(t.bytes[LEDGER_UNSETTLED] + t.bytes[LEDGER_SETTLED] + t.bytes[LEDGER_REJECTED]),
			 "unsettled_bytes", (json_int_t)t.bytes[LEDGER_UNSETTLED], "settled_bytes",
			 (json_int_t)t.bytes[LEDGER_SETTLED]);
}

static json_t *json_time(uint64_t at)
{
	return at > 0 ? json_u64(at) : json_null();
}

/* Of all satellites, with what the owner should know of those that wait. */
static json_t *json_all_orders(struct books *books)
{
	struct overdue_state overdue = books_overdue(books);
	json_t *json = json_orders(books, NULL);

	json_object_set_new(json, "alert", json_string(overdue_name(overdue.level)));
	json_object_set_new(json, "unsettled_since", json_time(overdue.since));
	json_object_set_new(json, "settle_by", json_time(overdue.until));
	return json;
}

static json_t *json_sum(const struct holdings_sum *sum)
{
	return json_pack("{s:I, s:I}", "pieces", (json_int_t)sum->pieces, "bytes", (json_int_t)sum->bytes);
}

/* What the satellite counts as stored here, against the store; null until it has signed a day. */
static json_t *json_holdings(struct books *books, const struct address *satellite)
{
	struct holdings h;

	if (!books_holdings(books, satellite, &h))
		return json_null();
	return json_pack("{s:I, s:b, s:b, s:o, s:o, s:o, s:o, s:I, s:I}", "day", (json_int_t)h.day, "agrees",
			 holdings_agree(&h), "whole", h.whole, "alike", json_sum(&h.alike), "unlisted",
			 json_sum(&h.unlisted), "ended", json_sum(&h.ended), "absent", json_sum(&h.absent),
			 "other_size", (json_int_t)h.other_size, "other_time", (json_int_t)h.other_time);
}

/* What the satellite thinks of this node; null until it has said so. */
static json_t *json_standing(const struct api *api, const struct address *satellite, unsigned notices)
{
	return api->standing == NULL ? json_null() : standing_json(api->standing, satellite, notices);
}

static json_t *json_satellite(const struct api *api, const struct satellite *s)
{
	struct checkin_state state;
	json_t *json = json_object();

	checkin_state(api->sources.checkin, &s->address, &state);
	json_object_set_new(json, "id", json_id(&s->endpoint.id));
	json_object_set_new(json, "address", json_address(&s->address));
	json_object_set_new(json, "endpoint", json_hostport(&s->endpoint.at));
	json_object_set_new(json, "chain_id", s->pinned ? json_u64(s->domain.chain_id) : json_null());
	json_object_set_new(json, "contract", s->pinned ? json_address(&s->domain.contract) : json_null());
	json_object_set_new(json, "last_check_in", state.at > 0 ? json_u64(state.at) : json_null());
	json_object_set_new(json, "connected", json_boolean(state.at > 0 && state.err == ERR_OK));
	json_object_set_new(json, "reachable", json_boolean(state.reachable));
	json_object_set_new(json, "status", json_u64(state.status));
	json_object_set_new(json, "reason", json_string(state.reason));
	json_object_set_new(json, "clock_skew", json_integer(state.skew));
	json_object_set_new(json, "orders", json_orders(api->sources.books, &s->address));
	json_object_set_new(json, "holdings", json_holdings(api->sources.books, &s->address));
	json_object_set_new(json, "standing", json_standing(api, &s->address, STATUS_NOTICES));
	return json;
}

static json_t *json_satellites(const struct api *api)
{
	struct satellite *list;
	size_t count = trust_list(api->sources.parts->trust, &list);
	json_t *json = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(json, json_satellite(api, &list[i]));
	free(list);
	return json;
}

json_t *api_status(const struct api *api)
{
	const struct parts *parts = api->sources.parts;
	struct store_space space;
	json_t *json = json_object();

	space_of(api, &space);
	json_object_set_new(json, "id", json_id(key_id(parts->key)));
	json_object_set_new(json, "address", json_address(key_address(parts->key)));
	json_object_set_new(json, "version", json_string(GRANARY_VERSION));
	json_object_set_new(json, "endpoint", json_hostport(&api->sources.said->external));
	json_object_set_new(json, "listen", json_hostport(api->sources.listen));
	json_object_set_new(json, "payout", json_address(&api->sources.said->payee));
	json_object_set_new(json, "started", json_u64(api->sources.started));
	json_object_set_new(json, "now", json_u64(clock_wall()));
	json_object_set_new(json, "satellites", json_satellites(api));
	json_object_set_new(json, "space", store_facts_space(&space));
	json_object_set_new(json, "paused_until", json_time(pause_until(parts->pause, clock_wall())));
	json_object_set_new(json, "port_mapping", portmap_json(api->sources.portmap));
	json_object_set_new(json, "missing", json_string(storage_missing(api->sources.storage)));
	if (parts->store != NULL)
		json_object_set_new(json, "damage", store_facts_damage(parts->store));
	json_object_set_new(json, "orders", json_all_orders(api->sources.books));
	json_object_set_new(json, "findings", json_findings(api));
	return json;
}

static void on_standing(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	struct satellite *satellites;
	size_t count = trust_list(api->sources.parts->trust, &satellites);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o}", "address", json_address(&satellites[i].address),
						      "standing",
						      json_standing(api, &satellites[i].address, ALL_NOTICES)));
	free(satellites);
	http_answer_json(request, 200, json_pack("{s:o}", "satellites", list));
}

static void on_status(struct http_request *request, void *arg)
{
	http_answer_json(request, 200, api_status(arg));
}

/* Healthy: running, and able to take pieces in. */
static void on_health(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	const struct parts *parts = api->sources.parts;
	struct store_space space;

	space_of(api, &space);
	if (parts->store == NULL)
		http_answer_text(request, 503, "text/plain", "no store\n");
	else if (space.read_only)
		http_answer_text(request, 503, "text/plain", "read-only\n");
	else
		http_answer_text(request, 200, "text/plain", "ok\n");
}

/* Satellites whose collection waits for the operator. */
static uint64_t count_held(struct store *store)
{
	struct store_held *held;
	size_t count = store_collect_held(store, &held);

	free(held);
	return count;
}

static void refresh(const struct api *api)
{
	const struct parts *parts = api->sources.parts;
	struct metrics *m = parts->metrics;
	struct overdue_state overdue = books_overdue(api->sources.books);
	struct ledger_totals orders;
	struct store_damage damage = {0};
	struct store_space space;
	struct store_scrub scrub = {0};

	space_of(api, &space);
	if (parts->store != NULL) {
		store_damage(parts->store, &damage);
		store_scrub(parts->store, &scrub);
	}
	ledger_totals(books_ledger(api->sources.books), NULL, &orders);
	metrics_set(m, STAT_ALLOCATION, space.allocation);
	metrics_set(m, STAT_USED, store_facts_used(&space));
	metrics_set(m, STAT_AVAILABLE, space.available);
	metrics_set(m, STAT_PIECES, space.pieces);
	metrics_set(m, STAT_TRASH, space.trash);
	metrics_set(m, STAT_TRASH_PIECES, space.trashed);
	metrics_set(m, STAT_HELD, parts->store == NULL ? 0 : count_held(parts->store));
	metrics_set(m, STAT_READ_ONLY, space.read_only);
	metrics_set(m, STAT_DAMAGED, damage.pieces);
	metrics_set(m, STAT_UNTOLD, damage.untold);
	metrics_set(m, STAT_SCRUBBED, scrub.now.bytes);
	metrics_set(m, STAT_SCRUB_TOTAL, scrub.now.total);
	metrics_set(m, STAT_SCRUB_ROUNDS, scrub.rounds);
	metrics_set(m, STAT_SCRUB_FINISHED, scrub.finished);
	metrics_set(m, STAT_IN_FLIGHT, admission_taken(parts->admission));
	metrics_set(m, STAT_SERIALS, admission_used(parts->admission));
	metrics_set(m, STAT_ORDERS_UNSETTLED, orders.orders[LEDGER_UNSETTLED]);
	metrics_set(m, STAT_ORDERS_SETTLED, orders.orders[LEDGER_SETTLED]);
	metrics_set(m, STAT_ORDERS_REJECTED, orders.orders[LEDGER_REJECTED]);
	metrics_set(m, STAT_UNSETTLED_SINCE, overdue.since);
	metrics_set(m, STAT_SETTLE_BY, overdue.until);
	metrics_set(m, STAT_OVERDUE, overdue.level);
}

/* Why the store is read-only, as a label; nothing while it is not. */
static void print_reason(FILE *to, const struct api *api)
{
	struct store_space space;

	space_of(api, &space);
	if (!space.read_only)
		return;
	fputs("# HELP granary_node_read_only_info Why the store takes no more writes.\n"
	      "# TYPE granary_node_read_only_info gauge\ngranary_node_read_only_info{reason=\"",
	      to);
	for (const char *at = space.reason; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			fputc('\\', to);
		fputc(*at == '\n' ? ' ' : *at, to);
	}
	fputs("\"} 1\n", to);
}

static void on_metrics(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	char *numbers, *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		abort();
	refresh(api);
	numbers = metrics_print(api->sources.parts->metrics);
	fputs(numbers, to);
	print_reason(to, api);
	if (fclose(to) != 0)
		abort();
	http_answer_text(request, 200, METRICS_CONTENT_TYPE, text);
	free(numbers);
	free(text);
}

static json_t *json_outcome(const struct books_outcome *outcome)
{
	const struct settle_outcome *o = &outcome->orders;
	const struct clerk_outcome *papers = &outcome->papers;
	json_t *json = json_object();

	json_object_set_new(json, "id", json_id(&o->satellite.endpoint.id));
	json_object_set_new(json, "address", json_address(&o->satellite.address));
	json_object_set_new(json, "settled", json_u64(o->settled));
	json_object_set_new(json, "rejected", json_u64(o->rejected));
	json_object_set_new(json, "bytes", json_u64(o->bytes));
	json_object_set_new(json, "days", json_u64(papers->days));
	json_object_set_new(json, "statements", json_u64(papers->statements));
	json_object_set_new(json, "asks_accepted", json_u64(papers->accepted));
	json_object_set_new(json, "asks_refused", json_u64(papers->refused));
	json_object_set_new(json, "error",
			    o->err != ERR_OK	    ? json_string(o->why)
			    : papers->err != ERR_OK ? json_string(papers->why)
						    : json_null());
	return json;
}

static void on_settled(const struct books_outcome *outcomes, size_t count, void *arg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_outcome(&outcomes[i]));
	http_answer_json(arg, 200, json_pack("{s:o}", "satellites", list));
}

static void on_settle(struct http_request *request, void *arg)
{
	const struct api *api = arg;

	books_settle(api->sources.books, on_settled, request);
}

static void on_reported(json_t *report, void *arg)
{
	if (report != NULL)
		http_answer_json(arg, 200, report);
	else
		http_answer_error(arg, 500, "the books cannot be read; the log has the reason");
}

/* ?period=YYYY-MM, or all. */
static void on_earnings(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	const char *text = http_parameter(request, "period");
	uint32_t from = 0, to = month_period(clock_wall());

	if (text != NULL && period_parse(text, &to) != ERR_OK) {
		http_answer_error(request, 400, "period: not a month as YYYY-MM");
		return;
	}
	if (text != NULL)
		from = to;
	books_report(api->sources.books, from, to, on_reported, request);
}

static void on_store(struct http_request *request, void *arg)
{
	const struct api *api = arg;

	if (has_store(request, api))
		http_answer_json(request, 200, store_facts_json(api->sources.parts->store));
}

static void on_chore(struct http_request *request, void *arg)
{
	const struct api *api = arg;

	if (has_store(request, api))
		http_answer_json(request, 200, chores_json(api->sources.chores));
}

/* An option of a chore, from the query; false when it is no number. */
static bool read_number(struct http_request *request, const char *name, uint64_t most, uint64_t *ret)
{
	const char *text = http_parameter(request, name);

	if (text == NULL)
		return true;
	return option_parse_size(text, ret) == ERR_OK && *ret <= most;
}

/* Whose pieces go; false, and the request answered, when that is nobody, or a satellite that the node still serves. */
static bool read_forgotten(struct http_request *request, const struct api *api, struct address *ret)
{
	const char *text = http_parameter(request, "satellite");
	struct satellite satellite;

	if (text == NULL || address_from_text(text, ret) != ERR_OK) {
		http_answer_error(request, 400, "satellite: an address, 0x and 40 digits");
		return false;
	}
	if (trust_find(api->sources.parts->trust, ret, &satellite) == ERR_OK) {
		http_answer_error(request, 409, "the node works for that satellite");
		return false;
	}
	return true;
}

static void start_chore(struct http_request *request, const struct api *api, const char *name)
{
	struct chore_options options = {.name = name, .within = INT64_MAX, .shared = true};
	uint64_t least = 0;

	if (!has_store(request, api))
		return;
	if (!read_number(request, "rate", INT64_MAX, &options.rate) || !read_number(request, "least", 100, &least) ||
	    !read_number(request, "within", INT64_MAX, &options.within)) {
		http_answer_error(request, 400, "rate: bytes per second; least: percent, 0 to 100; within: seconds");
		return;
	}
	options.least = (unsigned)least;
	if (strcmp(name, "forget") == 0 && !read_forgotten(request, api, &options.satellite))
		return;
	if (chores_start(api->sources.chores, &options) == ERR_OK)
		on_chore(request, (void *)(uintptr_t)api);
	else
		http_answer_error(request, 409, "the store is at another long piece of work; wait for it, or stop it");
}

static void on_check(struct http_request *request, void *arg)
{
	start_chore(request, arg, "check");
}

static void on_compact(struct http_request *request, void *arg)
{
	start_chore(request, arg, "compact");
}

static void on_restore(struct http_request *request, void *arg)
{
	start_chore(request, arg, "restore");
}

static void on_forget(struct http_request *request, void *arg)
{
	start_chore(request, arg, "forget");
}

/* The operator agrees to what one satellite's filters would trash. */
struct agreement {
	struct http_request *request;
	struct store *store;
	struct address satellite;
	enum err err;
	json_t *held; /* all that is */
};

static void agree(void *arg)
{
	struct agreement *agreement = arg;

	agreement->err = store_facts_agree(agreement->store, &agreement->satellite);
	agreement->held = store_facts_held(agreement->store);
}

static void agreed(void *arg)
{
	struct agreement *agreement = arg;

	if (agreement->err == ERR_OK)
		http_answer_json(agreement->request, 200, json_pack("{s:O}", "held", agreement->held));
	else if (agreement->err == ERR_NOT_FOUND)
		http_answer_error(agreement->request, 404, "nothing is held of that satellite");
	else
		http_answer_error(agreement->request, 503, err_text(agreement->err));
	json_decref(agreement->held);
	free(agreement);
}

static void on_agree(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	const char *text = http_parameter(request, "satellite");
	struct agreement *agreement;
	struct address satellite;

	if (!has_store(request, api))
		return;
	if (text == NULL || address_from_text(text, &satellite) != ERR_OK) {
		http_answer_error(request, 400, "satellite: its address, 0x and 40 digits");
		return;
	}
	agreement = memory_new(1, sizeof(*agreement));
	agreement->request = request;
	agreement->store = api->sources.parts->store;
	agreement->satellite = satellite;
	pool_submit(api->sources.parts->disks, agree, api->loop, agreed, agreement);
}

static void on_stop_chore(struct http_request *request, void *arg)
{
	const struct api *api = arg;

	if (api->sources.chores != NULL)
		chores_stop(api->sources.chores);
	on_chore(request, arg);
}

static void on_pause(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	const struct api_controls *controls = &api->sources.controls;
	uint64_t seconds = UINT64_MAX, until = 0;
	enum err err;

	if (!read_number(request, "seconds", PAUSE_MOST, &seconds) || seconds == UINT64_MAX) {
		http_answer_error(request, 400, "seconds: for how long, at most 604800; 0 ends it");
		return;
	}
	if (seconds > 0)
		until = clock_wall() + seconds;
	err = controls->pause(controls->arg, until);
	if (err == ERR_OK)
		http_answer_json(request, 200, json_pack("{s:o}", "paused_until", json_time(until)));
	else
		http_answer_error(request, 500, err_text(err));
}

static void on_reload(struct http_request *request, void *arg)
{
	const struct api *api = arg;
	const struct api_controls *controls = &api->sources.controls;
	char why[512] = "";
	struct store_space space;

	if (controls->reload(controls->arg, why, sizeof(why)) != ERR_OK) {
		http_answer_error(request, 409, why);
		return;
	}
	space_of(api, &space);
	http_answer_json(request, 200, json_pack("{s:o}", "space", store_facts_space(&space)));
}

/* clang-format off */
static const struct http_route routes[] = {
	{"GET", "/health", on_health, HTTP_OPEN},
	{"GET", "/metrics", on_metrics, HTTP_OPEN},
	{"GET", "/api/v1/status", on_status, HTTP_READ},
	{"GET", "/api/v1/standing", on_standing, HTTP_READ},
	{"GET", "/api/v1/store", on_store, HTTP_READ},
	{"GET", "/api/v1/store/chore", on_chore, HTTP_READ},
	{"GET", "/api/v1/earnings", on_earnings, HTTP_READ},
	{"POST", "/api/v1/settle", on_settle, HTTP_WRITE},
	{"POST", "/api/v1/pause", on_pause, HTTP_WRITE},
	{"POST", "/api/v1/reload", on_reload, HTTP_WRITE},
	{"POST", "/api/v1/store/check", on_check, HTTP_WRITE},
	{"POST", "/api/v1/store/compact", on_compact, HTTP_WRITE},
	{"POST", "/api/v1/store/restore", on_restore, HTTP_WRITE},
	{"POST", "/api/v1/store/forget", on_forget, HTTP_WRITE},
	{"POST", "/api/v1/store/agree", on_agree, HTTP_WRITE},
	{"POST", "/api/v1/store/stop", on_stop_chore, HTTP_WRITE},
};
/* clang-format on */

/* What satellites said is not worth a node that does not start. */
static void open_standing(struct api *api, const char *dir)
{
	char why[DATABASE_MESSAGE] = "", quoted[DATABASE_MESSAGE + 64];

	if (standing_open(dir, &api->standing, why) != ERR_OK)
		log_event(LOG_WARN, "standing_not_known", "why=%s", log_quote(why, quoted, sizeof(quoted)));
}

enum err api_serve(struct loop *loop, const struct hostport *at, const char *dir, const struct api_sources *sources,
		   struct api **ret)
{
	struct api *api = memory_new(1, sizeof(*api));
	enum err err;

	api->sources = *sources;
	api->loop = loop;
	err = http_serve(loop, at, dir, routes, sizeof(routes) / sizeof(routes[0]), api, &api->http);
	if (err != ERR_OK) {
		free(api);
		return err;
	}
	open_standing(api, dir);
	*ret = api;
	return ERR_OK;
}

void api_change(struct api *api, const struct api_sources *sources)
{
	uint64_t started = api->sources.started;

	api->sources = *sources;
	api->sources.started = started;
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	http_free(api->http);
	standing_close(api->standing);
	free(api);
}

uint16_t api_port(const struct api *api)
{
	return http_port(api->http);
}

struct http *api_http(struct api *api)
{
	return api->http;
}

json_t *api_facts(void *arg)
{
	const struct api *api = arg;
	json_t *json = api_status(api), *store = NULL;

	if (api->sources.parts->store != NULL)
		store = store_facts_json(api->sources.parts->store);
	json_object_update_missing(json, store);
	json_decref(store);
	return json;
}
