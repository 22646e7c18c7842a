/*
 * An audit of a batch of full pieces as node and satellite do it, less the network: what a proof costs in bytes, in
 * reads of the disk and in hashing.
 *
 * A store on a real disk holds BATCH pieces of 2 MiB. A challenge asks each for some leaves; the node's side reads head
 * and blocks through the store and makes the proofs, the satellite's side checks them. Bounds are plain BLAKE2b on one
 * core: to make a proof of data from the cache one must hash the blocks that its leaves lie in, to check it the bytes
 * of the proof.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "audit/challenge.h"
#include "common/memory.h"
#include "common/message.h"
#include "common/noise.h"
#include "common/random.h"
#include "node/store/store.h"
#include "tests/bench/bench.h"
#include "tests/bench/preads.h"
#include "tests/kit/pieces.h"
#include "tests/kit/scratch.h"

#define BATCH 64
#define SAMPLES 2 /* what granary-satellite asks of each piece unless told otherwise */
#define ALLOCATION (2ull << 30)
#define SLICE 2.0 /* seconds for each rate */
#define PROOF_ROOM (PROOF_SAMPLES * (TREE_LEAF + 11 * 32))
#define FRAME (NOISE_HEADER + NOISE_TAG) /* of each message on the wire */

struct batch {
	struct store *store;
	struct challenge challenge;
	struct challenge_piece pieces[BATCH];
	struct bytes32 roots[BATCH];
	uint8_t proofs[BATCH][PROOF_ROOM];
	size_t lens[BATCH];
	uint64_t leaves; /* proven by the last answer */
};

static struct seam seam;

static void open_store(struct batch *b, const char *dir)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	char why[STORE_MESSAGE];

	if (store_open(dir, &options, &seam, &b->store, why) != ERR_OK)
		bench_die(why);
}

static void make_store(struct batch *b, char dir[32])
{
	const struct address satellite = {{1}};
	char why[STORE_MESSAGE];
	uint16_t number;

	seam = preads_seam();
	snprintf(dir, 32, "bench-audit.XXXXXX");
	if (mkdtemp(dir) == NULL)
		bench_die("cannot make a directory");
	if (store_init(dir, ALLOCATION, 0, &seam, why) != ERR_OK)
		bench_die(why);
	open_store(b, dir);
	if (store_satellite(b->store, &satellite, &number) != ERR_OK || number != 0)
		bench_die("cannot number a satellite");
}

static void fill(struct batch *b)
{
	struct store_reader *reader;

	for (uint32_t i = 0; i < BATCH; i++) {
		struct store_key key = pieces_key(i);

		if (pieces_put(b->store, i, 0, TREE_PIECE, 0) != ERR_OK || store_get(b->store, &key, &reader) != ERR_OK)
			bench_die("the store cannot keep a piece");
		b->pieces[i].piece = key.piece;
		b->roots[i] = store_reader_piece(reader)->root;
		store_reader_free(reader);
	}
	b->challenge = (struct challenge){.form = CHALLENGE_LISTED, .count = BATCH, .pieces = b->pieces};
}

static enum err read_block(void *reader, uint32_t block, uint8_t *out, size_t *ret_len)
{
	return store_reader_blocks(reader, block, 1, out, ret_len);
}

static void prove(struct batch *b, uint32_t index)
{
	struct store_key key = {0, b->pieces[index].piece};
	const struct store_piece *piece;
	struct store_reader *reader;
	struct samples samples;
	struct writer w;

	if (store_get(b->store, &key, &reader) != ERR_OK)
		bench_die("a piece is gone");
	piece = store_reader_piece(reader);
	challenge_samples(&b->challenge, index, piece->size, NULL, &samples);
	writer_init(&w, b->proofs[index], PROOF_ROOM);
	if (proof_make(piece->blocks, piece->size, &samples, read_block, reader, &w) != ERR_OK)
		bench_die("a piece cannot be proven");
	store_reader_free(reader);
	b->lens[index] = w.len;
	b->leaves += samples.count;
}

