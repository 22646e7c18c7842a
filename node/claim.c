/*
 * The command: gather the papers, prepare the claim, show what it will do, ask, send, wait, show the receipt.
 *
 * Nothing leaves before the person, or --yes, has agreed, and the key leaves never: what is sent is signed here.
 */
#include "node/claim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/memory.h"
#include "common/service.h"
#include "node/claimer.h"
#include "node/papers.h"
#include "node/settings.h"
#include "payments/ethereum/quantity.h"
#include "payments/tally.h"
#include "payments/u256.h"

#define GWEI 1000000000ull
#define TOKENS_TEXT 96
#define HASH_TEXT 67

struct claim_job {
	struct options *options;
	struct key *key;
	struct trust *trust;
	struct chain *chain;
	struct claim_papers papers;
	struct claim_plan plan;
	struct bytes32 hash; /* of the transaction */
	struct receipt_of_claim receipt;
	char why[CLAIM_MESSAGE];
};

/* Tokens, or base units when they are too many to be true. */
static const char *tokens(const struct bytes32 *units, char out[TOKENS_TEXT])
{
	char text[AMOUNT_TEXT], raw[U256_TEXT];
	uint64_t number;

	if (u256_to_u64(units, &number) == ERR_OK)
		snprintf(out, TOKENS_TEXT, "%s", amount_print(amount_of(number), text));
	else
		snprintf(out, TOKENS_TEXT, "%s base units", u256_print(units, raw));
	return out;
}

static const char *hash_text(const struct bytes32 *hash, char out[HASH_TEXT])
{
	return data_print(bytes_of(hash->b, sizeof(hash->b)), out);
}

/* The month that is asked for, 0 for any. */
static enum err read_period(struct claim_job *job, uint32_t *ret)
{
	const char *text = option_text(job->options, "period");

	*ret = 0;
	if (text == NULL || period_parse(text, ret) == ERR_OK)
		return ERR_OK;
	snprintf(job->why, sizeof(job->why), "--period %s: not a month as YYYY-MM", text);
	return ERR_USAGE;
}

static enum err read_papers(struct claim_job *job)
{
	const char *statement = option_text(job->options, "statement"), *tree = option_text(job->options, "tree");
	const struct address *node = key_address(job->key);
	char has[PERIOD_TEXT], wanted[PERIOD_TEXT];
	uint32_t period;
	enum err err = read_period(job, &period);

	if (err != ERR_OK)
		return err;
	if (statement == NULL)
		err = claim_papers_find_statement(job->trust, node, options_dir(job->options), period, &job->papers,
						  job->why);
	else
		err = claim_papers_read_statement(job->trust, node, statement, &job->papers, job->why);
	if (err == ERR_OK && period != 0 && job->papers.statement.period != period) {
		snprintf(job->why, sizeof(job->why), "the statement is of %s, not of %s",
			 period_print(job->papers.statement.period, has), period_print(period, wanted));
		return ERR_CONFLICT;
	}
	if (err == ERR_OK && tree != NULL)
		return claim_papers_read_tree(tree, &job->papers, job->why);
	return err == ERR_OK ? claim_papers_ask_payout(job->trust, job->key, &job->papers, job->why) : err;
}

static enum err open_chain(struct claim_job *job)
{
	const char *url = option_text(job->options, "rpc");
	char why[RPC_MESSAGE] = "";
	enum err err;

	if (url == NULL) {
		snprintf(job->why, sizeof(job->why), "claim needs --rpc URL, a node of the chain");
		return ERR_USAGE;
	}
	err = chain_open(url, &job->chain, why);
	if (err != ERR_OK)
		snprintf(job->why, sizeof(job->why), "--rpc: %s", why);
	return err == ERR_OK ? ERR_OK : ERR_USAGE;
}

static void show_plan(const struct claim_job *job)
{
	const struct claim_papers *papers = &job->papers;
	const struct transaction *transaction = &job->plan.transaction;
	char satellite[KEY_ADDRESS_TEXT], payee[KEY_ADDRESS_TEXT], contract[KEY_ADDRESS_TEXT];
	char period[PERIOD_TEXT], all[TOKENS_TEXT], paid[TOKENS_TEXT], due[TOKENS_TEXT], cost[ETHER_TEXT],
		price[ETHER_TEXT];

	address_to_text(&papers->statement.satellite, satellite);
	address_to_text(&papers->leaf.payee, payee);
	address_to_text(&papers->domain.contract, contract);
	printf("statement  %s of %s\ncontract   %s on chain %" PRIu64 "\npayee      %s\n",
	       period_print(papers->statement.period, period), satellite, contract, papers->domain.chain_id, payee);
	printf("allotted   %s, of which %s paid before\nto claim   %s\n", tokens(&papers->leaf.cumulative, all),
	       tokens(&job->plan.paid, paid), tokens(&job->plan.due, due));
	printf("gas        at most %" PRIu64 " at %s gwei: %s of the chain's coin\n", transaction->gas,
	       ether_print((uint128)transaction->max_fee * GWEI, price), ether_print(job->plan.cost, cost));
	fflush(stdout);
}

