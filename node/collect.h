/*
 * COLLECT: a trusted satellite's signed filter of the pieces that it still wants; and RESTORE, which undoes it.
 *
 * The filter's hash is signed, so what comes in FILTERs is kept only up to the size announced, out of the budget of
 * memory, and applied only if it is what was signed. Both are answered by COLLECTED, once what was moved is so durably.
 * That can take minutes; a satellite that leaves before misses the answer, not the effect.
 */
#ifndef GRANARY_NODE_COLLECT_H
#define GRANARY_NODE_COLLECT_H

#include "node/request.h"

extern const struct verb collect_verb;
extern const struct verb restore_verb;

#endif
