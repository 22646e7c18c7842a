/* SQL of payouts. */
#include "satellite/payouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/u256.h"
#include "satellite/ledger.h"
#include "satellite/statements.h"

static enum err refuse(char why[PAYOUTS_WHY], uint32_t period, const char *what)
{
	snprintf(why, PAYOUTS_WHY, "%04u-%02u %s", period / 100, period % 100, what);
	return ERR_CANCELLED;
}

/* The transaction of a month, when there is one. */
static enum err read_record(struct database *db, struct payout *payout)
{
	struct query *q = database_query(db, "SELECT transaction_id, at FROM payouts WHERE period = $period");
	enum err err;

	query_int(q, "period", payout->period);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, payout->transaction.b, sizeof(payout->transaction.b));
	payout->transaction_at = err == ERR_OK ? query_get_int(q, 1) : 0;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

struct leaves {
	struct payout_leaf *list;
	size_t count, room;
	struct amount total;
};

static enum err read_leaves(struct database *db, uint32_t period, struct leaves *leaves)
{
	struct query *q =
		database_query(db, "SELECT payee, SUM(allotted) FROM statements WHERE period <= $period GROUP BY "
				   "payee HAVING SUM(allotted) > 0 ORDER BY payee");
	bool row;
	enum err err;

	query_int(q, "period", period);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct payout_leaf leaf = {.cumulative = u256_of(query_get_int(q, 1))};

		err = query_get_exact(q, 0, leaf.payee.b, sizeof(leaf.payee.b));
		if (err == ERR_OK)
			err = amount_add(leaves->total, amount_of(query_get_int(q, 1)), &leaves->total);
		if (err != ERR_OK)
			break;
		leaves->list = memory_grow(leaves->list, &leaves->room, leaves->count + 1, sizeof(leaf));
		leaves->list[leaves->count++] = leaf;
	}
	query_reset(q);
	return err;
}

enum err payouts_build(struct database *db, uint32_t period, struct payout *ret, char why[PAYOUTS_WHY])
{
	struct payout payout = {.period = period};
	struct leaves leaves = {.list = NULL};
	struct stretch stretch;
	bool closed;
	enum err err = statements_month(db, period, &stretch, &closed);

	if (err != ERR_OK)
		return err;
	if (!closed)
		return refuse(why, period, "is not closed");
	err = read_record(db, &payout);
	if (err == ERR_OK)
		err = read_leaves(db, period, &leaves);
	if (err == ERR_OK && leaves.count == 0)
		err = refuse(why, period, "has no payout: nothing was allotted to anyone yet");
	if (err == ERR_OK)
		err = payout_tree_build(leaves.list, leaves.count, &payout.tree);
	payout.total = amount_units(leaves.total);
	free(leaves.list);
	if (err == ERR_OK)
		*ret = payout;
	return err;
}

void payouts_free(struct payout *payout)
{
	payout_tree_free(payout->tree);
	payout->tree = NULL;
}

enum err payouts_count(struct database *db, uint32_t period, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT COUNT(DISTINCT payee) FROM statements WHERE period <= $period AND "
					     "allotted > 0");
	enum err err;

	query_int(q, "period", period);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err;
}

