/*
 * Proofs over the piece tree.
 *
 * A block's path goes level by level over the block hashes: neighbours are joined in pairs, a last one without a
 * neighbour moves up as it is, which is the shape of RFC 6962.
 *
 * A multi-proof is one walk of the whole tree over leaves, left before right. Coming to a subtree without a sampled
 * leaf, the prover writes its hash and the verifier reads it; coming to a sampled leaf, the verifier hashes the
 * leaf's bytes. Both walk alike, so no hash needs a label, none comes twice, and none can be left over.
 */
#include "audit/proof.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

/* One level up; returns how many there are then. */
static uint32_t join_level(struct bytes32 *level, uint32_t n)
{
	for (uint32_t i = 0; i + 1 < n; i += 2)
		tree_inner_hash(&level[i], &level[i + 1], &level[i / 2]);
	if (n % 2 == 1)
		level[n / 2] = level[n - 1];
	return (n + 1) / 2;
}

uint32_t proof_path(const struct bytes32 *blocks, uint64_t size, uint32_t block, struct bytes32 ret_path[PROOF_PATH])
{
	struct bytes32 level[TREE_BLOCKS];
	uint32_t n = tree_blocks(size), count = 0;

	assert(n <= TREE_BLOCKS && block < n);
	memcpy(level, blocks, n * sizeof(level[0]));
	for (uint32_t at = block; n > 1; at /= 2, n = join_level(level, n)) {
		if ((at ^ 1) < n)
			ret_path[count++] = level[at ^ 1];
	}
	return count;
}

static uint32_t path_length(uint32_t n, uint32_t at)
{
	uint32_t count = 0;

	for (; n > 1; at /= 2, n = (n + 1) / 2)
		count += (at ^ 1) < n;
	return count;
}

enum err proof_check_block(const struct bytes32 *root, uint64_t size, uint32_t block, struct bytes data,
			   struct bytes path)
{
	struct bytes32 hash, sibling, found;
	struct reader r;

	if (size > TREE_PIECE || block >= tree_blocks(size) || data.len != tree_block_size(size, block))
		return ERR_RANGE;
	if (path.len != path_length(tree_blocks(size), block) * sizeof(sibling))
		return ERR_RANGE;
	reader_init(&r, path);
	tree_block_hash(data.data, data.len, &hash);
	for (uint32_t at = block, n = tree_blocks(size); n > 1; at /= 2, n = (n + 1) / 2) {
		if ((at ^ 1) >= n)
			continue;
		read_raw(&r, sibling.b, sizeof(sibling.b));
		if (at % 2 == 0)
			tree_inner_hash(&hash, &sibling, &hash);
		else
			tree_inner_hash(&sibling, &hash, &hash);
	}
	tree_root_of_top(&hash, size, &found);
	return bytes32_equal(&found, root) ? ERR_OK : ERR_CORRUPT;
}

/* ERR_RANGE unless the samples are leaves of such a piece, sorted and distinct. */
static enum err samples_check(uint64_t size, const struct samples *samples)
{
	if (size > TREE_PIECE || samples->count == 0 || samples->count > PROOF_SAMPLES)
		return ERR_RANGE;
	if (samples->leaf[samples->count - 1] >= tree_leaves(size))
		return ERR_RANGE;
	for (uint32_t i = 1; i < samples->count; i++) {
		if (samples->leaf[i - 1] >= samples->leaf[i])
			return ERR_RANGE;
	}
	return ERR_OK;
}

static size_t leaf_size(uint64_t size, uint32_t leaf)
{
	uint64_t start = (uint64_t)leaf * TREE_LEAF;

	return size - start < TREE_LEAF ? (size_t)(size - start) : TREE_LEAF;
}

/* A subtree: leaves first … first + n - 1. */
struct span {
	uint32_t first;
	uint32_t n;
};

static struct span span_left(struct span span)
{
	uint32_t half = UINT32_C(1) << (31 - __builtin_clz(span.n - 1));

	return (struct span){span.first, half};
}

static struct span span_right(struct span span)
{
	uint32_t half = span_left(span).n;

	return (struct span){span.first + half, span.n - half};
}

/* How many of the samples lie in the span; those before `from` lie before the span. */
static uint32_t samples_in(const struct samples *samples, uint32_t from, struct span span)
{
	uint32_t i = from;

	while (i < samples->count && samples->leaf[i] < span.first + span.n)
		i++;
	return i - from;
}

struct maker {
	const struct samples *samples;
	const struct bytes32 *blocks;
	struct writer *w;
	uint32_t sample; /* the walk has passed so many */
	/* Leaf hashes of the blocks that were read, in order, and the walk's place among them. */
	struct bytes32 (*leaves)[TREE_BLOCK_LEAVES];
	uint32_t block_numbers[PROOF_SAMPLES];
	uint32_t blocks_read;
};

/* The hash of a subtree without sampled leaves: whole blocks, or part of a block that was read. */
static void span_hash(const struct maker *m, struct span span, struct bytes32 *ret)
{
	uint32_t block = span.first / TREE_BLOCK_LEAVES, slot = 0;

	while (slot < m->blocks_read && m->block_numbers[slot] != block)
		slot++;
	if (slot < m->blocks_read)
		tree_top(&m->leaves[slot][span.first % TREE_BLOCK_LEAVES], span.n, ret);
	else
		tree_top(&m->blocks[block], (span.n + TREE_BLOCK_LEAVES - 1) / TREE_BLOCK_LEAVES, ret);
}

