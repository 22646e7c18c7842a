/* The simulation of durability: its drives fail as often as told, its figures are those that paper predicts, and it can
 * tell a policy that loses segments from one that does not. Small networks, so that all takes seconds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/drives.h"
#include "audit/simulate.h"
#include "tests/kit/effort.h"

/* Of 200 nodes and 500 segments, seed 1. */
#define FAILURES 384
#define REPAIRS 2184
#define MIN_HEALTHY 50

static struct simulate_plan small_plan(uint32_t nodes, uint32_t segments)
{
	struct simulate_plan plan = simulate_defaults;

	plan.nodes = nodes;
	plan.segments = segments;
	return plan;
}

static struct simulate_result run(const struct simulate_plan *plan)
{
	struct simulate_result result;
	char why[200] = "";

	assert_int_equal(simulate_check(plan, why, sizeof(why)), ERR_OK);
	simulate_run(plan, &result);
	return result;
}

static void assert_near(double value, double expected, double share)
{
	if (fabs(value / expected - 1) > share)
		fail_msg("%g is not within %g of %g", value, share, expected);
}

/* At every time each place has one drive that has not begun to leave. */
static void test_lives_follow_each_other(void **state)
{
	struct simulate_plan plan = small_plan(100, 1);
	uint32_t *since, gone = 0;
	struct drives drives;

	(void)state;
	plan.daily_failure = 5000000;
	plan.churn = SIMULATE_CERTAIN / 2;
	plan.outage = SIMULATE_CERTAIN / 10;
	drives_init(&plan, &drives);
	since = calloc(plan.nodes, sizeof(*since));
	for (uint32_t i = 0; i < drives.count; i++) {
		const struct drive *drive = &drives.drives[i];

		assert_in_range(drive->place, 0, plan.nodes - 1);
		if (drive->born >= 0)
			assert_int_equal((uint32_t)drive->born, since[drive->place]);
		if (i > plan.nodes)
			assert_true(drive->born >= drive[-1].born);
		assert_true(drive->gone >= drive->leaving);
		since[drive->place] = drive->leaving;
		gone += drive->leaving != DRIVES_NEVER;
	}
	for (uint32_t place = 0; place < plan.nodes; place++)
		assert_int_equal(since[place], DRIVES_NEVER);
	assert_int_equal(gone, drives.failures + drives.outages + drives.exits);
	assert_near((double)drives.failures, 100 * 3650 * 0.005, 0.1);
	assert_near((double)drives.exits, 100 * 10 * 0.5, 0.2);
	assert_in_range(drives.outages, 95, 100); /* one that failed on that day is not lost again */
	free(since);
	drives_free(&drives);
}

/* New and old drives fail more often than others. */
static void test_bathtub(void **state)
{
	struct simulate_plan plan = small_plan(1000, 1);
	unsigned infants = 0, adults = 0;
	struct drives drives;

	(void)state;
	plan.model = SIMULATE_BATHTUB;
	plan.daily_failure = 1000000;
	drives_init(&plan, &drives);
	assert_true(drives.failures > 3650 + 400);
	for (uint32_t i = plan.nodes; i < drives.count; i++) {
		uint32_t age = drives.drives[i].leaving - (uint32_t)drives.drives[i].born;

		infants += age < 45;
		adults += age >= 200 && age < 245;
	}
	assert_true(infants > 2 * adults);
	drives_free(&drives);
}

/* Networks that fail whole do not make drives fail more often; who fails on a day has neighbours that do. */
static void test_networks_fail_whole(void **state)
{
	struct simulate_plan plan = small_plan(1000, 1);
	unsigned together = 0;
	struct drives drives;

	(void)state;
	plan.model = SIMULATE_NETWORKS;
	plan.network_nodes = 10;
	drives_init(&plan, &drives);
	assert_near((double)drives.failures, 1000 * 3650 * 0.0005, 0.25);
	for (uint32_t i = plan.nodes + 1; i < drives.count; i++)
		together += drives.drives[i].born == drives.drives[i - 1].born &&
			    drives.drives[i].place / 10 == drives.drives[i - 1].place / 10;
	assert_in_range(together, drives.failures / 4, drives.failures * 2 / 3);
	drives_free(&drives);
}

