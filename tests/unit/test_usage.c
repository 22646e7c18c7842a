/* A day of storage: rows that make sense, sums that follow, and months that are the sum of their days, come what may.
 */
#include "common/random.h"
#include "payments/u256.h"
#include "payments/usage.h"
#include "tests/kit/vectors.h"

#define DAY 86400ull
#define TODAY 20000u
#define MORNING (TODAY * DAY)
#define NIGHT (MORNING + DAY)

static struct usage_row row(uint8_t piece, enum usage_change change, uint64_t size, uint64_t from, uint64_t to)
{
	return (struct usage_row){{{piece}}, (uint8_t)change, size, from, to};
}

static struct usage_carried carried(uint64_t bytes, uint128 debt)
{
	return (struct usage_carried){bytes, byte_seconds_from(debt)};
}

static struct usage_day day_of(const struct usage_carried *in, const struct usage_row *rows, size_t count)
{
	struct usage_sum sum;
	struct usage_day day;

	usage_begin(&sum, TODAY, in);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(usage_add(&sum, &rows[i]), ERR_OK);
	assert_int_equal(usage_end(&sum, &day), ERR_OK);
	return day;
}

static void expect_day(const struct usage_day *day, uint128 stored, uint64_t bytes, uint128 debt)
{
	assert_true(byte_seconds_value(day->stored) == stored);
	assert_true(day->carried.bytes == bytes);
	assert_true(byte_seconds_value(day->carried.debt) == debt);
}

static void test_quiet_day(void **state)
{
	struct usage_carried in = carried(0, 0);
	struct usage_day day = day_of(&in, NULL, 0);

	(void)state;
	expect_day(&day, 0, 0, 0);
	in = carried(1000, 0);
	day = day_of(&in, NULL, 0);
	expect_day(&day, 1000 * DAY, 1000, 0);
	in = carried(1000, 500 * DAY);
	day = day_of(&in, NULL, 0);
	expect_day(&day, 500 * DAY, 1000, 0);
	in = carried(1000, 1500 * DAY);
	day = day_of(&in, NULL, 0);
	expect_day(&day, 0, 1000, 500 * DAY);
}

static void test_changes(void **state)
{
	const struct usage_row rows[] = {
		row(1, USAGE_BEGAN, 10, MORNING + 400, 0),
		row(2, USAGE_ENDED, 20, MORNING - 5 * DAY, MORNING + 100),
		row(3, USAGE_BOTH, 30, MORNING + 10, MORNING + 11),
	};
	struct usage_carried in = carried(100, 7);
	struct usage_day day = day_of(&in, rows, 3);

	(void)state;
	expect_day(&day, 100 * DAY + 10 * (DAY - 400) - 20 * (DAY - 100) + 30 - 7, 90, 0);
}

/* What is found out late counts now, for as far back as it reaches; what cannot be taken off today is tomorrow's. */
static void test_late(void **state)
{
	const struct usage_row came[] = {row(1, USAGE_BEGAN, 10, MORNING - DAY, 0)};
	const struct usage_row lost[] = {row(2, USAGE_ENDED, 20, MORNING - 9 * DAY, MORNING - 4 * DAY)};
	struct usage_carried in = carried(20, 0);
	struct usage_day day = day_of(&in, came, 1);

	(void)state;
	expect_day(&day, 20 * DAY + 2 * 10 * DAY, 30, 0);
	day = day_of(&in, lost, 1);
	expect_day(&day, 0, 0, 20 * 4 * DAY);
	in = carried(200, 0);
	day = day_of(&in, lost, 1);
	expect_day(&day, 200 * DAY - 20 * 5 * DAY, 180, 0);
}

static enum err added(const struct usage_row *rows, size_t count)
{
	struct usage_carried in = carried(50, 0);
	struct usage_sum sum;
	enum err err = ERR_OK;

	usage_begin(&sum, TODAY, &in);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = usage_add(&sum, &rows[i]);
	return err;
}

static void test_no_rows_of_this_day(void **state)
{
	const struct usage_row wrong[] = {
		row(1, (enum usage_change)0, 1, MORNING, 0),
		row(1, (enum usage_change)4, 1, MORNING, 0),
		row(1, USAGE_BEGAN, 1, NIGHT, 0),
		row(1, USAGE_BEGAN, 1, MORNING, MORNING + 1),
		row(1, USAGE_ENDED, 1, MORNING, MORNING + 1), /* it was not carried in */
		row(1, USAGE_ENDED, 1, MORNING - 1, MORNING - 2),
		row(1, USAGE_ENDED, 1, MORNING - 1, NIGHT + 1),
		row(1, USAGE_BOTH, 1, MORNING + 2, MORNING + 1),
		row(1, USAGE_BOTH, 1, MORNING, NIGHT + 1),
	};
	const struct usage_row last = row(1, USAGE_BOTH, 1, NIGHT - 1, NIGHT);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(added(&wrong[i], 1), ERR_FORMAT);
	assert_int_equal(added(&last, 1), ERR_OK);
}

