/*
 * Payouts: the tree over all that payees were ever allotted, up to a closed month, and what of it the chain was told.
 *
 * A root covers every month up to its own, so recording one marks all that were allotted until then as paid.
 */
#ifndef GRANARY_SATELLITE_PAYOUTS_H
#define GRANARY_SATELLITE_PAYOUTS_H

#include "payments/payout_tree.h"
#include "satellite/desk.h"

#define PAYOUTS_WHY 200

struct payout {
	uint32_t period;
	struct payout_tree *tree;
	uint64_t total;		    /* of all leaves, base units */
	uint64_t transaction_at;    /* when it was recorded; 0: not yet */
	struct bytes32 transaction; /* on the chain */
};

/* The tree of a closed month. ERR_CANCELLED with a sentence in `why` when it is not closed or nothing was ever
 * allotted. Within a view or transaction. */
enum err payouts_build(struct database *db, uint32_t period, struct payout *ret, char why[PAYOUTS_WHY]) WARN_UNUSED;
void payouts_free(struct payout *payout);
/* How many payees that tree has, or would have: cheaper than building it. */
enum err payouts_count(struct database *db, uint32_t period, uint64_t *ret) WARN_UNUSED;
/* The nodes paid through a payee up to a month, by address. The caller frees *ret. */
enum err payouts_nodes(struct database *db, uint32_t period, const struct address *payee, struct address **ret,
		       size_t *ret_count) WARN_UNUSED;

/* The JSON of payouts_build's tree, naming the nodes under each leaf; one consistent view. Errors of `write` too. */
enum err payouts_export(struct desk *desk, uint32_t period, payout_write_fn *write, void *arg,
			char why[PAYOUTS_WHY]) WARN_UNUSED;
/* Note the transaction that brought the root of a month to the chain: what was allotted until then is paid. Sets
 * *ret_nodes statements, *ret_amount base units that this marked. ERR_CANCELLED with a sentence: not closed, nothing
 * allotted, or it or a later month was recorded before; the same transaction again is fine and marks nothing. */
enum err payouts_record(struct desk *desk, uint32_t period, const struct bytes32 *transaction, uint64_t now,
			uint64_t *ret_nodes, uint64_t *ret_amount, char why[PAYOUTS_WHY]) WARN_UNUSED;

#endif
