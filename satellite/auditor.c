/* The auditor. */
#include "satellite/auditor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/log.h"
#include "common/random.h"
#include "satellite/nodelink.h"

#define BATCH 100 /* pieces in a challenge of the continuous round */
#define LEASE_SECONDS 900
#define CLAIM_TRIES 8	  /* nodes to try when others are being audited */
#define PAUSE_MS 1000	  /* when nothing is due */
#define CONNECT_MS 10000  /* more that the first proof gets, for dialling and shaking hands */
#define EMPTY_SECONDS 600 /* until a node without pieces is looked at again */

/* A challenge under way. */
struct asking {
	struct audit_batch *batch;
	struct challenge challenge;
	struct answer_hash answers;
	uint64_t leaf_bytes; /* of what was proven */
	uint64_t asked_at;   /* monotonic: when the piece's time began */
	uint32_t next;	     /* piece whose PROOF is to come */
};

static void make_challenge(struct asking *asking, const struct settings *settings,
			   struct challenge_piece pieces[CHALLENGE_PIECES])
{
	struct audit_batch *batch = asking->batch;

	random_bytes(asking->challenge.nonce.b, sizeof(asking->challenge.nonce.b));
	asking->challenge.form = batch->whole_sample ? CHALLENGE_WHOLE : CHALLENGE_LISTED;
	asking->challenge.piece_ms = settings->audit_piece_ms;
	asking->challenge.count = batch->count;
	asking->challenge.pieces = pieces;
	for (uint32_t i = 0; i < batch->count; i++)
		pieces[i] = (struct challenge_piece){batch->pieces[i].piece, batch->pieces[i].samples};
}

static enum audit_verdict judge_held(struct asking *asking, struct bytes proof, bool late)
{
	const struct audited_piece *piece = &asking->batch->pieces[asking->next];
	struct samples samples;
	uint64_t bytes = 0;

	challenge_samples(&asking->challenge, asking->next, piece->size, NULL, &samples);
	if (proof_check(&piece->root, piece->size, &samples, proof, &bytes) != ERR_OK)
		return AUDITED_CORRUPT;
	if (late)
		return AUDITED_LATE;
	asking->leaf_bytes += bytes;
	return AUDITED_PROVEN;
}

static enum audit_verdict judge(struct asking *asking, const struct msg_proof *proof, bool late)
{
	switch (proof->answer) {
	case AUDIT_HELD:
		return judge_held(asking, proof->proof, late);
	case AUDIT_MISSING:
		return AUDITED_MISSING;
	case AUDIT_CORRUPT:
		return AUDITED_CORRUPT;
	default:
		return AUDITED_UNKNOWN;
	}
}

/* PROOFs come in the order of the challenge. */
static enum err take_proof(struct asking *asking, const struct message *message)
{
	uint64_t now = clock_monotonic();
	bool late = now - asking->asked_at > asking->challenge.piece_ms * UINT64_C(1000000);

	if (message->type != MSG_PROOF || message->proof.index != asking->next)
		return ERR_PROTOCOL;
	answer_add(&asking->answers, asking->next, (enum audit_answer)message->proof.answer, message->proof.proof);
	asking->batch->pieces[asking->next].verdict = judge(asking, &message->proof, late);
	asking->next++;
	asking->asked_at = now;
	return ERR_OK;
}

/* The node's signature on exactly what it answered. */
static enum err take_transcript(struct asking *asking, const struct message *message, const struct domain *domain)
{
	struct audit_batch *batch = asking->batch;
	struct signature signature;
	struct audit audit;
	struct bytes32 answer;

	if (message->type != MSG_PROVE_END ||
	    typed_decode(&typed_audit, message->prove_end.audit, &audit, &signature) != ERR_OK)
		return ERR_PROTOCOL;
	answer_final(&asking->answers, &answer);
	if (!bytes32_equal(&audit.challenge, &batch->challenge) || !bytes32_equal(&audit.answer, &answer) ||
	    typed_verify(&typed_audit, &audit, domain, &signature, &batch->node) != REFUSAL_NONE)
		return ERR_SIGNATURE;
	memcpy(batch->transcript, message->prove_end.audit.data, message->prove_end.audit.len);
	batch->transcript_len = message->prove_end.audit.len;
	batch->bytes = asking->leaf_bytes;
	return ERR_OK;
}