static void test_same_seed(void **state)
{
	struct simulate_plan plan = small_plan(200, 500);
	struct simulate_result first = run(&plan), second = run(&plan), other;

	(void)state;
	assert_memory_equal(first.months, second.months, first.month_count * sizeof(*first.months));
	assert_int_equal(first.repairs, second.repairs);
	assert_int_equal(first.uploaded, second.uploaded);
	plan.seed = 2;
	other = run(&plan);
	assert_memory_not_equal(first.months, other.months, first.month_count * sizeof(*first.months));
	simulate_result_free(&first);
	simulate_result_free(&second);
	simulate_result_free(&other);
}

/* Integers only: what one machine finds, all do. */
static void test_same_everywhere(void **state)
{
	struct simulate_plan plan = small_plan(200, 500);
	struct simulate_result result = run(&plan);

	(void)state;
	assert_int_equal(result.failures, FAILURES);
	assert_int_equal(result.repairs, REPAIRS);
	assert_int_equal(result.min_healthy, MIN_HEALTHY);
	simulate_result_free(&result);
}

static void test_usual_policy_loses_nothing(void **state)
{
	struct simulate_plan plan = small_plan(2000, 3000);
	struct simulate_result result = run(&plan);
	struct simulate_estimate paper;
	uint64_t failures = 0, repairs = 0;

	(void)state;
	simulate_estimate(&plan, &paper);
	assert_near(paper.failures_per_day, 1, 1e-9);
	assert_near(paper.repairs_per_segment_year, 365 * 0.0005 / log(80.0 / 52), 1e-9);
	assert_near(simulate_repairs_per_segment_year(&plan, &result), paper.repairs_per_segment_year, 0.03);
	assert_near(simulate_traffic_per_stored_byte_year(&plan, &result), paper.traffic_per_stored_byte_year, 0.03);
	assert_int_equal(result.lost, 0);
	assert_in_range(result.min_healthy, 46, 52);
	assert_near(simulate_loss_per_segment_year(&plan, &result), 3.0 / 30000, 1e-9);
	for (uint32_t i = 0; i < result.month_count; i++) {
		failures += result.months[i].failures;
		repairs += result.months[i].repairs;
		assert_int_equal(result.months[i].waiting, 0);
	}
	assert_int_equal(failures, result.failures);
	assert_int_equal(repairs, result.repairs);
	simulate_result_free(&result);
}

/* 17 of 20, repaired a week after the first loss: about 2e-4 a segment and year. */
static void test_weak_code_loses(void **state)
{
	struct simulate_plan plan = small_plan(2000, 20000);
	struct simulate_estimate paper;
	struct simulate_result result;

	(void)state;
	plan.redundancy = (struct redundancy){17, 19, 20, 20};
	plan.repair_delay = 7;
	result = run(&plan);
	simulate_estimate(&plan, &paper);
	assert_in_range(result.lost, 12, 60); /* 200,000 segment years */
	assert_in_range(paper.loss_per_segment_year * 1e6, 100, 300);
	assert_near(simulate_repairs_per_segment_year(&plan, &result), paper.repairs_per_segment_year, 0.1);
	assert_true(result.min_healthy < 17);
	simulate_result_free(&result);
}

static struct simulate_result run_outage(uint16_t repair)
{
	struct simulate_plan plan = small_plan(2000, 5000);

	plan.redundancy.repair = repair;
	plan.outage = SIMULATE_CERTAIN / 10;
	return run(&plan);
}

/* A tenth of all drives at once each year: a threshold of 35 is too low. */
static void test_outages(void **state)
{
	struct simulate_result low = run_outage(35), high = run_outage(52);
	struct simulate_plan plan = small_plan(2000, 5000);
	struct simulate_estimate paper;

	(void)state;
	assert_in_range(low.outages, 1990, 2000);
	assert_in_range(low.lost, 20, 150); /* about 1 % */
	assert_int_equal(high.lost, 0);
	plan.redundancy.repair = 35;
	plan.outage = SIMULATE_CERTAIN / 10;
	simulate_estimate(&plan, &paper);
	assert_near((double)low.lost / 50000, paper.loss_per_segment_year, 0.5);
	simulate_result_free(&low);
	simulate_result_free(&high);
}

