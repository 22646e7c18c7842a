/*
 * Upkeep: the slow work that a store does beside its customers, on one thread.
 *
 * Each kind of work is a job, a row of a table: expiry, trash, compaction, checkpoints, scrubbing. The thread gives
 * each job that is due one step in its turn, so no two jobs ever run at once, and none of them starves another. A step
 * is short: it does what fits into a budget of bytes, and keeps its place for the next one. After each step the thread
 * rests at least as long as the step took, so the disk is free at least half of the time. While customers come the
 * budget is a sixteenth and the rests are four times as long.
 *
 * Tests drive steps by hand (upkeep_step) in stores without the thread; both go through the same lock, which also
 * serves whoever must do a job's work at once in a thread of its own (upkeep_enter).
 */
#ifndef GRANARY_NODE_STORE_UPKEEP_H
#define GRANARY_NODE_STORE_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#define UPKEEP_BYTES (4u << 20)	 /* of a step while nobody waits */
#define UPKEEP_BUSY (256u << 10) /* … while customers come */

enum upkeep_turn {
	UPKEEP_REST, /* nothing more to do before the job's interval is over, or it is kicked */
	UPKEEP_MORE, /* there is more: another step as soon as the others had theirs */
};

struct upkeep_job {
	const char *name;
	uint64_t interval; /* seconds from one rest to the next round; the first round begins at once */
	/* One step. It should read and write no more than *budget bytes together, takes from it what it did (down to
	 * 0), and may pass it by one record. Called with the upkeep's lock and no other. */
	enum upkeep_turn (*step)(void *arg, uint64_t *budget);
};

struct upkeep;

/* The table ends with a row without a name; it and arg must outlive the upkeep. */
struct upkeep *upkeep_new(const struct upkeep_job *jobs, void *arg);
/* Run the jobs from a thread. */
void upkeep_start(struct upkeep *upkeep);
/* End the thread after the step under way. */
void upkeep_stop(struct upkeep *upkeep);
void upkeep_free(struct upkeep *upkeep);

/* A customer is being served. */
void upkeep_note_customer(struct upkeep *upkeep);
/* This job is due now. Does not wait. */
void upkeep_kick(struct upkeep *upkeep, const char *name);
/* One step of this job, or of each in turn when name is NULL, due or not, in the caller's thread. True when there is
 * more to do. Not from a step. */
bool upkeep_step(struct upkeep *upkeep, const char *name);
/* Between these no job runs. Not from a step. */
void upkeep_enter(struct upkeep *upkeep);
void upkeep_leave(struct upkeep *upkeep);

#endif