/* ERR_CANCELLED when the thread is to end. */
static enum err ask(struct asking *asking, const struct round *round, struct nodelink *link, struct bytes challenge)
{
	struct message prove = {.type = MSG_PROVE, .prove = {challenge}}, ping = {.type = MSG_PING}, answer;
	unsigned piece_ms = asking->challenge.piece_ms;
	enum err err = nodelink_ask(link, &ping, CONNECT_MS, &answer);

	if (err != ERR_OK)
		return err;
	asking->asked_at = clock_monotonic();
	/* A late piece may still come, and tells more than silence; so twice its time. */
	err = nodelink_ask(link, &prove, 2 * piece_ms, &answer);
	while (err == ERR_OK && asking->next < asking->challenge.count) {
		err = take_proof(asking, &answer);
		if (err == ERR_OK && patrol_is_stopping(round))
			err = ERR_CANCELLED;
		if (err == ERR_OK)
			err = nodelink_next(link, 2 * piece_ms, &answer);
	}
	return err == ERR_OK ? take_transcript(asking, &answer, &round->desk->settings->domain) : err;
}

/* What a piece without a PROOF gets, `first` being the one whose turn it was. */
static enum audit_verdict verdict_without_proof(const struct asking *asking, enum err err, bool first)
{
	if (asking->asked_at == 0 || err == ERR_CLOSED || err == ERR_UNREACHABLE)
		return AUDITED_UNREACHABLE;
	if (err == ERR_TIMEOUT)
		return first ? AUDITED_LATE : AUDITED_UNREACHABLE;
	return AUDITED_UNKNOWN;
}

/* What a bad end means for pieces that have no verdict yet, and for words that nobody signed. */
static void conclude(struct asking *asking, enum err err)
{
	struct audit_batch *batch = asking->batch;

	for (uint32_t i = 0; i < batch->count && err != ERR_OK; i++) {
		struct audited_piece *piece = &batch->pieces[i];

		if (i >= asking->next)
			piece->verdict = verdict_without_proof(asking, err, i == asking->next);
		else if (piece->verdict == AUDITED_MISSING || piece->verdict == AUDITED_CORRUPT)
			piece->verdict = AUDITED_UNKNOWN;
	}
}

static void tell(const struct audit_batch *batch, enum err err)
{
	char address[KEY_ADDRESS_TEXT];
	const uint32_t *n = batch->verdicts;
	uint32_t bad = n[AUDITED_MISSING] + n[AUDITED_CORRUPT];

	address_to_text(&batch->node, address);
	log_event(bad > 0 ? LOG_WARN : LOG_INFO, "audited",
		  "node=%s proven=%u missing=%u corrupt=%u late=%u unreachable=%u unknown=%u end=%s", address,
		  n[AUDITED_PROVEN], n[AUDITED_MISSING], n[AUDITED_CORRUPT], n[AUDITED_LATE], n[AUDITED_UNREACHABLE],
		  n[AUDITED_UNKNOWN], err_name(err));
}

enum err auditor_challenge(struct round *round, struct audit_batch *batch)
{
	struct challenge_piece pieces[CHALLENGE_PIECES];
	struct asking asking = {.batch = batch};
	uint8_t wire[40 + CHALLENGE_PIECES * 33];
	struct nodelink *link = NULL;
	struct writer w;
	enum err err, recorded;

