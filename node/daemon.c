/*
 * Bottom up at the start, top down at the end; and once more, in part, whenever the disk of the store goes or comes
 * back.
 */
#include "node/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/service.h"
#include "node/api.h"
#include "node/books.h"
#include "node/checkin.h"
#include "node/dashboard/dashboard.h"
#include "node/piece_server.h"
#include "node/settings.h"
#include "node/stats.h"
#include "node/storage.h"
#include "node/store_watch.h"

#define DRAIN_MS 30000
#define TICK_SECONDS 2
#define EXPIRE_TICKS 30 /* between two looks for allocations that need not be remembered */

struct daemon {
	struct options *options;
	struct settings settings;
	struct checkin_options said; /* at check-ins */
	uint64_t settle;	     /* seconds between settlements */
	struct hostport listen;	     /* where the piece server listens, or will */
	struct parts parts;
	struct key *key;
	struct loop *loop;
	struct storage *storage;
	struct books *books;
	struct checkin *checkin;
	struct api *api;
	struct dashboard *dashboard;
	struct portmap *portmap; /* NULL: the router is left alone */
	bool has_external;	 /* --external */
	struct service_signals *signals;
	struct event *ticker;
	/* while the store is there */
	struct piece_server *server;
	struct chores *chores;
	struct store_watch *watch;
	unsigned ticks;
	bool draining; /* the piece server */
	bool stopping;
	bool failed;
};

static enum err set_satellites(struct daemon *daemon, const struct live_settings *live, char *why, size_t room)
{
	enum err err = settings_check_live(live, why, room);

	if (err == ERR_OK) {
		err = trust_set(daemon->parts.trust, live->satellites, live->satellite_count);
		if (err != ERR_OK)
			snprintf(why, room, "satellite: one of them makes no sense: %s", err_text(err));
	}
	if (err == ERR_OK && trust_is_test(daemon->parts.trust))
		clock_allow_offset();
	return err;
}

/* Where the world finds us without --external: at the router's hole, else where we listen. */
static struct hostport where_mapped(const struct daemon *daemon)
{
	struct portmap_state port;

	portmap_state(daemon->portmap, &port);
	return port.phase == PORTMAP_OPEN ? port.external : daemon->listen;
}

/* What check-ins say by these settings. */
static void set_said(struct daemon *daemon, const struct live_settings *live)
{
	daemon->has_external = live->has_external;
	daemon->said.external = live->has_external ? live->external : where_mapped(daemon);
	daemon->said.payee = live->has_payout ? live->payout : *key_address(daemon->key);
	daemon->said.interval = live->check_in;
	daemon->said.dir = options_dir(daemon->options);
	daemon->said.paused = pause_until(daemon->parts.pause, clock_wall()) > 0;
}

/* What needs no thread and no port. */
static enum err open_parts(struct daemon *daemon, const struct live_settings *live, char *why, size_t room)
{
	const char *dir = options_dir(daemon->options);
	char text[TRUST_MESSAGE] = "";
	enum err err;

	err = service_key(dir, &daemon->key, why, room);
	if (err == ERR_OK)
		err = service_lock(dir, why, room);
	if (err != ERR_OK)
		return err;
	daemon->parts.key = daemon->key;
	daemon->parts.limits = daemon->settings.limits;
	daemon->parts.metrics = stats_new();
	daemon->parts.takings = takings_new();
	daemon->parts.meter = meter_new();
	daemon->parts.pause = pause_open(dir);
	err = trust_open(dir, &daemon->parts.trust, text);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", text);
		return err;
	}
	return set_satellites(daemon, live, why, room);
}

/* The door: what is open while the store is there. */

static enum err open_door(struct daemon *daemon, char *why, size_t room)
{
	enum err err;

	daemon->parts.store = storage_store(daemon->storage);
	daemon->parts.admission = storage_admission(daemon->storage);
	daemon->parts.disks = pool_new(daemon->settings.disk_threads, "disk");
	err = piece_server_start(daemon->loop, &daemon->listen, &daemon->parts, daemon->settings.workers,
				 &daemon->server, why, room);
	if (err != ERR_OK)
		return err;
	daemon->listen = *piece_server_at(daemon->server);
	daemon->chores = chores_new(daemon->loop, daemon->parts.store);
	daemon->watch = store_watch_start(daemon->loop, daemon->parts.store);
	return ERR_OK;
}

