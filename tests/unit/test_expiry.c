/* Ages and dates, and what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "uplink/expiry.h"

#define NOW UINT64_C(1700000000) /* 2023-11-14 22:13:20 UTC */

static void expect(const char *text, uint64_t at)
{
	uint64_t got = 0;

	assert_int_equal(expiry_parse(text, NOW, &got), ERR_OK);
	assert_int_equal(got, at);
}

static void test_said(void **state)
{
	(void)state;
	expect("60s", NOW + 60);
	expect("90m", NOW + 5400);
	expect("30d", NOW + 30 * 86400);
	expect("2023-11-15", 1700006400);
	expect("2023-11-15Z", 1700006400);
	expect("2024-02-29T12:30", 1709209800);
	expect("2024-02-29T12:30:05Z", 1709209805);
}

static void test_refused(void **state)
{
	static const char *const nonsense[] = {"",
					       "x",
					       "2023-13-01",
					       "2023-02-30",
					       "2023-11-15T",
					       "2023-11-15 12:00",
					       "2023-11-15T12:30:61",
					       "2023-11-15+01:00",
					       "tomorrow",
					       "-1d"};
	static const char *const out_of_range[] = {"59s", "2023-11-14", "2023-11-14T22:14", "2200-01-01", "40000d"};
	uint64_t got = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		if (expiry_parse(nonsense[i], NOW, &got) != ERR_FORMAT)
			fail_msg("%s", nonsense[i]);
	for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++)
		if (expiry_parse(out_of_range[i], NOW, &got) != ERR_RANGE)
			fail_msg("%s", out_of_range[i]);
	assert_int_equal(got, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_said), cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
