/*
 * PUT: a piece comes in.
 *
 *	PUT → check everything → (ORDER, DATA…) → PUT_END → root compared → store commits → RECEIPT
 *
 * The loop only decrypts, checks orders and counts; reserving, hashing and writing are done by one job at a time in
 * the pool, which goes on while blocks come (blocks.h). When too many wait, the channel is not read.
 *
 * An answer can get lost. So a PUT whose allocation is used already is not a replay when the piece that it brought is
 * still here: its data is counted and dropped, and a PUT_END that names the same size and root gets its receipt
 * again (signing is deterministic, so it is the same one).
 */
#ifndef GRANARY_NODE_PUT_H
#define GRANARY_NODE_PUT_H

#include "node/request.h"

extern const struct verb put_verb;

#endif
