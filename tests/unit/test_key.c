/* Keys: published addresses and signatures, what is no key, key files that must not be taken, and ECDH that agrees. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/file.h"
#include "common/hex.h"
#include "common/key.h"

static struct key *key_numbered(uint8_t number)
{
	uint8_t secret[32] = {[31] = number};
	struct key *key = NULL;

	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	return key;
}

static void test_addresses(void **state)
{
	static const char *const known[] = {
		"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", /* of the secrets 1, 2, 3 */
		"0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF",
		"0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69",
	};
	char text[KEY_ADDRESS_TEXT];

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		struct key *key = key_numbered((uint8_t)(i + 1));
		struct address address;

		address_to_text(key_address(key), text);
		assert_string_equal(text, known[i]);
		assert_int_equal(id_to_address(key_id(key), &address), ERR_OK);
		assert_true(address_equal(&address, key_address(key)));
		key_free(key);
	}
}

static void test_no_scalar(void **state)
{
	uint8_t order[32], zero[32] = {0};
	struct key *key = NULL;

	(void)state;
	assert_int_equal(hex_decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", order, 32),
			 ERR_OK);
	assert_int_equal(key_from_secret(zero, &key), ERR_RANGE);
	assert_int_equal(key_from_secret(order, &key), ERR_RANGE);
	assert_null(key);
	order[31]--;
	assert_int_equal(key_from_secret(order, &key), ERR_OK);
	key_free(key);
	key_free(NULL);
}

/* EIP-55's examples: right as printed, right without case, wrong with one letter's case turned. */
static void test_eip55(void **state)
{
	const char *dir = getenv("GRANARY_VECTORS");
	char path[1024], text[KEY_ADDRESS_TEXT], printed[KEY_ADDRESS_TEXT];
	json_t *root, *addresses, *value;
	struct address address;
	size_t index;

	(void)state;
	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/ethereum.json", dir);
	root = json_load_file(path, 0, NULL);
	addresses = json_object_get(json_object_get(root, "eip55"), "addresses");
	assert_int_equal(json_array_size(addresses), 8);
	json_array_foreach(addresses, index, value)
	{
		snprintf(text, sizeof(text), "%s", json_string_value(value));
		assert_int_equal(address_from_text(text, &address), ERR_OK);
		address_to_text(&address, printed);
		assert_string_equal(printed, text);
		if (strpbrk(text + 2, "abcdef") == NULL || strpbrk(text + 2, "ABCDEF") == NULL)
			continue;
		text[strcspn(text + 2, "abcdef") + 2] ^= 0x20;
		assert_int_equal(address_from_text(text, &address), ERR_FORMAT);
	}
	json_decref(root);
}

static void test_address_text(void **state)
{
	static const char *const bad[] = {
		"",
		"0x",
		"0x12",
		"0x7E5F4552091A69125d5DfCb7b8C2659029395Bd",
		"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf0",
		"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdg",
		" 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
	};
	struct address address, kept = {{5}};

	(void)state;
	address = kept;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(address_from_text(bad[i], &address), ERR_FORMAT);
	assert_true(address_equal(&address, &kept));
	assert_int_equal(address_from_text("7e5f4552091a69125d5dfcb7b8c2659029395bdf", &address), ERR_OK);
	assert_int_equal(address_from_text("0x7E5F4552091A69125D5DFCB7B8C2659029395BDF", &address), ERR_OK);
}