/* The piece server has drained, or never ran. Pools are waited for before what they work on goes, and the workers'
 * loops go after all that posts to them. */
static void close_door(struct daemon *daemon)
{
	store_watch_stop(daemon->watch);
	daemon->watch = NULL;
	chores_free(daemon->chores);
	daemon->chores = NULL;
	pool_free(daemon->parts.disks);
	daemon->parts.disks = NULL;
	daemon->parts.store = NULL;
	if (daemon->storage != NULL)
		storage_close(daemon->storage);
	piece_server_free(daemon->server);
	daemon->server = NULL;
}

/* The desk: what goes on without a store, too. Its threads use the store, so it closes before that comes or goes. */

static enum err open_desk(struct daemon *daemon, char *why, size_t room)
{
	char text[LEDGER_MESSAGE] = "";
	enum err err;

	daemon->parts.admission = storage_admission(daemon->storage);
	err = books_open(daemon->loop, options_dir(daemon->options), &daemon->parts, &daemon->books, text);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", text);
		return err;
	}
	books_set_interval(daemon->books, daemon->settle);
	daemon->checkin = checkin_start(daemon->loop, &daemon->parts, &daemon->said);
	return ERR_OK;
}

static void close_desk(struct daemon *daemon)
{
	checkin_stop(daemon->checkin);
	daemon->checkin = NULL;
	books_close(daemon->books);
	daemon->books = NULL;
}

static enum err reload(void *arg, char *why, size_t room);
static enum err set_pause(void *arg, uint64_t until);

static void tell_sources(const struct daemon *daemon, struct api_sources *ret)
{
	*ret = (struct api_sources){
		.dir = options_dir(daemon->options),
		.parts = &daemon->parts,
		.books = daemon->books,
		.checkin = daemon->checkin,
		.chores = daemon->chores,
		.storage = daemon->storage,
		.portmap = daemon->portmap,
		.controls = {reload, set_pause, (void *)(uintptr_t)daemon},
		.said = &daemon->said,
		.listen = &daemon->listen,
	};
}

static enum err start_api(struct daemon *daemon, char *why, size_t room)
{
	const struct hostport *at = &daemon->settings.http;
	struct api_sources sources;
	char text[HOSTPORT_TEXT];
	enum err err;

	tell_sources(daemon, &sources);
	sources.started = clock_wall();
	err = api_serve(daemon->loop, at, options_dir(daemon->options), &sources, &daemon->api);
	if (err != ERR_OK) {
		hostport_print(at, text);
		snprintf(why, room, "http: cannot serve on %s: %s", text, http_serve_text(err));
	}
	return err;
}

static enum err start_dashboard(struct daemon *daemon, char *why, size_t room)
{
	const struct dashboard_sources sources = {
		.dir = options_dir(daemon->options),
		.web_dir = daemon->settings.web_dir,
		.key = daemon->key,
		.trust = daemon->parts.trust,
		.meter = daemon->parts.meter,
		.http = api_http(daemon->api),
		.cost = daemon->settings.cost,
		.status = api_facts,
		.arg = daemon->api,
	};
	char text[LEDGER_MESSAGE] = "";
	enum err err = dashboard_start(daemon->loop, &sources, &daemon->dashboard, text);

	if (err != ERR_OK)
		snprintf(why, room, "dashboard: %s", text);
	return err;
}

/* With another store than before, or without one. What fails now, a supervisor may try again. */
static void reopen(struct daemon *daemon)
{
	char why[SETTINGS_MESSAGE] = "", quoted[SETTINGS_MESSAGE + 64];
	struct api_sources sources;
	enum err err = ERR_OK;

	if (storage_store(daemon->storage) != NULL)
		err = open_door(daemon, why, sizeof(why));
	if (err == ERR_OK)
		err = open_desk(daemon, why, sizeof(why));
	if (err != ERR_OK) {
		log_event(LOG_ERROR, "cannot_go_on", "why=%s", log_quote(why, quoted, sizeof(quoted)));
		daemon->failed = true;
		loop_stop(daemon->loop);
		return;
	}
	tell_sources(daemon, &sources);
	api_change(daemon->api, &sources);
}

