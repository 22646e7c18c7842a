/* Money: nothing wraps, nothing rounds up, and what is printed parses back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/amount.h"
#include "common/random.h"

static void test_add_sub(void **state)
{
	struct amount sum = amount_of(7);

	(void)state;
	assert_int_equal(amount_add(amount_of(UINT64_MAX), amount_of(1), &sum), ERR_OVERFLOW);
	assert_int_equal(amount_sub(amount_of(1), amount_of(2), &sum), ERR_OVERFLOW);
	assert_int_equal(amount_units(sum), 7);
	assert_int_equal(amount_add(amount_of(UINT64_MAX - 1), amount_of(1), &sum), ERR_OK);
	assert_true(amount_units(sum) == UINT64_MAX);
	assert_int_equal(amount_sub(sum, amount_of(UINT64_MAX), &sum), ERR_OK);
	assert_int_equal(amount_units(sum), 0);
}

static void test_u64_add(void **state)
{
	uint64_t sum = 7;

	(void)state;
	assert_int_equal(u64_add(UINT64_MAX, 1, &sum), ERR_OVERFLOW);
	assert_int_equal(sum, 7);
	assert_int_equal(u64_add(UINT64_MAX, 0, &sum), ERR_OK);
	assert_true(sum == UINT64_MAX);
}

static void test_byte_seconds(void **state)
{
	struct byte_seconds most = byte_seconds_from(~(uint128)0), sum = byte_seconds_from(7);

	(void)state;
	assert_true(byte_seconds_value(byte_seconds_of(UINT64_MAX, UINT64_MAX)) == (uint128)UINT64_MAX * UINT64_MAX);
	assert_int_equal(byte_seconds_add(most, byte_seconds_from(1), &sum), ERR_OVERFLOW);
	assert_true(byte_seconds_value(sum) == 7);
	assert_int_equal(
		byte_seconds_add(byte_seconds_of(1, (uint64_t)1 << 63), byte_seconds_of(2, (uint64_t)1 << 63), &sum),
		ERR_OK);
	assert_true(byte_seconds_value(sum) == (uint128)3 << 63);
}

static enum err scale(uint128 quantity, uint64_t price, uint128 divisor, uint64_t *ret)
{
	struct amount amount = amount_of(*ret);
	enum err err = amount_scale(quantity, amount_of(price), divisor, &amount);

	*ret = amount_units(amount);
	return err;
}

static void test_scale_limits(void **state)
{
	const uint128 most = (uint128)1 << 64;
	uint64_t got = 7;

	(void)state;
	assert_int_equal(scale((uint128)UINT64_MAX + 1, 1, 1, &got), ERR_OVERFLOW);
	assert_int_equal(scale(~(uint128)0, UINT64_MAX, most, &got), ERR_OVERFLOW);
	assert_int_equal(scale(~(uint128)0, 2, 1, &got), ERR_OVERFLOW);
	assert_int_equal(got, 7);
	assert_int_equal(scale(UINT64_MAX, 1, 1, &got), ERR_OK);
	assert_true(got == UINT64_MAX);
	assert_int_equal(scale(most - 1, UINT64_MAX, most, &got), ERR_OK); /* the largest rest there is */
	assert_true(got == UINT64_MAX - 1);
	assert_int_equal(scale(~(uint128)0, 1, most, &got), ERR_OK); /* rounded down from just below 2^64 */
	assert_true(got == UINT64_MAX);
	assert_int_equal(scale(~(uint128)0, 0, 1, &got), ERR_OK);
	assert_int_equal(got, 0);
	assert_int_equal(scale(0, UINT64_MAX, 3, &got), ERR_OK);
	assert_int_equal(got, 0);
}

/* Against the plain formula wherever that fits, numbers of all sizes. */
static void test_scale_exact(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("scale"));
	for (int i = 0; i < 100000; i++) {
		uint64_t quantity = random_stream_u64(&s) >> random_stream_below(&s, 64);
		uint64_t price = random_stream_u64(&s) >> random_stream_below(&s, 64);
		uint64_t divisor = random_stream_u64(&s) >> random_stream_below(&s, 64), got = 7;
		uint128 want;

		if (divisor == 0)
			continue;
		want = (uint128)quantity * price / divisor;
		assert_int_equal(scale(quantity, price, divisor, &got), want > UINT64_MAX ? ERR_OVERFLOW : ERR_OK);
		assert_true(got == (want > UINT64_MAX ? 7 : (uint64_t)want));
	}
}

static void test_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t units;
		const char *printed;
	} rows[] = {
		{"0", 0, "0.00000000"},
		{"12", 1200000000, "12.00000000"},
		{"12.5", 1250000000, "12.50000000"},
		{"12.00000034", 1200000034, "12.00000034"},
		{"0.00000001", 1, "0.00000001"},
		{"007", 700000000, "7.00000000"},
		{"184467440737.09551615", UINT64_MAX, "184467440737.09551615"},
	};
	char out[AMOUNT_TEXT];
	struct amount got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(amount_parse(rows[i].text, &got), ERR_OK);
		assert_true(amount_units(got) == rows[i].units);
		assert_string_equal(amount_print(got, out), rows[i].printed);
	}
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {"",	  " 1",	   "1 ",  "-1",	 "+1",	".5",	       "1.",
					  "1..2", "1.2.3", "1,5", "1e3", "0x1", "1.000000000", "one"};
	static const char *const large[] = {"184467440737.09551616", "184467440738", "99999999999999999999999"};
	struct amount got = amount_of(7);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(amount_parse(bad[i], &got), ERR_FORMAT);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(amount_parse(large[i], &got), ERR_OVERFLOW);
	assert_int_equal(amount_units(got), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_sub),	     cmocka_unit_test(test_u64_add),
		cmocka_unit_test(test_byte_seconds), cmocka_unit_test(test_scale_limits),
		cmocka_unit_test(test_scale_exact),  cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
