/*
 * GET: blocks of a piece go out.
 *
 *	GET → check everything → (ORDER…) → DATA for each block that covers the range → GET_END
 *
 * A block goes out once any of it is ordered and while the channel has room; two blocks at a time are read and checked
 * in the pool, into one of two buffers, while the other one is being sent: 128 KiB of read-ahead in all.
 *
 * The first order and the last go to the store's transfer log, which also makes the allocation used for good; GET_END
 * is sent when the log has the last one.
 */
#ifndef GRANARY_NODE_GET_H
#define GRANARY_NODE_GET_H

#include "node/request.h"

#define GET_BLOCKS 2 /* blocks in each of two buffers */

extern const struct verb get_verb;

#endif
