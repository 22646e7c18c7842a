/* granary-node claim: fetch the month's pay from the payout contract. */
#ifndef GRANARY_NODE_CLAIM_H
#define GRANARY_NODE_CLAIM_H

#include "common/options.h"

int node_claim(struct options *options);

#endif
