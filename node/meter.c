/* A short list under a lock: there are as many rows as satellites times actions. */
#include "node/meter.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/memory.h"

#define FIRST_NS 64000

struct meter {
	pthread_mutex_t lock;
	struct meter_row *rows;
	size_t count;
	size_t room;
};

uint64_t meter_class_end(unsigned class)
{
	uint64_t end = (uint64_t)FIRST_NS << (class / 2);

	return class % 2 == 0 ? end : end + end / 2;
}

unsigned meter_class(uint64_t ns)
{
	unsigned class = 0;

	while (class < METER_CLASSES - 1 && ns > meter_class_end(class))
		class ++;
	return class;
}

uint64_t meter_quantile(const uint64_t counts[METER_CLASSES], unsigned thousandths)
{
	uint64_t all = 0, seen = 0;

	for (unsigned i = 0; i < METER_CLASSES; i++)
		all += counts[i];
	if (all == 0)
		return 0;
	for (unsigned i = 0; i < METER_CLASSES; i++) {
		seen += counts[i];
		if ((uint128)seen * 1000 >= (uint128)all * thousandths)
			return meter_class_end(i);
	}
	return meter_class_end(METER_CLASSES - 1);
}

struct meter *meter_new(void)
{
	struct meter *meter = memory_new(1, sizeof(*meter));

	pthread_mutex_init(&meter->lock, NULL);
	return meter;
}

void meter_free(struct meter *meter)
{
	if (meter == NULL)
		return;
	pthread_mutex_destroy(&meter->lock);
	free(meter->rows);
	free(meter);
}

static struct meter_row *row_of(struct meter *meter, const struct address *satellite, enum action action)
{
	for (size_t i = 0; i < meter->count; i++) {
		struct meter_row *row = &meter->rows[i];

		if (row->action == action && address_equal(&row->satellite, satellite))
			return row;
	}
	meter->rows = memory_grow(meter->rows, &meter->room, meter->count + 1, sizeof(*meter->rows));
	meter->rows[meter->count] = (struct meter_row){.satellite = *satellite, .action = action};
	return &meter->rows[meter->count++];
}

void meter_add(struct meter *meter, const struct meter_note *note)
{
	struct meter_row *row;

	pthread_mutex_lock(&meter->lock);
	row = row_of(meter, &note->satellite, note->action);
	row->outcomes[note->outcome]++;
	row->bytes += note->bytes;
	if (note->outcome == METER_DONE)
		row->durations[meter_class(note->ns)]++;
	pthread_mutex_unlock(&meter->lock);
}

bool meter_take(struct meter *meter, struct meter_row *ret)
{
	bool any;

	pthread_mutex_lock(&meter->lock);
	any = meter->count > 0;
	if (any)
		*ret = meter->rows[--meter->count];
	pthread_mutex_unlock(&meter->lock);
	return any;
}