static void on_storage_came(void *arg)
{
	struct daemon *daemon = arg;

	close_desk(daemon);
	reopen(daemon);
}

static void on_door_shut(void *arg)
{
	struct daemon *daemon = arg;

	daemon->draining = false;
	if (daemon->stopping) {
		loop_stop(daemon->loop);
		return;
	}
	close_desk(daemon);
	close_door(daemon);
	reopen(daemon);
}

/* Nobody is to be answered from a disk that is not there: whoever asks finds the node offline. */
static void on_storage_went(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->draining)
		return;
	daemon->draining = true;
	piece_server_stop(daemon->server, 0, on_door_shut, daemon);
}

static const struct storage_events storage_events = {.came = on_storage_came, .went = on_storage_went};

static enum err open_storage(struct daemon *daemon, char *why, size_t room)
{
	const struct storage_options options = {
		.dir = options_dir(daemon->options),
		.store = {.allocation = daemon->settings.allocation,
			  .owner = key_id(daemon->key),
			  .index = daemon->settings.index,
			  .scrub_seconds = daemon->settings.scrub > 0 ? daemon->settings.scrub : STORE_SCRUB_NEVER},
		.in_flight = daemon->settings.in_flight,
		.serials = daemon->settings.serials,
	};
	char text[STORE_MESSAGE] = "";
	enum err err;

	daemon->storage = storage_new(daemon->loop, &options, &storage_events, daemon);
	err = storage_open(daemon->storage, text);
	if (err != ERR_OK && storage_may_come(err))
		return ERR_OK;
	snprintf(why, room, "%s", text);
	return err;
}

static void on_port_mapped(void *arg)
{
	struct daemon *daemon = arg;
	struct hostport at = where_mapped(daemon);
	char before[HOSTPORT_TEXT], after[HOSTPORT_TEXT];

	hostport_print(&daemon->said.external, before);
	hostport_print(&at, after);
	if (daemon->has_external || strcmp(before, after) == 0)
		return;
	daemon->said.external = at;
	checkin_change(daemon->checkin, &daemon->said);
}

/* A port of this machine alone needs no hole, unless somebody says where the router is. */
static void map_port(struct daemon *daemon, const struct live_settings *live)
{
	const struct portmap_options options = {.port = daemon->listen.port, .router = live->router};

	if (!live->map_port || live->has_external || daemon->listen.port == 0 ||
	    (live->router[0] == '\0' && endpoint_is_loopback(daemon->listen.host)))
		return;
	daemon->portmap = portmap_start(daemon->loop, &options, on_port_mapped, daemon);
}

static enum err start(struct daemon *daemon, const struct live_settings *live, char *why, size_t room)
{
	enum err err;

	daemon->loop = loop_new();
	daemon->listen = daemon->settings.listen;
	daemon->settle = live->settle;
	err = open_storage(daemon, why, room);
	if (err == ERR_OK && storage_store(daemon->storage) != NULL)
		err = open_door(daemon, why, room);
	if (err != ERR_OK)
		return err;
	set_said(daemon, live);
	err = open_desk(daemon, why, room);
	if (err == ERR_OK)
		map_port(daemon, live);
	if (err == ERR_OK)
		err = start_api(daemon, why, room);
	return err == ERR_OK ? start_dashboard(daemon, why, room) : err;
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	service_notify("STOPPING=1");
	log_event(LOG_INFO, "stopping", "sessions=%llu",
		  (unsigned long long)metrics_get(daemon->parts.metrics, STAT_SESSIONS));
	daemon->stopping = true;
	if (daemon->server == NULL) {
		loop_stop(daemon->loop);
	} else if (!daemon->draining) {
		daemon->draining = true;
		piece_server_stop(daemon->server, DRAIN_MS, on_door_shut, daemon);
	}
}

static enum err apply(struct daemon *daemon, const struct live_settings *live, char *why, size_t room)
{
	enum err err;

