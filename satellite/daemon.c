/* `granary-satellite run`: open, start, loop. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "satellite/api.h"
#include "satellite/auditor.h"
#include "satellite/checker.h"
#include "satellite/collector.h"
#include "satellite/commands.h"
#include "satellite/deleter.h"
#include "satellite/presence.h"
#include "satellite/pricing.h"
#include "satellite/repairer.h"
#include "satellite/server.h"
#include "satellite/usages.h"

#define TELLERS 4    /* threads that tell nodes what to delete */
#define COLLECTORS 3 /* … and what is wanted: one that does not answer holds up nobody */
#define PATROLS_MAX (4 + TELLERS + COLLECTORS + 64 + 64) /* single ones, these, the most auditors and repairers */

struct daemon {
	struct options *options;
	struct settings settings;
	struct key *key;
	struct loop *loop;
	struct server *server;
	struct api *api;
	struct service_signals *signals;
	struct patrol *patrols[PATROLS_MAX];
	unsigned patrol_count;
};

static void set_log_level(const struct options *options)
{
	enum log_level level = LOG_INFO;

	log_level_from_name(option_text(options, "log-level"), &level);
	log_setup("satellite", level);
	service_raise_limits();
}

static enum err open_daemon(struct daemon *daemon, char *why, size_t room)
{
	const char *dir = options_dir(daemon->options);
	enum err err;

	err = settings_read(daemon->options, &daemon->settings, why, room);
	if (err == ERR_OK)
		err = service_key(dir, &daemon->key, why, room);
	/* Processes that only work on the database may be any number. */
	if (err == ERR_OK && (daemon->settings.roles & ROLE_API) != 0)
		err = service_lock(dir, why, room);
	if (err == ERR_OK && daemon->settings.test_network)
		clock_allow_offset();
	return err;
}

static enum err start_daemon(struct daemon *daemon, char *why, size_t room)
{
	const struct server_options serving = {
		.settings = &daemon->settings,
		.key = daemon->key,
		.listen = option_hostport(daemon->options, "listen"),
	};
	enum err err;

	daemon->loop = loop_new();
	if ((daemon->settings.roles & ROLE_API) == 0)
		return ERR_OK;
	err = server_new(daemon->loop, &serving, &daemon->server, why, room);
	if (err == ERR_OK)
		err = api_serve(daemon->loop, daemon->server, option_hostport(daemon->options, "http"), &daemon->api,
				why, room);
	return err;
}

/* What is paid from tomorrow on, or from today when nothing was published yet. */
static enum err publish_prices(struct daemon *daemon, char *why, size_t room)
{
	char message[DATABASE_MESSAGE] = "";
	struct desk *desk = NULL;
	enum err err;

	if ((daemon->settings.roles & ROLE_API) == 0)
		return ERR_OK;
	err = desk_open(&daemon->settings, daemon->key, &desk, message);
	if (err == ERR_OK) {
		err = pricing_publish(desk);
		snprintf(message, sizeof(message), "%s", database_message(desk->db));
	}
	if (err != ERR_OK)
		snprintf(why, room, "cannot publish prices: %s", message);
	desk_close(desk);
	return err;
}

static enum err start_patrols(struct daemon *daemon, char *why, size_t room)
{
	const struct {
		const char *name;
		patrol_round *walk;
		enum role role;
		unsigned count;
	} kinds[] = {
		{"deleter", deleter_walk, ROLE_UPKEEP, 1},
		{"teller", deleter_tell, ROLE_UPKEEP, TELLERS},
		{"days", usages_walk, ROLE_UPKEEP, 1},
		{"collector", collector_walk, ROLE_UPKEEP, COLLECTORS},
		{"presence", presence_walk, ROLE_AUDIT, 1},
		{"checker", checker_walk, ROLE_REPAIR, 1},
		{"repairer", repairer_walk, ROLE_REPAIR, daemon->settings.repair_threads},
		{"auditor", auditor_walk, ROLE_AUDIT, daemon->settings.audit_threads},
	};
	char message[DATABASE_MESSAGE] = "";
	enum err err = ERR_OK;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		bool ours = (daemon->settings.roles & kinds[k].role) != 0;

		for (unsigned i = 0; ours && i < kinds[k].count && err == ERR_OK; i++) {
			err = patrol_start(kinds[k].name, kinds[k].walk, &daemon->settings, daemon->key,
					   &daemon->patrols[daemon->patrol_count], message);
			daemon->patrol_count += err == ERR_OK;
		}
	}
	if (err != ERR_OK)
		snprintf(why, room, "%s", message);
	return err;
}

static void end_loop(void *arg)
{
	struct daemon *daemon = arg;

	loop_stop(daemon->loop);
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	bool serves = daemon->server != NULL;

	service_notify("STOPPING=1");
	log_event(LOG_INFO, "stopping", "sessions=%u", serves ? server_session_count(daemon->server) : 0);
	for (unsigned i = 0; i < daemon->patrol_count; i++)
		patrol_ask_stop(daemon->patrols[i]);
	api_free(daemon->api);
	daemon->api = NULL;
	if (serves)
		server_stop(daemon->server, end_loop, daemon);
	else
		end_loop(daemon);
}

/* What is read once stays until the next start; the log level does not. */
static void on_reload(void *arg)
{
	struct daemon *daemon = arg;
	char why[200], quoted[300];

	if (options_reload(daemon->options, why, sizeof(why)) != ERR_OK) {
		log_event(LOG_WARN, "reload_failed", "why=%s", log_quote(why, quoted, sizeof(quoted)));
		return;
	}
	set_log_level(daemon->options);
	log_event(LOG_INFO, "reloaded", "%s", "");
}

static void serve(struct daemon *daemon)
{
	char at[HOSTPORT_TEXT];

	daemon->signals = service_signals_new(daemon->loop, on_stop, on_reload, daemon);
	if (daemon->server != NULL) {
		hostport_print(server_at(daemon->server), at);
		log_event(LOG_INFO, "started", "listen=%s http_port=%u threads=%u", at, api_port(daemon->api),
			  daemon->settings.threads);
	} else {
		log_event(LOG_INFO, "started", "roles=%s", option_text(daemon->options, "roles"));
	}
	service_notify("READY=1");
	loop_run(daemon->loop);
	log_event(LOG_INFO, "stopped", "%s", "");
}

static void close_daemon(struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->patrol_count; i++)
		patrol_stop(daemon->patrols[i]);
	service_signals_free(daemon->signals);
	api_free(daemon->api);
	server_free(daemon->server);
	if (daemon->loop != NULL)
		loop_free(daemon->loop);
	key_free(daemon->key);
}

int commands_run(struct options *options)
{
	struct daemon daemon = {.options = options};
	char why[COMMANDS_WHY] = "";
	enum err err;

	set_log_level(options);
	err = open_daemon(&daemon, why, sizeof(why));
	if (err == ERR_OK)
		err = start_daemon(&daemon, why, sizeof(why));
	if (err == ERR_OK)
		err = publish_prices(&daemon, why, sizeof(why));
	if (err == ERR_OK)
		err = start_patrols(&daemon, why, sizeof(why));
	if (err == ERR_OK)
		serve(&daemon);
	else
		fprintf(stderr, "granary-satellite: %s\n", why);
	close_daemon(&daemon);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
