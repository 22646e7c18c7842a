/* JSON-RPC's numbers and bytes: what is read, what is refused, and how amounts of wei are told to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payments/ethereum/quantity.h"

static void test_quantity(void **state)
{
	static const char *const refused[] = {"",     "0",    "0x",   "x0",   "0x00", "0x01", "0X1",
					      " 0x1", "0x1 ", "-0x1", "0x+1", "0x1g", "0xé",  "1"};
	char text[QUANTITY_TEXT];
	uint64_t value = 7;
	uint128 wide = 7;

	(void)state;
	assert_int_equal(quantity_parse_u64(NULL, &value), ERR_FORMAT);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(quantity_parse_u64(refused[i], &value), ERR_FORMAT);
	assert_int_equal(quantity_parse_u64("0x10000000000000000", &value), ERR_OVERFLOW);
	assert_int_equal(quantity_parse_u128("0x100000000000000000000000000000000", &wide), ERR_OVERFLOW);
	assert_true(value == 7 && wide == 7);
	assert_int_equal(quantity_parse_u64("0x0", &value), ERR_OK);
	assert_true(value == 0);
	assert_int_equal(quantity_parse_u64("0xFfFfFfFfFfFfFfFf", &value), ERR_OK);
	assert_true(value == UINT64_MAX);
	assert_int_equal(quantity_parse_u128("0xffffffffffffffffffffffffffffffff", &wide), ERR_OK);
	assert_true(wide == ~(uint128)0);
	assert_string_equal(quantity_print(0, text), "0x0");
	assert_string_equal(quantity_print(UINT64_MAX, text), "0xffffffffffffffff");
}

static void test_data(void **state)
{
	static const char *const refused[] = {"", "0", "0x0", "0x0g", "00ff", "0x00 ", "0x 00"};
	uint8_t out[4] = {0};
	char text[11];
	size_t len = 9;

	(void)state;
	assert_int_equal(data_parse(NULL, out, sizeof(out), &len), ERR_FORMAT);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(data_parse(refused[i], out, sizeof(out), &len), ERR_FORMAT);
	assert_int_equal(data_parse("0x0011223344", out, sizeof(out), &len), ERR_LIMIT);
	assert_int_equal(len, 9);
	assert_int_equal(data_parse("0x", out, sizeof(out), &len), ERR_OK);
	assert_int_equal(len, 0);
	assert_int_equal(data_parse("0x00aBcDef", out, sizeof(out), &len), ERR_OK);
	assert_int_equal(len, 4);
	assert_memory_equal(out, "\x00\xab\xcd\xef", 4);
	assert_string_equal(data_print(bytes_of(out, 4), text), "0x00abcdef");
	assert_string_equal(data_print(bytes_of(out, 0), text), "0x");
}

static void test_ether(void **state)
{
	char text[ETHER_TEXT];

	(void)state;
	assert_string_equal(ether_print(0, text), "0");
	assert_string_equal(ether_print(1, text), "0.000000000000000001");
	assert_string_equal(ether_print(421000000000000, text), "0.000421");
	assert_string_equal(ether_print((uint128)1000000000000000000u * 100, text), "100");
	assert_string_equal(ether_print(~(uint128)0, text), "340282366920938463463.374607431768211455");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantity),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_ether),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
