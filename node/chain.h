/*
 * What a node asks of a chain: a few methods of Ethereum's JSON-RPC, for the claim command.
 *
 * The server may be anyone's, so every number and byte it answers is parsed strictly and bounded, and whatever a claim
 * rests on is checked against what the node knows itself. Functions block; on failure chain_message has a sentence.
 * Errors are those of rpc_call, and ERR_PROTOCOL for an answer that is not of the kind that was asked for.
 */
#ifndef GRANARY_NODE_CHAIN_H
#define GRANARY_NODE_CHAIN_H

#include "common/key.h"
#include "common/rpc.h"
#include "payments/ethereum/receipt.h"

#define CHAIN_MESSAGE (RPC_MESSAGE + 64)
#define CHAIN_RETURNS 32 /* bytes that our calls return: one word */

struct chain;

/* See rpc_open for `url` and errors. Nothing is sent yet. */
enum err chain_open(const char *url, struct chain **ret, char why[RPC_MESSAGE]) WARN_UNUSED;
void chain_close(struct chain *chain);
const char *chain_message(const struct chain *chain);

enum err chain_id(struct chain *chain, uint64_t *ret) WARN_UNUSED;
/* Whether there is a contract at that address. */
enum err chain_has_code(struct chain *chain, const struct address *at, bool *ret) WARN_UNUSED;
/* Wei. */
enum err chain_balance(struct chain *chain, const struct address *of, uint128 *ret) WARN_UNUSED;
/* How many transactions of that account are in blocks, and how many with those that wait. */
enum err chain_nonces(struct chain *chain, const struct address *of, uint64_t *ret_done, uint64_t *ret_all) WARN_UNUSED;

struct chain_fees {
	uint64_t base;	   /* wei per gas, of the last block */
	uint64_t priority; /* what the server proposes on top */
};
/* ERR_UNSUPPORTED when the chain has no base fee (EIP-1559). */
enum err chain_fees(struct chain *chain, struct chain_fees *ret) WARN_UNUSED;

/* A call that changes nothing and returns a word. ERR_REMOTE when it was reverted. */
enum err chain_call(struct chain *chain, const struct address *to, struct bytes data, struct bytes32 *ret) WARN_UNUSED;
/* What gas the same call takes as a transaction of `from`. ERR_REMOTE when it would be reverted: the message then
 * says for which reason. */
enum err chain_estimate(struct chain *chain, const struct address *from, const struct address *to, struct bytes data,
			uint64_t *ret) WARN_UNUSED;
/* Hand over a signed transaction whose hash is `hash`. */
enum err chain_send(struct chain *chain, struct bytes raw, const struct bytes32 *hash) WARN_UNUSED;

/* What became of a transaction; ERR_NOT_FOUND as long as it is in no block. */
enum err chain_receipt(struct chain *chain, const struct bytes32 *hash, const struct address *contract,
		       const struct address *payee, struct receipt_of_claim *ret) WARN_UNUSED;

#endif