/* Whether to go on. Without a terminal to ask at, silence is no. */
static bool confirm(struct claim_job *job)
{
	char line[16] = "";

	if (option_flag(job->options, "yes"))
		return true;
	if (!isatty(STDIN_FILENO)) {
		snprintf(job->why, sizeof(job->why),
			 "nothing was sent: there is no terminal to ask at; --yes sends it");
		return false;
	}
	fprintf(stderr, "Send it? [y/N] ");
	if (fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y'))
		return true;
	snprintf(job->why, sizeof(job->why), "nothing was sent");
	return false;
}

static json_t *address_json(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

static json_t *units_json(const struct bytes32 *units)
{
	char text[U256_TEXT];

	return json_string(u256_print(units, text));
}

static void show_receipt_json(const struct claim_job *job)
{
	const struct claim_papers *papers = &job->papers;
	const struct receipt_of_claim *receipt = &job->receipt;
	struct bytes32 price = u256_of(receipt->price);
	char period[PERIOD_TEXT], hash[HASH_TEXT], fee[ETHER_TEXT];
	json_t *json = json_pack(
		"{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:o, s:s}", "period",
		period_print(papers->statement.period, period), "satellite", address_json(&papers->statement.satellite),
		"chain_id", (json_int_t)papers->domain.chain_id, "contract", address_json(&papers->domain.contract),
		"payee", address_json(&receipt->event.payee), "amount", units_json(&receipt->event.amount),
		"cumulative", units_json(&receipt->event.cumulative), "transaction", hash_text(&job->hash, hash),
		"block", (json_int_t)receipt->block, "gas_used", (json_int_t)receipt->gas, "gas_price",
		units_json(&price), "fee", ether_print((uint128)receipt->gas * receipt->price, fee));

	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static void show_receipt(const struct claim_job *job)
{
	const struct receipt_of_claim *receipt = &job->receipt;
	char hash[HASH_TEXT], amount[TOKENS_TEXT], payee[KEY_ADDRESS_TEXT], fee[ETHER_TEXT];

	address_to_text(&receipt->event.payee, payee);
	printf("paid       %s to %s\ntransaction %s\nblock      %" PRIu64 "\n", tokens(&receipt->event.amount, amount),
	       payee, hash_text(&job->hash, hash), receipt->block);
	printf("fee        %s of the chain's coin, %" PRIu64 " gas\n",
	       ether_print((uint128)receipt->gas * receipt->price, fee), receipt->gas);
}

static enum err send_and_wait(struct claim_job *job)
{
	char hash[HASH_TEXT], detail[CLAIM_MESSAGE];
	enum err err = claim_send(job->chain, &job->plan, job->key, &job->hash, job->why);

	if (err != ERR_OK)
		return err;
	err = claim_await(job->chain, &job->papers, &job->plan, &job->hash, option_int(job->options, "wait"),
			  &job->receipt, detail);
	if (err != ERR_OK)
		snprintf(job->why, sizeof(job->why), "transaction %s was sent, but %.500s", hash_text(&job->hash, hash),
			 detail);
	return err;
}

/* For the dashboard. The pay is fetched already, so trouble here is no failure of the claim. */
static void keep_claim(const struct claim_job *job)
{
	struct papers_claim claim = {.satellite = job->papers.statement.satellite, .at = clock_wall()};
	char why[PAPERS_MESSAGE];
	struct papers *papers;
	uint64_t units;

	if (u256_to_u64(&job->receipt.event.amount, &units) != ERR_OK)
		return;
	claim.amount = amount_of(units);
	hash_text(&job->hash, claim.transaction);
	if (papers_open(options_dir(job->options), &papers, why) != ERR_OK) {
		fprintf(stderr, "granary-node: the claim is not kept among the node's papers: %s\n", why);
		return;
	}
	if (papers_keep_claim(papers, &claim) != ERR_OK)
		fprintf(stderr, "granary-node: the claim is not kept among the node's papers: %s\n",
			papers_message(papers));
	papers_close(papers);
}

static enum err claim(struct claim_job *job)
{
	bool json = option_flag(job->options, "json");
	enum err err = service_key(options_dir(job->options), &job->key, job->why, sizeof(job->why));

	if (err == ERR_OK)
		err = open_chain(job);
	if (err == ERR_OK)
		err = settings_open_trust(job->options, &job->trust, job->why);
	if (err == ERR_OK)
		err = read_papers(job);
	if (err == ERR_OK)
		err = claim_prepare(job->chain, &job->papers, key_address(job->key),
				    option_int(job->options, "max-gas-price") * GWEI, &job->plan, job->why);
	if (err != ERR_OK)
		return err;
	if (!json)
		show_plan(job);
	if (!confirm(job))
		return ERR_CANCELLED;
	err = send_and_wait(job);
	if (err == ERR_OK)
		keep_claim(job);
	if (err == ERR_OK && json)
		show_receipt_json(job);
	else if (err == ERR_OK)
		show_receipt(job);
	return err;
}

int node_claim(struct options *options)
{
	struct claim_job *job = memory_new(1, sizeof(*job));
	enum err err;

	job->options = options;
	err = claim(job);
	if (err != ERR_OK)
		fprintf(stderr, "granary-node: %s\n", job->why);
	chain_close(job->chain);
	trust_free(job->trust);
	key_free(job->key);
	free(job);
	return err == ERR_OK ? 0 : err == ERR_USAGE ? 2 : 1;
}
