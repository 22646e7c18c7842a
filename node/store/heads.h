/*
 * A small cache of the heads of large pieces, so that reading a piece block by block, or proving leaves of it, reads
 * its head once. A record never changes and its place is never used again, so nothing here goes stale.
 */
#ifndef GRANARY_NODE_STORE_HEADS_H
#define GRANARY_NODE_STORE_HEADS_H

#include <pthread.h>

#include "node/store/record.h"

#define HEADS 256

struct heads {
	pthread_mutex_t lock;
	struct {
		struct record_place place;
		struct record *record; /* NULL: nothing yet */
	} rows[HEADS];
};

void heads_init(struct heads *heads);
void heads_destroy(struct heads *heads);
bool heads_get(struct heads *heads, const struct record_place *place, struct record *ret);
void heads_put(struct heads *heads, const struct record_place *place, const struct record *record);

#endif
