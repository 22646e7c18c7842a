/*
 * What this machine's core can do of the work that every byte costs: the transport's cipher, the tree hash, checksums,
 * the erasure code; of signatures; and of proofs, made and checked in memory.
 *
 * One core, one buffer of a block that stays in its cache: bounds, not promises. A wrapper of ours is measured beside
 * the bare function that it wraps.
 */
#include <stdlib.h>
#include <string.h>

#include <isa-l/crc.h>
#include <sodium.h>

#include "audit/challenge.h"
#include "common/key.h"
#include "common/memory.h"
#include "common/noise.h"
#include "common/random.h"
#include "tests/bench/bench.h"
#include "uplink/crypto.h"
#include "uplink/erasure.h"

#define SLICE 0.5 /* seconds for each number */
#define SAMPLES 4 /* leaves of a proof, each in another block nearly always */
#define MB 1e6

struct work {
	uint8_t block[TREE_BLOCK];
	uint8_t out[NOISE_HEADER + TREE_BLOCK + NOISE_TAG];
	uint8_t aead_key[32];
	struct noise_cipher cipher;
	struct secret *segment_key;
	struct key *key;
	struct bytes32 digest;
	struct signature signature;
	uint64_t count;
};

/* The same work, counted by calls, said in bytes. */
static double bytes_rate(void (*once)(void *arg), void *arg, size_t bytes)
{
	return bench_rate(SLICE, once, arg) * (double)bytes / MB;
}

static void aead_once(void *arg)
{
	struct work *w = arg;
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};

	put_be64(nonce + 4, w->count++);
	crypto_aead_chacha20poly1305_ietf_encrypt(w->out, NULL, w->block, sizeof(w->block), NULL, 0, NULL, nonce,
						  w->aead_key);
}

static void noise_once(void *arg)
{
	struct work *w = arg;

	noise_encrypt(&w->cipher, w->block, sizeof(w->block), w->out);
}

static void unit_once(void *arg)
{
	struct work *w = arg;

	crypto_seal_unit(w->segment_key, w->count++, w->block, sizeof(w->block), sizeof(w->block) - CRYPTO_TAG);
}

static void blake2b_once(void *arg)
{
	struct work *w = arg;

	crypto_generichash_blake2b(w->out, 32, w->block, sizeof(w->block), NULL, 0);
}

static void tree_once(void *arg)
{
	struct work *w = arg;
	struct bytes32 hash;

	tree_block_hash(w->block, sizeof(w->block), &hash);
	w->out[0] ^= hash.b[0];
}

static void crc_once(void *arg)
{
	struct work *w = arg;

	w->out[0] ^= (uint8_t)crc32_iscsi(w->block, sizeof(w->block), (unsigned)w->count++);
}

static void bench_bytes(struct work *w)
{
	double aead = bytes_rate(aead_once, w, TREE_BLOCK), blake2b = bytes_rate(blake2b_once, w, TREE_BLOCK);
	double tree = bytes_rate(tree_once, w, TREE_BLOCK), crc = bytes_rate(crc_once, w, TREE_BLOCK);

	bench_say("blocks of 32 KiB on one core; the tree hash does 9 compressions where plain BLAKE2b does 8");
	bench_result("aead_32kib", aead, "MB/s", 0, BENCH_NO_SHARE);
	bench_result("noise_32kib", bytes_rate(noise_once, w, TREE_BLOCK), "MB/s", aead, BENCH_MORE_IS_BETTER);
	bench_result("unit_seal", bytes_rate(unit_once, w, TREE_BLOCK), "MB/s", aead, BENCH_MORE_IS_BETTER);
	bench_result("blake2b", blake2b, "MB/s", 0, BENCH_NO_SHARE);
	bench_result("tree_hash", tree, "MB/s", blake2b * 8 / 9, BENCH_MORE_IS_BETTER);
	bench_result("crc32c", crc, "MB/s", 0, BENCH_NO_SHARE);
	bench_say("one connection's bound, a side: 1 / (1/aead + 1/tree_hash + 1/crc32c) = %.0f MB/s",
		  1 / (1 / aead + 1 / tree + 1 / crc));
}

static void verify_once(void *arg)
{
	struct work *w = arg;

	if (key_verify(&w->digest, &w->signature, key_address(w->key)) != ERR_OK)
		abort();
}

static void sign_once(void *arg)
{
	struct work *w = arg;

	put_be64(w->digest.b, w->count++);
	key_sign(w->key, &w->digest, &w->signature);
}

static void bench_signatures(struct work *w)
{
	double sign = bench_rate(SLICE, sign_once, w);

	bench_say("signatures on one core: signing, and recovering and comparing the signer's address");
	bench_result("key_sign", sign, "1/s", 0, BENCH_NO_SHARE);
	bench_result("key_verify", bench_rate(SLICE, verify_once, w), "1/s", 0, BENCH_NO_SHARE);
}

/* A stripe of whole blocks. */
struct stripe {
	struct erasure *code;
	uint8_t *units[ERASURE_TOTAL];
};

static void encode_once(void *arg)
{
	struct stripe *s = arg;

	if (erasure_encode(s->code, s->units, ERASURE_UNIT) != ERR_OK)
		abort();
}

