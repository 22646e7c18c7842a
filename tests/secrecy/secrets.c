/*
 * Nothing may depend in its time on a secret: under valgrind, memcheck is told that the secrets are undefined bytes,
 * and complains of every branch and every address that comes from one (the method of libsecp256k1's own test).
 *
 * What is public again is declared so: a signature, a handshake's act once it is on the wire, and that a library
 * succeeded. The last stands in wrappers (ld --wrap), so the code under test is the one that ships.
 * `make check-secrets` runs it; without valgrind around it, every test fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>
#include <sodium.h>
#include <valgrind/memcheck.h>

#include <cmocka.h>

#include "common/key.h"
#include "common/noise.h"
#include "uplink/secret.h"

#define REVEAL(thing) VALGRIND_MAKE_MEM_DEFINED(&(thing), sizeof(thing))
#define MESSAGE "what the message says"

int __real_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *context,
					    secp256k1_ecdsa_recoverable_signature *signature, const uint8_t *digest,
					    const uint8_t *secret, secp256k1_nonce_function nonce, const void *data);
int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *context,
					    secp256k1_ecdsa_recoverable_signature *signature, const uint8_t *digest,
					    const uint8_t *secret, secp256k1_nonce_function nonce, const void *data);
int __real_secp256k1_ecdh(const secp256k1_context *context, uint8_t *out, const secp256k1_pubkey *point,
			  const uint8_t *secret, secp256k1_ecdh_hash_function hash, void *data);
int __wrap_secp256k1_ecdh(const secp256k1_context *context, uint8_t *out, const secp256k1_pubkey *point,
			  const uint8_t *secret, secp256k1_ecdh_hash_function hash, void *data);
int __real_crypto_aead_chacha20poly1305_ietf_decrypt_detached(uint8_t *m, uint8_t *nsec, const uint8_t *c,
							      unsigned long long len, const uint8_t *mac,
							      const uint8_t *ad, unsigned long long ad_len,
							      const uint8_t *nonce, const uint8_t *key);
int __wrap_crypto_aead_chacha20poly1305_ietf_decrypt_detached(uint8_t *m, uint8_t *nsec, const uint8_t *c,
							      unsigned long long len, const uint8_t *mac,
							      const uint8_t *ad, unsigned long long ad_len,
							      const uint8_t *nonce, const uint8_t *key);

/*
 * The library looks whether the nonce and the signature are valid, which fails less often than once in 2^255, and
 * declares that public only in a build made for valgrind: Debian's would be blamed for it. A signature is public.
 */
int __wrap_secp256k1_ecdsa_sign_recoverable(const secp256k1_context *context,
					    secp256k1_ecdsa_recoverable_signature *signature, const uint8_t *digest,
					    const uint8_t *secret, secp256k1_nonce_function nonce, const void *data)
{
	int done;

	VALGRIND_DISABLE_ERROR_REPORTING;
	done = __real_secp256k1_ecdsa_sign_recoverable(context, signature, digest, secret, nonce, data);
	VALGRIND_ENABLE_ERROR_REPORTING;
	REVEAL(done);
	REVEAL(*signature);
	return done;
}

/* The library is watched here; that it succeeded is public. */
int __wrap_secp256k1_ecdh(const secp256k1_context *context, uint8_t *out, const secp256k1_pubkey *point,
			  const uint8_t *secret, secp256k1_ecdh_hash_function hash, void *data)
{
	int done = __real_secp256k1_ecdh(context, out, point, secret, hash, data);

	REVEAL(done);
	return done;
}

/*
 * Whether a tag is right is public, and libsodium branches on it once it has compared all of it (crypto_verify_16).
 * What the peer said is then an input like any other: its id, the length of its message.
 */
int __wrap_crypto_aead_chacha20poly1305_ietf_decrypt_detached(uint8_t *m, uint8_t *nsec, const uint8_t *c,
							      unsigned long long len, const uint8_t *mac,
							      const uint8_t *ad, unsigned long long ad_len,
							      const uint8_t *nonce, const uint8_t *key)
{
	int failed;

	VALGRIND_DISABLE_ERROR_REPORTING;
	failed =
		__real_crypto_aead_chacha20poly1305_ietf_decrypt_detached(m, nsec, c, len, mac, ad, ad_len, nonce, key);
	VALGRIND_ENABLE_ERROR_REPORTING;
	REVEAL(failed);
	VALGRIND_MAKE_MEM_DEFINED(m, len);
	return failed;
}

