/*
 * A node's place in a payout, told to it: what its payee was ever allotted, and the proof by which the payout contract
 * pays that. The node claims with it, and need not look for the published tree.
 *
 * A month's tree never changes once it is closed, so the last one built is kept; whatever the number of nodes that ask
 * after a month is closed, it is built once at each desk.
 */
#ifndef GRANARY_SATELLITE_PROOFS_H
#define GRANARY_SATELLITE_PROOFS_H

#include "satellite/desk.h"

#define PROOFS_PAYEES 200000 /* of a larger payout (about 24 MB each) no tree is kept: its operator publishes it */

struct proofs;

struct proofs *proofs_new(void);
void proofs_free(struct proofs *proofs);

/* ASK_PAYOUT: PAYOUT. Refused NOT_FOUND: that month is not closed, the node has no statement of it, its payee was never
 * allotted anything, or there are more than PROOFS_PAYEES. */
enum err proofs_tell(struct work *work) WARN_UNUSED;

#endif
