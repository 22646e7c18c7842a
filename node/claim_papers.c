/* Each check has its sentence, which names both sides of what does not fit. */
#include "node/claim_papers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "node/errand.h"
#include "node/papers.h"
#include "payments/evidence.h"
#include "payments/tally.h"
#include "payments/u256.h"

#define STATEMENT_MOST (1024 * 1024)	       /* bytes of a statement's file */
#define TREE_MOST ((size_t)1024 * 1024 * 1024) /* of a tree's: one of some million payees */

/* The domain under which that satellite signs: chain, contract, and what it was pinned to. */
static enum err check_domain(const struct satellite *satellite, const struct domain *domain, char why[CLAIM_MESSAGE])
{
	char contract[KEY_ADDRESS_TEXT], pinned[KEY_ADDRESS_TEXT];

	address_to_text(&domain->contract, contract);
	address_to_text(&satellite->domain.contract, pinned);
	if (satellite->pinned && (satellite->domain.chain_id != domain->chain_id ||
				  !address_equal(&satellite->domain.contract, &domain->contract))) {
		snprintf(why, CLAIM_MESSAGE,
			 "the statement is for contract %s on chain %" PRIu64
			 ", but its satellite is known to pay from %s "
			 "on chain %" PRIu64,
			 contract, domain->chain_id, pinned, satellite->domain.chain_id);
		return ERR_CONFLICT;
	}
	if (address_is_zero(&domain->contract)) {
		snprintf(why, CLAIM_MESSAGE, "the satellite has no payout contract: there is nothing to claim from");
		return ERR_RANGE;
	}
	return ERR_OK;
}

enum err claim_papers_take(struct trust *trust, const struct address *node, const struct statement *statement,
			   const struct domain *domain, const struct signature *signature, struct claim_papers *papers,
			   char why[CLAIM_MESSAGE])
{
	char text[KEY_ADDRESS_TEXT];
	struct satellite satellite;
	enum err err;

	if (!address_equal(&statement->node, node)) {
		address_to_text(&statement->node, text);
		snprintf(why, CLAIM_MESSAGE, "the statement is for another node, %s", text);
		return ERR_DENIED;
	}
	if (trust_find(trust, &statement->satellite, &satellite) != ERR_OK) {
		address_to_text(&statement->satellite, text);
		snprintf(why, CLAIM_MESSAGE, "the statement is of %s, no satellite that this node works for", text);
		return ERR_DENIED;
	}
	if (typed_verify(&typed_statement, statement, domain, signature, &statement->satellite) != REFUSAL_NONE) {
		snprintf(why, CLAIM_MESSAGE, "the satellite did not sign the statement");
		return ERR_SIGNATURE;
	}
	err = check_domain(&satellite, domain, why);
	if (err == ERR_OK) {
		papers->statement = *statement;
		papers->domain = *domain;
	}
	return err;
}

enum err claim_papers_read_statement(struct trust *trust, const struct address *node, const char *path,
				     struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	struct evidence evidence;
	char *text = NULL, detail[EVIDENCE_WHY] = "";
	json_t *json = NULL;
	size_t len = 0;
	enum err err = file_read(path, STATEMENT_MOST, &text, &len);

	if (err != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "cannot read %.300s: %s", path, err_text(err));
		goto out;
	}
	err = ERR_FORMAT;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL) {
		snprintf(why, CLAIM_MESSAGE, "%.300s is not JSON", path);
	} else if (evidence_from_json(json, &evidence, detail) != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "%.300s is no signed statement: %s", path, detail);
	} else if (evidence.type != &typed_statement) {
		snprintf(why, CLAIM_MESSAGE, "%.300s is a signed %s, not a Statement", path, evidence.type->name);
	} else {
		err = claim_papers_take(trust, node, &evidence.object.statement, &evidence.domain, &evidence.signature,
					papers, why);
	}
out:
	json_decref(json);
	free(text);
	return err;
}

/* A statement as it was kept; period 0: none. */
struct kept_statement {
	struct statement statement;
	struct signature signature;
};

static enum err take_kept(void *arg, const struct statement *statement, struct bytes signed_statement,
			  struct bytes sheet)
{
	struct kept_statement *kept = arg;

	(void)statement;
	(void)sheet;
	return typed_decode(&typed_statement, signed_statement, &kept->statement, &kept->signature);
}

/* The satellite's statement of the period, or with 0 its last. */
static enum err find_of(struct papers *papers, const struct address *satellite, uint32_t period,
			struct kept_statement *ret)
{
	enum err err = ERR_OK;

	*ret = (struct kept_statement){.statement = {.period = 0}};
	if (period == 0)
		err = papers_last_period(papers, satellite, &period);
	if (err != ERR_OK || period == 0)
		return err;
	return papers_statements(papers, satellite, period, period, take_kept, ret);
}

struct found {
	const struct satellite *satellite; /* whose statement it is */
	unsigned satellites;		   /* that have one */
	struct kept_statement kept;
};

static enum err search(struct papers *papers, const struct satellite *satellites, size_t count, uint32_t period,
		       struct found *ret)
{
	for (size_t i = 0; i < count; i++) {
		struct kept_statement kept;
		enum err err = find_of(papers, &satellites[i].address, period, &kept);

		if (err != ERR_OK)
			return err;
		if (kept.statement.period == 0)
			continue;
		ret->satellite = &satellites[i];
		ret->satellites++;
		ret->kept = kept;
	}
	return ERR_OK;
}

/* Open DIR/papers.db, which is the running node's to make. */
static enum err open_kept(const char *dir, struct papers **ret, char why[CLAIM_MESSAGE])
{
	char *path = file_join(dir, PAPERS_FILE);
	bool there = file_exists(path);

