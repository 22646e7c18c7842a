/* One row per job; they take their turns in this order. */
#include "node/store/jobs.h"

#include <stddef.h>

#include "node/store/checkpointer.h"
#include "node/store/collect.h"
#include "node/store/compact.h"
#include "node/store/reaper.h"
#include "node/store/scrub.h"
#include "node/store/twin.h"

const struct upkeep_job store_jobs[] = {
	{"collect", 3600, collect_step},
	{"reap", 3600, reaper_step},
	{"compact", 10, compact_step},
	{"scrub", 10, scrub_step},
	{"checkpoint", 10, checkpointer_step},
	{"twins", 3600, twins_step},
	{NULL, 0, NULL},
};
