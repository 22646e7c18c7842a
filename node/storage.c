/* Opening, probing and closing, one job at a time. */
#include "node/storage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

#define PROBE_MS 1000
#define TRY_TICKS 2   /* between two tries to open it */
#define READ_TICKS 10 /* between two readings from an open one; a sleeping disk is woken no oftener */

struct storage {
	struct loop *loop;
	struct storage_options options;
	const struct storage_events *events;
	void *arg;
	struct store *store;
	struct admission *admission;
	struct pool *pool;
	struct event *timer;
	unsigned ticks;
	bool busy; /* a job is under way */
	bool gone; /* `went` was called */
	char missing[STORE_MESSAGE];
};

/* A look at the store, or a try to open it. */
struct attempt {
	struct storage *storage;
	struct storage_options options;
	bool opening;
	struct store *store; /* looked at, or opened */
	struct admission *admission;
	bool read;
	enum err err;
	char why[STORE_MESSAGE];
};

struct storage *storage_new(struct loop *loop, const struct storage_options *options,
			    const struct storage_events *events, void *arg)
{
	struct storage *storage = memory_new(1, sizeof(*storage));

	storage->loop = loop;
	storage->options = *options;
	storage->events = events;
	storage->arg = arg;
	storage->admission = admission_new(options->in_flight, options->serials);
	snprintf(storage->missing, sizeof(storage->missing), "the store is not open yet");
	return storage;
}

static void log_opened(struct store *store)
{
	struct store_damage damage;

	store_damage(store, &damage);
	if (damage.gone_files > 0)
		log_event(LOG_ERROR, "store_files_gone", "files=%" PRIu64 " pieces=%" PRIu64, damage.gone_files,
			  damage.gone_pieces);
}

/* In any thread. On failure neither is left. */
static void open_both(struct attempt *attempt)
{
	const struct storage_options *options = &attempt->options;

	attempt->err = store_open(options->dir, &options->store, &seam_system, &attempt->store, attempt->why);
	if (attempt->err != ERR_OK)
		return;
	log_opened(attempt->store);
	attempt->admission = admission_new(options->in_flight, options->serials);
	attempt->err = admission_rebuild(attempt->admission, attempt->store, clock_wall());
	if (attempt->err == ERR_CORRUPT || attempt->err == ERR_IO) {
		log_event(LOG_WARN, "transfers_damaged", "%s", "downloads=refused_for_old_allocations");
		attempt->err = ERR_OK;
	}
	if (attempt->err == ERR_OK)
		return;
	snprintf(attempt->why, sizeof(attempt->why), "cannot read the log of transfers: %s", err_text(attempt->err));
	admission_free(attempt->admission);
	store_close(attempt->store);
	attempt->store = NULL;
}

static void take_opened(struct storage *storage, const struct attempt *attempt)
{
	admission_free(storage->admission);
	storage->store = attempt->store;
	storage->admission = attempt->admission;
	storage->missing[0] = '\0';
	/* It may have been resized while it was being opened. */
	store_resize(storage->store, storage->options.store.allocation);
}

enum err storage_open(struct storage *storage, char why[STORE_MESSAGE])
{
	struct attempt attempt = {.options = storage->options};

	open_both(&attempt);
	if (attempt.err == ERR_OK) {
		take_opened(storage, &attempt);
		return ERR_OK;
	}
	snprintf(why, STORE_MESSAGE, "%s", attempt.why);
	snprintf(storage->missing, sizeof(storage->missing), "%s", attempt.why);
	return attempt.err;
}

bool storage_may_come(enum err err)
{
	return err == ERR_NOT_FOUND || err == ERR_DENIED || err == ERR_IO || err == ERR_READ_ONLY;
}

static void log_missing(const char *event, const char *why)
{
	char quoted[STORE_MESSAGE + 64];

	log_event(LOG_ERROR, event, "why=%s", log_quote(why, quoted, sizeof(quoted)));
}

static void work_attempt(void *arg)
{
	struct attempt *attempt = arg;

	if (attempt->opening)
		open_both(attempt);
	else
		attempt->err = store_present(attempt->store, attempt->read, attempt->why);
}

static void came(struct storage *storage, const struct attempt *attempt)
{
	take_opened(storage, attempt);
	if (storage->timer == NULL)
		return; /* too late: the daemon is stopping */
	log_event(LOG_INFO, "storage_back", "%s", "");
	storage->events->came(storage->arg);
}

static void stays_away(struct storage *storage, const char *why)
{
	if (strcmp(storage->missing, why) != 0)
		log_missing("storage_missing", why);
	snprintf(storage->missing, sizeof(storage->missing), "%s", why);
}

static void went(struct storage *storage, const char *why)
{
	if (storage->timer == NULL)
		return;
	log_missing("storage_lost", why);
	snprintf(storage->missing, sizeof(storage->missing), "%s", why);
	storage->gone = true;
	storage->events->went(storage->arg);
}

static void attempted(void *arg)
{
	struct attempt *attempt = arg;
	struct storage *storage = attempt->storage;

	storage->busy = false;
	if (attempt->opening && attempt->err == ERR_OK)
		came(storage, attempt);
	else if (attempt->opening)
		stays_away(storage, attempt->why);
	else if (attempt->err != ERR_OK)
		went(storage, attempt->why);
	free(attempt);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct storage *storage = arg;
	struct attempt *attempt;

	(void)fd;
	(void)what;
	storage->ticks++;
	if (storage->busy || storage->gone || (storage->store == NULL && storage->ticks % TRY_TICKS != 0))
		return;
	storage->busy = true;
	attempt = memory_new(1, sizeof(*attempt));
	attempt->storage = storage;
	attempt->options = storage->options;
	attempt->opening = storage->store == NULL;
	attempt->store = storage->store;
	attempt->read = storage->ticks % READ_TICKS == 0;
	pool_submit(storage->pool, work_attempt, storage->loop, attempted, attempt);
}

void storage_watch(struct storage *storage)
{
	const struct timeval every = {PROBE_MS / 1000, PROBE_MS % 1000 * 1000};

	storage->pool = pool_new(1, "storage");
	storage->timer = event_new(loop_base(storage->loop), -1, EV_PERSIST, on_timer, storage);
	event_add(storage->timer, &every);
	if (storage->store == NULL)
		log_missing("storage_missing", storage->missing);
}

void storage_close(struct storage *storage)
{
	store_close(storage->store);
	storage->store = NULL;
	storage->gone = false;
}

void storage_unwatch(struct storage *storage)
{
	if (storage == NULL || storage->timer == NULL)
		return;
	event_free(storage->timer);
	storage->timer = NULL;
	pool_free(storage->pool);
}

static void free_now(void *arg)
{
	struct storage *storage = arg;

	store_close(storage->store);
	admission_free(storage->admission);
	free(storage);
}

void storage_free(struct storage *storage)
{
	if (storage == NULL)
		return;
	storage_unwatch(storage);
	loop_post(storage->loop, free_now, storage); /* after what a last attempt posted */
}

struct store *storage_store(const struct storage *storage)
{
	return storage->store;
}

struct admission *storage_admission(const struct storage *storage)
{
	return storage->admission;
}

const char *storage_missing(const struct storage *storage)
{
	return storage->missing;
}

void storage_resize(struct storage *storage, uint64_t allocation)
{
	storage->options.store.allocation = allocation;
	if (storage->store != NULL)
		store_resize(storage->store, allocation);
}
