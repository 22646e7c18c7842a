/* Jobs in turn, one thread, rests in between. */
#include "node/store/upkeep.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/memory.h"

#define SECOND 1000000000ull
#define IDLE (60 * SECOND) /* the longest wait; everything that matters kicks */
#define LEAST_REST (SECOND / 1000)
#define MOST_REST (2 * SECOND)

struct upkeep {
	const struct upkeep_job *jobs;
	size_t count;
	void *arg;
	pthread_mutex_t running; /* held while a step runs */
	pthread_mutex_t lock;	 /* of all below; never held while a step runs */
	pthread_cond_t wake;
	pthread_t thread;
	bool started;
	bool stopping;
	uint64_t *due; /* monotonic, by job */
	atomic_uint_fast64_t customers;
	uint64_t seen; /* customers, when last looked */
};

struct upkeep *upkeep_new(const struct upkeep_job *jobs, void *arg)
{
	struct upkeep *upkeep = memory_new(1, sizeof(*upkeep));
	pthread_condattr_t attributes;

	upkeep->jobs = jobs;
	while (jobs[upkeep->count].name != NULL)
		upkeep->count++;
	upkeep->arg = arg;
	upkeep->due = memory_new(upkeep->count + 1, sizeof(*upkeep->due));
	atomic_init(&upkeep->customers, 0);
	pthread_mutex_init(&upkeep->running, NULL);
	pthread_mutex_init(&upkeep->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&upkeep->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return upkeep;
}

/* Whether somebody was served since the last time this was asked. */
static bool customers_came(struct upkeep *upkeep)
{
	uint64_t now = atomic_load(&upkeep->customers);
	bool came = now != upkeep->seen;

	upkeep->seen = now;
	return came;
}

/* One step of a job, and when it is due again. The caller holds `running`. */
static enum upkeep_turn run_step(struct upkeep *upkeep, size_t i, uint64_t budget)
{
	enum upkeep_turn turn;

	/* Before the step: a kick that comes while it runs counts. */
	pthread_mutex_lock(&upkeep->lock);
	upkeep->due[i] = clock_monotonic() + upkeep->jobs[i].interval * SECOND;
	pthread_mutex_unlock(&upkeep->lock);
	turn = upkeep->jobs[i].step(upkeep->arg, &budget);
	if (turn == UPKEEP_MORE) {
		pthread_mutex_lock(&upkeep->lock);
		upkeep->due[i] = 0;
		pthread_mutex_unlock(&upkeep->lock);
	}
	return turn;
}

/* Sleep until then, or until kicked; false when it is time to stop. */
static bool sleep_until(struct upkeep *upkeep, uint64_t until, bool kicks)
{
	struct timespec at = {(time_t)(until / SECOND), (long)(until % SECOND)};
	bool go_on;

	pthread_mutex_lock(&upkeep->lock);
	while (!upkeep->stopping && clock_monotonic() < until) {
		bool due = false;

		for (size_t i = 0; kicks && i < upkeep->count; i++)
			due = due || upkeep->due[i] == 0;
		if (due)
			break;
		pthread_cond_timedwait(&upkeep->wake, &upkeep->lock, &at);
	}
	go_on = !upkeep->stopping;
	pthread_mutex_unlock(&upkeep->lock);
	return go_on;
}

/* After a step that took so long. */
static bool rest(struct upkeep *upkeep, uint64_t took, bool busy)
{
	uint64_t len = busy ? took * 4 : took;

	if (len < LEAST_REST)
		len = LEAST_REST;
	return sleep_until(upkeep, clock_monotonic() + (len < MOST_REST ? len : MOST_REST), false);
}

static bool take_turn(struct upkeep *upkeep, size_t i)
{
	uint64_t began = clock_monotonic();
	bool busy;

	pthread_mutex_lock(&upkeep->running);
	busy = customers_came(upkeep);
	(void)run_step(upkeep, i, busy ? UPKEEP_BUSY : UPKEEP_BYTES);
	pthread_mutex_unlock(&upkeep->running);
	return rest(upkeep, clock_monotonic() - began, busy);
}

static uint64_t due_at(struct upkeep *upkeep, size_t i)
{
	uint64_t due;

	pthread_mutex_lock(&upkeep->lock);
	due = upkeep->due[i];
	pthread_mutex_unlock(&upkeep->lock);
	return due;
}

static void *run(void *arg)
{
	struct upkeep *upkeep = arg;
	bool go_on = true;

	while (go_on) {
		uint64_t now = clock_monotonic(), next = now + IDLE;

		for (size_t i = 0; go_on && i < upkeep->count; i++) {
			uint64_t due = due_at(upkeep, i);

			if (due <= now) {
				go_on = take_turn(upkeep, i);
				due = due_at(upkeep, i);
			}
			if (due < next)
				next = due;
		}
		go_on = go_on && sleep_until(upkeep, next, true);
	}
	return NULL;
}

void upkeep_start(struct upkeep *upkeep)
{
	if (pthread_create(&upkeep->thread, NULL, run, upkeep) != 0)
		abort();
	upkeep->started = true;
}

void upkeep_stop(struct upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	pthread_mutex_lock(&upkeep->lock);
	upkeep->stopping = true;
	pthread_cond_broadcast(&upkeep->wake);
	pthread_mutex_unlock(&upkeep->lock);
	if (upkeep->started)
		pthread_join(upkeep->thread, NULL);
	upkeep->started = false;
}

void upkeep_free(struct upkeep *upkeep)
{
	if (upkeep == NULL)
		return;
	assert(!upkeep->started);
	pthread_cond_destroy(&upkeep->wake);
	pthread_mutex_destroy(&upkeep->lock);
	pthread_mutex_destroy(&upkeep->running);
	free(upkeep->due);
	free(upkeep);
}

void upkeep_note_customer(struct upkeep *upkeep)
{
	atomic_fetch_add_explicit(&upkeep->customers, 1, memory_order_relaxed);
}

void upkeep_kick(struct upkeep *upkeep, const char *name)
{
	pthread_mutex_lock(&upkeep->lock);
	for (size_t i = 0; i < upkeep->count; i++) {
		if (strcmp(upkeep->jobs[i].name, name) == 0)
			upkeep->due[i] = 0;
	}
	pthread_cond_broadcast(&upkeep->wake);
	pthread_mutex_unlock(&upkeep->lock);
}

bool upkeep_step(struct upkeep *upkeep, const char *name)
{
	bool more = false;

	pthread_mutex_lock(&upkeep->running);
	for (size_t i = 0; i < upkeep->count; i++) {
		if (name == NULL || strcmp(upkeep->jobs[i].name, name) == 0)
			more = run_step(upkeep, i, UPKEEP_BYTES) == UPKEEP_MORE || more;
	}
	pthread_mutex_unlock(&upkeep->running);
	return more;
}

void upkeep_enter(struct upkeep *upkeep)
{
	pthread_mutex_lock(&upkeep->running);
}

void upkeep_leave(struct upkeep *upkeep)
{
	pthread_mutex_unlock(&upkeep->running);
}
