/* Node selection: room, exclusions, networks and the proportion of new nodes are respected, the draw is uniform, and
 * competition stays within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/select.h"
#include "common/memory.h"

#define NODES 40

struct fixture {
	struct candidate candidates[NODES];
	char networks[NODES][32];
	struct select_set *set;
	struct random_stream random;
	uint32_t chosen[NODES];
};

/* 40 vetted nodes, two in each network; node i has i MB available. */
static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	for (uint32_t i = 0; i < NODES; i++) {
		snprintf(f->networks[i], sizeof(f->networks[i]), "192.0.%u.0/24", i / 2);
		memset(&f->candidates[i].node, (int)(i * 7 % NODES) + 1, sizeof(f->candidates[i].node));
		f->candidates[i].network = f->networks[i];
		f->candidates[i].available = i * UINT64_C(1000000);
		f->candidates[i].quality = SELECT_QUALITY_USUAL;
		f->candidates[i].vetted = true;
	}
	f->set = select_set_new(f->candidates, NODES);
	random_stream_init(&f->random, bytes_of_text("selection"));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	select_set_free(f->set);
	free(f);
	return 0;
}

/* A choice with nothing excluded. */
static uint32_t choose(struct fixture *f, const struct select_rules *rules)
{
	select_begin(f->set);
	return select_nodes(f->set, rules, &f->random, f->chosen);
}

static void assert_distinct(const uint32_t *chosen, uint32_t count)
{
	bool seen[NODES] = {false};

	for (uint32_t i = 0; i < count; i++) {
		assert_in_range(chosen[i], 0, NODES - 1);
		assert_false(seen[chosen[i]]);
		seen[chosen[i]] = true;
	}
}

static void test_distinct_nodes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(choose(f, &(struct select_rules){.want = NODES}), NODES);
	assert_distinct(f->chosen, NODES);
	assert_int_equal(choose(f, &(struct select_rules){.want = 0}), 0);
}

static void test_room(void **state)
{
	struct fixture *f = *state;
	uint32_t count = choose(f, &(struct select_rules){.want = NODES, .room = 30000000});

	assert_int_equal(count, 10);
	for (uint32_t i = 0; i < count; i++)
		assert_in_range(f->chosen[i], 30, 39);
	/* room may change under the set */
	f->candidates[39].available = 0;
	assert_int_equal(choose(f, &(struct select_rules){.want = NODES, .room = 30000000}), 9);
}

static void test_networks(void **state)
{
	struct fixture *f = *state;
	uint32_t count = choose(f, &(struct select_rules){.want = NODES, .distinct_networks = true});

	assert_int_equal(count, NODES / 2);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(f->networks[f->chosen[i]], f->networks[f->chosen[j]]);
}

static void test_excluded(void **state)
{
	struct fixture *f = *state;
	struct address unknown;
	uint32_t count;

	memset(&unknown, 0xee, sizeof(unknown));
	select_begin(f->set);
	select_exclude(f->set, &f->candidates[39].node);
	select_exclude(f->set, &f->candidates[3].node);
	select_exclude(f->set, &f->candidates[20].node);
	select_exclude(f->set, &unknown);
	count = select_nodes(f->set, &(struct select_rules){.want = NODES}, &f->random, f->chosen);
	assert_int_equal(count, NODES - 3);
	for (uint32_t i = 0; i < count; i++)
		assert_true(f->chosen[i] != 39 && f->chosen[i] != 3 && f->chosen[i] != 20);
	assert_int_equal(choose(f, &(struct select_rules){.want = NODES}), NODES);
}

/* Repair adds to what a segment has: neither those nodes nor their networks, known to the set or not. */
static void test_held(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = NODES, .distinct_networks = true};
	uint32_t count;

	select_begin(f->set);
	select_hold(f->set, 7);
	select_hold_network(f->set, "192.0.10.0/24");
	select_hold_network(f->set, "203.0.113.0/24");
	count = select_nodes(f->set, &rules, &f->random, f->chosen);
	assert_int_equal(count, NODES / 2 - 2);
	for (uint32_t i = 0; i < count; i++)
		assert_true(f->chosen[i] / 2 != 3 && f->chosen[i] / 2 != 10);
	rules.distinct_networks = false;
	select_begin(f->set);
	select_hold(f->set, 7);
	select_hold_network(f->set, "192.0.10.0/24");
	assert_int_equal(select_nodes(f->set, &rules, &f->random, f->chosen), NODES - 1);
}

/* What was chosen is held: a choice can be made in parts. */
static void test_in_parts(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = 10, .distinct_networks = true};
	uint32_t chosen[NODES];

	select_begin(f->set);
	assert_int_equal(select_nodes(f->set, &rules, &f->random, chosen), 10);
	assert_int_equal(select_nodes(f->set, &rules, &f->random, chosen + 10), 10);
	assert_int_equal(select_nodes(f->set, &rules, &f->random, chosen + 20), 0);
	assert_distinct(chosen, 20);
}

