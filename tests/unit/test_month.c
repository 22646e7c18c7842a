/* Closing a month: what comes out of which facts, and the statement made of it. */
#include "payments/month.h"
#include "payments/u256.h"
#include "tests/kit/vectors.h"

#define TB 1000000000000ull
#define DAY 86400ull
#define JANUARY_2026 1767225600ull
#define FEBRUARY_2026 (JANUARY_2026 + 31 * DAY)

static const struct prices prices = {AMOUNT_INIT(150), AMOUNT_INIT(200), AMOUNT_INIT(30), AMOUNT_INIT(40)};
static struct month month;
static struct standing standing;
static struct month_before before;
static struct closed_month closed;

static int set_up(void **state)
{
	(void)state;
	month_begin(&month, JANUARY_2026 + 12345);
	standing = (struct standing){.registered = JANUARY_2026 - 365 * DAY};
	memset(&before, 0, sizeof(before));
	memset(&closed, 0, sizeof(closed));
	return 0;
}

static void store(uint64_t bytes, uint64_t seconds)
{
	assert_int_equal(month_add_stored(&month, byte_seconds_of(bytes, seconds), &prices), ERR_OK);
}

static void move_bytes(enum action action, uint64_t bytes)
{
	assert_int_equal(month_add_traffic(&month, action, bytes, &prices), ERR_OK);
}

static void close_month(void)
{
	assert_int_equal(month_close(&month, &held_default, &standing, &before, &closed), ERR_OK);
}

static void expect_line(size_t i, enum line_kind kind, uint128 quantity, uint64_t amount)
{
	const struct sheet_line *line = &closed.sheet.lines[i];

	assert_true(i < closed.sheet.count);
	assert_int_equal(line->kind, kind);
	assert_true(line->quantity == quantity);
	assert_int_equal(amount_units(line->amount), amount);
}

static void expect_codes(const char *want)
{
	char text[SHEET_CODES_TEXT];

	assert_string_equal(sheet_codes_print(closed.sheet.codes, text), want);
}

static void test_empty(void **state)
{
	(void)state;
	close_month();
	assert_int_equal(closed.period, 202601);
	assert_int_equal(closed.sheet.count, 0);
	assert_int_equal(amount_units(closed.sums.payable), 0);
	expect_codes("");
}

static void test_work(void **state)
{
	(void)state;
	store(TB, 31 * DAY);
	move_bytes(ACTION_GET, TB);
	move_bytes(ACTION_GET_AUDIT, TB / 2);
	move_bytes(ACTION_GET_AUDIT, TB / 2);
	move_bytes(ACTION_GET_REPAIR, TB);
	move_bytes(ACTION_PUT, TB);
	move_bytes(ACTION_PUT_REPAIR, TB);
	close_month();
	assert_int_equal(closed.sheet.count, 4);
	expect_line(0, LINE_STORAGE, (uint128)TB * 31 * DAY, 150);
	expect_line(1, LINE_EGRESS, TB, 200);
	expect_line(2, LINE_AUDIT, TB, 30);
	expect_line(3, LINE_REPAIR, TB, 40);
	assert_int_equal(amount_units(closed.sums.payable), 420);
}

/* A month of two prices has two lines of a kind; back to the first price goes on with the first line. */
static void test_two_prices(void **state)
{
	struct prices dearer = prices;

	(void)state;
	dearer.storage = amount_of(300);
	store(TB, DAY);
	assert_int_equal(month_add_stored(&month, byte_seconds_of(TB, DAY), &dearer), ERR_OK);
	store(TB, DAY);
	close_month();
	assert_int_equal(closed.sheet.count, 2);
	expect_line(0, LINE_STORAGE, (uint128)TB * 2 * DAY, 150 * 2 / 31);
	expect_line(1, LINE_STORAGE, (uint128)TB * DAY, 300 / 31);
}

static void test_withholding(void **state)
{
	(void)state;
	standing.registered = JANUARY_2026 + 5 * DAY;
	move_bytes(ACTION_GET, TB);
	assert_int_equal(month_add_bonus(&month, amount_of(1000)), ERR_OK);
	assert_int_equal(month_add_correction(&month, 202511, amount_of(100)), ERR_OK);
	before.rolled = amount_of(7);
	close_month();
	expect_codes("EB");
	assert_int_equal(closed.sheet.count, 5);
	expect_line(3, LINE_HELD, 75, 150); /* of the work alone */
	expect_line(4, LINE_CARRIED, 0, 7);
	assert_int_equal(amount_units(closed.sums.earned), 1300);
	assert_int_equal(amount_units(closed.sums.payable), 1300 - 150 + 7);
	assert_int_equal(amount_units(closed.held.withheld), 150);
	assert_int_equal(amount_units(before.held.withheld), 0);
}

