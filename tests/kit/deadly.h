/*
 * The kernel's calls behind a seam that counts them, and kills its own process at one of them: SIGKILL, so that
 * nothing is tidied up. Between two calls of a store nothing happens that outlives the process, so dying before the
 * n-th call, for every n, and after the last, is dying everywhere.
 */
#ifndef GRANARY_TESTS_KIT_DEADLY_H
#define GRANARY_TESTS_KIT_DEADLY_H

#include <stdatomic.h>

#include "node/store/seam.h"

#define DEADLY_NEVER UINT64_MAX

struct deadly {
	struct seam seam; /* first: `self` is the deadly one too */
	atomic_ullong calls;
	uint64_t dies_at;
};

/* Dies when `dies_at` calls were made, instead of making another. */
void deadly_init(struct deadly *deadly, uint64_t dies_at);

#endif
