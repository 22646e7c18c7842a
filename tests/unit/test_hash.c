/* BLAKE2b-256 with `personal`, against Python's hashlib.blake2b. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/hash.h"
#include "common/hex.h"

static void expect(const struct bytes32 *hash, const char *hex)
{
	char found[65];

	hex_encode(bytes_of(hash->b, sizeof(hash->b)), found);
	assert_string_equal(found, hex);
}

static void test_vectors(void **state)
{
	uint8_t key[32];
	struct bytes32 hash;
	struct hash h;

	(void)state;
	hash_once("granary.leaf", "abc", 3, &hash);
	expect(&hash, "6dda797dfa2a3f33272c78cda72d2ae4e3bbfd5b2ac9ed50e402c7fc598ca6f1");
	hash_once("granary.root0123", NULL, 0, &hash); /* all 16 bytes of the field */
	expect(&hash, "d9516c21e28996e525bfe9f7b2a99ee6999609db281fa94ac5ec9b9c0f3ab099");
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	hash_init_keyed(&h, "granary.x", bytes_of(key, sizeof(key)));
	hash_update(&h, "abc", 3);
	hash_final(&h, &hash);
	expect(&hash, "4f395a4685966f30c94d16edf9dd3549195c7a1b5e9d25b33ef256f7da4e5e92");
}

/* A copy of a hash under way goes its own way. */
static void test_fork(void **state)
{
	struct bytes32 one, two, expected;
	struct hash h, copy;

	(void)state;
	hash_init(&h, "granary.leaf");
	hash_update(&h, "ab", 2);
	copy = h;
	hash_update(&h, "c", 1);
	hash_update(&copy, "d", 1);
	hash_final(&h, &one);
	hash_final(&copy, &two);
	hash_once("granary.leaf", "abc", 3, &expected);
	assert_true(bytes32_equal(&one, &expected));
	hash_once("granary.leaf", "abd", 3, &expected);
	assert_true(bytes32_equal(&two, &expected));
}

static void test_personal_separates(void **state)
{
	struct bytes32 leaf, node;

	(void)state;
	hash_once("granary.leaf", "abc", 3, &leaf);
	hash_once("granary.node", "abc", 3, &node);
	assert_false(bytes32_equal(&leaf, &node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_personal_separates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
