/* What all sessions share: used allocations, and a budget of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/admission.h"
#include "payments/serial.h"

#define NOW ((uint64_t)1800000000)

static struct allocation allocation(uint8_t n, uint64_t expires)
{
	struct allocation a = {.action = ACTION_GET, .limit = 1, .issued = expires - 10, .expires = expires};
	const uint8_t random[28] = {n};

	serial_make(expires, random, &a.serial);
	return a;
}

static enum refusal use(struct admission *admission, uint8_t n, uint64_t expires)
{
	const struct allocation a = allocation(n, expires);
	struct bytes32 hash;

	typed_hash(&typed_allocation, &a, &hash);
	return admission_use(admission, &a, &hash, false);
}

static void test_budget(void **state)
{
	struct admission *admission = admission_new(100, 10);

	(void)state;
	assert_true(admission_take(admission, 60));
	assert_true(admission_take(admission, 40));
	assert_false(admission_take(admission, 1));
	assert_int_equal(admission_taken(admission), 100);
	admission_give(admission, 40);
	assert_false(admission_take(admission, 41));
	assert_true(admission_take(admission, 40));
	admission_give(admission, 100);
	assert_int_equal(admission_taken(admission), 0);
	assert_false(admission_take(admission, 101));
	admission_free(admission);
}

static void test_used_once(void **state)
{
	struct admission *admission = admission_new(100, 2);

	(void)state;
	assert_int_equal(use(admission, 1, NOW), REFUSAL_NONE);
	assert_int_equal(use(admission, 1, NOW), REFUSAL_REPLAY);
	assert_int_equal(use(admission, 2, NOW), REFUSAL_NONE);
	assert_int_equal(use(admission, 3, NOW), REFUSAL_SERIAL_BUDGET);
	assert_int_equal(admission_used(admission), 2);
	admission_expire(admission, NOW);
	assert_int_equal(use(admission, 1, NOW), REFUSAL_REPLAY);
	admission_expire(admission, NOW + 2 * 3600);
	assert_int_equal(admission_used(admission), 0);
	assert_int_equal(use(admission, 3, NOW + 2 * 3600), REFUSAL_NONE);
	admission_free(admission);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_used_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
