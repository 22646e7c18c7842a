/* SQL of contained challenges. */
#include "satellite/containment.h"

#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "payments/rules.h"

#define RETRY_MOST 43200     /* seconds: the longest pause */
#define PATIENCE (3 * 86400) /* seconds after which a challenge has failed, however often it was asked */

static uint64_t pause_after(const struct settings *settings, uint32_t tries)
{
	uint64_t pause = settings->audit_retry;

	for (uint32_t i = 1; i < tries && pause < RETRY_MOST; i++)
		pause *= 2;
	return pause < RETRY_MOST ? pause : RETRY_MOST;
}

/* A node that could not be reached was not asked, but time passes. */
static bool is_over(const struct settings *settings, const struct audit_batch *batch, uint32_t tries)
{
	return tries >= settings->audit_tries || batch->at >= batch->first_asked + PATIENCE;
}

enum err containment_keep(struct database *db, const struct settings *settings, const struct audit_batch *batch,
			  bool *ret_over)
{
	uint32_t tries = batch->tries + (batch->end == AUDIT_SILENT);
	struct query *q;

	*ret_over = is_over(settings, batch, tries);
	if (*ret_over)
		return ERR_OK;
	q = database_query(db, "INSERT INTO contained (node, challenge, asked, tries, due) VALUES ($node, $challenge, "
			       "$asked, $tries, $due) ON CONFLICT (node) DO UPDATE SET tries = excluded.tries, "
			       "due = excluded.due WHERE contained.challenge = excluded.challenge");
	query_address(q, "node", &batch->node);
	query_bytes(q, "challenge", bytes_of(batch->sent, batch->sent_len));
	query_int(q, "asked", batch->first_asked);
	query_int(q, "tries", tries);
	query_int(q, "due", batch->at + pause_after(settings, tries));
	return query_run(q);
}

enum err containment_end(struct database *db, const struct address *node)
{
	struct query *q = database_query(db, "DELETE FROM contained WHERE node = $node");

	query_address(q, "node", node);
	return query_run(q);
}

enum err containment_due(struct database *db, uint64_t now, uint32_t skip, struct address *ret)
{
	struct query *q =
		database_query(db, "SELECT node FROM contained WHERE due <= $now ORDER BY due LIMIT 1 OFFSET $skip");
	enum err err;

	query_int(q, "now", now);
	query_int(q, "skip", skip);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->b, sizeof(ret->b));
	query_reset(q);
	return err;
}

enum err containment_is_due(struct database *db, const struct address *node, uint64_t now)
{
	struct query *q = database_query(db, "SELECT 1 FROM contained WHERE node = $node AND due <= $now");
	enum err err;

	query_address(q, "node", node);
	query_int(q, "now", now);
	err = query_one(q);
	query_reset(q);
	return err;
}

/* What the satellite knows of the piece now. One that has expired meanwhile need not be there any more. */
static enum err read_piece(struct database *db, const struct address *node, const struct challenge_piece *asked,
			   struct audited_piece *ret)
{
	struct query *q = database_query(
		db, "SELECT root, size FROM pieces WHERE node = $node AND piece = $piece AND NOT EXISTS (SELECT 1 FROM "
		    "segments s JOIN objects o ON o.version = s.version WHERE s.segment = pieces.segment AND o.expires "
		    "> 0 AND o.expires <= $now)");
	enum err err;

	*ret = (struct audited_piece){.piece = asked->piece, .samples = asked->samples};
	query_address(q, "node", node);
	query_bytes32(q, "piece", &asked->piece);
	query_int(q, "now", clock_wall() + 2 * RULES_SKEW);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret->root.b, sizeof(ret->root.b));
	ret->size = err == ERR_OK ? query_get_int(q, 1) : 0;
	ret->gone = err == ERR_NOT_FOUND;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err read_pieces(struct database *db, const struct challenge *challenge, struct audit_batch *batch)
{
	enum err err = ERR_OK;

	batch->form = (enum challenge_form)challenge->form;
	for (uint32_t i = 0; i < challenge->count && err == ERR_OK; i++)
		err = read_piece(db, &batch->node, &challenge->pieces[i], &batch->pieces[batch->count++]);
	return err;
}

static enum err read_challenge(struct query *q, struct audit_batch *ret, struct challenge *ret_challenge)
{
	struct bytes sent = query_get_bytes(q, 0);
	enum err err = challenge_decode(sent, ret_challenge);

	if (err != ERR_OK)
		return ERR_CORRUPT;
	ret->sent = memory_copy(sent.data, sent.len);
	ret->sent_len = sent.len;
	ret->first_asked = query_get_int(q, 1);
	ret->tries = (uint32_t)query_get_int(q, 2);
	return ERR_OK;
}

enum err containment_read(struct database *db, const struct address *node, struct audit_batch *ret)
{
	struct query *q = database_query(db, "SELECT challenge, asked, tries FROM contained WHERE node = $node");
	struct challenge challenge = {.pieces = NULL};
	enum err err;

	audits_batch_init(ret, node, CHALLENGE_PIECES);
	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_challenge(q, ret, &challenge);
	query_reset(q);
	if (err == ERR_OK)
		err = read_pieces(db, &challenge, ret);
	challenge_free(&challenge);
	if (err != ERR_OK)
		audits_batch_free(ret);
	return err;
}
