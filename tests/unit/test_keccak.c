/* Keccak-256: Ethereum's published values, lengths around the sponge's rate, and that no cut of the input matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/hex.h"
#include "common/keccak.h"

#define LONGEST 1000

static int load_vectors(void **state)
{
	const char *dir = getenv("GRANARY_VECTORS");
	char path[1024];

	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/ethereum.json", dir);
	*state = json_load_file(path, 0, NULL);
	assert_non_null(*state);
	return 0;
}

static int free_vectors(void **state)
{
	json_decref(*state);
	return 0;
}

static void expect_hash(const struct bytes32 *hash, const json_t *want)
{
	char hex[65];

	assert_non_null(want);
	hex_encode(bytes_of(hash->b, sizeof(hash->b)), hex);
	assert_string_equal(hex, json_string_value(want));
}

static void test_published(void **state)
{
	static const char prefixed[] = "\x19"
				       "Ethereum Signed Message:\n11hello world";
	const json_t *want = json_object_get(*state, "keccak256");
	struct bytes32 hash;

	keccak_once(NULL, 0, &hash);
	expect_hash(&hash, json_object_get(want, ""));
	keccak_once(prefixed, sizeof(prefixed) - 1, &hash);
	expect_hash(&hash, json_object_get(want, "hello world, EIP-191 prefixed"));
}

static void fill(uint8_t data[LONGEST])
{
	for (size_t i = 0; i < LONGEST; i++)
		data[i] = (uint8_t)(7 * i);
}

static void test_lengths(void **state)
{
	json_t *lengths = json_object_get(*state, "keccak256_lengths"), *want;
	uint8_t data[LONGEST];
	struct bytes32 hash;
	const char *name;
	int checked = 0;

	fill(data);
	json_object_foreach(lengths, name, want)
	{
		size_t len = strtoul(name, NULL, 10);

		if (len == 0)
			continue; /* "source" */
		assert_true(len <= LONGEST);
		keccak_once(data, len, &hash);
		expect_hash(&hash, want);
		checked++;
	}
	assert_int_equal(checked, 8);
}

static void test_cuts(void **state)
{
	uint8_t data[LONGEST];
	struct bytes32 whole, cut;

	(void)state;
	fill(data);
	keccak_once(data, 300, &whole);
	for (size_t first = 0; first <= 300; first++) {
		for (size_t second = first; second <= 300; second += 17) {
			struct keccak k;

			keccak_init(&k);
			keccak_update(&k, data, first);
			keccak_update(&k, data + first, second - first);
			keccak_update(&k, data + second, 300 - second);
			keccak_final(&k, &cut);
			assert_true(bytes32_equal(&whole, &cut));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, load_vectors, free_vectors);
}
