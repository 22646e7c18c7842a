/*
 * Settlement: the node's signed claim over its orders, hour by hour of their serials, and the satellite's verdicts.
 *
 *	SETTLE, SETTLE_ORDERS… → VERDICTS…, SETTLED
 *
 * Nothing of an answer is believed before all of it is here, one verdict per order and in order, and the satellite's
 * signature covers exactly these verdicts on exactly this claim. Then it is written down in one transaction. Whatever
 * is interrupted before leaves the orders unsettled, and they are claimed again: the satellite counts none twice.
 */
#ifndef GRANARY_NODE_SETTLER_H
#define GRANARY_NODE_SETTLER_H

#include "node/errand.h"
#include "node/ledger.h"
#include "node/trust.h"

struct settle_outcome {
	struct satellite satellite;
	uint64_t settled; /* orders that it accepted, those that it had accepted before among them */
	uint64_t rejected;
	uint64_t bytes; /* of the accepted ones */
	enum err err;	/* ERR_OK when nothing is left unsettled */
	char why[ERRAND_MESSAGE];
};

/* Settle all that is unsettled with one satellite; gives up once *stop. Waits. */
void settler_run(struct ledger *ledger, const struct key *key, const struct satellite *satellite,
		 const atomic_bool *stop, struct settle_outcome *ret);

/* For tests: what stands between an answer and being written down. `verdicts` are as many as the claim has orders.
 * ERR_PROTOCOL when they are not for its orders, ERR_SIGNATURE when the satellite did not sign them so. */
enum err settler_check(const struct claim *claim, const struct settlement *settlement,
		       const struct item_verdict *verdicts, struct bytes settled,
		       const struct satellite *satellite) WARN_UNUSED;

#endif
