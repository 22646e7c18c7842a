/* The lines of a statement: sorted, unique, rounded once, and read only in the one form that is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/keccak.h"
#include "payments/sheet.h"

#define TB 1000000000000ull
#define JANUARY_2026 1767225600ull

static struct sheet sheet;

static int set_up(void **state)
{
	(void)state;
	memset(&sheet, 0, sizeof(sheet));
	return 0;
}

static void work(enum line_kind kind, uint128 quantity, uint64_t price)
{
	assert_int_equal(sheet_add_work(&sheet, kind, quantity, amount_of(price)), ERR_OK);
}

static void money(enum line_kind kind, uint128 quantity, uint64_t amount)
{
	assert_int_equal(sheet_add_money(&sheet, kind, quantity, amount_of(amount)), ERR_OK);
}

static void expect_line(size_t i, enum line_kind kind, uint128 quantity, uint64_t price, uint64_t amount)
{
	const struct sheet_line *line = &sheet.lines[i];

	assert_true(i < sheet.count);
	assert_int_equal(line->kind, kind);
	assert_true(line->quantity == quantity);
	assert_int_equal(amount_units(line->price), price);
	assert_int_equal(amount_units(line->amount), amount);
}

static void test_names(void **state)
{
	static const char *const names[] = {"unknown", "storage",    "egress", "audit",	   "repair",
					    "bonus",   "correction", "held",   "released", "forfeited",
					    "carried", "deducted",   "unknown"};
	char text[SHEET_CODES_TEXT];

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(sheet_kind_name((enum line_kind)i), names[i]);
	assert_string_equal(sheet_codes_print(0, text), "");
	assert_string_equal(sheet_codes_print(SHEET_CODES, text), "DXIOEB");
	assert_string_equal(sheet_codes_print(SHEET_BONUS | SHEET_WITHHOLDING, text), "EB");
	assert_string_equal(sheet_codes_print(SHEET_DISQUALIFIED | SHEET_OFFLINE, text), "DO");
}

static void test_sorted_and_merged(void **state)
{
	(void)state;
	work(LINE_REPAIR, 5, 7);
	work(LINE_EGRESS, 5, 9);
	work(LINE_EGRESS, 6, 3);
	work(LINE_EGRESS, 7, 9);
	work(LINE_AUDIT, 0, 9);
	money(LINE_CORRECTION, 202512, 4);
	money(LINE_CORRECTION, 202511, 3);
	money(LINE_CORRECTION, 202512, 2);
	money(LINE_BONUS, 0, 1);
	money(LINE_BONUS, 0, 0);
	money(LINE_BONUS, 0, 1);
	work(LINE_STORAGE, 1, 0);
	money(LINE_DEDUCTED, 8, 0);
	money(LINE_CARRIED, 0, 0);
	assert_int_equal(sheet.count, 8);
	expect_line(0, LINE_STORAGE, 1, 0, 0);
	expect_line(1, LINE_EGRESS, 6, 3, 0);
	expect_line(2, LINE_EGRESS, 12, 9, 0);
	expect_line(3, LINE_REPAIR, 5, 7, 0);
	expect_line(4, LINE_BONUS, 0, 0, 2);
	expect_line(5, LINE_CORRECTION, 202511, 0, 3);
	expect_line(6, LINE_CORRECTION, 202512, 0, 6);
	expect_line(7, LINE_DEDUCTED, 8, 0, 0);
}

static void test_too_much(void **state)
{
	(void)state;
	work(LINE_STORAGE, ~(uint128)0 - 1, 5);
	work(LINE_STORAGE, 1, 5);
	assert_int_equal(sheet_add_work(&sheet, LINE_STORAGE, 1, amount_of(5)), ERR_OVERFLOW);
	money(LINE_BONUS, 0, UINT64_MAX);
	assert_int_equal(sheet_add_money(&sheet, LINE_BONUS, 0, amount_of(1)), ERR_OVERFLOW);
	expect_line(0, LINE_STORAGE, ~(uint128)0, 5, 0);
	expect_line(1, LINE_BONUS, 0, 0, UINT64_MAX);
	for (uint64_t price = 0; sheet.count < SHEET_LINES; price++)
		work(LINE_EGRESS, 1, price);
	assert_int_equal(sheet_add_work(&sheet, LINE_AUDIT, 1, amount_of(1)), ERR_LIMIT);
	assert_int_equal(sheet_add_money(&sheet, LINE_HELD, 1, amount_of(1)), ERR_LIMIT);
	work(LINE_EGRESS, 1, 0);
	assert_int_equal(sheet.count, SHEET_LINES);
}

static void test_price(void **state)
{
	(void)state;
	work(LINE_STORAGE, (uint128)TB * 31 * 86400, 150000000);
	work(LINE_EGRESS, TB / 2 - 1, 2);
	work(LINE_EGRESS, TB / 2, 3);
	work(LINE_AUDIT, UINT64_MAX, TB);
	money(LINE_BONUS, 0, 9);
	assert_int_equal(sheet_price(&sheet, JANUARY_2026 + 5), ERR_OK);
	expect_line(0, LINE_STORAGE, (uint128)TB * 31 * 86400, 150000000, 150000000);
	expect_line(1, LINE_EGRESS, TB / 2 - 1, 2, 0);
	expect_line(2, LINE_EGRESS, TB / 2, 3, 1);
	expect_line(3, LINE_AUDIT, UINT64_MAX, TB, UINT64_MAX);
	expect_line(4, LINE_BONUS, 0, 0, 9);
	work(LINE_AUDIT, 1, TB);
	assert_int_equal(sheet_price(&sheet, JANUARY_2026), ERR_OVERFLOW);
}

static void fill_sheet(void)
{
	work(LINE_STORAGE, (uint128)TB * 31 * 86400, 100);
	work(LINE_EGRESS, TB, 60);
	work(LINE_AUDIT, TB, 7);
	work(LINE_REPAIR, TB, 8);
	money(LINE_BONUS, 0, 11);
	money(LINE_CORRECTION, 202512, 14);
	money(LINE_HELD, 75, 131);
	money(LINE_RELEASED, 0, 33);
	money(LINE_FORFEITED, 0, 1000000);
	money(LINE_CARRIED, 0, 17);
	money(LINE_DEDUCTED, 5, 19);
	assert_int_equal(sheet_price(&sheet, JANUARY_2026), ERR_OK);
}

static void test_sum(void **state)
{
	struct sheet_sums sums;

	(void)state;
	fill_sheet();
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OK);
	assert_int_equal(amount_units(sums.work), 175);
	assert_int_equal(amount_units(sums.bonus), 11);
	assert_int_equal(amount_units(sums.corrections), 14);
	assert_int_equal(amount_units(sums.earned), 200);
	assert_int_equal(amount_units(sums.held), 131);
	assert_int_equal(amount_units(sums.released), 33);
	assert_int_equal(amount_units(sums.forfeited), 1000000);
	assert_int_equal(amount_units(sums.carried), 17);
	assert_int_equal(amount_units(sums.deducted), 19);
	assert_int_equal(amount_units(sums.payable), 100);
	money(LINE_DEDUCTED, 0, 100);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OK);
	assert_int_equal(amount_units(sums.payable), 0);
	money(LINE_DEDUCTED, 0, 1);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OVERFLOW);
	assert_int_equal(amount_units(sums.deducted), 119);
	sheet.lines[0].kind = 12;
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_FORMAT);
}

static void test_sum_overflow(void **state)
{
	struct sheet_sums sums;

	(void)state;
	money(LINE_BONUS, 0, UINT64_MAX - 5);
	money(LINE_CORRECTION, 0, 5);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OK);
	assert_true(amount_units(sums.payable) == UINT64_MAX);
	money(LINE_CORRECTION, 1, 1);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OVERFLOW);
	sheet.count = 2;
	money(LINE_CARRIED, 0, 1);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OVERFLOW);
}

static size_t encode(uint8_t out[SHEET_BYTES])
{
	struct writer w;

	writer_init(&w, out, SHEET_BYTES);
	sheet_encode(&sheet, &w);
	assert_int_equal(w.err, ERR_OK);
	return w.len;
}

static void test_bytes(void **state)
{
	static uint8_t bytes[SHEET_BYTES], again[SHEET_BYTES];
	struct bytes32 want, got;
	size_t len;

	(void)state;
	fill_sheet();
	sheet.codes = SHEET_CODES;
	len = encode(bytes);
	assert_int_equal(len, 1 + 11 * SHEET_LINE_BYTES);
	sheet_commit(&sheet, &got);
	keccak_once(bytes, len, &want);
	assert_memory_equal(&got, &want, sizeof(got));
	memset(&sheet, 0, sizeof(sheet));
	assert_int_equal(sheet_decode(bytes_of(bytes, len), &sheet), ERR_OK);
	assert_int_equal(encode(again), len);
	assert_memory_equal(again, bytes, len);
	expect_line(6, LINE_HELD, 75, 0, 131);
	memset(bytes, 0, 1);
	assert_int_equal(sheet_decode(bytes_of(bytes, 1), &sheet), ERR_OK);
	assert_int_equal(sheet.count, 0);
}

static void test_broken_bytes(void **state)
{
	static uint8_t bytes[SHEET_BYTES + SHEET_LINE_BYTES];
	size_t len;

	(void)state;
	fill_sheet();
	len = encode(bytes);
	sheet.codes = 99;
	assert_int_equal(sheet_decode(bytes_of(bytes, 0), &sheet), ERR_FORMAT);
	for (size_t cut = 1; cut < SHEET_LINE_BYTES; cut++)
		assert_int_equal(sheet_decode(bytes_of(bytes, len - cut), &sheet), ERR_FORMAT);
	bytes[0] = SHEET_CODES + 1;
	assert_int_equal(sheet_decode(bytes_of(bytes, len), &sheet), ERR_FORMAT);
	bytes[0] = 0;
	assert_int_equal(sheet_decode(bytes_of(bytes, sizeof(bytes)), &sheet), ERR_LIMIT);
	assert_int_equal(sheet.codes, 99);
}

/* Encodes a sheet made by hand and expects that nobody reads it. */
static void expect_refused(const struct sheet_line *lines, size_t count)
{
	static uint8_t bytes[SHEET_BYTES];
	struct sheet untouched;

	sheet.count = count;
	memcpy(sheet.lines, lines, count * sizeof(lines[0]));
	memset(&untouched, 7, sizeof(untouched));
	assert_int_equal(sheet_decode(bytes_of(bytes, encode(bytes)), &untouched), ERR_FORMAT);
	assert_int_equal(untouched.codes, 7);
}

