/*
 * Room for the index: blocks of one size that are never given back one by one.
 *
 * They come from memory, or, on machines short of it, from a file that is mapped a chunk at a time. That file is
 * scratch: made anew at each start, never read back, so nothing that a crash leaves in it can do harm. It takes its
 * disk blocks before it is mapped, because a full disk must not kill the process; when it can take no more, memory
 * serves.
 */
#ifndef GRANARY_NODE_STORE_ARENA_H
#define GRANARY_NODE_STORE_ARENA_H

#include "node/store/seam.h"

#define ARENA_BLOCK 1024

struct arena;

/* From memory. */
struct arena *arena_new(void);
/* From a new file at this path, in place of any old one. */
enum err arena_new_mapped(const struct seam *seam, const char *path, struct arena **ret) WARN_UNUSED;
/* The file goes too. */
void arena_free(struct arena *arena);

/* ARENA_BLOCK bytes of zeros, good until arena_free. From any thread. */
void *arena_take(struct arena *arena);
/* Bytes in chunks, from memory and file alike. */
uint64_t arena_bytes(struct arena *arena);

#endif
