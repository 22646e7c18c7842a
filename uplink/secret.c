/* Secrets in libsodium's guarded memory. */
#include "uplink/secret.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/hash.h"
#include "common/random.h"

struct secret {
	uint8_t bytes[SECRET_BYTES];
};

static struct secret *secret_alloc(void)
{
	struct secret *secret;

	if (sodium_init() < 0)
		abort();
	secret = sodium_malloc(sizeof(*secret));
	if (secret == NULL)
		abort();
	return secret;
}

struct secret *secret_generate(void)
{
	struct secret *secret = secret_alloc();

	random_bytes(secret->bytes, sizeof(secret->bytes));
	return secret;
}

struct secret *secret_from(const uint8_t bytes[SECRET_BYTES])
{
	struct secret *secret = secret_alloc();

	memcpy(secret->bytes, bytes, sizeof(secret->bytes));
	return secret;
}

struct secret *secret_derive(const struct secret *parent, const char *label, struct bytes context)
{
	struct secret *secret = secret_alloc();
	struct bytes32 derived;
	struct hash h;

	hash_init_keyed(&h, label, bytes_of(parent->bytes, sizeof(parent->bytes)));
	hash_update(&h, context.data, context.len);
	hash_final(&h, &derived);
	memcpy(secret->bytes, derived.b, sizeof(secret->bytes));
	sodium_memzero(&derived, sizeof(derived));
	sodium_memzero(&h, sizeof(h));
	return secret;
}

const uint8_t *secret_bytes(const struct secret *secret)
{
	return secret->bytes;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return sodium_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* sodium_free wipes. */
void secret_free(struct secret *secret)
{
	sodium_free(secret);
}