/* The rule of distinct networks is what keeps whole networks from mattering. */
static void test_shared_networks(void **state)
{
	struct simulate_plan plan = small_plan(400, 3000);
	struct simulate_result apart, shared;

	(void)state;
	plan.redundancy = (struct redundancy){4, 6, 10, 12};
	plan.model = SIMULATE_NETWORKS;
	plan.network_nodes = 20;
	plan.daily_failure = 2000000;
	apart = run(&plan);
	plan.share_networks = true;
	shared = run(&plan);
	assert_int_equal(apart.failures, shared.failures);
	assert_true(shared.min_healthy < apart.min_healthy);
	assert_true(shared.lost > apart.lost);
	simulate_result_free(&apart);
	simulate_result_free(&shared);
}

/* Pieces of nodes that leave in good order move away in time: nothing is lost or rebuilt, though all leave each year.
 */
static void test_churn(void **state)
{
	struct simulate_plan plan = small_plan(500, 1000);
	struct simulate_estimate paper;
	struct simulate_result result;

	(void)state;
	plan.daily_failure = 0;
	plan.churn = SIMULATE_CERTAIN;
	plan.years = 5;
	result = run(&plan);
	simulate_estimate(&plan, &paper);
	assert_int_equal(result.failures, 0);
	assert_near((double)result.exits, 2500, 0.1);
	assert_int_equal(result.lost, 0);
	assert_true(result.repairs < 300 && result.moved > 200000);
	assert_near(simulate_traffic_per_stored_byte_year(&plan, &result), paper.traffic_per_stored_byte_year, 0.25);
	simulate_result_free(&result);
	/* a delay of repairs is kept though a node leaves meanwhile, and pieces move though a repair is due later */
	plan.daily_failure = 500000;
	plan.repair_delay = 60;
	result = run(&plan);
	assert_int_equal(result.lost, 0);
	assert_true(result.moved > 10 * result.repairs);
	assert_in_range(result.min_healthy, 40, 50);
	simulate_result_free(&result);
}

/* With too little bandwidth segments wait and get worse, in the order of their danger: none is lost while others,
 * better off, are repaired. */
static void test_bandwidth(void **state)
{
	struct simulate_plan plan = small_plan(1000, 2000);
	struct simulate_result free_run = run(&plan), tight;
	uint32_t waiting = 0;

	(void)state;
	/* 2000 segments · 0.42 repairs a year · 57 pieces of 2 MiB are 3185 bytes a second */
	plan.bandwidth = 3000;
	tight = run(&plan);
	for (uint32_t i = 0; i < tight.month_count; i++)
		waiting = tight.months[i].waiting > waiting ? tight.months[i].waiting : waiting;
	assert_true(waiting > 20);
	assert_true(tight.min_healthy < free_run.min_healthy);
	assert_true((tight.downloaded + tight.uploaded) * 2097152 <= 3000ULL * 86400 * 3650 + 80 * 2097152);
	assert_true((tight.downloaded + tight.uploaded) * 2097152 > 2700ULL * 86400 * 3650);
	assert_int_equal(tight.lost, 0);
	assert_true(tight.min_healthy > 40);
	simulate_result_free(&free_run);
	simulate_result_free(&tight);
}

/* As many nodes as pieces: whoever fails is followed by one that takes its place. */
static void test_smallest_network(void **state)
{
	struct simulate_plan plan = small_plan(80, 50);
	struct simulate_result result = run(&plan);

	(void)state;
	assert_int_equal(result.lost, 0);
	assert_true(result.repairs > 100);
	simulate_result_free(&result);
	plan = small_plan(1, 1);
	plan.redundancy = (struct redundancy){1, 1, 1, 1};
	plan.daily_failure = SIMULATE_CERTAIN;
	result = run(&plan);
	assert_int_equal(result.lost, 1);
	assert_int_equal(result.failures, 3650);
	assert_int_equal(result.min_healthy, 0);
	simulate_result_free(&result);
}

