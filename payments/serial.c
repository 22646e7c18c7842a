/*
 * Used serials, one bucket per hour of expiry. What was in a dropped bucket is forgotten, so its hour stays closed:
 * should the clock be set back, its allocations are refused rather than taken for new.
 */
#include "payments/serial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

#include "common/memory.h"
#include "payments/rules.h"

#define HOUR 3600

/* A satellite and one of its clients. */
struct party {
	struct address names[2];
	uint32_t outstanding; /* serials kept for it; it goes with the last of them */
	UT_hash_handle hh;
};

struct serial {
	struct bytes32 hash; /* of the allocation */
	struct party *party;
	UT_hash_handle hh;
};

struct bucket {
	uint64_t hour;
	struct serial *serials;
	UT_hash_handle hh;
};

struct serials {
	uint32_t budget;
	uint64_t first_hour; /* hours before it are closed */
	size_t count;
	struct bucket *buckets;
	struct party *parties;
};

void serial_make(uint64_t expires, const uint8_t random[28], struct bytes32 *ret)
{
	assert(expires / HOUR <= UINT32_MAX);
	put_be32(ret->b, (uint32_t)(expires / HOUR));
	memcpy(ret->b + 4, random, 28);
}

uint64_t serial_hour(const struct bytes32 *serial)
{
	return get_be32(serial->b);
}

struct serials *serials_new(uint32_t budget)
{
	struct serials *set = memory_new(1, sizeof(*set));

	set->budget = budget;
	return set;
}

static void party_release(struct serials *set, struct party *party)
{
	party->outstanding--;
	if (party->outstanding > 0)
		return;
	HASH_DEL(set->parties, party);
	free(party);
}

static void bucket_drop(struct serials *set, struct bucket *bucket)
{
	struct serial *serial, *next;

	HASH_ITER (hh, bucket->serials, serial, next) {
		HASH_DEL(bucket->serials, serial);
		party_release(set, serial->party);
		free(serial);
		set->count--;
	}
	HASH_DEL(set->buckets, bucket);
	free(bucket);
}

void serials_free(struct serials *set)
{
	struct bucket *bucket, *next;

	if (set == NULL)
		return;
	HASH_ITER (hh, set->buckets, bucket, next)
		bucket_drop(set, bucket);
	free(set);
}

static struct bucket *bucket_add(struct serials *set, uint64_t hour)
{
	struct bucket *bucket = memory_new(1, sizeof(*bucket));

	bucket->hour = hour;
	HASH_ADD(hh, set->buckets, hour, sizeof(bucket->hour), bucket);
	return bucket;
}

static struct party *party_add(struct serials *set, const struct address names[2])
{
	struct party *party = memory_new(1, sizeof(*party));

	memcpy(party->names, names, sizeof(party->names));
	HASH_ADD(hh, set->parties, names, sizeof(party->names), party);
	return party;
}

static void serial_add(struct serials *set, struct bucket *bucket, struct party *party, const struct bytes32 *hash)
{
	struct serial *serial = memory_new(1, sizeof(*serial));

	serial->hash = *hash;
	serial->party = party;
	HASH_ADD(hh, bucket->serials, hash, sizeof(serial->hash), serial);
	party->outstanding++;
	set->count++;
}

enum refusal serials_use(struct serials *set, const struct allocation *allocation, const struct bytes32 *hash)
{
	const struct address names[2] = {allocation->satellite, allocation->client};
	uint64_t hour = serial_hour(&allocation->serial);
	struct bucket *bucket;
	struct serial *serial = NULL;
	struct party *party;

	if (hour < set->first_hour)
		return REFUSAL_EXPIRED;
	HASH_FIND(hh, set->buckets, &hour, sizeof(hour), bucket);
	if (bucket != NULL)
		HASH_FIND(hh, bucket->serials, hash, sizeof(*hash), serial);
	if (serial != NULL)
		return REFUSAL_REPLAY;
	HASH_FIND(hh, set->parties, names, sizeof(names), party);
	if ((party == NULL ? 0 : party->outstanding) >= set->budget)
		return REFUSAL_SERIAL_BUDGET;
	if (bucket == NULL)
		bucket = bucket_add(set, hour);
	if (party == NULL)
		party = party_add(set, names);
	serial_add(set, bucket, party, hash);
	return REFUSAL_NONE;
}

void serials_expire(struct serials *set, uint64_t now)
{
	struct bucket *bucket, *next;

	HASH_ITER (hh, set->buckets, bucket, next) {
		uint64_t end = (bucket->hour + 1) * HOUR; /* of 32-bit hours: no overflow */

		if (now <= end || now - end <= RULES_SKEW)
			continue;
		if (set->first_hour <= bucket->hour)
			set->first_hour = bucket->hour + 1;
		bucket_drop(set, bucket);
	}
}

size_t serials_count(const struct serials *set)
{
	return set->count;
}
