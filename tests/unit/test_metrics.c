/* Metrics as Prometheus reads them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/metrics.h"

enum { PUTS, GETS, STORED, METRICS };

static const struct metric table[METRICS] = {
	[PUTS] = {"granary_test_requests_total", "verb=\"put\"", METRIC_COUNTER, "Requests answered."},
	[GETS] = {"granary_test_requests_total", "verb=\"get\"", METRIC_COUNTER, "Requests answered."},
	[STORED] = {"granary_test_stored_bytes", NULL, METRIC_GAUGE, "Bytes stored."},
};

static void test_print(void **state)
{
	struct metrics *metrics = metrics_new(table, METRICS);
	char *text;

	(void)state;
	metrics_add(metrics, PUTS, 2);
	metrics_add(metrics, PUTS, 1);
	metrics_set(metrics, STORED, 5);
	metrics_set(metrics, STORED, UINT64_MAX);
	text = metrics_print(metrics);
	assert_string_equal(text, "# HELP granary_test_requests_total Requests answered.\n"
				  "# TYPE granary_test_requests_total counter\n"
				  "granary_test_requests_total{verb=\"put\"} 3\n"
				  "granary_test_requests_total{verb=\"get\"} 0\n"
				  "# HELP granary_test_stored_bytes Bytes stored.\n"
				  "# TYPE granary_test_stored_bytes gauge\n"
				  "granary_test_stored_bytes 18446744073709551615\n");
	free(text);
	metrics_free(metrics);
	metrics_free(NULL);
}

static void *count(void *metrics)
{
	for (int i = 0; i < 10000; i++)
		metrics_add(metrics, GETS, 1);
	return NULL;
}

static void test_threads(void **state)
{
	struct metrics *metrics = metrics_new(table, METRICS);
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, metrics), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(metrics_get(metrics, GETS), 20000);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
