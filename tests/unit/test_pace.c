/* The pace of a transfer, on a made-up clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/pace.h"

#define WINDOW 10000
#define BYTES 40960

static void test_keeps(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_set(&pace, true, 1000);
	assert_true(pace_keeps(&pace, 1000 + WINDOW - 1, WINDOW, BYTES)); /* not yet over */
	pace_move(&pace, BYTES);
	assert_true(pace_keeps(&pace, 1000 + WINDOW, WINDOW, BYTES));
	/* The next window starts from nothing. */
	pace_move(&pace, BYTES - 1);
	assert_false(pace_keeps(&pace, 1000 + 2 * WINDOW, WINDOW, BYTES));
}

static void test_off(void **state)
{
	struct pace pace = {0};

	(void)state;
	assert_true(pace_keeps(&pace, 1 << 30, WINDOW, BYTES));
	pace_set(&pace, true, 0);
	pace_set(&pace, false, 5000);
	assert_true(pace_keeps(&pace, 20000, WINDOW, BYTES));
	/* On again: a window of its own. Saying so twice does not prolong it. */
	pace_set(&pace, true, 20000);
	pace_set(&pace, true, 25000);
	assert_true(pace_keeps(&pace, 29999, WINDOW, BYTES));
	assert_false(pace_keeps(&pace, 30000, WINDOW, BYTES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_keeps), cmocka_unit_test(test_off)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
