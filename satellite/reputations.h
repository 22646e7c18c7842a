/*
 * How far each node is trusted: the reputation of audit/reputation.h, kept in a row, with its history.
 *
 * Audits, check-ins and the passing of time are observations. Each is weighed and kept in the transaction of what was
 * observed; when it changes the node's state, that is noted with its reason (a notice), and the node is told at its
 * next check-in. The table `reputations` has one row per node, from its first check-in on, so that others can join on
 * its state:
 *
 *			  may be given pieces	its pieces count as healthy	may be asked for pieces
 *	vetting, good	  yes			yes				yes
 *	exiting		  no			no: they move away		yes
 *	suspended	  no			no				yes
 *	offline		  no			no				yes, if it answers
 *	disqualified	  no			no				no
 *	exited		  no			no				no
 */
#ifndef GRANARY_SATELLITE_REPUTATIONS_H
#define GRANARY_SATELLITE_REPUTATIONS_H

#include "common/database.h"
#include "common/key.h"

/* The column `state`. */
enum node_state {
	STATE_GOOD = 1,
	STATE_VETTING = 2,   /* new: given some pieces, audited more often */
	STATE_SUSPENDED = 3, /* too many answers that prove nothing either way */
	STATE_OFFLINE = 4,   /* suspended for being away too much */
	STATE_DISQUALIFIED = 5,
	STATE_EXITING = 6,
	STATE_EXITED = 7,
};

/* "good"; for JSON and people. Never NULL. */
const char *node_state_name(enum node_state state);

/* The state of a node. ERR_NOT_FOUND for one that never checked in. */
enum err reputations_state(struct database *db, const struct address *node, enum node_state *ret) WARN_UNUSED;
/* Its row at its first check-in; fine when it has one. In a transaction. */
enum err reputations_add(struct database *db, const struct address *node, uint64_t now) WARN_UNUSED;

#endif