static void test_one_form_only(void **state)
{
	const struct sheet_line wrong[] = {
		{0, 1, amount_of(1), amount_of(1)},
		{12, 1, amount_of(1), amount_of(1)},
		{LINE_STORAGE, 0, amount_of(1), amount_of(0)}, /* no work */
		{LINE_BONUS, 0, amount_of(1), amount_of(1)},   /* a price of what has none */
		{LINE_BONUS, 1, amount_of(0), amount_of(1)},   /* a quantity of what has none */
		{LINE_RELEASED, 1, amount_of(0), amount_of(1)},
		{LINE_CARRIED, 0, amount_of(0), amount_of(0)}, /* nothing */
		{LINE_HELD, 75, amount_of(0), amount_of(0)},
		{LINE_DEDUCTED, 0, amount_of(0), amount_of(0)},
	};
	const struct sheet_line unsorted[] = {{LINE_EGRESS, 1, amount_of(2), amount_of(1)},
					      {LINE_EGRESS, 1, amount_of(1), amount_of(1)}};
	const struct sheet_line twice[] = {{LINE_EGRESS, 1, amount_of(2), amount_of(1)},
					   {LINE_EGRESS, 9, amount_of(2), amount_of(1)}};
	const struct sheet_line two_held[] = {{LINE_HELD, 50, amount_of(0), amount_of(1)},
					      {LINE_HELD, 75, amount_of(0), amount_of(1)}};
	const struct sheet_line kinds[] = {{LINE_AUDIT, 1, amount_of(2), amount_of(1)},
					   {LINE_EGRESS, 9, amount_of(3), amount_of(1)}};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_refused(&wrong[i], 1);
	expect_refused(unsorted, 2);
	expect_refused(twice, 2);
	expect_refused(two_held, 2);
	expect_refused(kinds, 2);
}

