/*
 * Workloads for tests of the store, as lists of steps: written down, or drawn from a seed.
 *
 * A step speaks of pieces and transfers by number (tests/kit/pieces.h). A list that was drawn makes sense as long as
 * all goes well: pieces are put that are not there, and deleted when they are. When something fails on the way the
 * steps are taken all the same; tests/kit/model.h knows what may have come of them.
 */
#ifndef GRANARY_TESTS_KIT_WORKLOAD_H
#define GRANARY_TESTS_KIT_WORKLOAD_H

#include "common/random.h"

#define WORKLOAD_KEYS 48
#define WORKLOAD_TRANSFERS 32

enum verb {
	STEP_PUT,
	STEP_GET,
	STEP_DELETE,
	STEP_TRASH,
	STEP_RESTORE,
	STEP_ABORT,    /* an upload that is given up */
	STEP_HOLD,     /* an upload that is not ended yet: one at a time */
	STEP_DROP,     /* give that one up */
	STEP_TRANSFER, /* of `len` bytes */
	STEP_FLUSH,    /* make all transfers durable */
	STEP_COMPACT,  /* one segment that has anything to give */
	STEP_CHECKPOINT,
	STEP_UPKEEP,   /* one step of each job of the store's upkeep */
	STEP_RESTART,  /* close the store and open it again */
};

struct step {
	enum verb verb;
	uint32_t key;
	uint32_t version; /* PUT: of the content */
	uint32_t len;
	uint32_t limit; /* of an upload, 0: len */
	uint32_t days;	/* PUT: until it expires, 0: it does not */
};

struct workload {
	struct random_stream dice;
	enum { WORKLOAD_ABSENT, WORKLOAD_LIVE, WORKLOAD_TRASHED } keys[WORKLOAD_KEYS];
	uint32_t versions[WORKLOAD_KEYS];
	uint32_t transfers;
	bool held;
};
void workload_begin(struct workload *workload, uint64_t seed);
struct step workload_next(struct workload *workload);
/* The first `count` steps of a workload, with nothing held at the end. */
void workload_draw(uint64_t seed, struct step *steps, size_t count);
const char *workload_verb_name(enum verb verb);

#endif
