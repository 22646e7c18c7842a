/* Further questions to the ledger, about single orders: how old those are that wait, and why others were refused. */
#ifndef GRANARY_NODE_LEDGER_ORDERS_H
#define GRANARY_NODE_LEDGER_ORDERS_H

#include "node/ledger.h"

/* Unsettled orders of one hour, in which they were given. */
struct ledger_waiting {
	struct address satellite;
	uint64_t since; /* start of the hour, Unix seconds */
	uint64_t orders;
	uint64_t bytes;
};
/* By satellite and hour, oldest first. An error ends the walk and is handed back. */
enum err ledger_each_waiting(struct ledger *ledger, enum err (*each)(void *arg, const struct ledger_waiting *waiting),
			     void *arg) WARN_UNUSED;

struct ledger_rejected {
	struct address satellite;
	struct bytes32 allocation; /* struct hash */
	enum action action;
	uint64_t amount;
	uint64_t at;
	enum refusal code;
};
/* The last `most` rejected ones, newest first. */
enum err ledger_each_rejected(struct ledger *ledger, uint32_t most,
			      enum err (*each)(void *arg, const struct ledger_rejected *order), void *arg) WARN_UNUSED;

/* When anything was last settled with this satellite, Unix seconds; 0: never. */
enum err ledger_last_settled(struct ledger *ledger, const struct address *satellite, uint64_t *ret) WARN_UNUSED;

#endif
