/*
 * The store's housekeeping thread: seals full segments and makes the next spare, so that no upload waits for either.
 */
#ifndef GRANARY_NODE_STORE_KEEPER_H
#define GRANARY_NODE_STORE_KEEPER_H

#include "node/store/segments.h"

struct keeper;

struct keeper *keeper_start(struct segments *segments);
/* Wait until all is sealed that can be, and end the thread; segments_finish must have been called. */
void keeper_stop(struct keeper *keeper);

#endif