static void test_order(void **state)
{
	struct usage_row rows[] = {row(1, USAGE_BOTH, 1, 5, 6), row(1, USAGE_BOTH, 1, 7, 8),
				   row(2, USAGE_BOTH, 1, 5, 6)};
	struct usage_row swapped[] = {rows[1], rows[0]}, back[] = {rows[2], rows[1]}, twice[] = {rows[0], rows[0]};

	(void)state;
	assert_int_equal(added(rows, 3), ERR_OK);
	assert_int_equal(added(swapped, 2), ERR_FORMAT);
	assert_int_equal(added(back, 2), ERR_FORMAT);
	assert_int_equal(added(twice, 2), ERR_FORMAT);
}

static void test_too_much(void **state)
{
	const struct usage_row ends[] = {row(1, USAGE_ENDED, 30, 5, 6), row(2, USAGE_ENDED, 21, 5, 6)};
	/* What began today cannot pay for what ends. */
	const struct usage_row swap[] = {row(1, USAGE_BEGAN, 100, 5, 0), row(2, USAGE_ENDED, 51, 5, 6)};
	const struct usage_row begins[] = {row(1, USAGE_BEGAN, UINT64_MAX, 5, 0), row(2, USAGE_BEGAN, 1, 5, 0)};
	const struct usage_row full[] = {row(1, USAGE_BEGAN, UINT64_MAX, 5, 0)};
	struct usage_carried most = carried(0, ~(uint128)0), one = carried(1, 0);
	struct usage_sum sum;
	struct usage_day day = {.carried.bytes = 77};

	(void)state;
	assert_int_equal(added(ends, 1), ERR_OK);
	assert_int_equal(added(ends, 2), ERR_RANGE);
	assert_int_equal(added(swap, 2), ERR_RANGE);
	assert_int_equal(added(begins, 2), ERR_OVERFLOW);
	usage_begin(&sum, TODAY, &one);
	assert_int_equal(usage_add(&sum, &full[0]), ERR_OK);
	assert_int_equal(usage_end(&sum, &day), ERR_OVERFLOW);
	assert_int_equal(day.carried.bytes, 77);
	most.bytes = 50;
	usage_begin(&sum, TODAY, &most);
	assert_int_equal(usage_add(&sum, &ends[0]), ERR_OVERFLOW);
}

/* The signed Usage commits to what was carried in and to every byte of every row. */
static void test_check(void **state)
{
	struct usage_row rows[] = {row(1, USAGE_BEGAN, 10, MORNING, 0), row(2, USAGE_BOTH, 20, MORNING, MORNING + 9)};
	struct usage_carried in = carried(5, 3), other = carried(5, 4);
	struct usage_day day = day_of(&in, rows, 2), changed;
	struct usage usage = {.changes = day.changes, .byteSeconds = byte_seconds_value(day.stored)};
	struct usage_sum sum;

	(void)state;
	usage_begin(&sum, TODAY, &in);
	assert_int_equal(usage_check(&sum, &usage), REFUSAL_COMMITMENT);
	assert_int_equal(usage_add(&sum, &rows[0]), ERR_OK);
	assert_int_equal(usage_add(&sum, &rows[1]), ERR_OK);
	assert_int_equal(usage_check(&sum, &usage), REFUSAL_NONE);
	usage.byteSeconds++;
	assert_int_equal(usage_check(&sum, &usage), REFUSAL_COMMITMENT);
	changed = day_of(&other, rows, 2);
	assert_false(bytes32_equal(&changed.changes, &day.changes));
	rows[0].piece.b[31] ^= 1;
	changed = day_of(&in, rows, 2);
	assert_false(bytes32_equal(&changed.changes, &day.changes));
}

