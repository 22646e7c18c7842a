/*
 * The thread that keeps the books: it fills the ledger behind the transfers and settles, every hour and on demand.
 *
 * Its functions are called in the daemon's loop; the ledger itself is touched by the books' one thread only.
 */
#ifndef GRANARY_NODE_BOOKS_H
#define GRANARY_NODE_BOOKS_H

#include "node/parts.h"
#include "node/settler.h"

struct books;

/* Open DIR/ledger.db and begin. A sentence goes to `why`. */
enum err books_open(struct loop *loop, const char *dir, const struct parts *parts, struct books **ret,
		    char why[LEDGER_MESSAGE]) WARN_UNUSED;
/* How often to settle, seconds; 0: on demand only. */
void books_set_interval(struct books *books, uint64_t seconds);
/* Wait for what is under way, which ends at the next claim, and close. What is under way still calls its `done`, from
 * loop_free at the latest. */
void books_close(struct books *books);

struct ledger *books_ledger(struct books *books);

/* Settle with all trusted satellites now; done(outcomes, count, arg) in the daemon's loop. */
typedef void books_settled(const struct settle_outcome *outcomes, size_t count, void *arg);
void books_settle(struct books *books, books_settled *done, void *arg);

#endif
