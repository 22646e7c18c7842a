/*
 * Reed–Solomon over GF(2^8) with ISA-L: the units of a stripe, any `required` of which make all `total`.
 *
 * The code is systematic: units 0 … required - 1 are the data as it is, the others are parity from ISA-L's Cauchy
 * matrix (gf_gen_cauchy1_matrix), every square part of which is invertible. Units are worked on at one length, at
 * most ERASURE_UNIT and a multiple of 64. Pure.
 */
#ifndef GRANARY_UPLINK_ERASURE_H
#define GRANARY_UPLINK_ERASURE_H

#include "common/bytes.h"

#define ERASURE_TOTAL 255  /* most units of a stripe */
#define ERASURE_UNIT 32768 /* most bytes of a unit */
#define ERASURE_ALIGN 64

/* A set of unit numbers. Zero-initialised is empty. */
struct erasure_set {
	uint64_t bits[4];
};

static inline void erasure_set_add(struct erasure_set *set, uint32_t unit)
{
	set->bits[unit / 64 % 4] |= UINT64_C(1) << unit % 64;
}

static inline void erasure_set_remove(struct erasure_set *set, uint32_t unit)
{
	set->bits[unit / 64 % 4] &= ~(UINT64_C(1) << unit % 64);
}

static inline bool erasure_set_has(const struct erasure_set *set, uint32_t unit)
{
	return unit < 256 && (set->bits[unit / 64] >> unit % 64 & 1) != 0;
}

uint32_t erasure_set_count(const struct erasure_set *set);

/* A code and its decoding tables. Encoding may run in several threads at once, rebuilding in one. */
struct erasure;

/* ERR_RANGE unless 1 ≤ required ≤ total ≤ ERASURE_TOTAL. */
enum err erasure_new(uint32_t required, uint32_t total, struct erasure **ret) WARN_UNUSED;
void erasure_free(struct erasure *erasure);

uint32_t erasure_required(const struct erasure *erasure);
uint32_t erasure_total(const struct erasure *erasure);

/* Compute the parity of a stripe. `units` are `total` pointers to `len` bytes each: the first `required` are read, the
 * others written. ERR_RANGE for a length that is 0, over ERASURE_UNIT or no multiple of ERASURE_ALIGN. */
enum err erasure_encode(const struct erasure *erasure, uint8_t *const *units, size_t len) WARN_UNUSED;

/* Compute the units of `want` from those of `have`. `units` are `total` pointers, of which those of units in neither
 * set may be NULL; the `required` lowest of `have` are read, those of `want` that are not in `have` written. The
 * tables for the latest few pairs of sets are kept, so stripe after stripe costs only the multiplication.
 * ERR_RANGE when `have` holds fewer than `required`, either set names a unit that does not exist, or for the
 * length. */
enum err erasure_rebuild(struct erasure *erasure, const struct erasure_set *have, const struct erasure_set *want,
			 uint8_t *const *units, size_t len) WARN_UNUSED;

#endif
