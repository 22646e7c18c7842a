/*
 * The piece tree: BLAKE2b-256 over 1 KiB leaves in the shape of RFC 6962, section 2.1.
 *
 *	leaf = H["granary.leaf"](data)	 inner = H["granary.node"](left ‖ right)
 *	root = H["granary.root"](u8 hash id ‖ u64 size ‖ top)
 *
 * A block of 32 leaves is a complete subtree, so a piece is its list of block hashes (at most 64), and everything
 * above them is cheap. The last leaf may be short; an empty piece is one empty leaf in one empty block. Pure,
 * streaming, constant memory.
 */
#ifndef GRANARY_AUDIT_TREE_H
#define GRANARY_AUDIT_TREE_H

#include "common/hash.h"

#define TREE_LEAF 1024
#define TREE_BLOCK 32768
#define TREE_BLOCK_LEAVES (TREE_BLOCK / TREE_LEAF)
#define TREE_BLOCKS 64
#define TREE_PIECE ((uint64_t)TREE_BLOCK * TREE_BLOCKS) /* most bytes of a piece: 2 MiB */
#define TREE_HASH_BLAKE2B 1				/* the hash id */

/* Leaves and blocks of a piece of `size` bytes; at least 1. */
uint32_t tree_leaves(uint64_t size);
uint32_t tree_blocks(uint64_t size);
/* Bytes of block i of such a piece. */
size_t tree_block_size(uint64_t size, uint32_t block);

void tree_leaf_hash(const void *data, size_t len, struct bytes32 *ret);
void tree_inner_hash(const struct bytes32 *left, const struct bytes32 *right, struct bytes32 *ret);
/* The subtree hash of one block of up to TREE_BLOCK bytes. */
void tree_block_hash(const void *data, size_t len, struct bytes32 *ret);
/* The same, keeping the leaf hashes: ret_leaves has room for TREE_BLOCK_LEAVES. */
void tree_block_leaves(const void *data, size_t len, struct bytes32 *ret_leaves);
/* RFC 6962 tree hash of n ≥ 1 subtree hashes. */
void tree_top(const struct bytes32 *hashes, uint32_t n, struct bytes32 *ret);
/* The root of a piece from its block hashes, of which there are tree_blocks(size). */
void tree_root(const struct bytes32 *blocks, uint64_t size, struct bytes32 *ret);

/* The same from the top of its tree: hash id, size and top, sealed. */
void tree_root_of_top(const struct bytes32 *top, uint64_t size, struct bytes32 *ret);

/* A piece on its way by: blocks are given whole and in order, only the last may be short. */
struct tree {
	struct bytes32 blocks[TREE_BLOCKS];
	uint32_t count;
	uint64_t size;
};
void tree_init(struct tree *tree);
/* ERR_RANGE for a block after a short one, longer than TREE_BLOCK, or past TREE_BLOCKS. Adding an empty block to an
 * empty piece changes nothing. */
enum err tree_add(struct tree *tree, const void *data, size_t len) WARN_UNUSED;
/* The same with the block's hash known already. */
enum err tree_add_hash(struct tree *tree, const struct bytes32 *block_hash, size_t len) WARN_UNUSED;
/* The root of what was added; nothing added is the empty piece. */
void tree_final(const struct tree *tree, struct bytes32 *ret);

#endif
