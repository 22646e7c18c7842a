/* What each chore does, and the one thread of the daemon that does them. */
#include "node/chores.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/forget.h"
#include "node/store_facts.h"

#define STEP (4u << 20)	       /* bytes that a check reads in one go */
#define STEP_LEAST (64u << 10) /* … when it may read little */
#define SECOND 1000000000ull
#define REST_MOST (2 * SECOND)
#define REST_SLICE (SECOND / 20)
#define LOOKS 3 /* at sums that do not agree */

enum chore_state { CHORE_RUNNING, CHORE_DONE, CHORE_STOPPED, CHORE_FAILED };

struct chore {
	struct store *store;
	struct chore_options options;
	const struct chore_kind *kind;
	pthread_mutex_t lock; /* of all below */
	bool stop;
	enum chore_state state;
	uint64_t started; /* Unix seconds */
	uint64_t ended;
	uint64_t done; /* bytes */
	uint64_t total;
	json_t *result; /* so far */
	char why[STORE_MESSAGE];
};

/* Each says in the end, with words in chore->why, what it came to; ERR_CANCELLED when it was stopped. */
struct chore_kind {
	const char *name;
	enum err (*run)(struct chore *chore);
};

static bool must_stop(struct chore *chore)
{
	bool stop;

	pthread_mutex_lock(&chore->lock);
	stop = chore->stop;
	pthread_mutex_unlock(&chore->lock);
	return stop;
}

/* Takes the result. */
static void tell(struct chore *chore, uint64_t done, uint64_t total, json_t *result)
{
	json_t *old;

	pthread_mutex_lock(&chore->lock);
	chore->done = done;
	chore->total = total;
	old = chore->result;
	chore->result = result;
	pthread_mutex_unlock(&chore->lock);
	json_decref(old);
}

/* So long, or until it must stop. */
static void rest(struct chore *chore, uint64_t nanoseconds)
{
	uint64_t until = clock_monotonic() + nanoseconds;

	for (uint64_t now = clock_monotonic(); now < until && !must_stop(chore); now = clock_monotonic()) {
		uint64_t left = until - now < REST_SLICE ? until - now : REST_SLICE;
		const struct timespec pause = {0, (long)left};

		(void)nanosleep(&pause, NULL);
	}
}

/* After a step of so many bytes that began then. */
static void keep_pace(struct chore *chore, uint64_t bytes, uint64_t began)
{
	uint64_t took = clock_monotonic() - began, pause = 0, rate = chore->options.rate;

	if (chore->options.shared)
		pause = took < REST_MOST ? took : REST_MOST;
	if (rate > 0 && (uint64_t)((uint128)bytes * SECOND / rate) > took + pause)
		pause = (uint64_t)((uint128)bytes * SECOND / rate) - took;
	if (pause > 0)
		rest(chore, pause);
}

/* Whether the sums that the store keeps are those that its files add up to. */
static enum err compare_sums(struct store *store, bool *ret_agree)
{
	struct store_space space;
	struct store_scan scan;
	enum err err = store_scan(store, &scan);

	if (err != ERR_OK)
		return err;
	store_space(store, &space);
	*ret_agree = scan.live == space.live && scan.pieces == space.pieces && scan.trash == space.trash &&
		     scan.trashed == space.trashed && scan.dead == space.dead && scan.overhead == space.overhead;
	return ERR_OK;
}

/* A file that the store has just made stands on the disk before it stands in the sums, so one look is not enough. */
static enum err take_sums(struct chore *chore, json_t *result)
{
	bool agree = false;
	enum err err = ERR_OK;

	for (int i = 0; i < LOOKS && err == ERR_OK && !agree; i++) {
		if (i > 0)
			rest(chore, SECOND / 2);
		if (must_stop(chore))
			return ERR_CANCELLED;
		err = compare_sums(chore->store, &agree);
	}
	if (err == ERR_OK)
		json_object_set_new(result, "sums_agree", json_boolean(agree));
	else
		snprintf(chore->why, sizeof(chore->why), "the files cannot be counted: %s", err_text(err));
	return err;
}

