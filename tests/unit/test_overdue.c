/* When an owner hears of orders that wait: at two hours, and half a day before the first of them lapses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/overdue.h"
#include "payments/rules.h"

#define HOUR 500000

static enum overdue_level level_at(uint64_t at, uint64_t hour, uint64_t now)
{
	const struct ledger_oldest oldest = {at, hour};
	struct overdue_state state = overdue_judge(&oldest, now);

	assert_int_equal(state.since, at);
	assert_int_equal(state.until, at == 0 ? 0 : hour * 3600 + RULES_GRACE);
	return state.level;
}

static void test_levels(void **state)
{
	const uint64_t given = (uint64_t)HOUR * 3600 + 100, deadline = (uint64_t)HOUR * 3600 + RULES_GRACE;

	(void)state;
	assert_int_equal(level_at(0, 0, given), OVERDUE_NONE);
	assert_int_equal(level_at(given, HOUR, given), OVERDUE_NONE);
	assert_int_equal(level_at(given, HOUR, given - 50), OVERDUE_NONE); /* a clock that was set back */
	assert_int_equal(level_at(given, HOUR, given + OVERDUE_AFTER), OVERDUE_NONE);
	assert_int_equal(level_at(given, HOUR, given + OVERDUE_AFTER + 1), OVERDUE_WAITING);
	assert_int_equal(level_at(given, HOUR, deadline - OVERDUE_LAPSING - 1), OVERDUE_WAITING);
	assert_int_equal(level_at(given, HOUR, deadline - OVERDUE_LAPSING), OVERDUE_LAPSING_SOON);
	assert_int_equal(level_at(given, HOUR, deadline + 1000000), OVERDUE_LAPSING_SOON);
	/* Given just now, for an allocation that has nearly lapsed. */
	assert_int_equal(level_at(given + RULES_GRACE, HOUR, given + RULES_GRACE), OVERDUE_LAPSING_SOON);
}

static void test_what_was_seen(void **state)
{
	const struct ledger_oldest none = {0}, old = {1000, 1};
	struct overdue *overdue = overdue_new();

	(void)state;
	assert_int_equal(overdue_now(overdue).level, OVERDUE_NONE);
	overdue_see(overdue, &old);
	assert_int_equal(overdue_now(overdue).level, OVERDUE_LAPSING_SOON);
	assert_int_equal(overdue_now(overdue).since, 1000);
	overdue_see(overdue, &none);
	assert_int_equal(overdue_now(overdue).level, OVERDUE_NONE);
	assert_int_equal(overdue_now(overdue).since, 0);
	overdue_free(overdue);
	overdue_free(NULL);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(overdue_name(OVERDUE_NONE), "none");
	assert_string_equal(overdue_name(OVERDUE_WAITING), "waiting");
	assert_string_equal(overdue_name(OVERDUE_LAPSING_SOON), "lapsing");
	assert_string_equal(overdue_name((enum overdue_level)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_what_was_seen),
					   cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
