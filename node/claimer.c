/* The order of the checks is that of their messages' use: first what makes all others meaningless. */
#include "node/claimer.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "common/hex.h"
#include "payments/ethereum/quantity.h"
#include "payments/u256.h"

#define GWEI 1000000000ull   /* wei */
#define SECOND 1000000000ull /* ns */
#define FIRST_PAUSE (SECOND / 20)
#define LONGEST_PAUSE (2 * SECOND)

/* What failed at the chain is told in its words. */
static enum err pass_on(enum err err, const struct chain *chain, char why[CLAIM_MESSAGE])
{
	if (err != ERR_OK)
		snprintf(why, CLAIM_MESSAGE, "%s", chain_message(chain));
	return err;
}

static enum err check_place(struct chain *chain, const struct domain *domain, char why[CLAIM_MESSAGE])
{
	char text[KEY_ADDRESS_TEXT];
	bool there = false;
	uint64_t id = 0;
	enum err err = chain_id(chain, &id);

	if (err == ERR_OK && id != domain->chain_id) {
		snprintf(why, CLAIM_MESSAGE, "that is chain %" PRIu64 ", but the satellite pays on chain %" PRIu64, id,
			 domain->chain_id);
		return ERR_CONFLICT;
	}
	if (err == ERR_OK)
		err = chain_has_code(chain, &domain->contract, &there);
	if (err == ERR_OK && !there) {
		address_to_text(&domain->contract, text);
		snprintf(why, CLAIM_MESSAGE, "there is no contract at %s on that chain", text);
		return ERR_CONFLICT;
	}
	return pass_on(err, chain, why);
}

/* Ask the contract, or its token, one of the questions of distributor.h. */
static enum err ask(struct chain *chain, const struct address *to, void (*question)(struct writer *w),
		    struct bytes32 *ret)
{
	uint8_t data[DISTRIBUTOR_ASK];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	question(&w);
	return chain_call(chain, to, writer_bytes(&w), ret);
}

static enum err ask_about(struct chain *chain, const struct address *to,
			  void (*question)(const struct address *about, struct writer *w), const struct address *about,
			  struct bytes32 *ret)
{
	uint8_t data[DISTRIBUTOR_ASK];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	question(about, &w);
	return chain_call(chain, to, writer_bytes(&w), ret);
}

static enum err check_root(struct chain *chain, const struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	char ours[65], theirs[65];
	struct bytes32 root;
	enum err err = ask(chain, &papers->domain.contract, distributor_ask_root, &root);

	if (err != ERR_OK)
		return pass_on(err, chain, why);
	if (bytes32_equal(&root, &papers->root))
		return ERR_OK;
	hex_encode(bytes_of(papers->root.b, sizeof(papers->root.b)), ours);
	hex_encode(bytes_of(root.b, sizeof(root.b)), theirs);
	if (bytes32_is_zero(&root))
		snprintf(why, CLAIM_MESSAGE, "the contract has no root yet: the satellite's operator must set 0x%s",
			 ours);
	else
		snprintf(why, CLAIM_MESSAGE,
			 "the contract's root is 0x%s, the tree's is 0x%s: the tree is older, or the satellite's "
			 "operator "
			 "has not set its root yet",
			 theirs, ours);
	return ERR_CONFLICT;
}