static json_t *check_json(struct store *store, const struct store_checked *checked)
{
	json_t *json = store_facts_checked(checked);
	struct store_damage damage;

	store_damage(store, &damage);
	json_object_set_new(json, "gone_files", json_integer((json_int_t)damage.gone_files));
	json_object_set_new(json, "gone_pieces", json_integer((json_int_t)damage.gone_pieces));
	json_object_set_new(json, "sums_agree", json_null());
	return json;
}

static enum err walk(struct chore *chore, struct store_check *check, struct store_checked *ret)
{
	bool more = true;
	enum err err = ERR_OK;

	while (err == ERR_OK && more) {
		uint64_t limit = chore->options.rate / 4, budget, began = clock_monotonic();

		if (must_stop(chore))
			return ERR_CANCELLED;
		if (limit == 0 || limit > STEP)
			limit = STEP;
		else if (limit < STEP_LEAST)
			limit = STEP_LEAST;
		budget = limit;
		err = store_check_step(check, &budget, &more);
		store_checked(check, ret);
		tell(chore, ret->bytes, ret->total, check_json(chore->store, ret));
		if (more)
			keep_pace(chore, limit - budget, began);
	}
	if (err != ERR_OK)
		snprintf(chore->why, sizeof(chore->why), "the disk does not answer: %s", err_text(err));
	return err;
}

static enum err run_check(struct chore *chore)
{
	struct store_check *check = store_check_begin(chore->store);
	struct store_checked checked;
	json_t *result;
	enum err err;

	store_checked(check, &checked);
	tell(chore, 0, checked.total, check_json(chore->store, &checked));
	err = walk(chore, check, &checked);
	store_check_free(check);
	if (err != ERR_OK || chore->options.shared)
		return err;
	result = check_json(chore->store, &checked);
	err = take_sums(chore, result);
	tell(chore, checked.bytes, checked.total, result); /* when it was stopped, without a word on the sums */
	return err;
}

static json_t *compact_json(const struct store_compacted *sum)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "copied", (json_int_t)sum->copied, "freed", (json_int_t)sum->freed,
			 "segments", (json_int_t)sum->segments, "bad", (json_int_t)sum->bad);
}

static void tell_compacted(struct chore *chore, const struct store_compacted *sum, uint64_t total, const json_t *also)
{
	json_t *json = compact_json(sum);

	json_object_update(json, (json_t *)(uintptr_t)also);
	tell(chore, sum->freed, total, json);
}

/* `also` goes into what is told; NULL: nothing. */
static enum err compact_all(struct chore *chore, const json_t *also)
{
	struct store_compacted sum = {.more = true};
	struct store_space space;
	enum err err = ERR_OK;

	store_space(chore->store, &space);
	tell_compacted(chore, &sum, space.dead, also);
	while (err == ERR_OK && sum.more) {
		uint64_t began = clock_monotonic();
		struct store_compacted step = {.more = false};

		if (must_stop(chore))
			return ERR_CANCELLED;
		err = store_compact_step(chore->store, chore->options.least, &step);
		sum.copied += step.copied;
		sum.freed += step.freed;
		sum.segments += step.segments;
		sum.bad += step.bad;
		sum.more = step.more;
		tell_compacted(chore, &sum, space.dead, also);
		keep_pace(chore, 0, began);
	}
	if (err == ERR_FULL)
		snprintf(chore->why, sizeof(chore->why), "there is no room even for compacting");
	else if (err != ERR_OK)
		snprintf(chore->why, sizeof(chore->why), "%s", err_text(err));
	return err;
}

static enum err run_compact(struct chore *chore)
{
	return compact_all(chore, NULL);
}

struct restored {
	atomic_bool come;
	enum err err;
	struct store_collected result;
};

