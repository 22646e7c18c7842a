/* SQL of verdicts. */
#include "satellite/verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "satellite/containment.h"
#include "satellite/notices.h"
#include "satellite/storage.h"
#include "satellite/transcripts.h"

#define TOLD_DOUBTS 20 /* of a challenge's pieces that were late, failed or unanswered, so many are told one by one */

struct record {
	struct desk *desk;
	struct audit_batch *batch;
	bool *counts; /* by piece: it still is the node's */
	enum node_state state;
	struct state_change *change;
};

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

	query_address(q, "node", &batch->node);
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
	query_address(q, "node", &batch->node);
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
				   "corrupt, late, unreachable, unknown, form, tries) VALUES ($challenge, $node, $at, "
				   "$transcript, $bytes, $proven, $missing, $corrupt, $late, $unreachable, "
				   "$unknown, $form, $tries)");

	query_bytes32(q, "challenge", &batch->challenge);
	query_address(q, "node", &batch->node);
	query_int(q, "at", batch->at);
	query_bytes(q, "transcript", bytes_of(batch->transcript, batch->transcript_len));
	query_int(q, "bytes", batch->bytes);
	query_int(q, "proven", batch->verdicts[AUDITED_PROVEN]);
	query_int(q, "missing", batch->verdicts[AUDITED_MISSING]);
	query_int(q, "corrupt", batch->verdicts[AUDITED_CORRUPT]);
	query_int(q, "late", batch->verdicts[AUDITED_LATE]);
	query_int(q, "unreachable", batch->verdicts[AUDITED_UNREACHABLE]);
	query_int(q, "unknown", batch->verdicts[AUDITED_UNKNOWN]);
	query_int(q, "form", batch->form);
	query_int(q, "tries", batch->tries + 1);
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
	query_address(q, "node", &batch->node);
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
	q = database_query(db, "INSERT INTO findings (challenge, piece, verdict, root, size, stored, receipt) SELECT "
			       "$challenge, piece, $verdict, root, size, stored, receipt FROM pieces WHERE "
			       "node = $node AND piece = $piece");
	query_bytes32(q, "challenge", &batch->challenge);
	query_address(q, "node", &batch->node);
	query_bytes32(q, "piece", &piece->piece);
	query_int(q, "verdict", piece->verdict);
	return query_run(q);
}

static const char *words_of(const struct audit_batch *batch, const struct audited_piece *piece)
{
	switch (piece->verdict) {
	case AUDITED_PROVEN:
		break;
	case AUDITED_MISSING:
		return "missing: the node answered that it does not have it";
	case AUDITED_CORRUPT:
		return piece->answer == AUDIT_HELD ? "corrupt: the proof does not lead to the root of what was stored"
						   : "corrupt: the node answered that it is damaged";
	case AUDITED_LATE:
		return "late: the proof took longer than is allowed for a piece";
	case AUDITED_UNREACHABLE:
		return "unreachable: the node fell silent each time that it was asked";
	case AUDITED_UNKNOWN:
		break;
	}
	if (piece->answer == AUDIT_FAILED)
		return "unknown: the node answered that it cannot read it just now";
	return batch->result == ERR_SIGNATURE ? "unknown: the answer was not signed as it should be"
					      : "unknown: the answer made no sense";
}

static enum err tell_piece(struct database *db, const struct record *r, const struct audited_piece *piece)
{
	const struct notice notice = {
		.at = r->batch->at,
		.kind = NOTICE_PIECE,
		.state = (uint8_t)r->state,
		.verdict = (uint8_t)piece->verdict,
		.piece = bytes_of(piece->piece.b, sizeof(piece->piece.b)),
		.challenge = bytes_of(r->batch->challenge.b, sizeof(r->batch->challenge.b)),
		.words = words_of(r->batch, piece),
	};

	return notices_add(db, &r->batch->node, &notice);
}

