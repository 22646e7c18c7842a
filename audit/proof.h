/*
 * Proofs that data belongs to a piece: the path of one block, for reads, and a deduplicated multi-proof of sampled
 * leaves, for audits. Checking needs the root, the size and nothing else. Pure.
 */
#ifndef GRANARY_AUDIT_PROOF_H
#define GRANARY_AUDIT_PROOF_H

#include "audit/tree.h"

#define PROOF_PATH 6	 /* most siblings of a block among TREE_BLOCKS */
#define PROOF_SAMPLES 32 /* most leaves that one challenge asks of a piece */

/* The siblings of block `block` among the piece's block hashes, nearest first; their number is returned. */
uint32_t proof_path(const struct bytes32 *blocks, uint64_t size, uint32_t block, struct bytes32 ret_path[PROOF_PATH]);
/* ERR_OK when this block data and this path (whole hashes, nearest first) lead to the root; ERR_CORRUPT; ERR_RANGE
 * for a block number or length that the size does not allow, or a path of the wrong length. */
enum err proof_check_block(const struct bytes32 *root, uint64_t size, uint32_t block, struct bytes data,
			   struct bytes path) WARN_UNUSED;

/* Leaf numbers of an audit: sorted, distinct. */
struct samples {
	uint32_t leaf[PROOF_SAMPLES];
	uint32_t count;
};

/* Where a prover gets a block's bytes: fill `out` (TREE_BLOCK bytes) with block `block`, its length to *ret_len. */
typedef enum err proof_read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len);

/* Write the proof for these leaves: each leaf's bytes in order, then the hashes that a verifier cannot compute, in
 * the order in which it needs them (doc/formats.md). One read per block that holds a sampled leaf, checked against
 * `blocks`. ERR_RANGE for samples that are not sorted, distinct leaves of such a piece; ERR_CORRUPT when what was read
 * is not what was stored; what `read` and the writer report. */
enum err proof_make(const struct bytes32 *blocks, uint64_t size, const struct samples *samples, proof_read_block *read,
		    void *arg, struct writer *w) WARN_UNUSED;
/* ERR_OK when the proof shows exactly these leaves under this root; ERR_CORRUPT for anything else, a hash or a byte
 * too many included. *ret_leaf_bytes: of the leaves alone. */
enum err proof_check(const struct bytes32 *root, uint64_t size, const struct samples *samples, struct bytes proof,
		     uint64_t *ret_leaf_bytes) WARN_UNUSED;
/* The exact length of a proof of `samples`; 0 when they are not leaves of such a piece. */
size_t proof_size(uint64_t size, const struct samples *samples);

#endif
