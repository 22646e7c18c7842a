/* What counts as a slip of the finger, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/nearest.h"

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{"", "", 0},
		{"listen", "listen", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"listn", "listen", 1},
		{"lisetn", "listen", 1},
		{"kitten", "sitting", 3},
		{"ca", "abc", 3},
		{"ab", "ba", 1},
		{"listen", "silent", 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(nearest_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(nearest_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void test_long_words_are_nobodys_neighbours(void **state)
{
	char word[NEAREST_MAX + 2];

	(void)state;
	memset(word, 'a', sizeof(word));
	word[NEAREST_MAX] = '\0';
	assert_int_equal(nearest_distance(word, ""), NEAREST_MAX);
	word[NEAREST_MAX] = 'a';
	word[NEAREST_MAX + 1] = '\0';
	assert_true(nearest_distance(word, "a") == SIZE_MAX);
	assert_true(nearest_distance("a", word) == SIZE_MAX);
}

static const char *find(const char *typed)
{
	static const char *const words[] = {"allocate", "listen", "listed", "http", "dir"};
	struct nearest nearest;

	nearest_init(&nearest, typed);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		nearest_offer(&nearest, words[i]);
	return nearest.best;
}

static void test_suggestion(void **state)
{
	(void)state;
	assert_string_equal(find("alocate"), "allocate");
	assert_string_equal(find("listne"), "listen");
	assert_string_equal(find("listep"), "listen"); /* as near as "listed", but first */
	assert_string_equal(find("dri"), "dir");
	assert_null(find("payout"));
	assert_null(find("x"));
	assert_null(find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_long_words_are_nobodys_neighbours),
		cmocka_unit_test(test_suggestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
