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

#include "audit/reputation.h"
#include "common/database.h"
#include "common/key.h"

/* The column `state`. The first five are those of enum reputation_state. */
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

/* All that is known of a node. */
struct reputed {
	struct reputation model;
	enum node_state state;
	uint64_t since;
	char reason[REPUTATION_TEXT];
	uint64_t loss_period; /* YYYYMM of its last report of losses, and pieces that it reported in that month */
	uint64_t loss_pieces;
};
enum err reputations_read(struct database *db, const struct reputation_rules *rules, const struct address *node,
			  struct reputed *ret) WARN_UNUSED;

/* Who was observed, and when. */
struct sighting {
	const struct reputation_rules *rules;
	const struct address *node;
	uint64_t now;
	const struct bytes32 *challenge; /* hash of the audit; NULL: it was none */
};
/* What it changed. */
struct state_change {
	enum node_state from, to;
	char why[REPUTATION_TEXT];
};

/* Weigh what was observed and keep what follows, a notice included when the state changes; inside the transaction that
 * keeps what was observed. A node that is exiting stays so unless it is disqualified; disqualified and exited are for
 * good. When it can be proven that the node lost pieces, what is held back of its pay is forfeited with it
 * (satellite/standings.h). */
enum err reputations_note_audit(struct database *db, const struct sighting *sighting,
				const struct reputation_verdicts *verdicts, struct state_change *ret) WARN_UNUSED;
enum err reputations_note_online(struct database *db, const struct sighting *sighting, bool online,
				 struct state_change *ret) WARN_UNUSED;
/* The node reported so many pieces, and held `held` before. */
enum err reputations_note_losses(struct database *db, const struct sighting *sighting, uint64_t lost, uint64_t held,
				 struct state_change *ret) WARN_UNUSED;
/* Nothing happened but that time passed. */
enum err reputations_note_time(struct database *db, const struct sighting *sighting,
			       struct state_change *ret) WARN_UNUSED;
/* Somebody decided it: an operator, or the end of an exit. In a transaction. */
enum err reputations_set_state(struct database *db, const struct address *node, enum node_state state, uint64_t now,
			       const char *why) WARN_UNUSED;
/* One line in the log, when it is a change. */
void reputations_log(const struct address *node, const struct state_change *change);

/* Nodes that nobody has looked at for a while. ERR_NOT_FOUND: none. */
enum err reputations_due(struct database *db, uint64_t now, struct address *ret) WARN_UNUSED;
/* Look again at `due`. In a transaction. */
enum err reputations_set_due(struct database *db, const struct address *node, uint64_t due) WARN_UNUSED;

#endif
