/* Node selection: room, exclusions and networks are respected, and the draw is uniform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "audit/select.h"

#define NODES 40

struct fixture {
	struct candidate candidates[NODES];
	char networks[NODES][32];
	struct random_stream random;
	uint32_t chosen[NODES];
};

/* 40 nodes, two in each network; node i has i MB available. */
static int set_up(void **state)
{
	static struct fixture f;

	for (uint32_t i = 0; i < NODES; i++) {
		snprintf(f.networks[i], sizeof(f.networks[i]), "192.0.%u.0/24", i / 2);
		memset(&f.candidates[i].node, (int)i + 1, sizeof(f.candidates[i].node));
		f.candidates[i].network = f.networks[i];
		f.candidates[i].available = i * UINT64_C(1000000);
	}
	random_stream_init(&f.random, bytes_of_text("selection"));
	*state = &f;
	return 0;
}

static void test_distinct_nodes(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = NODES};
	bool seen[NODES] = {false};

	assert_int_equal(select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen), NODES);
	for (uint32_t i = 0; i < NODES; i++) {
		assert_false(seen[f->chosen[i]]);
		seen[f->chosen[i]] = true;
	}
}

static void test_room(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = NODES, .room = 30000000};
	uint32_t count = select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen);

	assert_int_equal(count, 10);
	for (uint32_t i = 0; i < count; i++)
		assert_in_range(f->chosen[i], 30, 39);
}

static void test_networks(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = NODES, .distinct_networks = true};
	uint32_t count = select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen);

	assert_int_equal(count, NODES / 2);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(f->networks[f->chosen[i]], f->networks[f->chosen[j]]);
}

static void test_excluded(void **state)
{
	struct fixture *f = *state;
	struct address excluded[3] = {f->candidates[39].node, f->candidates[3].node, f->candidates[20].node};
	struct select_rules rules = {.want = NODES, .excluded = excluded, .excluded_count = 3};
	uint32_t count;

	select_sort(excluded, 3);
	assert_true(select_listed(&f->candidates[20].node, excluded, 3));
	assert_false(select_listed(&f->candidates[21].node, excluded, 3));
	count = select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen);
	assert_int_equal(count, NODES - 3);
	for (uint32_t i = 0; i < count; i++)
		assert_true(f->chosen[i] != 39 && f->chosen[i] != 3 && f->chosen[i] != 20);
}

static void test_nobody(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = 5};

	assert_int_equal(select_nodes(f->candidates, 0, &rules, &f->random, f->chosen), 0);
}

/* 8000 draws of 10 from 40: each node is drawn 2000 times, give or take 6 standard deviations (39 each). */
static void test_uniform(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = 10};
	unsigned drawn[NODES] = {0};

	for (int round = 0; round < 8000; round++) {
		assert_int_equal(select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen), 10);
		for (uint32_t i = 0; i < 10; i++)
			drawn[f->chosen[i]]++;
	}
	for (uint32_t i = 0; i < NODES; i++)
		assert_in_range(drawn[i], 2000 - 234, 2000 + 234);
}

/* 8000 draws of one: how often each quarter of the nodes was drawn, the cheapest first. */
static void draw_quarters(struct fixture *f, unsigned cheaper, unsigned drawn[4])
{
	const struct select_rules rules = {.want = 1, .cheaper = cheaper};

	memset(drawn, 0, 4 * sizeof(*drawn));
	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].price = amount_of(100 + i);
	for (int round = 0; round < 8000; round++) {
		assert_int_equal(select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen), 1);
		drawn[f->chosen[0] / (NODES / 4)]++;
	}
}

/* The chance of a quarter is what two draws leave it, 7/16 to 1/16, give or take 6 standard deviations. */
static void test_cheaper(void **state)
{
	unsigned drawn[4];

	draw_quarters(*state, 100, drawn);
	assert_in_range(drawn[0], 3500 - 267, 3500 + 267);
	assert_in_range(drawn[1], 2500 - 249, 2500 + 249);
	assert_in_range(drawn[2], 1500 - 210, 1500 + 210);
	assert_in_range(drawn[3], 500 - 130, 500 + 130);
	draw_quarters(*state, 50, drawn);
	assert_in_range(drawn[0], 2750 - 255, 2750 + 255);
	assert_in_range(drawn[3], 1250 - 195, 1250 + 195);
	draw_quarters(*state, 0, drawn);
	for (int i = 0; i < 4; i++)
		assert_in_range(drawn[i], 2000 - 233, 2000 + 233);
}

/* Of equal prices nobody has an advantage, and a cheap node without room wins over nobody. */
static void test_cheaper_draws_all(void **state)
{
	struct fixture *f = *state;
	struct select_rules rules = {.want = NODES, .room = 1000000, .cheaper = 100};
	bool seen[NODES] = {false};

	for (uint32_t i = 0; i < NODES; i++)
		f->candidates[i].price = amount_of(i / 20);
	assert_int_equal(select_nodes(f->candidates, NODES, &rules, &f->random, f->chosen), NODES - 1);
	for (uint32_t i = 0; i < NODES - 1; i++) {
		assert_int_not_equal(f->chosen[i], 0);
		assert_false(seen[f->chosen[i]]);
		seen[f->chosen[i]] = true;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distinct_nodes), cmocka_unit_test(test_room),
		cmocka_unit_test(test_networks),       cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_nobody),	       cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_cheaper),	       cmocka_unit_test(test_cheaper_draws_all),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
