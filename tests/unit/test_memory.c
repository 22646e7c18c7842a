/* Allocation: zeroed, grown by doubling, copied with a NUL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"

static void test_new(void **state)
{
	static const char zeros[64];
	char *new = memory_new(8, 8);

	(void)state;
	assert_memory_equal(new, zeros, sizeof(zeros));
	free(new);
	new = memory_new(0, 8);
	assert_non_null(new);
	free(new);
}

static void test_grow(void **state)
{
	size_t room = 0;
	int *list = NULL;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		list = memory_grow(list, &room, i + 1, sizeof(*list));
		assert_true(room > i && room < 2 * i + 16);
		list[i] = (int)i;
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(list[i], i);
	free(list);
}

static void test_copy(void **state)
{
	char *copy = memory_copy("a\0bc", 3);

	(void)state;
	assert_memory_equal(copy, "a\0b\0", 4);
	free(copy);
	copy = memory_copy(NULL, 0);
	assert_string_equal(copy, "");
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
