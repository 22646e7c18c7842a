/* Bottom up at the start, top down at the end. */
#include "node/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/service.h"
#include "node/api.h"
#include "node/books.h"
#include "node/checkin.h"
#include "node/piece_server.h"
#include "node/settings.h"
#include "node/stats.h"
#include "node/store_watch.h"

#define DRAIN_MS 30000
#define EXPIRE_SECONDS 60 /* between two looks for allocations that need not be remembered */

struct daemon {
	struct options *options;
	struct settings settings;
	struct checkin_options said; /* at check-ins */
	struct parts parts;
	struct key *key;
	struct loop *loop;
	struct piece_server *server;
	struct books *books;
	struct checkin *checkin;
	struct chores *chores;
	struct api *api;
	struct store_watch *watch;
	struct service_signals *signals;
	struct event *expire_timer;
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

/* What check-ins say by these settings. */
static void set_said(struct daemon *daemon, const struct live_settings *live)
{
	daemon->said.external = live->has_external ? live->external : *piece_server_at(daemon->server);
	daemon->said.payee = live->has_payout ? live->payout : *key_address(daemon->key);
	daemon->said.interval = live->check_in;
}

static enum err open_store(struct daemon *daemon, char *why, size_t room)
{
	const struct store_options options = {
		.allocation = daemon->settings.allocation,
		.owner = key_id(daemon->key),
		.index = daemon->settings.index,
		.scrub_seconds = daemon->settings.scrub > 0 ? daemon->settings.scrub : STORE_SCRUB_NEVER,
	};
	char text[STORE_MESSAGE] = "";
	struct store_damage damage;
	enum err err;

	err = store_open(options_dir(daemon->options), &options, &seam_system, &daemon->parts.store, text);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", text);
		return err;
	}
	store_damage(daemon->parts.store, &damage);
	if (damage.gone_files > 0)
		log_event(LOG_ERROR, "store_files_gone", "files=%" PRIu64 " pieces=%" PRIu64, damage.gone_files,
			  damage.gone_pieces);
	err = admission_rebuild(daemon->parts.admission, daemon->parts.store, clock_wall());
	if (err == ERR_CORRUPT || err == ERR_IO) {
		log_event(LOG_WARN, "transfers_damaged", "%s", "downloads=refused_for_old_allocations");
		return ERR_OK;
	}
	if (err != ERR_OK)
		snprintf(why, room, "cannot read the log of transfers: %s", err_text(err));
	return err;
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
	daemon->parts.admission = admission_new(daemon->settings.in_flight, daemon->settings.serials);
	err = trust_open(dir, &daemon->parts.trust, text);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", text);
		return err;
	}
	err = set_satellites(daemon, live, why, room);
	return err == ERR_OK ? open_store(daemon, why, room) : err;
}

static enum err start_api(struct daemon *daemon, char *why, size_t room)
{
	const struct hostport *at = &daemon->settings.http;
	const struct api_sources sources = {
		.parts = &daemon->parts,
		.books = daemon->books,
		.checkin = daemon->checkin,
		.chores = daemon->chores,
		.said = &daemon->said,
		.listen = piece_server_at(daemon->server),
		.started = clock_wall(),
	};
	char text[HOSTPORT_TEXT];
	enum err err;

	err = api_serve(daemon->loop, at, options_dir(daemon->options), &sources, &daemon->api);
	if (err != ERR_OK) {
		hostport_print(at, text);
		snprintf(why, room, "http: cannot serve on %s: %s", text, http_serve_text(err));
	}
	return err;
}

static enum err start(struct daemon *daemon, const struct live_settings *live, char *why, size_t room)
{
	char text[LEDGER_MESSAGE] = "";
	enum err err;

