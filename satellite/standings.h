/*
 * What decides about the pay that was held back: that a node was disqualified, is leaving, has gone in good order. Each
 * happens once and is kept. How far a node is trusted otherwise is kept elsewhere (satellite/reputations.h); one that
 * is disqualified for what nobody can prove has no such standing, and forfeits nothing.
 */
#ifndef GRANARY_SATELLITE_STANDINGS_H
#define GRANARY_SATELLITE_STANDINGS_H

#include "common/database.h"
#include "payments/held.h"

enum standing_state {
	STANDING_DISQUALIFIED = 1, /* what was held back is forfeited */
	STANDING_EXITING = 2,
	STANDING_EXITED = 3, /* what was held back is released */
};

/* Note what became of a node at `at`, Unix seconds, in its reputation too; inside a transaction. ERR_EXISTS: that it
 * did before; ERR_CONFLICT: a disqualified node does not leave in good order, and one that left so is not disqualified.
 */
enum err standings_note(struct database *db, const struct address *node, enum standing_state state, uint64_t at,
			const char *note) WARN_UNUSED;
/* Sets the three times, 0 for what did not happen. */
enum err standings_read(struct database *db, const struct address *node, struct standing *ret) WARN_UNUSED;

#endif
