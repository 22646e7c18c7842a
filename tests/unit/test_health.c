/* Health of segments: what counts as what, when repair is due and how urgent it is, and the chance of loss. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/health.h"

static const struct redundancy usual = {29, 52, 80, 110};

static struct health judge(const struct redundancy *redundancy, uint32_t good, uint32_t gone, uint32_t lost)
{
	uint32_t counts[PIECE_STATES] = {[PIECE_GOOD] = good, [PIECE_GONE] = gone, [PIECE_LOST] = lost};
	struct health health;

	health_judge_counts(redundancy, counts, &health);
	return health;
}

static void test_threshold(void **state)
{
	struct health health;

	(void)state;
	health = judge(&usual, 53, 0, 27);
	assert_int_equal(health.verdict, HEALTH_FINE);
	assert_int_equal(health.rebuild, 0);
	health = judge(&usual, 52, 0, 28);
	assert_int_equal(health.verdict, HEALTH_REPAIR);
	assert_int_equal(health.healthy, 52);
	assert_int_equal(health.rebuild, 28);
	assert_int_equal(judge(&usual, 35, 0, 0).verdict, HEALTH_REPAIR);
	assert_int_equal(judge(&usual, 34, 0, 0).verdict, HEALTH_URGENT);
	assert_int_equal(judge(&usual, 29, 0, 0).verdict, HEALTH_URGENT);
	assert_int_equal(judge(&usual, 28, 1, 0).verdict, HEALTH_BLOCKED);
	assert_int_equal(judge(&usual, 28, 1, 0).rebuild, 0);
	assert_int_equal(judge(&usual, 28, 0, 52).verdict, HEALTH_LOST);
	assert_int_equal(judge(&usual, 0, 28, 0).verdict, HEALTH_LOST);
}

/* Policies whose numbers meet: a whole segment is never repaired. */
static void test_narrow_policies(void **state)
{
	static const struct redundancy full = {17, 20, 20, 20}, alone = {1, 1, 1, 1}, demo = {4, 5, 6, 8};

	(void)state;
	assert_int_equal(health_threshold(&full), 19);
	assert_int_equal(health_threshold(&demo), 5);
	assert_int_equal(health_threshold(&alone), 0);
	assert_int_equal(judge(&full, 20, 0, 0).verdict, HEALTH_FINE);
	assert_int_equal(judge(&full, 19, 0, 1).verdict, HEALTH_REPAIR);
	assert_int_equal(judge(&full, 19, 0, 1).rebuild, 1);
	assert_int_equal(judge(&full, 18, 0, 2).verdict, HEALTH_URGENT);
	assert_int_equal(judge(&alone, 1, 0, 0).verdict, HEALTH_FINE);
	assert_int_equal(judge(&alone, 0, 0, 1).verdict, HEALTH_LOST);
	assert_int_equal(judge(&demo, 6, 0, 0).verdict, HEALTH_FINE);
	assert_int_equal(judge(&demo, 5, 0, 1).verdict, HEALTH_URGENT);
}

static void test_states(void **state)
{
	uint32_t counts[PIECE_STATES];
	struct health health;

	(void)state;
	for (uint32_t i = PIECE_GOOD; i < PIECE_STATES; i++)
		counts[i] = 1U << i;
	health_judge_counts(&usual, counts, &health);
	assert_int_equal(health.healthy, 1 << PIECE_GOOD | 1 << PIECE_AWAY);
	assert_int_equal(health.retrievable,
			 1 << PIECE_GOOD | 1 << PIECE_SUSPENDED | 1 << PIECE_EXITING | 1 << PIECE_CROWDED);
	assert_int_equal(health.kept, health.retrievable | 1 << PIECE_AWAY | 1 << PIECE_GONE);
	assert_string_equal(piece_state_name(PIECE_LOST), "lost");
	assert_string_equal(health_verdict_name(HEALTH_BLOCKED), "blocked");
}