	free(path);
	if (there)
		return papers_open(dir, ret, why);
	snprintf(why, CLAIM_MESSAGE, "the node has kept no statement yet: name a file with --statement");
	return ERR_NOT_FOUND;
}

enum err claim_papers_find_statement(struct trust *trust, const struct address *node, const char *dir, uint32_t period,
				     struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	struct satellite *satellites = NULL;
	struct papers *kept = NULL;
	struct found found = {0};
	size_t count = trust_list(trust, &satellites);
	enum err err = open_kept(dir, &kept, why);

	if (err != ERR_OK)
		goto out;
	err = search(kept, satellites, count, period, &found);
	if (err != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "cannot read the node's papers: %s", papers_message(kept));
	} else if (found.satellites == 0) {
		snprintf(why, CLAIM_MESSAGE, "the node has no statement%s yet: it fetches them when it settles",
			 period == 0 ? "" : " of that month");
		err = ERR_NOT_FOUND;
	} else if (found.satellites > 1) {
		snprintf(why, CLAIM_MESSAGE, "several satellites have signed a statement: name one with --satellite");
		err = ERR_USAGE;
	} else {
		err = claim_papers_take(trust, node, &found.kept.statement, &found.satellite->domain,
					&found.kept.signature, papers, why);
	}
out:
	papers_close(kept);
	free(satellites);
	return err;
}

/* The leaf must say what the statement says. */
static enum err check_leaf(const struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	const struct statement *statement = &papers->statement;
	char payee[KEY_ADDRESS_TEXT], ours[U256_TEXT], theirs[U256_TEXT], period[PERIOD_TEXT];

	if (address_equal(&papers->leaf.payee, &statement->payee) &&
	    bytes32_equal(&papers->leaf.cumulative, &statement->payeeCumulative))
		return ERR_OK;
	address_to_text(&papers->leaf.payee, payee);
	snprintf(
		why, CLAIM_MESSAGE,
		"the statement of %s and the tree disagree: %s was allotted %s base units in all by the one, %s by the "
		"other",
		period_print(statement->period, period), payee, u256_print(&statement->payeeCumulative, ours),
		u256_print(&papers->leaf.cumulative, theirs));
	return ERR_CONFLICT;
}

static enum err find_leaf(const struct payout_tree *tree, struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	char payee[KEY_ADDRESS_TEXT];
	size_t index;

	if (payout_tree_find(tree, &papers->statement.payee, &index) != ERR_OK) {
		address_to_text(&papers->statement.payee, payee);
		snprintf(why, CLAIM_MESSAGE, "the tree has no leaf for the statement's payee, %s", payee);
		return ERR_CONFLICT;
	}
	papers->leaf = *payout_tree_leaf(tree, index);
	papers->root = *payout_tree_root(tree);
	papers->proof_count = payout_tree_proof(tree, index, papers->proof);
	return check_leaf(papers, why);
}

_Static_assert(MESSAGE_PAYOUT_PROOF == PAYOUT_PROOF_MOST * sizeof(struct bytes32), "a proof fits where it is kept");

static void take_payout(const struct message *answer, void *arg)
{
	const struct msg_payout *m = &answer->payout;
	struct claim_papers *papers = arg;

	papers->leaf = (struct payout_leaf){.payee = m->payee, .cumulative = m->cumulative};
	papers->root = m->root;
	papers->proof_count = m->proof.len / sizeof(papers->proof[0]);
	if (m->proof.len > 0)
		memcpy(papers->proof, m->proof.data, papers->proof_count * sizeof(papers->proof[0]));
}

enum err claim_papers_ask_payout(struct trust *trust, const struct key *key, struct claim_papers *papers,
				 char why[CLAIM_MESSAGE])
{
	struct message ask = {.type = MSG_ASK_PAYOUT, .ask_payout = {papers->statement.period}};
	char words[ERRAND_MESSAGE] = "";
	struct satellite satellite;
	struct errand *errand = NULL;
	atomic_bool stop = false;
	enum err err = trust_find(trust, &papers->statement.satellite, &satellite);

	if (err != ERR_OK)
		return err; /* it was found when the statement was taken */
	err = errand_open(key, &satellite.endpoint, &stop, &errand, words);
	if (err == ERR_OK)
		err = errand_ask(errand, &ask, MSG_PAYOUT, take_payout, papers, words);
	errand_close(errand);
	if (err != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "cannot get the payout from the satellite (--tree names a file): %s",
			 words[0] == '\0' ? err_text(err) : words);
		return err;
	}
	if (!payout_proof_holds(&papers->root, &papers->leaf, papers->proof, papers->proof_count)) {
		snprintf(why, CLAIM_MESSAGE, "the satellite's proof does not lead to its root");
		return ERR_PROTOCOL;
	}
	return check_leaf(papers, why);
}

enum err claim_papers_read_tree(const char *path, struct claim_papers *papers, char why[CLAIM_MESSAGE])
{
	char *text = NULL, detail[PAYOUT_WHY] = "";
	struct payout_tree *tree = NULL;
	size_t len = 0;
	enum err err = file_read(path, TREE_MOST, &text, &len);

	if (err != ERR_OK) {
		snprintf(why, CLAIM_MESSAGE, "cannot read %.300s: %s", path, err_text(err));
	} else {
		err = payout_tree_load(bytes_of(text, len), &tree, detail);
		if (err != ERR_OK)
			snprintf(why, CLAIM_MESSAGE, "%.300s is no payout tree: %s", path, detail);
		else
			err = find_leaf(tree, papers, why);
	}
	payout_tree_free(tree);
	free(text);
	return err;
}
