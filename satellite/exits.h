/*
 * Nodes that leave in good order.
 *
 *	EXIT → EXIT_STATE
 *
 * A node that asks gets no new pieces from then on; repair moves those that it has, read from the node itself, to
 * others, while it stays online. When nothing is left, the satellite signs an Exit, and what was held back of the
 * node's pay is released with the month (STANDING_EXITED). It fails, and is as a disqualification, when more pieces
 *than allowed had to be made from others or were lost, or when the node is away for EXITS_AWAY.
 */
#ifndef GRANARY_SATELLITE_EXITS_H
#define GRANARY_SATELLITE_EXITS_H

#include "satellite/desk.h"

#define EXITS_AWAY (7 * 86400) /* seconds */

/* EXIT. Refused with EXIT_AGE before the node is settings->exit_age old, EXIT_CLOSED when it is disqualified or
 * an operator said that it has left. */
enum err exits_answer(struct work *work) WARN_UNUSED;

/* A piece of a leaving node is somewhere else now: it was moved, or had to be made from others. Nothing happens for a
 * node that does not leave. Inside a transaction. */
enum err exits_count(struct database *db, const struct address *node, bool moved) WARN_UNUSED;

/* Complete, or fail, the exits that are over. Transactions of its own. */
enum err exits_conclude(struct desk *desk, bool *ret_more) WARN_UNUSED;

struct exit_row {
	struct address node;
	uint64_t asked, pieces, bytes, moved, failed, ended, left;
	const char *why; /* it failed; dies with the call */
};
/* All exits, the latest first. The database must not be used inside. */
enum err exits_each(struct database *db, enum err (*each)(const struct exit_row *row, void *arg),
		    void *arg) WARN_UNUSED;

#endif
