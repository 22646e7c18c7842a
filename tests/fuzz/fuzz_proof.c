/*
 * Hostile proofs. The input chooses a size, a block and samples; the rest is taken as a block's data with its path and
 * as a multi-proof. Only the honest bytes may be accepted, and those must be.
 *
 * Input: u32 size (taken modulo what a piece may have), u8 block, u8 count, count × u16 leaf, then the proof.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A piece of zeros of some size: all of its hashes are cheap to have. */
struct piece {
	uint64_t size;
	struct bytes32 blocks[TREE_BLOCKS];
	struct bytes32 root;
};

static const uint8_t zeros[TREE_BLOCK];

static void piece_make(struct piece *p, uint64_t size)
{
	uint32_t count = tree_blocks(size);

	p->size = size;
	tree_block_hash(zeros, tree_block_size(size, 0), &p->blocks[0]);
	for (uint32_t i = 1; i < count; i++)
		p->blocks[i] = p->blocks[0];
	tree_block_hash(zeros, tree_block_size(size, count - 1), &p->blocks[count - 1]);
	tree_root(p->blocks, size, &p->root);
}

static enum err read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	struct piece *p = arg;

	*ret_len = tree_block_size(p->size, block);
	memset(out, 0, *ret_len);
	return ERR_OK;
}

static void check_path(const struct piece *p, uint32_t block, struct bytes path)
{
	struct bytes32 honest[PROOF_PATH];
	struct bytes data = bytes_of(zeros, tree_block_size(p->size, block));
	enum err err = proof_check_block(&p->root, p->size, block, data, path);
	size_t len;

	if (block >= tree_blocks(p->size)) {
		if (err != ERR_RANGE)
			abort();
		return;
	}
	len = proof_path(p->blocks, p->size, block, honest) * sizeof(honest[0]);
	if ((err == ERR_OK) != bytes_equal(path, bytes_of(honest, len)))
		abort();
	if (proof_check_block(&p->root, p->size, block, data, bytes_of(honest, len)) != ERR_OK)
		abort();
}

static void check_multi(struct piece *p, const struct samples *samples, struct bytes proof)
{
	static uint8_t honest[PROOF_SAMPLES * (TREE_LEAF + 11 * 32)];
	uint64_t leaf_bytes;
	struct writer w;
	enum err made, err = proof_check(&p->root, p->size, samples, proof, &leaf_bytes);

	writer_init(&w, honest, sizeof(honest));
	made = proof_make(p->blocks, p->size, samples, read_block, p, &w);
	if (made != ERR_OK) {
		if (made != ERR_RANGE || err == ERR_OK || proof_size(p->size, samples) != 0)
			abort();
		return;
	}
	if ((err == ERR_OK) != bytes_equal(proof, writer_bytes(&w)))
		abort();
	if (proof_check(&p->root, p->size, samples, writer_bytes(&w), &leaf_bytes) != ERR_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct samples samples;
	struct reader r;
	struct piece p;
	uint32_t block;

	reader_init(&r, bytes_of(data, size));
	piece_make(&p, read_u32(&r) % (TREE_PIECE + 1));
	block = read_u8(&r);
	samples.count = read_u8(&r);
	for (uint32_t i = 0; i < samples.count && i < PROOF_SAMPLES; i++)
		samples.leaf[i] = read_u16(&r);
	if (r.err != ERR_OK)
		return 0;
	check_path(&p, block, bytes_of(r.at, r.left));
	check_multi(&p, &samples, bytes_of(r.at, r.left));
	return 0;
}