static void test_exited(void **state)
{
	(void)state;
	standing.registered = JANUARY_2026 - 60 * DAY;
	standing.exiting = JANUARY_2026 - 5 * DAY;
	standing.exited = JANUARY_2026 + 5 * DAY;
	before.held.withheld = amount_of(500);
	move_bytes(ACTION_GET, TB);
	close_month();
	expect_codes("X");
	expect_line(1, LINE_RELEASED, 0, 500);
	assert_int_equal(amount_units(closed.sums.payable), 700);
}

static void test_disqualified(void **state)
{
	(void)state;
	standing.registered = JANUARY_2026;
	standing.exiting = JANUARY_2026 + 4 * DAY;
	standing.disqualified = JANUARY_2026 + 5 * DAY;
	standing.offline = true;
	before.held.withheld = amount_of(500);
	move_bytes(ACTION_GET, TB);
	close_month();
	expect_codes("DOE");
	expect_line(1, LINE_HELD, 75, 150);
	expect_line(2, LINE_FORFEITED, 0, 650);
	assert_int_equal(amount_units(closed.sums.payable), 50);
}

/* What happens after the month's end is not in the month. */
static void test_not_yet(void **state)
{
	(void)state;
	standing.exiting = standing.exited = standing.disqualified = FEBRUARY_2026;
	before.held.withheld = amount_of(500);
	before.held.released = amount_of(250);
	close_month();
	expect_codes("");
	assert_int_equal(amount_units(closed.sums.payable), 0);
	standing.exiting = FEBRUARY_2026 - 1;
	close_month();
	expect_codes("I");
}

static void test_deductions(void **state)
{
	(void)state;
	move_bytes(ACTION_GET, TB);
	before.deduct = amount_of(150);
	assert_int_equal(month_add_deduction(&month, amount_of(60)), ERR_OK);
	close_month();
	expect_line(1, LINE_DEDUCTED, 10, 200);
	assert_int_equal(amount_units(closed.sums.payable), 0);
	assert_int_equal(amount_units(closed.left), 10);
	before.deduct = amount_of(0);
	close_month();
	expect_line(1, LINE_DEDUCTED, 0, 60);
	assert_int_equal(amount_units(closed.sums.payable), 140);
	assert_int_equal(amount_units(closed.left), 0);
}

static void test_nothing_to_deduct_from(void **state)
{
	(void)state;
	before.deduct = amount_of(150);
	close_month();
	assert_int_equal(closed.sheet.count, 1);
	expect_line(0, LINE_DEDUCTED, 150, 0);
	assert_int_equal(amount_units(closed.left), 150);
}

static void test_overflow(void **state)
{
	const struct prices dear = {.egress = AMOUNT_INIT(UINT64_MAX)};

	(void)state;
	closed.period = 7;
	assert_int_equal(month_add_deduction(&month, amount_of(UINT64_MAX)), ERR_OK);
	assert_int_equal(month_add_deduction(&month, amount_of(1)), ERR_OVERFLOW);
	before.deduct = amount_of(1);
	assert_int_equal(month_close(&month, &held_default, &standing, &before, &closed), ERR_OVERFLOW);
	before.deduct = amount_of(0);
	assert_int_equal(month_add_traffic(&month, ACTION_GET, TB, &dear), ERR_OK);
	assert_int_equal(month_close(&month, &held_default, &standing, &before, &closed), ERR_OK);
	assert_int_equal(month_add_traffic(&month, ACTION_GET, 1, &dear), ERR_OK);
	closed.period = 7;
	assert_int_equal(month_close(&month, &held_default, &standing, &before, &closed), ERR_OVERFLOW);
	assert_int_equal(closed.period, 7);
}

static void test_pays(void **state)
{
	(void)state;
	assert_true(month_pays(amount_of(0), amount_of(0)));
	assert_true(month_pays(amount_of(10), amount_of(10)));
	assert_false(month_pays(amount_of(9), amount_of(10)));
}

