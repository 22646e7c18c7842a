/* The tally: months, byte-seconds that no cut changes, floor division to the unit, lines that add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/random.h"
#include "payments/tally.h"

#define DAY 86400ull
#define TB 1000000000000ull
#define JANUARY_2026 1767225600ull /* date -ud 2026-01-01 +%s */

static void expect_month(uint64_t at, uint64_t start, unsigned days, uint32_t period)
{
	assert_true(month_start(at) == start);
	assert_true(month_end(at) == start + days * DAY);
	assert_int_equal(month_period(at), period);
}

static void test_months(void **state)
{
	static const struct {
		uint64_t start;
		unsigned days;
		uint32_t period;
	} months[] = {
		{0, 31, 197001},	  {951782400 - 28 * DAY, 29, 200002},
		{1706745600, 29, 202402}, {JANUARY_2026, 31, 202601},
		{1769904000, 28, 202602}, {1772323200, 31, 202603},
		{1775001600, 30, 202604}, {1796083200, 31, 202612},
		{4105123200, 28, 210002},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(months) / sizeof(months[0]); i++) {
		uint64_t end = months[i].start + months[i].days * DAY;

		expect_month(months[i].start, months[i].start, months[i].days, months[i].period);
		expect_month(end - 1, months[i].start, months[i].days, months[i].period);
		assert_true(month_start(end) == end);
		assert_true(month_end(end) > end);
	}
}

/* Months follow each other without a gap for 400 years, one whole Gregorian cycle. */
static void test_months_join(void **state)
{
	uint64_t at = 0;
	unsigned count = 0;

	(void)state;
	while (at < 146097 * DAY) {
		uint64_t start = 0;

		assert_true(month_start(at) == at);
		assert_int_equal(month_of_period(month_period(at), &start), ERR_OK);
		assert_true(start == at);
		assert_int_equal(month_period(at), (1970 + count / 12) * 100 + count % 12 + 1);
		at = month_end(at);
		count++;
	}
	assert_true(at == 146097 * DAY);
	assert_int_equal(count, 4800);
}

static void test_no_months(void **state)
{
	static const uint32_t wrong[] = {0, 1, 196912, 197000, 197013, 202600, 202613, 1000001, 20260101, UINT32_MAX};
	uint64_t start = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(month_of_period(wrong[i], &start), ERR_RANGE);
	assert_true(start == 7);
	assert_int_equal(month_of_period(999912, &start), ERR_OK);
	assert_int_equal(month_period(start), 999912);
}

static void test_periods(void **state)
{
	static const char *const wrong[] = {"",	       "2026",	  "202605",   "2026-5",	 "2026-13",
					    "2026-00", "1969-12", "2026-051", "26-05",	 "2026/05",
					    "2026-0x", "-026-05", " 026-05",  "2026-5 ", "2026-05 "};
	char text[PERIOD_TEXT];
	uint32_t period = 7;

	(void)state;
	assert_string_equal(period_print(202605, text), "2026-05");
	assert_string_equal(period_print(197001, text), "1970-01");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(period_parse(wrong[i], &period), ERR_FORMAT);
	assert_int_equal(period, 7);
	assert_int_equal(period_parse("2026-05", &period), ERR_OK);
	assert_int_equal(period, 202605);
	assert_int_equal(period_parse("9999-12", &period), ERR_OK);
	assert_int_equal(period, 999912);
}

static uint128 stored(uint64_t size, uint64_t from, uint64_t to, uint64_t start, uint64_t end)
{
	return byte_seconds_value(tally_stored(size, from, to, start, end));
}

static void test_stored(void **state)
{
	(void)state;
	assert_true(stored(7, 100, 200, 0, 1000) == 700);
	assert_true(stored(7, 100, 200, 150, 1000) == 350);
	assert_true(stored(7, 100, 200, 0, 150) == 350);
	assert_true(stored(7, 100, 200, 120, 121) == 7);
	assert_true(stored(7, 100, 200, 200, 300) == 0);
	assert_true(stored(7, 100, 200, 0, 100) == 0);
	assert_true(stored(7, 200, 100, 0, 1000) == 0);
	assert_true(stored(7, 100, 200, 500, 400) == 0);
	assert_true(stored(0, 100, 200, 0, 1000) == 0);
	assert_true(stored(UINT64_MAX, 0, UINT64_MAX, 0, UINT64_MAX) == (uint128)UINT64_MAX * UINT64_MAX);
}

/* However the time is cut, within a piece's life or by the windows it is looked at through, the sum is the same. */
static void test_cuts_change_nothing(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("cuts"));
	for (int i = 0; i < 20000; i++) {
		uint64_t size = random_stream_below(&s, 2097153), start = random_stream_below(&s, 1000);
		uint64_t end = start + random_stream_below(&s, 1000), from = random_stream_below(&s, 2000);
		uint64_t to = from + random_stream_below(&s, 1000), cut = random_stream_below(&s, 3000);
		uint64_t inner = cut < from ? from : cut > to ? to : cut, window = cut < start ? start : cut;
		uint128 whole = stored(size, from, to, start, end);

		if (window > end)
			window = end;
		assert_true(stored(size, from, inner, start, end) + stored(size, inner, to, start, end) == whole);
		assert_true(stored(size, from, to, start, window) + stored(size, from, to, window, end) == whole);
	}
}

