/* DIR/store.id: read as written and not otherwise, who may open a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/home.h"
#include "tests/kit/fault.h"

#define ALLOCATION (64ull << 20)

struct fixture {
	struct fault *fault;
	struct key *keys[2];
	char why[STORE_MESSAGE];
};

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->fault = fault_new(256 << 20);
	f->keys[0] = key_generate();
	f->keys[1] = key_generate();
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(f->fault), f->why), ERR_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	key_free(f->keys[0]);
	key_free(f->keys[1]);
	fault_free(f->fault);
	free(f);
	return 0;
}

/* Open as this node, or as nobody, and close again. */
static enum err visit(struct fixture *f, const struct key *key)
{
	const struct store_options options = {
		.allocation = ALLOCATION, .no_upkeep = true, .owner = key == NULL ? NULL : key_id(key)};
	struct store *store;
	enum err err = store_open("/", &options, fault_seam(f->fault), &store, f->why);

	if (err == ERR_OK)
		store_close(store);
	return err;
}

static void test_text(void **state)
{
	struct fixture *f = *state;
	struct home home = {.own_disk = true}, back;
	char text[HOME_TEXT], changed[HOME_TEXT];
	size_t len;

	memset(home.store.b, 0xa5, sizeof(home.store.b));
	home.node = *key_id(f->keys[0]);
	for (int round = 0; round < 2; round++) {
		len = home_print(&home, text);
		assert_int_equal(home_parse(bytes_of(text, len), &back), ERR_OK);
		assert_memory_equal(&back.store, &home.store, sizeof(home.store));
		assert_true(id_equal(&back.node, &home.node));
		assert_int_equal(back.own_disk, home.own_disk);
		home.own_disk = false;
	}
	for (size_t i = 0; i <= len; i++) {
		assert_int_equal(home_parse(bytes_of(text, i), &back), i == len ? ERR_OK : ERR_FORMAT);
		memcpy(changed, text, len);
		if (i < len) {
			changed[i] = changed[i] == ' ' ? '\n' : ' ';
			assert_int_equal(home_parse(bytes_of(changed, len), &back), ERR_FORMAT);
		}
	}
	memset(changed, 'a', sizeof(changed));
	assert_int_equal(home_parse(bytes_of(changed, sizeof(changed)), &back), ERR_FORMAT);
}

/* Who comes first keeps it, also when the file beside it is gone or spoilt. */
static void test_owner(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(visit(f, NULL), ERR_OK);
	assert_int_equal(fault_size(f->fault, "//store.id"), UINT64_MAX);
	assert_int_equal(visit(f, f->keys[0]), ERR_OK);
	assert_true(fault_size(f->fault, "//store.id") < HOME_TEXT);
	assert_int_equal(visit(f, f->keys[1]), ERR_DENIED);
	assert_non_null(strstr(f->why, "belongs to node"));
	assert_int_equal(visit(f, f->keys[0]), ERR_OK);
	fault_poke(f->fault, "//store.id", 3, "?", 1);
	assert_int_equal(visit(f, f->keys[1]), ERR_DENIED);
	assert_int_equal(visit(f, f->keys[0]), ERR_OK);
	assert_int_equal(visit(f, NULL), ERR_OK);
}

/* Every operation of the first opening fails once: whatever came of it, the next one works, and nobody else's does once
 * it did. */
static void test_failures(void **state)
{
	struct fixture *f = *state;
	uint64_t before = fault_operations(f->fault), count;

	assert_int_equal(visit(f, f->keys[0]), ERR_OK);
	count = fault_operations(f->fault) - before;
	for (uint64_t nth = 0; nth < count; nth++) {
		struct fixture fresh = {.fault = fault_new(256 << 20)};

		assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(fresh.fault), fresh.why),
				 ERR_OK);
		fault_fail(fresh.fault, nth, 5 /* EIO */);
		(void)visit(&fresh, f->keys[0]);
		fault_fail(fresh.fault, FAULT_NEVER, 5);
		assert_int_equal(visit(&fresh, f->keys[0]), ERR_OK);
		assert_int_equal(visit(&fresh, f->keys[1]), ERR_DENIED);
		fault_free(fresh.fault);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