static void test_rows(void **state)
{
	const struct usage_row rows[] = {row(1, USAGE_BEGAN, 10, MORNING, 0), row(2, USAGE_BOTH, 20, 3, 9)};
	struct usage_carried in = carried(5, 3);
	struct usage_day day = day_of(&in, rows, 2), same;
	uint8_t encoded[2 * USAGE_ROW];
	struct usage_sum sum;
	struct writer w;

	(void)state;
	writer_init(&w, encoded, sizeof(encoded));
	fields_encode(&usage_row_fields, &rows[0], &w);
	fields_encode(&usage_row_fields, &rows[1], &w);
	assert_int_equal(w.len, sizeof(encoded));
	usage_begin(&sum, TODAY, &in);
	assert_int_equal(usage_add_rows(&sum, writer_bytes(&w)), ERR_OK);
	assert_int_equal(usage_end(&sum, &same), ERR_OK);
	assert_memory_equal(&same, &day, sizeof(day));
	usage_begin(&sum, TODAY, &in);
	assert_int_equal(usage_add_rows(&sum, bytes_of(encoded, sizeof(encoded) - 1)), ERR_FORMAT);
	usage_begin(&sum, TODAY, &in);
	assert_int_equal(usage_add_rows(&sum, bytes_of(NULL, 0)), ERR_OK);
}

/* Decimal text of at most 128 bits. */
static uint128 big_number(const json_t *vector, const char *name)
{
	struct bytes32 word;
	struct reader r;

	assert_int_equal(u256_parse(vector_text(vector, name), &word), ERR_OK);
	reader_init(&r, bytes_of(word.b + 16, 16));
	return read_u128(&r);
}

/* Days that were computed without this code, see tests/system/test_money_vectors.py. */
static void test_frozen(void **state)
{
	json_t *file = vectors_load("money"), *frozen;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "usages"), i, frozen) {
		struct usage_carried in = carried(vector_number(frozen, "bytes"), big_number(frozen, "debt"));
		uint8_t rows[64 * USAGE_ROW];
		size_t len = vector_bytes(frozen, "rows_hex", rows, sizeof(rows));
		struct usage_sum sum;
		struct usage_day day;

		usage_begin(&sum, (uint32_t)vector_number(frozen, "day"), &in);
		assert_int_equal(usage_add_rows(&sum, bytes_of(rows, len)), ERR_OK);
		assert_int_equal(usage_end(&sum, &day), ERR_OK);
		vector_expect(frozen, "changes", bytes_of(day.changes.b, 32));
		expect_day(&day, big_number(frozen, "byte_seconds"), vector_number(frozen, "bytes_out"),
			   big_number(frozen, "debt_out"));
	}
	json_decref(file);
}

#define PIECES 12
#define DAYS 40

/* A piece of the simulation: what is true of it, and on which days the satellite gets to know. */
struct piece {
	uint64_t size, from, to;
	unsigned begins_known, ends_known;
};

static struct piece random_piece(struct random_stream *s)
{
	struct piece p = {.size = random_stream_below(s, 1000000), .from = random_stream_below(s, 30 * DAY)};

	p.to = p.from + random_stream_below(s, 20 * DAY);
	p.begins_known = (unsigned)(p.from / DAY + random_stream_below(s, 3));
	p.ends_known = (unsigned)(p.to / DAY + random_stream_below(s, 6));
	if (p.ends_known < p.begins_known)
		p.ends_known = p.begins_known;
	return p;
}

static enum err add_piece(struct usage_sum *sum, const struct piece *p, uint8_t number, unsigned day)
{
	bool begins = p->begins_known == day, ends = p->ends_known == day;
	struct usage_row r =
		row(number, begins ? ends ? USAGE_BOTH : USAGE_BEGAN : USAGE_ENDED, p->size, p->from, ends ? p->to : 0);

	return begins || ends ? usage_add(sum, &r) : ERR_OK;
}

/* Byte-seconds up to the day's end as they are known then. */
static uint128 known_by(const struct piece *p, unsigned day)
{
	uint64_t end = (day + 1) * DAY;

	if (day < p->begins_known)
		return 0;
	return (uint128)p->size * ((day >= p->ends_known ? p->to : end) - p->from);
}

/* However late it is found out, the days add up to what is known, and never take back more than was given. */
static void test_days_add_up(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("usage"));
	for (int round = 0; round < 500; round++) {
		struct piece pieces[PIECES];
		struct usage_day out = {.carried.bytes = 0};
		uint128 counted = 0;

		for (size_t i = 0; i < PIECES; i++)
			pieces[i] = random_piece(&s);
		for (unsigned day = 0; day < DAYS; day++) {
			struct usage_sum sum;
			uint128 known = 0;

			usage_begin(&sum, day, &out.carried);
			for (size_t i = 0; i < PIECES; i++) {
				assert_int_equal(add_piece(&sum, &pieces[i], (uint8_t)i, day), ERR_OK);
				known += known_by(&pieces[i], day);
			}
			assert_int_equal(usage_end(&sum, &out), ERR_OK);
			counted += byte_seconds_value(out.stored);
			assert_true(counted >= known && counted - known == byte_seconds_value(out.carried.debt));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet_day),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_no_rows_of_this_day),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_days_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
