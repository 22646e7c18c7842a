/* The one switch from writing to read-only. */
#include "node/store/health.h"

#include <stdio.h>
#include <string.h>

void health_init(struct health *health)
{
	atomic_init(&health->failed, false);
	pthread_mutex_init(&health->lock, NULL);
	health->reason[0] = '\0';
}

void health_destroy(struct health *health)
{
	pthread_mutex_destroy(&health->lock);
}

void health_fail(struct health *health, const char *what, unsigned segment, enum err err)
{
	pthread_mutex_lock(&health->lock);
	if (!atomic_load(&health->failed) && segment != 0)
		snprintf(health->reason, HEALTH_REASON, "%s segment %08x failed: %s", what, segment, err_text(err));
	else if (!atomic_load(&health->failed))
		snprintf(health->reason, HEALTH_REASON, "%s failed: %s", what, err_text(err));
	atomic_store(&health->failed, true);
	pthread_mutex_unlock(&health->lock);
}

bool health_failed(const struct health *health)
{
	return atomic_load(&health->failed);
}

void health_reason(struct health *health, char out[HEALTH_REASON])
{
	pthread_mutex_lock(&health->lock);
	memcpy(out, health->reason, HEALTH_REASON);
	pthread_mutex_unlock(&health->lock);
}
