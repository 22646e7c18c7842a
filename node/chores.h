/*
 * Long work on the store that its owner asks for: checking all of it, compacting it, taking pieces out of the trash,
 * deleting those of a satellite that is to be forgotten.
 *
 * A chore is one run of it, in a thread that may wait: in the daemon, asked over HTTP, one at a time; or in the command
 * itself while no daemon runs. What it tells is the same JSON either way (doc/formats.md, section 8).
 */
#ifndef GRANARY_NODE_CHORES_H
#define GRANARY_NODE_CHORES_H

#include <jansson.h>

#include "common/loop.h"
#include "node/store/store.h"

struct chore;

struct chore_options {
	const char *name; /* "check", "compact", "restore" or "forget" */
	uint64_t rate;	  /* check: bytes per second, at most; 0: no limit */
	unsigned least;	  /* compact: percent of a segment that must be dead; 0: as the store does by itself */
	uint64_t within;  /* restore: what went to the trash in the last so many seconds */
	struct address satellite; /* forget: whose pieces */
	bool shared;	  /* beside customers: rests as long as it worked, and takes no sums, which change meanwhile */
};

/* NULL when there is no chore of that name. The store outlives it. */
struct chore *chore_new(struct store *store, const struct chore_options *options);
void chore_free(struct chore *chore);
/* Do all of it; arg is the chore. */
void chore_run(void *arg);
/* From any thread: */
void chore_stop(struct chore *chore);						   /* soon, with what was done */
void chore_progress(struct chore *chore, uint64_t *ret_done, uint64_t *ret_total); /* bytes */
bool chore_is_over(struct chore *chore);
json_t *chore_json(struct chore *chore); /* the caller owns it */

/* The chores of a daemon. Belongs to its loop. */
struct chores;
struct chores *chores_new(struct loop *loop, struct store *store);
/* Stop what is under way, and wait for it. */
void chores_free(struct chores *chores);
/* Start one. Fine when one of that name is under way already; ERR_BUSY when another is, ERR_NOT_FOUND. */
enum err chores_start(struct chores *chores, const struct chore_options *options) WARN_UNUSED;
void chores_stop(struct chores *chores);
/* The one under way, or the last; its state is "none" when there was none yet. */
json_t *chores_json(struct chores *chores);

#endif
