/*
 * Watches the orders that wait to be settled: they are worth nothing once their deadline has passed, so their owner
 * must hear of it while there is time. The books look every few seconds; anyone may ask what they saw last.
 */
#ifndef GRANARY_NODE_OVERDUE_H
#define GRANARY_NODE_OVERDUE_H

#include "node/ledger.h"

#define OVERDUE_AFTER (2 * 3600)    /* seconds: settling every hour, as usual, has failed */
#define OVERDUE_LAPSING (12 * 3600) /* seconds before the deadline */

enum overdue_level {
	OVERDUE_NONE = 0,
	OVERDUE_WAITING,      /* for longer than OVERDUE_AFTER */
	OVERDUE_LAPSING_SOON, /* within OVERDUE_LAPSING an order's deadline passes, or has passed */
};
/* "waiting"; for JSON and logs. */
const char *overdue_name(enum overdue_level level);

struct overdue_state {
	enum overdue_level level;
	uint64_t since; /* when the one that has waited longest was given, Unix seconds; 0: none waits */
	uint64_t until; /* by when the next must be settled; 0: none waits */
};

/* What is to be said of it at `now`. Pure. */
struct overdue_state overdue_judge(const struct ledger_oldest *oldest, uint64_t now);

struct overdue;

struct overdue *overdue_new(void);
void overdue_free(struct overdue *overdue);
/* Take what the ledger has to say; logged when the level changes, and never again while it stays. */
void overdue_see(struct overdue *overdue, const struct ledger_oldest *oldest);
/* What was seen last; from any thread. */
struct overdue_state overdue_now(struct overdue *overdue);

#endif
