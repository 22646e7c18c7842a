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
/* Read --period into *ret_period, or take `fallback` when it was not given (0: it must be), then open the books. */
enum err opened_begin(struct opened *opened, struct options *options, uint32_t fallback,
		      uint32_t *ret_period) WARN_UNUSED;
/* After a failure: `sentence` when it is a refusal (ERR_CANCELLED), else what went wrong. */
void opened_explain(struct opened *opened, enum err err, const char *sentence);
/* Close, and complain when err is a failure. Returns the exit status. */
int opened_end(struct opened *opened, enum err err);

/* The one node that --node names, which must be known. ERR_USAGE, ERR_NOT_FOUND; opened->why says which. */
enum err opened_node(struct opened *opened, const struct options *options, struct address *ret) WARN_UNUSED;

#endif
