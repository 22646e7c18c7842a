/* The daemon or the store itself; and waiting for long work of either. */
#include "node/store_access.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/http.h"
#include "common/progress.h"
#include "common/service.h"
#include "node/settings.h"

#define ASK_TIMEOUT_MS 30000
#define POLL_MS 250
#define CHORE_PATH "/api/v1/store/chore"

enum err store_access_lock(struct store_access *access, const struct options *options, bool *ret_daemon)
{
	const char *dir = options_dir(options);
	struct key *key = NULL;
	enum err err;

	*access = (struct store_access){.options = options};
	*ret_daemon = false;
	err = service_key(dir, &key, access->why, sizeof(access->why));
	if (err != ERR_OK)
		return err;
	access->node = *key_id(key);
	key_free(key);
	err = service_lock(dir, access->why, sizeof(access->why));
	if (err != ERR_BUSY)
		return err;
	*ret_daemon = true;
	return ERR_OK;
}

void store_access_options(const struct store_access *access, struct store_options *ret)
{
	const uint64_t scrub = option_int(access->options, "scrub");

	*ret = (struct store_options){
		.allocation = option_int(access->options, "allocate"),
		.no_upkeep = true,
		.owner = &access->node,
		.index = settings_index(access->options),
		.scrub_seconds = scrub > 0 ? scrub : STORE_SCRUB_NEVER,
	};
}

enum err store_access_open(struct store_access *access, const struct options *options)
{
	struct store_options how;
	char text[STORE_MESSAGE] = "";
	bool daemon;
	enum err err = store_access_lock(access, options, &daemon);

	if (err != ERR_OK || daemon)
		return err;
	store_access_options(access, &how);
	err = store_open(options_dir(options), &how, &seam_system, &access->store, text);
	if (err != ERR_OK)
		snprintf(access->why, sizeof(access->why), "%s", text);
	return err;
}

void store_access_close(struct store_access *access)
{
	store_close(access->store);
	access->store = NULL;
}

enum err store_access_ask(struct store_access *access, const char *method, const char *path, json_t **ret)
{
	const struct options *options = access->options;

	return http_call(method, option_hostport(options, "http"), path, options_dir(options), ASK_TIMEOUT_MS, ret,
			 access->why, sizeof(access->why));
}

/* A chore that is waited for: ours, or the daemon's, which a thread asks about again and again. */
struct wait {
	struct store_access *access;
	const struct chore_options *options;
	struct loop *loop;
	struct chore *chore; /* ours */
	atomic_bool stop;
	_Atomic uint64_t done;
	_Atomic uint64_t total;
	struct progress *progress;
	json_t *json; /* in the end */
	enum err err;
};

static bool is_running(const json_t *json)
{
	const char *state = json_string_value(json_object_get(json, "state"));

	return state != NULL && strcmp(state, "running") == 0;
}

static void pause_ms(unsigned ms)
{
	const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&pause, NULL);
}

/* Start it in the daemon and ask until it is over. */
static void follow(void *arg)
{
	struct wait *wait = arg;
	bool told = false;
	char path[192], satellite[KEY_ADDRESS_TEXT];

	address_to_text(&wait->options->satellite, satellite);
	snprintf(path, sizeof(path), "/api/v1/store/%s?rate=%" PRIu64 "&least=%u&within=%" PRIu64 "&satellite=%s",
		 wait->options->name, wait->options->rate, wait->options->least, wait->options->within, satellite);
	wait->err = store_access_ask(wait->access, "POST", path, &wait->json);
	while (wait->err == ERR_OK && is_running(wait->json)) {
		json_t *next = NULL;

		atomic_store(&wait->done, (uint64_t)json_integer_value(json_object_get(wait->json, "done")));
		atomic_store(&wait->total, (uint64_t)json_integer_value(json_object_get(wait->json, "total")));
		pause_ms(POLL_MS);
		wait->err = ERR_OK;
		if (atomic_load(&wait->stop) && !told) {
			wait->err = store_access_ask(wait->access, "POST", "/api/v1/store/stop", &next);
			told = true;
		} else {
			wait->err = store_access_ask(wait->access, "GET", CHORE_PATH, &next);
		}
		if (wait->err == ERR_OK) {
			json_decref(wait->json);
			wait->json = next;
		}
	}
}

static void do_here(void *arg)
{
	struct wait *wait = arg;

	chore_run(wait->chore);
	wait->json = chore_json(wait->chore);
}

static void on_over(void *arg)
{
	struct wait *wait = arg;

	loop_stop(wait->loop);
}

static void on_interrupt(evutil_socket_t number, short what, void *arg)
{
	struct wait *wait = arg;

	(void)number;
	(void)what;
	atomic_store(&wait->stop, true);
	if (wait->chore != NULL)
		chore_stop(wait->chore);
}

static uint64_t count_done(void *arg)
{
	struct wait *wait = arg;
	uint64_t done = 0, total = 0;

	if (wait->chore != NULL) {
		chore_progress(wait->chore, &done, &total);
	} else {
		done = atomic_load(&wait->done);
		total = atomic_load(&wait->total);
	}
	progress_set_total(wait->progress, total);
	return done;
}

enum err store_access_do(struct store_access *access, const struct chore_options *options, json_t **ret)
{
	struct wait wait = {.access = access, .options = options, .loop = loop_new()};
	struct pool *pool = pool_new(1, "chore");
	struct event *interrupt = evsignal_new(loop_base(wait.loop), SIGINT, on_interrupt, &wait);

	if (access->store != NULL)
		wait.chore = chore_new(access->store, options);
	event_add(interrupt, NULL);
	wait.progress = progress_new(wait.loop, options->name, count_done, &wait);
	pool_submit(pool, wait.chore != NULL ? do_here : follow, wait.loop, on_over, &wait);
	loop_run(wait.loop);
	progress_free(wait.progress);
	pool_free(pool);
	event_free(interrupt);
	loop_free(wait.loop);
	chore_free(wait.chore);
	if (wait.err == ERR_OK)
		*ret = wait.json;
	else
		json_decref(wait.json);
	return wait.err;
}