enum err payouts_nodes(struct database *db, uint32_t period, const struct address *payee, struct address **ret,
		       size_t *ret_count)
{
	struct query *q = database_query(db, "SELECT DISTINCT node FROM statements WHERE payee = $payee AND period <= "
					     "$period AND allotted > 0 ORDER BY node");
	struct address *nodes = NULL;
	size_t count = 0, room = 0;
	bool row;
	enum err err;

	query_address(q, "payee", payee);
	query_int(q, "period", period);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		nodes = memory_grow(nodes, &room, count + 1, sizeof(*nodes));
		err = query_get_exact(q, 0, nodes[count++].b, sizeof(nodes[0].b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	if (err != ERR_OK) {
		free(nodes);
		return err;
	}
	*ret = nodes;
	*ret_count = count;
	return ERR_OK;
}

struct export
{
	uint32_t period;
	payout_write_fn *write;
	void *arg;
	char *why;
	struct database *db;
	struct payout payout;
	struct address *nodes; /* of the leaf that is written */
	bool begun;	       /* something was written: not to be tried again */
};

static enum err write_text(void *arg, const char *text, size_t len)
{
	struct export *export = arg;

	export->begun = true;
	return export->write(export->arg, text, len);
}

static enum err name_nodes(void *arg, size_t i, const struct address **ret, size_t *ret_count)
{
	struct export *export = arg;
	enum err err;

	free(export->nodes);
	export->nodes = NULL;
	err = payouts_nodes(export->db, export->period, &payout_tree_leaf(export->payout.tree, i)->payee,
			    &export->nodes, ret_count);
	*ret = export->nodes;
	return err;
}

static enum err export_once(struct database *db, void *arg)
{
	struct export *export = arg;
	const struct payout_sink sink = {write_text, name_nodes, export};
	enum err err;

	if (export->begun)
		return ERR_IO;
	export->db = db;
	payouts_free(&export->payout);
	err = payouts_build(db, export->period, &export->payout, export->why);
	return err == ERR_OK ? payout_tree_dump(export->payout.tree, &sink) : err;
}

enum err payouts_export(struct desk *desk, uint32_t period, payout_write_fn *write, void *arg, char why[PAYOUTS_WHY])
{
	struct export export = {.period = period, .write = write, .arg = arg, .why = why};
	enum err err = database_view(desk->db, export_once, &export);

	payouts_free(&export.payout);
	free(export.nodes);
	return err;
}

struct recording {
	uint32_t period;
	const struct bytes32 *transaction;
	uint64_t now;
	uint64_t nodes;
	struct amount amount;
	char *why;
};

/* The last month that was recorded, 0 for none. */
static enum err last_recorded(struct database *db, uint32_t *ret)
{
	struct query *q = database_query(db, "SELECT COALESCE(MAX(period), 0) FROM payouts");
	enum err err = query_one(q);

	if (err != ERR_OK)
		return err;
	*ret = (uint32_t)query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

static enum err insert_payout(struct database *db, const struct recording *recording, const struct payout *payout)
{
	struct query *q = database_query(db, "INSERT INTO payouts (period, root, transaction_id, at) VALUES ($period, "
					     "$root, $transaction, $at)");

	query_int(q, "period", recording->period);
	query_bytes32(q, "root", payout_tree_root(payout->tree));
	query_bytes32(q, "transaction", recording->transaction);
	query_int(q, "at", recording->now);
	return query_run(q);
}

/* What was allotted in the months behind the last that was recorded, up to this one. */
static enum err mark_paid(struct database *db, struct recording *recording, uint32_t after)
{
	struct query *q = database_query(db, "SELECT node, period, allotted FROM statements WHERE period > $after AND "
					     "period <= $period AND allotted > 0 ORDER BY node, period");
	bool row;
	enum err err;

	query_int(q, "after", after);
	query_int(q, "period", recording->period);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct ledger_entry entry = {
			.period = (uint32_t)query_get_int(q, 1),
			.reason = LEDGER_FOR_PAID,
			.ref = bytes_of(recording->transaction->b, sizeof(recording->transaction->b)),
			.amount = amount_of(query_get_int(q, 2)),
			.at = recording->now,
		};

		err = query_get_exact(q, 0, entry.party.b, sizeof(entry.party.b));
		if (err == ERR_OK)
			err = ledger_post(db, &entry);
		if (err == ERR_OK)
			err = amount_add(recording->amount, entry.amount, &recording->amount);
		if (err != ERR_OK)
			break;
		recording->nodes++;
	}
	query_reset(q);
	return err;
}

static enum err record(struct database *db, void *arg)
{
	struct recording *recording = arg;
	struct payout payout = {.tree = NULL};
	uint32_t last = 0;
	enum err err = payouts_build(db, recording->period, &payout, recording->why);

	recording->nodes = 0;
	recording->amount = amount_of(0);
	if (err == ERR_OK && payout.transaction_at != 0) {
		if (!bytes32_equal(&payout.transaction, recording->transaction))
			err = refuse(recording->why, recording->period, "was paid by another transaction");
		goto out;
	}
	if (err == ERR_OK)
		err = last_recorded(db, &last);
	if (err == ERR_OK && last > recording->period)
		err = refuse(recording->why, recording->period, "is part of a later payout that is recorded already");
	if (err == ERR_OK)
		err = insert_payout(db, recording, &payout);
	if (err == ERR_OK)
		err = mark_paid(db, recording, last);
out:
	payouts_free(&payout);
	return err;
}

enum err payouts_record(struct desk *desk, uint32_t period, const struct bytes32 *transaction, uint64_t now,
			uint64_t *ret_nodes, uint64_t *ret_amount, char why[PAYOUTS_WHY])
{
	struct recording recording = {.period = period, .transaction = transaction, .now = now, .why = why};
	enum err err = database_transaction(desk->db, record, &recording);

	if (err == ERR_OK) {
		*ret_nodes = recording.nodes;
		*ret_amount = amount_units(recording.amount);
	}
	return err;
}
