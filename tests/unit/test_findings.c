/* What figures say, and how the list keeps its order. */
#include "node/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "node/overdue.h"

#define NOW 1700000000u
#define GB 1000000000ull

static struct finding_satellite satellite;
static struct finding_figures figures;

/* A node with which all is well. */
static int set_up(void **state)
{
	(void)state;
	satellite = (struct finding_satellite){
		.address = "0xA", .since = NOW - 5, .answered = true, .reachable = true, .reason = "", .status = 1};
	figures = (struct finding_figures){
		.now = NOW,
		.started = NOW - 3600,
		.missing = "",
		.allocation = 500 * GB,
		.used = 100 * GB,
		.disk_total = 1000 * GB,
		.disk_free = 800 * GB,
		.inodes_total = 1000000,
		.inodes_free = 900000,
		.satellites = &satellite,
		.satellite_count = 1,
	};
	return 0;
}

/* Judge, and want exactly this one finding. */
static void expect(enum finding_code code, const char *words)
{
	struct findings *list = findings_new();

	findings_judge(list, &figures);
	assert_int_equal(findings_count(list), 1);
	assert_string_equal(finding_name(findings_at(list, 0)->code), finding_name(code));
	assert_non_null(strstr(findings_at(list, 0)->text, words));
	assert_int_equal(findings_level(list), finding_severity(code));
	findings_free(list);
}

static void test_well(void **state)
{
	struct findings *list = findings_new();

	(void)state;
	findings_judge(list, &figures);
	assert_int_equal(findings_count(list), 0);
	assert_int_equal(findings_level(list), 0);
	findings_free(list);
}

static void test_missing_hides_the_rest_of_the_store(void **state)
{
	(void)state;
	figures.missing = "the disk is not mounted";
	figures.read_only = true;
	figures.read_only_reason = "writing failed";
	figures.damaged = 3;
	satellite.reachable = false; /* of course: the node answers nobody */
	expect(FINDING_STORAGE_MISSING, "not mounted");
}

static void test_store(void **state)
{
	(void)state;
	figures.read_only = true;
	figures.read_only_reason = "a sync failed";
	expect(FINDING_STORE_READ_ONLY, "a sync failed");
	set_up(NULL);
	figures.damaged = 7;
	expect(FINDING_STORE_DAMAGED, "7 pieces");
	set_up(NULL);
	figures.gone_files = 2;
	figures.gone_pieces = 9;
	expect(FINDING_STORE_GONE, "2 files");
	set_up(NULL);
	figures.held = 1;
	expect(FINDING_COLLECTION_HELD, "1 satellites");
}

static void test_disk(void **state)
{
	(void)state;
	figures.disk_free = GB - 1;
	expect(FINDING_DISK_FULL, "500 GB");
	figures.used = figures.allocation; /* as its owner meant it */
	figures.disk_free = 500 * GB;
	test_well(NULL);
	figures.disk_free = 19 * GB;
	expect(FINDING_DISK_ALMOST_FULL, "19.0 GB");
	figures.disk_free = 20 * GB;
	test_well(NULL);
	figures.inodes_free = 19999;
	expect(FINDING_DISK_INODES, "19999");
	figures.inodes_total = 0; /* btrfs */
	test_well(NULL);
}

static void test_clock(void **state)
{
	(void)state;
	satellite.skew = FINDINGS_SKEW;
	test_well(NULL);
	satellite.skew = 7200;
	expect(FINDING_CLOCK_SKEW, "7200 seconds behind");
	satellite.skew = -7200;
	expect(FINDING_CLOCK_SKEW, "7200 seconds ahead of");
	satellite.skew = INT64_MIN + 1;
	expect(FINDING_CLOCK_SKEW, "ahead of");
}

static void test_satellites(void **state)
{
	(void)state;
	figures.mapping_shared = true; /* of no interest while all reach us */
	figures.mapping_failed = "no router answers";
	test_well(NULL);
	figures.mapping_shared = false;
	figures.mapping_failed = NULL;
	satellite.reachable = false;
	satellite.reason = "connection refused";
	expect(FINDING_PORT_CLOSED, "connection refused");
	figures.paused_until = NOW + 60;
	expect(FINDING_PAUSED, "2023-11-14T22:14:20Z");
	figures.paused_until = 0;
	satellite.answered = false;
	expect(FINDING_SATELLITE_UNREACHABLE, "connection refused");
	figures.started = NOW - 1;
	expect(FINDING_SATELLITE_UNKNOWN, "yet");
	satellite.other_domain = true;
	expect(FINDING_SATELLITE_CHANGED, "another chain");
	set_up(NULL);
	satellite.unlisted_pieces = 3;
	satellite.unlisted_bytes = 5000;
	satellite.otherwise = 1;
	expect(FINDING_HOLDINGS_DIFFER, "3 pieces (5.00 KB), and 1 otherwise");
}

