/* Randomness from libsodium, and a seeded stream for everything that must be reproducible. */
#include "common/random.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "common/hash.h"

void random_bytes(void *out, size_t len)
{
	randombytes_buf(out, len);
}

/* Values at or above the largest multiple of bound would favour small results. */
static bool unbiased(uint64_t value, uint64_t bound, uint64_t *ret)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound;

	*ret = value % bound;
	return value < limit;
}

uint64_t random_below(uint64_t bound)
{
	uint64_t value, result;

	assert(bound > 0);
	do {
		random_bytes(&value, sizeof(value));
	} while (!unbiased(value, bound, &result));
	return result;
}

void random_stream_init(struct random_stream *s, struct bytes seed)
{
	struct bytes32 key;

	memset(s, 0, sizeof(*s));
	hash_once("granary.stream", seed.data, seed.len, &key);
	memcpy(s->key, key.b, sizeof(s->key));
	s->used = sizeof(s->block);
}

uint64_t random_stream_u64(struct random_stream *s)
{
	uint64_t value;

	if (s->used == sizeof(s->block)) {
		static const uint8_t zeros[64];
		uint8_t nonce[8] = {0};

		crypto_stream_chacha20_xor_ic(s->block, zeros, sizeof(zeros), nonce, s->counter++, s->key);
		s->used = 0;
	}
	value = get_be64(s->block + s->used);
	s->used += 8;
	return value;
}

uint64_t random_stream_below(struct random_stream *s, uint64_t bound)
{
	uint64_t result;

	assert(bound > 0);
	while (!unbiased(random_stream_u64(s), bound, &result))
		;
	return result;
}