static void prove_once(void *arg)
{
	struct batch *b = arg;

	put_be64(b->challenge.nonce.b, get_be64(b->challenge.nonce.b) + 1);
	b->leaves = 0;
	for (uint32_t i = 0; i < BATCH; i++)
		prove(b, i);
}

static void check_once(void *arg)
{
	struct batch *b = arg;

	for (uint32_t i = 0; i < BATCH; i++) {
		struct bytes proof = bytes_of(b->proofs[i], b->lens[i]);
		struct samples samples;
		uint64_t bytes;

		challenge_samples(&b->challenge, i, TREE_PIECE, NULL, &samples);
		if (proof_check(&b->roots[i], TREE_PIECE, &samples, proof, &bytes) != ERR_OK)
			bench_die("a proof that proves nothing");
	}
}

static void hash_once_more(void *arg)
{
	static uint8_t block[TREE_BLOCK];

	crypto_generichash_blake2b(arg, 32, block, sizeof(block), NULL, 0);
}

/* All bytes of one audit on the wire, both ways, as messages in frames; the audit's signed end included. */
static size_t wire_bytes(const struct batch *b)
{
	const size_t challenge = 32 + 1 + 4 + 4 + BATCH * 33, audit = 32 + 32 + 8 + 32 + 65;
	size_t sum = FRAME + MESSAGE_HEAD + 4 + challenge + FRAME + MESSAGE_HEAD + 4 + audit;

	for (uint32_t i = 0; i < BATCH; i++)
		sum += FRAME + MESSAGE_HEAD + 4 + 1 + 4 + b->lens[i];
	return sum;
}

/* The answer of a store that was just opened: what it reads and what it weighs. */
static void measure_costs(struct batch *b, const char *dir, uint8_t samples, bool report)
{
	unsigned long before;
	double blocks;

	for (uint32_t i = 0; i < BATCH; i++)
		b->pieces[i].samples = samples;
	store_close(b->store);
	open_store(b, dir);
	before = preads_so_far();
	prove_once(b);
	blocks = (double)(preads_so_far() - before) / BATCH;
	check_once(b);
	bench_say("%u leaves of each of %u pieces: %.0f bytes on the wire and %.2f preads a piece, of its head and of "
		  "a block for each leaf",
		  samples, BATCH, (double)wire_bytes(b) / BATCH, blocks);
	if (!report)
		return;
	bench_result("proof_bytes_per_leaf", (double)wire_bytes(b) / (double)b->leaves, "bytes", 1.4 * 1024,
		     BENCH_LESS_IS_BETTER);
	bench_result("prove_preads_per_piece", blocks, "preads", samples + 1, BENCH_LESS_IS_BETTER);
}

static void measure_rates(struct batch *b)
{
	uint8_t digest[32];
	double hash = bench_rate(SLICE / 4, hash_once_more, digest) * TREE_BLOCK, bytes = 0;

	bench_result("prove_batch", bench_rate(SLICE, prove_once, b) * BATCH, "proofs/s", hash / (SAMPLES * TREE_BLOCK),
		     BENCH_MORE_IS_BETTER);
	for (uint32_t i = 0; i < BATCH; i++)
		bytes += (double)b->lens[i] / BATCH;
	bench_result("verify_batch", bench_rate(SLICE, check_once, b) * BATCH, "proofs/s", hash / bytes,
		     BENCH_MORE_IS_BETTER);
	bench_say("one core, from the cache; bounds: BLAKE2b of %d blocks to make a proof, of its %.0f bytes to check "
		  "it",
		  SAMPLES, bytes);
}

int main(void)
{
	struct batch *b = memory_new(1, sizeof(*b));
	char dir[32];

	make_store(b, dir);
	fill(b);
	random_bytes(b->challenge.nonce.b, sizeof(b->challenge.nonce.b));
	measure_costs(b, dir, 1, false);
	measure_costs(b, dir, 4, false);
	measure_costs(b, dir, SAMPLES, true);
	measure_rates(b);
	store_close(b->store);
	scratch_remove(".", dir);
	free(b);
	return 0;
}
