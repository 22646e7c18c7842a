/* A table of numbers and its text form. */
#include "common/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

struct metrics {
	const struct metric *table;
	size_t count;
	_Atomic uint64_t values[];
};

struct metrics *metrics_new(const struct metric *table, size_t count)
{
	struct metrics *metrics = memory_new(1, sizeof(*metrics) + count * sizeof(metrics->values[0]));

	metrics->table = table;
	metrics->count = count;
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}

void metrics_add(struct metrics *metrics, size_t index, uint64_t n)
{
	assert(index < metrics->count);
	atomic_fetch_add_explicit(&metrics->values[index], n, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, size_t index, uint64_t value)
{
	assert(index < metrics->count && metrics->table[index].type == METRIC_GAUGE);
	atomic_store_explicit(&metrics->values[index], value, memory_order_relaxed);
}

uint64_t metrics_get(const struct metrics *metrics, size_t index)
{
	assert(index < metrics->count);
	return atomic_load_explicit(&metrics->values[index], memory_order_relaxed);
}

char *metrics_print(const struct metrics *metrics)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (to == NULL)
		abort();
	for (size_t i = 0; i < metrics->count; i++) {
		const struct metric *m = &metrics->table[i];

		if (i == 0 || strcmp(m->name, metrics->table[i - 1].name) != 0)
			fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
				m->type == METRIC_COUNTER ? "counter" : "gauge");
		fprintf(to, "%s%s%s%s %" PRIu64 "\n", m->name, m->labels == NULL ? "" : "{",
			m->labels == NULL ? "" : m->labels, m->labels == NULL ? "" : "}", metrics_get(metrics, i));
	}
	if (fclose(to) != 0)
		abort();
	return text;
}
