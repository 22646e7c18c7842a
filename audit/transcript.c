/* Building, checking and encoding transcripts. */
#include "audit/transcript.h"

#include <assert.h>
#include <stdlib.h>

#include "common/memory.h"

#define PIECE_HEAD (32 + 8 + 1 + 1 + 1)

enum err transcript_begin(struct bytes wire, struct transcript *ret)
{
	struct transcript t = {.wire = wire};
	enum err err = challenge_decode(wire, &t.challenge);

	if (err != ERR_OK)
		return err;
	t.pieces = memory_new(t.challenge.count, sizeof(*t.pieces));
	*ret = t;
	return ERR_OK;
}

void transcript_free(struct transcript *transcript)
{
	challenge_free(&transcript->challenge);
	free(transcript->pieces);
	transcript->pieces = NULL;
}

void transcript_take(struct transcript *transcript, uint32_t index, enum audit_answer answer, struct bytes proof)
{
	struct transcript_piece *piece = &transcript->pieces[index];

	assert(index < transcript->challenge.count);
	piece->answer = (uint8_t)answer;
	piece->proof = proof;
	keccak_once(proof.data, proof.len, &piece->hash);
}

static void find_samples(const struct transcript *t, uint32_t index, struct samples *ret)
{
	const struct bytes32 *previous = index > 0 ? &t->pieces[index - 1].hash : NULL;

	challenge_samples(&t->challenge, index, t->pieces[index].size, previous, ret);
}

static uint64_t leaf_bytes(uint64_t size, const struct samples *samples)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < samples->count; i++) {
		uint64_t left = size - (uint64_t)samples->leaf[i] * TREE_LEAF;

		sum += left < TREE_LEAF ? left : TREE_LEAF;
	}
	return sum;
}

enum audit_verdict transcript_judge(const struct transcript *transcript, uint32_t index, uint64_t *ret_bytes)
{
	const struct transcript_piece *piece = &transcript->pieces[index];
	struct samples samples;

	*ret_bytes = 0;
	switch (piece->answer) {
	case 0:
		return AUDITED_UNREACHABLE;
	case AUDIT_HELD:
		find_samples(transcript, index, &samples);
		if (proof_check(&piece->root, piece->size, &samples, piece->proof, ret_bytes) == ERR_OK)
			return AUDITED_PROVEN;
		*ret_bytes = 0;
		return AUDITED_CORRUPT;
	case AUDIT_MISSING:
		return AUDITED_MISSING;
	case AUDIT_CORRUPT:
		return AUDITED_CORRUPT;
	default:
		return AUDITED_UNKNOWN;
	}
}

void transcript_answer(const struct transcript *transcript, struct bytes32 *ret)
{
	struct answer_hash answers;

	answer_init(&answers);
	for (uint32_t i = 0; i < transcript->challenge.count && transcript->pieces[i].answer != 0; i++)
		answer_add_hash(&answers, i, (enum audit_answer)transcript->pieces[i].answer,
				&transcript->pieces[i].hash);
	answer_final(&answers, ret);
}

void transcript_verdicts(const struct transcript *transcript, struct bytes32 *ret)
{
	struct keccak hash;

	keccak_init(&hash);
	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		const struct transcript_piece *piece = &transcript->pieces[i];
		uint8_t tail[8 + 1];

		put_be64(tail, piece->size);
		tail[8] = piece->verdict;
		keccak_update(&hash, transcript->challenge.pieces[i].piece.b, sizeof(struct bytes32));
		keccak_update(&hash, piece->root.b, sizeof(piece->root.b));
		keccak_update(&hash, tail, sizeof(tail));
	}
	keccak_final(&hash, ret);
}

/* Late and unknown are the satellite's word about a piece, and harm the node less than what they stand for. */
static bool bears_out(const struct transcript *t, uint32_t index, uint64_t *ret_bytes)
{
	const struct transcript_piece *piece = &t->pieces[index];
	enum audit_verdict shown = transcript_judge(t, index, ret_bytes);

	if (piece->verdict != AUDITED_PROVEN)
		*ret_bytes = 0;
	switch (shown) {
	case AUDITED_PROVEN:
		return piece->verdict == AUDITED_PROVEN || piece->verdict == AUDITED_LATE;
	case AUDITED_UNREACHABLE:
		return piece->verdict == AUDITED_UNREACHABLE || piece->verdict == AUDITED_LATE ||
		       piece->verdict == AUDITED_UNKNOWN;
	case AUDITED_MISSING:
	case AUDITED_CORRUPT:
	case AUDITED_LATE:
	case AUDITED_UNKNOWN:
		break;
	}
	return piece->verdict == shown || piece->verdict == AUDITED_UNKNOWN;
}

/* Of a thinned piece all that can be said is how many bytes its leaves had. */
static bool holds(const struct transcript *t, uint32_t index, uint64_t *ret_bytes)
{
	struct samples samples;

	if (!t->pieces[index].thinned)
		return bears_out(t, index, ret_bytes);
	find_samples(t, index, &samples);
	*ret_bytes = leaf_bytes(t->pieces[index].size, &samples);
	return t->pieces[index].verdict == AUDITED_PROVEN;
}

