/* How a node stands, told to it: ASK_STANDING. */
#ifndef GRANARY_SATELLITE_SCORES_H
#define GRANARY_SATELLITE_SCORES_H

#include "satellite/desk.h"
#include "satellite/reputations.h"

/* Scores, what is left of them, and the notices behind the one that the node has. */
enum err scores_tell(struct work *work) WARN_UNUSED;

/* When the node is disqualified unless something changes; 0: never. */
uint64_t scores_grace(const struct reputation_rules *rules, const struct reputed *reputed);

#endif
