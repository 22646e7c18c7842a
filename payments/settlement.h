/*
 * Settlements: a node's signed claim over an hour's orders, and the satellite's signed verdicts on them. Pure.
 *
 * The orders are sorted by their struct hash; the commitment is keccak256 of the hashes one after the other, built
 * as they stream by. Replay is keyed by the allocation's struct hash: see settlement_decide.
 */
#ifndef GRANARY_PAYMENTS_SETTLEMENT_H
#define GRANARY_PAYMENTS_SETTLEMENT_H

#include "common/keccak.h"
#include "payments/typed.h"

enum verdict {
	VERDICT_SETTLED = 1,	/* counted now for the first time */
	VERDICT_CREDITED = 2,	/* a higher order for a settled allocation: the difference was counted */
	VERDICT_ALREADY = 3,	/* an equal or lower order: nothing new */
	VERDICT_REJECTED = 4,	/* breaks a rule; the code says which */
};
const char *verdict_name(enum verdict verdict);

/* Builds the commitment over orders given in ascending order of their struct hashes. */
struct commitment {
	struct keccak hash;
	struct bytes32 last;
	uint32_t count;
	uint64_t bytes;
};
void commitment_init(struct commitment *c);
/* ERR_FORMAT when out of order or repeated, ERR_OVERFLOW when the sum does not fit. */
enum err commitment_add(struct commitment *c, const struct bytes32 *order_hash, uint64_t amount) WARN_UNUSED;
void commitment_final(struct commitment *c, struct bytes32 *ret);
/* REFUSAL_COMMITMENT unless the settlement's orders, count and bytes are those that were added. Ends c. */
enum refusal commitment_check(struct commitment *c, const struct settlement *settlement) WARN_UNUSED;

/* What an order that breaks no rule adds, given what was counted before for its allocation (known: whether any). */
enum verdict settlement_decide(bool known, uint64_t counted, uint64_t amount, uint64_t *ret_added);

/* Builds Settled.verdicts: keccak256 over, per order in the settlement's order, allocation hash ‖ u8 verdict ‖
 * u16 code ‖ u64 bytes, where bytes are those counted for the allocation in all (0 when rejected). Their sum is
 * Settled.bytes. */
struct verdicts_hash {
	struct keccak hash;
	uint64_t bytes;
};
void verdicts_init(struct verdicts_hash *v);
/* ERR_OVERFLOW when the sum does not fit. */
enum err verdicts_add(struct verdicts_hash *v, const struct bytes32 *allocation, enum verdict verdict,
		      enum refusal code, uint64_t bytes) WARN_UNUSED;
void verdicts_final(struct verdicts_hash *v, struct bytes32 *ret);

#endif
