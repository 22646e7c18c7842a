/*
 * Bits in a row. With h ‖ g the two halves of a piece's hash, g made odd, its bits are those at
 * floor((h + i·g mod 2^64) · bits / 2^64) for i below `hashes`.
 */
#include "common/filter.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/memory.h"

#define VERSION 1
#define LEAST 8 /* bytes of bits */

struct filter {
	struct filter_shape shape;
	uint32_t len; /* bytes of bits */
	uint8_t head[FILTER_HEAD];
	uint8_t bits[];
};

struct probe {
	uint64_t at;
	uint64_t step;
};

uint8_t filter_shard(const struct bytes32 *piece, uint8_t bits)
{
	assert(bits <= FILTER_BITS_MOST);
	return bits == 0 ? 0 : (uint8_t)(piece->b[0] >> (8 - bits));
}

void filter_range(const struct filter_shape *shape, struct bytes32 *ret_first, struct bytes32 *ret_last)
{
	memset(ret_first->b, 0, sizeof(ret_first->b));
	memset(ret_last->b, 0xff, sizeof(ret_last->b));
	if (shape->bits == 0)
		return;
	ret_first->b[0] = (uint8_t)(shape->shard << (8 - shape->bits));
	ret_last->b[0] = (uint8_t)(ret_first->b[0] | 0xff >> shape->bits);
}

uint8_t filter_bits_for(uint64_t pieces)
{
	uint8_t bits = 0;

	/* Ids are spread evenly, nearly. */
	while (bits < FILTER_BITS_MOST && pieces >> bits > FILTER_CAPACITY)
		bits++;
	return bits;
}

static bool sound(const struct filter_shape *shape)
{
	return shape->hashes >= 1 && shape->hashes <= FILTER_HASHES_MOST && shape->bits <= FILTER_BITS_MOST &&
	       shape->shard >> shape->bits == 0;
}

/* hashes ÷ ln 2 bits per piece are the fewest for a chance of 2^-hashes. */
static uint32_t length_for(const struct filter_shape *shape)
{
	uint64_t most = FILTER_MOST - FILTER_HEAD, bytes = most;

	if (shape->pieces < most)
		bytes = (shape->pieces * shape->hashes * 14427 / 10000 + 7) / 8;
	if (bytes > most)
		bytes = most;
	return bytes < LEAST ? LEAST : (uint32_t)bytes;
}

static struct filter *make(const struct filter_shape *shape, uint32_t len)
{
	struct filter *filter = memory_new(1, sizeof(*filter) + len);
	struct writer w;

	filter->shape = *shape;
	filter->len = len;
	writer_init(&w, filter->head, FILTER_HEAD);
	write_u8(&w, VERSION);
	write_u8(&w, shape->hashes);
	write_u8(&w, shape->bits);
	write_u8(&w, shape->shard);
	write_u64(&w, shape->time);
	write_u64(&w, shape->pieces);
	write_raw(&w, shape->seed.b, sizeof(shape->seed.b));
	write_u64(&w, len);
	assert(w.err == ERR_OK && w.len == FILTER_HEAD);
	return filter;
}

struct filter *filter_new(const struct filter_shape *shape)
{
	assert(sound(shape));
	return make(shape, length_for(shape));
}

void filter_free(struct filter *filter)
{
	free(filter);
}

const struct filter_shape *filter_shape(const struct filter *filter)
{
	return &filter->shape;
}

bool filter_covers(const struct filter *filter, const struct bytes32 *piece)
{
	return filter_shard(piece, filter->shape.bits) == filter->shape.shard;
}

static struct probe probe_of(const struct filter *filter, const struct bytes32 *piece)
{
	uint8_t hash[crypto_shorthash_siphashx24_BYTES];

	crypto_shorthash_siphashx24(hash, piece->b, sizeof(piece->b), filter->shape.seed.b);
	return (struct probe){get_be64(hash), get_be64(hash + 8) | 1};
}

/* The next bit's number. */
static uint64_t advance(const struct filter *filter, struct probe *probe)
{
	uint64_t bit = (uint64_t)((uint128)probe->at * ((uint64_t)filter->len * 8) >> 64);

	probe->at += probe->step;
	return bit;
}

void filter_add(struct filter *filter, const struct bytes32 *piece)
{
	struct probe probe = probe_of(filter, piece);

	assert(filter_covers(filter, piece));
	for (uint8_t i = 0; i < filter->shape.hashes; i++) {
		uint64_t bit = advance(filter, &probe);

		filter->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

bool filter_has(const struct filter *filter, const struct bytes32 *piece)
{
	struct probe probe = probe_of(filter, piece);

	for (uint8_t i = 0; i < filter->shape.hashes; i++) {
		uint64_t bit = advance(filter, &probe);

		if ((filter->bits[bit / 8] & 1u << bit % 8) == 0)
			return false;
	}
	return true;
}

size_t filter_size(const struct filter *filter)
{
	return FILTER_HEAD + (size_t)filter->len;
}

void filter_encode(const struct filter *filter, size_t offset, uint8_t *out, size_t len)
{
	size_t head = 0;

	assert(offset <= filter_size(filter) && len <= filter_size(filter) - offset);
	if (offset < FILTER_HEAD) {
		head = FILTER_HEAD - offset < len ? FILTER_HEAD - offset : len;
		memcpy(out, filter->head + offset, head);
	}
	if (len > head)
		memcpy(out + head, filter->bits + offset + head - FILTER_HEAD, len - head);
}

void filter_digest(const struct filter *filter, struct bytes32 *ret)
{
	struct hash h;

	hash_init(&h, "granary.filter");
	hash_update(&h, filter->head, FILTER_HEAD);
	hash_update(&h, filter->bits, filter->len);
	hash_final(&h, ret);
}

enum err filter_decode(struct bytes from, struct filter **ret)
{
	struct filter_shape shape;
	struct filter *filter;
	struct reader r;
	uint8_t version;
	uint64_t len;

	reader_init(&r, from);
	version = read_u8(&r);
	shape.hashes = read_u8(&r);
	shape.bits = read_u8(&r);
	shape.shard = read_u8(&r);
	shape.time = read_u64(&r);
	shape.pieces = read_u64(&r);
	read_raw(&r, shape.seed.b, sizeof(shape.seed.b));
	len = read_u64(&r);
	if (r.err != ERR_OK)
		return ERR_FORMAT;
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	if (!sound(&shape) || len < LEAST || len > FILTER_MOST - FILTER_HEAD)
		return ERR_RANGE;
	if (len != r.left)
		return ERR_FORMAT;
	filter = make(&shape, (uint32_t)len);
	read_raw(&r, filter->bits, len);
	*ret = filter;
	return ERR_OK;
}

enum err filter_parts_add(struct filter_parts *parts, size_t total, size_t offset, struct bytes part)
{
	if (total < FILTER_HEAD + LEAST || total > FILTER_MOST || offset > total || part.len > total - offset)
		return ERR_RANGE;
	if (offset != 0 && (parts->data == NULL || total != parts->total || offset != parts->have))
		return ERR_CONFLICT;
	if (offset == 0) {
		filter_parts_clear(parts);
		parts->data = memory_new(1, total);
		parts->total = total;
	}
	memcpy(parts->data + offset, part.data, part.len);
	parts->have = offset + part.len;
	return ERR_OK;
}

bool filter_parts_complete(const struct filter_parts *parts)
{
	return parts->data != NULL && parts->have == parts->total;
}

void filter_parts_clear(struct filter_parts *parts)
{
	free(parts->data);
	*parts = (struct filter_parts){NULL, 0, 0};
}
