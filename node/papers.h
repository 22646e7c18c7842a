/*
 * What the satellites signed about this node's pay: prices, each day's usage with its rows, the pay stubs.
 *
 * Kept as they came, with their signatures, so that a dispute can be shown to anyone; nothing is kept that does not
 * check out. Unlike the ledger, which the store's log can fill again, this is evidence that a satellite in the wrong
 * would not give out twice: nothing in it is ever changed or deleted.
 *
 * An open one belongs to one thread at a time; several processes may each open it. Sizes are bytes, times Unix seconds,
 * days Unix seconds / 86400, periods YYYYMM.
 */
#ifndef GRANARY_NODE_PAPERS_H
#define GRANARY_NODE_PAPERS_H

#include "common/database.h"
#include "common/message.h"
#include "node/trust.h"
#include "payments/price.h"
#include "payments/statement.h"
#include "payments/usage.h"

#define PAPERS_FILE "papers.db" /* in the node's directory */
#define PAPERS_MESSAGE 256

struct papers;

/* Open or make DIR/PAPERS_FILE. A sentence goes to `why`. */
enum err papers_open(const char *dir, struct papers **ret, char why[PAPERS_MESSAGE]) WARN_UNUSED;
void papers_close(struct papers *papers);
/* What the database said about the last failure. */
const char *papers_message(const struct papers *papers);

/*
 * Keeping. Each checks what it is given, for `node`, before it keeps it: ERR_FORMAT for what does not parse,
 * ERR_SIGNATURE, ERR_DENIED when it speaks of another party, ERR_PROTOCOL when its parts contradict each other, with
 * a sentence in `why`. What is there already is fine; ERR_CONFLICT when it says something else than before.
 */
enum err papers_keep_price(struct papers *papers, const struct satellite *satellite, const struct address *party,
			   struct bytes signed_price, char why[PAPERS_MESSAGE]) WARN_UNUSED;
/* A day: its rows are those of payments/usage.h, all of them. It must go on where the day before ended. */
struct papers_day {
	struct bytes signed_usage;
	struct usage_carried carried; /* into it */
	struct bytes rows;
};
enum err papers_keep_usage(struct papers *papers, const struct satellite *satellite, const struct address *node,
			   uint32_t day, const struct papers_day *paper, char why[PAPERS_MESSAGE]) WARN_UNUSED;
/* Nothing is signed for that day: the node had and did nothing on it. ERR_PROTOCOL when it did, by the day before. */
enum err papers_skip_day(struct papers *papers, const struct satellite *satellite, uint32_t day,
			 char why[PAPERS_MESSAGE]) WARN_UNUSED;
enum err papers_keep_statement(struct papers *papers, const struct satellite *satellite, const struct address *node,
			       struct bytes signed_statement, struct bytes sheet, char why[PAPERS_MESSAGE]) WARN_UNUSED;

/*
 * What the node itself asks for its work: a Price of its own, which counts once the satellite has acknowledged it, and
 * stands among the prices from then on.
 */
enum ask_state {
	ASK_WAITING = 0, /* to be offered when the satellite is next spoken to */
	ASK_OFFERED = 1, /* without an answer yet: it may have been taken up */
	ASK_ACCEPTED = 2,
	ASK_REFUSED = 3,
};
struct papers_ask {
	struct price price;
	enum ask_state state;
	uint8_t wire[MESSAGE_SIGNED_MAX]; /* signed */
	size_t len;
	char why[PAPERS_MESSAGE]; /* it was refused */
};
/* Keep one that waits, in the place of one for the same day that was never offered, or was refused. ERR_FORMAT,
 * ERR_SIGNATURE unless `node` signed it; ERR_CONFLICT when another for that day was offered already; fine when it is
 * the same. */
enum err papers_keep_ask(struct papers *papers, const struct satellite *satellite, const struct address *node,
			 struct bytes signed_price, char why[PAPERS_MESSAGE]) WARN_UNUSED;