/* What the payee is to get, and whether the contract has it. */
static enum err check_due(struct chain *chain, const struct claim_papers *papers, struct claim_plan *plan,
			  char why[CLAIM_MESSAGE])
{
	const struct address *contract = &papers->domain.contract, *payee = &papers->leaf.payee;
	char text[KEY_ADDRESS_TEXT], has[U256_TEXT], wants[U256_TEXT];
	struct bytes32 word, balance;
	enum err err = ask_about(chain, contract, distributor_ask_claimed, payee, &plan->paid);

	if (err != ERR_OK)
		return pass_on(err, chain, why);
	if (bytes32_compare(&plan->paid, &papers->leaf.cumulative) >= 0) {
		address_to_text(payee, text);
		snprintf(why, CLAIM_MESSAGE, "nothing to claim: %s has been paid all of it already", text);
		return ERR_EXISTS;
	}
	if (u256_sub(&papers->leaf.cumulative, &plan->paid, &plan->due) != ERR_OK)
		return ERR_OVERFLOW; /* it is more, as was just seen */
	err = ask(chain, contract, distributor_ask_token, &word);
	if (err == ERR_OK && word_parse_address(bytes_of(word.b, sizeof(word.b)), &plan->token) != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "the contract names no token");
		return ERR_PROTOCOL;
	}
	if (err == ERR_OK)
		err = ask_about(chain, &plan->token, token_ask_balance, contract, &balance);
	if (err != ERR_OK)
		return pass_on(err, chain, why);
	if (bytes32_compare(&balance, &plan->due) < 0) {
		snprintf(why, CLAIM_MESSAGE,
			 "the contract holds %s base units, %s are due: the satellite's operator must fund it",
			 u256_print(&balance, has), u256_print(&plan->due, wants));
		return ERR_LIMIT;
	}
	return ERR_OK;
}

/* The sender's next transaction: its nonce, what it calls, and the gas for it. */
static enum err fill_in(struct chain *chain, const struct claim_papers *papers, const struct address *sender,
			struct claim_plan *plan, char why[CLAIM_MESSAGE])
{
	struct transaction *transaction = &plan->transaction;
	uint64_t pending = 0, gas = 0;
	struct writer w;
	enum err err;

	writer_init(&w, plan->data, sizeof(plan->data));
	distributor_claim(&papers->leaf, &papers->root, papers->proof, papers->proof_count, &w);
	transaction->chain_id = papers->domain.chain_id;
	transaction->to = papers->domain.contract;
	transaction->data = writer_bytes(&w);
	err = chain_nonces(chain, sender, &transaction->nonce, &pending);
	if (err == ERR_OK && pending > transaction->nonce) {
		snprintf(why, CLAIM_MESSAGE,
			 "a transaction of this node's key is under way already: wait until it is in "
			 "a block");
		return ERR_BUSY;
	}
	if (err == ERR_OK)
		err = chain_estimate(chain, sender, &transaction->to, transaction->data, &gas);
	if (err != ERR_OK)
		return pass_on(err, chain, why);
	if (gas > CLAIM_GAS_MOST) {
		snprintf(why, CLAIM_MESSAGE, "the claim would take %" PRIu64 " gas, which is more than any should",
			 gas);
		return ERR_LIMIT;
	}
	/* Another claim may come first and change what this one takes. */
	transaction->gas = gas + gas / 4;
	return ERR_OK;
}

/* Enough for the base fee to double before the claim is in a block, within the limit. */
static enum err set_fees(struct chain *chain, uint64_t max_price, struct transaction *transaction,
			 char why[CLAIM_MESSAGE])
{
	char asked[ETHER_TEXT], limit[ETHER_TEXT];
	struct chain_fees fees;
	uint128 wanted;
	enum err err = chain_fees(chain, &fees);

	if (err != ERR_OK)
		return pass_on(err, chain, why);
	wanted = (uint128)fees.base * 2 + fees.priority;
	if ((uint128)fees.base + fees.priority > max_price) {
		/* A gwei is to a wei what an ether is to a gwei. */
		snprintf(why, CLAIM_MESSAGE, "gas costs %s gwei just now, the limit (--max-gas-price) is %s",
			 ether_print(((uint128)fees.base + fees.priority) * GWEI, asked),
			 ether_print((uint128)max_price * GWEI, limit));
		return ERR_LIMIT;
	}
	transaction->max_fee = wanted < max_price ? (uint64_t)wanted : max_price;
	transaction->priority_fee = fees.priority;
	return ERR_OK;
}

