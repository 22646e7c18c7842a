/* What the words of `granary cp` mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "uplink/location.h"

static void assert_location(const char *text, const char *bucket, const char *path)
{
	struct location location;
	const char *why = NULL;

	assert_int_equal(location_parse(text, &location, &why), ERR_OK);
	assert_int_equal(location.remote, bucket != NULL);
	assert_string_equal(location.bucket, bucket == NULL ? "" : bucket);
	assert_string_equal(location.path, path);
}

static void test_locations(void **state)
{
	(void)state;
	assert_location("granary://films/a/b", "films", "a/b");
	assert_location("granary://films/", "films", "");
	assert_location("granary://films", "films", "");
	assert_location("granary://", "", "");
	assert_location("granary://films//a", "films", "/a");
	assert_location("film.bin", NULL, "film.bin");
	assert_location("granary:/films", NULL, "granary:/films");
	assert_location("", NULL, "");
}

static void test_bad_buckets(void **state)
{
	static const char *const bad[] = {
		"granary://ab/x",
		"granary://Films/x",
		"granary://fi_lms",
		"granary:///x",
		"granary://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/x",
	};
	struct location location;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *why = NULL;

		assert_int_equal(location_parse(bad[i], &location, &why), ERR_USAGE);
		assert_non_null(why);
	}
}

static void test_pipe(void **state)
{
	struct location location;
	const char *why;

	(void)state;
	assert_int_equal(location_parse("-", &location, &why), ERR_OK);
	assert_true(location_is_pipe(&location));
	assert_int_equal(location_parse("granary://films/-", &location, &why), ERR_OK);
	assert_false(location_is_pipe(&location));
}

static void test_ranges(void **state)
{
	static const char *const bad[] = {"",
					  "-",
					  "-5",
					  "5",
					  "5-4",
					  "a-b",
					  " 1-2",
					  "1-2 ",
					  "+1-2",
					  "1--2",
					  "1-2-",
					  "18446744073709551616-",
					  "0-18446744073709551615"};
	struct object_range range;

	(void)state;
	assert_int_equal(location_parse_range("10-19", &range), ERR_OK);
	assert_int_equal(range.from, 10);
	assert_int_equal(range.to, 20);
	assert_int_equal(location_parse_range("7-", &range), ERR_OK);
	assert_int_equal(range.from, 7);
	assert_true(range.to == UINT64_MAX);
	assert_int_equal(location_parse_range(NULL, &range), ERR_OK);
	assert_int_equal(range.from, 0);
	assert_true(range.to == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(location_parse_range(bad[i], &range), ERR_OK);
}

static void test_safe_paths(void **state)
{
	static const char *const bad[] = {"", "/a", "a//b", "a/", "..", "a/../b", ".", "./a", "a/.", "../../etc/x"};
	static const char *const good[] = {"a", "a/b", "...", "..a", ".a/b.", "a/.../b"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(location_is_safe_path(bad[i]));
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(location_is_safe_path(good[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locations), cmocka_unit_test(test_bad_buckets), cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_ranges),	  cmocka_unit_test(test_safe_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
