/* PROVE: a job per piece, and a running hash of all that was answered. */
#include "node/prove.h"

#include <stdlib.h>

#include "audit/challenge.h"
#include "common/keccak.h"
#include "common/memory.h"
#include "node/session.h"

#define PROOF_MOST 60000 /* what a PROOF takes; the largest proof is smaller */

struct prove {
	struct request base;
	struct satellite satellite;
	struct challenge challenge;
	struct answer_hash answers;
	struct audit audit;
	uint32_t index; /* piece under way */
	bool ready;	/* its proof waits to be sent */

	/* The job's while one is under way. */
	enum audit_answer answer;
	uint64_t leaf_bytes;
	struct bytes32 previous; /* keccak256 of the last proof, for chained challenges */
	size_t proof_len;
	uint8_t proof[PROOF_MOST];
};

static enum err read_block(void *reader, uint32_t block, uint8_t *out, size_t *ret_len)
{
	return store_reader_blocks(reader, block, 1, out, ret_len);
}

static uint64_t leaf_bytes(uint64_t size, const struct samples *samples)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < samples->count; i++) {
		uint64_t from = (uint64_t)samples->leaf[i] * TREE_LEAF, left = size - from;

		sum += left < TREE_LEAF ? left : TREE_LEAF;
	}
	return sum;
}

static enum err make_proof(struct prove *prove, struct store_reader *reader)
{
	const struct store_piece *piece = store_reader_piece(reader);
	bool chained = prove->challenge.form == CHALLENGE_CHAINED && prove->index > 0;
	struct samples samples;
	struct writer w;
	enum err err;

	challenge_samples(&prove->challenge, prove->index, piece->size, chained ? &prove->previous : NULL, &samples);
	writer_init(&w, prove->proof, sizeof(prove->proof));
	err = proof_make(piece->blocks, piece->size, &samples, read_block, reader, &w);
	if (err != ERR_OK)
		return err;
	prove->proof_len = w.len;
	prove->leaf_bytes = leaf_bytes(piece->size, &samples);
	return ERR_OK;
}

static enum audit_answer answer_of(enum err err)
{
	if (err == ERR_OK)
		return AUDIT_HELD;
	if (err == ERR_NOT_FOUND)
		return AUDIT_MISSING;
	return err == ERR_CORRUPT ? AUDIT_CORRUPT : AUDIT_FAILED;
}

static void work_prove(void *arg)
{
	struct prove *prove = arg;
	struct store *store = prove->base.parts->store;
	struct store_key key = {0, prove->challenge.pieces[prove->index].piece};
	struct store_reader *reader = NULL;
	enum err err;

	prove->proof_len = 0;
	prove->leaf_bytes = 0;
	err = store_satellite(store, &prove->satellite.address, &key.satellite);
	if (err == ERR_OK)
		err = store_get(store, &key, &reader);
	if (err == ERR_OK)
		err = make_proof(prove, reader);
	store_reader_free(reader);
	prove->answer = answer_of(err);
	keccak_once(prove->proof, prove->proof_len, &prove->previous);
}

static void prove_worked(void *arg);

static void start_piece(struct prove *prove)
{
	prove->base.ours = true;
	request_job(&prove->base, work_prove, prove_worked);
}

static void send_end(struct prove *prove)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message message = {.type = MSG_PROVE_END};
	struct signature signature;
	struct writer w;

	answer_final(&prove->answers, &prove->audit.answer);
	typed_sign(&typed_audit, &prove->audit, &prove->satellite.domain, prove->base.parts->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_audit, &prove->audit, &signature, &w);
	message.prove_end.audit = writer_bytes(&w);
	request_send(&prove->base, &message);
	takings_add(prove->base.parts->takings, &prove->satellite.address, prove->audit.bytes);
	request_end(&prove->base);
}

static void send_proof(struct prove *prove)
{
	struct bytes proof = bytes_of(prove->proof, prove->proof_len);
	struct message message = {.type = MSG_PROOF};

	prove->ready = false;
	message.proof = (struct msg_proof){prove->index, (uint8_t)prove->answer, proof};
	request_send(&prove->base, &message);
	answer_add(&prove->answers, prove->index, prove->answer, proof);
	prove->audit.bytes += prove->leaf_bytes;
	prove->base.moved += proof.len;
	if (++prove->index < prove->challenge.count)
		start_piece(prove);
	else
		send_end(prove);
}

static void send_if_room(struct prove *prove)
{
	if (prove->base.session != NULL && prove->ready && !request_is_full(&prove->base))
		send_proof(prove);
}

static void prove_worked(void *arg)
{
	struct prove *prove = arg;

	request_job_is_back(&prove->base);
	prove->base.ours = false;
	prove->ready = true;
	send_if_room(prove);
}

static struct request *prove_begin(struct session *session, const struct message *message, enum refusal *ret_refusal,
				   const char **ret_words)
{
	const struct parts *parts = session_worker(session)->parts;
	struct bytes wire = message->prove.challenge;
	struct satellite satellite;
	struct challenge challenge;
	struct prove *prove;

	*ret_refusal = REFUSAL_DENIED;
	*ret_words = "only a satellite that this node trusts may ask for proofs";
	if (trust_find_id(parts->trust, session_peer_id(session), &satellite) != ERR_OK)
		return NULL;
	*ret_words = NULL;
	*ret_refusal = REFUSAL_BUSY;
	if (!satellite.pinned)
		return NULL;
	*ret_refusal = REFUSAL_MALFORMED;
	if (challenge_decode(wire, &challenge) != ERR_OK)
		return NULL;
	prove = memory_new(1, sizeof(*prove));
	prove->satellite = satellite;
	prove->challenge = challenge;
	answer_init(&prove->answers);
	keccak_once(wire.data, wire.len, &prove->audit.challenge);
	request_init(&prove->base, &prove_verb, session, message);
	request_is_of(&prove->base, &prove->satellite.address, ACTION_GET_AUDIT);
	start_piece(prove);
	return &prove->base;
}

static void prove_drained(struct request *request)
{
	send_if_room((struct prove *)request);
}

static void prove_free(struct request *request)
{
	struct prove *prove = (struct prove *)request;

	challenge_free(&prove->challenge);
	free(prove);
}

const struct verb prove_verb = {MSG_PROVE, "prove", STAT_PROVES, prove_begin, NULL, prove_drained, NULL, prove_free};
