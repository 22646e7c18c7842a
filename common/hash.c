/* BLAKE2b-256 through libsodium. */
#include "common/hash.h"

#include <assert.h>
#include <string.h>

static void personal_field(const char *personal, uint8_t field[crypto_generichash_blake2b_PERSONALBYTES])
{
	size_t len = strlen(personal);

	assert(len <= crypto_generichash_blake2b_PERSONALBYTES);
	memset(field, 0, crypto_generichash_blake2b_PERSONALBYTES);
	memcpy(field, personal, len);
}

void hash_init_keyed(struct hash *h, const char *personal, struct bytes key)
{
	uint8_t field[crypto_generichash_blake2b_PERSONALBYTES];

	personal_field(personal, field);
	if (crypto_generichash_blake2b_init_salt_personal(&h->state, key.data, key.len, 32, NULL, field) != 0)
		assert(!"BLAKE2b parameters");
}

void hash_init(struct hash *h, const char *personal)
{
	hash_init_keyed(h, personal, bytes_of(NULL, 0));
}

void hash_update(struct hash *h, const void *data, size_t len)
{
	if (len > 0)
		crypto_generichash_blake2b_update(&h->state, data, len);
}

void hash_final(struct hash *h, struct bytes32 *ret)
{
	crypto_generichash_blake2b_final(&h->state, ret->b, sizeof(ret->b));
}

void hash_once(const char *personal, const void *data, size_t len, struct bytes32 *ret)
{
	struct hash h;

	hash_init(&h, personal);
	hash_update(&h, data, len);
	hash_final(&h, ret);
}
