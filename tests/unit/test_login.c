/*
 * Who may log in to the dashboard: passwords, codes that work once, sessions, tokens, and the limit on guessing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/file.h"
#include "node/dashboard/login.h"
#include "node/dashboard/throttle.h"
#include "tests/kit/scratch.h"

#define NOW 1800000000ull

struct fixture {
	struct scratch scratch;
	const char *dir;
	struct login *login;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_open(&f->scratch, 16);
	f->dir = f->scratch.dir;
	f->login = login_new(f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	login_free(f->login);
	scratch_close(&f->scratch);
	free(f);
	return 0;
}

static void test_code(void **state)
{
	struct fixture *f = *state;
	char code[LOGIN_CODE_TEXT], typed[32], session[LOGIN_TOKEN_TEXT] = "", other[LOGIN_TOKEN_TEXT] = "";

	assert_int_equal(login_make_code(f->login, LOGIN_TO_ENTER, NOW, code), ERR_OK);
	assert_int_equal(strlen(code), 9);
	/* As people type: small letters, blanks, no stroke. */
	snprintf(typed, sizeof(typed), " %.4s %c%.3s ", code, code[5] | 0x20, code + 6);
	assert_int_equal(login_by_code(f->login, typed, "10.0.0.1", NOW + 1, session), ERR_OK);
	assert_true(login_has_session(f->login, session, NOW + 1));
	assert_int_equal(login_by_code(f->login, code, "10.0.0.1", NOW + 1, other), ERR_DENIED); /* once only */
	assert_string_equal(other, "");
	assert_false(login_has_session(f->login, "", NOW));
	assert_true(login_has_session(f->login, session, NOW + LOGIN_SESSION_SECONDS));
	assert_false(login_has_session(f->login, session, NOW + 2 + LOGIN_SESSION_SECONDS));
	assert_int_equal(login_end_session(f->login, session), ERR_OK);
	assert_false(login_has_session(f->login, session, NOW + 1));
}

static void test_code_expires(void **state)
{
	struct fixture *f = *state;
	char code[LOGIN_CODE_TEXT], session[LOGIN_TOKEN_TEXT];

	assert_int_equal(login_make_code(f->login, LOGIN_TO_ENTER, NOW, code), ERR_OK);
	assert_int_equal(login_by_code(f->login, code, "::1", NOW + LOGIN_CODE_SECONDS, session), ERR_DENIED);
}

/* A code made by a command is good at the running daemon, and a session outlives a restart. */
static void test_two_processes(void **state)
{
	struct fixture *f = *state;
	struct login *command = login_new(f->dir);
	char code[LOGIN_CODE_TEXT], session[LOGIN_TOKEN_TEXT];

	assert_false(login_has_session(f->login, "x", NOW)); /* it has read the file */
	assert_int_equal(login_make_code(command, LOGIN_TO_ENTER, NOW, code), ERR_OK);
	assert_int_equal(login_by_code(f->login, code, "::1", NOW, session), ERR_OK);
	assert_true(login_has_session(command, session, NOW));
	assert_int_equal(login_drop_sessions(command), ERR_OK);
	assert_false(login_has_session(f->login, session, NOW));
	login_free(command);
}

static void test_password(void **state)
{
	struct fixture *f = *state;
	char session[LOGIN_TOKEN_TEXT] = "", *path = file_join(f->dir, LOGIN_FILE), *text, *found;
	struct stat st;
	size_t len;

	assert_int_equal(login_by_password(f->login, "", "::1", NOW, session), ERR_DENIED); /* none is set */
	assert_int_equal(login_set_password(f->login, "short"), ERR_RANGE);
	assert_int_equal(login_set_password(f->login, "correct horse"), ERR_OK);
	assert_int_equal(login_by_password(f->login, "correct hors", "::1", NOW, session), ERR_DENIED);
	assert_int_equal(login_by_password(f->login, "correct horse", "::1", NOW, session), ERR_OK);
	assert_true(login_has_session(f->login, session, NOW));
	/* The file has hashes only, and nobody else reads it. */
	assert_int_equal(file_read(path, 100000, &text, &len), ERR_OK);
	found = strstr(text, "$argon2id$");
	assert_non_null(found);
	assert_null(strstr(text, "correct horse"));
	assert_null(strstr(text, session));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another password ends what the old one began. */
	assert_int_equal(login_set_password(f->login, "battery staple"), ERR_OK);
	assert_false(login_has_session(f->login, session, NOW));
	assert_int_equal(login_set_password(f->login, NULL), ERR_OK);
	assert_int_equal(login_by_password(f->login, "battery staple", "::2", NOW, session), ERR_DENIED);
	free(text);
	free(path);
}

static void test_tokens(void **state)
{
	struct fixture *f = *state;
	char token[LOGIN_TOKEN_TEXT], other[LOGIN_TOKEN_TEXT];
	json_t *facts;

	assert_int_equal(login_make_token(f->login, "", NOW, token), ERR_RANGE);
	assert_int_equal(login_make_token(f->login, "\xc3", NOW, token), ERR_RANGE);
	assert_int_equal(login_make_token(f->login, "red\x1b[31m", NOW, token), ERR_RANGE);
	assert_int_equal(login_make_token(f->login, "laptop", NOW, token), ERR_OK);
	assert_int_equal(login_make_token(f->login, "laptop", NOW, other), ERR_EXISTS);
	assert_true(login_has_token(f->login, token));
	assert_false(login_has_session(f->login, token, NOW)); /* it opens less */
	facts = login_facts(f->login, NOW);
	assert_int_equal(json_array_size(json_object_get(facts, "tokens")), 1);
	json_decref(facts);
	assert_int_equal(login_drop_token(f->login, "laptop"), ERR_OK);
	assert_int_equal(login_drop_token(f->login, "laptop"), ERR_NOT_FOUND);
	assert_false(login_has_token(f->login, token));
}

