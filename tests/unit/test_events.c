/* What is told to the owner: each finding once when it begins and once when it is over, read and unread, and no more
 * than is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/file.h"
#include "node/events.h"
#include "tests/kit/scratch.h"

struct fixture {
	struct scratch scratch;
	struct events *events;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[DATABASE_MESSAGE];

	scratch_open(&f->scratch, 16);
	assert_int_equal(events_open(f->scratch.dir, &f->events, why), ERR_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	events_close(f->events);
	scratch_close(&f->scratch);
	free(f);
	return 0;
}

static json_t *one_finding(const char *subject)
{
	return json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "code", "port-closed", "severity", "critical", "subject",
			 subject, "text", "It cannot be dialled.", "remedy", "Open the port.");
}

static void compare(struct fixture *f, json_t *list, uint64_t now)
{
	assert_int_equal(events_compare(f->events, list, now), ERR_OK);
	json_decref(list);
}

static size_t count(struct fixture *f)
{
	json_t *json = events_json(f->events, 0, 100);
	size_t number = json_array_size(json_object_get(json, "events"));

	json_decref(json);
	return number;
}

static const char *member(const json_t *json, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(json, "events"), i), name));
}

static void test_begin_and_end(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	compare(f, json_array(), 100);
	assert_int_equal(count(f), 0);
	compare(f, one_finding("0x1"), 200);
	compare(f, one_finding("0x1"), 300);
	assert_int_equal(count(f), 1);
	compare(f, one_finding("0x2"), 400); /* another's, and the first is over */
	assert_int_equal(count(f), 3);
	compare(f, json_array(), 500);
	json = events_json(f->events, 0, 100);
	assert_int_equal(json_array_size(json_object_get(json, "events")), 4);
	assert_string_equal(member(json, 0, "text"), "Over: port-closed.");
	assert_string_equal(member(json, 0, "severity"), "note");
	assert_string_equal(member(json, 0, "subject"), "0x2");
	assert_string_equal(member(json, 3, "severity"), "critical");
	assert_string_equal(member(json, 3, "remedy"), "Open the port.");
	json_decref(json);
}

/* What was found before a restart is not told again. */
static void test_restart(void **state)
{
	struct fixture *f = *state;
	char why[DATABASE_MESSAGE];

	compare(f, one_finding("0x1"), 200);
	events_close(f->events);
	assert_int_equal(events_open(f->scratch.dir, &f->events, why), ERR_OK);
	compare(f, one_finding("0x1"), 300);
	assert_int_equal(count(f), 1);
}

static json_int_t unread(struct fixture *f)
{
	json_t *json = events_json(f->events, 0, 1);
	json_int_t number = json_integer_value(json_object_get(json, "unread"));

	json_decref(json);
	return number;
}

static void test_reading(void **state)
{
	struct fixture *f = *state;
	struct event_note note = {1, "started", FINDING_NOTE, "", "The node started.", ""};
	json_t *json;

	for (int i = 0; i < 5; i++)
		assert_int_equal(events_add(f->events, &note), ERR_OK);
	assert_int_equal(unread(f), 5);
	assert_int_equal(events_mark_read(f->events, 3), ERR_OK);
	assert_int_equal(unread(f), 2);
	assert_int_equal(events_mark_read(f->events, 1), ERR_OK); /* never back */
	assert_int_equal(unread(f), 2);
	json = events_json(f->events, 3, 100);
	assert_int_equal(json_array_size(json_object_get(json, "events")), 2);
	json_decref(json);
}

static void test_damaged_database(void **state)
{
	struct fixture *f = *state;
	char why[DATABASE_MESSAGE], *path = file_join(f->scratch.dir, "events.db");

	events_close(f->events);
	f->events = NULL;
	assert_int_equal(file_replace(path, bytes_of_text("this is no database, and long enough to be seen"), 0600),
			 ERR_OK);
	assert_int_equal(events_open(f->scratch.dir, &f->events, why), ERR_OK);
	assert_int_equal(count(f), 0);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begin_and_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reading, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_database, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
