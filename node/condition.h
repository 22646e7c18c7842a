/* How the running node is: the figures of its parts, judged (node/findings.h). Belongs to the daemon's loop. */
#ifndef GRANARY_NODE_CONDITION_H
#define GRANARY_NODE_CONDITION_H

#include "node/api.h"
#include "node/findings.h"

void condition_find(const struct api_sources *sources, struct findings *findings);

#endif
