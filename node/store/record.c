/*
 * Heads of records: layout, MACs, checksums.
 *
 * The core's MAC covers the body's, so a core that holds vouches for the whole head. An upload under way has a core
 * that is not committed and nothing behind it; completing it rewrites the head in place.
 */
#include "node/store/record.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <sodium.h>
#include <string.h>

#include "node/store/planted.h"

#define MAGIC 0x47524e52u  /* "GRNR" */
#define COMMIT 0x444f4e45u /* "DONE" */
#define VERSION 1
#define AT_BODY_MAC 112
#define AT_CORE_MAC 120
#define PIECE_FIXED 496 /* bytes of a piece's head before its blocks */
#define PER_BLOCK 36

static uint32_t round_up(uint32_t len)
{
	return (len + RECORD_UNIT - 1) / RECORD_UNIT * RECORD_UNIT;
}

uint32_t record_head_of_piece(uint32_t blocks)
{
	assert(blocks >= 1 && blocks <= TREE_BLOCKS);
	return round_up(PIECE_FIXED + blocks * PER_BLOCK);
}

uint32_t record_head_of(enum record_type type)
{
	switch (type) {
	case RECORD_PIECE:
		return record_head_of_piece(TREE_BLOCKS);
	case RECORD_TOMBSTONE:
	case RECORD_TRASH:
	case RECORD_RESTORE:
		return round_up(RECORD_CORE + 24);
	case RECORD_PAD:
		return RECORD_CORE;
	case RECORD_TRANSFER:
		return round_up(RECORD_CORE + sizeof(struct record_deal));
	}
	return 0;
}

uint32_t record_extent(uint32_t head, uint32_t size)
{
	return head + round_up(size);
}

uint32_t record_checksum(const struct bytes32 *piece, uint32_t block, const void *data, size_t len)
{
	uint8_t seed[36];
	uint32_t crc;

	memcpy(seed, piece->b, 32);
	put_be32(seed + 32, block);
	/* ISA-L takes no const; it reads only. */
	crc = crc32_iscsi(seed, sizeof(seed), UINT32_MAX);
	if (planted(CHECKSUM_HALF))
		len /= 2;
	if (len > 0)
		crc = crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, crc);
	return ~crc;
}

/* SipHash-2-4 of u8 label ‖ u32 segment ‖ u32 offset ‖ data, as a big-endian number. */
static uint64_t mac_of(const struct record_secret *secret, const struct record_place *place, uint8_t label,
		       struct bytes data)
{
	uint8_t input[9 + RECORD_HEAD_MAX], mac[crypto_shorthash_BYTES];
	struct writer w;

	assert(data.len <= RECORD_HEAD_MAX);
	writer_init(&w, input, sizeof(input));
	write_u8(&w, label);
	write_u32(&w, planted(PLACE_NOT_COVERED) ? 0 : place->segment);
	write_u32(&w, planted(PLACE_NOT_COVERED) ? 0 : place->offset);
	write_raw(&w, data.data, data.len);
	crypto_shorthash(mac, input, w.len, secret->b);
	return get_be64(mac);
}

void record_encode_core(struct record *record, const struct record_secret *secret, const struct record_place *place,
			uint8_t out[RECORD_CORE])
{
	struct writer w;

	writer_init(&w, out, RECORD_CORE);
	write_u32(&w, MAGIC);
	write_u8(&w, VERSION);
	write_u8(&w, (uint8_t)record->type);
	write_u16(&w, record->satellite);
	write_raw(&w, record->piece.b, 32);
	write_u64(&w, record->sequence);
	write_u32(&w, record->size);
	write_u32(&w, record->extent);
	write_u32(&w, record->committed ? COMMIT : 0);
	write_u16(&w, (uint16_t)record->head);
	write_u16(&w, 0);
	write_u64(&w, record->created);
	write_u64(&w, record->expires);
	write_raw(&w, record->root.b, 32);
	write_u64(&w, record->body_mac);
	assert(w.len == AT_CORE_MAC);
	write_u64(&w, mac_of(secret, place, 'c', bytes_of(out, AT_CORE_MAC)));
	assert(w.err == ERR_OK);
}

static void encode_deal(struct writer *w, const struct record_deal *deal)
{
	write_raw(w, deal->allocation_hash.b, 32);
	write_raw(w, deal->allocation, sizeof(deal->allocation));
	write_raw(w, deal->order, sizeof(deal->order));
}

static void encode_body(const struct record *record, struct writer *w)
{
	switch (record->type) {
	case RECORD_PIECE:
		write_u64(w, record->stored_at);
		encode_deal(w, &record->deal);
		write_u8(w, 0);
		for (uint32_t i = 0; i < tree_blocks(record->size); i++) {
			write_u32(w, record->checksums[i]);
			write_raw(w, record->blocks[i].b, 32);
		}
		break;
	case RECORD_TOMBSTONE:
	case RECORD_TRASH:
	case RECORD_RESTORE:
		write_u32(w, record->target.place.segment);
		write_u32(w, record->target.place.offset);
		write_u32(w, record->target.size);
		write_u32(w, record->target.extent);
		write_u64(w, record->target.sequence);
		break;
	case RECORD_TRANSFER:
		encode_deal(w, &record->deal);
		break;
	case RECORD_PAD:
		break;
	}
}

