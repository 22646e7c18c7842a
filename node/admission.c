/* The used set under a mutex, the budget in one atomic number. */
#include "node/admission.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/memory.h"
#include "payments/rules.h"
#include "payments/serial.h"

struct admission {
	pthread_mutex_t lock;
	struct serials *used;
	uint64_t floor; /* reads with allocations issued before are refused */
	uint64_t budget;
	atomic_uint_fast64_t taken;
};

struct admission *admission_new(uint64_t bytes, uint32_t serial_budget)
{
	struct admission *admission = memory_new(1, sizeof(*admission));

	pthread_mutex_init(&admission->lock, NULL);
	admission->used = serials_new(serial_budget);
	admission->budget = bytes;
	return admission;
}

void admission_free(struct admission *admission)
{
	if (admission == NULL)
		return;
	serials_free(admission->used);
	pthread_mutex_destroy(&admission->lock);
	free(admission);
}

/* No allocation that was used earlier can be valid still: it lives a day, and clocks differ by RULES_SKEW. */
#define REMEMBERED (RULES_LIFETIME + 2 * RULES_SKEW)

struct rebuild {
	struct admission *admission;
	uint64_t now;
};

/* A used allocation comes up twice when its last order was logged after its first; a party past its budget cannot
 * begin anything new, so what is left out of the set there stays refused until an hour of it has passed. */
static bool remember(void *arg, const struct store_transfer *transfer)
{
	struct rebuild *rebuild = arg;
	struct bytes32 hash;
	enum refusal refusal;

	if (transfer->allocation.expires + RULES_SKEW < rebuild->now)
		return true;
	typed_hash(&typed_allocation, &transfer->allocation, &hash);
	refusal = serials_use(rebuild->admission->used, &transfer->allocation, &hash);
	(void)refusal; /* known already, or past the budget: refused in any case */
	return true;
}

enum err admission_rebuild(struct admission *admission, struct store *store, uint64_t now)
{
	struct rebuild rebuild = {admission, now};
	enum err err;

	pthread_mutex_lock(&admission->lock);
	admission->floor = store_transfers_floor(store);
	if (admission->floor > now) /* set by a clock that was wrong */
		admission->floor = now;
	err = store_transfers_each(store, 0, now > REMEMBERED ? now - REMEMBERED : 0, remember, &rebuild);
	/* Which downloads those were nobody knows. Uploads are safe: their pieces are there, whole or not. */
	if (err == ERR_CORRUPT || err == ERR_IO)
		admission->floor = now;
	pthread_mutex_unlock(&admission->lock);
	return err;
}

enum refusal admission_use(struct admission *admission, const struct allocation *allocation, const struct bytes32 *hash,
			   bool put)
{
	enum refusal refusal;

	pthread_mutex_lock(&admission->lock);
	if (!put && allocation->issued < admission->floor)
		refusal = REFUSAL_REPLAY;
	else
		refusal = serials_use(admission->used, allocation, hash);
	pthread_mutex_unlock(&admission->lock);
	return refusal;
}

void admission_expire(struct admission *admission, uint64_t now)
{
	pthread_mutex_lock(&admission->lock);
	serials_expire(admission->used, now);
	pthread_mutex_unlock(&admission->lock);
}

size_t admission_used(struct admission *admission)
{
	size_t count;

	pthread_mutex_lock(&admission->lock);
	count = serials_count(admission->used);
	pthread_mutex_unlock(&admission->lock);
	return count;
}

bool admission_take(struct admission *admission, uint64_t bytes)
{
	uint64_t before = atomic_fetch_add(&admission->taken, bytes);

	if (before + bytes <= admission->budget)
		return true;
	atomic_fetch_sub(&admission->taken, bytes);
	return false;
}

void admission_give(struct admission *admission, uint64_t bytes)
{
	uint64_t before = atomic_fetch_sub(&admission->taken, bytes);

	assert(before >= bytes);
}

uint64_t admission_taken(const struct admission *admission)
{
	return atomic_load(&admission->taken);
}
