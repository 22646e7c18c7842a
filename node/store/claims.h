/*
 * Keys whose records are on their way to the index. Of several uploads of one piece the first to complete claims the
 * key; the others must not even write their heads, or the next start would find two pieces of one key.
 */
#ifndef GRANARY_NODE_STORE_CLAIMS_H
#define GRANARY_NODE_STORE_CLAIMS_H

#include <pthread.h>
#include <uthash.h>

#include "node/store/store.h"

struct claim {
	struct store_key key;
	UT_hash_handle hh;
};

struct claims {
	pthread_mutex_t lock;
	struct claim *table;
};

void claims_init(struct claims *claims);
void claims_destroy(struct claims *claims);
/* False when it is claimed already. */
bool claims_take(struct claims *claims, struct claim *claim, const struct store_key *key);
void claims_drop(struct claims *claims, struct claim *claim);

#endif