/* A node that was not there when it was called is not told of each piece; the online score says it. */
static enum err tell_pieces(struct database *db, const struct record *r)
{
	uint32_t doubts = 0;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < r->batch->count && err == ERR_OK; i++) {
		const struct audited_piece *piece = &r->batch->pieces[i];

		if (!r->counts[i] || piece->verdict == AUDITED_PROVEN || r->batch->end == AUDIT_UNREACHED)
			continue;
		if (!is_loss(piece->verdict) && doubts++ >= TOLD_DOUBTS)
			continue;
		err = tell_piece(db, r, piece);
	}
	return err;
}

static enum err weigh(struct database *db, const struct record *r)
{
	const struct audit_batch *batch = r->batch;
	const struct sighting sighting = {&r->desk->settings->reputation, &batch->node, batch->at, &batch->challenge};
	struct reputation_verdicts verdicts = {
		.proven = batch->verdicts[AUDITED_PROVEN],
		.failed = batch->verdicts[AUDITED_MISSING] + batch->verdicts[AUDITED_CORRUPT],
		.doubtful = batch->verdicts[AUDITED_LATE] + batch->verdicts[AUDITED_UNKNOWN],
	};
	struct state_change presence;
	bool was_asked = batch->end != AUDIT_UNREACHED;
	enum err err = reputations_note_online(db, &sighting, was_asked, &presence);

	*r->change = presence;
	/* Silence through all repetitions counts; not being there when called does not, here. */
	if (was_asked || batch->tries > 0)
		verdicts.doubtful += batch->verdicts[AUDITED_UNREACHABLE];
	if (err != ERR_OK || verdicts.proven + verdicts.failed + verdicts.doubtful == 0)
		return err;
	err = reputations_note_audit(db, &sighting, &verdicts, r->change);
	if (r->change->from == r->change->to)
		*r->change = presence;
	r->change->from = presence.from;
	return err;
}

/* Asked again later: nothing is decided but whether the node is there. *ret_kept is false when it has lasted too
 * long. */
static enum err contain(struct database *db, const struct record *r, bool *ret_kept)
{
	struct audit_batch *batch = r->batch;
	const struct sighting sighting = {&r->desk->settings->reputation, &batch->node, batch->at, &batch->challenge};
	bool over = true;
	enum err err = ERR_OK;

	if (batch->end == AUDIT_SILENT || (batch->end == AUDIT_UNREACHED && batch->tries > 0))
		err = containment_keep(db, r->desk->settings, batch, &over);
	*ret_kept = err == ERR_OK && !over;
	return *ret_kept ? reputations_note_online(db, &sighting, batch->end == AUDIT_SILENT, r->change) : err;
}

static enum err judge(struct database *db, const struct record *r)
{
	struct audit_batch *batch = r->batch;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < batch->count && err == ERR_OK; i++) {
		if (batch->pieces[i].gone)
			continue;
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
	if (err == ERR_OK)
		err = transcripts_keep(db, r->desk->settings, batch);
	if (err == ERR_OK)
		err = tell_pieces(db, r);
	if (err == ERR_OK)
		err = weigh(db, r);
	return err == ERR_OK && batch->tries > 0 ? containment_end(db, &batch->node) : err;
}

static enum err record(struct database *db, void *arg)
{
	struct record *r = arg;
	enum err err = reputations_state(db, &r->batch->node, &r->state);

	/* A transaction is tried again when another was in the way. */
	memset(r->batch->verdicts, 0, sizeof(r->batch->verdicts));
	if (err == ERR_OK)
		err = contain(db, r, &r->batch->contained);
	return err != ERR_OK || r->batch->contained ? err : judge(db, r);
}

enum err verdicts_record(struct desk *desk, struct audit_batch *batch, struct state_change *ret)
{
	struct record r = {desk, batch, memory_new(batch->count, sizeof(bool)), STATE_VETTING, ret};
	enum err err = database_transaction(desk->db, record, &r);

	free(r.counts);
	return err;
}
