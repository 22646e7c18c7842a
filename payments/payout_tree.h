/*
 * The payout of a month as one Merkle tree: OpenZeppelin's StandardMerkleTree over (address payee, uint256 cumulative),
 * one leaf per payee with all that this satellite ever allotted it. Its root is what the contract is told; each payee
 * claims with a proof. Pure.
 *
 * leaf = keccak256(keccak256(abi.encode(payee, cumulative))), inner = keccak256(smaller ‖ larger). The n leaves,
 * sorted ascending, fill the tail of an array of 2n - 1 from its end backwards; entry i is the parent of 2i + 1 and
 * 2i + 2, the root is entry 0. Written as that library's JSON, format "standard-v1", which it loads and checks.
 */
#ifndef GRANARY_PAYMENTS_PAYOUT_TREE_H
#define GRANARY_PAYMENTS_PAYOUT_TREE_H

#include "common/key.h"

#define PAYOUT_TREE_MOST (1u << 24) /* payees */
#define PAYOUT_PROOF_MOST 32	    /* hashes of a proof that is looked at; a tree of the most payees needs 24 */

struct payout_leaf {
	struct address payee;
	struct bytes32 cumulative; /* uint256, base units */
};

struct payout_tree;

/* Build it over `count` leaves, sorted by payee, each once; they are copied. ERR_RANGE when there are none or more than
 * PAYOUT_TREE_MOST, ERR_FORMAT when out of order or repeated. */
enum err payout_tree_build(const struct payout_leaf *leaves, size_t count, struct payout_tree **ret) WARN_UNUSED;
void payout_tree_free(struct payout_tree *tree);

const struct bytes32 *payout_tree_root(const struct payout_tree *tree);
size_t payout_tree_count(const struct payout_tree *tree);
/* The i-th leaf in the order of payees. */
const struct payout_leaf *payout_tree_leaf(const struct payout_tree *tree, size_t i);
/* Its number; ERR_NOT_FOUND. */
enum err payout_tree_find(const struct payout_tree *tree, const struct address *payee, size_t *ret) WARN_UNUSED;
/* Leaf i's proof, nearest sibling first; returns how many hashes. */
size_t payout_tree_proof(const struct payout_tree *tree, size_t i, struct bytes32 proof[PAYOUT_PROOF_MOST]);

/* The leaf's hash as the contract makes it. */
void payout_leaf_hash(const struct payout_leaf *leaf, struct bytes32 *ret);
/* Whether the proof leads from the leaf to the root. */
bool payout_proof_holds(const struct bytes32 *root, const struct payout_leaf *leaf, const struct bytes32 *proof,
			size_t count);

/* Where the text goes, in pieces; an error ends the writing and is handed back. */
typedef enum err payout_write_fn(void *arg, const char *text, size_t len);
/* The nodes under leaf i, named in its "nodes", which OpenZeppelin's library passes over: sets *ret to `count`
 * addresses that stay until the next call. */
typedef enum err payout_nodes_fn(void *arg, size_t i, const struct address **ret, size_t *ret_count);
struct payout_sink {
	payout_write_fn *write;
	payout_nodes_fn *nodes; /* NULL: none are named */
	void *arg;
};
/* The JSON, without line breaks, as that library would write it. */
enum err payout_tree_dump(const struct payout_tree *tree, const struct payout_sink *sink) WARN_UNUSED;

/* What can be said to a person about a file that is no tree. */
#define PAYOUT_WHY 160
/* Read such JSON, from anyone, and build the tree again from its values: ERR_FORMAT, with a sentence in `why`, unless
 * every hash and place in it is as it must be. Leaves may come in any order; unknown members are passed over. */
enum err payout_tree_load(struct bytes json, struct payout_tree **ret, char why[PAYOUT_WHY]) WARN_UNUSED;

#endif
