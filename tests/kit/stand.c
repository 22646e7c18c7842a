/* A store on a disk in memory. */
#include "tests/kit/stand.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "node/store/segment.h"

#define DISK (256u << 20)

static void expect(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "stand: the store cannot be %s\n", what);
	abort();
}

struct stand *stand_new(uint64_t allocation)
{
	struct stand *stand = memory_new(1, sizeof(*stand));
	char why[STORE_MESSAGE];

	stand->fault = fault_new(DISK);
	stand->allocation = allocation;
	expect(store_init("/", allocation, SEGMENT_LEAST, fault_seam(stand->fault), why), "made");
	expect(stand_open(stand), "opened");
	return stand;
}

void stand_free(struct stand *stand)
{
	store_close(stand->store);
	fault_free(stand->fault);
	free(stand);
}

enum err stand_open(struct stand *stand)
{
	const struct store_options options = {.allocation = stand->allocation, .no_upkeep = true};
	char why[STORE_MESSAGE];

	return store_open("/", &options, fault_seam(stand->fault), &stand->store, why);
}

void stand_reopen(struct stand *stand)
{
	store_close(stand->store);
	expect(stand_open(stand), "opened");
}

int stand_tear_down(void **state)
{
	stand_free(*state);
	return 0;
}
