/* 256-bit numbers: against 128-bit arithmetic of the compiler, at the edges, and as decimal text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/u256.h"

static const char most_text[] = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

static struct bytes32 of_u128(uint128 value)
{
	struct bytes32 ret = {{0}};

	put_be64(ret.b + 16, (uint64_t)(value >> 64));
	put_be64(ret.b + 24, (uint64_t)value);
	return ret;
}

static struct bytes32 most(void)
{
	struct bytes32 ret;

	memset(ret.b, 0xff, sizeof(ret.b));
	return ret;
}

static void test_like_the_compiler(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("u256"));
	for (int i = 0; i < 20000; i++) {
		uint128 a = ((uint128)random_stream_u64(&s) << 62) + random_stream_u64(&s);
		uint128 b = ((uint128)random_stream_u64(&s) << 62) + random_stream_u64(&s);
		struct bytes32 x = of_u128(a), y = of_u128(b), want = of_u128(a + b), got;

		assert_int_equal(u256_add(&x, &y, &got), ERR_OK);
		assert_memory_equal(&got, &want, sizeof(got));
		assert_int_equal(bytes32_compare(&x, &y) < 0, a < b);
		assert_int_equal(u256_sub(&x, &y, &got), a < b ? ERR_OVERFLOW : ERR_OK);
		if (a < b)
			continue;
		want = of_u128(a - b);
		assert_memory_equal(&got, &want, sizeof(got));
	}
}

static void test_edges(void **state)
{
	struct bytes32 zero = u256_of(0), one = u256_of(1), all = most(), got = u256_of(7);

	(void)state;
	assert_int_equal(u256_add(&all, &one, &got), ERR_OVERFLOW);
	assert_int_equal(u256_sub(&zero, &one, &got), ERR_OVERFLOW);
	assert_true(got.b[31] == 7);
	assert_int_equal(u256_add(&all, &zero, &got), ERR_OK);
	assert_memory_equal(&got, &all, sizeof(got));
	assert_int_equal(u256_sub(&all, &all, &got), ERR_OK);
	assert_true(bytes32_is_zero(&got));
	assert_int_equal(u256_add_amount(&all, amount_of(1)), ERR_OVERFLOW);
	assert_int_equal(u256_add_amount(&one, amount_of(UINT64_MAX)), ERR_OK);
	assert_int_equal(one.b[23], 1);
	assert_int_equal(get_be64(one.b + 24), 0);
}

static void test_to_u64(void **state)
{
	struct bytes32 value = u256_of(UINT64_MAX);
	uint64_t got = 0;

	(void)state;
	assert_int_equal(u256_to_u64(&value, &got), ERR_OK);
	assert_true(got == UINT64_MAX);
	for (int i = 0; i < 24; i++) {
		value = u256_of(5);
		value.b[i] = 1;
		assert_int_equal(u256_to_u64(&value, &got), ERR_OVERFLOW);
	}
	assert_true(got == UINT64_MAX);
}

static void expect_text(const struct bytes32 *value, const char *text)
{
	char out[U256_TEXT];
	struct bytes32 back;

	assert_string_equal(u256_print(value, out), text);
	assert_int_equal(u256_parse(text, &back), ERR_OK);
	assert_memory_equal(&back, value, sizeof(back));
}

static void test_text(void **state)
{
	struct bytes32 value = u256_of(0);

	(void)state;
	expect_text(&value, "0");
	value = u256_of(10);
	expect_text(&value, "10");
	value = u256_of(UINT64_MAX);
	expect_text(&value, "18446744073709551615");
	value = of_u128(~(uint128)0);
	expect_text(&value, "340282366920938463463374607431768211455");
	value = most();
	expect_text(&value, most_text);
}

static void test_no_numbers(void **state)
{
	static const char *const wrong[] = {"", " 1", "1 ", "-1", "+1", "01", "00", "0x10", "1.0", "1e3", "\xd9\xa1"};
	struct bytes32 value = u256_of(7);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(u256_parse(wrong[i], &value), ERR_FORMAT);
	assert_int_equal(
		u256_parse("115792089237316195423570985008687907853269984665640564039457584007913129639936", &value),
		ERR_OVERFLOW);
	assert_int_equal(
		u256_parse("1157920892373161954235709850086879078532699846656405640394575840079131296399350", &value),
		ERR_OVERFLOW);
	assert_true(value.b[31] == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_the_compiler),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_to_u64),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_no_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
