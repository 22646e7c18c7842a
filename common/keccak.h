/* Keccak-256 as Ethereum uses it: the original padding 0x01, not that of FIPS 202. */
#ifndef GRANARY_COMMON_KECCAK_H
#define GRANARY_COMMON_KECCAK_H

#include <nettle/sha3.h>

#include "common/bytes.h"

struct keccak {
	struct sha3_state state;
	uint8_t block[136];
	size_t filled;
};

void keccak_init(struct keccak *k);
void keccak_update(struct keccak *k, const void *data, size_t len);
void keccak_final(struct keccak *k, struct bytes32 *ret);
void keccak_once(const void *data, size_t len, struct bytes32 *ret);

#endif
