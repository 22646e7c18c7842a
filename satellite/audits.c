/* Choosing pieces and nodes for challenges. */
#include "satellite/audits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "satellite/reputations.h"

void audits_batch_init(struct audit_batch *batch, const struct address *node, uint32_t room)
{
	memset(batch, 0, sizeof(*batch));
	batch->node = *node;
	batch->room = room;
	batch->form = CHALLENGE_LISTED;
	batch->pieces = memory_new(room, sizeof(*batch->pieces));
}

void audits_batch_free(struct audit_batch *batch)
{
	free(batch->pieces);
	free(batch->sent);
	free(batch->record);
	batch->pieces = NULL;
	batch->sent = batch->record = NULL;
	batch->count = batch->room = 0;
}

/* Pieces that the node must be able to prove. From its expiry on it need not, and its clock may be ahead of ours. */
#define AUDITED                                                                                                       \
	"node = $node AND lost = 0 AND NOT EXISTS (SELECT 1 FROM segments s JOIN objects o ON o.version = s.version " \
	"WHERE s.segment = pieces.segment AND o.expires > 0 AND o.expires <= $now)"

static void bind_audited(struct query *q, const struct address *node)
{
	query_address(q, "node", node);
	query_int(q, "now", clock_wall() + 2 * RULES_SKEW);
}

/* Columns: piece, root, size. */
static enum err read_piece(struct query *q, struct audited_piece *ret)
{
	enum err err = query_get_exact(q, 0, ret->piece.b, sizeof(ret->piece.b));

	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->root.b, sizeof(ret->root.b));
	ret->size = query_get_int(q, 2);
	return err;
}

enum err audits_next_pieces(struct database *db, struct audit_batch *batch, const struct bytes32 *after,
			    uint8_t samples)
{
	struct query *q = database_query(db, "SELECT piece, root, size FROM pieces WHERE " AUDITED " AND "
					     "piece > $after ORDER BY piece LIMIT $limit");
	bool row;
	enum err err;

	bind_audited(q, &batch->node);
	query_bytes(q, "after", after == NULL ? bytes_of("", 0) : bytes_of(after->b, sizeof(after->b)));
	query_int(q, "limit", batch->room);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		assert(batch->count < batch->room);
		err = read_piece(q, &batch->pieces[batch->count]);
		batch->pieces[batch->count++].samples = samples;
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err audits_holdings(struct database *db, const struct address *node, uint64_t *ret_pieces, uint64_t *ret_bytes)
{
	struct query *q = database_query(db, "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM pieces WHERE " AUDITED);
	enum err err;

	bind_audited(q, node);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret_pieces = query_get_int(q, 0);
	*ret_bytes = query_get_int(q, 1);
	query_reset(q);
	return ERR_OK;
}

struct draw {
	struct audit_batch *batch;
	uint64_t *positions; /* sorted */
	uint32_t count;
};

/* Walk the pieces in order with a running sum; those that a position falls in are taken. */
static enum err take_drawn(struct database *db, struct draw *draw)
{
	struct audit_batch *batch = draw->batch;
	struct query *q = database_query(db, "SELECT piece, root, size FROM pieces WHERE " AUDITED " ORDER BY piece");
	uint64_t end = 0;
	uint32_t at = 0;
	bool row;
	enum err err;

	bind_audited(q, &batch->node);
	for (err = query_step(q, &row); err == ERR_OK && row && at < draw->count; err = query_step(q, &row)) {
		uint32_t hits = 0;

		end += query_get_int(q, 2);
		for (; at < draw->count && draw->positions[at] < end; at++)
			hits++;
		if (hits == 0)
			continue;
		assert(batch->count < batch->room);
		err = read_piece(q, &batch->pieces[batch->count]);
		batch->pieces[batch->count++].samples = (uint8_t)(hits < PROOF_SAMPLES ? hits : PROOF_SAMPLES);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err draw_pieces(struct database *db, void *arg)
{
	struct draw *draw = arg;
	struct bytes32 nonce;
	uint64_t pieces, bytes;
	enum err err = audits_holdings(db, &draw->batch->node, &pieces, &bytes);

	/* A view is tried again when another connection was in the way. */
	draw->batch->count = 0;
	if (err != ERR_OK || bytes == 0)
		return err;
	random_bytes(nonce.b, sizeof(nonce.b));
	challenge_draw(&nonce, bytes, draw->positions, draw->count);
	return take_drawn(db, draw);
}

enum err audits_draw_pieces(struct database *db, struct audit_batch *batch, uint32_t draws)
{
	struct draw draw = {batch, memory_new(draws, sizeof(uint64_t)), draws};
	enum err err;

	assert(draws <= batch->room);
	batch->form = CHALLENGE_WHOLE;
	err = database_view(db, draw_pieces, &draw);
	free(draw.positions);
	return err;
}

/* Those whose node has no round yet are due at once. */
static enum err add_rounds(struct database *db, void *arg)
{
	struct query *q =
		database_query(db, "INSERT INTO audit_rounds (node, after, due) SELECT address, $after, 0 FROM "
				   "nodes WHERE address NOT IN (SELECT node FROM audit_rounds)");

	(void)arg;
	query_bytes(q, "after", bytes_of("", 0));
	return query_run(q);
}

static enum err has_new_nodes(struct database *db)
{
	struct query *q = database_query(db, "SELECT 1 FROM nodes WHERE address NOT IN (SELECT node FROM audit_rounds) "
					     "LIMIT 1");
	enum err err = query_one(q);

	query_reset(q);
	return err;
}

static enum err read_round(struct query *q, struct audit_round *ret)
{
	struct bytes after = query_get_bytes(q, 1);
	enum err err = query_get_exact(q, 0, ret->node.b, sizeof(ret->node.b));

	memset(&ret->after, 0, sizeof(ret->after));
	if (after.len == sizeof(ret->after.b))
		memcpy(ret->after.b, after.data, after.len);
	ret->due = query_get_int(q, 2);
	ret->piece_us = query_get_int(q, 3);
	ret->vetting = query_get_int(q, 4) == STATE_VETTING;
	return err;
}

enum err audits_due(struct database *db, uint64_t now, uint32_t skip, struct audit_round *ret)
{
	struct query *q;
	enum err err = has_new_nodes(db);

	if (err == ERR_OK)
		err = database_transaction(db, add_rounds, NULL);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	q = database_query(db,
			   "SELECT a.node, a.after, a.due, a.piece_us, r.state FROM audit_rounds a JOIN reputations r "
			   "ON r.node = a.node WHERE a.due <= $now AND r.state <> $disqualified AND r.state <> "
			   "$exited AND NOT EXISTS (SELECT 1 FROM contained c WHERE c.node = a.node) ORDER BY a.due "
			   "LIMIT 1 OFFSET $skip");
	query_int(q, "now", now);
	query_int(q, "disqualified", STATE_DISQUALIFIED);
	query_int(q, "exited", STATE_EXITED);
	query_int(q, "skip", skip);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_round(q, ret);
	query_reset(q);
	return err;
}

static enum err set_round(struct database *db, void *arg)
{
	const struct audit_round *round = arg;
	struct query *q = database_query(db, "UPDATE audit_rounds SET after = $after, due = $due, piece_us = $us WHERE "
					     "node = $node");

	query_address(q, "node", &round->node);
	query_bytes32(q, "after", &round->after);
	query_int(q, "due", round->due);
	query_int(q, "us", round->piece_us);
	return query_run(q);
}

enum err audits_set_round(struct database *db, const struct audit_round *round)
{
	struct audit_round copy = *round;

	return database_transaction(db, set_round, &copy);
}