	log_setup("node", live->log_level);
	err = set_satellites(daemon, live, why, room);
	if (err != ERR_OK)
		return err;
	set_said(daemon, live);
	checkin_change(daemon->checkin, &daemon->said);
	daemon->settle = live->settle;
	books_set_interval(daemon->books, live->settle);
	storage_resize(daemon->storage, live->allocation);
	log_event(LOG_INFO, "reloaded", "satellites=%zu", live->satellite_count);
	return ERR_OK;
}

static enum err reload(void *arg, char *why, size_t room)
{
	struct daemon *daemon = arg;
	char quoted[SETTINGS_MESSAGE + 64];
	struct live_settings live;
	enum err err = options_reload(daemon->options, why, room);

	if (err == ERR_OK) {
		settings_read_live(daemon->options, &live);
		err = apply(daemon, &live, why, room);
		settings_free_live(&live);
	}
	if (err != ERR_OK)
		log_event(LOG_WARN, "reload_failed", "why=%s", log_quote(why, quoted, sizeof(quoted)));
	return err;
}

static void on_hangup(void *arg)
{
	char why[SETTINGS_MESSAGE] = "";

	(void)!reload(arg, why, sizeof(why));
}

/* Tell the satellites when a pause begins or ends. */
static void notice_pause(struct daemon *daemon)
{
	bool paused = pause_until(daemon->parts.pause, clock_wall()) > 0;

	if (paused == daemon->said.paused)
		return;
	log_event(LOG_INFO, paused ? "paused" : "resumed", "%s", "");
	daemon->said.paused = paused;
	checkin_change(daemon->checkin, &daemon->said);
}

static enum err set_pause(void *arg, uint64_t until)
{
	struct daemon *daemon = arg;
	enum err err = pause_set(daemon->parts.pause, until);

	if (err == ERR_OK)
		notice_pause(daemon);
	return err;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)fd;
	(void)what;
	if (++daemon->ticks % EXPIRE_TICKS == 0)
		admission_expire(daemon->parts.admission, clock_wall());
	notice_pause(daemon);
}

static void serve(struct daemon *daemon)
{
	const struct timeval every = {TICK_SECONDS, 0};
	char at[HOSTPORT_TEXT];

	storage_watch(daemon->storage);
	daemon->signals = service_signals_new(daemon->loop, on_stop, on_hangup, daemon);
	daemon->ticker = event_new(loop_base(daemon->loop), -1, EV_PERSIST, on_tick, daemon);
	event_add(daemon->ticker, &every);
	hostport_print(&daemon->listen, at);
	log_event(LOG_INFO, "started", "listen=%s http_port=%u workers=%u version=%s", at, api_port(daemon->api),
		  daemon->settings.workers, GRANARY_VERSION);
	service_notify("READY=1");
	loop_run(daemon->loop);
}

/* Top down. */
static void close_all(struct daemon *daemon)
{
	service_signals_free(daemon->signals);
	if (daemon->ticker != NULL)
		event_free(daemon->ticker);
	api_free(daemon->api);
	dashboard_stop(daemon->dashboard);
	portmap_stop(daemon->portmap);
	storage_unwatch(daemon->storage);
	close_desk(daemon);
	close_door(daemon);
	storage_free(daemon->storage);
	if (daemon->loop != NULL)
		loop_free(daemon->loop);
	trust_free(daemon->parts.trust);
	meter_free(daemon->parts.meter);
	takings_free(daemon->parts.takings);
	pause_free(daemon->parts.pause);
	metrics_free(daemon->parts.metrics);
	key_free(daemon->key);
}

int daemon_run_node(struct options *options)
{
	struct daemon daemon = {.options = options};
	char why[SETTINGS_MESSAGE] = "";
	struct live_settings live;
	enum err err;

	settings_read(options, &daemon.settings);
	settings_read_live(options, &live);
	log_setup("node", live.log_level);
	service_raise_limits();
	err = open_parts(&daemon, &live, why, sizeof(why));
	if (err == ERR_OK)
		err = start(&daemon, &live, why, sizeof(why));
	if (err == ERR_OK)
		serve(&daemon);
	else
		fprintf(stderr, "granary-node: %s\n", why);
	settings_free_live(&live);
	close_all(&daemon);
	if (err == ERR_OK)
		log_event(LOG_INFO, "stopped", "%s", "");
	return err == ERR_OK && !daemon.failed ? 0 : 1;
}
