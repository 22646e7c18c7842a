/* SQL of transcripts, and dossiers of them. */
#include "satellite/transcripts.h"

#include <stdlib.h>
#include <string.h>

#include "audit/transcript.h"
#include "common/memory.h"
#include "payments/dossier.h"

/* The column `failed`. */
enum keep {
	KEEP_PROVEN = 0,
	KEEP_FAILED = 1,
	KEEP_THINNED = 2, /* failed, and without the proofs of what did not */
};

enum err transcripts_keep(struct database *db, const struct settings *settings, const struct audit_batch *batch)
{
	bool failed = batch->verdicts[AUDITED_MISSING] + batch->verdicts[AUDITED_CORRUPT] > 0;
	struct query *q;

	if (batch->record_len == 0 || (!failed && settings->audit_keep == 0))
		return ERR_OK;
	q = database_query(db, "INSERT INTO transcripts (challenge, at, failed, signed, record) VALUES ($challenge, "
			       "$at, $failed, $signed, $record)");
	query_bytes32(q, "challenge", &batch->challenge);
	query_int(q, "at", batch->at);
	query_int(q, "failed", failed ? KEEP_FAILED : KEEP_PROVEN);
	query_bytes(q, "signed", bytes_of(batch->verdict, batch->verdict_len));
	query_bytes(q, "record", bytes_of(batch->record, batch->record_len));
	return query_run(q);
}

struct prune {
	uint64_t before;
	uint64_t done;
};

static enum err drop_proven(struct database *db, struct prune *prune)
{
	struct query *q = database_query(db, "DELETE FROM transcripts WHERE challenge IN (SELECT challenge FROM "
					     "transcripts WHERE failed = 0 AND at < $before ORDER BY at LIMIT 20)");
	enum err err;

	query_int(q, "before", prune->before);
	err = query_run(q);
	prune->done += database_changes(db);
	return err;
}

static enum err find_failed(struct database *db, uint64_t before, struct bytes32 *ret_challenge, uint8_t **ret_record,
			    size_t *ret_len)
{
	struct query *q = database_query(db, "SELECT challenge, record FROM transcripts WHERE failed = 1 AND "
					     "at < $before ORDER BY at LIMIT 1");
	enum err err;

	query_int(q, "before", before);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret_challenge->b, sizeof(ret_challenge->b));
	if (err == ERR_OK) {
		struct bytes record = query_get_bytes(q, 1);

		*ret_record = memory_copy(record.data, record.len);
		*ret_len = record.len;
	}
	query_reset(q);
	return err;
}

static enum err replace_record(struct database *db, const struct bytes32 *challenge,
			       const struct transcript *transcript)
{
	struct query *q = database_query(db, "UPDATE transcripts SET failed = $thinned, record = $record WHERE "
					     "challenge = $challenge");
	size_t len = transcript_size(transcript);
	uint8_t *record = memory_new(1, len);
	struct writer w;

	writer_init(&w, record, len);
	transcript_encode(transcript, &w);
	query_int(q, "thinned", KEEP_THINNED);
	query_bytes(q, "record", writer_bytes(&w));
	query_bytes32(q, "challenge", challenge);
	free(record);
	return query_run(q);
}

static enum err thin_failed(struct database *db, struct prune *prune)
{
	struct transcript transcript;
	struct bytes32 challenge;
	uint8_t *record = NULL;
	size_t len = 0;
	enum err err = find_failed(db, prune->before, &challenge, &record, &len);

	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_OK)
		err = transcript_decode(bytes_of(record, len), &transcript) == ERR_OK ? ERR_OK : ERR_CORRUPT;
	if (err == ERR_OK) {
		transcript_thin(&transcript);
		err = replace_record(db, &challenge, &transcript);
		transcript_free(&transcript);
		prune->done++;
	}
	free(record);
	return err;
}

static enum err prune_some(struct database *db, void *arg)
{
	struct prune *prune = arg;
	enum err err;

	prune->done = 0;
	err = drop_proven(db, prune);
	return err == ERR_OK ? thin_failed(db, prune) : err;
}

/* The write lock is taken only when there is something to do. */
static enum err has_old(struct database *db, uint64_t before)
{
	struct query *q =
		database_query(db, "SELECT 1 FROM transcripts WHERE failed <= $failed AND at < $before LIMIT 1");
	enum err err;