static void on_restored(void *arg, enum err err, const struct store_collected *result)
{
	struct restored *restored = arg;

	restored->err = err;
	restored->result = *result;
	atomic_store(&restored->come, true);
}

/* One satellite's pieces: a task of the store's upkeep, which we step, as it may have no thread. */
static enum err restore_of(struct chore *chore, uint16_t satellite, uint64_t since, struct store_collected *sum)
{
	struct restored restored = {.err = ERR_OK};
	enum err err = store_restore_since(chore->store, satellite, since, on_restored, &restored);

	if (err != ERR_OK)
		return err;
	while (!atomic_load(&restored.come)) {
		uint64_t began = clock_monotonic();

		if (must_stop(chore) && store_collect_forget(chore->store, &restored))
			return ERR_CANCELLED;
		(void)store_upkeep_step(chore->store, "collect");
		keep_pace(chore, 0, began);
	}
	sum->moved_pieces += restored.result.moved_pieces;
	sum->moved_bytes += restored.result.moved_bytes;
	return restored.err;
}

static json_t *restore_json(const struct store_collected *sum)
{
	return json_pack("{s:I, s:I}", "pieces", (json_int_t)sum->moved_pieces, "bytes",
			 (json_int_t)sum->moved_bytes);
}

static enum err run_restore(struct chore *chore)
{
	uint64_t now = clock_wall(), since = now > chore->options.within ? now - chore->options.within : 0;
	struct store_collected sum = {.held = false};
	struct store_space space;
	struct address *satellites;
	size_t count = store_satellites(chore->store, &satellites);
	enum err err = ERR_OK;

	store_space(chore->store, &space);
	tell(chore, 0, space.trash, restore_json(&sum));
	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		err = restore_of(chore, (uint16_t)i, since, &sum);
		tell(chore, sum.moved_bytes, space.trash, restore_json(&sum));
	}
	free(satellites);
	if (err != ERR_OK)
		snprintf(chore->why, sizeof(chore->why), "%s", err_text(err));
	return err;
}

static json_t *forget_json(const struct forgotten *sum)
{
	return json_pack("{s:I, s:I}", "pieces", (json_int_t)sum->pieces, "bytes", (json_int_t)sum->bytes);
}

static enum err delete_of(struct chore *chore, uint16_t satellite, struct forgotten *sum)
{
	struct forgotten all;
	bool more = true;
	enum err err = forget_count(chore->store, satellite, &all);

	while (err == ERR_OK && more) {
		uint64_t began = clock_monotonic();

		if (must_stop(chore))
			return ERR_CANCELLED;
		err = forget_some(chore->store, satellite, sum, &more);
		tell(chore, sum->bytes, all.bytes, forget_json(sum));
		keep_pace(chore, 0, began);
	}
	return err;
}

/* What is in the trash comes out of it, to be deleted with the rest; then the room is given back to the disk. */
static enum err run_forget(struct chore *chore)
{
	struct store_collected restored = {.held = false};
	struct forgotten sum = {0, 0};
	uint16_t satellite;
	json_t *deleted;
	enum err err = store_satellite(chore->store, &chore->options.satellite, &satellite);

	if (err == ERR_OK)
		err = restore_of(chore, satellite, 0, &restored);
	if (err == ERR_OK)
		err = delete_of(chore, satellite, &sum);
	if (err != ERR_OK) {
		snprintf(chore->why, sizeof(chore->why), "%s", err_text(err));
		return err;
	}
	deleted = forget_json(&sum);
	err = compact_all(chore, deleted);
	json_decref(deleted);
	return err;
}

static const struct chore_kind kinds[] = {{"check", run_check}, {"compact", run_compact}, {"restore", run_restore},
					  {"forget", run_forget}};

struct chore *chore_new(struct store *store, const struct chore_options *options)
{
	const struct chore_kind *kind = NULL;
	struct chore *chore;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, options->name) == 0)
			kind = &kinds[i];
	}
	if (kind == NULL)
		return NULL;
	chore = memory_new(1, sizeof(*chore));
	chore->store = store;
	chore->options = *options;
	chore->options.name = kind->name;
	chore->kind = kind;
	chore->started = clock_wall();
	chore->result = json_object();
	pthread_mutex_init(&chore->lock, NULL);
	return chore;
}

