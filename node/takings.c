/* A short list under a lock: a node has few satellites. */
#include "node/takings.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

struct takings {
	pthread_mutex_t lock;
	struct taking *list;
	size_t count;
	size_t room;
};

struct takings *takings_new(void)
{
	struct takings *takings = memory_new(1, sizeof(*takings));

	pthread_mutex_init(&takings->lock, NULL);
	return takings;
}

void takings_free(struct takings *takings)
{
	if (takings == NULL)
		return;
	pthread_mutex_destroy(&takings->lock);
	free(takings->list);
	free(takings);
}

static struct taking *find(struct takings *takings, const struct address *satellite, uint32_t day)
{
	for (size_t i = 0; i < takings->count; i++)
		if (takings->list[i].day == day && address_equal(&takings->list[i].satellite, satellite))
			return &takings->list[i];
	takings->list = memory_grow(takings->list, &takings->room, takings->count + 1, sizeof(*takings->list));
	takings->list[takings->count] = (struct taking){.satellite = *satellite, .day = day};
	return &takings->list[takings->count++];
}

void takings_add(struct takings *takings, const struct address *satellite, uint64_t bytes)
{
	struct taking *taking;

	pthread_mutex_lock(&takings->lock);
	taking = find(takings, satellite, (uint32_t)(clock_wall() / 86400));
	taking->bytes += bytes;
	taking->audits++;
	pthread_mutex_unlock(&takings->lock);
}

bool takings_take(struct takings *takings, struct taking *ret)
{
	bool any;

	pthread_mutex_lock(&takings->lock);
	any = takings->count > 0;
	if (any)
		*ret = takings->list[--takings->count];
	pthread_mutex_unlock(&takings->lock);
	return any;
}
