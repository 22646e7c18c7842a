/* The file of a pause, and what makes no sense in it. */
#include "node/pause.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"

static char dir[] = "/tmp/granary-pause-XXXXXX", path[64];

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pause", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void test_set(void **state)
{
	struct pause *pause = pause_open(dir);
	uint64_t now = clock_wall();

	(void)state;
	assert_int_equal(pause_until(pause, now), 0);
	assert_int_equal(pause_until(NULL, now), 0);
	assert_int_equal(pause_set(pause, now + 100), ERR_OK);
	assert_int_equal(pause_until(pause, now), now + 100);
	assert_int_equal(pause_until(pause, now + 99), now + 100);
	assert_int_equal(pause_until(pause, now + 100), 0);
	pause_free(pause);
	pause = pause_open(dir);
	assert_int_equal(pause_until(pause, now), now + 100);
	assert_int_equal(pause_set(pause, 0), ERR_OK);
	pause_free(pause);
	pause = pause_open(dir);
	assert_int_equal(pause_until(pause, now), 0);
	pause_free(pause);
}

static void expect_none(const char *text)
{
	struct pause *pause;

	assert_int_equal(file_replace(path, bytes_of_text(text), 0600), ERR_OK);
	pause = pause_open(dir);
	assert_int_equal(pause_until(pause, 0), 0);
	pause_free(pause);
}

static void test_nonsense(void **state)
{
	char text[64];

	(void)state;
	expect_none("");
	expect_none("\n");
	expect_none("soon\n");
	expect_none("99999999999999999999999\n");
	snprintf(text, sizeof(text), "%" PRIu64, clock_wall() + 100); /* cut off */
	expect_none(text);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", clock_wall() + PAUSE_MOST + 1000);
	expect_none(text);
}

static void test_directory_gone(void **state)
{
	struct pause *pause = pause_open("/nowhere/at/all");

	(void)state;
	assert_int_not_equal(pause_set(pause, clock_wall() + 100), ERR_OK);
	assert_int_equal(pause_until(pause, 0), 0);
	pause_free(pause);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_directory_gone),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
