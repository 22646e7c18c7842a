/*
 * Settling a node's orders: a verdict for each, and money counted once.
 *
 * Checking signatures is apart from counting, so that it can go on in several workers while the parts of a
 * settlement come in. Counting is one transaction. It is keyed by the allocation's struct hash, so the same order
 * again, in whatever settlement, at once or after a restart, counts nothing twice.
 */
#ifndef GRANARY_SATELLITE_SETTLE_H
#define GRANARY_SATELLITE_SETTLE_H

#include "payments/settlement.h"
#include "satellite/desk.h"

#define SETTLE_ORDERS_MAX 50000 /* in one settlement; a node with more makes several */

/* An order on its way through a settlement. */
struct settle_order {
	struct bytes32 hash; /* of the order */
	struct bytes32 allocation;
	struct address client;
	uint8_t action;
	uint64_t hour;	      /* of the allocation's expiry */
	uint64_t amount;      /* bytes */
	enum refusal refusal; /* by the rules */
	/* set by settle_count */
	enum verdict verdict;
	uint64_t counted; /* for the allocation in all */
};

/* Check an order of a settlement by this node for this hour. False when it cannot even be decoded. */
bool settle_check(const struct desk *desk, const struct address *node, uint64_t hour, const struct item_order *item,
		  struct settle_order *ret);

/* Check a settlement of work->caller against its orders, sorted by hash; count what is new; answer with VERDICTS
 * and SETTLED. MALFORMED, SATELLITE, NODE, SIGNATURE, COMMITMENT; then nothing was counted. */
enum err settle_finish(struct work *work, struct bytes settlement, struct settle_order *orders,
		       uint32_t count) WARN_UNUSED;

#endif
