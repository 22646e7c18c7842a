/* Threads for the auditor and the deleter. */
#include "satellite/patrol.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "common/random.h"

#define LOOK_MS 100

struct patrol {
	struct round round;
	patrol_round *walk;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool stopping;
};

void round_init(struct round *round, struct desk *desk)
{
	memset(round, 0, sizeof(*round));
	round->desk = desk;
	round->base = event_base_new();
	if (round->base == NULL)
		abort();
	random_bytes(round->holder.name, sizeof(round->holder.name));
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct round *round = arg;

	(void)fd;
	(void)what;
	if (patrol_is_stopping(round))
		event_base_loopbreak(round->base);
}

static void look_out(struct round *round)
{
	const struct timeval period = {0, LOOK_MS * 1000};

	round->look = event_new(round->base, -1, EV_PERSIST, on_look, round);
	if (round->look == NULL || event_add(round->look, &period) != 0)
		abort();
}

void round_end(struct round *round)
{
	if (round->look != NULL)
		event_free(round->look);
	event_base_free(round->base);
	round->base = NULL;
}

bool patrol_is_stopping(const struct round *round)
{
	return round->patrol != NULL && atomic_load(&round->patrol->stopping);
}

static void wait_ms(struct patrol *patrol, unsigned ms)
{
	struct timespec until;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&patrol->lock);
	while (!atomic_load(&patrol->stopping) && status != ETIMEDOUT)
		status = pthread_cond_timedwait(&patrol->wake, &patrol->lock, &until);
	pthread_mutex_unlock(&patrol->lock);
}

static void *run(void *arg)
{
	struct patrol *patrol = arg;

	while (!atomic_load(&patrol->stopping))
		wait_ms(patrol, patrol->walk(&patrol->round));
	return NULL;
}

enum err patrol_start(const char *name, patrol_round *walk, const struct settings *settings, const struct key *key,
		      struct patrol **ret, char why[DATABASE_MESSAGE])
{
	struct patrol *patrol;
	struct desk *desk;
	pthread_condattr_t monotonic;
	sigset_t all, before;
	enum err err = desk_open(settings, key, &desk, why);

	if (err != ERR_OK)
		return err;
	patrol = memory_new(1, sizeof(*patrol));
	round_init(&patrol->round, desk);
	patrol->round.patrol = patrol;
	look_out(&patrol->round);
	patrol->walk = walk;
	pthread_mutex_init(&patrol->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&patrol->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&patrol->thread, NULL, run, patrol) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setname_np(patrol->thread, name);
	*ret = patrol;
	return ERR_OK;
}

void patrol_ask_stop(struct patrol *patrol)
{
	pthread_mutex_lock(&patrol->lock);
	atomic_store(&patrol->stopping, true);
	pthread_cond_signal(&patrol->wake);
	pthread_mutex_unlock(&patrol->lock);
}

void patrol_stop(struct patrol *patrol)
{
	if (patrol == NULL)
		return;
	patrol_ask_stop(patrol);
	pthread_join(patrol->thread, NULL);
	pthread_cond_destroy(&patrol->wake);
	pthread_mutex_destroy(&patrol->lock);
	round_end(&patrol->round);
	desk_close(patrol->round.desk);
	free(patrol);
}
