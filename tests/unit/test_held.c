/* The held-back schedule: months of age, percentages, release, exit, forfeit, and an account that always balances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "payments/held.h"

#define JANUARY_2026 1767225600ull
#define DAY 86400ull

/* The start of the n-th month from January 2026 on, 1 being that. */
static uint64_t month_number(unsigned n)
{
	uint64_t at = JANUARY_2026;

	while (--n > 0)
		at = month_end(at);
	return at;
}

static void test_month(void **state)
{
	(void)state;
	assert_int_equal(held_month(JANUARY_2026, JANUARY_2026), 1);
	assert_int_equal(held_month(JANUARY_2026 + 31 * DAY - 1, JANUARY_2026), 1);
	assert_int_equal(held_month(JANUARY_2026 + 31 * DAY - 1, JANUARY_2026 + 31 * DAY), 2);
	assert_int_equal(held_month(JANUARY_2026 + 31 * DAY, JANUARY_2026), 0);
	assert_int_equal(held_month(JANUARY_2026, month_number(12)), 12);
	assert_int_equal(held_month(JANUARY_2026, month_number(13)), 13);
	assert_int_equal(held_month(JANUARY_2026 - 1, JANUARY_2026), 2);
	assert_int_equal(held_month(0, 0), 1);
}

static void test_percent(void **state)
{
	static const unsigned want[] = {0, 75, 75, 75, 50, 50, 50, 25, 25, 25, 0, 0, 0, 0, 0, 0, 0};

	(void)state;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(held_percent(&held_default, i), want[i]);
	assert_int_equal(held_percent(&held_default, HELD_MONTHS), 0);
	assert_int_equal(held_percent(&held_default, HELD_MONTHS + 1), 0);
	assert_int_equal(held_percent(&held_default, UINT32_MAX), 0);
}

static void test_parse(void **state)
{
	struct held_schedule s = {.percent = {1, 2, 3}, .release_percent = 9, .release_after = 8};

	(void)state;
	assert_int_equal(held_parse("75:3,50:3,25:3", &s), ERR_OK);
	assert_memory_equal(s.percent, held_default.percent, sizeof(s.percent));
	assert_int_equal(s.release_percent, 9);
	assert_int_equal(held_parse("", &s), ERR_OK);
	assert_int_equal(held_percent(&s, 1), 0);
	assert_int_equal(held_parse("0:2,100:118", &s), ERR_OK);
	assert_int_equal(held_percent(&s, 2), 0);
	assert_int_equal(held_percent(&s, 120), 100);
	assert_int_equal(held_parse_release("50:15", &s), ERR_OK);
	assert_int_equal(s.release_percent, 50);
	assert_int_equal(s.release_after, 15);
	assert_int_equal(held_parse_release("0:0", &s), ERR_OK);
	assert_int_equal(s.release_after, 0);
}

static void test_no_schedules(void **state)
{
	static const struct {
		const char *text;
		enum err err;
	} wrong[] = {
		{"75", ERR_FORMAT},	{"75:", ERR_FORMAT},	   {":3", ERR_FORMAT},	  {"75:3,", ERR_FORMAT},
		{",75:3", ERR_FORMAT},	{"75:3;50:3", ERR_FORMAT}, {"75:3 ", ERR_FORMAT}, {"-1:3", ERR_FORMAT},
		{"101:3", ERR_RANGE},	{"75:0", ERR_RANGE},	   {"75:121", ERR_RANGE}, {"75:100,50:21", ERR_RANGE},
		{"0075:3", ERR_FORMAT}, {"75:0003", ERR_FORMAT},   {"75x3", ERR_FORMAT},
	};
	struct held_schedule s = held_default;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(held_parse(wrong[i].text, &s), wrong[i].err);
	assert_int_equal(held_parse_release("50", &s), ERR_FORMAT);
	assert_int_equal(held_parse_release("50:15,", &s), ERR_FORMAT);
	assert_int_equal(held_parse_release("101:15", &s), ERR_RANGE);
	assert_memory_equal(&s, &held_default, sizeof(s));
}

static struct held_month close_month(const struct standing *standing, unsigned number, uint64_t work,
				     struct held_account *account)
{
	struct held_month m;

	assert_int_equal(held_close(&held_default, standing, month_number(number), amount_of(work), account, &m),
			 ERR_OK);
	return m;
}

/* A node that stays: a hundred a month. */
static void test_life(void **state)
{
	struct standing standing = {.registered = JANUARY_2026 + 20 * DAY};
	struct held_account account = {.withheld = AMOUNT_INIT(0)};
	struct amount balance;

	(void)state;
	for (unsigned n = 1; n <= 15; n++) {
		struct held_month m = close_month(&standing, n, 100, &account);

		assert_int_equal(amount_units(m.held), n <= 3 ? 75 : n <= 6 ? 50 : n <= 9 ? 25 : 0);
		assert_int_equal(amount_units(m.released), 0);
		assert_int_equal(amount_units(m.forfeited), 0);
	}
	assert_int_equal(amount_units(account.withheld), 450);
	assert_int_equal(amount_units(close_month(&standing, 16, 100, &account).released), 225);
	assert_int_equal(amount_units(close_month(&standing, 17, 100, &account).released), 0);
	assert_int_equal(held_balance(&account, &balance), ERR_OK);
	assert_int_equal(amount_units(balance), 225);
	standing.exited = month_number(18);
	assert_int_equal(amount_units(close_month(&standing, 17, 100, &account).released), 0);
	assert_int_equal(amount_units(close_month(&standing, 18, 100, &account).released), 225);
	assert_int_equal(amount_units(close_month(&standing, 19, 100, &account).released), 0);
}

