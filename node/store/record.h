/*
 * One record of a segment: a head, then (pieces only) the payload. Pure: bytes in, bytes out.
 *
 * A head is 64-byte aligned and starts with a core of 128 bytes that can be checked by itself: what the record is,
 * how far it reaches, and whether it was completed. Both the core and the rest of the head carry a SipHash-2-4 MAC
 * under a secret of the store, over the segment's number and the record's offset too. Payloads are chosen by
 * strangers, so nothing that they write may pass for a head, and a block that the disk put in the wrong place, or
 * left from before, must not pass for a live one. Each 32 KiB of payload has a CRC-32C seeded with the piece and the
 * block's number. doc/formats.md, section 6, has every byte.
 */
#ifndef GRANARY_NODE_STORE_RECORD_H
#define GRANARY_NODE_STORE_RECORD_H

#include "audit/tree.h"
#include "payments/typed.h"

#define RECORD_UNIT 64
#define RECORD_CORE 128
#define RECORD_ALLOCATION 222 /* bytes of a signed Allocation */
#define RECORD_ORDER 105      /* bytes of a signed Order */
#define RECORD_HEAD_MAX 2816  /* the head of a piece of TREE_BLOCKS blocks */
#define RECORD_SMALL 65536    /* pieces up to here are written, and read, in one call */

enum record_type {
	RECORD_PIECE = 1,
	RECORD_TOMBSTONE = 2, /* the piece that `target` names is deleted */
	RECORD_TRASH = 3,     /* … is in the trash */
	RECORD_RESTORE = 4,   /* … is out of it again */
	RECORD_PAD = 5,	      /* nothing, up to the next record */
	RECORD_TRANSFER = 6,  /* a used serial, and the last order of its transfer */
};

/* The store's own, 16 bytes. */
struct record_secret {
	uint8_t b[16];
};

/* Where a record stands: the MACs cover it. */
struct record_place {
	uint32_t segment; /* id */
	uint32_t offset;  /* bytes from the file's start */
};

/* What was agreed about a transfer, in the wire form of payments/typed.h. */
struct record_deal {
	struct bytes32 allocation_hash; /* struct hash */
	uint8_t allocation[RECORD_ALLOCATION];
	uint8_t order[RECORD_ORDER];
};

/* What a tombstone, trash or restore record speaks of. */
struct record_target {
	struct record_place place;
	uint32_t size;
	uint32_t extent;
	uint64_t sequence;
};

struct record {
	enum record_type type;
	bool committed; /* false: an upload was under way here; only the core holds */
	uint16_t satellite;
	struct bytes32 piece;
	uint64_t sequence;
	uint32_t size;	  /* bytes of payload */
	uint32_t extent;  /* bytes from here to the next record */
	uint32_t head;	  /* bytes of the head; the payload follows */
	uint64_t created; /* Unix seconds */
	uint64_t expires; /* Unix seconds, 0: never; of a transfer: its allocation's */
	struct bytes32 root;
	uint64_t body_mac;
	/* the body, by type: */
	uint64_t stored_at;		 /* PIECE */
	struct record_deal deal;	 /* PIECE, TRANSFER */
	struct record_target target;	 /* TOMBSTONE, TRASH, RESTORE */
	uint32_t checksums[TREE_BLOCKS]; /* PIECE: tree_blocks(size) of each */
	struct bytes32 blocks[TREE_BLOCKS];
};

/* Bytes of a complete head: of a piece of so many blocks; of the other types. Multiples of RECORD_UNIT. */
uint32_t record_head_of_piece(uint32_t blocks);
uint32_t record_head_of(enum record_type type);
/* Bytes that a head and a payload take together, rounded up to RECORD_UNIT. */
uint32_t record_extent(uint32_t head, uint32_t size);

/* The core alone, as it is written while an upload is under way (committed false), or for a pad. */
void record_encode_core(struct record *record, const struct record_secret *secret, const struct record_place *place,
			uint8_t out[RECORD_CORE]);
/* The whole head: record->head bytes, committed. */
void record_encode(struct record *record, const struct record_secret *secret, const struct record_place *place,
		   uint8_t *out);

/* Read a core. ERR_FORMAT when there is none (the common case in a scan), ERR_UNSUPPORTED for a version to come,
 * ERR_CORRUPT when its MAC or its numbers do not hold. The body's members are left alone. */
enum err record_decode_core(const uint8_t core[RECORD_CORE], const struct record_secret *secret,
			    const struct record_place *place, struct record *ret) WARN_UNUSED;
/* Read a whole head, of which `from` holds at least record->head bytes. An uncommitted one is ERR_NOT_FOUND. On
 * failure *ret holds anything. */
enum err record_decode(struct bytes from, const struct record_secret *secret, const struct record_place *place,
		       struct record *ret) WARN_UNUSED;

/* Whether the payload of a decoded PIECE is what its checksums say. */
bool record_payload_holds(const struct record *record, const uint8_t *payload);

/* CRC-32C of piece ‖ u32 block ‖ data. */
uint32_t record_checksum(const struct bytes32 *piece, uint32_t block, const void *data, size_t len);

#endif