static void test_crowded(void **state)
{
	struct health_piece pieces[] = {
		{PIECE_LOST, 7}, {PIECE_GOOD, 7}, {PIECE_AWAY, 7},	{PIECE_GOOD, 0},
		{PIECE_GOOD, 0}, {PIECE_GOOD, 8}, {PIECE_SUSPENDED, 8}, {PIECE_GOOD, 7},
	};
	static const enum piece_state expected[] = {
		PIECE_LOST, PIECE_GOOD, PIECE_CROWDED,	 PIECE_GOOD,
		PIECE_GOOD, PIECE_GOOD, PIECE_SUSPENDED, PIECE_CROWDED,
	};
	static const struct redundancy demo = {2, 4, 6, 8};
	struct health health;

	(void)state;
	health_mark_crowded(pieces, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pieces[i].state, expected[i]);
	health_judge(&demo, pieces, 8, &health);
	assert_int_equal(health.healthy, 4);
	assert_int_equal(health.retrievable, 7);
	assert_int_equal(health.rebuild, 2);
}

/* n·(n−1)…/m! */
static double choose(int n, int m)
{
	double result = 1;

	for (int i = 1; i <= m; i++)
		result = result * (n - m + i) / i;
	return result;
}

/* With pieces that are all alike it is the binomial distribution. */
static void test_chance_is_binomial(void **state)
{
	static const struct redundancy rs = {17, 19, 20, 20};
	static const struct health_odds odds = {.daily_failure = HEALTH_CERTAIN / 100, .days = 3};
	double p = 1 - 0.99 * 0.99 * 0.99;

	(void)state;
	for (uint32_t good = 17; good <= 20; good++) {
		uint32_t counts[PIECE_STATES] = {[PIECE_GOOD] = good, [PIECE_LOST] = 20 - good};
		double expected = 0, chance = health_chance_of_loss(&rs, counts, &odds);

		for (int i = (int)good - 16; i <= (int)good; i++)
			expected += choose((int)good, i) * pow(p, i) * pow(1 - p, (int)good - i);
		assert_true(fabs(chance / expected - 1) < 1e-9);
	}
}

static double chance(uint32_t good, uint32_t suspended, uint32_t gone)
{
	uint32_t counts[PIECE_STATES] = {[PIECE_GOOD] = good, [PIECE_SUSPENDED] = suspended, [PIECE_GONE] = gone};

	return health_chance_of_loss(&usual, counts, &health_odds_default);
}

static void test_chance_by_state(void **state)
{
	(void)state;
	assert_true(chance(28, 0, 0) == 1);
	for (uint32_t good = 29; good < 80; good++)
		assert_true(chance(good, 0, 0) > chance(good + 1, 0, 0));
	assert_true(chance(30, 0, 0) > chance(30, 0, 1));
	assert_true(chance(30, 0, 1) > chance(30, 1, 0));
	assert_true(chance(30, 1, 0) > chance(31, 0, 0));
}

/* Segments of different policies in one queue: what counts is the danger, not how far below a threshold. */
static void test_order(void **state)
{
	static const struct redundancy small = {4, 6, 10, 12};
	uint32_t few[PIECE_STATES] = {[PIECE_GOOD] = 5}, many[PIECE_STATES] = {[PIECE_GOOD] = 40};
	uint32_t small_order = health_order(health_chance_of_loss(&small, few, &health_odds_default));
	uint32_t usual_order = health_order(health_chance_of_loss(&usual, many, &health_odds_default));

	(void)state;
	assert_true(small_order < usual_order);
	assert_int_equal(health_order(1), 0);
	assert_int_equal(health_order(0.5), 100);
	assert_int_equal(health_order(0.25), 200);
	assert_int_equal(health_order(0), HEALTH_ORDER_MAX);
	assert_in_range(health_order(4.9e-324), 107000, HEALTH_ORDER_MAX);
	assert_in_range(health_order(chance(80, 0, 0)), 10000, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threshold),	cmocka_unit_test(test_narrow_policies),
		cmocka_unit_test(test_states),		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_order),		cmocka_unit_test(test_chance_is_binomial),
		cmocka_unit_test(test_chance_by_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
