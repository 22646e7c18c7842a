/*
 * secp256k1 keys: one per party, both its transport identity and the signer of its money.
 *
 * The public face is plain data (id, address, signature); the secret lives in one opaque type, in guarded memory,
 * wiped when freed, and nothing can print it.
 */
#ifndef GRANARY_COMMON_KEY_H
#define GRANARY_COMMON_KEY_H

#include "common/bytes.h"

#define KEY_ID_BYTES 33
#define KEY_ID_HEX (2 * KEY_ID_BYTES + 1)
#define KEY_ADDRESS_TEXT 43

struct id {
	uint8_t b[KEY_ID_BYTES]; /* SEC1 compressed point */
};

struct address {
	uint8_t b[20];
};

/* r ‖ s ‖ v, low-s, v 27 or 28. */
struct signature {
	uint8_t b[65];
};

struct key;

/* A new random key. Never fails (aborts without memory). */
struct key *key_generate(void);
/* From 32 secret bytes; ERR_RANGE when they are not a valid scalar. */
enum err key_from_secret(const uint8_t secret[32], struct key **ret) WARN_UNUSED;
void key_free(struct key *key);

/* Read DIR/key: 64 hex digits, mode 0600. ERR_DENIED when the mode is wider, ERR_FORMAT, ERR_NOT_FOUND, ERR_IO. */
enum err key_load(const char *path, struct key **ret) WARN_UNUSED;
/* Write it durably with mode 0600; ERR_EXISTS rather than replacing one. */
enum err key_save(const struct key *key, const char *path) WARN_UNUSED;
/* Copy the 32 secret bytes out, for storing an access; the caller wipes them. */
void key_export_secret(const struct key *key, uint8_t secret[32]);

const struct id *key_id(const struct key *key);
const struct address *key_address(const struct key *key);

/* Sign a 32-byte digest, deterministically (RFC 6979), low-s, recoverable. */
void key_sign(const struct key *key, const struct bytes32 *digest, struct signature *ret);

/* s is in the lower half of the order (EIP-2). */
bool signature_is_low(const struct signature *signature);
/* The address that signed. ERR_SIGNATURE on high-s (EIP-2), on v other than 27 and 28, on any bad r or s. */
enum err key_recover(const struct bytes32 *digest, const struct signature *signature, struct address *ret) WARN_UNUSED;
/* ERR_OK when `address` signed `digest`. */
enum err key_verify(const struct bytes32 *digest, const struct signature *signature,
		    const struct address *address) WARN_UNUSED;

/* BOLT #8: SHA-256 of the compressed shared point. ERR_CRYPTO when `id` is no point. */
enum err key_ecdh(const struct key *key, const struct id *id, struct bytes32 *ret) WARN_UNUSED;

/* ERR_FORMAT unless the bytes are a point on the curve. */
enum err id_check(const struct id *id) WARN_UNUSED;
bool id_equal(const struct id *a, const struct id *b);
void id_to_hex(const struct id *id, char out[KEY_ID_HEX]);
enum err id_from_hex(const char *text, struct id *ret) WARN_UNUSED;
/* The Ethereum address of a public key; ERR_FORMAT when it is no point. */
enum err id_to_address(const struct id *id, struct address *ret) WARN_UNUSED;

bool address_equal(const struct address *a, const struct address *b);
bool address_is_zero(const struct address *a);
/* "0x…" with the EIP-55 checksum. */
void address_to_text(const struct address *address, char out[KEY_ADDRESS_TEXT]);
/* Accepts all-lower, all-upper or a correct EIP-55 checksum; ERR_FORMAT for anything else. */
enum err address_from_text(const char *text, struct address *ret) WARN_UNUSED;

#endif
