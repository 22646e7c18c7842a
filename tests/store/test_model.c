/*
 * Random operations against a map. Some threads work on one store, each on pieces of its own, while another compacts
 * without pause; all they read must be what their models say. Now and then they stop: the whole store is compared with
 * the models, and goes on after a clean stop or a crash. While they run the power is cut in images, which must show
 * what the models knew at that moment.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/effort.h"
#include "tests/kit/fault.h"
#include "tests/kit/model.h"

#define DISK (256ull << 20)
#define THREADS 4
#define PHASE 250 /* steps of each thread between two comparisons */
#define CUTS 2	  /* images of a phase */
#define CUT_EVERY 700 /* changes */

struct cut {
	struct fault *disk;
	struct model models[THREADS];
};

struct game {
	struct fault *fault;
	struct store *store;
	struct store_options options;
	struct model models[THREADS];
	struct play plays[THREADS];
	struct workload workloads[THREADS];
	struct random_stream dice;
	struct cut cuts[CUTS];
	size_t cut_count;
	uint64_t changes; /* since the last cut */
	atomic_bool over; /* the phase is */
	uint64_t steps, compared, crashes;
	char flaw[512];
};

static void *work(void *arg)
{
	struct play *play = arg;
	struct workload *workload = play->arg;

	for (int i = 0; i < PHASE && play->model->flaw[0] == '\0'; i++) {
		struct step step = workload_next(workload);

		/* The store is closed when all have stopped. */
		if (step.verb == STEP_RESTART)
			step.verb = STEP_FLUSH;
		play_take(play, &step);
	}
	return NULL;
}

static void *compact(void *arg)
{
	struct game *game = arg;

	while (!game->over) {
		struct store_compacted done;

		(void)store_upkeep_step(game->store, NULL);
		if (store_compact_step(game->store, 20, &done) == ERR_OK && !done.more)
			sched_yield();
	}
	return NULL;
}

/* Before a change to the disk, whose lock is held: no answer can be given meanwhile that rests on it. */
static void watch(void *arg)
{
	struct game *game = arg;
	struct cut *cut = &game->cuts[game->cut_count];

	if (game->cut_count == CUTS || ++game->changes < CUT_EVERY)
		return;
	game->changes = 0;
	cut->disk = fault_image(game->fault, (enum fault_keep)random_stream_below(&game->dice, FAULT_KEEPS),
				random_stream_u64(&game->dice));
	for (size_t i = 0; i < THREADS; i++)
		play_moment(&game->plays[i], &cut->models[i]);
	game->cut_count++;
}

static void expect_fine(struct game *game, bool fine, const char *what, const struct model *models)
{
	if (fine)
		return;
	for (size_t i = 0; i < THREADS; i++)
		print_message("# after %llu steps, %s: %s\n", (unsigned long long)game->steps, what, models[i].flaw);
	fault_print(game->fault);
	fail();
}

static void expect_cuts(struct game *game)
{
	for (size_t i = 0; i < game->cut_count; i++) {
		struct cut *cut = &game->cuts[i];
		char why[STORE_MESSAGE] = "";
		struct store *store = NULL;
		enum err err = store_open("/", &game->options, fault_seam(cut->disk), &store, why);

		if (err != ERR_OK)
			print_message("# %s\n", why);
		assert_int_equal(err, ERR_OK);
		expect_fine(game, model_check_all(cut->models, THREADS, store), "power cut", cut->models);
		store_close(store);
		fault_free(cut->disk);
		game->crashes++;
	}
	game->cut_count = 0;
}

static void open_store(struct game *game)
{
	char why[STORE_MESSAGE] = "";
	enum err err = store_open("/", &game->options, fault_seam(game->fault), &game->store, why);

	if (err != ERR_OK)
		print_message("# %s\n", why);
	assert_int_equal(err, ERR_OK);
	for (size_t i = 0; i < THREADS; i++)
		game->plays[i].store = game->store;
	fault_watch(game->fault, watch, game);
}

/* Close the store, or let it crash; the disk is a new one, without the files that are gone. */
static void restart(struct game *game, bool clean)
{
	struct fault *old = game->fault, *crashed = clean ? NULL : fault_image(old, FAULT_ALL, 0);

	fault_watch(old, NULL, NULL);
	for (size_t i = 0; i < THREADS; i++) {
		struct step flush = {.verb = STEP_FLUSH};

		store_put_abort(game->plays[i].held);
		game->plays[i].held = NULL;
		game->workloads[i].held = false;
		play_take(&game->plays[i], &flush);
	}
	store_close(game->store);
	game->fault = clean ? fault_image(old, FAULT_ALL, 0) : crashed;
	fault_free(old);
	open_store(game);
}

static void play_phase(struct game *game)
{
	pthread_t threads[THREADS], compactor;

	game->over = false;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &game->plays[i]), 0);
	assert_int_equal(pthread_create(&compactor, NULL, compact, game), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	game->over = true;
	pthread_join(compactor, NULL);
	game->steps += THREADS * PHASE;
	for (size_t i = 0; i < THREADS; i++)
		expect_fine(game, game->models[i].flaw[0] == '\0', "while running", game->models);
	expect_cuts(game);
	restart(game, random_stream_below(&game->dice, 2) == 0);
	expect_fine(game, model_check_all(game->models, THREADS, game->store), "after a restart", game->models);
	game->compared++;
}

static void begin(struct game *game, uint64_t seed)
{
	char why[STORE_MESSAGE];

	random_stream_init(&game->dice, bytes_of(&seed, sizeof(seed)));
	game->fault = fault_new(DISK);
	game->options = (struct store_options){.allocation = 128 << 20, .no_upkeep = true};
	assert_int_equal(store_init("/", game->options.allocation, 1 << 20, fault_seam(game->fault), why), ERR_OK);
	for (uint32_t i = 0; i < THREADS; i++) {
		model_init(&game->models[i]);
		game->models[i].first = i * 1000;
		play_init(&game->plays[i], "/", fault_seam(game->fault), &game->models[i]);
		game->plays[i].restless = true;
		game->plays[i].arg = &game->workloads[i];
		workload_begin(&game->workloads[i], seed * THREADS + i);
	}
	open_store(game);
}

static void test_random_operations(void **state)
{
	uint64_t seed = effort_seed("model", 1), wanted = effort(40000, 1000000);
	struct game *game = memory_new(1, sizeof(*game));

	(void)state;
	begin(game, seed);
	while (game->steps < wanted)
		play_phase(game);
	print_message("# model: %llu operations in %d threads beside compaction, compared %llu times; "
		      "%llu power cuts\n",
		      (unsigned long long)game->steps, THREADS, (unsigned long long)game->compared,
		      (unsigned long long)game->crashes);
	store_close(game->store);
	fault_free(game->fault);
	free(game);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
