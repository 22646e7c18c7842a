/*
 * The payout contract of contrib/ethereum, as its caller sees it: call data, return values, the Claimed event and the
 * reasons for which it refuses, in Solidity's ABI. Pure; what comes from the chain is read without trust.
 */
#ifndef GRANARY_PAYMENTS_ETHEREUM_DISTRIBUTOR_H
#define GRANARY_PAYMENTS_ETHEREUM_DISTRIBUTOR_H

#include "common/key.h"
#include "payments/payout_tree.h"

#define DISTRIBUTOR_CLAIM (4 + 32 * (5 + PAYOUT_PROOF_MOST)) /* most bytes of a claim's call data */
#define DISTRIBUTOR_ASK 36				     /* most bytes of the others' */
#define DISTRIBUTOR_REASON 160

/* claim(payee, cumulative, root, proof). `count` is at most PAYOUT_PROOF_MOST. */
void distributor_claim(const struct payout_leaf *leaf, const struct bytes32 *root, const struct bytes32 *proof,
		       size_t count, struct writer *w);
/* root(), token(), claimed(payee) of the contract; balanceOf(account) of its token. */
void distributor_ask_root(struct writer *w);
void distributor_ask_token(struct writer *w);
void distributor_ask_claimed(const struct address *payee, struct writer *w);
void token_ask_balance(const struct address *account, struct writer *w);

/* What such a call returned: one word. ERR_FORMAT unless it is exactly that, and for an address its high 12 bytes are
 * zero. */
enum err word_parse(struct bytes returned, struct bytes32 *ret) WARN_UNUSED;
enum err word_parse_address(struct bytes returned, struct address *ret) WARN_UNUSED;

/* The event Claimed(address indexed payee, uint256 amount, uint256 cumulative). */
struct claimed {
	struct address payee;
	struct bytes32 amount; /* paid this time; base units, as the next */
	struct bytes32 cumulative;
};
#define CLAIMED_TOPICS 2
#define CLAIMED_DATA 64
/* From a log's topics and data. ERR_NOT_FOUND when it is another event, ERR_FORMAT. */
enum err claimed_parse(const struct bytes32 *topics, size_t count, struct bytes data, struct claimed *ret) WARN_UNUSED;

/* A sentence for the data with which a call was reverted, from anyone: the contract's own errors, those of its parts
 * that a claim can meet, Error(string) and Panic(uint256); for anything else the selector. Returns out. */
char *distributor_reason(struct bytes revert, char out[DISTRIBUTOR_REASON]);

#endif
