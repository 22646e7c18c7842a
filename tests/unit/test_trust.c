/* Trusted satellites: who is, who is not, and that a domain once said stays said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "node/trust.h"

struct fixture {
	char dir[64];
	struct trust *trust;
	struct key *keys[3];
	struct endpoint endpoints[3];
};

static const struct address no_contract = {{0}};
static const struct address contract = {{1, 2, 3}};

static struct trust *open_trust(struct fixture *f)
{
	struct trust *trust = NULL;
	char why[TRUST_MESSAGE] = "";

	assert_int_equal(trust_open(f->dir, &trust, why), ERR_OK);
	return trust;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/granary-trust-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (int i = 0; i < 3; i++) {
		f->keys[i] = key_generate();
		f->endpoints[i] = (struct endpoint){*key_id(f->keys[i]), {"127.0.0.1", (uint16_t)(1000 + i)}};
	}
	f->trust = open_trust(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "domains.json");

	trust_free(f->trust);
	for (int i = 0; i < 3; i++)
		key_free(f->keys[i]);
	unlink(path);
	rmdir(f->dir);
	free(path);
	free(f);
	return 0;
}

static void test_only_the_named(void **state)
{
	struct fixture *f = *state;
	struct satellite found, *list;

	assert_int_equal(trust_find(f->trust, key_address(f->keys[0]), &found), ERR_NOT_FOUND);
	assert_int_equal(trust_set(f->trust, f->endpoints, 2), ERR_OK);
	assert_int_equal(trust_find(f->trust, key_address(f->keys[1]), &found), ERR_OK);
	assert_int_equal(found.endpoint.at.port, 1001);
	assert_false(found.pinned);
	assert_int_equal(trust_find_id(f->trust, key_id(f->keys[0]), &found), ERR_OK);
	assert_true(address_equal(&found.address, key_address(f->keys[0])));
	assert_int_equal(trust_find_id(f->trust, key_id(f->keys[2]), &found), ERR_NOT_FOUND);
	assert_int_equal(trust_list(f->trust, &list), 2);
	free(list);
	assert_int_equal(trust_set(f->trust, f->endpoints + 2, 1), ERR_OK);
	assert_int_equal(trust_find_id(f->trust, key_id(f->keys[0]), &found), ERR_NOT_FOUND);
}

static void test_named_twice(void **state)
{
	struct fixture *f = *state;
	const struct endpoint twice[] = {f->endpoints[0], f->endpoints[1], f->endpoints[0]};
	struct satellite found;

	assert_int_equal(trust_set(f->trust, f->endpoints + 1, 1), ERR_OK);
	assert_int_equal(trust_set(f->trust, twice, 3), ERR_EXISTS);
	assert_int_equal(trust_find_id(f->trust, key_id(f->keys[1]), &found), ERR_OK);
	assert_int_equal(trust_find_id(f->trust, key_id(f->keys[0]), &found), ERR_NOT_FOUND);
}

static void test_domain_is_pinned(void **state)
{
	struct fixture *f = *state;
	const struct address *first = key_address(f->keys[0]);
	struct satellite found;

	assert_int_equal(trust_pin(f->trust, first, 1, &contract), ERR_NOT_FOUND);
	assert_int_equal(trust_set(f->trust, f->endpoints, 2), ERR_OK);
	assert_int_equal(trust_pin(f->trust, first, 0, &contract), ERR_RANGE);
	assert_int_equal(trust_pin(f->trust, first, UINT64_MAX, &contract), ERR_OK);
	assert_int_equal(trust_pin(f->trust, first, UINT64_MAX, &contract), ERR_OK);
	assert_int_equal(trust_pin(f->trust, first, 1, &contract), ERR_CONFLICT);
	assert_int_equal(trust_pin(f->trust, first, UINT64_MAX, &no_contract), ERR_CONFLICT);
	assert_int_equal(trust_find(f->trust, first, &found), ERR_OK);
	assert_true(found.pinned && found.domain.chain_id == UINT64_MAX);
	assert_int_equal(trust_find(f->trust, key_address(f->keys[1]), &found), ERR_OK);
	assert_false(found.pinned);
}

/* A pin outlives the process, and the satellite's being trusted. */
static void test_pin_is_durable(void **state)
{
	struct fixture *f = *state;
	const struct address *first = key_address(f->keys[0]);
	struct satellite found;

	assert_int_equal(trust_set(f->trust, f->endpoints, 2), ERR_OK);
	assert_int_equal(trust_pin(f->trust, first, 7, &contract), ERR_OK);
	assert_int_equal(trust_set(f->trust, f->endpoints + 1, 1), ERR_OK);
	assert_int_equal(trust_pin(f->trust, key_address(f->keys[1]), 8, &no_contract), ERR_OK);
	trust_free(f->trust);
	f->trust = open_trust(f);
	assert_int_equal(trust_set(f->trust, f->endpoints, 2), ERR_OK);
	assert_int_equal(trust_find(f->trust, first, &found), ERR_OK);
	assert_true(found.pinned && found.domain.chain_id == 7);
	assert_true(address_equal(&found.domain.contract, &contract));
	assert_int_equal(trust_pin(f->trust, first, 9, &contract), ERR_CONFLICT);
}

static void test_what_is_a_test_network(void **state)
{
	struct fixture *f = *state;

	assert_false(trust_is_test(f->trust));
	assert_int_equal(trust_set(f->trust, f->endpoints, 2), ERR_OK);
	assert_int_equal(trust_pin(f->trust, key_address(f->keys[0]), 31337, &no_contract), ERR_OK);
	assert_false(trust_is_test(f->trust));
	assert_int_equal(trust_pin(f->trust, key_address(f->keys[1]), 31337, &contract), ERR_OK);
	assert_true(trust_is_test(f->trust));
	assert_int_equal(trust_set(f->trust, f->endpoints, 3), ERR_OK);
	assert_int_equal(trust_pin(f->trust, key_address(f->keys[2]), 10, &contract), ERR_OK);
	assert_false(trust_is_test(f->trust));
}

static void test_bad_files(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"version\": 2, \"domains\": []}",
		"{\"version\": 1}",
		"{\"version\": 1, \"domains\": [{}]}",
		"{\"version\": 1, \"domains\": [{\"satellite\": \"0x12\", \"chain_id\": \"1\", \"contract\": "
		"\"0x12\"}]}",
		"{\"version\": 1, \"domains\": [{\"satellite\": \"0x0000000000000000000000000000000000000001\", "
		"\"chain_id\": \"1x\", \"contract\": \"0x0000000000000000000000000000000000000000\"}]}",
		"{\"version\": 1, \"domains\": [{\"satellite\": \"0x0000000000000000000000000000000000000001\", "
		"\"chain_id\": \"0\", \"contract\": \"0x0000000000000000000000000000000000000000\"}]}",
	};
	struct fixture *f = *state;
	char *path = file_join(f->dir, "domains.json"), why[TRUST_MESSAGE];
	struct trust *trust;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		assert_int_equal(file_replace(path, bytes_of_text(bad[i]), 0600), ERR_OK);
		assert_int_equal(trust_open(f->dir, &trust, why), ERR_FORMAT);
		assert_non_null(strstr(why, "domains.json"));
	}
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_named_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_domain_is_pinned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pin_is_durable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_a_test_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