/* The worst case: all data units lost, as far as parity can replace them. */
static void decode_once(void *arg)
{
	struct stripe *s = arg;
	struct erasure_set have = {{0}}, want = {{0}};
	uint32_t required = erasure_required(s->code), total = erasure_total(s->code);

	for (uint32_t i = 0; i < required; i++) {
		erasure_set_add(&want, i);
		erasure_set_add(&have, total - 1 - i);
	}
	if (erasure_rebuild(s->code, &have, &want, s->units, ERASURE_UNIT) != ERR_OK)
		abort();
}

static void bench_erasure(uint32_t required, uint32_t total, const char *encode_name, const char *decode_name)
{
	struct stripe s = {0};

	if (erasure_new(required, total, &s.code) != ERR_OK)
		abort();
	for (uint32_t i = 0; i < total; i++) {
		s.units[i] = memory_new(1, ERASURE_UNIT);
		random_bytes(s.units[i], ERASURE_UNIT);
	}
	bench_result(encode_name, bytes_rate(encode_once, &s, (size_t)required * ERASURE_UNIT), "MB/s", 0,
		     BENCH_NO_SHARE);
	bench_result(decode_name, bytes_rate(decode_once, &s, (size_t)required * ERASURE_UNIT), "MB/s", 0,
		     BENCH_NO_SHARE);
	for (uint32_t i = 0; i < total; i++)
		free(s.units[i]);
	erasure_free(s.code);
}

/* A node with one full piece in memory, and a satellite that asks for it again and again. */
struct audited {
	uint8_t *data;
	struct bytes32 blocks[TREE_BLOCKS];
	struct bytes32 root;
	struct challenge challenge;
	struct challenge_piece piece;
	struct samples samples;
	uint8_t proof[PROOF_SAMPLES * (TREE_LEAF + 11 * 32)];
	size_t proof_len;
};

static enum err read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	struct audited *a = arg;

	memcpy(out, a->data + (size_t)block * TREE_BLOCK, TREE_BLOCK);
	*ret_len = TREE_BLOCK;
	return ERR_OK;
}

static void prove_once(void *arg)
{
	struct audited *a = arg;
	struct writer w;

	put_be64(a->challenge.nonce.b, get_be64(a->challenge.nonce.b) + 1);
	challenge_samples(&a->challenge, 0, TREE_PIECE, NULL, &a->samples);
	writer_init(&w, a->proof, sizeof(a->proof));
	if (proof_make(a->blocks, TREE_PIECE, &a->samples, read_block, a, &w) != ERR_OK)
		abort();
	a->proof_len = w.len;
}

static void check_once(void *arg)
{
	struct audited *a = arg;
	uint64_t leaf_bytes;

	challenge_samples(&a->challenge, 0, TREE_PIECE, NULL, &a->samples);
	if (proof_check(&a->root, TREE_PIECE, &a->samples, bytes_of(a->proof, a->proof_len), &leaf_bytes) != ERR_OK)
		abort();
}

static void bench_proofs(double tree_hash)
{
	struct audited *a = memory_new(1, sizeof(*a));

	a->data = memory_new(1, TREE_PIECE);
	random_bytes(a->data, TREE_PIECE);
	for (uint32_t i = 0; i < TREE_BLOCKS; i++)
		tree_block_hash(a->data + (size_t)i * TREE_BLOCK, TREE_BLOCK, &a->blocks[i]);
	tree_root(a->blocks, TREE_PIECE, &a->root);
	a->piece.samples = SAMPLES;
	a->challenge = (struct challenge){.form = CHALLENGE_LISTED, .count = 1, .pieces = &a->piece};
	bench_say("proofs of %d leaves of a 2 MiB piece in memory, one core; bound of making one: the tree hash of the "
		  "%d "
		  "blocks they lie in",
		  SAMPLES, SAMPLES);
	bench_result("prove_in_memory", bench_rate(SLICE, prove_once, a), "1/s",
		     tree_hash * MB / (SAMPLES * TREE_BLOCK), BENCH_MORE_IS_BETTER);
	bench_result("prove_check", bench_rate(SLICE, check_once, a), "1/s", 0, BENCH_NO_SHARE);
	free(a->data);
	free(a);
}

int main(void)
{
	struct work *w = memory_new(1, sizeof(*w));

	random_bytes(w->block, sizeof(w->block));
	random_bytes(w->aead_key, sizeof(w->aead_key));
	random_bytes(w->cipher.key, sizeof(w->cipher.key));
	w->segment_key = secret_generate();
	w->key = key_generate();
	bench_bytes(w);
	bench_signatures(w);
	bench_say("erasure code on one core, in bytes of data: making the parity; making the data from parity alone");
	bench_erasure(4, 8, "rs_encode_4_8", "rs_decode_4_8");
	bench_erasure(29, 110, "rs_encode_29_110", "rs_decode_29_110");
	bench_proofs(bytes_rate(tree_once, w, TREE_BLOCK));
	secret_free(w->segment_key);
	key_free(w->key);
	free(w);
	return 0;
}
