/* A random week: at no hour more than a quarter of the files is dead. GRANARY_SOAK=1 lives through a dozen of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/kit/week.h"

static void test_random_week(void **state)
{
	uint32_t seeds = getenv("GRANARY_SOAK") != NULL ? 12 : 1;

	(void)state;
	for (uint32_t seed = 1; seed <= seeds; seed++) {
		const struct week_plan plan = {seed, 64ull << 20, 1ull << 20, 24};
		struct week_result result;

		week_live(&plan, &result);
		print_message("# seed %u: %.0f MB put, %.0f MB copied, %.0f MB live, at worst %.0f %% dead\n", seed,
			      (double)result.put / 1e6, (double)result.copied / 1e6, (double)result.live / 1e6,
			      result.worst * 100);
		assert_true(result.worst <= 0.25);
		/* Not bought with endless copying. */
		assert_true(result.copied < result.put);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_week)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
