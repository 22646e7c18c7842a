/*
 * The stripes of one segment on their way in: proved units in, plaintext of a range out, in order.
 *
 * A stripe is complete when it has the units that the range needs, or any `required` units. Complete stripes are
 * rebuilt where units are missing and decrypted in the pool, one after the other, when the owner can take more.
 * Belongs to the loop's thread.
 *
 * Without a key nothing is decrypted: the units asked for, of data or of parity, come out as they are, with their
 * hashes. That is what repair needs, which may not read what it repairs.
 */
#ifndef GRANARY_UPLINK_GATHER_H
#define GRANARY_UPLINK_GATHER_H

#include "uplink/transfer.h"

struct gather;

/* A stretch of plaintext. Or, without a key, a stripe's units, each of `len` bytes: gather_unit_at. */
struct gather_part {
	uint8_t *buffer; /* of transfer->plain, the taker's from now on */
	size_t from, len;
};

struct gather_events {
	/* May one more stripe be decrypted? Ask again by gather_retry when it was refused. */
	bool (*may_decode)(void *arg);
	/* The next bytes of the range. */
	void (*part)(void *arg, const struct gather_part *part);
	/* A stripe was decrypted: there is room for one more; all were when gather_head is past the last. */
	void (*moved)(void *arg);
	/* A unit that was proved does not decrypt: whoever wrote the segment wrote nonsense. The last event; never
	 * without a key. */
	void (*failed)(void *arg);
};

/* Bytes `from` to `to` (not included, more than `from`) of a segment's plaintext. */
struct gather_range {
	struct segment_layout layout;
	uint64_t from, to;
	struct erasure_set units; /* without a key: what to give out of every stripe of the range */
};

/* Where the i-th unit asked for is in a part, in the order of their numbers, and its tree_block_hash, `count` units
 * being asked for. */
#define GATHER_UNIT_BYTES (SEGMENT_UNIT + sizeof(struct bytes32))
uint8_t *gather_unit_at(uint8_t *buffer, uint32_t i);
struct bytes32 *gather_hash_at(uint8_t *buffer, uint32_t count, uint32_t i);

/* The key is copied; NULL: see above. */
struct gather *gather_new(struct transfer *transfer, const struct gather_range *range, const struct secret *key,
			  const struct gather_events *events, void *arg);
/* No more events; freed when the pool has given back what it works on. */
void gather_free(struct gather *gather);

/* The last stripe that the range touches. */
uint32_t gather_last(const struct gather *gather);
/* The first that was not decrypted yet, and the first that is not complete; past the last one: none. */
uint32_t gather_head(const struct gather *gather);
uint32_t gather_incomplete(const struct gather *gather);

/* Unit `unit` of a stripe, proved; `data` (of uplink->blocks) is the gather's from now on. */
void gather_add(struct gather *gather, uint32_t stripe, uint32_t unit, uint8_t *data);
/* With the units of these pieces besides what is here, every stripe would be complete. */
bool gather_suffices(const struct gather *gather, const struct erasure_set *coming);
void gather_retry(struct gather *gather);

/* The units that bytes from … to of a segment touch in a stripe. */
void gather_wanted(const struct gather_range *range, uint32_t stripe, struct erasure_set *ret);

#endif
