/* A sponge of rate 136 bytes around nettle's Keccak-f[1600]. */
#include "common/keccak.h"

#include <string.h>

void keccak_init(struct keccak *k)
{
	memset(k, 0, sizeof(*k));
}

/* Lanes are little-endian (FIPS 202, section 3.1.2). */
static uint64_t lane_of(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static void absorb_block(struct keccak *k)
{
	for (size_t i = 0; i < sizeof(k->block) / 8; i++)
		k->state.a[i] ^= lane_of(k->block + i * 8);
	sha3_permute(&k->state);
	k->filled = 0;
}

void keccak_update(struct keccak *k, const void *data, size_t len)
{
	const uint8_t *from = data;

	while (len > 0) {
		size_t part = sizeof(k->block) - k->filled;

		if (part > len)
			part = len;
		memcpy(k->block + k->filled, from, part);
		k->filled += part;
		from += part;
		len -= part;
		if (k->filled == sizeof(k->block))
			absorb_block(k);
	}
}

void keccak_final(struct keccak *k, struct bytes32 *ret)
{
	memset(k->block + k->filled, 0, sizeof(k->block) - k->filled);
	k->block[k->filled] ^= 0x01;
	k->block[sizeof(k->block) - 1] ^= 0x80;
	absorb_block(k);
	for (size_t i = 0; i < sizeof(ret->b); i++)
		ret->b[i] = (uint8_t)(k->state.a[i / 8] >> (i % 8 * 8));
}

void keccak_once(const void *data, size_t len, struct bytes32 *ret)
{
	struct keccak k;

	keccak_init(&k);
	keccak_update(&k, data, len);
	keccak_final(&k, ret);
}
