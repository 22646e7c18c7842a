/*
 * A disk in memory behind the store's seam (node/store/seam.h) that can be made to fail, and to lose power.
 *
 * It knows what is durable: a write, a cut or an allocation is when its file is synced after it; a name is when its
 * directory is. Everything else is pending, and an image of the disk after a power cut holds some of it, as a seed
 * decides. Any operation can be made to fail by its number. Operations are counted and, so far as a test asks,
 * recorded. Safe from any thread; runs no threads itself.
 */
#ifndef GRANARY_TESTS_KIT_FAULT_H
#define GRANARY_TESTS_KIT_FAULT_H

#include "node/store/seam.h"

struct fault;

enum fault_kind {
	FAULT_OPEN,
	FAULT_PREAD,
	FAULT_PWRITE, /* pwritev too */
	FAULT_TRUNCATE,
	FAULT_SYNC,
	FAULT_ALLOCATE,
	FAULT_LOCK,
	FAULT_LIST,
	FAULT_STAT,
	FAULT_MKDIR,
	FAULT_RENAME,
	FAULT_UNLINK,
	FAULT_SYNC_DIR,
	FAULT_SPACE,
	FAULT_KINDS,
};

/* An empty disk of so many bytes, with the directory "/". */
struct fault *fault_new(uint64_t capacity);
void fault_free(struct fault *fault);
const struct seam *fault_seam(struct fault *fault);

/* Operations so far: all; those that change the disk or make changes durable; those of one kind. */
uint64_t fault_operations(const struct fault *fault);
uint64_t fault_changes(const struct fault *fault);
uint64_t fault_count(const struct fault *fault, enum fault_kind kind);

#define FAULT_SHORT 0 /* in place of an errno: reads and writes move half their bytes, others are not touched */
#define FAULT_NEVER UINT64_MAX
/* Operation number `nth` (0: the next of all) fails with this errno, and only that one. A failing write has written
 * half of its bytes; a failing sync has made nothing durable, and what was pending is lost to later syncs too. */
void fault_fail(struct fault *fault, uint64_t nth, int number);
/* From the change number `nth` on (as fault_changes counts) the machine is off: operations fail and change nothing. */
void fault_stop(struct fault *fault, uint64_t nth);
bool fault_stopped(const struct fault *fault);
/* Before each change `watch` is called, in the thread that makes it; the disk stands still meanwhile. It may take
 * images. NULL: nobody watches. */
void fault_watch(struct fault *fault, void (*watch)(void *arg), void *arg);
/* Filesystems that cannot preallocate. */
void fault_no_allocate(struct fault *fault);

enum fault_keep {
	FAULT_ALL,	/* everything: the process was killed, the machine ran on */
	FAULT_SYNCED,	/* only what was synced */
	FAULT_PREFIX,	/* what was synced, and pending changes up to some moment */
	FAULT_SUBSET,	/* … and any of the pending changes, whole */
	FAULT_TORN_4K,	/* … in any parts of 4 KiB */
	FAULT_TORN_512, /* … in any parts of 512 bytes */
	FAULT_STALE,	/* … and lost parts hold other bytes that once were on this disk */
	FAULT_KEEPS,
};
/* What the disk may hold after the power went: a new disk, all of it durable. */
struct fault *fault_image(const struct fault *fault, enum fault_keep keep, uint64_t seed);

/* The file's size, UINT64_MAX when there is none. */
uint64_t fault_size(const struct fault *fault, const char *path);
/* Copy bytes of a file out, or over: rot. */
void fault_peek(const struct fault *fault, const char *path, uint64_t offset, void *out, size_t len);
void fault_poke(struct fault *fault, const char *path, uint64_t offset, const void *data, size_t len);
/* Visit the files' paths. */
void fault_files(const struct fault *fault, void (*each)(void *arg, const char *path, uint64_t size), void *arg);

/* The last operations, as lines of text, for a test that failed. */
void fault_print(const struct fault *fault);

#endif
