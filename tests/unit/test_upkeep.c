/* Upkeep: each job gets its turn, steps never overlap, kicks wake, customers make steps smaller. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/store/upkeep.h"

struct bench {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned steps[2];
	unsigned more; /* steps that the first job has left */
	uint64_t budget;
	int inside;
	int most_inside;
};

static enum upkeep_turn work(struct bench *b, int job, uint64_t *budget)
{
	enum upkeep_turn turn = UPKEEP_REST;

	pthread_mutex_lock(&b->lock);
	b->inside++;
	if (b->inside > b->most_inside)
		b->most_inside = b->inside;
	b->budget = *budget;
	*budget = 0;
	b->steps[job]++;
	if (job == 0 && b->more > 0) {
		b->more--;
		turn = UPKEEP_MORE;
	}
	b->inside--;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
	return turn;
}

static enum upkeep_turn first(void *arg, uint64_t *budget)
{
	return work(arg, 0, budget);
}

static enum upkeep_turn second(void *arg, uint64_t *budget)
{
	return work(arg, 1, budget);
}

static const struct upkeep_job jobs[] = {
	{"first", 3600, first},
	{"second", 3600, second},
	{NULL, 0, NULL},
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){.more = 0};
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
}

static void bench_end(struct bench *b)
{
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
}

/* Wait until both jobs have made that many steps. */
static void await(struct bench *b, unsigned first_steps, unsigned second_steps)
{
	pthread_mutex_lock(&b->lock);
	while (b->steps[0] < first_steps || b->steps[1] < second_steps)
		pthread_cond_wait(&b->changed, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static void test_steps_by_hand(void **state)
{
	struct upkeep *upkeep;
	struct bench b;

	(void)state;
	bench_init(&b);
	b.more = 2;
	upkeep = upkeep_new(jobs, &b);
	assert_true(upkeep_step(upkeep, NULL));
	assert_int_equal(b.steps[0], 1);
	assert_int_equal(b.steps[1], 1);
	assert_false(upkeep_step(upkeep, "second"));
	assert_true(upkeep_step(upkeep, "first"));
	assert_false(upkeep_step(upkeep, "first"));
	assert_false(upkeep_step(upkeep, "no such job"));
	assert_int_equal(b.steps[0], 3);
	assert_int_equal(b.steps[1], 2);
	assert_int_equal(b.budget, UPKEEP_BYTES);
	upkeep_stop(upkeep);
	upkeep_free(upkeep);
	bench_end(&b);
}

static void test_thread(void **state)
{
	struct upkeep *upkeep;
	struct bench b;

	(void)state;
	bench_init(&b);
	b.more = 3;
	upkeep = upkeep_new(jobs, &b);
	upkeep_start(upkeep);
	/* All rounds begin at once; the first has more to do, and the second does not wait for its end. */
	await(&b, 4, 1);
	upkeep_kick(upkeep, "second");
	await(&b, 4, 2);
	/* While somebody is inside, no step begins. */
	upkeep_enter(upkeep);
	upkeep_kick(upkeep, "first");
	assert_int_equal(b.steps[0], 4);
	upkeep_note_customer(upkeep);
	upkeep_leave(upkeep);
	await(&b, 5, 2);
	assert_int_equal(b.budget, UPKEEP_BUSY);
	assert_int_equal(b.most_inside, 1);
	upkeep_stop(upkeep);
	upkeep_free(upkeep);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_by_hand),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
