/*
 * BLAKE2b-256 (RFC 7693) with the `personal` field telling the uses apart, so that a hash made for one purpose
 * can never pass for another.
 */
#ifndef GRANARY_COMMON_HASH_H
#define GRANARY_COMMON_HASH_H

#include <sodium.h>

#include "common/bytes.h"

/* A hash under way. Plain value: copying it forks the computation. */
struct hash {
	crypto_generichash_blake2b_state state;
};

/* Start a hash for `personal`, at most 16 bytes of text, padded with zeros. */
void hash_init(struct hash *h, const char *personal);
/* The same with a key of 16 to 64 bytes. */
void hash_init_keyed(struct hash *h, const char *personal, struct bytes key);
void hash_update(struct hash *h, const void *data, size_t len);
void hash_final(struct hash *h, struct bytes32 *ret);

/* All in one call. */
void hash_once(const char *personal, const void *data, size_t len, struct bytes32 *ret);

#endif
