/*
 * What a claim rests on: the pay stub that a satellite signed, and the payout tree that its contract was told.
 *
 * Both may come from anyone. The statement counts when a trusted satellite signed it, for this node, under the domain
 * to which that satellite is pinned; the tree counts when it gives the statement's payee exactly what the statement
 * says was ever allotted to it. A satellite that signs one thing and puts another into its tree is found out here.
 */
#ifndef GRANARY_NODE_CLAIM_PAPERS_H
#define GRANARY_NODE_CLAIM_PAPERS_H

#include "node/trust.h"
#include "payments/payout_tree.h"

#define CLAIM_MESSAGE 640

struct claim_papers {
	struct statement statement;
	struct domain domain; /* with the chain and the contract to claim from */
	struct payout_leaf leaf;
	struct bytes32 root;
	struct bytes32 proof[PAYOUT_PROOF_MOST];
	size_t proof_count;
};

/* Check a statement, signed under `domain` with `signature`, and keep both. ERR_DENIED: another node's, or of a
 * satellite that is not trusted; ERR_SIGNATURE; ERR_CONFLICT: the satellite is pinned to another domain; ERR_RANGE: its
 * domain has no contract. A sentence goes to `why`, as below. */
enum err claim_papers_take(struct trust *trust, const struct address *node, const struct statement *statement,
			   const struct domain *domain, const struct signature *signature, struct claim_papers *papers,
			   char why[CLAIM_MESSAGE]) WARN_UNUSED;
/* The same from a file: evidence of a Statement (doc/formats.md). ERR_FORMAT, ERR_NOT_FOUND and the like. */
enum err claim_papers_read_statement(struct trust *trust, const struct address *node, const char *path,
				     struct claim_papers *papers, char why[CLAIM_MESSAGE]) WARN_UNUSED;
/* The same from what the node keeps in DIR/papers.db: of that period, or with 0 the last. ERR_NOT_FOUND; ERR_USAGE when
 * several trusted satellites have one. */
enum err claim_papers_find_statement(struct trust *trust, const struct address *node, const char *dir, uint32_t period,
				     struct claim_papers *papers, char why[CLAIM_MESSAGE]) WARN_UNUSED;
/* Ask the satellite that signed the statement for the payee's place in the payout of its month. ERR_CONFLICT as below;
 * ERR_PROTOCOL when its proof proves nothing; errors of the conversation. */
enum err claim_papers_ask_payout(struct trust *trust, const struct key *key, struct claim_papers *papers,
				 char why[CLAIM_MESSAGE]) WARN_UNUSED;
/* Read the tree, an export of the satellite, and find the statement's leaf in it. ERR_CONFLICT when it has none, or
 * one that says otherwise. */
enum err claim_papers_read_tree(const char *path, struct claim_papers *papers, char why[CLAIM_MESSAGE]) WARN_UNUSED;

#endif
