/* Which numbers a repair makes, and what it reads for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "satellite/repair_plan.h"

struct fixture {
	struct segment_health health;
	struct repair_plan plan;
	struct random_stream random;
};

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->health.redundancy = (struct redundancy){2, 3, 5, 8};
	random_stream_init(&f->random, bytes_of_text("plan"));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static void add(struct fixture *f, uint16_t number, enum piece_state state)
{
	bool online = state != PIECE_AWAY && state != PIECE_GONE && state != PIECE_DISQUALIFIED;

	f->health.pieces[f->health.count++] = (struct judged_piece){.number = number, .state = state, .online = online};
}

static void make(struct fixture *f)
{
	uint32_t counts[PIECE_STATES] = {0};

	for (uint32_t i = 0; i < f->health.count; i++)
		counts[f->health.pieces[i].state]++;
	health_judge_counts(&f->health.redundancy, counts, &f->health.health);
	repair_plan_make(&f->health, &f->random, &f->plan);
}

static void assert_numbers(const struct repair_plan *plan, const uint16_t *numbers, uint32_t count)
{
	assert_int_equal(plan->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(plan->numbers[i], numbers[i]);
}

/* Every source can be read, none is there twice. */
static void assert_sources(const struct fixture *f, uint32_t count)
{
	struct health_piece seen[REDUNDANCY_TOTAL] = {{0}};

	assert_int_equal(f->plan.source_count, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct judged_piece *piece = &f->health.pieces[f->plan.sources[i]];

		assert_true(piece->online && piece_is_retrievable(piece->state));
		assert_int_equal(seen[piece->number].state, 0);
		seen[piece->number].state = piece->state;
	}
}

static void test_fine_segments_are_left_alone(void **state)
{
	struct fixture *f = *state;

	for (uint16_t i = 0; i < 4; i++)
		add(f, i, i == 3 ? PIECE_AWAY : PIECE_GOOD);
	make(f);
	assert_int_equal(f->plan.count, 0);
}

/* First what is lost, then what nobody holds; who is only gone or suspended keeps its number while there are others. */
static void test_lost_numbers_come_first(void **state)
{
	static const uint16_t wanted[] = {1, 4, 3};
	struct fixture *f = *state;

	add(f, 0, PIECE_GOOD);
	add(f, 1, PIECE_LOST);
	add(f, 2, PIECE_GONE);
	add(f, 4, PIECE_DISQUALIFIED);
	add(f, 6, PIECE_GOOD);
	make(f);
	assert_numbers(&f->plan, wanted, 3);
	assert_int_equal(f->plan.moves, 0);
	assert_int_equal(f->plan.begin_with, 2);
	assert_sources(f, 2);
}

/* No number is left but those of nodes that may come back. */
static void test_all_numbers_are_held(void **state)
{
	static const uint16_t wanted[] = {5, 2, 3};
	struct fixture *f = *state;

	f->health.redundancy.total = 6;
	add(f, 0, PIECE_GOOD);
	add(f, 1, PIECE_GOOD);
	add(f, 2, PIECE_CROWDED);
	add(f, 3, PIECE_GONE);
	add(f, 4, PIECE_SUSPENDED);
	make(f);
	assert_numbers(&f->plan, wanted, 3);
	/* The crowded and the suspended one can be read, after the good ones. */
	assert_sources(f, 4);
	assert_int_equal(f->health.pieces[f->plan.sources[2]].state, PIECE_CROWDED);
	assert_int_equal(f->health.pieces[f->plan.sources[3]].state, PIECE_SUSPENDED);
}

/* A leaving node's piece is read from it alone; the others are there in case it fails. */
static void test_moving_only(void **state)
{
	static const uint16_t wanted[] = {2};
	struct fixture *f = *state;

	for (uint16_t i = 0; i < 6; i++)
		add(f, i, i == 2 ? PIECE_EXITING : PIECE_GOOD);
	make(f);
	assert_numbers(&f->plan, wanted, 1);
	assert_int_equal(f->plan.moves, 1);
	assert_int_equal(f->plan.begin_with, 1);
	assert_int_equal(f->health.pieces[f->plan.sources[0]].number, 2);
	assert_sources(f, 6);
}

static void test_a_leaving_node_that_is_away_is_waited_for(void **state)
{
	struct fixture *f = *state;

	for (uint16_t i = 0; i < 6; i++)
		add(f, i, i == 2 ? PIECE_EXITING : PIECE_GOOD);
	f->health.pieces[2].online = false;
	make(f);
	assert_int_equal(f->plan.count, 0);
	assert_true(f->plan.waits);
}

static void test_moving_and_repairing_at_once(void **state)
{
	static const uint16_t wanted[] = {1, 4};
	struct fixture *f = *state;

	add(f, 0, PIECE_GOOD);
	add(f, 1, PIECE_EXITING);
	add(f, 2, PIECE_GOOD);
	add(f, 3, PIECE_GOOD);
	add(f, 4, PIECE_LOST);
	make(f);
	assert_numbers(&f->plan, wanted, 2);
	assert_int_equal(f->plan.moves, 1);
	assert_int_equal(f->plan.begin_with, 2);
	assert_sources(f, 4);
}

static void test_too_few_are_left(void **state)
{
	struct fixture *f = *state;

	add(f, 0, PIECE_GOOD);
	add(f, 1, PIECE_GONE);
	add(f, 2, PIECE_LOST);
	make(f);
	assert_int_equal(f->health.health.verdict, HEALTH_BLOCKED);
	assert_int_equal(f->plan.count, 0);
}

static void test_fewer_nodes_than_numbers(void **state)
{
	struct fixture *f = *state;

	add(f, 0, PIECE_GOOD);
	add(f, 1, PIECE_GOOD);
	add(f, 2, PIECE_EXITING);
	make(f);
	assert_int_equal(f->plan.count, 3);
	repair_plan_cut(&f->plan, 9);
	assert_int_equal(f->plan.count, 3);
	repair_plan_cut(&f->plan, 1);
	assert_int_equal(f->plan.count, 1);
	assert_int_equal(f->plan.moves, 1);
	repair_plan_cut(&f->plan, 0);
	assert_int_equal(f->plan.moves, 0);
}

#define plan_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_fine_segments_are_left_alone),
		plan_test(test_lost_numbers_come_first),
		plan_test(test_all_numbers_are_held),
		plan_test(test_moving_only),
		plan_test(test_a_leaving_node_that_is_away_is_waited_for),
		plan_test(test_moving_and_repairing_at_once),
		plan_test(test_too_few_are_left),
		plan_test(test_fewer_nodes_than_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
