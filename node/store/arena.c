/* Chunks of a megabyte or four, cut into blocks. */
#include "node/store/arena.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define MEMORY_CHUNK (1u << 20)
#define MAPPED_CHUNK (4u << 20)

struct chunk {
	uint8_t *at;
	size_t len;
	bool mapped;
};

struct arena {
	pthread_mutex_t lock;
	const struct seam *seam; /* NULL: memory only */
	char *path;
	int fd;
	uint64_t size; /* of the file */
	struct chunk *chunks;
	size_t count;
	size_t room;
	size_t used; /* bytes of the last chunk */
	uint64_t bytes;
};

struct arena *arena_new(void)
{
	struct arena *arena = memory_new(1, sizeof(*arena));

	pthread_mutex_init(&arena->lock, NULL);
	arena->fd = -1;
	return arena;
}

enum err arena_new_mapped(const struct seam *seam, const char *path, struct arena **ret)
{
	struct arena *arena;
	enum err err = seam_unlink_file(seam, path);
	int fd;

	if (err == ERR_OK || err == ERR_NOT_FOUND)
		err = seam_open_file(seam, path, O_RDWR | O_CREAT | O_EXCL, &fd);
	if (err != ERR_OK)
		return err;
	arena = arena_new();
	arena->seam = seam;
	arena->path = memory_copy(path, strlen(path));
	arena->fd = fd;
	*ret = arena;
	return ERR_OK;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	for (size_t i = 0; i < arena->count; i++) {
		if (arena->chunks[i].mapped)
			arena->seam->unmap(arena->seam, arena->chunks[i].at, arena->chunks[i].len);
		else
			free(arena->chunks[i].at);
	}
	if (arena->fd >= 0) {
		arena->seam->close(arena->seam, arena->fd);
		(void)!seam_unlink_file(arena->seam, arena->path); /* or the next start does it */
	}
	pthread_mutex_destroy(&arena->lock);
	free(arena->chunks);
	free(arena->path);
	free(arena);
}

/* A piece of the file with its blocks on disk; NULL when it can take no more. */
static uint8_t *map_chunk(struct arena *arena)
{
	uint8_t *at;

	if (arena->fd < 0 ||
	    seam_extend_file(arena->seam, arena->fd, arena->size, arena->size + MAPPED_CHUNK) != ERR_OK)
		return NULL;
	at = arena->seam->map(arena->seam, arena->fd, arena->size, MAPPED_CHUNK, true);
	if (at != NULL)
		arena->size += MAPPED_CHUNK;
	return at;
}

static void add_chunk(struct arena *arena)
{
	struct chunk chunk = {map_chunk(arena), MAPPED_CHUNK, true};

	if (chunk.at == NULL)
		chunk = (struct chunk){memory_new(1, MEMORY_CHUNK), MEMORY_CHUNK, false};
	arena->chunks = memory_grow(arena->chunks, &arena->room, arena->count + 1, sizeof(*arena->chunks));
	arena->chunks[arena->count++] = chunk;
	arena->used = 0;
	arena->bytes += chunk.len;
}

void *arena_take(struct arena *arena)
{
	void *block;

	pthread_mutex_lock(&arena->lock);
	if (arena->count == 0 || arena->used == arena->chunks[arena->count - 1].len)
		add_chunk(arena);
	block = arena->chunks[arena->count - 1].at + arena->used;
	arena->used += ARENA_BLOCK;
	pthread_mutex_unlock(&arena->lock);
	return block;
}

uint64_t arena_bytes(struct arena *arena)
{
	uint64_t bytes;

	pthread_mutex_lock(&arena->lock);
	bytes = arena->bytes + arena->room * sizeof(*arena->chunks);
	pthread_mutex_unlock(&arena->lock);
	return bytes;
}
