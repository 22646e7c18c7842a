/* A free list through the buffers themselves. Memory comes from mmap, so that freeing gives it back. */
#include "uplink/buffers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/memory.h"

struct spare {
	struct spare *next;
};

struct buffers {
	size_t size;
	size_t spare_max;
	size_t spare_count;
	size_t used;
	struct spare *spares;
};

struct buffers *buffers_new(size_t size, size_t spare)
{
	struct buffers *buffers = memory_new(1, sizeof(*buffers));

	assert(size >= sizeof(struct spare));
	buffers->size = size;
	buffers->spare_max = spare;
	return buffers;
}

void buffers_free(struct buffers *buffers)
{
	if (buffers == NULL)
		return;
	assert(buffers->used == 0);
	while (buffers->spares != NULL) {
		struct spare *spare = buffers->spares;

		buffers->spares = spare->next;
		munmap(spare, buffers->size);
	}
	free(buffers);
}

uint8_t *buffers_take(struct buffers *buffers)
{
	struct spare *spare = buffers->spares;
	void *fresh;

	buffers->used++;
	if (spare != NULL) {
		buffers->spares = spare->next;
		buffers->spare_count--;
		return (uint8_t *)spare;
	}
	fresh = mmap(NULL, buffers->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED)
		abort();
	return fresh;
}

void buffers_give(struct buffers *buffers, uint8_t *buffer)
{
	struct spare *spare = (struct spare *)(void *)buffer;

	if (buffer == NULL)
		return;
	assert(buffers->used > 0);
	buffers->used--;
	if (buffers->spare_count == buffers->spare_max) {
		munmap(buffer, buffers->size);
		return;
	}
	spare->next = buffers->spares;
	buffers->spares = spare;
	buffers->spare_count++;
}

size_t buffers_size(const struct buffers *buffers)
{
	return buffers->size;
}

size_t buffers_used(const struct buffers *buffers)
{
	return buffers->used;
}
