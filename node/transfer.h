/*
 * One transfer as far as money is concerned: the allocation that it runs on and the orders that pay for it.
 *
 * No sockets and no disk here, so every rule can be tested alone. `moved` counts payload bytes: received by an upload,
 * sent by a download. An upload may be a block ahead of its orders. A download sends a block once any of it is ordered,
 * so it, too, is never more than a block ahead.
 */
#ifndef GRANARY_NODE_TRANSFER_H
#define GRANARY_NODE_TRANSFER_H

#include "node/admission.h"
#include "node/trust.h"

struct transfer {
	struct satellite satellite; /* a copy, as trusted when the transfer began */
	struct allocation allocation;
	struct signature allocation_signature;
	struct bytes32 hash; /* struct hash of the allocation */
	struct order order;  /* the highest so far; amount 0 and a zero signature before the first */
	struct signature order_signature;
	uint64_t moved;
};

/* Who asks for what. */
struct transfer_request {
	struct bytes allocation;    /* signed, as it came */
	const struct address *node; /* ourselves */
	const struct id *peer;
	const struct bytes32 *piece;
	bool put;
	uint64_t now; /* Unix seconds */
};

/* Check everything but whether the allocation was used before (admission_use, last). REFUSAL_MALFORMED when it does not
 * parse, REFUSAL_BUSY while the satellite's domain is not known, else as rules_check_allocation. */
enum refusal transfer_open(struct trust *trust, const struct transfer_request *request,
			   struct transfer *ret) WARN_UNUSED;

/* A further order. REFUSAL_MALFORMED, else as rules_check_order; the transfer is unchanged then. */
enum refusal transfer_order(struct transfer *transfer, struct bytes wire) WARN_UNUSED;

/* An upload's next `len` bytes: counted as moved, or REFUSAL_PIECE_LIMIT, REFUSAL_UNORDERED. */
enum refusal transfer_receive(struct transfer *transfer, size_t len) WARN_UNUSED;

/* A download may send its next block: some of it is ordered, or it is empty. */
bool transfer_may_send(const struct transfer *transfer, size_t len);

/* The entry of the store's log for it as it stands. */
void transfer_log_entry(const struct transfer *transfer, uint64_t now, struct store_transfer *ret);

#endif
