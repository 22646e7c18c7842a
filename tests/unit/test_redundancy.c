/* Reading the redundancy policy, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "audit/redundancy.h"

static void test_good(void **state)
{
	static const char *const good[] = {"29/52/80/110", "4/5/6/8", "1/1/1/1", "255/255/255/255"};
	struct redundancy redundancy;
	char text[REDUNDANCY_TEXT];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(redundancy_parse(good[i], &redundancy, &why), ERR_OK);
		assert_null(why);
		assert_string_equal(redundancy_print(&redundancy, text), good[i]);
	}
	assert_int_equal(redundancy_parse("29/52/80/110", &redundancy, &why), ERR_OK);
	assert_int_equal(redundancy.required, 29);
	assert_int_equal(redundancy.repair, 52);
	assert_int_equal(redundancy.success, 80);
	assert_int_equal(redundancy.total, 110);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		enum err err;
		const char *word; /* of the explanation */
	} bad[] = {
		{"", ERR_FORMAT, "asked for"},
		{"29", ERR_FORMAT, "asked for"},
		{"1/2/3", ERR_FORMAT, "asked for"},
		{"1/2/3/4/5", ERR_FORMAT, "asked for"},
		{"1/2/3/", ERR_FORMAT, "asked for"},
		{"a/2/3/4", ERR_FORMAT, "asked for"},
		{" 1/2/3/4", ERR_FORMAT, "asked for"},
		{"-1/2/3/4", ERR_FORMAT, "asked for"},
		{"1/2/3/4 ", ERR_FORMAT, "asked for"},
		{"1/2/3/0004", ERR_FORMAT, "asked for"},
		{"0/2/3/4", ERR_RANGE, "at least 1"},
		{"3/2/3/4", ERR_RANGE, "must hold"},
		{"1/4/3/4", ERR_RANGE, "must hold"},
		{"1/2/5/4", ERR_RANGE, "must hold"},
		{"1/2/3/256", ERR_RANGE, "at most 255"},
	};
	const struct redundancy before = {7, 7, 7, 7};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct redundancy redundancy = before;
		const char *why = NULL;

		assert_int_equal(redundancy_parse(bad[i].text, &redundancy, &why), bad[i].err);
		assert_non_null(strstr(why, bad[i].word));
		assert_memory_equal(&redundancy, &before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