void chore_free(struct chore *chore)
{
	if (chore == NULL)
		return;
	json_decref(chore->result);
	pthread_mutex_destroy(&chore->lock);
	free(chore);
}

void chore_run(void *arg)
{
	struct chore *chore = arg;
	enum err err = chore->kind->run(chore);

	pthread_mutex_lock(&chore->lock);
	chore->state = err == ERR_OK ? CHORE_DONE : err == ERR_CANCELLED ? CHORE_STOPPED : CHORE_FAILED;
	chore->ended = clock_wall();
	pthread_mutex_unlock(&chore->lock);
}

void chore_stop(struct chore *chore)
{
	pthread_mutex_lock(&chore->lock);
	chore->stop = true;
	pthread_mutex_unlock(&chore->lock);
}

void chore_progress(struct chore *chore, uint64_t *ret_done, uint64_t *ret_total)
{
	pthread_mutex_lock(&chore->lock);
	*ret_done = chore->done;
	*ret_total = chore->total;
	pthread_mutex_unlock(&chore->lock);
}

bool chore_is_over(struct chore *chore)
{
	bool over;

	pthread_mutex_lock(&chore->lock);
	over = chore->state != CHORE_RUNNING;
	pthread_mutex_unlock(&chore->lock);
	return over;
}

json_t *chore_json(struct chore *chore)
{
	static const char *const states[] = {"running", "done", "stopped", "failed"};
	json_t *json = json_object();

	pthread_mutex_lock(&chore->lock);
	json_object_set_new(json, "name", json_string(chore->options.name));
	json_object_set_new(json, "state", json_string(states[chore->state]));
	json_object_set_new(json, "started", json_integer((json_int_t)chore->started));
	json_object_set_new(json, "ended", chore->ended == 0 ? json_null() : json_integer((json_int_t)chore->ended));
	json_object_set_new(json, "done", json_integer((json_int_t)chore->done));
	json_object_set_new(json, "total", json_integer((json_int_t)chore->total));
	json_object_set_new(json, "error", chore->state == CHORE_FAILED ? json_string(chore->why) : json_null());
	json_object_set_new(json, "result", json_deep_copy(chore->result));
	pthread_mutex_unlock(&chore->lock);
	return json;
}

struct chores {
	struct loop *loop;
	struct store *store;
	struct pool *pool; /* of one thread */
	struct chore *chore;
};

struct chores *chores_new(struct loop *loop, struct store *store)
{
	struct chores *chores = memory_new(1, sizeof(*chores));

	chores->loop = loop;
	chores->store = store;
	chores->pool = pool_new(1, "chore");
	return chores;
}

void chores_free(struct chores *chores)
{
	if (chores == NULL)
		return;
	chores_stop(chores);
	pool_free(chores->pool);
	chore_free(chores->chore);
	free(chores);
}

enum err chores_start(struct chores *chores, const struct chore_options *options)
{
	struct chore *chore = chore_new(chores->store, options);

	if (chore == NULL)
		return ERR_NOT_FOUND;
	if (chores->chore != NULL && !chore_is_over(chores->chore)) {
		bool same = chores->chore->kind == chore->kind;

		chore_free(chore);
		return same ? ERR_OK : ERR_BUSY;
	}
	chore_free(chores->chore);
	chores->chore = chore;
	pool_submit(chores->pool, chore_run, chores->loop, NULL, chore);
	return ERR_OK;
}

void chores_stop(struct chores *chores)
{
	if (chores->chore != NULL)
		chore_stop(chores->chore);
}

json_t *chores_json(struct chores *chores)
{
	return chores->chore == NULL ? json_pack("{s:s}", "state", "none") : chore_json(chores->chore);
}