/* Held amounts are rounded in the node's favour, and half of an odd sum down. */
static void test_rounding(void **state)
{
	struct standing standing = {.registered = JANUARY_2026};
	struct held_account account = {.withheld = AMOUNT_INIT(0)};

	(void)state;
	assert_int_equal(amount_units(close_month(&standing, 1, 1, &account).held), 0);
	assert_int_equal(amount_units(close_month(&standing, 1, 7, &account).held), 5);
	assert_int_equal(amount_units(close_month(&standing, 16, 0, &account).released), 2);
}

static void test_exit_early(void **state)
{
	struct standing standing = {.registered = JANUARY_2026, .exited = month_number(2) + 5};
	struct held_account account = {.withheld = AMOUNT_INIT(0)};
	struct held_month m = close_month(&standing, 1, 100, &account);

	(void)state;
	assert_int_equal(amount_units(m.held), 75);
	assert_int_equal(amount_units(m.released), 0);
	m = close_month(&standing, 2, 100, &account);
	assert_int_equal(m.percent, 0);
	assert_int_equal(amount_units(m.held), 0);
	assert_int_equal(amount_units(m.released), 75);
	m = close_month(&standing, 3, 100, &account);
	assert_int_equal(m.percent, 0);
	assert_int_equal(amount_units(m.released), 0);
}

static void test_disqualified(void **state)
{
	struct standing standing = {.registered = JANUARY_2026, .disqualified = month_number(2) + 5};
	struct held_account account = {.withheld = AMOUNT_INIT(0)};
	struct held_month m = close_month(&standing, 1, 100, &account);

	(void)state;
	assert_int_equal(amount_units(m.forfeited), 0);
	m = close_month(&standing, 2, 100, &account);
	assert_int_equal(amount_units(m.held), 75);
	assert_int_equal(amount_units(m.forfeited), 150);
	/* What comes in late is withheld and forfeited as well; age releases nothing more. */
	m = close_month(&standing, 3, 10, &account);
	assert_int_equal(amount_units(m.forfeited), 7);
	assert_int_equal(amount_units(close_month(&standing, 16, 0, &account).released), 0);
	assert_int_equal(amount_units(account.withheld), 157);
	assert_int_equal(amount_units(account.forfeited), 157);
}

/* A node that was disqualified by mistake and taken back has no more released than it has left. */
static void test_taken_back(void **state)
{
	struct standing standing = {.registered = JANUARY_2026};
	struct held_account account = {.withheld = AMOUNT_INIT(1000), .forfeited = AMOUNT_INIT(900)};

	(void)state;
	assert_int_equal(amount_units(close_month(&standing, 16, 100, &account).released), 100);
	assert_int_equal(amount_units(close_month(&standing, 17, 100, &account).released), 0);
}

/* Who left in good order cannot be disqualified afterwards; who was disqualified cannot leave in good order. */
static void test_which_came_first(void **state)
{
	struct standing left = {.exited = 100, .disqualified = 200}, thrown = {.exited = 200, .disqualified = 100};
	struct standing both = {.exited = 100, .disqualified = 100};

	(void)state;
	assert_true(standing_exited(&left, 1000) && !standing_disqualified(&left, 1000));
	assert_true(standing_disqualified(&thrown, 1000) && !standing_exited(&thrown, 1000));
	assert_true(standing_exited(&both, 1000) && !standing_disqualified(&both, 1000));
	assert_false(standing_exited(&left, 100));
	assert_true(standing_exited(&left, 101));
	assert_false(standing_disqualified(&thrown, 100));
	assert_true(standing_disqualified(&thrown, 101));
}

static void test_overflow(void **state)
{
	struct standing standing = {.registered = JANUARY_2026};
	struct held_account account = {.withheld = amount_of(UINT64_MAX - 10)}, wrong = {.released = amount_of(1)};
	struct held_month m = {.percent = 7};
	struct amount balance;

	(void)state;
	assert_int_equal(held_close(&held_default, &standing, JANUARY_2026, amount_of(100), &account, &m),
			 ERR_OVERFLOW);
	assert_int_equal(m.percent, 7);
	assert_true(amount_units(account.withheld) == UINT64_MAX - 10);
	assert_int_equal(held_close(&held_default, &standing, JANUARY_2026, amount_of(13), &account, &m), ERR_OK);
	assert_true(amount_units(account.withheld) == UINT64_MAX - 1);
	assert_int_equal(held_balance(&wrong, &balance), ERR_OVERFLOW);
	assert_int_equal(held_close(&held_default, &standing, JANUARY_2026, amount_of(0), &wrong, &m), ERR_OVERFLOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_month),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_no_schedules),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_exit_early),
		cmocka_unit_test(test_disqualified),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_which_came_first),
		cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
