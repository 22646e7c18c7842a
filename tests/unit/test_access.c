/* Grants and accesses: as text and as files, and every slip that people make with them. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/kit/vectors.h"

#include "common/hash.h"
#include "uplink/access.h"

#define SATELLITE "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define CODE "00112233445566778899aabbccddeeff"

static enum err grant(const char *text)
{
	struct grant found;
	const char *why = NULL;
	enum err err = grant_parse(text, &found, &why);

	if (err != ERR_OK)
		assert_true(why != NULL && strlen(why) > 10);
	return err;
}

static void test_grant(void **state)
{
	char text[GRANT_TEXT];
	struct grant found;
	const char *why;

	(void)state;
	assert_int_equal(grant_parse("  " SATELLITE "@[::1]:7885/" CODE "\n", &found, &why), ERR_OK);
	assert_int_equal(found.code[15], 0xff);
	assert_string_equal(found.satellite.at.host, "::1");
	assert_int_equal(found.satellite.at.port, 7885);
	grant_print(&found, text);
	assert_string_equal(text, SATELLITE "@[::1]:7885/" CODE);
	assert_int_equal(grant(""), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:7885"), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:7885/"), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:7885/" CODE "0"), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:7885/" CODE " x"), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:7885/0x112233445566778899aabbccddeeff"), ERR_FORMAT);
	assert_int_equal(grant(SATELLITE "@localhost:70000/" CODE), ERR_RANGE);
	assert_int_equal(grant(SATELLITE "@/" CODE), ERR_FORMAT);
	assert_int_equal(grant("0379be667ef9dcbbac55a06295ce870b@localhost:7885/" CODE), ERR_FORMAT);
	assert_int_equal(grant("localhost:7885/" CODE), ERR_FORMAT);
	assert_int_equal(grant("/" CODE), ERR_FORMAT);
}

static struct access *make_access(void)
{
	struct endpoint satellite;
	struct access *access;

	assert_int_equal(endpoint_parse(SATELLITE "@satellite.example.org:7885", &satellite), ERR_OK);
	access = access_generate(&satellite);
	access->chain_id = 31337;
	access->contract.b[19] = 7;
	return access;
}

static void expect_same(const struct access *a, const struct access *b)
{
	assert_true(id_equal(&a->satellite.id, &b->satellite.id));
	assert_string_equal(a->satellite.at.host, b->satellite.at.host);
	assert_int_equal(a->satellite.at.port, b->satellite.at.port);
	assert_int_equal(a->chain_id, b->chain_id);
	assert_true(address_equal(&a->contract, &b->contract));
	assert_true(id_equal(key_id(a->key), key_id(b->key)));
	assert_true(secret_equal(a->root, b->root));
}

static void test_round_trip(void **state)
{
	struct access *access = make_access(), *other = make_access(), *found = NULL;
	char text[ACCESS_TEXT], spaced[ACCESS_TEXT + 8];
	const char *why;

	(void)state;
	assert_false(secret_equal(access->root, other->root));
	assert_false(id_equal(key_id(access->key), key_id(other->key)));
	access_print(access, text);
	assert_int_equal(strncmp(text, ACCESS_PREFIX, strlen(ACCESS_PREFIX)), 0);
	snprintf(spaced, sizeof(spaced), "\t %s \r\n", text);
	assert_int_equal(access_parse(spaced, &found, &why), ERR_OK);
	expect_same(access, found);
	access_free(found);
	access_free(other);
	access_free(access);
	access_free(NULL);
}

static enum err parse(const char *text)
{
	struct access *found = NULL;
	const char *why = NULL;
	enum err err = access_parse(text, &found, &why);

	assert_int_equal(err == ERR_OK, found != NULL);
	if (err != ERR_OK)
		assert_true(why != NULL && strlen(why) > 10);
	access_free(found);
	return err;
}

/* Any one character changed, dropped or doubled, and any shorter text. */
static void test_slips(void **state)
{
	struct access *access = make_access();
	char text[ACCESS_TEXT], slip[ACCESS_TEXT + 8];
	size_t len;

	(void)state;
	access_print(access, text);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		memcpy(slip, text, len + 1);
		slip[i] = slip[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(parse(slip), ERR_OK);
		memmove(slip + i, text + i + 1, len - i);
		assert_int_not_equal(parse(slip), ERR_OK);
		memcpy(slip, text, i + 1);
		memcpy(slip + i + 1, text + i, len - i + 1);
		assert_int_not_equal(parse(slip), ERR_OK);
		memcpy(slip, text, i);
		slip[i] = '\0';
		assert_int_not_equal(parse(slip), ERR_OK);
	}
	memcpy(slip, text, len + 1);
	slip[strlen("granary-access-")] = '2';
	assert_int_equal(parse(slip), ERR_UNSUPPORTED);
	memcpy(slip, text, len + 1);
	slip[len - 40] = slip[len - 40] == 'x' ? 'y' : 'x';
	assert_int_equal(parse(slip), ERR_CORRUPT);
	slip[len - 40] = '?';
	assert_int_equal(parse(slip), ERR_FORMAT);
	assert_int_equal(parse(""), ERR_FORMAT);
	assert_int_equal(parse(SATELLITE "@localhost:7885/" CODE), ERR_FORMAT);
	access_free(access);
}

