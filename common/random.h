/* Randomness. Secrets and ids come from the kernel; tests of pure code use the seeded generator. */
#ifndef GRANARY_COMMON_RANDOM_H
#define GRANARY_COMMON_RANDOM_H

#include "common/bytes.h"

/* Fill with unpredictable bytes. */
void random_bytes(void *out, size_t len);
/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(uint64_t bound);

/* A reproducible stream: ChaCha20 keyed with the hash of a seed. Not for secrets. */
struct random_stream {
	uint8_t key[32];
	uint64_t counter;
	uint8_t block[64];
	size_t used;
};
void random_stream_init(struct random_stream *s, struct bytes seed);
uint64_t random_stream_u64(struct random_stream *s);
/* Uniform in [0, bound) without modulo bias, by rejection; bound > 0. */
uint64_t random_stream_below(struct random_stream *s, uint64_t bound);

#endif
