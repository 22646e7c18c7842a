/* Talking to the node, and judging what it says. */
#include "satellite/asking.h"

#include <stdlib.h>
#include <string.h>

#include "audit/transcript.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "satellite/nodelink.h"

#define CONNECT_MS 10000 /* for dialling and shaking hands */
#define GRACE_MS 5000	 /* a late piece may still come, and tells more than silence */
#define BUDGET_MS 600000 /* a challenge that takes longer is cut off: the lease ends some time */
#define MS UINT64_C(1000000)

/* A challenge under way. */
struct asking {
	struct round *round;
	struct audit_batch *batch;
	struct transcript transcript;
	uint64_t leaf_bytes; /* of what was proven */
	uint64_t began;	     /* monotonic, as the next */
	uint64_t asked_at;   /* when the piece's time began; 0: PROVE was not sent yet */
	uint32_t next;	     /* piece whose PROOF is to come */
	bool late;	     /* some piece was */
	bool is_signed;	     /* by the node */
};

static void make_challenge(const struct settings *settings, struct audit_batch *batch)
{
	struct challenge challenge = {
		.form = (uint8_t)batch->form, .piece_ms = settings->audit_piece_ms, .count = batch->count};
	struct writer w;

	challenge.pieces = memory_new(batch->count, sizeof(*challenge.pieces));
	random_bytes(challenge.nonce.b, sizeof(challenge.nonce.b));
	for (uint32_t i = 0; i < batch->count; i++)
		challenge.pieces[i] = (struct challenge_piece){batch->pieces[i].piece, batch->pieces[i].samples};
	batch->sent = memory_new(1, AUDITS_CHALLENGE_MAX);
	writer_init(&w, batch->sent, AUDITS_CHALLENGE_MAX);
	challenge_encode(&challenge, &w);
	batch->sent_len = w.len;
	free(challenge.pieces);
}

/* A piece that is not the node's any more cannot be judged. */
static enum audit_verdict judge(struct asking *asking, uint32_t index, bool late)
{
	enum audit_verdict verdict;
	uint64_t bytes;

	if (asking->batch->pieces[index].gone)
		return AUDITED_UNKNOWN;
	verdict = transcript_judge(&asking->transcript, index, &bytes);
	if (verdict == AUDITED_PROVEN && late)
		return AUDITED_LATE;
	asking->leaf_bytes += bytes;
	return verdict;
}

/* PROOFs come in the order of the challenge. */
static enum err take_proof(struct asking *asking, const struct message *message)
{
	const struct msg_proof *proof = &message->proof;
	struct audited_piece *piece = &asking->batch->pieces[asking->next];
	uint64_t now = clock_monotonic();
	bool late = now - asking->asked_at > asking->transcript.challenge.piece_ms * MS;

	if (message->type != MSG_PROOF || proof->index != asking->next || proof->answer == 0 ||
	    proof->answer > AUDIT_FAILED || (proof->answer != AUDIT_HELD && proof->proof.len > 0))
		return ERR_PROTOCOL;
	transcript_take(&asking->transcript, asking->next, (enum audit_answer)proof->answer,
			bytes_of(memory_copy(proof->proof.data, proof->proof.len), proof->proof.len));
	piece->answer = proof->answer;
	piece->verdict = judge(asking, asking->next, late);
	asking->late = asking->late || piece->verdict == AUDITED_LATE;
	asking->next++;
	asking->asked_at = now;
	return ERR_OK;
}

/* The node's signature on exactly what it answered. */
static enum err take_signature(struct asking *asking, const struct message *message, const struct domain *domain)
{
	struct audit_batch *batch = asking->batch;
	struct signature signature;
	struct audit audit;
	struct bytes32 answer;

	if (message->type != MSG_PROVE_END ||
	    typed_decode(&typed_audit, message->prove_end.audit, &audit, &signature) != ERR_OK)
		return ERR_PROTOCOL;
	transcript_answer(&asking->transcript, &answer);
	if (!bytes32_equal(&audit.challenge, &batch->challenge) || !bytes32_equal(&audit.answer, &answer) ||
	    !bytes32_is_zero(&audit.verdicts) ||
	    typed_verify(&typed_audit, &audit, domain, &signature, &batch->node) != REFUSAL_NONE)
		return ERR_SIGNATURE;
	memcpy(batch->transcript, message->prove_end.audit.data, message->prove_end.audit.len);
	batch->transcript_len = message->prove_end.audit.len;
	batch->bytes = asking->leaf_bytes;
	asking->is_signed = true;
	return ERR_OK;
}

/* Wait for what comes next; ERR_CANCELLED when the thread is to end. */
static enum err next_answer(struct asking *asking, struct nodelink *link, struct message *ret)
{
	if (patrol_is_stopping(asking->round))
		return ERR_CANCELLED;
	if (clock_monotonic() - asking->began > BUDGET_MS * MS)
		return ERR_TIMEOUT;
	return nodelink_next(link, asking->transcript.challenge.piece_ms + GRACE_MS, ret);
}

