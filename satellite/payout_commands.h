/* What the commands about money have in common: reading the month that is meant, and opening the books. */
#ifndef GRANARY_SATELLITE_PAYOUT_COMMANDS_H
#define GRANARY_SATELLITE_PAYOUT_COMMANDS_H

#include "payments/tally.h"
#include "satellite/commands.h"

/* A command at work. */
struct opened {
	struct settings settings;
	struct desk *desk;
	struct key *key;
	char why[COMMANDS_WHY];
};
/* Read --period, when the command has one (ret_period is not NULL), and open the books. Without it the month is 0. */
enum err opened_begin(struct opened *opened, struct options *options, uint32_t *ret_period) WARN_UNUSED;
/* ERR_USAGE when a period is 0. */
enum err opened_require_period(struct opened *opened, uint32_t period) WARN_UNUSED;
/* After a failure: `sentence` when it is a refusal (ERR_CANCELLED), else what went wrong. */
void opened_explain(struct opened *opened, enum err err, const char *sentence);
/* Close, and complain when err is a failure. Returns the exit status. */
int opened_end(struct opened *opened, enum err err);

/* The one node that --node names, which must be known. ERR_USAGE, ERR_NOT_FOUND; opened->why says which. */
enum err opened_node(struct opened *opened, const struct options *options, struct address *ret) WARN_UNUSED;

#endif