static void test_nobody(void **state)
{
	struct fixture *f = *state;
	struct select_set *empty = select_set_new(NULL, 0);

	select_begin(empty);
	select_exclude(empty, &f->candidates[0].node);
	select_hold_network(empty, "192.0.2.0/24");
	assert_int_equal(select_nodes(empty, &(struct select_rules){.want = 5}, &f->random, f->chosen), 0);
	select_set_free(empty);
}

/* 8000 draws of 10 from 40: each node is drawn 2000 times, and stands in front 200 times, give or take 6 standard
 * deviations (39 and 14 each). */
static void test_uniform(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = 10};
	unsigned drawn[NODES] = {0}, in_front[NODES] = {0};

	for (int round = 0; round < 8000; round++) {
		assert_int_equal(choose(f, &rules), 10);
		in_front[f->chosen[0]]++;
		for (uint32_t i = 0; i < 10; i++)
			drawn[f->chosen[i]]++;
	}
	for (uint32_t i = 0; i < NODES; i++) {
		assert_in_range(drawn[i], 2000 - 234, 2000 + 234);
		assert_in_range(in_front[i], 200 - 84, 200 + 84);
	}
}

/* Nodes 0 to 9 are new. */
static void make_new(struct fixture *f)
{
	for (uint32_t i = 0; i < 10; i++)
		f->candidates[i].vetted = false;
	select_renew(f->set);
}

/* 7 % of 20 are 1 or 2, 1.4 on average, in any of the 20 places. */
static void test_new_nodes(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = 20, .new_nodes = 7};
	unsigned sum = 0, at[20] = {0};

	make_new(f);
	for (int round = 0; round < 8000; round++) {
		unsigned fresh = 0;

		assert_int_equal(choose(f, &rules), 20);
		assert_distinct(f->chosen, 20);
		for (uint32_t i = 0; i < 20; i++) {
			fresh += f->chosen[i] < 10;
			at[i] += f->chosen[i] < 10;
		}
		assert_in_range(fresh, 1, 2);
		sum += fresh;
	}
	assert_in_range(sum, 11200 - 263, 11200 + 263);
	for (uint32_t i = 0; i < 20; i++)
		assert_in_range(at[i], 560 - 140, 560 + 140);
}

/* Where one kind is too few, the other fills up. */
static void test_too_few_of_a_kind(void **state)
{
	struct fixture *f = *state;

	make_new(f);
	assert_int_equal(choose(f, &(struct select_rules){.want = 36}), 36);
	assert_int_equal(choose(f, &(struct select_rules){.want = 36, .new_nodes = 100}), 36);
	assert_int_equal(choose(f, &(struct select_rules){.want = NODES + 5, .new_nodes = 5}), NODES);
	assert_distinct(f->chosen, NODES);
	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].vetted = false;
	select_renew(f->set);
	assert_int_equal(choose(f, &(struct select_rules){.want = 30, .new_nodes = 5}), 30);
}

/* 8000 draws of one: how often each quarter of the nodes was drawn. */
static void draw_quarters(struct fixture *f, unsigned cheaper, unsigned better, unsigned drawn[4])
{
	const struct select_rules rules = {.want = 1, .cheaper = cheaper, .better = better};

	memset(drawn, 0, 4 * sizeof(*drawn));
	for (int round = 0; round < 8000; round++) {
		assert_int_equal(choose(f, &rules), 1);
		drawn[f->chosen[0] / (NODES / 4)]++;
	}
}

/* The chance of a quarter is what two draws leave it, 7/16 to 1/16, give or take 6 standard deviations. */
static void test_cheaper(void **state)
{
	struct fixture *f = *state;
	unsigned drawn[4];

	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].price = amount_of(100 + i);
	draw_quarters(f, 100, 0, drawn);
	assert_in_range(drawn[0], 3500 - 267, 3500 + 267);
	assert_in_range(drawn[1], 2500 - 249, 2500 + 249);
	assert_in_range(drawn[2], 1500 - 210, 1500 + 210);
	assert_in_range(drawn[3], 500 - 130, 500 + 130);
	draw_quarters(f, 50, 0, drawn);
	assert_in_range(drawn[0], 2750 - 255, 2750 + 255);
	assert_in_range(drawn[3], 1250 - 195, 1250 + 195);
	draw_quarters(f, 0, 0, drawn);
	for (int i = 0; i < 4; i++)
		assert_in_range(drawn[i], 2000 - 233, 2000 + 233);
}

