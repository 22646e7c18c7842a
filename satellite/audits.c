/* Choosing pieces for challenges, and keeping verdicts. */
#include "satellite/audits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "satellite/storage.h"

void audits_batch_init(struct audit_batch *batch, const struct address *node, uint32_t room)
{
	memset(batch, 0, sizeof(*batch));
	batch->node = *node;
	batch->room = room;
	batch->pieces = memory_new(room, sizeof(*batch->pieces));
}

void audits_batch_free(struct audit_batch *batch)
{
	free(batch->pieces);
	batch->pieces = NULL;
	batch->count = batch->room = 0;
}

/* Pieces that the node must be able to prove. From its expiry on it need not, and its clock may be ahead of ours. */
#define AUDITED                                                                                                       \
	"node = $node AND lost = 0 AND NOT EXISTS (SELECT 1 FROM segments s JOIN objects o ON o.version = s.version " \
	"WHERE s.segment = pieces.segment AND o.expires > 0 AND o.expires <= $now)"

static void bind_node(struct query *q, const struct address *node)
{
	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
}

static void bind_audited(struct query *q, const struct address *node)
{
	bind_node(q, node);
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
	batch->whole_sample = true;
	err = database_view(db, draw_pieces, &draw);
	free(draw.positions);
	return err;
}

static bool is_loss(enum audit_verdict verdict)
{
	return verdict == AUDITED_MISSING || verdict == AUDITED_CORRUPT;
}

/* Since when the piece is not there, as far as anybody can show: it earns up to the last proof. */
static enum err read_last_proof(struct database *db, const struct audit_batch *batch, const struct bytes32 *piece,
				uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT CASE WHEN proven > stored THEN proven ELSE stored END FROM pieces "
					     "WHERE node = $node AND piece = $piece");
	enum err err;

	bind_node(q, &batch->node);
	query_bytes32(q, "piece", piece);
	err = query_one(q);
	*ret = err == ERR_OK ? query_get_int(q, 0) : 0;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* *ret_counts: the piece still is the node's. */
static enum err record_piece(struct database *db, const struct audit_batch *batch, const struct audited_piece *piece,
			     bool *ret_counts)
{
	uint64_t lost = 0;
	struct query *q;
	enum err err = ERR_OK;

	if (is_loss(piece->verdict)) {
		err = read_last_proof(db, batch, &piece->piece, &lost);
		if (err == ERR_OK)
			err = storage_end_piece(db, &batch->node, &piece->piece, lost);
		if (err != ERR_OK)
			return err;
	}
	q = database_query(db, "UPDATE pieces SET audited = $at, verdict = $verdict, proven = CASE WHEN $proven > 0 "
			       "THEN $proven ELSE proven END, lost = CASE WHEN lost = 0 THEN $lost ELSE lost END "
			       "WHERE node = $node AND piece = $piece");
	bind_node(q, &batch->node);
	query_bytes32(q, "piece", &piece->piece);
	query_int(q, "at", batch->at);
	query_int(q, "verdict", piece->verdict);
	query_int(q, "proven", piece->verdict == AUDITED_PROVEN ? batch->at : 0);
	query_int(q, "lost", lost);
	err = query_run(q);
	*ret_counts = database_changes(db) > 0;
	return err;
}

static enum err record_audit(struct database *db, const struct audit_batch *batch)
{
	struct query *q =
		database_query(db, "INSERT INTO audits (challenge, node, at, transcript, bytes, proven, missing, "
				   "corrupt, late, unreachable, unknown) VALUES ($challenge, $node, $at, "
				   "$transcript, $bytes, $proven, $missing, $corrupt, $late, $unreachable, "
				   "$unknown)");

	query_bytes32(q, "challenge", &batch->challenge);
	bind_node(q, &batch->node);
	query_int(q, "at", batch->at);
	query_bytes(q, "transcript", bytes_of(batch->transcript, batch->transcript_len));
	query_int(q, "bytes", batch->bytes);
	query_int(q, "proven", batch->verdicts[AUDITED_PROVEN]);
	query_int(q, "missing", batch->verdicts[AUDITED_MISSING]);
	query_int(q, "corrupt", batch->verdicts[AUDITED_CORRUPT]);
	query_int(q, "late", batch->verdicts[AUDITED_LATE]);
	query_int(q, "unreachable", batch->verdicts[AUDITED_UNREACHABLE]);
	query_int(q, "unknown", batch->verdicts[AUDITED_UNKNOWN]);
	return query_run(q);
}

