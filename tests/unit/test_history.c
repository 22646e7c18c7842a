/*
 * The dashboard's memory: what the meter counted by hours, made days after 35 of them and dropped after 400, and the
 * sums that pages ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/file.h"
#include "node/dashboard/history.h"
#include "tests/kit/scratch.h"

#define START (1800000000ull / HISTORY_DAY * HISTORY_DAY)

struct fixture {
	struct scratch scratch;
	const char *dir;
	struct history *history;
	struct meter *meter;
	struct address one, two;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[DATABASE_MESSAGE];

	scratch_open(&f->scratch, 16);
	f->dir = f->scratch.dir;
	assert_int_equal(history_open(f->dir, &f->history, why), ERR_OK);
	f->meter = meter_new();
	f->one.b[0] = 1;
	f->two.b[0] = 2;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	history_close(f->history);
	meter_free(f->meter);
	scratch_close(&f->scratch);
	free(f);
	return 0;
}

static void note(struct fixture *f, const struct address *satellite, enum action action, enum meter_outcome outcome,
		 uint64_t bytes)
{
	meter_add(f->meter, &(struct meter_note){*satellite, action, outcome, bytes, 5000000});
}

static void record(struct fixture *f, uint64_t at, uint64_t live)
{
	const struct history_disk disk = {.at = at, .live = live, .allocation = 500, .disk_total = 1000};
	const struct history_view views[] = {
		{.satellite = f->one,
		 .has_scores = true,
		 .audit = 990000,
		 .online = 1000000,
		 .answered = true,
		 .reachable = true},
		{.satellite = f->two, .answered = true},
	};

	assert_int_equal(history_record(f->history, f->meter, &disk, views, 2), ERR_OK);
}

struct found {
	uint64_t points, bytes, done, lost, failed, live, durations, looks, reachable, last;
};

static enum err sum_traffic(void *arg, const struct history_traffic *point)
{
	struct found *found = arg;

	found->points++;
	found->bytes += point->bytes;
	found->done += point->outcomes[METER_DONE];
	found->lost += point->outcomes[METER_LOST];
	found->failed += point->outcomes[METER_FAILED];
	found->last = point->at;
	return ERR_OK;
}

static enum err sum_disk(void *arg, const struct history_disk *point)
{
	struct found *found = arg;

	found->points++;
	found->live = point->live;
	found->last = point->at;
	return ERR_OK;
}

static enum err sum_latency(void *arg, const struct history_latency *point)
{
	struct found *found = arg;

	found->points++;
	for (unsigned i = 0; i < METER_CLASSES; i++)
		found->durations += point->durations[i];
	return ERR_OK;
}

static enum err sum_views(void *arg, const struct history_seen *point)
{
	struct found *found = arg;

	found->points++;
	found->looks += point->looks;
	found->reachable += point->reachable;
	return ERR_OK;
}

static struct found traffic(struct fixture *f, uint64_t from, uint64_t until, uint64_t step,
			    const struct address *satellite)
{
	const struct history_range range = {from, until, step, satellite};
	struct found found = {0};

	assert_int_equal(history_each_traffic(f->history, &range, sum_traffic, &found), ERR_OK);
	return found;
}

static void test_hours(void **state)
{
	struct fixture *f = *state;
	struct found found;

	note(f, &f->one, ACTION_GET, METER_DONE, 100);
	note(f, &f->one, ACTION_GET, METER_LOST, 10);
	note(f, &f->two, ACTION_PUT, METER_FAILED, 1);
	record(f, START + 5, 70);
	note(f, &f->one, ACTION_GET, METER_DONE, 1000);
	record(f, START + 65, 80); /* the same hour: added up */
	note(f, &f->one, ACTION_GET, METER_DONE, 10000);
	record(f, START + HISTORY_HOUR, 90);

	found = traffic(f, START, START + HISTORY_DAY, HISTORY_HOUR, NULL);
	assert_int_equal(found.points, 3); /* two actions in the first hour, one in the second */
	assert_int_equal(found.bytes, 11111);
	assert_int_equal(found.done, 3);
	assert_int_equal(found.lost, 1);
	assert_int_equal(found.failed, 1);
	found = traffic(f, START, START + HISTORY_DAY, HISTORY_DAY, &f->one);
	assert_int_equal(found.points, 1);
	assert_int_equal(found.bytes, 11110);
	found = traffic(f, START, START + HISTORY_HOUR, HISTORY_HOUR, &f->one);
	assert_int_equal(found.bytes, 1110);
	assert_int_equal(traffic(f, START + HISTORY_DAY, START + 2 * HISTORY_DAY, HISTORY_HOUR, NULL).points, 0);
}

