/* Log lines: their form, levels, what comes from outside made harmless, overlong lines cut whole. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/log.h"

struct capture {
	char path[40];
	int saved;
	char *text;
};

static void start(struct capture *c)
{
	int fd;

	strncpy(c->path, "/tmp/granary-test-XXXXXX", sizeof(c->path));
	fd = mkstemp(c->path);
	assert_true(fd >= 0);
	c->saved = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *stop(struct capture *c)
{
	size_t len;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	assert_int_equal(file_read(c->path, 10000, &c->text, &len), ERR_OK);
	unlink(c->path);
	return c->text;
}

static void test_line(void **state)
{
	struct capture c;
	const char *text;

	(void)state;
	log_setup("node", LOG_INFO);
	start(&c);
	log_event(LOG_INFO, "started", "port=%d", 7887);
	log_event(LOG_DEBUG, "hidden", "");
	log_event(LOG_ERROR, "bare", "");
	text = stop(&c);
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[19], 'Z');
	assert_non_null(strstr(text, "Z info node event=started port=7887\n2"));
	assert_non_null(strstr(text, "Z error node event=bare\n"));
	assert_null(strstr(text, "hidden"));
	free(c.text);
}

static void test_long_line(void **state)
{
	struct capture c;
	const char *text;

	(void)state;
	log_setup("node", LOG_INFO);
	start(&c);
	log_event(LOG_INFO, "long", "text=%05000d", 7);
	log_event(LOG_INFO, "next", "");
	text = stop(&c);
	assert_int_equal(strchr(text, '\n') - text, 2046);
	assert_non_null(strstr(text, "event=next\n"));
	free(c.text);
}

static void test_levels(void **state)
{
	enum log_level level = LOG_ERROR;

	(void)state;
	assert_true(log_level_from_name("debug", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_false(log_level_from_name("loud", &level));
	assert_false(log_level_from_name("", &level));
	assert_int_equal(level, LOG_DEBUG);
}

static void test_quote(void **state)
{
	char out[32], small[3];

	(void)state;
	assert_string_equal(log_quote("plain text", out, sizeof(out)), "\"plain text\"");
	assert_string_equal(log_quote("a\"b\\c", out, sizeof(out)), "\"a\\\"b\\\\c\"");
	assert_string_equal(log_quote("\n\x1b\xff", out, sizeof(out)), "\"\\x0a\\x1b\\xff\"");
	/* However little room there is, the end is in place and nothing is cut in an escape. */
	for (unsigned long room = 3; room < sizeof(out); room++) {
		memset(out, 'x', sizeof(out));
		log_quote("\n\n\n\n\n\n\n\n\n\n", out, room);
		assert_true(strlen(out) < room && strlen(out) % 4 == 2);
		assert_int_equal(out[strlen(out) - 1], '"');
	}
	memset(small, 'x', sizeof(small));
	assert_string_equal(log_quote("a", small, 2), "");
	assert_int_equal(small[1], 'x');
	log_quote("a", small, 0);
	assert_int_equal(small[0], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
