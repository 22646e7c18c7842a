/* A small hash table under one lock. */
#include "node/store/claims.h"

#include <assert.h>

/* Keys are compared as bytes. */
static_assert(sizeof(struct store_key) == 34, "struct store_key has padding");

void claims_init(struct claims *claims)
{
	pthread_mutex_init(&claims->lock, NULL);
	claims->table = NULL;
}

void claims_destroy(struct claims *claims)
{
	assert(claims->table == NULL);
	pthread_mutex_destroy(&claims->lock);
}

bool claims_take(struct claims *claims, struct claim *claim, const struct store_key *key)
{
	struct claim *other;

	claim->key = *key;
	pthread_mutex_lock(&claims->lock);
	HASH_FIND(hh, claims->table, key, sizeof(*key), other);
	if (other == NULL)
		HASH_ADD(hh, claims->table, key, sizeof(claim->key), claim);
	pthread_mutex_unlock(&claims->lock);
	return other == NULL;
}

void claims_drop(struct claims *claims, struct claim *claim)
{
	pthread_mutex_lock(&claims->lock);
	HASH_DEL(claims->table, claim);
	pthread_mutex_unlock(&claims->lock);
}