void record_encode(struct record *record, const struct record_secret *secret, const struct record_place *place,
		   uint8_t *out)
{
	struct writer w;

	assert(record->head % RECORD_UNIT == 0 && record->head <= RECORD_HEAD_MAX && record->head >= RECORD_CORE);
	record->committed = true;
	memset(out, 0, record->head);
	writer_init(&w, out + RECORD_CORE, record->head - RECORD_CORE);
	encode_body(record, &w);
	assert(w.err == ERR_OK);
	record->body_mac = mac_of(secret, place, 'b', bytes_of(out + RECORD_CORE, record->head - RECORD_CORE));
	record_encode_core(record, secret, place, out);
}

static bool known_type(uint8_t type)
{
	return type >= RECORD_PIECE && type <= RECORD_TRANSFER;
}

/* The MAC holds, so we wrote this; still no number from a disk is followed before it is bounded. */
static bool plausible(const struct record *record)
{
	if (record->head % RECORD_UNIT != 0 || record->extent % RECORD_UNIT != 0)
		return false;
	if (record->head < RECORD_CORE || record->head > RECORD_HEAD_MAX || record->size > TREE_PIECE)
		return false;
	if (record->type != RECORD_PIECE && record->size != 0)
		return false;
	if (record->type == RECORD_PAD)
		return record->extent >= RECORD_CORE;
	if (record->extent < record_extent(record->head, record->size))
		return false;
	if (!record->committed)
		return true;
	if (record->type == RECORD_PIECE)
		return record->head >= record_head_of_piece(tree_blocks(record->size));
	return record->head == record_head_of(record->type);
}

enum err record_decode_core(const uint8_t core[RECORD_CORE], const struct record_secret *secret,
			    const struct record_place *place, struct record *ret)
{
	struct reader r;
	uint8_t version, type;
	uint32_t commit;
	uint64_t mac;

	if (get_be32(core) != MAGIC)
		return ERR_FORMAT;
	reader_init(&r, bytes_of(core, RECORD_CORE));
	read_u32(&r);
	version = read_u8(&r);
	type = read_u8(&r);
	ret->satellite = read_u16(&r);
	read_raw(&r, ret->piece.b, 32);
	ret->sequence = read_u64(&r);
	ret->size = read_u32(&r);
	ret->extent = read_u32(&r);
	commit = read_u32(&r);
	ret->head = read_u16(&r);
	read_u16(&r);
	ret->created = read_u64(&r);
	ret->expires = read_u64(&r);
	read_raw(&r, ret->root.b, 32);
	ret->body_mac = read_u64(&r);
	mac = read_u64(&r);
	if (mac != mac_of(secret, place, 'c', bytes_of(core, AT_CORE_MAC)))
		return ERR_CORRUPT;
	if (version != VERSION || !known_type(type))
		return ERR_UNSUPPORTED;
	ret->type = (enum record_type)type;
	ret->committed = commit == COMMIT;
	return plausible(ret) ? ERR_OK : ERR_CORRUPT;
}

static void decode_deal(struct reader *r, struct record_deal *ret)
{
	read_raw(r, ret->allocation_hash.b, 32);
	read_raw(r, ret->allocation, sizeof(ret->allocation));
	read_raw(r, ret->order, sizeof(ret->order));
}

static void decode_body(struct reader *r, struct record *ret)
{
	switch (ret->type) {
	case RECORD_PIECE:
		ret->stored_at = read_u64(r);
		decode_deal(r, &ret->deal);
		read_u8(r);
		for (uint32_t i = 0; i < tree_blocks(ret->size); i++) {
			ret->checksums[i] = read_u32(r);
			read_raw(r, ret->blocks[i].b, 32);
		}
		break;
	case RECORD_TOMBSTONE:
	case RECORD_TRASH:
	case RECORD_RESTORE:
		ret->target.place.segment = read_u32(r);
		ret->target.place.offset = read_u32(r);
		ret->target.size = read_u32(r);
		ret->target.extent = read_u32(r);
		ret->target.sequence = read_u64(r);
		break;
	case RECORD_TRANSFER:
		decode_deal(r, &ret->deal);
		break;
	case RECORD_PAD:
		break;
	}
}

enum err record_decode(struct bytes from, const struct record_secret *secret, const struct record_place *place,
		       struct record *ret)
{
	struct reader r;
	enum err err;

	if (from.len < RECORD_CORE)
		return ERR_FORMAT;
	err = record_decode_core(from.data, secret, place, ret);
	if (err != ERR_OK)
		return err;
	if (!ret->committed)
		return ERR_NOT_FOUND;
	if (from.len < ret->head)
		return ERR_CORRUPT;
	if (ret->type == RECORD_PAD)
		return ERR_OK;
	reader_init(&r, bytes_of(from.data + RECORD_CORE, ret->head - RECORD_CORE));
	if (mac_of(secret, place, 'b', bytes_of(r.at, r.left)) != ret->body_mac)
		return ERR_CORRUPT;
	decode_body(&r, ret);
	return r.err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

bool record_payload_holds(const struct record *record, const uint8_t *payload)
{
	for (uint32_t i = 0; i < tree_blocks(record->size); i++) {
		size_t len = tree_block_size(record->size, i);

		if (record_checksum(&record->piece, i, payload + (size_t)i * TREE_BLOCK, len) != record->checksums[i])
			return false;
	}
	return true;
}