/* A piece kept over a year: its months sum to its life. */
static void test_months_sum_to_life(void **state)
{
	uint64_t from = JANUARY_2026 + 12345, to = from + 400 * DAY, start = month_start(from);
	uint128 sum = 0;

	(void)state;
	for (; start < to; start = month_end(start))
		sum += stored(2097152, from, to, start, month_end(start));
	assert_true(sum == (uint128)2097152 * 400 * DAY);
}

static uint64_t storage(uint128 value, uint64_t price, uint64_t at)
{
	struct amount earned;

	assert_int_equal(tally_storage(byte_seconds_from(value), amount_of(price), at, &earned), ERR_OK);
	return amount_units(earned);
}

/* One TB for the whole month earns the price, whatever the month's length; one byte-second less, one unit less. */
static void test_storage(void **state)
{
	static const uint64_t starts[] = {JANUARY_2026, 1769904000, 1775001600, 1706745600};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint128 month = (uint128)TB * (month_end(starts[i]) - starts[i]);

		assert_true(storage(month, 150000000, starts[i]) == 150000000);
		assert_true(storage(month - 1, 150000000, starts[i]) == 149999999);
		assert_true(storage(month, 150000000, month_end(starts[i]) - 1) == 150000000);
		assert_true(storage(month / 2, 150000000, starts[i]) == 75000000);
		assert_true(storage(month * 1000, 1, starts[i]) == 1000);
		assert_true(storage(month - 1, 1, starts[i]) == 0);
		assert_true(storage(month, UINT64_MAX, starts[i]) == UINT64_MAX);
	}
}

static void test_storage_overflow(void **state)
{
	uint128 month = (uint128)TB * 31 * DAY;
	struct amount earned = AMOUNT_INIT(5);

	(void)state;
	assert_int_equal(tally_storage(byte_seconds_from(month * 2), amount_of(UINT64_MAX), JANUARY_2026, &earned),
			 ERR_OVERFLOW);
	assert_int_equal(tally_storage(byte_seconds_from(~(uint128)0), amount_of(UINT64_MAX), JANUARY_2026, &earned),
			 ERR_OVERFLOW);
	assert_int_equal(tally_storage(byte_seconds_from(~(uint128)0), amount_of(1), JANUARY_2026, &earned),
			 ERR_OVERFLOW);
	assert_int_equal(tally_storage(byte_seconds_from(1), amount_of(1), UINT64_MAX, &earned), ERR_OVERFLOW);
	assert_int_equal(amount_units(earned), 5);
	assert_true(storage(~(uint128)0, 0, JANUARY_2026) == 0);
}

static void test_traffic(void **state)
{
	struct amount earned;

	(void)state;
	assert_int_equal(tally_traffic(TB, amount_of(200000000), &earned), ERR_OK);
	assert_int_equal(amount_units(earned), 200000000);
	assert_int_equal(tally_traffic(TB - 1, amount_of(200000000), &earned), ERR_OK);
	assert_int_equal(amount_units(earned), 199999999);
	assert_int_equal(tally_traffic(4999, amount_of(200000000), &earned), ERR_OK);
	assert_int_equal(amount_units(earned), 0);
	assert_int_equal(tally_traffic(5000, amount_of(200000000), &earned), ERR_OK);
	assert_int_equal(amount_units(earned), 1);
	assert_int_equal(tally_traffic(UINT64_MAX, amount_of(UINT64_MAX), &earned), ERR_OVERFLOW);
}

static void test_prices(void **state)
{
	struct prices p = {amount_of(1), amount_of(2), amount_of(3), amount_of(4)};
	char text[AMOUNT_TEXT];

	(void)state;
	assert_int_equal(amount_units(prices_of(&p, ACTION_PUT)), 0);
	assert_int_equal(amount_units(prices_of(&p, ACTION_GET)), 2);
	assert_int_equal(amount_units(prices_of(&p, ACTION_GET_AUDIT)), 3);
	assert_int_equal(amount_units(prices_of(&p, ACTION_GET_REPAIR)), 4);
	assert_int_equal(amount_units(prices_of(&p, ACTION_PUT_REPAIR)), 0);
	assert_int_equal(amount_units(prices_of(&p, (enum action)0)), 0);
	assert_string_equal(amount_print(prices_default.storage, text), "1.50000000");
	assert_string_equal(amount_print(prices_default.egress, text), "2.00000000");
	assert_string_equal(amount_print(prices_default.audit, text), "2.00000000");
	assert_string_equal(amount_print(prices_default.repair, text), "2.00000000");
}

static void test_add_traffic(void **state)
{
	struct tally t = {.at = JANUARY_2026};

	(void)state;
	assert_int_equal(tally_add_traffic(&t, ACTION_GET, 10), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_GET, 5), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_GET_AUDIT, 7), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_GET_REPAIR, 9), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_PUT, 1000), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_PUT_REPAIR, 1000), ERR_OK);
	assert_int_equal(tally_add_traffic(&t, ACTION_GET, UINT64_MAX), ERR_OVERFLOW);
	assert_true(t.egress == 15 && t.audit == 7 && t.repair == 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_months),
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_months_join),
		cmocka_unit_test(test_no_months),
		cmocka_unit_test(test_stored),
		cmocka_unit_test(test_cuts_change_nothing),
		cmocka_unit_test(test_months_sum_to_life),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_storage_overflow),
		cmocka_unit_test(test_traffic),
		cmocka_unit_test(test_prices),
		cmocka_unit_test(test_add_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