static enum err add_to_hour(struct database *db, const struct audit_batch *batch)
{
	struct query *q =
		database_query(db, "INSERT INTO audited (node, hour, bytes, passed, failed) VALUES ($node, $hour, "
				   "$bytes, $passed, $failed) ON CONFLICT (node, hour) DO UPDATE SET bytes = "
				   "audited.bytes + excluded.bytes, passed = audited.passed + excluded.passed, "
				   "failed = audited.failed + excluded.failed");
	uint64_t hour;
	enum err err = storage_hour(db, &hour);

	if (err != ERR_OK)
		return err;
	bind_node(q, &batch->node);
	query_int(q, "hour", hour);
	query_int(q, "bytes", batch->bytes);
	query_int(q, "passed", batch->verdicts[AUDITED_PROVEN]);
	query_int(q, "failed", batch->verdicts[AUDITED_MISSING] + batch->verdicts[AUDITED_CORRUPT]);
	return query_run(q);
}

static enum err record_finding(struct database *db, const struct audit_batch *batch, const struct audited_piece *piece)
{
	struct query *q;

	if (piece->verdict == AUDITED_PROVEN || piece->verdict == AUDITED_UNREACHABLE)
		return ERR_OK;
	q = database_query(db,
			   "INSERT INTO findings (challenge, piece, verdict) VALUES ($challenge, $piece, $verdict)");
	query_bytes32(q, "challenge", &batch->challenge);
	query_bytes32(q, "piece", &piece->piece);
	query_int(q, "verdict", piece->verdict);
	return query_run(q);
}

struct record {
	struct audit_batch *batch;
	bool *counts;
};

static enum err record(struct database *db, void *arg)
{
	const struct record *r = arg;
	struct audit_batch *batch = r->batch;
	enum err err = ERR_OK;

	memset(batch->verdicts, 0, sizeof(batch->verdicts));
	for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++) {
		err = record_piece(db, batch, &batch->pieces[i], &r->counts[i]);
		batch->verdicts[batch->pieces[i].verdict] += r->counts[i];
	}
	if (err == ERR_OK)
		err = record_audit(db, batch);
	if (err == ERR_OK)
		err = add_to_hour(db, batch);
	for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++)
		if (r->counts[i])
			err = record_finding(db, batch, &batch->pieces[i]);
	return err;
}

enum err audits_record(struct database *db, struct audit_batch *batch)
{
	struct record r = {batch, memory_new(batch->count, sizeof(bool))};
	enum err err = database_transaction(db, record, &r);

	free(r.counts);
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

enum err audits_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret_node,
		    struct bytes32 *ret_after)
{
	struct query *q;
	struct bytes after;
	enum err err = has_new_nodes(db);

	if (err == ERR_OK)
		err = database_transaction(db, add_rounds, NULL);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	q = database_query(db,
			   "SELECT node, after FROM audit_rounds WHERE due <= $now ORDER BY due LIMIT 1 OFFSET $skip");
	query_int(q, "now", now);
	query_int(q, "skip", skip);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret_node->b, sizeof(ret_node->b));
	if (err == ERR_OK) {
		after = query_get_bytes(q, 1);
		memset(ret_after, 0, sizeof(*ret_after));
		if (after.len == sizeof(ret_after->b))
			memcpy(ret_after->b, after.data, after.len);
	}
	query_reset(q);
	return err;
}

struct set_due {
	const struct address *node;
	const struct bytes32 *after;
	uint64_t due;
};

static enum err set_due(struct database *db, void *arg)
{
	const struct set_due *s = arg;
	struct query *q = database_query(db, "UPDATE audit_rounds SET after = $after, due = $due WHERE node = $node");

	bind_node(q, s->node);
	query_bytes32(q, "after", s->after);
	query_int(q, "due", s->due);
	return query_run(q);
}

enum err audits_set_due(struct database *db, const struct address *node, const struct bytes32 *after, uint64_t due)
{
	struct set_due s = {node, after, due};

	return database_transaction(db, set_due, &s);
}