	daemon->loop = loop_new();
	daemon->parts.disks = pool_new(daemon->settings.disk_threads, "disk");
	err = piece_server_start(daemon->loop, &daemon->settings.listen, &daemon->parts, daemon->settings.workers,
				 &daemon->server, why, room);
	if (err != ERR_OK)
		return err;
	err = books_open(daemon->loop, options_dir(daemon->options), &daemon->parts, &daemon->books, text);
	if (err != ERR_OK) {
		snprintf(why, room, "%s", text);
		return err;
	}
	books_set_interval(daemon->books, live->settle);
	set_said(daemon, live);
	daemon->checkin = checkin_start(daemon->loop, &daemon->parts, &daemon->said);
	daemon->chores = chores_new(daemon->loop, daemon->parts.store);
	return start_api(daemon, why, room);
}

static void on_drained(void *arg)
{
	struct daemon *daemon = arg;

	loop_stop(daemon->loop);
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	service_notify("STOPPING=1");
	log_event(LOG_INFO, "stopping", "sessions=%llu",
		  (unsigned long long)metrics_get(daemon->parts.metrics, STAT_SESSIONS));
	piece_server_stop(daemon->server, DRAIN_MS, on_drained, daemon);
}

static void apply(struct daemon *daemon, const struct live_settings *live)
{
	char why[SETTINGS_MESSAGE], quoted[SETTINGS_MESSAGE + 64];

	log_setup("node", live->log_level);
	if (set_satellites(daemon, live, why, sizeof(why)) != ERR_OK) {
		log_event(LOG_WARN, "reload_failed", "why=%s", log_quote(why, quoted, sizeof(quoted)));
		return;
	}
	set_said(daemon, live);
	checkin_change(daemon->checkin, &daemon->said);
	books_set_interval(daemon->books, live->settle);
	log_event(LOG_INFO, "reloaded", "satellites=%zu", live->satellite_count);
}

static void on_reload(void *arg)
{
	struct daemon *daemon = arg;
	char why[SETTINGS_MESSAGE], quoted[SETTINGS_MESSAGE + 64];
	struct live_settings live;

	if (options_reload(daemon->options, why, sizeof(why)) != ERR_OK) {
		log_event(LOG_WARN, "reload_failed", "why=%s", log_quote(why, quoted, sizeof(quoted)));
		return;
	}
	settings_read_live(daemon->options, &live);
	apply(daemon, &live);
	settings_free_live(&live);
}

static void on_expire(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)fd;
	(void)what;
	admission_expire(daemon->parts.admission, clock_wall());
}

static void serve(struct daemon *daemon)
{
	const struct timeval every = {EXPIRE_SECONDS, 0};
	char at[HOSTPORT_TEXT];

	daemon->watch = store_watch_start(daemon->loop, daemon->parts.store);
	daemon->signals = service_signals_new(daemon->loop, on_stop, on_reload, daemon);
	daemon->expire_timer = event_new(loop_base(daemon->loop), -1, EV_PERSIST, on_expire, daemon);
	event_add(daemon->expire_timer, &every);
	hostport_print(piece_server_at(daemon->server), at);
	log_event(LOG_INFO, "started", "listen=%s http_port=%u workers=%u version=%s", at, api_port(daemon->api),
		  daemon->settings.workers, GRANARY_VERSION);
	service_notify("READY=1");
	loop_run(daemon->loop);
}

/* Top down. The pools are waited for before what they work on goes, and the loops go after all that posts to them. */
static void close_all(struct daemon *daemon)
{
	service_signals_free(daemon->signals);
	store_watch_stop(daemon->watch);
	if (daemon->expire_timer != NULL)
		event_free(daemon->expire_timer);
	api_free(daemon->api);
	chores_free(daemon->chores);
	checkin_stop(daemon->checkin);
	books_close(daemon->books);
	pool_free(daemon->parts.disks);
	store_close(daemon->parts.store);
	piece_server_free(daemon->server);
	if (daemon->loop != NULL)
		loop_free(daemon->loop);
	trust_free(daemon->parts.trust);
	admission_free(daemon->parts.admission);
	takings_free(daemon->parts.takings);
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
	return err == ERR_OK ? 0 : 1;
}
