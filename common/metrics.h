/*
 * Counters and gauges of a daemon, from one table, printed in the Prometheus text format (version 0.0.4).
 *
 * A daemon has an enum whose members index its table, and one struct metrics that its threads share: values are
 * atomic, and nothing else is kept.
 */
#ifndef GRANARY_COMMON_METRICS_H
#define GRANARY_COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type {
	METRIC_COUNTER, /* only grows; its name ends in _total */
	METRIC_GAUGE,
};

struct metric {
	const char *name;   /* "granary_node_requests_total" */
	const char *labels; /* "verb=\"put\"", or NULL; metrics of one name stand together in the table */
	enum metric_type type;
	const char *help; /* one sentence, that of the first of a name is shown */
};

struct metrics;

/* The table must outlive the metrics. All values start at 0. */
struct metrics *metrics_new(const struct metric *table, size_t count);
void metrics_free(struct metrics *metrics);

/* From any thread. */
void metrics_add(struct metrics *metrics, size_t index, uint64_t n);
void metrics_set(struct metrics *metrics, size_t index, uint64_t value); /* asserts a gauge */
uint64_t metrics_get(const struct metrics *metrics, size_t index);

/* All of them as text, to be served at /metrics. The caller frees it. */
char *metrics_print(const struct metrics *metrics);

#endif
