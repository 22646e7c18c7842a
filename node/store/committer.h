/*
 * Group commit: what is written is made durable, then answered.
 *
 * Whoever has written a record, or has a small one ready to be written, adds a commit. The committer takes all there
 * are, writes the small ones, syncs each segment among them once, then settles each commit in the order in which it was
 * added. Meanwhile the next group gathers; it is synced while this one is settled, so that the disk does not wait for
 * the processor. There is no timer: a lone writer waits for one sync, a hundred writers share one. Commits that are in
 * no hurry (transfers of reads, which must not cost a sync each) go along with the next group, and make one of their
 * own only once the oldest has waited half a second.
 */
#ifndef GRANARY_NODE_STORE_COMMITTER_H
#define GRANARY_NODE_STORE_COMMITTER_H

#include "node/store/health.h"
#include "node/store/segment.h"

/* Embedded in what is to be committed. */
struct commit {
	struct commit *next;
	struct segment *segment; /* to be synced; NULL when there is nothing */
	struct bytes record;	 /* to be written into it before, at `offset`; empty: it is written */
	uint32_t offset;
	enum err err; /* not ERR_OK: failed already, only to be answered in turn */
	/* Called from the committer's thread, one after the other; the commit is the callee's again. */
	void (*settle)(struct commit *commit, enum err err);
};

struct committer;

/* after(arg): called from the committer's thread when a group was settled, before the next one. NULL: nothing. */
struct committer *committer_start(const struct seam *seam, struct health *health, void (*after)(void *arg), void *arg);
/* Commit all that was added, then end the thread. Nothing may be added from now on, but by settling. */
void committer_stop(struct committer *committer);

void committer_add(struct committer *committer, struct commit *commit);
/* In no hurry: synced within a second. */
void committer_add_lazily(struct committer *committer, struct commit *commit);

/* Wait until all that was added before, lazily or not, is settled. Not from settle. */
void committer_flush(struct committer *committer);

#endif
