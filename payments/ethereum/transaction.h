/*
 * Ethereum transactions of type 2 (EIP-1559): to be signed here, sent by others. Pure.
 *
 * A transaction is bound to its chain by the chain id under the signature, so it can be replayed nowhere else. Access
 * lists (EIP-2930) and the making of contracts are not supported: what we call is one function of one contract.
 */
#ifndef GRANARY_PAYMENTS_ETHEREUM_TRANSACTION_H
#define GRANARY_PAYMENTS_ETHEREUM_TRANSACTION_H

#include "common/key.h"

#define TRANSACTION_DATA 2048 /* most bytes of call data */
#define TRANSACTION_BYTES (TRANSACTION_DATA + 256)

struct transaction {
	uint64_t chain_id;
	uint64_t nonce;	       /* of the signer */
	uint64_t priority_fee; /* most per gas for whoever makes the block, wei */
	uint64_t max_fee;      /* most per gas in all, wei */
	uint64_t gas;	       /* limit */
	struct address to;
	uint128 value; /* wei */
	struct bytes data;
};

/* What is signed: keccak256 of the type and the list of its fields. ERR_LIMIT when data is too long. */
enum err transaction_digest(const struct transaction *transaction, struct bytes32 *ret) WARN_UNUSED;
/* The signed transaction as eth_sendRawTransaction takes it, into `w`, and its hash, the name by which a chain knows
 * it. ERR_LIMIT when data is too long, ERR_OVERFLOW when the writer has less room than TRANSACTION_BYTES. */
enum err transaction_sign(const struct transaction *transaction, const struct key *key, struct writer *w,
			  struct bytes32 *ret_hash) WARN_UNUSED;
/* The reverse, from anyone; ret->data is a view into `raw`. ERR_FORMAT, ERR_OVERFLOW for numbers that do not fit,
 * ERR_LIMIT, ERR_SIGNATURE (a high s included), ERR_UNSUPPORTED: another type, an access list, no recipient. */
enum err transaction_decode(struct bytes raw, struct transaction *ret, struct address *ret_signer) WARN_UNUSED;

/* The most that it can cost: value and all gas at the highest fee. ERR_OVERFLOW. */
enum err transaction_cost(const struct transaction *transaction, uint128 *ret) WARN_UNUSED;

#endif
