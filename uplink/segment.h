/*
 * The geometry of a segment: which byte of a file lies in which unit of which piece. Pure arithmetic.
 *
 * A segment of plain_size bytes is cut into units; `required` (k) units make a stripe, unit i of each stripe goes to
 * piece i, and stripe s is bytes s × SEGMENT_UNIT … of every piece, which is block s of the piece. A unit is an AEAD
 * unit: unit size - 16 bytes of plaintext, encrypted, and the 16-byte tag; its number is stripe × k + i. A unit of
 * any stripe but the last is one block: 32,752 bytes of plaintext and the tag. The last stripe, with `rest` bytes of
 * plaintext left, has units of ceil(rest ÷ k) + 16 bytes rounded up to a multiple of 64.
 *
 * The rounding is filled inside the encryption: the rest is laid out over the last stripe's units, each taking
 * unit size - 16 bytes, and padded with zeros to fill all k of them. So all units of a stripe have ciphertext of the
 * same, known length, the padding is authenticated, and a trailing unit may hold no plaintext at all.
 */
#ifndef GRANARY_UPLINK_SEGMENT_H
#define GRANARY_UPLINK_SEGMENT_H

#include "common/bytes.h"

#define SEGMENT_UNIT 32768
#define SEGMENT_TAG 16
#define SEGMENT_UNIT_PLAIN (SEGMENT_UNIT - SEGMENT_TAG)
#define SEGMENT_ALIGN 64
#define SEGMENT_STRIPES 64
#define SEGMENT_REQUIRED 255 /* most units of data in a stripe */

struct segment_layout {
	uint64_t plain_size;
	uint64_t piece_size;
	uint32_t required;
	uint32_t stripes;
	uint32_t last_unit; /* bytes of each unit of the last stripe */
};

struct segment_place {
	uint32_t stripe;
	uint32_t unit;	 /* which is also the number of the piece */
	uint32_t offset; /* in the unit's plaintext */
};

/* The plaintext of a full stripe and of a full segment, in bytes. */
uint64_t segment_stripe_plain_max(uint32_t required);
uint64_t segment_plain_max(uint32_t required);

/* ERR_RANGE unless 1 ≤ required ≤ SEGMENT_REQUIRED and 1 ≤ plain_size ≤ segment_plain_max(required). */
enum err segment_plan(uint64_t plain_size, uint32_t required, struct segment_layout *ret) WARN_UNUSED;

/* Bytes of every unit of a stripe: of the ciphertext with its tag, as it lies in the piece. */
uint32_t segment_unit_size(const struct segment_layout *layout, uint32_t stripe);
/* Plaintext bytes of a stripe, padding not counted. */
uint64_t segment_stripe_plain(const struct segment_layout *layout, uint32_t stripe);
/* Plaintext bytes that unit `unit` (< required) of a stripe holds before its padding; 0 for one that is all
 * padding. */
uint32_t segment_unit_plain(const struct segment_layout *layout, uint32_t stripe, uint32_t unit);
/* Where in the segment's plaintext a stripe and a unit begin; of a unit without plaintext, plain_size. */
uint64_t segment_stripe_start(const struct segment_layout *layout, uint32_t stripe);
uint64_t segment_unit_start(const struct segment_layout *layout, uint32_t stripe, uint32_t unit);
/* The number by which a unit is encrypted. */
uint64_t segment_unit_number(const struct segment_layout *layout, uint32_t stripe, uint32_t unit);

/* Where the plaintext byte at `offset` is. ERR_RANGE at or past plain_size. */
enum err segment_find(const struct segment_layout *layout, uint64_t offset, struct segment_place *ret) WARN_UNUSED;

#endif
