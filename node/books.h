/*
 * The thread that keeps the books: it fills the ledger behind the transfers, settles, and has the clerk fetch what the
 * satellites signed about this node's pay, every hour and on demand.
 *
 * Its functions are called in the daemon's loop; the ledger itself is touched by the books' one thread only.
 */
#ifndef GRANARY_NODE_BOOKS_H
#define GRANARY_NODE_BOOKS_H

#include "node/clerk.h"
#include "node/earnings_report.h"
#include "node/holdings.h"
#include "node/overdue.h"
#include "node/parts.h"
#include "node/settler.h"

struct books;

/* Open DIR/ledger.db and DIR/papers.db and begin. A sentence goes to `why`. */
enum err books_open(struct loop *loop, const char *dir, const struct parts *parts, struct books **ret,
		    char why[LEDGER_MESSAGE]) WARN_UNUSED;
/* How often to settle, seconds; 0: on demand only. */
void books_set_interval(struct books *books, uint64_t seconds);
/* Wait for what is under way, which ends at the next claim, and close. What is under way still calls its `done`, from
 * loop_free at the latest. */
void books_close(struct books *books);

struct ledger *books_ledger(struct books *books);
/* Of the orders that wait, as of some seconds ago. */
struct overdue_state books_overdue(struct books *books);
/* The ledger could not be filled the last time. */
bool books_behind(struct books *books);
/* How what this satellite counts compares with the store, as of its last signed usage; false when that is not known. */
bool books_holdings(struct books *books, const struct address *satellite, struct holdings *ret);

/* What came of it with one satellite. */
struct books_outcome {
	struct settle_outcome orders;
	struct clerk_outcome papers;
};

/* Settle with all trusted satellites now and fetch their papers; done(outcomes, count, arg) in the daemon's loop. */
typedef void books_settled(const struct books_outcome *outcomes, size_t count, void *arg);
void books_settle(struct books *books, books_settled *done, void *arg);

/* Work out the earnings of the periods from `from` (0: from the first with anything) to `to`; done(report, arg) in the
 * daemon's loop with a reference that is the callee's, NULL when the books could not be read. */
typedef void books_reported(json_t *report, void *arg);
void books_report(struct books *books, uint32_t from, uint32_t to, books_reported *done, void *arg);

#endif
