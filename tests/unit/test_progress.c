/* The words of the progress line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/progress.h"

static void test_known_total(void **state)
{
	char line[120];

	(void)state;
	assert_string_equal(progress_format("put", 16000000, 64000000, 8000000, line, sizeof(line)),
			    "put  16.0 MB of 64.0 MB   25 %  8.00 MB/s  0:06 left");
	assert_string_equal(progress_format("get", 0, 600000000, 1000000, line, sizeof(line)),
			    "get  0 B of 600 MB    0 %  1.00 MB/s  10:00 left");
}

static void test_no_rate_yet_and_the_end(void **state)
{
	char line[120];

	(void)state;
	assert_string_equal(progress_format("put", 0, 1000, 0, line, sizeof(line)),
			    "put  0 B of 1.00 KB    0 %  0 B/s  0:00 left");
	assert_string_equal(progress_format("put", 1001, 1000, 10, line, sizeof(line)),
			    "put  1.00 KB of 1.00 KB  100 %  10 B/s  0:00 left");
}

static void test_unknown_total(void **state)
{
	char line[120];

	(void)state;
	assert_string_equal(progress_format("put", 5000, 0, 100, line, sizeof(line)), "put  5.00 KB  100 B/s");
}

static void test_line_is_cut_to_its_room(void **state)
{
	char line[8];

	(void)state;
	assert_string_equal(progress_format("put", 5000, 0, 100, line, sizeof(line)), "put  5.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_total),
		cmocka_unit_test(test_no_rate_yet_and_the_end),
		cmocka_unit_test(test_unknown_total),
		cmocka_unit_test(test_line_is_cut_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
