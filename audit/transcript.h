/*
 * One audit, written down so that a stranger can judge it again: what was asked, what the satellite knew about each
 * piece, what the node answered, and the verdicts (doc/formats.md, 5.6). Pure.
 *
 * The node signs the hash of its answers, the satellite the same and the hash of the verdicts. A transcript whose
 * hashes are those that were signed is what both saw; whether the verdicts follow from it anyone can compute. A proof
 * may be replaced by its hash later, to save room: then its verdict cannot be checked any more, but all others can.
 */
#ifndef GRANARY_AUDIT_TRANSCRIPT_H
#define GRANARY_AUDIT_TRANSCRIPT_H

#include "audit/challenge.h"

struct transcript_piece {
	struct bytes32 root;
	uint64_t size;
	uint8_t answer;	     /* enum audit_answer; 0: none came */
	uint8_t verdict;     /* enum audit_verdict; 0: none yet */
	bool thinned;	     /* the proof is left out */
	struct bytes proof;  /* a view; empty unless held */
	struct bytes32 hash; /* keccak256 of the proof */
};

struct transcript {
	struct bytes wire; /* the challenge as it was sent: a view */
	struct challenge challenge;
	struct transcript_piece *pieces; /* challenge.count of them */
};

/* What can be wrong with one; the first that applies. */
enum transcript_fault {
	TRANSCRIPT_SOUND = 0,
	TRANSCRIPT_CHALLENGE, /* another challenge was signed */
	TRANSCRIPT_ANSWER,    /* other answers were signed */
	TRANSCRIPT_VERDICTS,  /* other verdicts were signed */
	TRANSCRIPT_VERDICT,   /* a verdict that the answers do not bear out */
	TRANSCRIPT_BYTES,     /* another number of bytes than was proven */
};

/* Begin one for a challenge, given as sent; each piece's root and size are the caller's to set. Frees with
 * transcript_free. The errors of challenge_decode. */
enum err transcript_begin(struct bytes wire, struct transcript *ret) WARN_UNUSED;
void transcript_free(struct transcript *transcript);
/* The answer to piece `index`, in the order of the challenge. The proof stays the caller's. */
void transcript_take(struct transcript *transcript, uint32_t index, enum audit_answer answer, struct bytes proof);

/* What the answer to a piece shows: PROVEN, MISSING, CORRUPT, UNKNOWN, or UNREACHABLE for none. *ret_bytes are those of
 * the leaves that were proven. Not for one whose proof was left out. */
enum audit_verdict transcript_judge(const struct transcript *transcript, uint32_t index, uint64_t *ret_bytes);

/* Audit.answer and Audit.verdicts. */
void transcript_answer(const struct transcript *transcript, struct bytes32 *ret);
void transcript_verdicts(const struct transcript *transcript, struct bytes32 *ret);

/* The members of an Audit that somebody signed; `verdicts` are zeros in a node's. */
struct transcript_claim {
	struct bytes32 challenge;
	struct bytes32 answer;
	struct bytes32 verdicts;
	uint64_t bytes;
};
/* Whether the claim is about this transcript and, when there are verdicts in it, true. After VERDICT, *ret_piece is the
 * piece at fault. */
enum transcript_fault transcript_check(const struct transcript *transcript, const struct transcript_claim *claim,
				       uint32_t *ret_piece);
/* One sentence. Never NULL. */
const char *transcript_fault_text(enum transcript_fault fault);

/* Leave out the proofs of pieces that were proven. */
void transcript_thin(struct transcript *transcript);

size_t transcript_size(const struct transcript *transcript);
void transcript_encode(const struct transcript *transcript, struct writer *w);
/* From anyone. ERR_FORMAT, ERR_RANGE. Views point into `from`. */
enum err transcript_decode(struct bytes from, struct transcript *ret) WARN_UNUSED;

#endif
