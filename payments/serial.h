/*
 * Serials of allocations, and the set of those used: an allocation buys one transfer, once.
 *
 * A serial is the hour of its allocation's expiry (4 bytes) and 28 random bytes, so used ones can be kept in one
 * bucket per hour, and a bucket is dropped when its hour and grace are over, never before. Pure.
 */
#ifndef GRANARY_PAYMENTS_SERIAL_H
#define GRANARY_PAYMENTS_SERIAL_H

#include "payments/typed.h"

/* A serial for an allocation that expires then (Unix seconds, an hour number below 2^32). random: 28 unpredictable
 * bytes. */
void serial_make(uint64_t expires, const uint8_t random[28], struct bytes32 *ret);
/* The hour in it: Unix seconds / 3600. */
uint64_t serial_hour(const struct bytes32 *serial);

/* Not safe for threads: the caller locks. */
struct serials;

/* An empty set that refuses more than `budget` outstanding serials of one satellite and client. */
struct serials *serials_new(uint32_t budget);
void serials_free(struct serials *set);
/* Take an allocation's serial, once rules_check_allocation found nothing: REFUSAL_NONE; REFUSAL_REPLAY when it was
 * used; REFUSAL_SERIAL_BUDGET; REFUSAL_EXPIRED when its hour was dropped, so that nobody knows any more whether it was
 * used (the clock went back). Keyed by the allocation's struct hash. */
enum refusal serials_use(struct serials *set, const struct allocation *allocation, const struct bytes32 *hash)
	WARN_UNUSED;
/* Drop the buckets whose hour ended more than the clock skew (300 s) before `now`. */
void serials_expire(struct serials *set, uint64_t now);
/* Serials kept. */
size_t serials_count(const struct serials *set);

#endif
