/*
 * The piece tree over libsodium's BLAKE2b.
 *
 * Every byte that is stored or read passes here, so the start states of the two common hashes (parameter block mixed
 * in, nothing hashed) are made once, before main runs, and copied for each leaf and inner node. They never change
 * afterwards, so all threads share them.
 */
#include "audit/tree.h"

#include <assert.h>
#include <string.h>

static struct hash leaf_start, node_start;

__attribute__((constructor)) static void make_start_states(void)
{
	/* Chooses libsodium's fastest BLAKE2b for this machine; harmless when done already. */
	if (sodium_init() < 0)
		abort();
	hash_init(&leaf_start, "granary.leaf");
	hash_init(&node_start, "granary.node");
}

uint32_t tree_leaves(uint64_t size)
{
	return size == 0 ? 1 : (uint32_t)((size + TREE_LEAF - 1) / TREE_LEAF);
}

uint32_t tree_blocks(uint64_t size)
{
	return size == 0 ? 1 : (uint32_t)((size + TREE_BLOCK - 1) / TREE_BLOCK);
}

size_t tree_block_size(uint64_t size, uint32_t block)
{
	uint64_t start = (uint64_t)block * TREE_BLOCK;

	if (start >= size)
		return 0;
	return size - start < TREE_BLOCK ? (size_t)(size - start) : TREE_BLOCK;
}

void tree_leaf_hash(const void *data, size_t len, struct bytes32 *ret)
{
	struct hash h = leaf_start;

	hash_update(&h, data, len);
	hash_final(&h, ret);
}

void tree_inner_hash(const struct bytes32 *left, const struct bytes32 *right, struct bytes32 *ret)
{
	struct hash h = node_start;

	hash_update(&h, left->b, sizeof(left->b));
	hash_update(&h, right->b, sizeof(right->b));
	hash_final(&h, ret);
}

void tree_block_leaves(const void *data, size_t len, struct bytes32 *ret_leaves)
{
	const uint8_t *at = data;

	assert(len <= TREE_BLOCK);
	for (; len > TREE_LEAF; at += TREE_LEAF, len -= TREE_LEAF)
		tree_leaf_hash(at, TREE_LEAF, ret_leaves++);
	tree_leaf_hash(at, len, ret_leaves);
}

void tree_block_hash(const void *data, size_t len, struct bytes32 *ret)
{
	struct bytes32 leaves[TREE_BLOCK_LEAVES];

	tree_block_leaves(data, len, leaves);
	tree_top(leaves, tree_leaves(len), ret);
}

/* RFC 6962 splits at the largest power of two below n, which is what adding one hash after the other gives: after i
 * of them, the stack holds one complete subtree for each one bit of i; what is left at the end joins from the
 * right. */
void tree_top(const struct bytes32 *hashes, uint32_t n, struct bytes32 *ret)
{
	struct bytes32 stack[32];
	uint32_t depth = 0;

	assert(n > 0);
	for (uint32_t i = 0; i < n; i++) {
		stack[depth++] = hashes[i];
		for (uint32_t joined = i; (joined & 1) != 0; joined >>= 1, depth--)
			tree_inner_hash(&stack[depth - 2], &stack[depth - 1], &stack[depth - 2]);
	}
	for (; depth > 1; depth--)
		tree_inner_hash(&stack[depth - 2], &stack[depth - 1], &stack[depth - 2]);
	*ret = stack[0];
}

void tree_root_of_top(const struct bytes32 *top, uint64_t size, struct bytes32 *ret)
{
	uint8_t head[1 + 8] = {TREE_HASH_BLAKE2B};
	struct hash h;

	put_be64(head + 1, size);
	hash_init(&h, "granary.root");
	hash_update(&h, head, sizeof(head));
	hash_update(&h, top->b, sizeof(top->b));
	hash_final(&h, ret);
}

void tree_root(const struct bytes32 *blocks, uint64_t size, struct bytes32 *ret)
{
	struct bytes32 top;

	tree_top(blocks, tree_blocks(size), &top);
	tree_root_of_top(&top, size, ret);
}

void tree_init(struct tree *tree)
{
	tree->count = 0;
	tree->size = 0;
}

enum err tree_add_hash(struct tree *tree, const struct bytes32 *block_hash, size_t len)
{
	if (tree->size != (uint64_t)tree->count * TREE_BLOCK)
		return ERR_RANGE; /* the block before was short */
	if (len > TREE_BLOCK || tree->count == TREE_BLOCKS || (len == 0 && tree->count > 0))
		return ERR_RANGE;
	if (len > 0) {
		tree->blocks[tree->count++] = *block_hash;
		tree->size += len;
	}
	return ERR_OK;
}

enum err tree_add(struct tree *tree, const void *data, size_t len)
{
	struct bytes32 hash;

	if (len > TREE_BLOCK)
		return ERR_RANGE;
	tree_block_hash(data, len, &hash);
	return tree_add_hash(tree, &hash, len);
}

void tree_final(const struct tree *tree, struct bytes32 *ret)
{
	struct bytes32 empty;

	if (tree->count > 0) {
		tree_root(tree->blocks, tree->size, ret);
		return;
	}
	tree_block_hash(NULL, 0, &empty);
	tree_root(&empty, 0, ret);
}
