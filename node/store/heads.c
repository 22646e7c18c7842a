/* Direct-mapped: each place has one row that it can be in. */
#include "node/store/heads.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

void heads_init(struct heads *heads)
{
	memset(heads, 0, sizeof(*heads));
	pthread_mutex_init(&heads->lock, NULL);
}

void heads_destroy(struct heads *heads)
{
	for (int i = 0; i < HEADS; i++)
		free(heads->rows[i].record);
	pthread_mutex_destroy(&heads->lock);
}

static unsigned row_of(const struct record_place *place)
{
	uint64_t mixed = ((uint64_t)place->segment << 32 | place->offset) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(mixed >> 56) % HEADS;
}

bool heads_get(struct heads *heads, const struct record_place *place, struct record *ret)
{
	unsigned row = row_of(place);
	bool found;

	pthread_mutex_lock(&heads->lock);
	found = heads->rows[row].record != NULL && heads->rows[row].place.segment == place->segment &&
		heads->rows[row].place.offset == place->offset;
	if (found)
		*ret = *heads->rows[row].record;
	pthread_mutex_unlock(&heads->lock);
	return found;
}

void heads_put(struct heads *heads, const struct record_place *place, const struct record *record)
{
	unsigned row = row_of(place);

	pthread_mutex_lock(&heads->lock);
	if (heads->rows[row].record == NULL)
		heads->rows[row].record = memory_new(1, sizeof(*record));
	heads->rows[row].place = *place;
	*heads->rows[row].record = *record;
	pthread_mutex_unlock(&heads->lock);
}
