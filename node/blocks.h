/*
 * Blocks of an upload on their way from the loop, which receives them, to the job in the pool that writes them.
 *
 * At most BLOCKS_MOST are in memory at a time, the one that is being written included; when there are so many, the
 * loop stops reading, and it goes on when half of them are written. Both sides work at the same time: the job goes on
 * as long as there are blocks, so a fast upload costs one hand-over, not one per block.
 */
#ifndef GRANARY_NODE_BLOCKS_H
#define GRANARY_NODE_BLOCKS_H

#include <pthread.h>
#include <stdbool.h>

#include "common/bytes.h"

#define BLOCKS_MOST 4 /* 128 KiB */

struct blocks {
	pthread_mutex_t lock;
	struct bytes waiting[BLOCKS_MOST]; /* a ring; owned */
	unsigned first;
	unsigned count;
	bool writing; /* one more is being written */
	bool ended;
};

void blocks_init(struct blocks *blocks);
/* Free what waits. Nobody may be writing. */
void blocks_clear(struct blocks *blocks);

/* The loop's side. Add a copy; asserts that there is room. */
void blocks_add(struct blocks *blocks, struct bytes data);
/* No more will come. */
void blocks_end(struct blocks *blocks);
bool blocks_is_full(struct blocks *blocks);
/* There is something for a job to do: blocks, or the end. */
bool blocks_is_due(struct blocks *blocks);

/* The job's side. */
enum blocks_next {
	BLOCKS_ONE,   /* write *ret, then blocks_written */
	BLOCKS_NONE,  /* none now, but there will be */
	BLOCKS_ENDED, /* that was the last */
};
enum blocks_next blocks_take(struct blocks *blocks, struct bytes *ret);
/* Free it; true when the loop, which may have stopped reading, is to be told that there is room again. */
bool blocks_written(struct blocks *blocks, struct bytes data);

#endif
