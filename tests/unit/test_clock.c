/* The clock, and the offset that tests set through a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"

static void set_offset(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, bytes_of_text(text), 0600), ERR_OK);
}

/* clock_wall is within a minute of the machine's clock plus `offset`. */
static void expect_offset(int64_t offset)
{
	int64_t difference = (int64_t)clock_wall() - (int64_t)time(NULL) - offset;

	assert_true(difference > -60 && difference < 60);
}

static void test_offset(void **state)
{
	char path[] = "/tmp/granary-test-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	set_offset(path, "86400\n");
	setenv("GRANARY_CLOCK_FILE", path, 1);
	expect_offset(0); /* not allowed yet */
	clock_allow_offset();
	expect_offset(86400);
	set_offset(path, "-3600");
	expect_offset(-3600);
	set_offset(path, "7200");
	expect_offset(7200);
	set_offset(path, "nonsense");
	expect_offset(7200);
	unlink(path);
	expect_offset(7200);
}

static void test_monotonic(void **state)
{
	uint64_t last = clock_monotonic();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_monotonic();

		assert_true(now >= last);
		last = now;
	}
}

static void test_format(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(clock_format(0, out, sizeof(out)), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_format(1769860800, out, sizeof(out)), "2026-01-31T12:00:00Z");
	assert_string_equal(clock_format(951782400, out, sizeof(out)), "2000-02-29T00:00:00Z");
	assert_string_equal(clock_format(UINT64_MAX / 2, out, sizeof(out)), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
