/* Bounds are kept, small ranges are covered, and a seeded stream is the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "common/random.h"

static void test_below(void **state)
{
	static const uint64_t bounds[] = {1, 2, 3, 7, 256, (uint64_t)1 << 63, ((uint64_t)1 << 63) + 1, UINT64_MAX};
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		for (int n = 0; n < 100; n++)
			assert_true(random_below(bounds[i]) < bounds[i]);
	}
	/* 400 draws of 8 miss one with a chance below 10^-21. */
	for (int n = 0; n < 400; n++)
		seen |= 1u << random_below(8);
	assert_int_equal(seen, 0xff);
}

static void test_bytes(void **state)
{
	uint8_t one[32], two[32];

	(void)state;
	random_bytes(one, sizeof(one));
	random_bytes(two, sizeof(two));
	assert_memory_not_equal(one, two, sizeof(one));
}

/* A frozen beginning, by another ChaCha20 (Python's cryptography) keyed with hashlib.blake2b of the seed. */
static void test_stream(void **state)
{
	struct random_stream s, again, other;
	uint8_t drawn[24];
	char hex[49];

	(void)state;
	random_stream_init(&s, bytes_of_text("seed"));
	for (int i = 0; i < 3; i++)
		put_be64(drawn + 8 * i, random_stream_u64(&s));
	hex_encode(bytes_of(drawn, sizeof(drawn)), hex);
	assert_string_equal(hex, "91290081b11a50d2dbfe067c998d34ae2364a9c29d5c62fe");
	random_stream_init(&s, bytes_of_text("seed"));
	random_stream_init(&again, bytes_of_text("seed"));
	random_stream_init(&other, bytes_of_text("seed2"));
	for (int i = 0; i < 100; i++) { /* past a block of 64 bytes */
		uint64_t value = random_stream_u64(&s);

		assert_true(value == random_stream_u64(&again));
		assert_true(value != random_stream_u64(&other));
	}
}

/* The counts of ten values in 100,000 draws stay within six standard deviations of a tenth. */
static void test_stream_below(void **state)
{
	unsigned counts[10] = {0};
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("uniform"));
	for (int i = 0; i < 100000; i++)
		counts[random_stream_below(&s, 10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], 10000 - 570, 10000 + 570);
	assert_int_equal(random_stream_below(&s, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
