/*
 * Loops that other threads can post to, and the pool for work that blocks.
 *
 * Posted calls queue up under a mutex; the first one into an empty queue writes to an eventfd, whose event runs the
 * whole queue in the loop's thread. libevent itself is never called from another thread, so it needs no locks:
 * loop_stop is a posted call too.
 */
#include "common/loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/memory.h"

#define LOOP_MAGIC 0x6c6f6f70u
#define POOL_MAGIC 0x706f6f6cu

struct post {
	struct post *next;
	void (*call)(void *arg);
	void *arg;
};

struct loop {
	uint32_t magic;
	struct event_base *base;
	struct event *wake_event;
	int wake_fd;
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex; /* guards the queue */
	struct post *first;
	struct post **last;
};

struct job {
	struct job *next;
	void (*work)(void *arg);
	struct loop *home;
	void (*done)(void *arg);
	void *arg;
};

struct pool {
	uint32_t magic;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t more;
	struct job *first;
	struct job **last;
	bool ending;
	pthread_t *threads;
	unsigned thread_count;
};

static struct post *take_posts(struct loop *loop)
{
	struct post *posts;

	pthread_mutex_lock(&loop->mutex);
	posts = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	pthread_mutex_unlock(&loop->mutex);
	return posts;
}

/* Make the calls queued by now; returns whether there were any. */
static bool run_posts(struct loop *loop)
{
	struct post *post = take_posts(loop), *next;
	bool any = post != NULL;

	for (; post != NULL; post = next) {
		next = post->next;
		post->call(post->arg);
		free(post);
	}
	return any;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)what;
	assert(loop->magic == LOOP_MAGIC);
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		run_posts(loop);
}

struct loop *loop_new(void)
{
	struct loop *loop = memory_new(1, sizeof(*loop));

	loop->magic = LOOP_MAGIC;
	loop->last = &loop->first;
	loop->base = event_base_new();
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->base == NULL || loop->wake_fd < 0 || pthread_mutex_init(&loop->mutex, NULL) != 0)
		abort();
	loop->wake_event = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	if (loop->wake_event == NULL || event_add(loop->wake_event, NULL) != 0)
		abort();
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	assert(loop->magic == LOOP_MAGIC && !loop->started);
	while (run_posts(loop))
		;
	event_free(loop->wake_event);
	event_base_free(loop->base);
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->mutex);
	loop->magic = 0;
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_run(struct loop *loop)
{
	assert(loop->magic == LOOP_MAGIC);
	event_base_dispatch(loop->base);
}

static void *run_in_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* A thread of ours takes no signals: they are the main thread's. */
static void start_thread(pthread_t *ret, const char *name, unsigned number, void *(*run)(void *arg), void *arg)
{
	char short_name[16]; /* the kernel's limit */
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(ret, NULL, run, arg) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	snprintf(short_name, sizeof(short_name), "%.11s-%u", name, number % 1000);
	pthread_setname_np(*ret, short_name);
}

void loop_start(struct loop *loop, const char *thread_name)
{
	assert(loop->magic == LOOP_MAGIC && !loop->started);
	loop->started = true;
	start_thread(&loop->thread, thread_name, 0, run_in_thread, loop);
}

static void stop_now(void *arg)
{
	struct loop *loop = arg;

	event_base_loopbreak(loop->base);
}

void loop_stop(struct loop *loop)
{
	loop_post(loop, stop_now, loop);
}

void loop_join(struct loop *loop)
{
	assert(loop->magic == LOOP_MAGIC && loop->started);
	pthread_join(loop->thread, NULL);
	loop->started = false;
}

void loop_post(struct loop *loop, void (*call)(void *arg), void *arg)
{
	struct post *post = memory_new(1, sizeof(*post));
	const uint64_t one = 1;
	bool was_empty;

	assert(loop->magic == LOOP_MAGIC);
	post->call = call;
	post->arg = arg;
	pthread_mutex_lock(&loop->mutex);
	was_empty = loop->first == NULL;
	*loop->last = post;
	loop->last = &post->next;
	/* Inside the lock: once the call is made, the loop may be freed. */
	if (was_empty && write(loop->wake_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_mutex_unlock(&loop->mutex);
}

/* The next job, or NULL when the pool ends and all work is done. */
static struct job *next_job(struct pool *pool)
{
	struct job *job;

	pthread_mutex_lock(&pool->mutex);
	while (pool->first == NULL && !pool->ending)
		pthread_cond_wait(&pool->more, &pool->mutex);
	job = pool->first;
	if (job != NULL)
		pool->first = job->next;
	if (pool->first == NULL)
		pool->last = &pool->first;
	pthread_mutex_unlock(&pool->mutex);
	return job;
}

static void *work_in_thread(void *arg)
{
	struct pool *pool = arg;
	struct job *job = next_job(pool);

	while (job != NULL) {
		job->work(job->arg);
		if (job->done != NULL)
			loop_post(job->home, job->done, job->arg);
		free(job);
		job = next_job(pool);
	}
	return NULL;
}

struct pool *pool_new(unsigned threads, const char *thread_name)
{
	struct pool *pool = memory_new(1, sizeof(*pool));

	assert(threads > 0);
	pool->magic = POOL_MAGIC;
	pool->last = &pool->first;
	if (pthread_mutex_init(&pool->mutex, NULL) != 0 || pthread_cond_init(&pool->more, NULL) != 0)
		abort();
	pool->threads = memory_new(threads, sizeof(pool->threads[0]));
	pool->thread_count = threads;
	for (unsigned i = 0; i < threads; i++)
		start_thread(&pool->threads[i], thread_name, i, work_in_thread, pool);
	return pool;
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	assert(pool->magic == POOL_MAGIC);
	pthread_mutex_lock(&pool->mutex);
	pool->ending = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->mutex);
	pool->magic = 0;
	free(pool->threads);
	free(pool);
}

void pool_submit(struct pool *pool, void (*work)(void *arg), struct loop *home, void (*done)(void *arg), void *arg)
{
	struct job *job = memory_new(1, sizeof(*job));

	assert(pool->magic == POOL_MAGIC && (done == NULL || home != NULL));
	*job = (struct job){NULL, work, home, done, arg};
	pthread_mutex_lock(&pool->mutex);
	assert(!pool->ending);
	*pool->last = job;
	pool->last = &job->next;
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->mutex);
}