static enum err check_funds(struct chain *chain, const struct address *sender, struct claim_plan *plan,
			    char why[CLAIM_MESSAGE])
{
	char address[KEY_ADDRESS_TEXT], has[ETHER_TEXT], needs[ETHER_TEXT];
	uint128 balance = 0;
	enum err err = chain_balance(chain, sender, &balance);

	if (err != ERR_OK)
		return pass_on(err, chain, why);
	if (transaction_cost(&plan->transaction, &plan->cost) != ERR_OK)
		return ERR_OVERFLOW; /* gas and price are bounded */
	if (balance < plan->cost) {
		address_to_text(sender, address);
		snprintf(why, CLAIM_MESSAGE,
			 "not enough for the gas: %s, the address of this node's key, has %s of the chain's coin, and "
			 "the "
			 "claim may cost %s",
			 address, ether_print(balance, has), ether_print(plan->cost, needs));
		return ERR_LIMIT;
	}
	return ERR_OK;
}

enum err claim_prepare(struct chain *chain, const struct claim_papers *papers, const struct address *sender,
		       uint64_t max_price, struct claim_plan *ret, char why[CLAIM_MESSAGE])
{
	enum err err = check_place(chain, &papers->domain, why);

	if (err == ERR_OK)
		err = check_root(chain, papers, why);
	if (err == ERR_OK)
		err = check_due(chain, papers, ret, why);
	if (err == ERR_OK)
		err = fill_in(chain, papers, sender, ret, why);
	if (err == ERR_OK)
		err = set_fees(chain, max_price, &ret->transaction, why);
	if (err == ERR_OK)
		err = check_funds(chain, sender, ret, why);
	return err;
}

enum err claim_send(struct chain *chain, const struct claim_plan *plan, const struct key *key, struct bytes32 *ret_hash,
		    char why[CLAIM_MESSAGE])
{
	uint8_t raw[TRANSACTION_BYTES];
	struct writer w;
	enum err err;

	writer_init(&w, raw, sizeof(raw));
	err = transaction_sign(&plan->transaction, key, &w, ret_hash);
	if (err != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "cannot sign the transaction: %s", err_text(err));
		return err;
	}
	err = chain_send(chain, writer_bytes(&w), ret_hash);
	if (err == ERR_REMOTE || err == ERR_UNREACHABLE)
		return pass_on(err, chain, why);
	return ERR_OK;
}

/* What the receipt says of the claim. */
static enum err judge(struct chain *chain, const struct claim_papers *papers, const struct claim_plan *plan,
		      const struct receipt_of_claim *receipt, char why[CLAIM_MESSAGE])
{
	uint64_t gas;

	if (!receipt->done) {
		/* The same call once more: its reason, if it still fails. */
		if (chain_estimate(chain, &papers->statement.node, &plan->transaction.to, plan->transaction.data,
				   &gas) == ERR_REMOTE)
			snprintf(why, CLAIM_MESSAGE, "it was reverted: %s", chain_message(chain));
		else
			snprintf(why, CLAIM_MESSAGE, "it was reverted, though the same claim would pass now");
		return ERR_REMOTE;
	}
	if (!receipt->claimed || !bytes32_equal(&receipt->event.cumulative, &papers->leaf.cumulative)) {
		snprintf(why, CLAIM_MESSAGE, "its receipt shows no such payment");
		return ERR_PROTOCOL;
	}
	return ERR_OK;
}

enum err claim_await(struct chain *chain, const struct claim_papers *papers, const struct claim_plan *plan,
		     const struct bytes32 *hash, uint64_t seconds, struct receipt_of_claim *ret,
		     char why[CLAIM_MESSAGE])
{
	uint64_t end = clock_monotonic() + seconds * SECOND, pause = FIRST_PAUSE;
	enum err err;

	/* It is sent: a server that does not answer for a while changes nothing about that. */
	do {
		err = chain_receipt(chain, hash, &papers->domain.contract, &papers->leaf.payee, ret);
		if (err == ERR_OK)
			return judge(chain, papers, plan, ret, why);
		nanosleep(&(struct timespec){(time_t)(pause / SECOND), (long)(pause % SECOND)}, NULL);
		pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
	} while (clock_monotonic() < end);
	snprintf(why, CLAIM_MESSAGE, "not in a block after %" PRIu64 " s: %s", seconds, chain_message(chain));
	return ERR_TIMEOUT;
}
