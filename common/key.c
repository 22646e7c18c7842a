/*
 * secp256k1 through libsecp256k1, the secret in libsodium's guarded memory.
 *
 * One context for the process, made and randomised before main runs (blinding against side channels); it is never
 * changed afterwards and never freed, so all threads share it to the end.
 */
#include "common/key.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>
#include <sodium.h>

#include "common/file.h"
#include "common/hex.h"
#include "common/keccak.h"
#include "common/random.h"

struct key {
	uint8_t secret[32];
	struct id id;
	struct address address;
};

static secp256k1_context *context;

__attribute__((constructor)) static void make_context(void)
{
	uint8_t seed[32];

	if (sodium_init() < 0)
		abort();
	context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	random_bytes(seed, sizeof(seed));
	if (secp256k1_context_randomize(context, seed) != 1)
		abort();
	sodium_memzero(seed, sizeof(seed));
}

static void point_to_address(const secp256k1_pubkey *point, struct address *ret)
{
	uint8_t full[65];
	size_t len = sizeof(full);
	struct bytes32 hash;

	secp256k1_ec_pubkey_serialize(context, full, &len, point, SECP256K1_EC_UNCOMPRESSED);
	keccak_once(full + 1, 64, &hash);
	memcpy(ret->b, hash.b + 12, sizeof(ret->b));
}

enum err key_from_secret(const uint8_t secret[32], struct key **ret)
{
	secp256k1_pubkey point;
	size_t len = KEY_ID_BYTES;
	struct key *key;

	if (secp256k1_ec_pubkey_create(context, &point, secret) != 1)
		return ERR_RANGE;
	key = sodium_malloc(sizeof(*key));
	if (key == NULL)
		abort();
	memcpy(key->secret, secret, sizeof(key->secret));
	secp256k1_ec_pubkey_serialize(context, key->id.b, &len, &point, SECP256K1_EC_COMPRESSED);
	point_to_address(&point, &key->address);
	*ret = key;
	return ERR_OK;
}

struct key *key_generate(void)
{
	uint8_t secret[32];
	struct key *key = NULL;
	enum err err;

	do {
		random_bytes(secret, sizeof(secret));
		err = key_from_secret(secret, &key);
	} while (err != ERR_OK);
	sodium_memzero(secret, sizeof(secret));
	return key;
}

void key_free(struct key *key)
{
	if (key != NULL)
		sodium_free(key);
}

void key_export_secret(const struct key *key, uint8_t secret[32])
{
	memcpy(secret, key->secret, sizeof(key->secret));
}

#define KEY_DIGITS 64

/* The digits of an open key file, which may end in a line feed and must hold nothing else. */
static enum err read_digits(int fd, char text[KEY_DIGITS + 3])
{
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	if ((st.st_mode & 077) != 0)
		return ERR_DENIED;
	if (!S_ISREG(st.st_mode))
		return ERR_FORMAT;
	got = read(fd, text, KEY_DIGITS + 2); /* one more than may be there */
	if (got < 0)
		return ERR_IO;
	if (got == KEY_DIGITS + 1 && text[KEY_DIGITS] == '\n')
		got--;
	if (got != KEY_DIGITS)
		return ERR_FORMAT;
	text[KEY_DIGITS] = '\0';
	return ERR_OK;
}

enum err key_load(const char *path, struct key **ret)
{
	char text[KEY_DIGITS + 3] = {0};
	uint8_t secret[32];
	enum err err;
	/* Not blocking, lest a pipe in its place make a daemon wait for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_from_errno(errno);
	err = read_digits(fd, text);
	close(fd);
	if (err == ERR_OK)
		err = hex_decode(text, secret, sizeof(secret));
	if (err == ERR_OK)
		err = key_from_secret(secret, ret);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(secret, sizeof(secret));
	return err == ERR_RANGE ? ERR_FORMAT : err;
}

enum err key_save(const struct key *key, const char *path)
{
	char text[KEY_DIGITS + 1];
	enum err err;

	hex_encode(bytes_of(key->secret, sizeof(key->secret)), text);
	text[KEY_DIGITS] = '\n'; /* in the place of the NUL */
	err = file_create(path, bytes_of(text, sizeof(text)), 0600);
	sodium_memzero(text, sizeof(text));
	return err;
}

const struct id *key_id(const struct key *key)
{
	return &key->id;
}

const struct address *key_address(const struct key *key)
{
	return &key->address;
}

