/* File helpers: limits, no replacing by accident, nothing left behind by a failure, locks. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"

struct fixture {
	char dir[64];
	char *path;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->path = file_join(f->dir, "file");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0); /* no temporary file was left */
	free(f->path);
	free(f);
	return 0;
}

static void expect_content(const char *path, const char *text)
{
	char *found;
	size_t len;

	assert_int_equal(file_read(path, 100, &found, &len), ERR_OK);
	assert_int_equal(len, strlen(text));
	assert_string_equal(found, text); /* the NUL behind the data */
	free(found);
}

static void test_create(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_false(file_exists(f->path));
	assert_int_equal(file_create(f->path, bytes_of_text("one"), 0640), ERR_OK);
	assert_true(file_exists(f->path));
	expect_content(f->path, "one");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(file_create(f->path, bytes_of_text("two"), 0640), ERR_EXISTS);
	expect_content(f->path, "one");
}

static void test_replace(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(file_replace(f->path, bytes_of_text("one"), 0600), ERR_OK);
	assert_int_equal(file_replace(f->path, bytes_of(NULL, 0), 0600), ERR_OK);
	expect_content(f->path, "");
	/* A directory is not replaced. */
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_not_equal(file_replace(f->path, bytes_of_text("one"), 0600), ERR_OK);
	assert_int_equal(rmdir(f->path), 0);
}

static void test_read(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;
	size_t len = 77;

	assert_int_equal(file_read(f->path, 10, &text, &len), ERR_NOT_FOUND);
	assert_int_equal(file_create(f->path, bytes_of_text("12345"), 0600), ERR_OK);
	assert_int_equal(file_read(f->path, 4, &text, &len), ERR_RANGE);
	assert_null(text);
	assert_int_equal(len, 77);
	assert_int_equal(file_read(f->path, 5, &text, &len), ERR_OK);
	free(text);
	assert_int_equal(file_read(f->dir, 5, &text, &len), ERR_IO);
}

static void test_below_nothing(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->path, "deeper");

	assert_int_equal(file_create(path, bytes_of_text("x"), 0600), ERR_NOT_FOUND);
	assert_int_equal(file_replace(path, bytes_of_text("x"), 0600), ERR_NOT_FOUND);
	assert_int_equal(file_sync_dir(path), ERR_NOT_FOUND);
	free(path);
}

static void test_make_dirs(void **state)
{
	struct fixture *f = *state;
	char *deep = file_join(f->path, "a/b"), *middle = file_join(f->path, "a"), *slash = file_join(f->path, "a/b/");

	assert_int_equal(file_make_dirs(deep, 0700), ERR_OK);
	assert_int_equal(file_make_dirs(deep, 0700), ERR_OK);
	assert_int_equal(file_make_dirs(slash, 0700), ERR_OK);
	assert_true(file_exists(deep));
	assert_int_equal(file_make_dirs("", 0700), ERR_NOT_FOUND);
	assert_int_equal(file_make_dirs("/", 0700), ERR_OK);
	assert_int_equal(rmdir(deep), 0);
	/* A file in the way, at the end and before it. */
	assert_int_equal(file_create(deep, bytes_of_text("x"), 0600), ERR_OK);
	assert_int_equal(file_make_dirs(deep, 0700), ERR_EXISTS);
	unlink(deep);
	assert_int_equal(rmdir(middle), 0);
	assert_int_equal(file_create(middle, bytes_of_text("x"), 0600), ERR_OK);
	assert_int_equal(file_make_dirs(deep, 0700), ERR_EXISTS);
	unlink(middle);
	assert_int_equal(rmdir(f->path), 0);
	free(deep);
	free(middle);
	free(slash);
}

static void test_lock(void **state)
{
	struct fixture *f = *state;
	int first, second = -1;

	assert_int_equal(file_lock(f->dir, "file", &first), ERR_OK);
	assert_int_equal(file_lock(f->dir, "file", &second), ERR_BUSY);
	assert_int_equal(second, -1);
	close(first);
	assert_int_equal(file_lock(f->dir, "file", &second), ERR_OK);
	close(second);
	assert_int_equal(file_lock(f->path, "file", &second), ERR_IO); /* below a file */
}

static void test_write_all(void **state)
{
	struct fixture *f = *state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)f;
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, bytes_of_text("x")), ERR_FULL);
	assert_int_equal(file_write_all(fd, bytes_of(NULL, 0)), ERR_OK);
	close(fd);
	assert_int_equal(file_write_all(-1, bytes_of_text("x")), ERR_IO);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_create),	  WITH_FIXTURE(test_replace),	WITH_FIXTURE(test_read),
		WITH_FIXTURE(test_below_nothing), WITH_FIXTURE(test_make_dirs), WITH_FIXTURE(test_lock),
		WITH_FIXTURE(test_write_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
