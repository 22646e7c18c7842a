/* Two threads. One takes from two queues, what somebody waits for and what can go along, and makes it durable. The
 * other settles. */
#include "node/store/committer.h"

#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/gather.h"
#include "node/store/planted.h"

#define LAZY_NANOSECONDS 500000000ull

struct queue {
	struct commit *first;
	struct commit **end;
};

struct committer {
	const struct seam *seam;
	struct health *health;
	void (*after)(void *arg);
	void *arg;
	pthread_t syncer;
	pthread_t settler;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the syncer */
	pthread_cond_t synced;
	pthread_cond_t flushed;
	struct queue prompt;
	struct queue lazy;
	struct queue answers; /* synced, or failed; to be settled */
	uint64_t lazy_since;  /* monotonic, when the oldest lazy commit came */
	uint64_t group;
	uint64_t flushes; /* barriers that somebody waits for */
	bool settling;
	bool stopping;
	bool stopped;	      /* the syncer is */
	struct gather gather; /* the syncer's */
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void queue_add(struct queue *queue, struct commit *commit)
{
	commit->next = NULL;
	*queue->end = commit;
	queue->end = &commit->next;
}

/* Append all of `from`, and empty it. */
static void queue_move(struct queue *to, struct queue *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	queue_init(from);
}

/* Sync each segment of the group once. */
static enum err sync_group(struct committer *committer, const struct queue *group)
{
	committer->group++;
	for (struct commit *commit = group->first; commit != NULL; commit = commit->next) {
		struct segment *segment = commit->segment;
		enum err err;

		if (commit->err != ERR_OK || segment == NULL || segment->group == committer->group)
			continue;
		segment->group = committer->group;
		if (planted(SKIP_SYNC))
			continue;
		err = seam_sync_file(committer->seam, segment->fd);
		if (err != ERR_OK && planted(SYNC_AGAIN))
			err = seam_sync_file(committer->seam, segment->fd);
		if (err != ERR_OK) {
			health_fail(committer->health, "syncing", segment->id, err);
			return ERR_IO;
		}
	}
	return ERR_OK;
}

/* Write what is to be written, and sync. */
static enum err make_durable(struct committer *committer, const struct queue *group)
{
	enum err err;

	/* A write failed elsewhere: nothing is promised any more, not even what would still sync. */
	if (health_failed(committer->health))
		return ERR_READ_ONLY;
	err = gather_write(&committer->gather, committer->seam, committer->health, group->first);
	if (err == ERR_OK && !planted(ACKNOWLEDGE_FIRST))
		err = sync_group(committer, group);
	return err;
}

static void commit_group(struct committer *committer, struct queue *group)
{
	struct segment *first = group->first->segment;
	enum err err = make_durable(committer, group);

	for (struct commit *commit = group->first; commit != NULL; commit = commit->next) {
		if (commit->err == ERR_OK)
			commit->err = err;
	}
	pthread_mutex_lock(&committer->lock);
	queue_move(&committer->answers, group);
	pthread_cond_signal(&committer->synced);
	pthread_mutex_unlock(&committer->lock);
	if (planted(ACKNOWLEDGE_FIRST) && first != NULL)
		(void)!seam_sync_file(committer->seam, first->fd);
}

static bool lazy_due(const struct committer *committer)
{
	return committer->lazy.first != NULL && (committer->stopping || committer->flushes > 0 ||
						 clock_monotonic() - committer->lazy_since >= LAZY_NANOSECONDS);
}

static void wait_for_work(struct committer *committer)
{
	uint64_t due = committer->lazy_since + LAZY_NANOSECONDS;
	struct timespec until = {(time_t)(due / 1000000000), (long)(due % 1000000000)};

	if (committer->lazy.first != NULL)
		pthread_cond_timedwait(&committer->wake, &committer->lock, &until);
	else
		pthread_cond_wait(&committer->wake, &committer->lock);
}

/* Whether there may be work: what is settled may add commits, even while stopping. */
static bool may_come(const struct committer *committer)
{
	return !committer->stopping || committer->settling || committer->answers.first != NULL;
}

static void *run_syncer(void *arg)
{
	struct committer *committer = arg;
	struct queue group;

	pthread_mutex_lock(&committer->lock);
	for (;;) {
		while (committer->prompt.first == NULL && !lazy_due(committer) && may_come(committer))
			wait_for_work(committer);
		queue_init(&group);
		if (lazy_due(committer))
			queue_move(&group, &committer->lazy);
		queue_move(&group, &committer->prompt);
		if (group.first == NULL)
			break;
		pthread_mutex_unlock(&committer->lock);
		commit_group(committer, &group);
		pthread_mutex_lock(&committer->lock);
	}
	committer->stopped = true;
	pthread_cond_signal(&committer->synced);
	pthread_mutex_unlock(&committer->lock);
	return NULL;
}

static void settle_all(struct commit *commit)
{
	while (commit != NULL) {
		struct commit *next = commit->next;

		commit->settle(commit, commit->err);
		commit = next;
	}
}

static void *run_settler(void *arg)
{
	struct committer *committer = arg;
	struct queue group;

	pthread_mutex_lock(&committer->lock);
	for (;;) {
		while (committer->answers.first == NULL && !committer->stopped)
			pthread_cond_wait(&committer->synced, &committer->lock);
		if (committer->answers.first == NULL)
			break;
		queue_init(&group);
		queue_move(&group, &committer->answers);
		committer->settling = true;
		pthread_mutex_unlock(&committer->lock);
		settle_all(group.first);
		if (committer->after != NULL)
			committer->after(committer->arg);
		pthread_mutex_lock(&committer->lock);
		committer->settling = false;
		if (committer->stopping)
			pthread_cond_signal(&committer->wake);
	}
	pthread_mutex_unlock(&committer->lock);
	return NULL;
}

struct committer *committer_start(const struct seam *seam, struct health *health, void (*after)(void *arg), void *arg)
{
	struct committer *committer = memory_new(1, sizeof(*committer));
	pthread_condattr_t attributes;

