/* SQL of the deletion queue. */
#include "satellite/deletions.h"

enum err deletions_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret_node)
{
	struct query *q =
		database_query(db, "SELECT node FROM deletions WHERE due <= $now GROUP BY node ORDER BY MIN(due) "
				   "LIMIT 1 OFFSET $skip");
	enum err err;

	query_int(q, "now", now);
	query_int(q, "skip", skip);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret_node->b, sizeof(ret_node->b));
	query_reset(q);
	return err;
}

struct take {
	uint64_t now;
	struct deletion_batch *batch;
};

static enum err take(struct database *db, void *arg)
{
	const struct take *t = arg;
	struct deletion_batch *batch = t->batch;
	struct query *q =
		database_query(db, "SELECT ends, piece FROM deletions WHERE node = $node AND due <= $now AND "
				   "ends = (SELECT MIN(ends) FROM deletions WHERE node = $node AND due <= $now) "
				   "ORDER BY piece LIMIT $limit");
	bool row;
	enum err err;

	batch->count = 0;
	query_address(q, "node", &batch->node);
	query_int(q, "now", t->now);
	query_int(q, "limit", DELETIONS_BATCH);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		batch->ends = query_get_int(q, 0);
		err = query_get_exact(q, 1, batch->pieces[batch->count++].b, sizeof(batch->pieces[0].b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err deletions_take(struct database *db, uint64_t now, struct deletion_batch *batch)
{
	struct take t = {now, batch};

	return database_view(db, take, &t);
}

static enum err run_on_piece(struct database *db, const char *sql, uint64_t now, const struct address *node,
			     const struct bytes32 *piece)
{
	struct query *q = database_query(db, sql);

	query_address(q, "node", node);
	query_bytes32(q, "piece", piece);
	query_int(q, "now", now);
	return query_run(q);
}

struct done {
	uint64_t now;
	const struct deletion_batch *batch;
};

static enum err done(struct database *db, void *arg)
{
	const struct done *d = arg;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < d->batch->count && err == ERR_OK; i++) {
		err = run_on_piece(db, "DELETE FROM deletions WHERE node = $node AND piece = $piece AND again <= $now",
				   d->now, &d->batch->node, &d->batch->pieces[i]);
		if (err == ERR_OK)
			err = run_on_piece(db,
					   "UPDATE deletions SET due = again, tries = 0 WHERE node = $node AND "
					   "piece = $piece AND again > $now",
					   d->now, &d->batch->node, &d->batch->pieces[i]);
	}
	return err;
}

enum err deletions_done(struct database *db, uint64_t now, const struct deletion_batch *batch)
{
	struct done d = {now, batch};

	return database_transaction(db, done, &d);
}

struct failed {
	uint64_t now;
	const struct address *node;
};

static enum err failed(struct database *db, void *arg)
{
	const struct failed *f = arg;
	struct query *q =
		database_query(db, "UPDATE deletions SET tries = tries + 1, due = $now + CASE WHEN tries < 8 THEN "
				   "10 * (1 << tries) ELSE 3600 END WHERE node = $node AND due <= $now");

	query_address(q, "node", f->node);
	query_int(q, "now", f->now);
	return query_run(q);
}

enum err deletions_failed(struct database *db, uint64_t now, const struct address *node)
{
	struct failed f = {now, node};

	return database_transaction(db, failed, &f);
}
