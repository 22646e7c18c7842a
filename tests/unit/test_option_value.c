/* Every type of value: what is read, what is refused, and whether the refusal names value and limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/option_value.h"

static enum err parse(enum option_type type, uint64_t min, uint64_t max, const char *text, union option_value *ret,
		      char *why)
{
	struct option_spec spec = {.name = "thing", .type = type, .min = min, .max = max, .choices = "warn|info|debug"};

	why[0] = '\0';
	return option_value_parse(&spec, text, ret, why, OPTION_WHY);
}

static void expect_number(enum option_type type, const char *text, uint64_t number)
{
	union option_value value;
	char why[OPTION_WHY];

	assert_int_equal(parse(type, 0, 0, text, &value, why), ERR_OK);
	assert_true(value.number == number);
}

static void expect_refused(enum option_type type, uint64_t min, uint64_t max, const char *text, enum err err,
			   const char *sentence)
{
	union option_value value = {.number = 77};
	char why[OPTION_WHY];

	assert_int_equal(parse(type, min, max, text, &value, why), err);
	assert_string_equal(why, sentence);
	assert_true(value.number == 77);
}

static void test_numbers(void **state)
{
	(void)state;
	expect_number(OPTION_INT, "0", 0);
	expect_number(OPTION_INT, "18446744073709551615", UINT64_MAX);
	expect_refused(OPTION_INT, 0, 0, "18446744073709551616", ERR_RANGE,
		       "\"18446744073709551616\" is too large a number");
	expect_refused(OPTION_INT, 0, 0, "-1", ERR_FORMAT, "\"-1\" is not a whole number");
	expect_refused(OPTION_INT, 0, 0, "", ERR_FORMAT, "\"\" is not a whole number");
	expect_refused(OPTION_INT, 0, 0, "1x", ERR_FORMAT, "\"1x\" is not a whole number");
	expect_refused(OPTION_INT, 1, 64, "0", ERR_RANGE, "\"0\" is too small; it must be at least 1");
	expect_refused(OPTION_INT, 1, 64, "65", ERR_RANGE, "\"65\" is too large; it may be at most 64");
}

static void test_sizes(void **state)
{
	(void)state;
	expect_number(OPTION_SIZE, "4096", 4096);
	expect_number(OPTION_SIZE, "500GB", 500000000000);
	expect_number(OPTION_SIZE, "500 gb", 500000000000);
	expect_number(OPTION_SIZE, "1.5TiB", 1649267441664);
	expect_number(OPTION_SIZE, "0.000000001GB", 1);
	expect_number(OPTION_SIZE, "64kib", 65536);
	expect_number(OPTION_SIZE, "2T", 2000000000000);
	expect_number(OPTION_SIZE, "15EiB", 15ull << 60);
	expect_refused(OPTION_SIZE, 0, 0, "16EiB", ERR_RANGE, "\"16EiB\" is too large a number");
	expect_refused(OPTION_SIZE, 0, 0, "5XB", ERR_FORMAT,
		       "\"5XB\" is not a size; write it like 500GB, 1.5TiB or 4096");
	expect_refused(OPTION_SIZE, 0, 0, "1.GB", ERR_FORMAT,
		       "\"1.GB\" is not a size; write it like 500GB, 1.5TiB or 4096");
	expect_refused(OPTION_SIZE, 0, 0, "1.0000000001GB", ERR_FORMAT,
		       "\"1.0000000001GB\" is not a size; write it like 500GB, 1.5TiB or 4096");
	expect_refused(OPTION_SIZE, 1000000000, 0, "5MB", ERR_RANGE, "\"5MB\" is too small; it must be at least 1GB");
	expect_refused(OPTION_SIZE, 0, 65536, "1MB", ERR_RANGE, "\"1MB\" is too large; it may be at most 64KiB");
}

static void test_durations(void **state)
{
	(void)state;
	expect_number(OPTION_DURATION, "90", 90);
	expect_number(OPTION_DURATION, "90s", 90);
	expect_number(OPTION_DURATION, "10m", 600);
	expect_number(OPTION_DURATION, "2h", 7200);
	expect_number(OPTION_DURATION, "30d", 2592000);
	expect_refused(OPTION_DURATION, 0, 0, "2 h", ERR_FORMAT,
		       "\"2 h\" is not a duration; write it like 90s, 10m, 2h or 30d");
	expect_refused(OPTION_DURATION, 0, 0, "30500568904944w", ERR_RANGE,
		       "\"30500568904944w\" is too large a number");
	expect_refused(OPTION_DURATION, 60, 0, "59", ERR_RANGE, "\"59\" is too small; it must be at least 1m");
	expect_refused(OPTION_DURATION, 0, 90, "2m", ERR_RANGE, "\"2m\" is too large; it may be at most 90s");
}

static void test_amounts(void **state)
{
	(void)state;
	expect_number(OPTION_AMOUNT, "12", 1200000000);
	expect_number(OPTION_AMOUNT, "0.00000001", 1);
	expect_refused(OPTION_AMOUNT, 0, 0, "0.000000001", ERR_FORMAT,
		       "\"0.000000001\" is not an amount: tokens with at most 8 decimals");
	expect_refused(OPTION_AMOUNT, 0, 100000000, "1.5", ERR_RANGE,
		       "\"1.5\" is too large; it may be at most 1.00000000");
}

static void test_words(void **state)
{
	union option_value value;
	char why[OPTION_WHY];

	(void)state;
	expect_number(OPTION_FLAG, "true", 1);
	expect_number(OPTION_FLAG, "false", 0);
	expect_refused(OPTION_FLAG, 0, 0, "yes", ERR_FORMAT, "\"yes\" is neither true nor false");
	assert_int_equal(parse(OPTION_CHOICE, 0, 0, "info", &value, why), ERR_OK);
	expect_refused(OPTION_CHOICE, 0, 0, "inof", ERR_FORMAT,
		       "\"inof\" is none of warn|info|debug; did you mean \"info\"?");
	expect_refused(OPTION_CHOICE, 0, 0, "loud", ERR_FORMAT, "\"loud\" is none of warn|info|debug");
	expect_refused(OPTION_CHOICE, 0, 0, "warn|info", ERR_FORMAT, "\"warn|info\" is none of warn|info|debug");
	expect_refused(OPTION_TEXT, 2, 3, "four", ERR_RANGE, "\"four\" is too large; its length may be at most 3");
	expect_refused(OPTION_TEXT, 2, 3, "1", ERR_RANGE, "\"1\" is too small; its length must be at least 2");
	expect_refused(OPTION_TEXT, 0, 0, "a\x1b[1m", ERR_FORMAT,
		       "\"a\\x1b[1m\" holds control characters or is not UTF-8");
	expect_refused(OPTION_PATH, 0, 0, "", ERR_FORMAT, "\"\" is not a path");
}

static void test_parties(void **state)
{
	static const char endpoint[] = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798@[::1]:7885";
	union option_value value;
	char why[OPTION_WHY];

	(void)state;
	assert_int_equal(parse(OPTION_ENDPOINT, 0, 0, endpoint, &value, why), ERR_OK);
	assert_string_equal(value.endpoint.at.host, "::1");
	assert_int_equal(value.endpoint.at.port, 7885);
	assert_int_equal(parse(OPTION_HOSTPORT, 0, 0, "localhost:80", &value, why), ERR_OK);
	assert_int_equal(value.at.port, 80);
	assert_int_equal(parse(OPTION_ADDRESS, 0, 0, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", &value, why),
			 ERR_OK);
	assert_int_equal(value.address.b[0], 0x5a);
	expect_refused(OPTION_ADDRESS, 0, 0, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", ERR_FORMAT,
		       "\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD\" is not an address: 0x and 40 hex digits, "
		       "a right EIP-55 checksum when of mixed case");
	expect_refused(OPTION_HOSTPORT, 0, 0, "localhost:65536", ERR_RANGE,
		       "\"localhost:65536\" is not HOST:PORT (IPv6 in brackets, port at most 65535)");
	expect_refused(OPTION_ENDPOINT, 0, 0, "localhost:80", ERR_FORMAT,
		       "\"localhost:80\" is not an endpoint: 66 hex digits of an id, @, HOST:PORT");
}

static void test_print_size(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},	      {999, "999 B"},	     {1000, "1.00 KB"},
		{1239, "1.23 KB"},    {12399, "12.3 KB"},    {999999, "999 KB"},
		{1000000, "1.00 MB"}, {67108864, "67.1 MB"}, {UINT64_MAX, "18.4 EB"},
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(option_print_size(cases[i].bytes, out), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	   cmocka_unit_test(test_sizes), cmocka_unit_test(test_durations),
		cmocka_unit_test(test_amounts),	   cmocka_unit_test(test_words), cmocka_unit_test(test_parties),
		cmocka_unit_test(test_print_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
