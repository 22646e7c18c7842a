/* Which clocks are believed: those that a fresh transfer proves, and those that ran steadily for a day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/store/clockwatch.h"

#define DAY 86400u
#define HOUR 3600u
#define NANO 1000000000ull
#define NOW 1700000000ull

static void test_fresh_transfer(void **state)
{
	struct clockwatch watch = {false, 0, 0, 0};

	(void)state;
	assert_true(clockwatch_trusts(&watch, NOW, 5, NOW));
	assert_true(clockwatch_trusts(&watch, NOW + DAY, 5 + DAY * NANO, NOW));
	/* Before the newest record it is wrong for sure. */
	assert_false(clockwatch_trusts(&watch, NOW - 1, 5 + DAY * NANO, NOW));
	assert_false(clockwatch_trusts(&watch, 1000, 5 + DAY * NANO, NOW));
}

static void test_jump(void **state)
{
	struct clockwatch watch = {false, 0, 0, 0};

	(void)state;
	assert_true(clockwatch_trusts(&watch, NOW, 0, NOW));
	/* Ten years ahead in an hour: not believed, until a transfer proves it. */
	assert_false(clockwatch_trusts(&watch, NOW + 3650 * DAY, HOUR * NANO, NOW));
	assert_false(clockwatch_trusts(&watch, NOW + 3650 * DAY + HOUR, 2 * HOUR * NANO, NOW));
	assert_true(
		clockwatch_trusts(&watch, NOW + 3650 * DAY + 2 * HOUR, 3 * HOUR * NANO, NOW + 3650 * DAY + 2 * HOUR));
}

static void test_steady(void **state)
{
	struct clockwatch watch = {false, 0, 0, 0};
	uint64_t start = NOW + 30 * DAY;

	(void)state;
	/* Nothing came for a month. */
	for (uint64_t hour = 0; hour < 24; hour++)
		assert_false(clockwatch_trusts(&watch, start + hour * HOUR, hour * HOUR * NANO, NOW));
	assert_true(clockwatch_trusts(&watch, start + DAY, DAY * NANO, NOW));
	assert_true(clockwatch_trusts(&watch, start + DAY + HOUR, (DAY + HOUR) * NANO, NOW));
	/* Set by two hours: a day more. */
	assert_false(clockwatch_trusts(&watch, start + DAY + 4 * HOUR, (DAY + 2 * HOUR) * NANO, NOW));
	assert_false(clockwatch_trusts(&watch, start + 2 * DAY + 3 * HOUR, (2 * DAY + HOUR) * NANO, NOW));
	assert_true(clockwatch_trusts(&watch, start + 2 * DAY + 4 * HOUR, (2 * DAY + 2 * HOUR) * NANO, NOW));
}

/* A store of which no record's time is known is like a quiet one. */
static void test_unknown(void **state)
{
	struct clockwatch watch = {false, 0, 0, 0};

	(void)state;
	assert_false(clockwatch_trusts(&watch, NOW, 7 * NANO, 0));
	assert_true(clockwatch_trusts(&watch, NOW + DAY, (7 + DAY) * NANO, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_transfer),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