static unsigned long complaints_before;

static int begin(void **state)
{
	(void)state;
	complaints_before = VALGRIND_COUNT_ERRORS;
	return RUNNING_ON_VALGRIND ? 0 : -1;
}

static unsigned long complaints(void)
{
	return VALGRIND_COUNT_ERRORS - complaints_before;
}

/* All these bytes come from a secret. Asks without complaining. */
static bool are_secret(const void *bytes, size_t len)
{
	uint8_t undefined[64] = {0};

	assert_true(len <= sizeof(undefined));
	assert_int_equal(VALGRIND_GET_VBITS(bytes, undefined, len), 1);
	for (size_t i = 0; i < len; i++) {
		if (undefined[i] == 0)
			return false;
	}
	return true;
}

/* A key whose secret is undefined, and whose public face is not. */
static struct key *secret_key(uint8_t number)
{
	uint8_t secret[32] = {[0] = 0x5e, [31] = number}, found[32];
	struct key *key = NULL;

	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	/* The type is opaque; its first member is the secret, which the next lines make sure of. */
	VALGRIND_MAKE_MEM_UNDEFINED(key, sizeof(secret));
	key_export_secret(key, found);
	assert_true(are_secret(found, sizeof(found)));
	REVEAL(found);
	assert_memory_equal(found, secret, sizeof(secret));
	return key;
}

/* That the method works at all: a branch and an address made of a secret are both seen. */
static void test_leaks_are_seen(void **state)
{
	static const uint8_t table[256] = {1};
	volatile uint8_t secret = 3, seen;

	(void)state;
	VALGRIND_MAKE_MEM_UNDEFINED(&secret, sizeof(secret));
	if (secret == 7)
		seen = 1;
	assert_int_equal(complaints(), 1);
	seen = ((const volatile uint8_t *)table)[secret];
	(void)seen;
	assert_int_equal(complaints(), 2);
}

static void test_sign(void **state)
{
	struct key *key = secret_key(1);
	const struct bytes32 digest = {{1, 2, 3}};
	struct signature signature;

	(void)state;
	key_sign(key, &digest, &signature);
	assert_int_equal(complaints(), 0);
	assert_int_equal(key_verify(&digest, &signature, key_address(key)), ERR_OK);
	key_free(key);
}

static void test_ecdh(void **state)
{
	struct key *one = secret_key(1), *two = secret_key(2);
	struct bytes32 a, b;

	(void)state;
	assert_int_equal(key_ecdh(one, key_id(two), &a), ERR_OK);
	assert_int_equal(key_ecdh(two, key_id(one), &b), ERR_OK);
	assert_int_equal(complaints(), 0);
	assert_true(are_secret(a.b, sizeof(a.b)));
	REVEAL(a);
	REVEAL(b);
	assert_memory_equal(a.b, b.b, sizeof(a.b));
	key_free(one);
	key_free(two);
}

/* Both sides of a handshake, with all four keys secret, up to the two ciphers on each side. */
static void shake(const struct key *client, const struct key *server, struct noise_cipher client_side[2],
		  struct noise_cipher server_side[2])
{
	struct noise_handshake *from = noise_initiator(client, key_id(server)), *to = noise_responder(server);
	uint8_t one[NOISE_ACT_ONE], two[NOISE_ACT_TWO], three[NOISE_ACT_THREE];

	noise_set_ephemeral(from, secret_key(3));
	noise_set_ephemeral(to, secret_key(4));
	noise_write_act_one(from, one);
	REVEAL(one);
	assert_int_equal(noise_read_act_one(to, one), ERR_OK);
	assert_int_equal(noise_write_act_two(to, two), ERR_OK);
	REVEAL(two);
	assert_int_equal(noise_read_act_two(from, two), ERR_OK);
	assert_int_equal(noise_write_act_three(from, three), ERR_OK);
	REVEAL(three);
	assert_int_equal(noise_read_act_three(to, three), ERR_OK);
	assert_true(id_equal(noise_remote(to), key_id(client)));
	noise_split(from, &client_side[0], &client_side[1]);
	noise_split(to, &server_side[0], &server_side[1]);
	noise_free(from);
	noise_free(to);
}