	query_int(q, "failed", KEEP_FAILED);
	query_int(q, "before", before);
	err = query_one(q);
	query_reset(q);
	return err;
}

enum err transcripts_prune(struct database *db, const struct settings *settings, uint64_t now)
{
	struct prune prune = {.before = now > settings->audit_keep ? now - settings->audit_keep : 0};
	enum err err = has_old(db, prune.before);

	if (err == ERR_OK)
		err = database_transaction(db, prune_some, &prune);
	return err == ERR_OK && prune.done == 0 ? ERR_NOT_FOUND : err;
}

/* Making a dossier. */

struct making {
	struct desk *desk;
	const struct bytes32 *challenge;
	json_t *items;
};

static enum err add_item(struct making *making, const struct fields *type, struct bytes wire, struct bytes data)
{
	struct evidence evidence;
	enum err err = evidence_from_wire(type, wire, &making->desk->settings->domain, &evidence);

	if (err == ERR_OK)
		json_array_append_new(making->items, dossier_item_json(&evidence, data));
	return err == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

/* The node's own Audit, when it signed one. */
static enum err add_answer(struct database *db, struct making *making)
{
	struct query *q = database_query(db, "SELECT transcript FROM audits WHERE challenge = $challenge");
	enum err err;

	query_bytes32(q, "challenge", making->challenge);
	err = query_one(q);
	if (err == ERR_OK && query_get_bytes(q, 0).len > 0)
		err = add_item(making, &typed_audit, query_get_bytes(q, 0), bytes_of(NULL, 0));
	query_reset(q);
	return err;
}

static enum err add_verdicts(struct database *db, struct making *making)
{
	struct query *q = database_query(db, "SELECT signed, record FROM transcripts WHERE challenge = $challenge");
	enum err err;

	query_bytes32(q, "challenge", making->challenge);
	err = query_one(q);
	if (err == ERR_OK)
		err = add_item(making, &typed_audit, query_get_bytes(q, 0), query_get_bytes(q, 1));
	query_reset(q);
	return err;
}

/* Columns: piece, root, size, stored, receipt. */
static enum err add_receipt(struct query *q, struct making *making)
{
	struct bytes kept = query_get_bytes(q, 4);
	struct signature signature;
	struct receipt receipt;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;
	enum err err = query_get_exact(q, 0, receipt.piece.b, sizeof(receipt.piece.b));

	if (err == ERR_OK)
		err = query_get_exact(q, 1, receipt.root.b, sizeof(receipt.root.b));
	if (err != ERR_OK || kept.len != sizeof(receipt.allocation.b) + sizeof(signature.b))
		return err;
	receipt.size = query_get_int(q, 2);
	receipt.storedAt = query_get_int(q, 3);
	memcpy(receipt.allocation.b, kept.data, sizeof(receipt.allocation.b));
	memcpy(signature.b, kept.data + sizeof(receipt.allocation.b), sizeof(signature.b));
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_receipt, &receipt, &signature, &w);
	return add_item(making, &typed_receipt, writer_bytes(&w), bytes_of(NULL, 0));
}

static enum err add_receipts(struct database *db, struct making *making)
{
	struct query *q = database_query(db, "SELECT piece, root, size, stored, receipt FROM findings WHERE challenge "
					     "= $challenge AND verdict IN (2, 3) AND receipt IS NOT NULL");
	bool row;
	enum err err;

	query_bytes32(q, "challenge", making->challenge);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = add_receipt(q, making);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err make(struct database *db, void *arg)
{
	struct making *making = arg;
	enum err err;

	json_array_clear(making->items);
	err = add_answer(db, making);
	if (err == ERR_OK)
		err = add_verdicts(db, making);
	return err == ERR_OK ? add_receipts(db, making) : err;
}

enum err transcripts_dossier(struct desk *desk, const struct bytes32 *challenge, json_t **ret)
{
	struct making making = {.desk = desk, .challenge = challenge, .items = json_array()};
	enum err err = database_view(desk->db, make, &making);

	if (err == ERR_OK)
		*ret = json_pack("{s:s, s:O}", "format", DOSSIER_FORMAT, "items", making.items);
	json_decref(making.items);
	return err;
}
