/* Protocol codes: no two share a number or a name, and whatever number a peer sends there are words for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/refusal.h"

/* The codes as they were given out: a number never changes its meaning. */
static const struct {
	unsigned code;
	const char *name;
} fixed[] = {
	{0, "none"},
	{1, "protocol"},
	{2, "malformed"},
	{3, "unknown_type"},
	{4, "version"},
	{5, "busy"},
	{6, "internal"},
	{7, "denied"},
	{8, "too_long"},
	{9, "timeout"},
	{10, "shutdown"},
	{20, "satellite"},
	{21, "node"},
	{22, "client"},
	{23, "action"},
	{24, "piece"},
	{25, "expired"},
	{26, "early"},
	{27, "lifetime"},
	{28, "serial_hour"},
	{29, "replay"},
	{30, "signature"},
	{31, "high_s"},
	{32, "serial_budget"},
	{40, "order_allocation"},
	{41, "order_shrinks"},
	{42, "order_limit"},
	{43, "unordered"},
	{50, "piece_limit"},
	{51, "root"},
	{52, "range"},
	{53, "not_found"},
	{54, "full"},
	{55, "read_only"},
	{56, "corrupt"},
	{57, "exists"},
	{58, "filter"},
	{70, "late"},
	{71, "unissued"},
	{72, "commitment"},
	{73, "price"},
	{80, "grant"},
	{81, "client_unknown"},
	{82, "not_enough_nodes"},
	{83, "commit"},
	{84, "not_empty"},
	{85, "name"},
	{86, "conflict"},
	{87, "quota"},
	{95, "exit_age"},
	{96, "exit_closed"},
};

#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

static bool is_known(unsigned code)
{
	return strcmp(refusal_name((enum refusal)code), "unknown") != 0;
}

static void test_names_are_unique(void **state)
{
	unsigned known = 0;

	(void)state;
	for (unsigned a = 0; a <= UINT16_MAX; a++) {
		if (!is_known(a))
			continue;
		known++;
		assert_true(strspn(refusal_name(a), "abcdefghijklmnopqrstuvwxyz_") == strlen(refusal_name(a)));
		for (unsigned b = 0; b < 100 && b < a; b++) {
			if (is_known(b)) {
				assert_string_not_equal(refusal_name(a), refusal_name(b));
				assert_string_not_equal(refusal_text(a), refusal_text(b));
			}
		}
	}
	assert_int_equal(known, FIXED); /* whoever adds a code adds it above */
}

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIXED; i++)
		assert_string_equal(refusal_name(fixed[i].code), fixed[i].name);
}

static void test_words(void **state)
{
	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		assert_non_null(refusal_name(code));
		assert_true(strlen(refusal_text(code)) > 0);
	}
	assert_int_equal(refusal_to_err(999), ERR_REMOTE);
	assert_int_equal(refusal_to_err(REFUSAL_NONE), ERR_OK);
	/* Only the absence of a refusal reads as success. */
	for (unsigned code = 1; code <= UINT16_MAX; code++)
		assert_int_not_equal(refusal_to_err(code), ERR_OK);
}

/* Our own failures that have a namesake survive the way to the peer and back. */
static void test_there_and_back(void **state)
{
	static const enum err same[] = {ERR_OK,	     ERR_FULL, ERR_READ_ONLY, ERR_NOT_FOUND,
					ERR_CORRUPT, ERR_BUSY, ERR_EXISTS,    ERR_RANGE};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(refusal_to_err(refusal_from_err(same[i])), same[i]);
	assert_int_equal(refusal_from_err(ERR_DATABASE), REFUSAL_INTERNAL);
	assert_int_equal(refusal_from_err(ERR_IO), REFUSAL_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