static void make_span(struct maker *m, struct span span)
{
	struct bytes32 hash;

	if (samples_in(m->samples, m->sample, span) == 0) {
		span_hash(m, span, &hash);
		write_raw(m->w, hash.b, sizeof(hash.b));
	} else if (span.n == 1) {
		m->sample++;
	} else {
		make_span(m, span_left(span));
		make_span(m, span_right(span));
	}
}

/* Read the block of the sample that comes next, keep its leaf hashes, write its sampled leaves. */
static enum err make_block(struct maker *m, uint64_t size, proof_read_block *read, void *arg, uint8_t *buffer)
{
	const struct samples *samples = m->samples;
	uint32_t block = samples->leaf[m->sample] / TREE_BLOCK_LEAVES;
	struct bytes32 *leaves = m->leaves[m->blocks_read], hash;
	size_t len = 0;
	enum err err = read(arg, block, buffer, &len);

	if (err != ERR_OK)
		return err;
	if (len != tree_block_size(size, block))
		return ERR_CORRUPT;
	tree_block_leaves(buffer, len, leaves);
	tree_top(leaves, tree_leaves(len), &hash);
	if (!bytes32_equal(&hash, &m->blocks[block]))
		return ERR_CORRUPT;
	m->block_numbers[m->blocks_read++] = block;
	for (; m->sample < samples->count && samples->leaf[m->sample] / TREE_BLOCK_LEAVES == block; m->sample++) {
		uint32_t leaf = samples->leaf[m->sample];

		write_raw(m->w, buffer + leaf % TREE_BLOCK_LEAVES * TREE_LEAF, leaf_size(size, leaf));
	}
	return ERR_OK;
}

enum err proof_make(const struct bytes32 *blocks, uint64_t size, const struct samples *samples, proof_read_block *read,
		    void *arg, struct writer *w)
{
	struct maker m = {.samples = samples, .blocks = blocks, .w = w};
	uint8_t *buffer = NULL;
	enum err err = samples_check(size, samples);

	if (err != ERR_OK)
		return err;
	buffer = memory_new(1, TREE_BLOCK);
	m.leaves = memory_new(samples->count, sizeof(m.leaves[0]));
	while (err == ERR_OK && m.sample < samples->count)
		err = make_block(&m, size, read, arg, buffer);
	if (err == ERR_OK) {
		m.sample = 0;
		make_span(&m, (struct span){0, tree_leaves(size)});
		err = w->err;
	}
	free(buffer);
	free(m.leaves);
	return err;
}

struct checker {
	const struct samples *samples;
	uint64_t size;
	struct reader leaves;
	struct reader hashes;
	uint32_t sample;
};

static void check_span(struct checker *c, struct span span, struct bytes32 *ret)
{
	struct bytes32 left, right;

	if (samples_in(c->samples, c->sample, span) == 0) {
		read_raw(&c->hashes, ret->b, sizeof(ret->b));
	} else if (span.n == 1) {
		struct bytes leaf = read_view(&c->leaves, leaf_size(c->size, span.first));

		tree_leaf_hash(leaf.data, leaf.len, ret);
		c->sample++;
	} else {
		check_span(c, span_left(span), &left);
		check_span(c, span_right(span), &right);
		tree_inner_hash(&left, &right, ret);
	}
}

static size_t sampled_bytes(uint64_t size, const struct samples *samples)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < samples->count; i++)
		sum += leaf_size(size, samples->leaf[i]);
	return sum;
}

enum err proof_check(const struct bytes32 *root, uint64_t size, const struct samples *samples, struct bytes proof,
		     uint64_t *ret_leaf_bytes)
{
	struct checker c = {.samples = samples, .size = size};
	struct bytes32 top, found;
	size_t leaf_bytes;

	if (samples_check(size, samples) != ERR_OK)
		return ERR_CORRUPT;
	leaf_bytes = sampled_bytes(size, samples);
	if (proof.len != proof_size(size, samples))
		return ERR_CORRUPT;
	reader_init(&c.hashes, proof);
	reader_init(&c.leaves, read_view(&c.hashes, leaf_bytes));
	check_span(&c, (struct span){0, tree_leaves(size)}, &top);
	if (reader_end(&c.leaves) != ERR_OK || reader_end(&c.hashes) != ERR_OK)
		return ERR_CORRUPT;
	tree_root_of_top(&top, size, &found);
	if (!bytes32_equal(&found, root))
		return ERR_CORRUPT;
	*ret_leaf_bytes = leaf_bytes;
	return ERR_OK;
}

/* Hashes that the walk of a span meets, `sample` being the first sample not before it. */
static uint32_t count_hashes(const struct samples *samples, uint32_t sample, struct span span)
{
	uint32_t inside = samples_in(samples, sample, span), left;

	if (inside == 0)
		return 1;
	if (span.n == 1)
		return 0;
	left = samples_in(samples, sample, span_left(span));
	return count_hashes(samples, sample, span_left(span)) + count_hashes(samples, sample + left, span_right(span));
}

size_t proof_size(uint64_t size, const struct samples *samples)
{
	uint32_t hashes;

	if (samples_check(size, samples) != ERR_OK)
		return 0;
	hashes = count_hashes(samples, 0, (struct span){0, tree_leaves(size)});
	return sampled_bytes(size, samples) + hashes * sizeof(struct bytes32);
}
