/* One thread, one job at a time. */
#include "node/store/keeper.h"

#include <stdlib.h>

#include "common/memory.h"

struct keeper {
	struct segments *segments;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct segments *segments = ((struct keeper *)arg)->segments;

	for (;;) {
		struct segment *segment;

		switch (segments_wait_job(segments, &segment)) {
		case SEGMENTS_SEAL:
			segments_seal(segments, segment);
			break;
		case SEGMENTS_MAKE_SPARE:
			segments_make_spare(segments);
			break;
		case SEGMENTS_STOP:
			return NULL;
		}
	}
}

struct keeper *keeper_start(struct segments *segments)
{
	struct keeper *keeper = memory_new(1, sizeof(*keeper));

	keeper->segments = segments;
	if (pthread_create(&keeper->thread, NULL, run, keeper) != 0)
		abort();
	return keeper;
}

void keeper_stop(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	pthread_join(keeper->thread, NULL);
	free(keeper);
}
