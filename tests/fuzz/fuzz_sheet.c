/*
 * Hostile sheets of a statement. What is read has one form only, is equal to itself, and a Statement over it is sound
 * or names its fault.
 */
#include <stdlib.h>

#include "payments/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_none(void *arg, const struct sheet_line *ours, const struct sheet_line *theirs)
{
	(void)arg;
	(void)ours;
	(void)theirs;
	abort();
}

/* A statement that says what the lines say has at most the faults that lines can have. */
static void check_statement(const struct sheet *sheet)
{
	struct statement statement = {.period = 202601};
	struct sheet_sums sums;
	enum statement_fault fault;

	sheet_commit(sheet, &statement.lines);
	if (sheet_sum(sheet, &sums) == ERR_OK) {
		statement.earned = amount_units(sums.earned);
		statement.held = amount_units(sums.held);
		statement.released = amount_units(sums.released);
		statement.forfeited = amount_units(sums.forfeited);
		statement.rolled = amount_units(sums.payable);
	}
	fault = statement_check(&statement, sheet);
	if (fault != STATEMENT_SOUND && fault != STATEMENT_FAULT_AMOUNT && fault != STATEMENT_FAULT_SUM)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[SHEET_BYTES];
	static struct sheet sheet;
	char codes[SHEET_CODES_TEXT];
	struct writer w;

	if (sheet_decode(bytes_of(data, size), &sheet) != ERR_OK)
		return 0;
	writer_init(&w, again, sizeof(again));
	sheet_encode(&sheet, &w);
	if (!bytes_equal(writer_bytes(&w), bytes_of(data, size)))
		abort();
	sheet_compare(&sheet, &sheet, expect_none, NULL);
	sheet_codes_print(sheet.codes, codes);
	check_statement(&sheet);
	return 0;
}