void key_sign(const struct key *key, const struct bytes32 *digest, struct signature *ret)
{
	secp256k1_ecdsa_recoverable_signature sig;
	int recovery;

	if (secp256k1_ecdsa_sign_recoverable(context, &sig, digest->b, key->secret, NULL, NULL) != 1)
		abort();
	secp256k1_ecdsa_recoverable_signature_serialize_compact(context, ret->b, &recovery, &sig);
	ret->b[64] = (uint8_t)(27 + recovery);
}

/* n / 2 of secp256k1: s above it is the malleable twin of a signature (EIP-2). */
static const uint8_t half_order[32] = {
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
};

bool signature_is_low(const struct signature *signature)
{
	return memcmp(signature->b + 32, half_order, sizeof(half_order)) <= 0;
}

enum err key_recover(const struct bytes32 *digest, const struct signature *signature, struct address *ret)
{
	secp256k1_ecdsa_recoverable_signature sig;
	secp256k1_pubkey point;
	uint8_t v = signature->b[64];

	if ((v != 27 && v != 28) || !signature_is_low(signature))
		return ERR_SIGNATURE;
	if (secp256k1_ecdsa_recoverable_signature_parse_compact(context, &sig, signature->b, v - 27) != 1)
		return ERR_SIGNATURE;
	if (secp256k1_ecdsa_recover(context, &point, &sig, digest->b) != 1)
		return ERR_SIGNATURE;
	point_to_address(&point, ret);
	return ERR_OK;
}

enum err key_verify(const struct bytes32 *digest, const struct signature *signature, const struct address *address)
{
	struct address signer;
	enum err err = key_recover(digest, signature, &signer);

	if (err != ERR_OK)
		return err;
	return address_equal(&signer, address) ? ERR_OK : ERR_SIGNATURE;
}

enum err key_ecdh(const struct key *key, const struct id *id, struct bytes32 *ret)
{
	secp256k1_pubkey point;

	if (secp256k1_ec_pubkey_parse(context, &point, id->b, sizeof(id->b)) != 1)
		return ERR_CRYPTO;
	/* The library's default hash is SHA-256 of the compressed point, as BOLT #8 asks. */
	return secp256k1_ecdh(context, ret->b, &point, key->secret, NULL, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

enum err id_check(const struct id *id)
{
	secp256k1_pubkey point;

	return secp256k1_ec_pubkey_parse(context, &point, id->b, sizeof(id->b)) == 1 ? ERR_OK : ERR_FORMAT;
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void id_to_hex(const struct id *id, char out[KEY_ID_HEX])
{
	hex_encode(bytes_of(id->b, sizeof(id->b)), out);
}

enum err id_from_hex(const char *text, struct id *ret)
{
	struct id id;
	enum err err = hex_decode(text, id.b, sizeof(id.b));

	if (err == ERR_OK)
		err = id_check(&id);
	if (err == ERR_OK)
		*ret = id;
	return err;
}

enum err id_to_address(const struct id *id, struct address *ret)
{
	secp256k1_pubkey point;

	if (secp256k1_ec_pubkey_parse(context, &point, id->b, sizeof(id->b)) != 1)
		return ERR_FORMAT;
	point_to_address(&point, ret);
	return ERR_OK;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool address_is_zero(const struct address *a)
{
	static const struct address zero;

	return address_equal(a, &zero);
}

/* EIP-55: a letter is upper case where the same digit of keccak256(lower-case hex) is 8 or more. */
void address_to_text(const struct address *address, char out[KEY_ADDRESS_TEXT])
{
	struct bytes32 hash;

	out[0] = '0';
	out[1] = 'x';
	hex_encode(bytes_of(address->b, sizeof(address->b)), out + 2);
	keccak_once(out + 2, 40, &hash);
	for (size_t i = 0; i < 40; i++) {
		uint8_t digit = (uint8_t)(hash.b[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15;

		if (digit >= 8 && out[2 + i] >= 'a')
			out[2 + i] = (char)(out[2 + i] - 'a' + 'A');
	}
}

enum err address_from_text(const char *text, struct address *ret)
{
	struct address address;
	char checked[KEY_ADDRESS_TEXT];
	bool lower, upper;
	enum err err = hex_decode(text, address.b, sizeof(address.b));

	if (err != ERR_OK)
		return err;
	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	lower = strpbrk(text, "ABCDEF") == NULL;
	upper = strpbrk(text, "abcdef") == NULL;
	address_to_text(&address, checked);
	if (!lower && !upper && strcmp(checked + 2, text) != 0)
		return ERR_FORMAT;
	*ret = address;
	return ERR_OK;
}