static void test_pairing(void **state)
{
	struct fixture *f = *state;
	char code[LOGIN_CODE_TEXT], first[LOGIN_TOKEN_TEXT], second[LOGIN_TOKEN_TEXT], session[LOGIN_TOKEN_TEXT];

	assert_int_equal(login_make_code(f->login, LOGIN_TO_PAIR, NOW, code), ERR_OK);
	assert_int_equal(login_by_code(f->login, code, "::1", NOW, session), ERR_DENIED); /* not good for that */
	assert_int_equal(login_pair(f->login, code, "::1", "\xc3", NOW, first), ERR_RANGE);
	assert_int_equal(login_pair(f->login, code, "::1", "node", NOW, first), ERR_OK);
	assert_int_equal(login_pair(f->login, code, "::1", "node", NOW, second), ERR_DENIED);
	assert_int_equal(login_make_code(f->login, LOGIN_TO_PAIR, NOW, code), ERR_OK);
	assert_int_equal(login_pair(f->login, code, "::1", "node", NOW, second), ERR_OK); /* as "node 2" */
	assert_true(login_has_token(f->login, first));
	assert_true(login_has_token(f->login, second));
	assert_int_equal(login_drop_token(f->login, "node 2"), ERR_OK);
	assert_false(login_has_token(f->login, second));
}

/* What a node calls itself at others is kept whole. */
static void test_long_name(void **state)
{
	static const char name[] = "0x52908400098527886E0F7030069857D2E4169EE7";
	struct fixture *f = *state;
	char code[LOGIN_CODE_TEXT], token[LOGIN_TOKEN_TEXT], longer[LOGIN_NAME_MOST + 2];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(login_make_code(f->login, LOGIN_TO_PAIR, NOW, code), ERR_OK);
	assert_int_equal(login_pair(f->login, code, "::1", longer, NOW, token), ERR_RANGE);
	assert_int_equal(login_pair(f->login, code, "::1", name, NOW, token), ERR_OK);
	assert_int_equal(login_drop_token(f->login, name), ERR_OK);
}

static void test_guessing(void **state)
{
	struct fixture *f = *state;
	char code[LOGIN_CODE_TEXT], session[LOGIN_TOKEN_TEXT];

	assert_int_equal(login_make_code(f->login, LOGIN_TO_ENTER, NOW, code), ERR_OK);
	for (int i = 0; i < THROTTLE_ADDRESS; i++)
		assert_int_equal(login_by_code(f->login, "2222-2222", "10.0.0.1", NOW, session), ERR_DENIED);
	assert_int_equal(login_by_code(f->login, code, "10.0.0.1", NOW, session), ERR_LIMIT);
	assert_int_equal(login_by_code(f->login, code, "10.0.0.2", NOW, session), ERR_OK);
}

static void test_throttle(void **state)
{
	struct throttle t = {.since = 0};
	char peer[16];

	(void)state;
	for (unsigned i = 0; i < THROTTLE_ALL; i++) {
		snprintf(peer, sizeof(peer), "10.0.0.%u", i);
		assert_true(throttle_allows(&t, peer, 1000));
		throttle_note(&t, peer, 1000);
	}
	assert_false(throttle_allows(&t, "10.9.9.9", 1000)); /* all together */
	assert_false(throttle_allows(&t, "10.9.9.9", 1059));
	assert_true(throttle_allows(&t, "10.9.9.9", 1060));
	for (unsigned i = 0; i < THROTTLE_ADDRESS; i++)
		throttle_note(&t, "10.0.0.1", 1060);
	assert_false(throttle_allows(&t, "10.0.0.1", 1119));
	assert_true(throttle_allows(&t, "10.0.0.1", 1120));
	assert_true(throttle_allows(&t, "10.0.0.2", 1060));
}

static void test_forms(void **state)
{
	char one[LOGIN_TOKEN_TEXT], two[LOGIN_TOKEN_TEXT];

	(void)state;
	login_form_token("session one", one);
	login_form_token("session two", two);
	assert_true(login_form_fits("session one", one));
	assert_false(login_form_fits("session one", two));
	assert_false(login_form_fits("session one", ""));
	assert_string_not_equal(one, two);
}

static void test_damaged_file(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, LOGIN_FILE), code[LOGIN_CODE_TEXT];
	static const char *const texts[] = {"", "{}", "[1]", "{\"version\": 2}", "{\"version\": 1, \"codes\": 3}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(file_replace(path, bytes_of_text(texts[i]), 0600), ERR_OK);
		assert_false(login_has_session(f->login, "x", NOW));
		assert_int_equal(login_make_code(f->login, LOGIN_TO_ENTER, NOW, code), ERR_FORMAT);
	}
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_code, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_code_expires, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_password, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pairing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_guessing, set_up, tear_down),
		cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_forms),
		cmocka_unit_test_setup_teardown(test_damaged_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
