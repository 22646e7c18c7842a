/*
 * Challenges: their encoding and the unbiased draw of leaves.
 *
 * A draw is 32 bits of the stream; those at or above the largest multiple of the number of leaves are thrown away, as
 * are leaves drawn before, so every set of distinct leaves is as likely as any other.
 */
#include "audit/challenge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

const char *audit_verdict_name(enum audit_verdict verdict)
{
	switch (verdict) {
	case AUDITED_PROVEN:
		return "proven";
	case AUDITED_MISSING:
		return "missing";
	case AUDITED_CORRUPT:
		return "corrupt";
	case AUDITED_LATE:
		return "late";
	case AUDITED_UNREACHABLE:
		return "unreachable";
	case AUDITED_UNKNOWN:
		break;
	}
	return "unknown";
}

void challenge_encode(const struct challenge *challenge, struct writer *w)
{
	write_raw(w, challenge->nonce.b, sizeof(challenge->nonce.b));
	write_u8(w, challenge->form);
	write_u32(w, challenge->piece_ms);
	write_u32(w, challenge->count);
	for (uint32_t i = 0; i < challenge->count; i++) {
		write_raw(w, challenge->pieces[i].piece.b, sizeof(challenge->pieces[i].piece.b));
		write_u8(w, challenge->pieces[i].samples);
	}
}

static bool form_known(uint8_t form)
{
	return form == CHALLENGE_LISTED || form == CHALLENGE_WHOLE || form == CHALLENGE_CHAINED;
}

static void read_pieces(struct challenge *c, struct reader *r)
{
	for (uint32_t i = 0; i < c->count; i++) {
		read_raw(r, c->pieces[i].piece.b, sizeof(c->pieces[i].piece.b));
		c->pieces[i].samples = read_u8(r);
		if (r->err == ERR_OK && (c->pieces[i].samples == 0 || c->pieces[i].samples > PROOF_SAMPLES))
			reader_fail(r, ERR_RANGE);
	}
}

enum err challenge_decode(struct bytes from, struct challenge *ret)
{
	struct challenge c = {0};
	struct reader r;
	enum err err;

	reader_init(&r, from);
	read_raw(&r, c.nonce.b, sizeof(c.nonce.b));
	c.form = read_u8(&r);
	c.piece_ms = read_u32(&r);
	c.count = read_u32(&r);
	if (r.err != ERR_OK)
		return r.err;
	if (!form_known(c.form) || c.count == 0 || c.count > CHALLENGE_PIECES)
		return ERR_RANGE;
	c.pieces = memory_new(c.count, sizeof(c.pieces[0]));
	read_pieces(&c, &r);
	err = reader_end(&r);
	if (err != ERR_OK) {
		challenge_free(&c);
		return err;
	}
	*ret = c;
	return ERR_OK;
}

void challenge_free(struct challenge *challenge)
{
	free(challenge->pieces);
	challenge->pieces = NULL;
	challenge->count = 0;
}

/* An endless stream of hashes over a fixed start and a counter. */
struct draws {
	struct hash start;
	struct bytes32 block;
	uint32_t counter;
	size_t used;
};

static void draws_init(struct draws *d, const struct hash *start)
{
	d->start = *start;
	d->counter = 0;
	d->used = sizeof(d->block.b);
}

static const uint8_t *draws_next(struct draws *d, size_t len)
{
	if (d->used + len > sizeof(d->block.b)) {
		struct hash h = d->start;
		uint8_t counter[4];

		put_be32(counter, d->counter++);
		hash_update(&h, counter, sizeof(counter));
		hash_final(&h, &d->block);
		d->used = 0;
	}
	d->used += len;
	return d->block.b + d->used - len;
}

/* Uniform below n > 0. */
static uint32_t draws_below(struct draws *d, uint32_t n)
{
	uint64_t limit = (UINT64_C(1) << 32) / n * n;
	uint64_t value;

	do {
		value = get_be32(draws_next(d, 4));
	} while (value >= limit);
	return (uint32_t)(value % n);
}

static void insert_sorted(struct samples *samples, uint32_t leaf)
{
	uint32_t at = 0;

	while (at < samples->count && samples->leaf[at] < leaf)
		at++;
	if (at < samples->count && samples->leaf[at] == leaf)
		return;
	memmove(&samples->leaf[at + 1], &samples->leaf[at], (samples->count - at) * sizeof(samples->leaf[0]));
	samples->leaf[at] = leaf;
	samples->count++;
}

void challenge_samples(const struct challenge *challenge, uint32_t index, uint64_t size, const struct bytes32 *previous,
		       struct samples *ret)
{
	static const struct bytes32 nothing;
	const struct challenge_piece *piece;
	uint32_t leaves = tree_leaves(size), wanted;
	struct draws d;
	struct hash start;

	assert(index < challenge->count && size <= TREE_PIECE);
	piece = &challenge->pieces[index];
	wanted = piece->samples;
	assert(wanted <= PROOF_SAMPLES);
	if (challenge->form != CHALLENGE_CHAINED || previous == NULL)
		previous = &nothing;
	hash_init(&start, "granary.sample");
	hash_update(&start, challenge->nonce.b, sizeof(challenge->nonce.b));
	hash_update(&start, piece->piece.b, sizeof(piece->piece.b));
	hash_update(&start, previous->b, sizeof(previous->b));
	draws_init(&d, &start);
	if (wanted > leaves)
		wanted = leaves;
	ret->count = 0;
	while (ret->count < wanted)
		insert_sorted(ret, draws_below(&d, leaves));
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void challenge_draw(const struct bytes32 *nonce, uint64_t total, uint64_t *ret, uint32_t count)
{
	/* The largest multiple of total that 64 bits hold, less one. */
	uint64_t most = UINT64_MAX - (UINT64_MAX % total + 1) % total;
	struct draws d;
	struct hash start;

	hash_init(&start, "granary.draw");
	hash_update(&start, nonce->b, sizeof(nonce->b));
	draws_init(&d, &start);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value;

		do {
			value = get_be64(draws_next(&d, 8));
		} while (value > most);
		ret[i] = value % total;
	}
	qsort(ret, count, sizeof(ret[0]), compare_u64);
}

void answer_init(struct answer_hash *a)
{
	keccak_init(&a->hash);
}

void answer_add_hash(struct answer_hash *a, uint32_t index, enum audit_answer answer, const struct bytes32 *proof)
{
	uint8_t head[4 + 1];

	put_be32(head, index);
	head[4] = (uint8_t)answer;
	keccak_update(&a->hash, head, sizeof(head));
	keccak_update(&a->hash, proof->b, sizeof(proof->b));
}

void answer_add(struct answer_hash *a, uint32_t index, enum audit_answer answer, struct bytes proof)
{
	struct bytes32 hash;

	keccak_once(proof.data, proof.len, &hash);
	answer_add_hash(a, index, answer, &hash);
}

void answer_final(struct answer_hash *a, struct bytes32 *ret)
{
	keccak_final(&a->hash, ret);
}
