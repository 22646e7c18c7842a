/*
 * What a node checks on every transfer, and a satellite on every settled order. Pure: the facts come in, the
 * refusal goes out; each rule has its own code (common/refusal.h), so a test can tell that it was this rule.
 */
#ifndef GRANARY_PAYMENTS_RULES_H
#define GRANARY_PAYMENTS_RULES_H

#include "common/fields.h"
#include "payments/typed.h"

#define RULES_SKEW 300		       /* seconds that clocks may differ */
#define RULES_LIFETIME (24 * 3600)     /* longest life of an allocation, seconds */
#define RULES_GRACE (48 * 3600)	       /* seconds after expiry in which an order can be settled */
#define RULES_SLACK 32768	       /* bytes that may move beyond what is ordered: one block */
#define RULES_CREDIT_FIRST (64 * 1024) /* bytes that a client orders ahead at first, … */
#define RULES_CREDIT_MOST (2048 * 1024) /* … doubling with each order up to this */

/* A transfer as the node sees it. */
struct transfer_facts {
	const struct domain *domain;	   /* of the allocation's satellite */
	const struct address *satellite;   /* the trusted satellite that the allocation names, NULL when none */
	const struct address *node;	   /* ourselves */
	const struct address *peer;	   /* who is on the channel */
	const struct bytes32 *piece;	   /* that the request names */
	bool put;			   /* PUT or GET */
	uint64_t now;
};

/* In order: satellite, node, client, action, piece, lifetime, serial hour, early, expired, signature. Whether the
 * serial was used before is the caller's to ask (serials_use), last. */
enum refusal rules_check_allocation(const struct allocation *allocation, const struct signature *signature,
				    const struct transfer_facts *facts) WARN_UNUSED;

/* What an order is held against. */
struct order_facts {
	const struct domain *domain;
	const struct allocation *allocation;	/* the transfer's */
	const struct bytes32 *allocation_hash;	/* its struct hash */
	uint64_t previous;			/* amount of the order before; 0: none */
};

/* A further order of a transfer, in order: allocation, shrinking (below `previous`), limit, signature (by the
 * client). */
enum refusal rules_check_order(const struct order *order, const struct signature *signature,
			       const struct order_facts *facts) WARN_UNUSED;

/* What the client orders next, after `ordered` and `moved` bytes of at most `limit`; the same as `ordered` when that
 * still reaches far enough. `credit` starts at 0 and is the rule's own memory. */
uint64_t rules_next_order(uint64_t ordered, uint64_t moved, uint64_t limit, uint64_t *credit);

/* What a receipt is held against. */
struct receipt_facts {
	const struct domain *domain;
	const struct allocation *allocation;
	const struct bytes32 *allocation_hash; /* its struct hash */
	const struct bytes32 *root;	       /* of the piece, as the asker knows it */
	uint64_t size;			       /* of the piece, bytes */
};

/* A receipt that a client or satellite got: it must be for this allocation and piece, with this root and size,
 * signed by the allocation's node. In order: REFUSAL_ORDER_ALLOCATION, REFUSAL_PIECE, REFUSAL_ROOT,
 * REFUSAL_PIECE_LIMIT, REFUSAL_SIGNATURE or REFUSAL_HIGH_S. */
enum refusal rules_check_receipt(const struct receipt *receipt, const struct signature *signature,
				 const struct receipt_facts *facts) WARN_UNUSED;

/* The commitment of a Deletion or a Loss to its pieces: keccak256 of their ids, which ascend. */
void rules_commit_pieces(const struct bytes32 *pieces, size_t count, struct bytes32 *ret);
/* Whether these item_pieces are exactly those of the commitment: ascending, none twice. REFUSAL_COMMITMENT. */
enum refusal rules_check_pieces(const struct list *pieces, const struct bytes32 *commitment) WARN_UNUSED;

/* One order of a settlement, with the allocation that it draws on. */
struct settled_order {
	struct allocation allocation;
	struct signature allocation_signature;
	struct order order;
	struct signature order_signature;
};

/* Who settles with whom. */
struct settlement_facts {
	const struct domain *domain;	 /* the satellite's */
	const struct address *satellite; /* ourselves */
	const struct address *node;	 /* that settles */
	uint64_t hour;			 /* of the settlement */
	uint64_t now;
};

/* One settled order at the satellite, in order: the allocation names this satellite (UNISSUED) and this node (NODE),
 * its action is one (ACTION), the order is for it (ORDER_ALLOCATION) and within its limit (ORDER_LIMIT), its serial's
 * hour is the settlement's (SERIAL_HOUR), `now` is within expiry + RULES_GRACE (LATE), the satellite signed the
 * allocation (UNISSUED), and its client the order (SIGNATURE, HIGH_S). When none is refused, order.allocation is the
 * allocation's struct hash. */
enum refusal rules_check_settled(const struct settled_order *claim, const struct settlement_facts *facts)
	WARN_UNUSED;

#endif