static void test_disk_and_views(void **state)
{
	struct fixture *f = *state;
	const struct history_range hours = {START, START + HISTORY_DAY, HISTORY_HOUR, NULL};
	const struct history_range day = {START, START + HISTORY_DAY, HISTORY_DAY, NULL};
	struct found found = {0};

	record(f, START, 10);
	record(f, START + 60, 20);
	record(f, START + HISTORY_HOUR, 30);
	assert_int_equal(history_each_disk(f->history, &hours, sum_disk, &found), ERR_OK);
	assert_int_equal(found.points, 2);
	assert_int_equal(found.live, 30);
	found = (struct found){0};
	assert_int_equal(history_each_disk(f->history, &day, sum_disk, &found), ERR_OK);
	assert_int_equal(found.points, 1);
	assert_int_equal(found.live, 30); /* the last of the day */
	assert_int_equal(found.last, START);
	found = (struct found){0};
	assert_int_equal(history_each_view(f->history, &day, sum_views, &found), ERR_OK);
	assert_int_equal(found.points, 2); /* satellites */
	assert_int_equal(found.looks, 6);
	assert_int_equal(found.reachable, 3);
}

/* What is shown does not change when hours become days, and nothing is kept for ever. */
static void test_days(void **state)
{
	struct fixture *f = *state;
	const struct history_range first = {START, START + HISTORY_DAY, HISTORY_DAY, NULL};
	struct found before, after, found = {0};

	for (uint64_t hour = 0; hour < 24; hour++) {
		note(f, &f->one, ACTION_GET, METER_DONE, 10);
		record(f, START + hour * HISTORY_HOUR, 100 + hour);
	}
	before = traffic(f, START, START + HISTORY_DAY, HISTORY_DAY, NULL);
	record(f, START + HISTORY_HOURS_KEPT + 2 * HISTORY_DAY, 500);
	after = traffic(f, START, START + HISTORY_DAY, HISTORY_DAY, NULL);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(traffic(f, START + HISTORY_HOUR, START + HISTORY_DAY, HISTORY_HOUR, NULL).points, 0);
	assert_int_equal(history_each_latency(f->history, &first, ACTION_GET, sum_latency, &found), ERR_OK);
	assert_int_equal(found.durations, 24);
	found = (struct found){0};
	assert_int_equal(history_each_disk(f->history, &first, sum_disk, &found), ERR_OK);
	assert_int_equal(found.live, 123);
	found = (struct found){0};
	assert_int_equal(history_each_view(f->history, &first, sum_views, &found), ERR_OK);
	assert_int_equal(found.points, 2);
	assert_int_equal(found.looks, 48);
	assert_int_equal(found.reachable, 24);
	record(f, START + HISTORY_DAYS_KEPT + 2 * HISTORY_DAY, 600);
	assert_int_equal(traffic(f, 0, START + HISTORY_DAY, HISTORY_DAY, NULL).points, 0);
}

static void test_damaged_database(void **state)
{
	struct fixture *f = *state;
	char why[DATABASE_MESSAGE], *path = file_join(f->dir, "history.db"),
				    *aside = file_join(f->dir, "history.db.damaged");

	record(f, START, 1);
	history_close(f->history);
	f->history = NULL;
	assert_int_equal(file_replace(path, bytes_of_text("this is no database, and long enough to be seen"), 0600),
			 ERR_OK);
	assert_int_equal(history_open(f->dir, &f->history, why), ERR_OK);
	assert_true(file_exists(aside));
	record(f, START, 2);
	free(path);
	free(aside);
}

static void test_meter(void **state)
{
	struct fixture *f = *state;
	uint64_t counts[METER_CLASSES] = {0};
	struct meter_row row;

	assert_false(meter_take(f->meter, &row));
	note(f, &f->one, ACTION_PUT, METER_DONE, 7);
	note(f, &f->one, ACTION_PUT, METER_LOST, 3);
	assert_true(meter_take(f->meter, &row));
	assert_int_equal(row.outcomes[METER_DONE], 1);
	assert_int_equal(row.outcomes[METER_LOST], 1);
	assert_int_equal(row.bytes, 10);
	assert_int_equal(row.durations[meter_class(5000000)], 1); /* lost ones have no duration */
	assert_false(meter_take(f->meter, &row));
	for (unsigned i = 0; i + 1 < METER_CLASSES; i++) {
		assert_int_equal(meter_class(meter_class_end(i)), i);
		assert_int_equal(meter_class(meter_class_end(i) + 1), i + 1);
	}
	assert_int_equal(meter_class(UINT64_MAX), METER_CLASSES - 1);
	assert_int_equal(meter_quantile(counts, 500), 0);
	counts[3] = 99;
	counts[20] = 1;
	assert_int_equal(meter_quantile(counts, 500), meter_class_end(3));
	assert_int_equal(meter_quantile(counts, 990), meter_class_end(3));
	assert_int_equal(meter_quantile(counts, 991), meter_class_end(20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_and_views, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_days, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_meter, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
