/*
 * Forgetting a satellite: what would be lost by it, and giving back the room that its pieces take.
 *
 * The books stay: orders, prices, usages and statements are evidence, and a payout that was allotted can be claimed
 * later. What is lost is what the satellite would still have paid: orders that are not settled, the months that it has
 * not closed, what it held back, and what was too little to be paid out.
 */
#ifndef GRANARY_NODE_FORGET_H
#define GRANARY_NODE_FORGET_H

#include "node/ledger.h"
#include "node/papers.h"
#include "node/store/store.h"

/* What is at stake with one satellite. */
struct forget_stake {
	uint64_t orders;       /* not settled, … */
	uint64_t order_bytes;  /* … for so many bytes */
	struct amount unpaid;  /* earned in months without a statement, by our own books */
	struct amount held;    /* held back and not released */
	struct amount rolled;  /* by the last statement: too little to be paid */
	uint32_t months;       /* without a statement, in which anything was earned */
};

/* As of `now`; `node` is us. The database's errors; ERR_OVERFLOW when the numbers are absurd. */
enum err forget_weigh(struct ledger *ledger, struct papers *papers, const struct satellite *satellite,
		      const struct address *node, uint64_t now, struct forget_stake *ret) WARN_UNUSED;
/* Nothing is. */
bool forget_is_free(const struct forget_stake *stake);

/* Delete some thousands of a satellite's pieces, durably; *ret_more tells whether there may be more. Those in the trash
 * stay there. ERR_FULL, ERR_READ_ONLY. */
struct forgotten {
	uint64_t pieces;
	uint64_t bytes;
};
enum err forget_some(struct store *store, uint16_t satellite, struct forgotten *sum, bool *ret_more) WARN_UNUSED;
/* What the store holds of it, without the trash; walks over all pieces. ERR_IO. */
enum err forget_count(struct store *store, uint16_t satellite, struct forgotten *ret) WARN_UNUSED;

#endif
