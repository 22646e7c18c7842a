/*
 * A claim against the chain, step by step: prepare it, send it, wait for its receipt.
 *
 * The server that is asked may lie. It can then keep a claim from happening, or make it cost up to the limits given
 * here; it cannot lead the tokens elsewhere, as the contract pays the payee only, nor learn the key.
 */
#ifndef GRANARY_NODE_CLAIMER_H
#define GRANARY_NODE_CLAIMER_H

#include "node/chain.h"
#include "node/claim_papers.h"
#include "payments/ethereum/transaction.h"

#define CLAIM_GAS_MOST 500000 /* what a claim may take; it takes about 110,000 */

struct claim_plan {
	struct bytes32 paid; /* the payee had so much from the contract already, base units */
	struct bytes32 due;  /* and gets so much */
	struct address token;
	uint8_t data[DISTRIBUTOR_CLAIM];
	struct transaction transaction; /* its data is a view of `data` */
	uint128 cost;			/* at most, wei */
};

/* Check that the chain is the statement's, that the contract is there, has the tree's root, owes the payee something
 * and can pay it; that `sender` can pay for the gas at no more than max_price wei; and fill in the transaction. Nothing
 * is sent. `why` gets a sentence: ERR_CONFLICT for another chain, contract or root, ERR_EXISTS when all was paid
 * already, ERR_LIMIT for what costs too much or is not there to be spent, ERR_BUSY when a transaction of the sender
 * waits, ERR_REMOTE when the contract would refuse; else the chain's errors. */
enum err claim_prepare(struct chain *chain, const struct claim_papers *papers, const struct address *sender,
		       uint64_t max_price, struct claim_plan *ret, char why[CLAIM_MESSAGE]) WARN_UNUSED;

/* Sign and send it. *ret_hash is set whatever happens then: when no answer came, it may have been sent all the same,
 * and that is ERR_OK here; ERR_REMOTE when the server refuses it, ERR_UNREACHABLE. */
enum err claim_send(struct chain *chain, const struct claim_plan *plan, const struct key *key, struct bytes32 *ret_hash,
		    char why[CLAIM_MESSAGE]) WARN_UNUSED;

/* Wait, `seconds` at most, until it is in a block. ERR_TIMEOUT; ERR_REMOTE when it was reverted, ERR_PROTOCOL when its
 * receipt shows no payment. */
enum err claim_await(struct chain *chain, const struct claim_papers *papers, const struct claim_plan *plan,
		     const struct bytes32 *hash, uint64_t seconds, struct receipt_of_claim *ret,
		     char why[CLAIM_MESSAGE]) WARN_UNUSED;

#endif
