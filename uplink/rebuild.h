/*
 * Pieces of one segment made again from those that are left, and stored on other nodes.
 *
 * The sources are read block by block, each block proved against its piece's root. A unit to be stored is computed
 * from any `required` units of its stripe, or passed on as it is when its own piece is among the sources: so the same
 * code rebuilds what is lost and moves what a leaving node still has. Nothing is decrypted, and only a few stripes are
 * in memory at a time, whatever the segment's size. A source that fails, cheats or falls behind is replaced by the
 * next one; a target that fails is left out. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_REBUILD_H
#define GRANARY_UPLINK_REBUILD_H

#include "uplink/fetches.h"

#define REBUILD_STRIPES 8   /* most in memory */
#define REBUILD_SECONDS 600 /* after which targets without a receipt are given up */

/* Borrowed while the rebuild runs. Each piece number at most once in either list. */
struct rebuild_plan {
	struct policy policy;
	uint64_t plain_size;	      /* of the segment, at least 1 */
	const struct permit *sources; /* to read, the best first; with their roots */
	uint32_t source_count;
	uint32_t begin_with;	      /* so many of them are asked at first; it may turn out that these suffice */
	const struct permit *targets; /* to store; root: what the piece must have, or zeros when that is not known */
	uint32_t target_count;	      /* at least 1 */
};

/* What became of a target. */
struct rebuild_piece {
	enum err err; /* ERR_OK: stored */
	struct receipt receipt;
	struct signature signature; /* of the receipt */
};

struct rebuild_events {
	/* A source could not be read to its end: ERR_CORRUPT when it sent wrong bytes. `why` is a phrase. */
	void (*source_failed)(void *arg, const struct permit *source, enum err err, const char *why);
	/* A target's node took no piece. */
	void (*target_failed)(void *arg, const struct permit *target, enum err err, const char *why);
	/* The last call: `pieces` are as many as there are targets, in their order. ERR_OK when any was stored;
	 * ERR_UNREACHABLE when too few sources can be read, or no target can be written; ERR_CONFLICT when what was
	 * made does not have the root that it must: the pieces of this segment contradict each other. Freed right
	 * after it. */
	void (*done)(void *arg, enum err err, const char *why, const struct rebuild_piece *pieces);
};

struct rebuild;

/* ERR_RANGE when the plan makes no sense. Nothing is called back from inside this call. */
enum err rebuild_start(struct uplink *uplink, const struct rebuild_plan *plan, const struct rebuild_events *events,
		       void *arg, struct rebuild **ret) WARN_UNUSED;
/* Drop everything; `done` is not called. */
void rebuild_cancel(struct rebuild *rebuild);

#endif
