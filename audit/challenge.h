/*
 * What a satellite asks a node to prove, and which leaves that means. Pure.
 *
 * Leaf numbers come from a stream BLAKE2b(nonce ‖ piece ‖ …), by rejection, so that they are uniform and both sides
 * draw the same (doc/formats.md, section 5). Forms: listed pieces, each with its number of samples; a whole-node
 * sample, uniform over bytes, whose pieces the satellite found by challenge_draw; chained, where a piece's leaves also
 * depend on the proof before it.
 */
#ifndef GRANARY_AUDIT_CHALLENGE_H
#define GRANARY_AUDIT_CHALLENGE_H

#include "audit/proof.h"
#include "common/keccak.h"

#define CHALLENGE_PIECES 1000 /* most in one challenge */

enum challenge_form {
	CHALLENGE_LISTED = 1,
	CHALLENGE_WHOLE = 2,
	CHALLENGE_CHAINED = 3,
};

/* What the node says of a piece before anyone checks: the `answer` of PROOF. */
enum audit_answer {
	AUDIT_HELD = 1,
	AUDIT_MISSING = 2,
	AUDIT_CORRUPT = 3,
	AUDIT_FAILED = 4, /* could not be read just now */
};

/* What the satellite makes of it. */
enum audit_verdict {
	AUDITED_PROVEN = 1,
	AUDITED_MISSING = 2,
	AUDITED_CORRUPT = 3,
	AUDITED_LATE = 4,
	AUDITED_UNREACHABLE = 5,
	AUDITED_UNKNOWN = 6,
};
const char *audit_verdict_name(enum audit_verdict verdict);

struct challenge_piece {
	struct bytes32 piece;
	uint8_t samples; /* 1 to PROOF_SAMPLES */
};

struct challenge {
	struct bytes32 nonce;
	uint8_t form;
	uint32_t piece_ms; /* milliseconds allowed per piece */
	uint32_t count;
	struct challenge_piece *pieces; /* challenge_decode allocates; challenge_free */
};

void challenge_encode(const struct challenge *challenge, struct writer *w);
/* ERR_FORMAT, ERR_RANGE (too many pieces or samples, unknown form). */
enum err challenge_decode(struct bytes from, struct challenge *ret) WARN_UNUSED;
void challenge_free(struct challenge *challenge);

/* The leaves to prove of piece `index` (< count), of this size (≤ TREE_PIECE). `previous` is keccak256 of the proof
 * bytes before it in a chained challenge (of no bytes where a piece was not held), NULL for the first piece and in
 * the other forms. A small piece yields all its leaves at most. */
void challenge_samples(const struct challenge *challenge, uint32_t index, uint64_t size, const struct bytes32 *previous,
		       struct samples *ret);

/* For a whole-node sample: `count` positions among the `total` > 0 bytes that a node holds, uniform, independent and
 * sorted. The satellite walks the node's pieces in a fixed order with a running sum; the positions that fall in a piece
 * are its number of samples. */
void challenge_draw(const struct bytes32 *nonce, uint64_t total, uint64_t *ret, uint32_t count);

/* Builds Audit.answer: keccak256 over, per piece, u32 index ‖ u8 answer ‖ keccak256(proof). */
struct answer_hash {
	struct keccak hash;
};
void answer_init(struct answer_hash *a);
void answer_add(struct answer_hash *a, uint32_t index, enum audit_answer answer, struct bytes proof);
/* The same with the hash of the proof. */
void answer_add_hash(struct answer_hash *a, uint32_t index, enum audit_answer answer, const struct bytes32 *proof);
void answer_final(struct answer_hash *a, struct bytes32 *ret);

#endif