	make_challenge(&asking, round->desk->settings, pieces);
	writer_init(&w, wire, sizeof(wire));
	challenge_encode(&asking.challenge, &w);
	if (w.err != ERR_OK)
		return w.err;
	keccak_once(wire, w.len, &batch->challenge);
	batch->at = clock_wall();
	answer_init(&asking.answers);
	err = nodelink_open(round->desk, round->base, &batch->node, &link);
	if (err == ERR_OK)
		err = ask(&asking, round, link, writer_bytes(&w));
	nodelink_close(link);
	if (err == ERR_CANCELLED)
		return err;
	conclude(&asking, err);
	recorded = audits_record(round->desk->db, batch);
	if (recorded == ERR_OK)
		tell(batch, err);
	return recorded;
}

/* A lease on the node that has waited longest and that nobody else is at. */
static enum err claim_due(struct round *round, struct address *ret_node, struct bytes32 *ret_after, char work[64])
{
	uint64_t now = clock_wall();
	bool taken = false;
	enum err err = ERR_OK;

	for (uint32_t skip = 0; skip < CLAIM_TRIES && err == ERR_OK && !taken; skip++) {
		char hex[41];

		err = audits_due(round->desk->db, now, skip, ret_node, ret_after);
		if (err != ERR_OK)
			break;
		hex_encode(bytes_of(ret_node->b, sizeof(ret_node->b)), hex);
		snprintf(work, 64, "audit %s", hex);
		err = lease_take(round->desk->db, &round->holder, work, now, LEASE_SECONDS, &taken);
	}
	return err != ERR_OK ? err : taken ? ERR_OK : ERR_NOT_FOUND;
}

/* When the batch after this one is due: all of a node's batches are spread over the period. */
static enum err next_due(struct round *round, const struct audit_batch *batch, uint64_t *ret)
{
	uint64_t period = round->desk->settings->audit_period, pieces, bytes, pause;
	enum err err = audits_holdings(round->desk->db, &batch->node, &pieces, &bytes);

	if (err != ERR_OK)
		return err;
	pause = pieces == 0 ? EMPTY_SECONDS : period / ((pieces + BATCH - 1) / BATCH);
	if (pause > period)
		pause = period;
	*ret = clock_wall() + (pause == 0 ? 1 : pause);
	return ERR_OK;
}

static enum err do_batch(struct round *round, const struct bytes32 *after, struct audit_batch *batch)
{
	static const struct bytes32 start;
	const struct bytes32 *last = &start;
	uint64_t due;
	enum err err;

	err = audits_next_pieces(round->desk->db, batch, after, (uint8_t)round->desk->settings->audit_samples);
	/* Behind the last piece the round begins anew. */
	if (err == ERR_OK && batch->count == 0 && !bytes32_is_zero(after))
		err = audits_next_pieces(round->desk->db, batch, NULL, (uint8_t)round->desk->settings->audit_samples);
	if (err == ERR_OK && batch->count > 0)
		err = auditor_challenge(round, batch);
	if (err == ERR_OK)
		err = next_due(round, batch, &due);
	if (err != ERR_OK)
		return err;
	if (batch->count == batch->room)
		last = &batch->pieces[batch->count - 1].piece;
	return audits_set_due(round->desk->db, &batch->node, last, due);
}

enum err auditor_do_due(struct round *round, struct audit_batch *ret_batch)
{
	struct audit_batch batch;
	struct address node;
	struct bytes32 after;
	char work[64];
	enum err err = claim_due(round, &node, &after, work), given;

	if (err != ERR_OK)
		return err;
	audits_batch_init(&batch, &node, BATCH);
	err = do_batch(round, &after, &batch);
	given = lease_give_back(round->desk->db, &round->holder, work);
	if (err == ERR_OK)
		err = given;
	if (err == ERR_OK)
		*ret_batch = batch;
	else
		audits_batch_free(&batch);
	return err;
}

unsigned auditor_walk(struct round *round)
{
	struct audit_batch batch;
	enum err err = auditor_do_due(round, &batch);
	char quoted[300];

	if (err == ERR_OK) {
		audits_batch_free(&batch);
		return 0;
	}
	if (err != ERR_NOT_FOUND && err != ERR_CANCELLED)
		log_event(LOG_ERROR, "audit_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