static struct statement statement_of(bool pays)
{
	struct statement_parties parties = {{{1}}, {{2}}, {{3}}, u256_of(5000)};
	struct statement statement;

	assert_int_equal(month_statement(&closed, &parties, &before.cumulative, pays, &statement), ERR_OK);
	return statement;
}

static void make_rich_month(void)
{
	standing.registered = JANUARY_2026 - 480 * DAY; /* October 2024: month 16 */
	before = (struct month_before){.rolled = amount_of(20), .deduct = amount_of(30), .cumulative = u256_of(1000)};
	before.held.withheld = amount_of(501);
	store(TB, 31 * DAY);
	move_bytes(ACTION_GET, TB);
	close_month();
}

static void test_statement(void **state)
{
	struct statement paid, rolled;
	struct month_before after;
	struct bytes32 want = u256_of(1590);

	(void)state;
	make_rich_month();
	paid = statement_of(true);
	assert_int_equal(paid.satellite.b[0], 1);
	assert_int_equal(paid.node.b[0], 2);
	assert_int_equal(paid.payee.b[0], 3);
	assert_int_equal(paid.period, 202601);
	assert_int_equal(paid.earned, 350);
	assert_int_equal(paid.released, 250);
	assert_int_equal(paid.paid, 350 + 250 + 20 - 30);
	assert_int_equal(paid.rolled, 0);
	assert_memory_equal(&paid.nodeCumulative, &want, sizeof(want));
	assert_int_equal(statement_check(&paid, &closed.sheet), STATEMENT_SOUND);
	rolled = statement_of(false);
	assert_int_equal(rolled.paid, 0);
	assert_int_equal(rolled.rolled, 590);
	assert_memory_equal(&rolled.nodeCumulative, &before.cumulative, sizeof(before.cumulative));
	assert_int_equal(statement_check(&rolled, &closed.sheet), STATEMENT_SOUND);
	after = month_after(&closed, &rolled);
	assert_int_equal(amount_units(after.rolled), 590);
	assert_int_equal(amount_units(after.deduct), 0);
	assert_int_equal(amount_units(after.held.released), 250);
	assert_memory_equal(&after.cumulative, &rolled.nodeCumulative, sizeof(after.cumulative));
}

static void test_cumulative_overflow(void **state)
{
	struct statement_parties parties = {.payee_cumulative = u256_of(1)};
	struct statement statement = {.period = 7};

	(void)state;
	make_rich_month();
	memset(&before.cumulative, 0xff, sizeof(before.cumulative));
	assert_int_equal(month_statement(&closed, &parties, &before.cumulative, true, &statement), ERR_OVERFLOW);
	assert_int_equal(statement.period, 7);
}

/* Four prices in a list; false when there is none. */
static bool read_prices(const json_t *json, struct prices *ret)
{
	if (json_array_size(json) != 4)
		return false;
	*ret = (struct prices){
		.storage = amount_of((uint64_t)json_integer_value(json_array_get(json, 0))),
		.egress = amount_of((uint64_t)json_integer_value(json_array_get(json, 1))),
		.audit = amount_of((uint64_t)json_integer_value(json_array_get(json, 2))),
		.repair = amount_of((uint64_t)json_integer_value(json_array_get(json, 3))),
	};
	return true;
}

static struct amount vector_amount(const json_t *vector, const char *name)
{
	return amount_of(vector_number(vector, name));
}

static struct bytes32 vector_word(const json_t *vector, const char *name)
{
	struct bytes32 word;

	assert_int_equal(u256_parse(vector_text(vector, name), &word), ERR_OK);
	return word;
}

static void add_part(const json_t *part)
{
	struct prices offer, ask, paid;
	struct bytes32 stored = vector_word(part, "byte_seconds");
	struct reader r;

	assert_true(read_prices(json_object_get(part, "offer"), &offer));
	paid = prices_paid(&offer, read_prices(json_object_get(part, "ask"), &ask) ? &ask : NULL);
	reader_init(&r, bytes_of(stored.b + 16, 16));
	assert_int_equal(month_add_stored(&month, byte_seconds_from(read_u128(&r)), &paid), ERR_OK);
	assert_int_equal(month_add_traffic(&month, ACTION_GET, vector_number(part, "get"), &paid), ERR_OK);
	assert_int_equal(month_add_traffic(&month, ACTION_GET_AUDIT, vector_number(part, "audit"), &paid), ERR_OK);
	assert_int_equal(month_add_traffic(&month, ACTION_GET_REPAIR, vector_number(part, "repair"), &paid), ERR_OK);
}