static void test_ids(void **state)
{
	struct key *key = key_numbered(1);
	struct id id, kept;
	char hex[KEY_ID_HEX];

	(void)state;
	id_to_hex(key_id(key), hex);
	assert_string_equal(hex, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
	assert_int_equal(id_from_hex(hex, &id), ERR_OK);
	assert_true(id_equal(&id, key_id(key)));
	kept = id;
	hex[1] = '4'; /* no compressed point begins so */
	assert_int_equal(id_from_hex(hex, &id), ERR_FORMAT);
	hex[1] = '\0';
	assert_int_equal(id_from_hex(hex, &id), ERR_FORMAT);
	assert_true(id_equal(&id, &kept));
	memset(id.b + 1, 0xff, sizeof(id.b) - 1); /* no x of the field */
	assert_int_equal(id_check(&id), ERR_FORMAT);
	assert_int_equal(id_to_address(&id, &(struct address){{0}}), ERR_FORMAT);
	key_free(key);
}

/* What is signed is recovered; the same digest is signed alike each time, and always with a low s. */
static void test_sign(void **state)
{
	struct key *key = key_generate();
	struct address signer;

	(void)state;
	for (uint8_t i = 0; i < 100; i++) {
		struct bytes32 digest = {{i}}, other = {{i, 1}};
		struct signature signature, again;

		key_sign(key, &digest, &signature);
		key_sign(key, &digest, &again);
		assert_memory_equal(&signature, &again, sizeof(signature));
		assert_true(signature_is_low(&signature));
		assert_true(signature.b[64] == 27 || signature.b[64] == 28);
		assert_int_equal(key_recover(&digest, &signature, &signer), ERR_OK);
		assert_true(address_equal(&signer, key_address(key)));
		assert_int_equal(key_verify(&digest, &signature, key_address(key)), ERR_OK);
		assert_int_equal(key_verify(&other, &signature, key_address(key)), ERR_SIGNATURE);
	}
	key_free(key);
}

/* EIP-2's boundary: n / 2 itself is low, one more is high. */
static void test_low_s(void **state)
{
	struct signature signature = {{0}};

	(void)state;
	assert_int_equal(
		hex_decode("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", signature.b + 32, 32),
		ERR_OK);
	assert_true(signature_is_low(&signature));
	signature.b[63]++;
	assert_false(signature_is_low(&signature));
}

static void test_ecdh(void **state)
{
	struct key *a = key_generate(), *b = key_generate();
	struct bytes32 ab, ba, aa;
	struct id bad = {{2}};

	(void)state;
	assert_int_equal(key_ecdh(a, key_id(b), &ab), ERR_OK);
	assert_int_equal(key_ecdh(b, key_id(a), &ba), ERR_OK);
	assert_int_equal(key_ecdh(a, key_id(a), &aa), ERR_OK);
	assert_true(bytes32_equal(&ab, &ba));
	assert_false(bytes32_equal(&ab, &aa));
	memset(bad.b + 1, 0xff, sizeof(bad.b) - 1);
	assert_int_equal(key_ecdh(a, &bad, &ab), ERR_CRYPTO);
	key_free(a);
	key_free(b);
}

/* A folder of its own for key files. */
struct folder {
	char dir[32];
	char *path;
};

static int make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/test_key.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = file_join(f->dir, "key");
	*state = f;
	return 0;
}

static int remove_folder(void **state)
{
	struct folder *f = *state;

	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f->path);
	free(f);
	return 0;
}

static void test_file(void **state)
{
	const struct folder *f = *state;
	struct key *key = key_generate(), *loaded = NULL;
	uint8_t secret[32], loaded_secret[32];
	struct stat st;

	assert_int_equal(key_load(f->path, &loaded), ERR_NOT_FOUND);
	assert_int_equal(key_save(key, f->path), ERR_OK);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 65);
	assert_int_equal(key_save(key, f->path), ERR_EXISTS);
	assert_int_equal(key_load(f->path, &loaded), ERR_OK);
	key_export_secret(key, secret);
	key_export_secret(loaded, loaded_secret);
	assert_memory_equal(secret, loaded_secret, sizeof(secret));
	key_free(loaded);
	key_free(key);
}

static void test_file_too_open(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0601, 0777};
	const struct folder *f = *state;
	struct key *key = key_numbered(1), *loaded = NULL;

	assert_int_equal(key_save(key, f->path), ERR_OK);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(f->path, modes[i]), 0);
		assert_int_equal(key_load(f->path, &loaded), ERR_DENIED);
	}
	assert_int_equal(chmod(f->path, 0400), 0);
	assert_int_equal(key_load(f->path, &loaded), ERR_OK);
	key_free(loaded);
	key_free(key);
}

#define DIGITS "00000000000000000000000000000000000000000000000000000000000000"

static void test_file_text(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} rows[] = {
		{"", ERR_FORMAT},
		{DIGITS, ERR_FORMAT},
		{DIGITS "0", ERR_FORMAT},
		{DIGITS "00", ERR_FORMAT}, /* zero is no key */
		{DIGITS "01", ERR_OK},
		{DIGITS "01\n", ERR_OK},
		{DIGITS "01\n\n", ERR_FORMAT},
		{DIGITS "01\nmore", ERR_FORMAT},
		{DIGITS "01 ", ERR_FORMAT},
		{DIGITS "012", ERR_FORMAT},
		{DIGITS "0g", ERR_FORMAT},
		{"0x" DIGITS, ERR_FORMAT},
		{"0x" DIGITS "01", ERR_FORMAT},
	};
	const struct folder *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key *loaded = NULL;

		assert_int_equal(file_replace(f->path, bytes_of_text(rows[i].text), 0600), ERR_OK);
		assert_int_equal(key_load(f->path, &loaded), rows[i].want);
		assert_int_equal(loaded != NULL, rows[i].want == ERR_OK);
		key_free(loaded);
	}
}

static void test_file_is_a_pipe(void **state)
{
	const struct folder *f = *state;
	struct key *loaded = NULL;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(key_load(f->path, &loaded), ERR_FORMAT);
	assert_null(loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_scalar),
		cmocka_unit_test(test_eip55),
		cmocka_unit_test(test_address_text),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_low_s),
		cmocka_unit_test(test_ecdh),
		cmocka_unit_test_setup_teardown(test_file, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_file_too_open, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_file_text, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_file_is_a_pipe, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
