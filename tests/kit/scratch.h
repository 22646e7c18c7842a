/*
 * A directory for tests on real files: of a filesystem in memory with a size of its own where this process may mount
 * one (a mount namespace of its own, so nobody else sees it and it goes with the process), else a plain one below
 * TMPDIR.
 */
#ifndef GRANARY_TESTS_KIT_SCRATCH_H
#define GRANARY_TESTS_KIT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SCRATCH_PATH 256

struct scratch {
	char dir[SCRATCH_PATH];
	bool mounted; /* of the size that was asked for */
};

/* Before the process has threads. Aborts when there is not even a plain directory. */
void scratch_open(struct scratch *scratch, size_t mebibytes);
/* Remove all that is in it. */
void scratch_clear(const struct scratch *scratch);
void scratch_close(struct scratch *scratch);

/* Remove DIR/name and all below it. */
void scratch_remove(const char *dir, const char *name);
/* Copy DIR/from with all below it to DIR/to, which must not be there. */
void scratch_copy(const char *dir, const char *from, const char *to);
void scratch_move(const char *dir, const char *from, const char *to);

#endif
