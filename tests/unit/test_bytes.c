/* Byte strings and cursors: everything comes back as it was put, and a failure sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"

static void test_round_trip(void **state)
{
	const uint128 huge = (uint128)0x0102030405060708 << 64 | 0x090a0b0c0d0e0f10;
	static const uint8_t expected[] = {0xfe, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0x80, 0,  0,   0,
					   0,	 0,    0,    1,	   1,	 2,    3,    4,	   5,  6,   7,
					   8,	 9,    10,   11,   12,	 13,   14,   15,   16, 'a', 'b'};
	uint8_t buffer[sizeof(expected)], raw[2];
	struct writer w;
	struct reader r;

	(void)state;
	writer_init(&w, buffer, sizeof(buffer));
	write_u8(&w, 0xfe);
	write_u16(&w, 0x1234);
	write_u32(&w, 0xdeadbeef);
	write_u64(&w, 0x8000000000000001);
	write_u128(&w, huge);
	write_raw(&w, "ab", 2);
	write_raw(&w, NULL, 0);
	assert_true(bytes_equal(writer_bytes(&w), bytes_of(expected, sizeof(expected))));
	reader_init(&r, writer_bytes(&w));
	assert_int_equal(read_u8(&r), 0xfe);
	assert_int_equal(read_u16(&r), 0x1234);
	assert_int_equal(read_u32(&r), 0xdeadbeef);
	assert_true(read_u64(&r) == 0x8000000000000001);
	assert_true(read_u128(&r) == huge);
	assert_int_equal(reader_end(&r), ERR_FORMAT); /* something is left */
	read_raw(&r, raw, 2);
	assert_memory_equal(raw, "ab", 2);
	assert_int_equal(reader_end(&r), ERR_OK);
}

static void test_reader_runs_short(void **state)
{
	uint8_t raw[4] = {1, 1, 1, 1};
	struct reader r;

	(void)state;
	reader_init(&r, bytes_of("abc", 3));
	read_raw(&r, raw, 4);
	assert_memory_equal(raw, "\0\0\0\0", 4);
	/* Three bytes are there, but after a failure nothing is given out. */
	assert_int_equal(read_u8(&r), 0);
	assert_int_equal(read_view(&r, 1).len, 0);
	assert_true(read_u128(&r) == 0);
	assert_int_equal(reader_end(&r), ERR_FORMAT);
	reader_init(&r, bytes_of(NULL, 0));
	assert_int_equal(read_view(&r, 0).len, 0);
	assert_int_equal(reader_end(&r), ERR_OK);
	assert_int_equal(read_view(&r, SIZE_MAX).len, 0);
	assert_int_equal(reader_end(&r), ERR_FORMAT);
}

static void test_first_failure_is_kept(void **state)
{
	struct reader r;

	(void)state;
	reader_init(&r, bytes_of("abc", 3));
	reader_fail(&r, ERR_RANGE);
	reader_fail(&r, ERR_FORMAT);
	read_u64(&r);
	assert_int_equal(reader_end(&r), ERR_RANGE);
}

static void test_writer_runs_full(void **state)
{
	uint8_t buffer[4] = {9, 9, 9, 9};
	struct writer w;

	(void)state;
	writer_init(&w, buffer, 3);
	write_u16(&w, 1);
	write_u16(&w, 2);
	assert_int_equal(w.err, ERR_OVERFLOW);
	write_u8(&w, 3); /* would fit, but a hole would be left before it */
	assert_int_equal(writer_bytes(&w).len, 0);
	assert_memory_equal(buffer, "\0\1\t\t", 4);
}

static void test_compare(void **state)
{
	struct bytes32 a = {{0}}, b = {{0}};

	(void)state;
	assert_true(bytes32_is_zero(&a) && bytes32_equal(&a, &b) && bytes32_compare(&a, &b) == 0);
	b.b[31] = 1;
	assert_true(!bytes32_is_zero(&b) && !bytes32_equal(&a, &b));
	assert_true(bytes32_compare(&a, &b) < 0 && bytes32_compare(&b, &a) > 0);
	a.b[0] = 0x80;
	assert_true(bytes32_compare(&a, &b) > 0);
	assert_true(bytes_equal(bytes_of_text(NULL), bytes_of("", 0)));
	assert_true(bytes_equal(bytes_of_text("ab"), bytes_of("abc", 2)));
	assert_false(bytes_equal(bytes_of("a", 1), bytes_of("ab", 2)));
	assert_false(bytes_equal(bytes_of("ac", 2), bytes_of("ab", 2)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_reader_runs_short),
		cmocka_unit_test(test_first_failure_is_kept),
		cmocka_unit_test(test_writer_runs_full),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
