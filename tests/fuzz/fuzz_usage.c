/*
 * Hostile rows of a day's usage: u32 day, u64 bytes and u128 debt carried in, then rows. What is taken for a day has
 * rows in order, takes no more than it has, and its sums are those of the rows one by one.
 */
#include <stdlib.h>

#include "payments/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The outcome of rows added one by one must be that of all at once. */
static void check_rows(uint32_t day, const struct usage_carried *in, struct bytes rows, const struct usage_day *want)
{
	struct usage usage = {.changes = want->changes, .byteSeconds = byte_seconds_value(want->stored)};
	struct usage_sum sum;
	struct usage_row row;
	struct reader r;

	usage_begin(&sum, day, in);
	reader_init(&r, rows);
	while (r.left > 0) {
		if (fields_decode(&usage_row_fields, &r, &row) != NULL || usage_add(&sum, &row) != ERR_OK)
			abort();
		if (row.from > sum.end || row.to > sum.end)
			abort();
	}
	if (usage_check(&sum, &usage) != REFUSAL_NONE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usage_carried in;
	struct usage_day out;
	struct usage_sum sum;
	struct reader r;
	struct bytes rows;
	uint32_t day;

	reader_init(&r, bytes_of(data, size));
	day = read_u32(&r);
	in.bytes = read_u64(&r);
	in.debt = byte_seconds_from(read_u128(&r));
	if (r.err != ERR_OK)
		return 0;
	rows = bytes_of(r.at, r.left);
	usage_begin(&sum, day, &in);
	if (usage_add_rows(&sum, rows) != ERR_OK || usage_end(&sum, &out) != ERR_OK)
		return 0;
	if (rows.len % USAGE_ROW != 0)
		abort();
	if (byte_seconds_value(out.stored) != 0 && byte_seconds_value(out.carried.debt) != 0)
		abort();
	check_rows(day, &in, rows, &out);
	return 0;
}
