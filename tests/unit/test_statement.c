/* What a signed statement may not say: each number of it, and each line, changed by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payments/month.h"
#include "payments/u256.h"

#define TB 1000000000000ull
#define DAY 86400ull
#define JANUARY_2026 1767225600ull

static const struct prices prices = {AMOUNT_INIT(150), AMOUNT_INIT(200), AMOUNT_INIT(30), AMOUNT_INIT(40)};
static struct closed_month closed;

static void close_month(uint64_t registered, uint64_t stored, const struct month_before *before)
{
	struct standing standing = {.registered = registered};
	struct month month;

	month_begin(&month, JANUARY_2026);
	assert_int_equal(month_add_stored(&month, byte_seconds_of(stored, 31 * DAY), &prices), ERR_OK);
	assert_int_equal(month_add_traffic(&month, ACTION_GET, TB, &prices), ERR_OK);
	assert_int_equal(month_close(&month, &held_default, &standing, before, &closed), ERR_OK);
}

/* Storage, egress, released, carried, deducted: in its 16th month, from October 2024 on. */
static void old_month(void)
{
	struct month_before before = {.rolled = amount_of(20), .deduct = amount_of(30)};

	before.held.withheld = amount_of(501);
	close_month(JANUARY_2026 - 480 * DAY, TB, &before);
}

/* Egress and three quarters of it held. */
static void young_month(void)
{
	struct month_before before = {.rolled = amount_of(0)};

	close_month(JANUARY_2026, 0, &before);
}

static struct statement statement_of_month(void)
{
	struct statement_parties parties = {{{1}}, {{2}}, {{3}}, u256_of(5000)};
	struct bytes32 before = u256_of(1000);
	struct statement statement;

	assert_int_equal(month_statement(&closed, &parties, &before, true, &statement), ERR_OK);
	assert_int_equal(statement_check(&statement, &closed.sheet), STATEMENT_SOUND);
	return statement;
}

/* A satellite that signs over lines that it can show, but that do not make what it pays. */
static enum statement_fault recommitted(struct statement statement)
{
	sheet_commit(&closed.sheet, &statement.lines);
	return statement_check(&statement, &closed.sheet);
}

static void test_false_numbers(void **state)
{
	struct statement good, bad;

	(void)state;
	old_month();
	good = statement_of_month();
	bad = good, bad.period = 202600;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_PERIOD);
	bad = good, bad.lines.b[5] ^= 1;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_LINES);
	bad = good, bad.earned--;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_EARNED);
	bad = good, bad.held++;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_HELD);
	bad = good, bad.released--;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_RELEASED);
	bad = good, bad.forfeited++;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_FORFEITED);
	bad = good, bad.paid--;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_PAID);
	bad = good, bad.rolled++;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_PAID);
	bad = good, bad.rolled = bad.paid;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_PAID);
	bad = good, bad.paid = 0;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_PAID);
	bad = good, bad.nodeCumulative = u256_of(good.paid - 1);
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_CUMULATIVE);
	bad = good, bad.payeeCumulative = u256_of(good.paid - 1);
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_CUMULATIVE);
	/* February has fewer seconds, so a byte-second is worth more there. */
	bad = good, bad.period = 202602;
	assert_int_equal(statement_check(&bad, &closed.sheet), STATEMENT_FAULT_AMOUNT);
}

static void test_false_lines(void **state)
{
	struct statement good;

	(void)state;
	young_month();
	good = statement_of_month();
	assert_int_equal(recommitted(good), STATEMENT_SOUND);
	closed.sheet.lines[0].amount = amount_of(199);
	assert_int_equal(recommitted(good), STATEMENT_FAULT_AMOUNT);
	closed.sheet.lines[0].amount = amount_of(200);
	closed.sheet.lines[1].quantity = 74;
	assert_int_equal(recommitted(good), STATEMENT_FAULT_AMOUNT);
	closed.sheet.lines[1].quantity = 101;
	closed.sheet.lines[1].amount = amount_of(202);
	assert_int_equal(recommitted(good), STATEMENT_FAULT_SUM);
	closed.sheet.lines[0].quantity = ~(uint128)0;
	assert_int_equal(recommitted(good), STATEMENT_FAULT_AMOUNT);
}

static void test_fault_texts(void **state)
{
	(void)state;
	for (int i = 0; i < STATEMENT_FAULTS; i++) {
		assert_true(strlen(statement_fault_text((enum statement_fault)i)) > 0);
	}
	assert_string_equal(statement_fault_text((enum statement_fault)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_false_numbers),
		cmocka_unit_test(test_false_lines),
		cmocka_unit_test(test_fault_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
