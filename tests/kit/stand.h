/*
 * A store on a disk in memory (kit/fault), which most tests of the store begin with. It does nothing by itself.
 */
#ifndef GRANARY_TESTS_KIT_STAND_H
#define GRANARY_TESTS_KIT_STAND_H

#include "node/store/store.h"
#include "tests/kit/fault.h"

struct stand {
	struct fault *fault;
	struct store *store; /* NULL: closed */
	uint64_t allocation; /* bytes */
};

/* A new disk of 256 MiB with an empty store, which is open. Aborts when that fails. */
struct stand *stand_new(uint64_t allocation);
/* Close the store and forget the disk. */
void stand_free(struct stand *stand);
/* Open what is on the disk. */
enum err stand_open(struct stand *stand) WARN_UNUSED;
/* Close it and open it again. Aborts when that fails. */
void stand_reopen(struct stand *stand);
/* Free *state, a stand: a tear_down for cmocka. */
int stand_tear_down(void **state);

#endif
