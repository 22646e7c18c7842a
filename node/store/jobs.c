/* One row per job; they take their turns in this order. */
#include "node/store/jobs.h"

#include <stddef.h>

#include "node/store/compact.h"
#include "node/store/scrub.h"

const struct upkeep_job store_jobs[] = {
	{"compact", 10, compact_step},
	{"scrub", 10, scrub_step},
	{NULL, 0, NULL},
};
