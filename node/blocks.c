/* A ring under a mutex. */
#include "node/blocks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

void blocks_init(struct blocks *blocks)
{
	memset(blocks, 0, sizeof(*blocks));
	if (pthread_mutex_init(&blocks->lock, NULL) != 0)
		abort();
}

void blocks_clear(struct blocks *blocks)
{
	assert(!blocks->writing);
	for (unsigned i = 0; i < blocks->count; i++)
		free((void *)(uintptr_t)blocks->waiting[(blocks->first + i) % BLOCKS_MOST].data);
	pthread_mutex_destroy(&blocks->lock);
	memset(blocks, 0, sizeof(*blocks));
}

static unsigned held(const struct blocks *blocks)
{
	return blocks->count + blocks->writing;
}

void blocks_add(struct blocks *blocks, struct bytes data)
{
	struct bytes copy = bytes_of(memory_copy(data.data, data.len), data.len);

	pthread_mutex_lock(&blocks->lock);
	assert(held(blocks) < BLOCKS_MOST && !blocks->ended);
	blocks->waiting[(blocks->first + blocks->count) % BLOCKS_MOST] = copy;
	blocks->count++;
	pthread_mutex_unlock(&blocks->lock);
}

void blocks_end(struct blocks *blocks)
{
	pthread_mutex_lock(&blocks->lock);
	blocks->ended = true;
	pthread_mutex_unlock(&blocks->lock);
}

bool blocks_is_full(struct blocks *blocks)
{
	bool full;

	pthread_mutex_lock(&blocks->lock);
	full = held(blocks) == BLOCKS_MOST;
	pthread_mutex_unlock(&blocks->lock);
	return full;
}

bool blocks_is_due(struct blocks *blocks)
{
	bool due;

	pthread_mutex_lock(&blocks->lock);
	due = blocks->count > 0 || blocks->ended;
	pthread_mutex_unlock(&blocks->lock);
	return due;
}

enum blocks_next blocks_take(struct blocks *blocks, struct bytes *ret)
{
	enum blocks_next next = BLOCKS_ONE;

	pthread_mutex_lock(&blocks->lock);
	assert(!blocks->writing);
	if (blocks->count == 0) {
		next = blocks->ended ? BLOCKS_ENDED : BLOCKS_NONE;
	} else {
		*ret = blocks->waiting[blocks->first];
		blocks->first = (blocks->first + 1) % BLOCKS_MOST;
		blocks->count--;
		blocks->writing = true;
	}
	pthread_mutex_unlock(&blocks->lock);
	return next;
}

bool blocks_written(struct blocks *blocks, struct bytes data)
{
	bool tell;

	free((void *)(uintptr_t)data.data);
	pthread_mutex_lock(&blocks->lock);
	blocks->writing = false;
	tell = held(blocks) == BLOCKS_MOST / 2;
	pthread_mutex_unlock(&blocks->lock);
	return tell;
}
