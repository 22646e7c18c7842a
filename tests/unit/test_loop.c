/* Loops and pools: order of posted calls, the thread they run in, stopping, and work that finds its way home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include "common/loop.h"

struct counter {
	struct loop *loop;
	pthread_t thread;
	int next;
	int calls;
};

struct numbered {
	struct counter *counter;
	int number;
};

static void in_order(void *arg)
{
	struct numbered *n = arg;

	assert_int_equal(n->number, n->counter->next);
	n->counter->next++;
}

static void stop(void *arg)
{
	struct counter *c = arg;

	c->thread = pthread_self();
	loop_stop(c->loop);
}

static void test_posts_run_in_order(void **state)
{
	struct counter c = {.loop = loop_new()};
	struct numbered numbers[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		numbers[i] = (struct numbered){&c, i};
		loop_post(c.loop, in_order, &numbers[i]);
	}
	assert_int_equal(c.next, 0); /* never called at once */
	loop_post(c.loop, stop, &c);
	loop_run(c.loop);
	assert_int_equal(c.next, 100);
	loop_free(c.loop);
}

static void post_once_more(void *arg)
{
	struct counter *c = arg;

	if (++c->calls < 5)
		loop_post(c->loop, post_once_more, c);
}

static void test_free_makes_the_calls_left(void **state)
{
	struct counter c = {.loop = loop_new()};

	(void)state;
	loop_post(c.loop, post_once_more, &c);
	loop_free(c.loop);
	assert_int_equal(c.calls, 5);
	loop_free(NULL);
}

static void test_stop_before_run(void **state)
{
	struct loop *loop = loop_new();

	(void)state;
	loop_stop(loop);
	loop_run(loop);
	loop_free(loop);
}

static void test_thread(void **state)
{
	struct counter c = {.loop = loop_new()};

	(void)state;
	loop_start(c.loop, "a name longer than the kernel allows");
	loop_post(c.loop, stop, &c);
	loop_join(c.loop);
	assert_false(pthread_equal(c.thread, pthread_self()));
	/* It can run again. */
	loop_start(c.loop, "again");
	loop_stop(c.loop);
	loop_join(c.loop);
	loop_free(c.loop);
}

#define JOBS 1000

struct job_state {
	struct counter *home;
	int square;
	int number;
};

static void square(void *arg)
{
	struct job_state *job = arg;

	job->square = job->number * job->number;
}

static void count_done(void *arg)
{
	struct job_state *job = arg;

	assert_true(pthread_equal(job->home->thread, pthread_self()));
	assert_int_equal(job->square, job->number * job->number);
	if (++job->home->calls == JOBS)
		loop_stop(job->home->loop);
}

static void test_pool(void **state)
{
	static struct job_state jobs[JOBS];
	struct counter c = {.loop = loop_new(), .thread = pthread_self()};
	struct pool *pool = pool_new(3, "worker");

	(void)state;
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job_state){&c, -1, i};
		pool_submit(pool, square, c.loop, count_done, &jobs[i]);
	}
	loop_run(c.loop);
	assert_int_equal(c.calls, JOBS);
	pool_free(pool);
	loop_free(c.loop);
}

static void test_pool_free_waits(void **state)
{
	struct job_state jobs[50];
	struct pool *pool = pool_new(1, "worker");

	(void)state;
	for (int i = 0; i < 50; i++) {
		jobs[i] = (struct job_state){NULL, -1, i};
		pool_submit(pool, square, NULL, NULL, &jobs[i]);
	}
	pool_free(pool);
	for (int i = 0; i < 50; i++)
		assert_int_equal(jobs[i].square, i * i);
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_posts_run_in_order),
		cmocka_unit_test(test_free_makes_the_calls_left),
		cmocka_unit_test(test_stop_before_run),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_free_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
