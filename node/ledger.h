/*
 * The node's book of orders: what clients ordered, what its satellites made of it, and why they refused what they did.
 *
 * Filled from the store's transfer log, which is what is durable when an order is acknowledged; so this database can
 * be lost without losing money: it is filled again, and orders settled before are settled again to the same verdict.
 * Kept beside each order are both signed things, so a dispute can be shown to anyone.
 *
 * Belongs to one thread at a time (the pool "books", of one thread), but for ledger_totals.
 */
#ifndef GRANARY_NODE_LEDGER_H
#define GRANARY_NODE_LEDGER_H

#include "node/store/store.h"
#include "node/takings.h"
#include "payments/settlement.h"

#define LEDGER_MESSAGE 256

enum ledger_state {
	LEDGER_UNSETTLED = 1,
	LEDGER_SETTLED = 2,
	LEDGER_REJECTED = 3,
};
#define LEDGER_STATES 4

struct ledger;

/* Open or make the database. ERR_CORRUPT, ERR_IO and so on; a sentence goes to `why`. */
enum err ledger_open(const char *path, struct ledger **ret, char why[LEDGER_MESSAGE]) WARN_UNUSED;
void ledger_close(struct ledger *ledger);
/* What the database said about the last failure. */
const char *ledger_message(const struct ledger *ledger);

/* One order, as it stands in the log: new, or higher than the one known. Equal and lower ones change nothing, neither
 * do entries without an order. */
enum err ledger_add(struct ledger *ledger, const struct store_transfer *transfer) WARN_UNUSED;
/* Take over all that the store's log has beyond what was taken over before. */
enum err ledger_fill(struct ledger *ledger, struct store *store) WARN_UNUSED;
/* Up to which of the log's sequence numbers everything was taken over. */
uint64_t ledger_sequence(const struct ledger *ledger);

/* Orders of one satellite and hour that go into one settlement, sorted by the orders' struct hashes. */
struct claim_order {
	struct bytes32 allocation; /* struct hash */
	struct bytes32 hash;	   /* of the order */
	uint64_t amount;
	struct bytes allocation_signed; /* wire form */
	struct bytes order_signed;
};

struct claim {
	struct address satellite;
	uint64_t hour; /* of the serials */
	struct claim_order *orders;
	uint32_t count;
};

/* The least hour from `from` on in which the satellite has unsettled orders. ERR_NOT_FOUND when there is none. */
enum err ledger_next_hour(struct ledger *ledger, const struct address *satellite, uint64_t from,
			  uint64_t *ret) WARN_UNUSED;
/* Up to `most` of that hour's unsettled orders, those with the least hashes. The caller frees it. */
enum err ledger_claim(struct ledger *ledger, const struct address *satellite, uint64_t hour, uint32_t most,
		      struct claim **ret) WARN_UNUSED;
void claim_free(struct claim *claim);

/* What the satellite made of one order of a claim. */
struct ledger_verdict {
	enum verdict verdict;
	enum refusal code; /* when rejected */
	uint64_t bytes;	   /* counted in all */
};

/* Keep a settlement: one verdict per order of the claim, and both sides' signed statements in wire form. An order
 * that was topped by a higher one meanwhile stays unsettled. */
enum err ledger_settle(struct ledger *ledger, const struct claim *claim, const struct ledger_verdict *verdicts,
		       struct bytes settlement, struct bytes settled) WARN_UNUSED;

struct ledger_totals {
	uint64_t orders[LEDGER_STATES]; /* by enum ledger_state */
	uint64_t bytes[LEDGER_STATES];	/* ordered; for settled ones, what the satellite counted */
};
/* Of one satellite, or of all: NULL. As of the last change; from any thread. */
void ledger_totals(struct ledger *ledger, const struct address *satellite, struct ledger_totals *ret);

/* What was done on a day (Unix seconds / 86400): bytes that the satellite counted when it settled them, or proved to
 * it. */
struct ledger_count {
	uint32_t day;
	enum action action;
	uint64_t bytes;
	uint64_t number; /* of orders, or of audits that were answered */
};
/* Audits were answered on a day, with so many bytes of leaves. */
enum err ledger_note_audits(struct ledger *ledger, const struct taking *taking) WARN_UNUSED;
/* Days from `from` to before `until`, in order. An error ends the walk and is handed back. */
enum err ledger_counts(struct ledger *ledger, const struct address *satellite, uint32_t from, uint32_t until,
		       enum err (*each)(void *arg, const struct ledger_count *count), void *arg) WARN_UNUSED;

/* What can be shown to others, of one satellite: what was settled in [from, until), Unix seconds, and what was ordered
 * then and is not settled yet. Wire forms; views live until `each` returns. An error ends the walk and is handed back.
 */
struct ledger_settlement {
	struct bytes settlement;
	struct bytes settled;
	struct bytes orders; /* rows that the settlement was signed over (doc/formats.md); empty: not kept */
	struct bytes verdicts;
};
enum err ledger_settlements(struct ledger *ledger, const struct address *satellite, uint64_t from, uint64_t until,
			    enum err (*each)(void *arg, const struct ledger_settlement *settlement),
			    void *arg) WARN_UNUSED;
/* An order, and of an upload what its receipt said, if that is known. */
struct ledger_order {
	struct bytes allocation, order;
	bool is_stored;
	struct bytes32 root;
	uint64_t size;
	uint64_t stored_at;
};
enum err ledger_orders(struct ledger *ledger, const struct address *satellite, uint64_t from, uint64_t until,
		       enum err (*each)(void *arg, const struct ledger_order *order), void *arg) WARN_UNUSED;

/* The unsettled order that has waited longest, and the one whose deadline is next; zeros when there is none. */
struct ledger_oldest {
	uint64_t at;   /* when it was given, Unix seconds */
	uint64_t hour; /* of its serial: it lapses RULES_GRACE after its allocation's expiry in that hour */
};
enum err ledger_oldest(struct ledger *ledger, struct ledger_oldest *ret) WARN_UNUSED;

#endif
