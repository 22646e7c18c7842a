/*
 * A Bloom filter over piece ids: what a satellite still wants of a node, in ten bits per piece.
 *
 * A piece that was added is always found. One that was not is found too with the chance 2^-hashes: it stays on the
 * node until another round, whose fresh seed makes other pieces lucky. The hash is SipHash-2-4 with 128 bits, keyed by
 * the seed, so nobody can choose ids that are always, or never, found. A filter covers one shard of the ids, those
 * that begin with the same bits, so that no filter grows beyond FILTER_MOST. doc/formats.md, section 6.5.
 */
#ifndef GRANARY_COMMON_FILTER_H
#define GRANARY_COMMON_FILTER_H

#include "common/bytes.h"

#define FILTER_HASHES 7 /* one piece in 128 is kept by chance */
#define FILTER_HASHES_MOST 16
#define FILTER_BITS_MOST 8 /* so up to 256 shards */
#define FILTER_HEAD 44	   /* encoded bytes before the bits */
#define FILTER_MOST (FILTER_HEAD + (16u << 20))
#define FILTER_CAPACITY 12000000u /* pieces that one filter of FILTER_HASHES should have at most */

struct filter_seed {
	uint8_t b[16];
};

struct filter_shape {
	uint8_t hashes;	 /* 1 to FILTER_HASHES_MOST */
	uint8_t bits;	 /* of the prefix: 2^bits shards */
	uint8_t shard;	 /* the prefix */
	uint64_t time;	 /* Unix seconds: it says nothing about pieces that came later */
	uint64_t pieces; /* that were added, or are about to be */
	struct filter_seed seed;
};

struct filter;

/* The shard of a piece when there are 2^bits of them. */
uint8_t filter_shard(const struct bytes32 *piece, uint8_t bits);
/* The first and the last id that its shard can have. */
void filter_range(const struct filter_shape *shape, struct bytes32 *ret_first, struct bytes32 *ret_last);
/* How many bits of prefix make shards that suit so many pieces. */
uint8_t filter_bits_for(uint64_t pieces);

/* An empty filter with room for shape->pieces. The shape must be sound; more than FILTER_MOST holds is cut to that,
 * and finds more by chance. */
struct filter *filter_new(const struct filter_shape *shape);
void filter_free(struct filter *filter);
const struct filter_shape *filter_shape(const struct filter *filter);
/* Whether the piece is of the filter's shard. */
bool filter_covers(const struct filter *filter, const struct bytes32 *piece);
/* The piece must be of the filter's shard. */
void filter_add(struct filter *filter, const struct bytes32 *piece);
bool filter_has(const struct filter *filter, const struct bytes32 *piece);

/* Bytes of the encoded filter, and any part of them. */
size_t filter_size(const struct filter *filter);
void filter_encode(const struct filter *filter, size_t offset, uint8_t *out, size_t len);
/* BLAKE2b-256 of the encoded filter, personal "granary.filter": what its maker signs. */
void filter_digest(const struct filter *filter, struct bytes32 *ret);
/* ERR_FORMAT, ERR_UNSUPPORTED for a version to come, ERR_RANGE for a shape that cannot be. */
enum err filter_decode(struct bytes from, struct filter **ret) WARN_UNUSED;

/* A filter that comes in parts, each where the one before ended. Zeroed: nothing came yet. */
struct filter_parts {
	uint8_t *data;
	size_t total;
	size_t have;
};
/* A part at 0 begins anew and fixes the total. ERR_RANGE for a total that cannot be or parts beyond it, ERR_CONFLICT
 * for one out of order; then nothing is changed. */
enum err filter_parts_add(struct filter_parts *parts, size_t total, size_t offset, struct bytes part) WARN_UNUSED;
bool filter_parts_complete(const struct filter_parts *parts);
/* Forget all. */
void filter_parts_clear(struct filter_parts *parts);

#endif
