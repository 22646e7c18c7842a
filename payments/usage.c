/* One pass over the rows: three sums and a hash. */
#include "payments/usage.h"

static const struct field row_list[] = {
	FIELD(usage_row, piece, FIELD_BYTES32), FIELD(usage_row, change, FIELD_U8), FIELD(usage_row, size, FIELD_U64),
	FIELD(usage_row, from, FIELD_U64),	FIELD(usage_row, to, FIELD_U64),
};
const struct fields usage_row_fields = {"usage_row", row_list, sizeof(row_list) / sizeof(row_list[0]),
					sizeof(struct usage_row)};

void usage_begin(struct usage_sum *sum, uint32_t day, const struct usage_carried *carried)
{
	uint8_t head[8 + 16];
	struct writer w;

	*sum = (struct usage_sum){
		.end = ((uint64_t)day + 1) * USAGE_DAY,
		.carried = carried->bytes,
		.earned = byte_seconds_of(carried->bytes, USAGE_DAY),
		.taken = carried->debt,
	};
	keccak_init(&sum->hash);
	writer_init(&w, head, sizeof(head));
	write_u64(&w, carried->bytes);
	write_u128(&w, byte_seconds_value(carried->debt));
	keccak_update(&sum->hash, head, w.len);
}

/* Whether the row can be one of the day, and comes after the one before. */
static bool row_fits(const struct usage_sum *sum, const struct usage_row *row)
{
	int order = bytes32_compare(&sum->piece, &row->piece);

	if (sum->count > 0 && (order > 0 || (order == 0 && sum->from >= row->from)))
		return false;
	if (row->from >= sum->end)
		return false;
	switch ((enum usage_change)row->change) {
	case USAGE_BEGAN:
		return row->to == 0;
	case USAGE_ENDED:
		if (row->from >= sum->end - USAGE_DAY)
			return false;
		return row->from <= row->to && row->to <= sum->end;
	case USAGE_BOTH:
		return row->from <= row->to && row->to <= sum->end;
	}
	return false;
}

static enum err count_row(struct usage_sum *sum, const struct usage_row *row)
{
	struct byte_seconds worth;

	switch ((enum usage_change)row->change) {
	case USAGE_BEGAN:
		worth = byte_seconds_of(row->size, sum->end - row->from);
		if (u64_add(sum->began, row->size, &sum->began) != ERR_OK)
			return ERR_OVERFLOW;
		return byte_seconds_add(sum->earned, worth, &sum->earned);
	case USAGE_ENDED:
		worth = byte_seconds_of(row->size, sum->end - row->to);
		if (row->size > sum->carried)
			return ERR_RANGE;
		sum->carried -= row->size;
		return byte_seconds_add(sum->taken, worth, &sum->taken);
	case USAGE_BOTH:
		worth = byte_seconds_of(row->size, row->to - row->from);
		return byte_seconds_add(sum->earned, worth, &sum->earned);
	}
	return ERR_FORMAT;
}

enum err usage_add(struct usage_sum *sum, const struct usage_row *row)
{
	uint8_t encoded[USAGE_ROW];
	struct writer w;

	if (!row_fits(sum, row))
		return ERR_FORMAT;
	if (sum->count == UINT32_MAX)
		return ERR_OVERFLOW;
	writer_init(&w, encoded, sizeof(encoded));
	fields_encode(&usage_row_fields, row, &w);
	if (w.err != ERR_OK)
		return w.err;
	keccak_update(&sum->hash, encoded, w.len);
	sum->piece = row->piece;
	sum->from = row->from;
	sum->count++;
	return count_row(sum, row);
}

enum err usage_add_rows(struct usage_sum *sum, struct bytes rows)
{
	struct usage_row row;
	struct reader r;

	reader_init(&r, rows);
	while (r.left > 0) {
		enum err err;

		if (fields_decode(&usage_row_fields, &r, &row) != NULL)
			return ERR_FORMAT;
		err = usage_add(sum, &row);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

enum err usage_end(const struct usage_sum *sum, struct usage_day *ret)
{
	uint128 earned = byte_seconds_value(sum->earned), taken = byte_seconds_value(sum->taken);
	struct keccak hash = sum->hash;
	struct usage_day day = {
		.stored = byte_seconds_from(earned > taken ? earned - taken : 0),
		.carried.debt = byte_seconds_from(taken > earned ? taken - earned : 0),
	};
	enum err err = u64_add(sum->carried, sum->began, &day.carried.bytes);

	if (err != ERR_OK)
		return err;
	keccak_final(&hash, &day.changes);
	*ret = day;
	return ERR_OK;
}

enum refusal usage_check(const struct usage_sum *sum, const struct usage *usage)
{
	struct usage_day day;

	if (usage_end(sum, &day) != ERR_OK)
		return REFUSAL_COMMITMENT;
	if (usage->byteSeconds != byte_seconds_value(day.stored))
		return REFUSAL_COMMITMENT;
	return bytes32_equal(&usage->changes, &day.changes) ? REFUSAL_NONE : REFUSAL_COMMITMENT;
}