	committer->seam = seam;
	committer->health = health;
	committer->after = after;
	committer->arg = arg;
	queue_init(&committer->prompt);
	queue_init(&committer->lazy);
	queue_init(&committer->answers);
	pthread_mutex_init(&committer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&committer->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_cond_init(&committer->synced, NULL);
	pthread_cond_init(&committer->flushed, NULL);
	if (pthread_create(&committer->syncer, NULL, run_syncer, committer) != 0 ||
	    pthread_create(&committer->settler, NULL, run_settler, committer) != 0)
		abort();
	return committer;
}

void committer_stop(struct committer *committer)
{
	if (committer == NULL)
		return;
	pthread_mutex_lock(&committer->lock);
	committer->stopping = true;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->lock);
	pthread_join(committer->syncer, NULL);
	pthread_join(committer->settler, NULL);
	pthread_cond_destroy(&committer->flushed);
	pthread_cond_destroy(&committer->synced);
	pthread_cond_destroy(&committer->wake);
	pthread_mutex_destroy(&committer->lock);
	gather_free(&committer->gather);
	free(committer);
}

void committer_add(struct committer *committer, struct commit *commit)
{
	pthread_mutex_lock(&committer->lock);
	queue_add(&committer->prompt, commit);
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->lock);
}

void committer_add_lazily(struct committer *committer, struct commit *commit)
{
	pthread_mutex_lock(&committer->lock);
	if (committer->lazy.first == NULL)
		committer->lazy_since = clock_monotonic();
	queue_add(&committer->lazy, commit);
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->lock);
}

/* Goes through the queue like any commit; all that stands before it is settled when it is. */
struct barrier {
	struct commit commit;
	struct committer *committer;
	bool reached;
};

static void reach(struct commit *commit, enum err err)
{
	struct barrier *barrier = (struct barrier *)commit;
	struct committer *committer = barrier->committer;

	(void)err;
	pthread_mutex_lock(&committer->lock);
	barrier->reached = true;
	committer->flushes--;
	pthread_cond_broadcast(&committer->flushed);
	pthread_mutex_unlock(&committer->lock);
}

void committer_flush(struct committer *committer)
{
	struct barrier barrier = {{.settle = reach}, committer, false};

	pthread_mutex_lock(&committer->lock);
	committer->flushes++;
	queue_add(&committer->prompt, &barrier.commit);
	pthread_cond_signal(&committer->wake);
	while (!barrier.reached)
		pthread_cond_wait(&committer->flushed, &committer->lock);
	pthread_mutex_unlock(&committer->lock);
}
