/* The store's upkeep: which jobs there are. Each is a function of the file that its name says, over a struct store. */
#ifndef GRANARY_NODE_STORE_JOBS_H
#define GRANARY_NODE_STORE_JOBS_H

#include "node/store/upkeep.h"

extern const struct upkeep_job store_jobs[];

#endif
