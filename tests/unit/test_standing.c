/* What satellites say of a node, as it keeps it: scores replaced, notices added, nonsense refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/standing.h"

struct fixture {
	char dir[64];
	struct standing *standing;
	uint8_t list[2000];
	struct writer w;
	struct msg_standing told;
};

static const struct address satellite = {{1}}, other = {{2}};
static const uint8_t id[32] = {0xab};

static void open_it(struct fixture *f)
{
	char why[DATABASE_MESSAGE] = "";

	assert_int_equal(standing_open(f->dir, &f->standing, why), ERR_OK);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/granary-standing-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_it(f);
	writer_init(&f->w, f->list, sizeof(f->list));
	f->told = (struct msg_standing){.state = 2,
					.since = 1000,
					.audit = 999000,
					.unknown = 1000000,
					.online = 850000,
					.proven = 77,
					.last = 1};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	standing_close(f->standing);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void add(struct fixture *f, uint64_t number, struct bytes piece)
{
	struct item_notice notice = {
		.number = number, .at = 5000 + number, .kind = 2, .state = 2, .verdict = 3, .piece = piece};

	notice.words = bytes_of_text("corrupt: it is");
	fields_encode(&item_notice_fields, &notice, &f->w);
	f->told.notices = list_of(&f->w, f->told.notices.count + 1);
}

static void forget_list(struct fixture *f)
{
	f->w.len = 0;
	f->told.notices = (struct list){{NULL, 0}, 0};
}

static size_t notices_of(struct fixture *f, unsigned limit)
{
	json_t *json = standing_json(f->standing, &satellite, limit);
	size_t count = json_array_size(json_object_get(json, "notices"));

	json_decref(json);
	return count;
}

static void test_kept(void **state)
{
	struct fixture *f = *state;
	json_t *json = standing_json(f->standing, &satellite, 10), *notice;

	assert_true(json_is_null(json));
	json_decref(json);
	add(f, 1, bytes_of(id, 32));
	add(f, 2, bytes_of("", 0));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_OK);
	standing_close(f->standing);
	open_it(f);
	json = standing_json(f->standing, &satellite, 10);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "vetting");
	assert_int_equal(json_integer_value(json_object_get(json, "proven")), 77);
	assert_true(json_real_value(json_object_get(json, "online")) == 0.85);
	assert_true(json_is_null(json_object_get(json, "grace_until")));
	/* The newest first. */
	notice = json_array_get(json_object_get(json, "notices"), 1);
	assert_int_equal(json_integer_value(json_object_get(notice, "number")), 1);
	assert_string_equal(json_string_value(json_object_get(notice, "verdict")), "corrupt");
	assert_memory_equal(json_string_value(json_object_get(notice, "piece")), "ab00", 4);
	assert_true(json_is_null(json_object_get(notice, "challenge")));
	json_decref(json);
	json = standing_json(f->standing, &other, 10);
	assert_true(json_is_null(json));
	json_decref(json);
}

/* Scores are those told last; notices are kept once. */
static void test_told_again(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	add(f, 1, bytes_of(id, 32));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_OK);
	f->told.state = 5;
	f->told.grace_until = 7000;
	add(f, 2, bytes_of(id, 32));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_OK);
	assert_int_equal(notices_of(f, 10), 2);
	assert_int_equal(notices_of(f, 1), 1);
	json = standing_json(f->standing, &satellite, 0);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "disqualified");
	assert_int_equal(json_integer_value(json_object_get(json, "grace_until")), 7000);
	json_decref(json);
}

/* All of an answer is kept, or nothing. */
static void test_nonsense(void **state)
{
	struct fixture *f = *state;

	f->told.state = 0;
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	f->told.state = 8;
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	f->told.state = 1;
	f->told.since = UINT64_MAX;
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	f->told.since = 1;
	add(f, 1, bytes_of(id, 32));
	add(f, 2, bytes_of(id, 31));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	forget_list(f);
	add(f, 2, bytes_of(id, 32));
	add(f, 2, bytes_of(id, 32));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	forget_list(f);
	add(f, UINT64_MAX, bytes_of(id, 32));
	assert_int_equal(standing_keep(f->standing, &satellite, &f->told), ERR_PROTOCOL);
	assert_int_equal(notices_of(f, 10), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_kept), TEST(test_told_again), TEST(test_nonsense)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
