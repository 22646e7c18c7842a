/* Every error has a name and words, all different, and errno is told apart by what the caller can do. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/error.h"

static void test_words(void **state)
{
	(void)state;
	for (int i = ERR_OK; i <= ERR_SYSTEM; i++) {
		assert_string_not_equal(err_name((enum err)i), "unknown");
		assert_string_not_equal(err_text((enum err)i), "unknown error");
		for (int j = ERR_OK; j < i; j++)
			assert_string_not_equal(err_name((enum err)i), err_name((enum err)j));
	}
	assert_string_equal(err_name((enum err)(ERR_SYSTEM + 1)), "unknown");
	assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void test_errno(void **state)
{
	(void)state;
	assert_int_equal(err_from_errno(ENOSPC), ERR_FULL);
	assert_int_equal(err_from_errno(EDQUOT), ERR_FULL);
	assert_int_equal(err_from_errno(EROFS), ERR_READ_ONLY);
	assert_int_equal(err_from_errno(ENOENT), ERR_NOT_FOUND);
	assert_int_equal(err_from_errno(EEXIST), ERR_EXISTS);
	assert_int_equal(err_from_errno(EACCES), ERR_DENIED);
	assert_int_equal(err_from_errno(EPERM), ERR_DENIED);
	assert_int_equal(err_from_errno(EIO), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