static void test_handshake(void **state)
{
	struct key *client = secret_key(1), *server = secret_key(2);
	struct noise_cipher a[2], b[2];

	(void)state;
	shake(client, server, a, b);
	assert_int_equal(complaints(), 0);
	assert_true(are_secret(a[0].key, sizeof(a[0].key)));
	REVEAL(a);
	REVEAL(b);
	assert_memory_equal(a[0].key, b[1].key, sizeof(a[0].key));
	assert_memory_equal(a[1].key, b[0].key, sizeof(a[1].key));
	key_free(client);
	key_free(server);
}

/* A wrong tag is found without a branch on any part of it but the verdict. */
static void test_wrong_tag(void **state)
{
	struct key *client = secret_key(1), *server = secret_key(2);
	struct noise_handshake *from = noise_initiator(client, key_id(server)), *to = noise_responder(server);
	uint8_t one[NOISE_ACT_ONE];

	(void)state;
	noise_set_ephemeral(from, secret_key(3));
	noise_write_act_one(from, one);
	REVEAL(one);
	one[NOISE_ACT_ONE - 1] ^= 1;
	assert_int_equal(noise_read_act_one(to, one), ERR_AUTH);
	assert_int_equal(complaints(), 0);
	noise_free(from);
	noise_free(to);
	key_free(client);
	key_free(server);
}

/* Messages past a rotation of the key (500 of them), with the cipher's key and the chaining key secret. */
static void test_messages(void **state)
{
	struct noise_cipher send = {.nonce = 0}, receive;
	uint8_t out[NOISE_HEADER + sizeof(MESSAGE) + NOISE_TAG];
	size_t len = 0;

	(void)state;
	VALGRIND_MAKE_MEM_UNDEFINED(send.key, sizeof(send.key));
	VALGRIND_MAKE_MEM_UNDEFINED(send.chaining, sizeof(send.chaining));
	receive = send;
	for (int i = 0; i < 502; i++) {
		noise_encrypt(&send, (const uint8_t *)MESSAGE, sizeof(MESSAGE), out);
		REVEAL(out);
		assert_int_equal(noise_decrypt_header(&receive, out, &len), ERR_OK);
		assert_int_equal(len, sizeof(MESSAGE));
		assert_int_equal(noise_decrypt_body(&receive, out + NOISE_HEADER, len), ERR_OK);
		assert_memory_equal(out + NOISE_HEADER, MESSAGE, len);
	}
	assert_int_equal(send.nonce, 4); /* it was rotated */
	assert_int_equal(complaints(), 0);
}

static struct secret *hidden(uint8_t last)
{
	uint8_t bytes[SECRET_BYTES] = {[SECRET_BYTES - 1] = last};

	VALGRIND_MAKE_MEM_UNDEFINED(bytes, sizeof(bytes));
	return secret_from(bytes);
}

static void test_secrets(void **state)
{
	struct secret *a = hidden(1), *b = hidden(1), *c = hidden(2), *derived;
	bool same, other, child;

	(void)state;
	derived = secret_derive(a, "GranarySecrecy", bytes_of_text("a context"));
	same = secret_equal(a, b);
	other = secret_equal(a, c);
	child = secret_equal(a, derived);
	assert_int_equal(complaints(), 0);
	REVEAL(same);
	REVEAL(other);
	REVEAL(child);
	assert_true(same);
	assert_false(other);
	assert_false(child);
	secret_free(a);
	secret_free(b);
	secret_free(c);
	secret_free(derived);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_leaks_are_seen, begin), cmocka_unit_test_setup(test_sign, begin),
		cmocka_unit_test_setup(test_ecdh, begin),	    cmocka_unit_test_setup(test_handshake, begin),
		cmocka_unit_test_setup(test_wrong_tag, begin),	    cmocka_unit_test_setup(test_messages, begin),
		cmocka_unit_test_setup(test_secrets, begin),
	};

	alarm(300); /* a test that waits for ever is a failure too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
