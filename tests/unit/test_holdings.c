/* Comparing what a satellite counts with what is held: what costs pay is found, and what is in good order is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "node/holdings.h"

#define DAY 20000
#define START ((uint64_t)DAY * USAGE_DAY)
#define MOST 8

static struct holding listed[MOST], held[MOST];
static struct holding_list theirs, ours;
static uint64_t stored[256]; /* by the piece's first byte */

static int set_up(void **state)
{
	(void)state;
	theirs = (struct holding_list){listed, 0, MOST};
	ours = (struct holding_list){held, 0, MOST};
	memset(stored, 0, sizeof(stored));
	return 0;
}

static void list_row(uint8_t piece, uint64_t size, uint64_t from, bool ended)
{
	listed[theirs.count] = (struct holding){
		.piece = {{piece}}, .size = size, .from = from, .order = (uint32_t)theirs.count, .ended = ended};
	theirs.count++;
}

static void hold(uint8_t piece, uint64_t size, uint64_t at)
{
	held[ours.count++] = (struct holding){.piece = {{piece}}, .size = size};
	stored[piece] = at;
}

static uint64_t when(void *arg, const struct bytes32 *piece)
{
	(void)arg;
	return stored[piece->b[0]];
}

static struct holdings judge(void)
{
	struct holdings found = {.day = DAY, .whole = true};

	holdings_judge(&theirs, &ours, when, NULL, &found);
	return found;
}

static void test_alike(void **state)
{
	struct holdings h;

	(void)state;
	list_row(3, 30, START - 9, false);
	list_row(1, 10, START + 5, false);
	hold(1, 10, START + 5);
	hold(3, 30, START - 9);
	hold(2, 20, START + 1); /* stored on that day: it may be committed later */
	h = judge();
	assert_true(holdings_agree(&h));
	assert_int_equal(h.alike.pieces, 2);
	assert_int_equal(h.alike.bytes, 40);
	assert_int_equal(h.unlisted.pieces + h.absent.pieces + h.ended.pieces, 0);
}

static void test_unlisted(void **state)
{
	struct holdings h;

	(void)state;
	list_row(1, 10, START - 50, false);
	hold(1, 10, START - 50);
	hold(2, 20, START - 1);
	hold(4, 40, 0); /* gone when it was looked at */
	h = judge();
	assert_false(holdings_agree(&h));
	assert_int_equal(h.unlisted.pieces, 1);
	assert_int_equal(h.unlisted.bytes, 20);
	h.alike.bytes = 180; /* no more than uploads leave */
	assert_true(holdings_agree(&h));
	h.alike.bytes = 179;
	assert_false(holdings_agree(&h));
	h.whole = false; /* what came before our first usage may be among what was carried into it */
	assert_true(holdings_agree(&h));
}

/* The last row about a piece counts; one that ended is to be deleted, one that is not held was perhaps. */
static void test_ended_and_absent(void **state)
{
	struct holdings h;

	(void)state;
	list_row(1, 10, START - 50, false);
	list_row(1, 10, START - 50, true);
	list_row(2, 20, START - 50, true);
	list_row(2, 20, START - 40, false);
	list_row(5, 50, START - 40, true);
	list_row(6, 60, START - 40, false);
	hold(1, 10, START - 50);
	hold(2, 20, START - 40);
	h = judge();
	assert_true(holdings_agree(&h));
	assert_int_equal(h.ended.pieces, 1);
	assert_int_equal(h.alike.bytes, 20);
	assert_int_equal(h.absent.pieces, 1);
	assert_int_equal(h.absent.bytes, 60);
}

static void test_other_size_and_time(void **state)
{
	struct holdings h;

	(void)state;
	list_row(1, 9, START - 50, false);
	list_row(2, 20, START + 7, false);
	list_row(3, 30, START - 7, false);
	hold(1, 10, START - 50);
	hold(2, 20, START + 6);
	hold(3, 30, START - 8); /* looked at on its day, not ever after */
	h = judge();
	assert_false(holdings_agree(&h));
	assert_int_equal(h.other_size, 1);
	assert_int_equal(h.other_time, 1);
}

static void test_nothing(void **state)
{
	struct holdings h;

	(void)state;
	theirs.list = NULL;
	ours.list = NULL;
	h = judge();
	assert_true(holdings_agree(&h));
	assert_int_equal(h.alike.pieces, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_alike), TEST(test_unlisted), TEST(test_ended_and_absent),
					   TEST(test_other_size_and_time), TEST(test_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