static void add_facts(const json_t *frozen)
{
	const json_t *earlier = json_object_get(frozen, "before"), *one;
	uint64_t at;
	size_t i;

	assert_int_equal(month_of_period((uint32_t)vector_number(frozen, "period"), &at), ERR_OK);
	month_begin(&month, at);
	json_array_foreach(json_object_get(frozen, "parts"), i, one)
		add_part(one);
	assert_int_equal(month_add_bonus(&month, vector_amount(frozen, "bonus")), ERR_OK);
	json_array_foreach(json_object_get(frozen, "corrections"), i, one) {
		uint32_t period = (uint32_t)json_integer_value(json_array_get(one, 0));
		struct amount amount = amount_of((uint64_t)json_integer_value(json_array_get(one, 1)));

		assert_int_equal(month_add_correction(&month, period, amount), ERR_OK);
	}
	assert_int_equal(month_add_deduction(&month, vector_amount(frozen, "deduction")), ERR_OK);
	standing = (struct standing){
		.registered = vector_number(frozen, "registered"),
		.exiting = vector_number(frozen, "exiting"),
		.exited = vector_number(frozen, "exited"),
		.disqualified = vector_number(frozen, "disqualified"),
		.offline = json_is_true(json_object_get(frozen, "offline")),
	};
	before = (struct month_before){
		.held = {vector_amount(earlier, "withheld"), vector_amount(earlier, "released"),
			 vector_amount(earlier, "forfeited")},
		.rolled = vector_amount(earlier, "rolled"),
		.deduct = vector_amount(earlier, "deduct"),
		.cumulative = vector_word(earlier, "cumulative"),
	};
}

static void expect_closed(const json_t *frozen)
{
	static uint8_t bytes[SHEET_BYTES];
	bool pays = json_is_true(json_object_get(frozen, "pays"));
	struct statement_parties parties = {.payee_cumulative = vector_word(frozen, "payee_cumulative")};
	struct statement statement;
	struct month_before after;
	struct bytes32 hash, cumulative = vector_word(frozen, "cumulative");
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	sheet_encode(&closed.sheet, &w);
	vector_expect(frozen, "sheet", writer_bytes(&w));
	vector_bytes(frozen, "satellite", parties.satellite.b, 20);
	vector_bytes(frozen, "node", parties.node.b, 20);
	vector_bytes(frozen, "payee", parties.payee.b, 20);
	assert_int_equal(month_statement(&closed, &parties, &before.cumulative, pays, &statement), ERR_OK);
	typed_hash(&typed_statement, &statement, &hash);
	vector_expect(frozen, "statement_hash", bytes_of(hash.b, 32));
	assert_int_equal(statement_check(&statement, &closed.sheet), STATEMENT_SOUND);
	after = month_after(&closed, &statement);
	assert_int_equal(amount_units(after.deduct), vector_number(frozen, "left"));
	assert_int_equal(amount_units(after.rolled), vector_number(frozen, "rolled"));
	assert_int_equal(amount_units(after.held.withheld), vector_number(frozen, "withheld"));
	assert_memory_equal(&after.cumulative, &cumulative, sizeof(cumulative));
}

/* Months that were computed without this code, see tests/system/test_money_vectors.py. */
static void test_frozen(void **state)
{
	json_t *file = vectors_load("money"), *frozen;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "months"), i, frozen) {
		add_facts(frozen);
		close_month();
		expect_closed(frozen);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, set_up),
		cmocka_unit_test_setup(test_work, set_up),
		cmocka_unit_test_setup(test_two_prices, set_up),
		cmocka_unit_test_setup(test_withholding, set_up),
		cmocka_unit_test_setup(test_exited, set_up),
		cmocka_unit_test_setup(test_disqualified, set_up),
		cmocka_unit_test_setup(test_not_yet, set_up),
		cmocka_unit_test_setup(test_deductions, set_up),
		cmocka_unit_test_setup(test_nothing_to_deduct_from, set_up),
		cmocka_unit_test_setup(test_overflow, set_up),
		cmocka_unit_test_setup(test_pays, set_up),
		cmocka_unit_test_setup(test_statement, set_up),
		cmocka_unit_test_setup(test_cumulative_overflow, set_up),
		cmocka_unit_test_setup(test_frozen, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
