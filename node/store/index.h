/*
 * Where each live piece is: a hash table of 16-byte slots in memory.
 *
 * A slot holds 42 bits of a keyed hash of the piece's key, and the place of its record. The full key is not kept: it
 * stands in the record's head, which is read anyway. Twelve bits of the hash choose one of 4096 small tables with
 * linear probing. Each grows by an eighth when it is seven eighths full, by blocks that it never gives back, so the
 * index grows in small steps, never holds more than one table twice, and takes 18 to 21 bytes per piece (a few more
 * below a million). Strangers choose piece ids, so the hash is keyed with the store's secret. The blocks are in memory
 * or in a mapped file (arena.h).
 *
 * A scan visits the tables one by one while the index is in use. What changes behind it is noted, so that the slots
 * visited and the changes after them make up the index as it was at the moment when the scan ended.
 */
#ifndef GRANARY_NODE_STORE_INDEX_H
#define GRANARY_NODE_STORE_INDEX_H

#include "node/store/arena.h"
#include "node/store/record.h"

#define INDEX_MATCHES 8		  /* more pieces of one 42-bit hash do not happen */
#define INDEX_SEGMENTS (1u << 18) /* rows of the segment table that a slot can name */

/* A slot, unpacked. */
struct index_place {
	uint32_t segment; /* row of the segment table, below INDEX_SEGMENTS */
	uint32_t offset;  /* bytes, a multiple of RECORD_UNIT, not 0, up to 1 GiB */
	uint32_t size;	  /* bytes of payload */
	uint16_t day;	  /* since 1970, on which it expires; 0: never */
	uint8_t flags;	  /* 6 bits: INDEX_… */
};

#define INDEX_TRASHED 1u /* in the trash; `day` says when that may be emptied */
#define INDEX_BAD 2u	 /* its record is damaged: damage.h */
#define INDEX_BAD 2u	 /* reading it failed */

/* Where a record stands, as slots say it. */
struct index_spot {
	uint32_t segment;
	uint32_t offset;
};

struct index_change {
	uint8_t set; /* flags */
	uint8_t clear;
	bool dated; /* `day` counts */
	uint16_t day;
};

/* A slot as it is kept: hash, day, flags; segment, offset in RECORD_UNITs, size. `place` is never 0. */
struct index_slot {
	uint64_t key;
	uint64_t place;
};
struct index_slot index_pack(uint64_t hash, const struct index_place *place);
/* Returns the hash. */
uint64_t index_unpack(const struct index_slot *slot, struct index_place *ret);

struct index;

/* In memory; or in blocks of this arena, which the index frees with itself. */
struct index *index_new(const struct record_secret *secret);
struct index *index_new_in(const struct record_secret *secret, struct arena *arena);
void index_free(struct index *index);

/* Make room for so many pieces at once, for loading them in the order of a scan: a table that grew meanwhile would be
 * crowded at its beginning. */
void index_reserve(struct index *index, uint64_t count);

/* The hash of a key, 42 bits. */
uint64_t index_hash(const struct index *index, uint16_t satellite, const struct bytes32 *piece);
/* All places under this hash, at most INDEX_MATCHES; `pin` is called for each while it cannot be removed. */
size_t index_find(struct index *index, uint64_t hash, void (*pin)(void *arg, uint32_t segment), void *arg,
		  struct index_place ret[INDEX_MATCHES]);
void index_insert(struct index *index, uint64_t hash, const struct index_place *place);
/* Remove the slot of this hash at this segment and offset; false when it is not there. */
bool index_remove(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset, struct index_place *ret);
/* Change flags and day of the slot that stands there; false when it is not there (any more). *ret is the slot as it
 * was. */
bool index_mark(struct index *index, uint64_t hash, const struct index_spot *at, const struct index_change *change,
		struct index_place *ret);
/* The slot that stands there; false when there is none. */
bool index_get(struct index *index, uint64_t hash, const struct index_spot *at, struct index_place *ret);
/* The slot's record was copied: let it name the new place, and keep all else that it says. False when it is not there
 * (any more); else *ret is the slot as it is now. */
bool index_move(struct index *index, uint64_t hash, const struct index_spot *from, const struct index_spot *to,
		struct index_place *ret);
/* Whether the piece at this place is the live one. */
bool index_has(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset);

/* Begin a scan; one at a time. */
void index_scan_begin(struct index *index);
/* Visit the slots of the next table; `each` must not call the index. False when there was none left. */
bool index_scan_next(struct index *index, void (*each)(void *arg, const struct index_slot *slot), void *arg);
/* Slots that were visited and then changed: removed (`new` has place 0), inserted (`old` has), or replaced. */
struct index_edit {
	struct index_slot old;
	struct index_slot new;
};
/* How many so far. */
size_t index_scan_edits(struct index *index);
/* End it, whole or not: the edits in their order, which the caller frees. */
struct index_edit *index_scan_end(struct index *index, size_t *ret_count);

uint64_t index_count(const struct index *index);
/* Bytes that it takes, those of a mapped file too. */
uint64_t index_bytes(struct index *index);

#endif
