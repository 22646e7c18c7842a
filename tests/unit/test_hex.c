/* Hexadecimal text, both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"

static void test_encode(void **state)
{
	char out[9];

	(void)state;
	hex_encode(bytes_of("\x00\x7f\xab\xff", 4), out);
	assert_string_equal(out, "007fabff");
	hex_encode(bytes_of(NULL, 0), out);
	assert_string_equal(out, "");
}

static void test_decode(void **state)
{
	uint8_t out[256], many[256];
	char text[513];

	(void)state;
	assert_int_equal(hex_decode("007fABff", out, 4), ERR_OK);
	assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
	assert_int_equal(hex_decode("0x0a", out, 1), ERR_OK);
	assert_int_equal(out[0], 10);
	assert_int_equal(hex_decode("", out, 0), ERR_OK);
	assert_int_equal(hex_decode("0x", out, 0), ERR_OK);
	memset(many, 0xc3, sizeof(many));
	hex_encode(bytes_of(many, sizeof(many)), text);
	assert_int_equal(hex_decode(text, out, sizeof(out)), ERR_OK);
	assert_memory_equal(out, many, sizeof(many));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"",		"00",	    "0000000",	"000000000",   "0x000000",
					  "0X00000000", "0000000g", " 0000000", "00 00 00 00", "00000000\n",
					  "0x0x000000", "-0000000"};
	uint8_t out[4] = {1, 2, 3, 4}, large[300];
	char text[601];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hex_decode(bad[i], out, 4), ERR_FORMAT);
	assert_memory_equal(out, "\1\2\3\4", 4);
	memset(text, '0', 600);
	text[600] = '\0';
	assert_int_equal(hex_decode(text, large, 300), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