static enum err ask(struct asking *asking, struct nodelink *link)
{
	struct message ping = {.type = MSG_PING}, prove = {.type = MSG_PROVE}, answer;
	const struct domain *domain = &asking->round->desk->settings->domain;
	unsigned patience = asking->transcript.challenge.piece_ms + GRACE_MS;
	enum err err = nodelink_ask(link, &ping, CONNECT_MS, &answer);

	if (err != ERR_OK)
		return err;
	asking->began = asking->asked_at = clock_monotonic();
	prove.prove.challenge = asking->transcript.wire;
	err = nodelink_ask(link, &prove, patience, &answer);
	while (err == ERR_OK && asking->next < asking->transcript.challenge.count) {
		err = take_proof(asking, &answer);
		if (err == ERR_OK)
			err = next_answer(asking, link, &answer);
	}
	return err == ERR_OK ? take_signature(asking, &answer, domain) : err;
}

/* One that was slow all along and then cut off was late; one that stopped talking is silent. */
static enum audit_end end_of(const struct asking *asking, enum err err)
{
	if (err == ERR_OK)
		return AUDIT_ANSWERED;
	if (asking->asked_at == 0)
		return AUDIT_UNREACHED;
	if (err == ERR_TIMEOUT && asking->late)
		return AUDIT_BROKEN;
	return err == ERR_TIMEOUT || err == ERR_CLOSED || err == ERR_UNREACHABLE ? AUDIT_SILENT : AUDIT_BROKEN;
}

/* What a bad end means for pieces that have no verdict yet, and for words that nobody signed. */
static void conclude(struct asking *asking, enum err err)
{
	struct audit_batch *batch = asking->batch;
	bool silent = batch->end == AUDIT_UNREACHED || batch->end == AUDIT_SILENT;

	for (uint32_t i = 0; i < batch->count && !asking->is_signed; i++) {
		struct audited_piece *piece = &batch->pieces[i];

		if (i >= asking->next)
			piece->verdict = silent		      ? AUDITED_UNREACHABLE
					 : err == ERR_TIMEOUT ? AUDITED_LATE
							      : AUDITED_UNKNOWN;
		else if (piece->verdict == AUDITED_MISSING || piece->verdict == AUDITED_CORRUPT)
			piece->verdict = AUDITED_UNKNOWN;
	}
}

/* The transcript, and the satellite's signature on it. */
static void write_down(struct asking *asking)
{
	const struct desk *desk = asking->round->desk;
	struct audit_batch *batch = asking->batch;
	struct transcript *transcript = &asking->transcript;
	struct audit audit = {.challenge = batch->challenge, .bytes = batch->bytes};
	struct signature signature;
	struct writer w;

	for (uint32_t i = 0; i < batch->count; i++)
		transcript->pieces[i].verdict = (uint8_t)batch->pieces[i].verdict;
	transcript_answer(transcript, &audit.answer);
	transcript_verdicts(transcript, &audit.verdicts);
	typed_sign(&typed_audit, &audit, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, batch->verdict, sizeof(batch->verdict));
	typed_encode(&typed_audit, &audit, &signature, &w);
	batch->verdict_len = w.len;
	batch->record_len = transcript_size(transcript);
	batch->record = memory_new(1, batch->record_len);
	writer_init(&w, batch->record, batch->record_len);
	transcript_encode(transcript, &w);
}

static enum err begin(struct asking *asking)
{
	struct audit_batch *batch = asking->batch;
	enum err err;

	if (batch->sent == NULL)
		make_challenge(asking->round->desk->settings, batch);
	err = transcript_begin(bytes_of(batch->sent, batch->sent_len), &asking->transcript);
	if (err != ERR_OK)
		return err;
	keccak_once(batch->sent, batch->sent_len, &batch->challenge);
	batch->at = clock_wall();
	for (uint32_t i = 0; i < batch->count; i++) {
		asking->transcript.pieces[i].root = batch->pieces[i].root;
		asking->transcript.pieces[i].size = batch->pieces[i].size;
	}
	return ERR_OK;
}

static void end(struct asking *asking)
{
	for (uint32_t i = 0; i < asking->next; i++)
		free((void *)asking->transcript.pieces[i].proof.data);
	transcript_free(&asking->transcript);
}

enum err asking_run(struct round *round, struct audit_batch *batch)
{
	struct asking asking = {.round = round, .batch = batch};
	struct nodelink *link = NULL;
	enum err err = begin(&asking);

	if (err != ERR_OK)
		return err;
	err = nodelink_open(round->desk, round->base, &batch->node, &link);
	if (err == ERR_OK)
		err = ask(&asking, link);
	nodelink_close(link);
	if (err != ERR_CANCELLED) {
		batch->end = end_of(&asking, err);
		batch->result = err;
		batch->took = asking.asked_at == 0 ? 0 : clock_monotonic() - asking.began;
		conclude(&asking, err);
		if (asking.asked_at != 0)
			write_down(&asking);
	}
	end(&asking);
	return err == ERR_CANCELLED ? err : ERR_OK;
}