static void run_whole(struct simulate_plan plan, uint64_t least_lost, uint64_t most_lost)
{
	struct simulate_result result = run(&plan);
	struct simulate_estimate paper;

	simulate_estimate(&plan, &paper);
	print_message("# seed %u, repair at %u, outage %g: %.3f failures a day, %.4f repairs a year (paper %.4f), "
		      "traffic %.4f, lowest %u, lost %llu\n",
		      (unsigned)plan.seed, plan.redundancy.repair, plan.outage / (double)SIMULATE_CERTAIN,
		      simulate_failures_per_day(&plan, &result), simulate_repairs_per_segment_year(&plan, &result),
		      paper.repairs_per_segment_year, simulate_traffic_per_stored_byte_year(&plan, &result),
		      (unsigned)result.min_healthy, (unsigned long long)result.lost);
	assert_in_range(result.failures, 3650 * 488 / 100, 3650 * 512 / 100);
	assert_near(simulate_repairs_per_segment_year(&plan, &result), paper.repairs_per_segment_year, 0.05);
	assert_in_range(result.lost, least_lost, most_lost);
	simulate_result_free(&result);
}

/* Ten thousand drives, of which five fail each day (the standard deviation over ten years is 0.037), and nothing is
 * lost. In a soak with a million segments, and with policies that do lose some: three minutes. */
static void test_whole_size(void **state)
{
	struct simulate_plan plan = simulate_defaults;

	(void)state;
	plan.segments = (uint32_t)effort(10000, simulate_defaults.segments);
	for (plan.seed = 1; plan.seed <= 3; plan.seed++)
		run_whole(plan, 0, 0);
	if (plan.segments < simulate_defaults.segments)
		return;
	plan.seed = 1;
	plan.outage = SIMULATE_CERTAIN / 10;
	run_whole(plan, 0, 0);
	plan.redundancy.repair = 35;
	run_whole(plan, 3000, 30000); /* of the order of 1 % */
	plan.outage = 0;
	plan.redundancy = (struct redundancy){17, 19, 20, 20};
	plan.repair_delay = 7;
	run_whole(plan, 1000, 4000); /* 1e-4 to 4e-4 a segment and year */
}

static void test_check(void **state)
{
	struct simulate_plan plan;
	char why[200];

	(void)state;
	plan = small_plan(79, 1);
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	assert_non_null(strstr(why, "nodes"));
	plan = small_plan(790, 1);
	plan.network_nodes = 10;
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	plan.share_networks = true;
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_OK);
	plan = small_plan(100, 100000000);
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	assert_non_null(strstr(why, "segments"));
	plan = small_plan(1000000, 1);
	plan.daily_failure = SIMULATE_CERTAIN / 10;
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	assert_non_null(strstr(why, "come and go"));
	plan = small_plan(100, 0);
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	plan = small_plan(100, 1);
	plan.years = 101;
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
	plan = small_plan(100, 1);
	plan.outage = SIMULATE_CERTAIN + 1;
	assert_int_equal(simulate_check(&plan, why, sizeof(why)), ERR_RANGE);
}

static void test_nines(void **state)
{
	(void)state;
	assert_near(simulate_nines(0.001), 3, 1e-9);
	assert_true(simulate_nines(1) == 0);
	assert_true(simulate_nines(0) == 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives_follow_each_other),
		cmocka_unit_test(test_bathtub),
		cmocka_unit_test(test_networks_fail_whole),
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_same_everywhere),
		cmocka_unit_test(test_usual_policy_loses_nothing),
		cmocka_unit_test(test_weak_code_loses),
		cmocka_unit_test(test_outages),
		cmocka_unit_test(test_shared_networks),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_smallest_network),
		cmocka_unit_test(test_whole_size),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_nines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