/* A good checksum over content that makes no sense. */
static void expect_senseless(const uint8_t *content, size_t len)
{
	uint8_t binary[512];
	struct bytes32 hash;
	char text[ACCESS_TEXT] = ACCESS_PREFIX;

	memcpy(binary, content, len);
	hash_once("granary.access", content, len, &hash);
	memcpy(binary + len, hash.b, 4);
	sodium_bin2base64(text + strlen(text), sizeof(text) - strlen(text), binary, len + 4,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	assert_int_equal(parse(text), ERR_FORMAT);
}

static void test_senseless(void **state)
{
	enum { HOST = 33 + 1, FIXED = 33 + 1 + 4 + 2 + 8 + 20 + 64 };
	uint8_t content[FIXED + 1], broken[FIXED + 1];

	(void)state;
	memset(content, 1, sizeof(content));
	assert_int_equal(hex_decode(SATELLITE, content, 33), ERR_OK);
	content[33] = 4;
	memcpy(content + HOST, "host", 4);
	for (size_t len = 0; len < FIXED; len++)
		expect_senseless(content, len);
	expect_senseless(content, FIXED + 1);
	memcpy(broken, content, FIXED);
	broken[1] ^= 1; /* no longer a point */
	broken[5] ^= 0xff;
	broken[0] = 4;
	expect_senseless(broken, FIXED);
	memcpy(broken, content, FIXED);
	broken[HOST + 2] = '\0';
	expect_senseless(broken, FIXED);
	broken[HOST + 2] = '/';
	expect_senseless(broken, FIXED);
	memcpy(broken, content, FIXED);
	memset(broken + FIXED - 64, 0, 32); /* no key */
	expect_senseless(broken, FIXED);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/granary-access-XXXXXX", path[64];
	struct access *access = make_access(), *found = NULL;
	const char *why = NULL;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/access", dir);
	assert_int_equal(access_load(path, &found, &why), ERR_NOT_FOUND);
	assert_int_equal(access_save(access, path), ERR_OK);
	assert_int_equal(access_save(access, path), ERR_EXISTS);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access_load(path, &found, &why), ERR_OK);
	expect_same(access, found);
	access_free(found);
	found = NULL;
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(access_load(path, &found, &why), ERR_DENIED);
	assert_non_null(strstr(why, "0600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(access_load(path, &found, &why), ERR_CORRUPT);
	assert_int_equal(truncate(path, 1000000), 0);
	assert_int_not_equal(access_load(path, &found, &why), ERR_OK);
	assert_null(found);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	access_free(access);
}

/* The same words at the same satellite, whatever the client's key. */
static void test_passphrase(void **state)
{
	struct access *access = make_access(), *other = make_access();
	struct bytes words = bytes_of_text("correct horse battery staple");
	char too_long[1025] = {0};

	(void)state;
	assert_int_equal(access_set_passphrase(access, bytes_of_text("")), ERR_RANGE);
	assert_int_equal(access_set_passphrase(access, bytes_of(too_long, sizeof(too_long))), ERR_RANGE);
	assert_int_equal(access_set_passphrase(access, words), ERR_OK);
	assert_int_equal(access_set_passphrase(other, words), ERR_OK);
	assert_true(secret_equal(access->root, other->root));
	other->satellite.id = *key_id(other->key);
	assert_int_equal(access_set_passphrase(other, words), ERR_OK);
	assert_false(secret_equal(access->root, other->root));
	access_free(access);
	access_free(other);
}

static void test_vectors(void **state)
{
	json_t *file = vectors_load("objects"), *vector;
	char text[ACCESS_TEXT];
	const char *why;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "accesses"), i, vector)
	{
		struct access *access = NULL;

		assert_int_equal(access_parse(vector_text(vector, "text"), &access, &why), ERR_OK);
		assert_string_equal(access->satellite.at.host, vector_text(vector, "host"));
		assert_int_equal(access->satellite.at.port, vector_number(vector, "port"));
		assert_int_equal(access->chain_id, vector_number(vector, "chain_id"));
		vector_expect(vector, "satellite", bytes_of(access->satellite.id.b, KEY_ID_BYTES));
		vector_expect(vector, "contract", bytes_of(access->contract.b, sizeof(access->contract.b)));
		vector_expect(vector, "root", bytes_of(secret_bytes(access->root), SECRET_BYTES));
		access_print(access, text);
		assert_string_equal(text, vector_text(vector, "text"));
		access_free(access);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant),	  cmocka_unit_test(test_round_trip), cmocka_unit_test(test_slips),
		cmocka_unit_test(test_senseless), cmocka_unit_test(test_files),	     cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