enum transcript_fault transcript_check(const struct transcript *transcript, const struct transcript_claim *claim,
				       uint32_t *ret_piece)
{
	struct bytes32 hash;
	uint64_t bytes = 0;

	keccak_once(transcript->wire.data, transcript->wire.len, &hash);
	if (!bytes32_equal(&hash, &claim->challenge))
		return TRANSCRIPT_CHALLENGE;
	transcript_answer(transcript, &hash);
	if (!bytes32_equal(&hash, &claim->answer))
		return TRANSCRIPT_ANSWER;
	if (bytes32_is_zero(&claim->verdicts))
		return TRANSCRIPT_SOUND;
	transcript_verdicts(transcript, &hash);
	if (!bytes32_equal(&hash, &claim->verdicts))
		return TRANSCRIPT_VERDICTS;
	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		uint64_t more;

		if (!holds(transcript, i, &more)) {
			*ret_piece = i;
			return TRANSCRIPT_VERDICT;
		}
		bytes += more;
	}
	/* Answers that the node did not sign are not paid. */
	return claim->bytes == bytes || claim->bytes == 0 ? TRANSCRIPT_SOUND : TRANSCRIPT_BYTES;
}

const char *transcript_fault_text(enum transcript_fault fault)
{
	switch (fault) {
	case TRANSCRIPT_SOUND:
		return "it holds";
	case TRANSCRIPT_CHALLENGE:
		return "challenge: not keccak256 of the one in the transcript";
	case TRANSCRIPT_ANSWER:
		return "answer: not the hash of the answers in the transcript";
	case TRANSCRIPT_VERDICTS:
		return "verdicts: not the hash of the verdicts in the transcript";
	case TRANSCRIPT_VERDICT:
		return "a verdict does not follow from the answer";
	case TRANSCRIPT_BYTES:
		break;
	}
	return "bytes: not those of the leaves that were proven";
}

void transcript_thin(struct transcript *transcript)
{
	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		struct transcript_piece *piece = &transcript->pieces[i];

		if (piece->answer != AUDIT_HELD || piece->verdict != AUDITED_PROVEN)
			continue;
		piece->thinned = true;
		piece->proof = bytes_of(NULL, 0);
	}
}

size_t transcript_size(const struct transcript *transcript)
{
	size_t size = 4 + transcript->wire.len;

	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		const struct transcript_piece *piece = &transcript->pieces[i];

		size += PIECE_HEAD + (piece->thinned ? sizeof(piece->hash) : 4 + piece->proof.len);
	}
	return size;
}

void transcript_encode(const struct transcript *transcript, struct writer *w)
{
	write_u32(w, (uint32_t)transcript->wire.len);
	write_raw(w, transcript->wire.data, transcript->wire.len);
	for (uint32_t i = 0; i < transcript->challenge.count; i++) {
		const struct transcript_piece *piece = &transcript->pieces[i];

		write_raw(w, piece->root.b, sizeof(piece->root.b));
		write_u64(w, piece->size);
		write_u8(w, piece->answer);
		write_u8(w, piece->verdict);
		write_u8(w, piece->thinned ? 0 : 1);
		if (piece->thinned) {
			write_raw(w, piece->hash.b, sizeof(piece->hash.b));
		} else {
			write_u32(w, (uint32_t)piece->proof.len);
			write_raw(w, piece->proof.data, piece->proof.len);
		}
	}
}

/* Once there is no answer there is none to the rest; only what was held has a proof, and only what was proven can do
 * without. */
static bool makes_sense(const struct transcript *t, uint32_t i)
{
	const struct transcript_piece *piece = &t->pieces[i];

	if (piece->size > TREE_PIECE || piece->answer > AUDIT_FAILED || piece->verdict > AUDITED_UNKNOWN)
		return false;
	if (i > 0 && t->pieces[i - 1].answer == 0 && piece->answer != 0)
		return false;
	if (piece->thinned)
		return piece->answer == AUDIT_HELD && piece->verdict == AUDITED_PROVEN;
	return piece->answer == AUDIT_HELD || piece->proof.len == 0;
}

static void read_piece(struct reader *r, struct transcript *t, uint32_t i)
{
	struct transcript_piece *piece = &t->pieces[i];
	uint8_t whole;

	read_raw(r, piece->root.b, sizeof(piece->root.b));
	piece->size = read_u64(r);
	piece->answer = read_u8(r);
	piece->verdict = read_u8(r);
	whole = read_u8(r);
	piece->thinned = whole == 0;
	if (piece->thinned) {
		read_raw(r, piece->hash.b, sizeof(piece->hash.b));
	} else {
		piece->proof = read_view(r, read_u32(r));
		keccak_once(piece->proof.data, piece->proof.len, &piece->hash);
	}
	if (r->err == ERR_OK && (whole > 1 || !makes_sense(t, i)))
		reader_fail(r, ERR_RANGE);
}

enum err transcript_decode(struct bytes from, struct transcript *ret)
{
	struct transcript t;
	struct reader r;
	struct bytes wire;
	enum err err;

	reader_init(&r, from);
	wire = read_view(&r, read_u32(&r));
	err = r.err == ERR_OK ? transcript_begin(wire, &t) : r.err;
	if (err != ERR_OK)
		return err;
	for (uint32_t i = 0; i < t.challenge.count && r.err == ERR_OK; i++)
		read_piece(&r, &t, i);
	err = reader_end(&r);
	if (err == ERR_OK)
		*ret = t;
	else
		transcript_free(&t);
	return err;
}
