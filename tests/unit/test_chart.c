/* Series of a history of two satellites: traffic is summed up, and of scores the least counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "node/dashboard/chart.h"
#include "tests/kit/scratch.h"

struct fixture {
	struct scratch scratch;
	struct meter *meter;
	struct desk desk;
	struct address good, bad;
	uint64_t now;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[DATABASE_MESSAGE];

	scratch_open(&f->scratch, 16);
	f->meter = meter_new();
	f->now = clock_wall();
	memset(f->good.b, 1, sizeof(f->good.b));
	memset(f->bad.b, 2, sizeof(f->bad.b));
	assert_int_equal(history_open(f->scratch.dir, &f->desk.history, why), ERR_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	history_close(f->desk.history);
	meter_free(f->meter);
	scratch_close(&f->scratch);
	free(f);
	return 0;
}

/* The worse satellite first or last: which it is depends on the address, and must not matter. */
static void record(struct fixture *f, uint32_t good, uint32_t bad)
{
	const struct history_disk disk = {.at = f->now, .live = 700, .allocation = 1000};
	const struct history_view views[] = {
		{.satellite = f->good, .has_scores = true, .audit = good, .answered = true, .reachable = true},
		{.satellite = f->bad, .has_scores = true, .audit = bad, .answered = true},
	};

	meter_add(f->meter, &(struct meter_note){f->good, ACTION_GET, METER_DONE, 10, 1000000});
	meter_add(f->meter, &(struct meter_note){f->bad, ACTION_GET, METER_DONE, 20, 1000000});
	assert_int_equal(history_record(f->desk.history, f->meter, &disk, views, 2), ERR_OK);
}

static struct chart_query query_of(const struct fixture *f, const char *what)
{
	struct chart_query query = {.from = f->now - HISTORY_DAY, .until = f->now + 1, .step = HISTORY_HOUR};

	snprintf(query.what, sizeof(query.what), "%s", what);
	return query;
}

/* The last row's value; -1 for null. */
static double last_of(struct fixture *f, const struct chart_query *query, size_t column)
{
	json_t *json = chart_series(&f->desk, query);
	const json_t *rows = json_object_get(json, "rows"), *cell;
	double value;

	assert_int_equal(json_array_size(rows), 1);
	cell = json_array_get(json_array_get(rows, 0), column);
	value = json_is_null(cell) ? -1 : json_number_value(cell);
	json_decref(json);
	return value;
}

static void test_scores(void **state)
{
	struct fixture *f = *state;
	struct chart_query query = query_of(f, "scores");

	record(f, 990000, 500000);
	assert_float_equal(last_of(f, &query, 1), 0.5, 1e-9);
	assert_float_equal(last_of(f, &query, 4), 0, 1e-9); /* reachable: by one of them */
	record(f, 400000, 500000);
	assert_float_equal(last_of(f, &query, 1), 0.4, 1e-9);
	query.has_satellite = true;
	query.satellite = f->bad;
	assert_float_equal(last_of(f, &query, 1), 0.5, 1e-9);
}

static void test_sums(void **state)
{
	struct fixture *f = *state;
	struct chart_query traffic = query_of(f, "traffic"), disk = query_of(f, "disk");

	record(f, 0, 0);
	assert_float_equal(last_of(f, &traffic, 2), 30, 1e-9);
	assert_float_equal(last_of(f, &traffic, 1), 0, 1e-9);
	assert_float_equal(last_of(f, &disk, 1), 700, 1e-9);
	traffic.has_satellite = true;
	traffic.satellite = f->bad;
	assert_float_equal(last_of(f, &traffic, 2), 20, 1e-9);
}

/* A visitor may ask for any span and step; there is an answer, or none, and never too many rows. */
static void test_any_span(void **state)
{
	struct fixture *f = *state;
	static const uint64_t numbers[] = {0, 1, 86400, 1800000000, INT64_MAX - 1};
	struct chart_query query = query_of(f, "disk");
	json_t *json;

	record(f, 0, 0);
	for (size_t i = 0; i < 125; i++) {
		query.from = numbers[i % 5];
		query.until = numbers[i / 5 % 5];
		query.step = numbers[i / 25];
		json = chart_series(&f->desk, &query);
		if (query.until <= query.from)
			assert_null(json);
		assert_true(json_array_size(json_object_get(json, "rows")) <= 2001);
		json_decref(json);
	}
	query = query_of(f, "nothing");
	assert_null(chart_series(&f->desk, &query));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scores, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sums, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_any_span, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