struct differences {
	size_t count;
	struct {
		uint8_t ours, theirs; /* kinds; 0: no line */
	} found[8];
};

static void note(void *arg, const struct sheet_line *ours, const struct sheet_line *theirs)
{
	struct differences *d = arg;

	assert_true(d->count < 8);
	d->found[d->count].ours = ours == NULL ? 0 : ours->kind;
	d->found[d->count++].theirs = theirs == NULL ? 0 : theirs->kind;
}

static void test_compare(void **state)
{
	static struct sheet other;
	struct differences d = {.count = 0};

	(void)state;
	fill_sheet();
	other = sheet;
	assert_int_equal(sheet_compare(&sheet, &other, note, &d), 0);
	assert_int_equal(d.count, 0);
	work(LINE_EGRESS, 5, 61);							     /* only ours */
	assert_int_equal(sheet_add_work(&other, LINE_REPAIR, 1, amount_of(8)), ERR_OK);	     /* another quantity */
	other.count--;									     /* no deduction */
	assert_int_equal(sheet_add_money(&other, LINE_CORRECTION, 5, amount_of(1)), ERR_OK); /* only theirs */
	assert_int_equal(sheet_compare(&sheet, &other, note, &d), 4);
	assert_int_equal(d.count, 4);
	assert_true(d.found[0].ours == LINE_EGRESS && d.found[0].theirs == 0);
	assert_true(d.found[1].ours == LINE_REPAIR && d.found[1].theirs == LINE_REPAIR);
	assert_true(d.found[2].ours == 0 && d.found[2].theirs == LINE_CORRECTION);
	assert_true(d.found[3].ours == LINE_DEDUCTED && d.found[3].theirs == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, set_up),
		cmocka_unit_test_setup(test_sorted_and_merged, set_up),
		cmocka_unit_test_setup(test_too_much, set_up),
		cmocka_unit_test_setup(test_price, set_up),
		cmocka_unit_test_setup(test_sum, set_up),
		cmocka_unit_test_setup(test_sum_overflow, set_up),
		cmocka_unit_test_setup(test_bytes, set_up),
		cmocka_unit_test_setup(test_broken_bytes, set_up),
		cmocka_unit_test_setup(test_one_form_only, set_up),
		cmocka_unit_test_setup(test_compare, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