static void test_standing(void **state)
{
	(void)state;
	satellite.reason = "too many answers were late";
	satellite.status = 3;
	expect(FINDING_SUSPENDED, "this node: too many answers were late.");
	satellite.status = 4;
	satellite.reason = "";
	expect(FINDING_SUSPENDED, "this node.");
	satellite.status = 5;
	satellite.reachable = false; /* of no interest any more */
	expect(FINDING_DISQUALIFIED, "disqualified this node.");
	satellite.status = 6; /* leaving, as its owner wants */
	satellite.reachable = true;
	test_well(NULL);
	satellite.status = 3;
	satellite.answered = false; /* what it thinks now is not known */
	expect(FINDING_SATELLITE_UNREACHABLE, "no answer");
}

/* A closed port, and why perhaps. */
static void expect_with_closed_port(enum finding_code code)
{
	struct findings *list = findings_new();

	findings_judge(list, &figures);
	assert_int_equal(findings_count(list), 2);
	assert_non_null(findings_find(list, FINDING_PORT_CLOSED));
	assert_non_null(findings_find(list, code));
	findings_free(list);
}

static void test_router(void **state)
{
	(void)state;
	satellite.reachable = false;
	figures.mapping_failed = "no router answers";
	expect_with_closed_port(FINDING_PORT_MAPPING);
	figures.mapping_failed = NULL;
	figures.mapping_shared = true;
	expect_with_closed_port(FINDING_PORT_SHARED);
}

static void test_files(void **state)
{
	(void)state;
	figures.key_wrong = "it is readable";
	expect(FINDING_KEY_MODE, "it is readable.");
	figures.key_wrong = NULL;
	figures.damaged_database = "ledger.db.damaged-1";
	expect(FINDING_DATABASE_DAMAGED, "made anew");
}

static void test_orders(void **state)
{
	(void)state;
	figures.orders_since = figures.orders_until = NOW;
	figures.orders = OVERDUE_WAITING;
	expect(FINDING_ORDERS_WAITING, "since 2023-11-14T22:13:20Z");
	figures.orders = OVERDUE_LAPSING_SOON;
	expect(FINDING_ORDERS_LAPSING, "by 2023-11-14T22:13:20Z");
	figures.orders = OVERDUE_NONE;
	figures.ledger_behind = true;
	expect(FINDING_ORDERS_BEHIND, "ledger");
}

static void test_order_and_json(void **state)
{
	struct findings *list = findings_new(), *again = findings_new();
	json_t *json;

	(void)state;
	findings_add(list, FINDING_PAUSED, "", "first");
	findings_add(list, FINDING_CLOCK_SKEW, "0xA", "old");
	findings_add(list, FINDING_DISK_SLOW, "", "slow");
	findings_add(list, FINDING_CLOCK_SKEW, "0xB", "other");
	findings_add(list, FINDING_CLOCK_SKEW, "0xA", "new");
	assert_int_equal(findings_count(list), 4);
	assert_string_equal(findings_at(list, 0)->text, "new");
	assert_string_equal(findings_at(list, 1)->text, "other");
	assert_int_equal(findings_at(list, 2)->code, FINDING_DISK_SLOW);
	assert_int_equal(findings_at(list, 3)->code, FINDING_PAUSED);
	assert_null(findings_find(list, FINDING_VERSION));
	assert_string_equal(findings_find(list, FINDING_DISK_SLOW)->text, "slow");
	json = findings_json(list);
	json_array_append_new(json, json_pack("{s:s}", "code", "of-a-later-version"));
	json_array_append_new(json, json_integer(1));
	findings_add_json(again, json);
	assert_int_equal(findings_count(again), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(findings_at(again, i)->code, findings_at(list, i)->code);
		assert_string_equal(findings_at(again, i)->subject, findings_at(list, i)->subject);
		assert_string_equal(findings_at(again, i)->text, findings_at(list, i)->text);
	}
	json_decref(json);
	findings_free(list);
	findings_free(again);
}

/* Each has a name of its own and says what to do. */
static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < FINDING_CODES; i++) {
		assert_true(strlen(finding_remedy((enum finding_code)i)) > 10);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(finding_name((enum finding_code)i), finding_name((enum finding_code)k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_well, set_up),
		cmocka_unit_test_setup(test_missing_hides_the_rest_of_the_store, set_up),
		cmocka_unit_test_setup(test_store, set_up),
		cmocka_unit_test_setup(test_disk, set_up),
		cmocka_unit_test_setup(test_clock, set_up),
		cmocka_unit_test_setup(test_satellites, set_up),
		cmocka_unit_test_setup(test_standing, set_up),
		cmocka_unit_test_setup(test_router, set_up),
		cmocka_unit_test_setup(test_files, set_up),
		cmocka_unit_test_setup(test_orders, set_up),
		cmocka_unit_test(test_order_and_json),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