/* All of them, by their `from`. The caller frees *ret. */
enum err papers_asks(struct papers *papers, const struct address *satellite, struct papers_ask **ret,
		     size_t *ret_count) WARN_UNUSED;
/* An ask has come to another state; `why` when it was refused. */
enum err papers_move_ask(struct papers *papers, const struct address *satellite, const struct papers_ask *ask,
			 enum ask_state state, const char *why) WARN_UNUSED;

/*
 * Leaving a satellite in good order: what it said of that last, and its signed Exit.
 */
struct papers_exit {
	uint64_t told;	/* when it said so, Unix seconds */
	uint64_t asked; /* when the exit began */
	uint64_t ended; /* 0: under way */
	uint64_t pieces, left, moved, failed;
	char why[PAPERS_MESSAGE];	     /* it failed; "" otherwise */
	uint8_t receipt[MESSAGE_SIGNED_MAX]; /* the Exit; none: it is not complete */
	size_t receipt_len;
};
/* Keep it. A satellite that says it is complete must have signed that; an Exit is never replaced. ERR_PROTOCOL,
 * ERR_FORMAT, ERR_SIGNATURE, ERR_DENIED. */
enum err papers_keep_exit(struct papers *papers, const struct satellite *satellite, const struct address *node,
			  const struct papers_exit *exit, char why[PAPERS_MESSAGE]) WARN_UNUSED;
/* ERR_NOT_FOUND when the node never asked to leave. */
enum err papers_exit(struct papers *papers, const struct address *satellite, struct papers_exit *ret) WARN_UNUSED;

/* The day that comes next: the one after the last that was kept or skipped, or, at first, `first`, which is kept. */
enum err papers_next_day(struct papers *papers, const struct address *satellite, uint32_t first,
			 uint32_t *ret) WARN_UNUSED;
/* The same, but only looked at: days before it are known, signed or of nothing. 0 before it was ever asked for. */
enum err papers_known_until(struct papers *papers, const struct address *satellite, uint32_t *ret) WARN_UNUSED;
/* The last period of which there is a statement; 0: none. */
enum err papers_last_period(struct papers *papers, const struct address *satellite, uint32_t *ret) WARN_UNUSED;

/* What was fetched from a payout contract: noted by the node's own command, so that the owner sees it again. */
struct papers_claim {
	struct address satellite;
	char transaction[68]; /* its hash, 0x and 64 digits */
	uint64_t at;
	struct amount amount;
};
/* Fine when that transaction is known. */
enum err papers_keep_claim(struct papers *papers, const struct papers_claim *claim) WARN_UNUSED;

/*
 * Reading. An error ends a walk and is handed back. Views live until `each` returns.
 */
/* Prices of a party that hold at some time in [from, until), with this satellite, by their `from`. */
enum err papers_prices(struct papers *papers, const struct address *satellite, const struct address *party,
		       uint64_t from, uint64_t until,
		       enum err (*each)(void *arg, const struct price *price, struct bytes signed_price),
		       void *arg) WARN_UNUSED;
/* Days from `from` to before `until`. */
enum err papers_days(struct papers *papers, const struct address *satellite, uint32_t from, uint32_t until,
		     enum err (*each)(void *arg, const struct usage *usage, const struct papers_day *paper),
		     void *arg) WARN_UNUSED;
/* Statements of periods from `from` to `to`, both included; of all satellites that ever signed one when it is NULL. */
enum err papers_statements(struct papers *papers, const struct address *satellite, uint32_t from, uint32_t to,
			   enum err (*each)(void *arg, const struct statement *statement, struct bytes signed_statement,
					    struct bytes sheet),
			   void *arg) WARN_UNUSED;

enum err papers_claims(struct papers *papers, enum err (*each)(void *arg, const struct papers_claim *claim),
		       void *arg) WARN_UNUSED;

#endif
