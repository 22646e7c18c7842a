/* A place in the table of segments, and the entries there. */
#include "node/store/sweep.h"

#include <stdlib.h>

#include "node/store/engine.h"

static void take_from(uint64_t *budget, uint64_t bytes)
{
	*budget -= bytes < *budget ? bytes : *budget;
}

bool sweep_go_on(struct sweep *sweep, struct store *store, bool (*wants)(struct store *store, struct segment *segment),
		 uint64_t *budget)
{
	while (sweep->segment == NULL) {
		struct segment *segment = segments_next(store->segments, &sweep->row);

		if (segment == NULL)
			return false;
		sweep->row++;
		if (wants != NULL && !wants(store, segment)) {
			segments_unpin(store->segments, segment);
			continue;
		}
		sweep->segment = segment;
		sweep->next = 0;
		sweep->err = segments_entries(store->segments, segment, &sweep->entries, &sweep->count);
		if (sweep->err != ERR_OK) {
			sweep->entries = NULL;
			sweep->count = 0;
		}
		take_from(budget, (uint64_t)sweep->count * SEGMENT_ENTRY);
	}
	return true;
}

void sweep_leave(struct sweep *sweep, struct store *store)
{
	if (sweep->segment == NULL)
		return;
	segments_unpin(store->segments, sweep->segment);
	free(sweep->entries);
	sweep->segment = NULL;
	sweep->entries = NULL;
	sweep->count = 0;
}

void sweep_restart(struct sweep *sweep, struct store *store)
{
	sweep_leave(sweep, store);
	sweep->row = 0;
}
