/* Which payee: the one of the caller's own statement of that month. */
#include "satellite/proofs.h"

#include <stdlib.h>

#include "common/memory.h"
#include "satellite/payouts.h"

struct proofs {
	struct payout payout; /* without a tree as long as none was built */
};

struct proofs *proofs_new(void)
{
	return memory_new(1, sizeof(struct proofs));
}

void proofs_free(struct proofs *proofs)
{
	if (proofs == NULL)
		return;
	payouts_free(&proofs->payout);
	free(proofs);
}

/* Have the tree of that month at hand. */
static enum err fetch_tree(struct work *work, struct database *db, uint32_t period)
{
	struct proofs *proofs = work->desk->proofs;
	struct payout payout;
	char why[PAYOUTS_WHY] = "";
	uint64_t payees;
	enum err err;

	if (proofs->payout.tree != NULL && proofs->payout.period == period)
		return ERR_OK;
	err = payouts_count(db, period, &payees);
	if (err == ERR_OK && payees > PROOFS_PAYEES)
		return work_refuse(work, REFUSAL_NOT_FOUND,
				   "too many payees to prove one by one: the satellite's operator publishes the tree");
	if (err == ERR_OK)
		err = payouts_build(db, period, &payout, why);
	if (err == ERR_CANCELLED)
		return work_refuse(work, REFUSAL_NOT_FOUND, "period: %s", why);
	if (err != ERR_OK)
		return err;
	payouts_free(&proofs->payout);
	proofs->payout = payout;
	return ERR_OK;
}

/* The caller's payee of that month. */
static enum err find_payee(struct work *work, struct database *db, uint32_t period, struct address *ret)
{
	struct query *q = database_query(db, "SELECT payee FROM statements WHERE node = $node AND period = $period");
	enum err err;

	query_address(q, "node", &work->caller->address);
	query_int(q, "period", period);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->b, sizeof(ret->b));
	query_reset(q);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "period: this node has no statement of it");
	return err;
}

static enum err tell(struct database *db, void *arg)
{
	struct work *work = arg;
	struct message answer = {.type = MSG_PAYOUT};
	struct msg_payout *m = &answer.payout;
	struct bytes32 proof[PAYOUT_PROOF_MOST];
	uint32_t period = work->message->ask_payout.period;
	const struct payout_tree *tree;
	size_t index;
	enum err err = find_payee(work, db, period, &m->payee);

	if (err == ERR_OK)
		err = fetch_tree(work, db, period);
	if (err != ERR_OK)
		return err;
	tree = work->desk->proofs->payout.tree;
	if (payout_tree_find(tree, &m->payee, &index) != ERR_OK)
		return work_refuse(work, REFUSAL_NOT_FOUND, "nothing was allotted to this node's payee yet");
	m->root = *payout_tree_root(tree);
	m->cumulative = payout_tree_leaf(tree, index)->cumulative;
	m->proof = bytes_of(proof, payout_tree_proof(tree, index, proof) * sizeof(proof[0]));
	work->reply->len = 0;
	reply_add(work->reply, &answer);
	return ERR_OK;
}

enum err proofs_tell(struct work *work)
{
	return database_view(work->desk->db, tell, work);
}
