/*
 * Whether the store still takes writes, and why not.
 *
 * After a write or a sync fails nobody can say what the disk holds: the kernel may have dropped the pages and marked
 * them clean. So there is no second try: the store turns read-only, once and for good, and the next start reads what
 * is really there.
 */
#ifndef GRANARY_NODE_STORE_HEALTH_H
#define GRANARY_NODE_STORE_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/error.h"

#define HEALTH_REASON 256

struct health {
	atomic_bool failed;
	pthread_mutex_t lock; /* of reason */
	char reason[HEALTH_REASON];
};

void health_init(struct health *health);
void health_destroy(struct health *health);
/* Turn read-only; the first reason stays. `what` failed on segment `segment` (0: none in particular) with `err`. */
void health_fail(struct health *health, const char *what, unsigned segment, enum err err);
bool health_failed(const struct health *health);
/* Copy the reason, "" while all is well. */
void health_reason(struct health *health, char out[HEALTH_REASON]);

#endif