/* Of equal prices nobody has an advantage, and a cheap node without room wins over nobody. */
static void test_cheaper_draws_all(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].price = amount_of(i / 20);
	assert_int_equal(choose(f, &(struct select_rules){.want = NODES, .room = 1000000, .cheaper = 100}), NODES - 1);
	assert_distinct(f->chosen, NODES - 1);
	for (uint32_t i = 0; i < NODES - 1; i++)
		assert_int_not_equal(f->chosen[i], 0);
}

/* Twice the quality wins two of three draws of two. One node of quality 1000 among nodes of 0 has twice its share,
 * one of 0 among others keeps half of it when half of the draws are without competition. */
static void test_better(void **state)
{
	struct fixture *f = *state;
	unsigned drawn[4];

	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].quality = i < NODES / 2 ? 1000 : 500;
	draw_quarters(f, 0, 100, drawn);
	/* 1/4 + 1/2 · 2/3 for the better half: 7/12 */
	assert_in_range(drawn[0] + drawn[1], 4667 - 265, 4667 + 265);
	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].quality = i < NODES / 4 ? 0 : SELECT_QUALITY_MAX;
	draw_quarters(f, 0, 50, drawn);
	/* 1/2 · 1/4 + 1/2 · 1/16 */
	assert_in_range(drawn[0], 1250 - 195, 1250 + 195);
}

/* However prices and qualities lie: no node is drawn more than twice its share, nor less than what is drawn without
 * competition. 20,000 draws of one from 40: a share is 500, its standard deviation at most 31. */
static void test_competition_is_bounded(void **state)
{
	struct fixture *f = *state;
	const struct select_rules rules = {.want = 1, .cheaper = 40, .better = 30};

	for (int kind = 0; kind < 3; kind++) {
		unsigned drawn[NODES] = {0};

		for (uint32_t i = 0; i < NODES; i++) {
			f->candidates[i].price = amount_of(kind == 0 ? i : kind == 1 ? i != 0 : i == 0);
			f->candidates[i].quality = (uint16_t)(kind == 0	  ? 1000 - i * 25
							      : kind == 1 ? (i == 0) * 1000
									  : (i != 0) * 1000);
		}
		for (int round = 0; round < 20000; round++) {
			assert_int_equal(choose(f, &rules), 1);
			drawn[f->chosen[0]]++;
		}
		for (uint32_t i = 0; i < NODES; i++)
			assert_in_range(drawn[i], 150 - 6 * 13, 1000 + 6 * 31);
		if (kind == 1)
			assert_in_range(drawn[0], 850 - 6 * 29, 850 + 6 * 29); /* 500 · (0.3 + 2 · 0.4 + 2 · 0.3) */
	}
}

static void test_quality(void **state)
{
	(void)state;
	assert_int_equal(select_quality(&(struct select_record){0, 0, 0}, 0), SELECT_QUALITY_USUAL);
	assert_int_equal(select_quality(&(struct select_record){0, 10, 0}, 0), SELECT_QUALITY_USUAL / 4);
	assert_int_equal(select_quality(&(struct select_record){1000000, 0, 1}, 100), SELECT_QUALITY_MAX);
	assert_int_equal(select_quality(&(struct select_record){1000000, 0, 100000}, 100), SELECT_QUALITY_USUAL / 2);
	assert_int_equal(select_quality(&(struct select_record){0, UINT64_MAX, UINT32_MAX}, 1), 0);
	for (uint32_t failed = 0; failed < 100; failed++) {
		struct select_record record = {50, failed, 80}, worse = {50, failed + 1, 80}, slower = {50, failed, 90};

		assert_true(select_quality(&worse, 100) <= select_quality(&record, 100));
		assert_true(select_quality(&slower, 100) <= select_quality(&record, 100));
	}
}

static void test_address_list(void **state)
{
	struct fixture *f = *state;
	struct address list[3] = {f->candidates[39].node, f->candidates[3].node, f->candidates[20].node};

	select_sort(list, 3);
	assert_true(select_listed(&f->candidates[20].node, list, 3));
	assert_false(select_listed(&f->candidates[21].node, list, 3));
	assert_false(select_listed(&f->candidates[20].node, list, 0));
}

#define WITH_NODES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_NODES(test_distinct_nodes), WITH_NODES(test_room),
		WITH_NODES(test_networks),	 WITH_NODES(test_excluded),
		WITH_NODES(test_held),		 WITH_NODES(test_in_parts),
		WITH_NODES(test_nobody),	 WITH_NODES(test_uniform),
		WITH_NODES(test_new_nodes),	 WITH_NODES(test_too_few_of_a_kind),
		WITH_NODES(test_cheaper),	 WITH_NODES(test_cheaper_draws_all),
		WITH_NODES(test_better),	 WITH_NODES(test_competition_is_bounded),
		cmocka_unit_test(test_quality),	 WITH_NODES(test_address_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
