/*
 * Closing months: what is refused, what comes out for known work, who is paid, and that the ledger holds the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "payments/statement.h"
#include "payments/u256.h"
#include "satellite/adjustments.h"
#include "satellite/closing.h"
#include "satellite/ledger.h"
#include "satellite/payees.h"
#include "satellite/standings.h"
#include "satellite/storage.h"
#include "tests/kit/office.h"

#define JANUARY UINT64_C(1767225600)  /* 2026-01-01T00:00:00Z */
#define FEBRUARY UINT64_C(1769904000) /* 2026-02-01T00:00:00Z */
#define MARCH UINT64_C(1772323200)    /* 2026-03-01T00:00:00Z */
#define APRIL UINT64_C(1775001600)    /* 2026-04-01T00:00:00Z */
#define DAY UINT64_C(86400)
#define NODES 3
#define TOKEN UINT64_C(100000000)

/* Nodes come on the 10th of January 2026. */
static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "1/1/1/1");
	office->settings.test_network = false;
	office->settings.online = 90 * DAY;
	office_set_clock(office, JANUARY + 9 * DAY);
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	for (int i = 0; i < NODES; i++)
		office_add_node(office, "192.0.2.1", 1000000000);
	*state = office;
	return 0;
}

struct work_row {
	struct address node;
	uint64_t at, bytes;
};

static enum err insert_egress(struct database *db, void *arg)
{
	const struct work_row *row = arg;
	struct query *q =
		database_query(db, "INSERT INTO traffic (node, hour, action, bytes, orders) VALUES ($node, $hour, "
				   "2, $bytes, 1)");

	query_bytes(q, "node", bytes_of(row->node.b, sizeof(row->node.b)));
	query_int(q, "hour", row->at / 3600);
	query_int(q, "bytes", row->bytes);
	return query_run(q);
}

/* A TB sent earns two tokens. */
static void send_bytes(struct office *office, unsigned node, uint64_t at, uint64_t bytes)
{
	struct work_row row = {*key_address(office->nodes[node]), at, bytes};

	assert_int_equal(database_transaction(office->desk->db, insert_egress, &row), ERR_OK);
}

static void close_at(struct office *office, uint32_t period, uint64_t now, struct closing *ret)
{
	office_set_clock(office, now);
	if (closing_close(office->desk, period, now, ret) != ERR_OK)
		fail_msg("%s %s", ret->why, database_message(office->desk->db));
}

static void close_quietly(struct office *office, uint32_t period, uint64_t now)
{
	struct closing closing;

	close_at(office, period, now, &closing);
	closing_free(&closing);
}

static const struct stub *stub_of(const struct office *office, const struct closing *closing, unsigned node)
{
	for (size_t i = 0; i < closing->count; i++)
		if (address_equal(&closing->stubs[i].statement.node, key_address(office->nodes[node])))
			return &closing->stubs[i];
	fail_msg("every node has a stub");
	return NULL;
}

static void assert_refused(struct office *office, uint32_t period, uint64_t now, const char *why)
{
	struct closing closing;
	uint64_t months = office_number(office, "SELECT COUNT(*) FROM months");

	assert_int_equal(closing_close(office->desk, period, now, &closing), ERR_CANCELLED);
	assert_string_equal(closing.why, why);
	closing_free(&closing);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM months"), months);
}

static void test_refusals(void **state)
{
	struct office *office = *state;

	assert_refused(office, 202601, FEBRUARY - 1, "2026-01 is not over");
	assert_refused(office, 202512, FEBRUARY, "2025-12 is before the first month of these books");
	assert_refused(office, 202602, MARCH, "2026-01 must be closed first");
	assert_refused(office, 202613, MARCH, "2026-13 is no month");
	close_quietly(office, 202601, FEBRUARY);
	assert_refused(office, 202601, FEBRUARY, "2026-01 is closed already");
	assert_refused(office, 202602, FEBRUARY - 5, "2026-02 has not begun");
	assert_refused(office, 202602, MARCH - 1, "2026-02 is not over");
	close_quietly(office, 202602, MARCH);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM statements"), 2 * NODES);
}

static struct query *select_statement(struct office *office, const struct address *node, uint32_t period)
{
	struct query *q =
		database_query(office->desk->db, "SELECT signed, lines FROM statements WHERE node = $node AND "
						 "period = $period");

	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
	query_int(q, "period", period);
	return q;
}

/* Every number of every stored statement comes out of its lines and of the ledger, and the satellite signed it. */
static void check_books(struct office *office)
{
	struct sheet *sheet = malloc(sizeof(*sheet));

	assert_non_null(sheet);
	for (unsigned i = 0; i < office->node_count; i++) {
		const struct address *node = key_address(office->nodes[i]);
		struct ledger_sums all;
		__int128 total = 0;

		for (uint32_t period = 202601; period <= 202612; period++) {
			struct statement statement;
			struct signature signature;
			struct ledger_sums sums;
			struct query *q = select_statement(office, node, period);

			if (query_one(q) != ERR_OK)
				continue;
			assert_int_equal(typed_decode(&typed_statement, query_get_bytes(q, 0), &statement, &signature),
					 ERR_OK);
			assert_int_equal(sheet_decode(query_get_bytes(q, 1), sheet), ERR_OK);
			query_reset(q);
			assert_int_equal(statement_check(&statement, sheet), STATEMENT_SOUND);
			assert_int_equal(typed_verify(&typed_statement, &statement, &office->settings.domain,
						      &signature, key_address(office->key)),
					 REFUSAL_NONE);
			assert_int_equal(statement.period, period);
			assert_int_equal(ledger_sum_month(office->desk->db, node, period, &sums), ERR_OK);
			assert_int_equal(amount_units(sums.by_reason[LEDGER_FOR_HELD]), statement.held);
			assert_int_equal(amount_units(sums.by_reason[LEDGER_FOR_ALLOTTED]), statement.paid);
			assert_int_equal(amount_units(sums.by_reason[LEDGER_FOR_ROLLED]), statement.rolled);
			assert_true(ledger_balance(&sums, LEDGER_OWED) == 0);
		}
		assert_int_equal(ledger_sum(office->desk->db, node, &all), ERR_OK);
		for (unsigned account = 1; account < LEDGER_ACCOUNTS; account++) {
			__int128 balance = ledger_balance(&all, (enum ledger_account)account);

			total += balance;
			if (account != LEDGER_EARNED && account != LEDGER_TO_DEDUCT)
				assert_true(balance >= 0);
		}
		assert_true(total == 0);
	}
	free(sheet);
}

/* Egress of 10 TB in January, 75 % of it withheld; what comes out a month later is February's. */
static void test_known_amount(void **state)
{
	struct office *office = *state;
	struct closing closing, preview;
	const struct stub *stub;

	send_bytes(office, 0, JANUARY + 9 * DAY, 10000000000000);
	send_bytes(office, 0, FEBRUARY, 1000000000000);
	assert_int_equal(closing_preview(office->desk, 202601, FEBRUARY + 5, &preview), ERR_OK);
	assert_false(preview.closed);
	close_at(office, 202601, FEBRUARY + 5, &closing);
	stub = stub_of(office, &closing, 0);
	assert_int_equal(stub->statement.earned, 20 * TOKEN);
	assert_int_equal(stub->statement.held, 15 * TOKEN);
	assert_int_equal(stub->statement.paid, 5 * TOKEN);
	assert_int_equal(stub->statement.rolled, 0);
	assert_int_equal(stub->codes, SHEET_WITHHOLDING);
	assert_true(address_equal(&stub->statement.payee, key_address(office->nodes[0])));
	assert_memory_equal(&stub->statement, &stub_of(office, &preview, 0)->statement, sizeof(stub->statement));
	assert_int_equal(stub_of(office, &closing, 1)->statement.earned, 0);
	closing_free(&closing);
	closing_free(&preview);
	/* Once closed, a preview shows what was signed. */
	assert_int_equal(closing_preview(office->desk, 202601, MARCH, &preview), ERR_OK);
	assert_true(preview.closed);
	assert_int_equal(stub_of(office, &preview, 0)->statement.paid, 5 * TOKEN);
	assert_int_equal(amount_units(stub_of(office, &preview, 0)->sums.payable), 5 * TOKEN);
	closing_free(&preview);
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.earned, 2 * TOKEN);
	closing_free(&closing);
	check_books(office);
}

/* Storage: a piece of 10^12 bytes from the middle of January on. */
static void test_storage_over_months(void **state)
{
	struct office *office = *state;
	struct closing closing;
	const struct stub *stub;
	struct sheet *sheet = malloc(sizeof(*sheet));

	assert_non_null(sheet);
	office_execute(office, "INSERT INTO storage (node, hour, begun, begun_seconds, ended, ended_seconds) SELECT "
			       "address, 1768564800 / 3600, 1000000000000, 3600000000000000, 0, 0 FROM nodes");
	office_execute(office, "INSERT INTO changes (node, day, piece, change, size, began, ended) SELECT address, "
			       "1768564800 / 86400, zeroblob(32), 1, 1000000000000, 1768564800, 0 FROM nodes");
	close_at(office, 202601, FEBRUARY, &closing);
	stub = stub_of(office, &closing, 1);
	/* 15.5 of 31 days at 1.5 tokens. */
	assert_int_equal(stub->statement.earned, 75000000);
	assert_int_equal(stub->carried.bytes, 1000000000000);
	assert_int_equal(sheet_decode(stub->sheet, sheet), ERR_OK);
	assert_true(sheet->lines[0].quantity == (uint128)1000000000000 * 15 * DAY + (uint128)1000000000000 * DAY / 2);
	closing_free(&closing);
	/* Every day from that on is signed. */
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM usages"), 16 * NODES);
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 1)->statement.earned, 150000000);
	closing_free(&closing);
	free(sheet);
	check_books(office);
}

struct payee_row {
	struct office *office;
	unsigned node;
	struct address payee;
	uint64_t from;
};

static enum err keep_payee(struct database *db, void *arg)
{
	const struct payee_row *row = arg;
	const struct key *node = row->office->nodes[row->node];
	struct payee payee = {*key_address(node), row->payee, row->from};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	typed_sign(&typed_payee, &payee, &row->office->settings.domain, node, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_payee, &payee, &signature, &w);
	return payees_keep(db, key_address(node), writer_bytes(&w));
}

static void name_payee(struct office *office, unsigned node, uint8_t payee, uint64_t from)
{
	struct payee_row row = {office, node, {{payee}}, from};

	assert_int_equal(database_transaction(office->desk->db, keep_payee, &row), ERR_OK);
}

static void assert_payee(const struct office *office, const struct closing *closing, unsigned node, uint8_t payee,
			 uint64_t cumulative)
{
	const struct stub *stub = stub_of(office, closing, node);
	const struct address wanted = {{payee}};
	const struct bytes32 sum = u256_of(cumulative);

	assert_true(address_equal(&stub->statement.payee, &wanted));
	assert_memory_equal(&stub->statement.payeeCumulative, &sum, sizeof(sum));
}

/* Several nodes share a payee; one changes its own in mid-month, and in advance. */
static void test_payees(void **state)
{
	struct office *office = *state;
	struct closing closing;

	office->settings.held = (struct held_schedule){.release_after = 0};
	for (unsigned i = 0; i < NODES; i++) {
		send_bytes(office, i, JANUARY + 9 * DAY, 1000000000000);
		send_bytes(office, i, FEBRUARY, 1000000000000);
		send_bytes(office, i, MARCH, 1000000000000);
	}
	name_payee(office, 0, 7, 5);
	name_payee(office, 1, 7, 5);
	name_payee(office, 2, 7, 5);
	name_payee(office, 2, 9, FEBRUARY + 14 * DAY); /* in mid-month: all of February is the new one's */
	close_at(office, 202601, FEBRUARY, &closing);
	for (unsigned i = 0; i < NODES; i++)
		assert_payee(office, &closing, i, 7, 6 * TOKEN);
	closing_free(&closing);
	close_at(office, 202602, MARCH, &closing);
	assert_payee(office, &closing, 0, 7, 10 * TOKEN);
	assert_payee(office, &closing, 2, 9, 2 * TOKEN);
	closing_free(&closing);
	/* What is said again supersedes what was said for later. */
	name_payee(office, 1, 8, APRIL);
	name_payee(office, 1, 9, MARCH);
	close_at(office, 202603, APRIL, &closing);
	assert_payee(office, &closing, 0, 7, 12 * TOKEN);
	assert_payee(office, &closing, 1, 9, 6 * TOKEN);
	closing_free(&closing);
	check_books(office);
}

/* A node cannot fill the table. */
static void test_many_payees(void **state)
{
	struct office *office = *state;
	struct address payee;

	for (uint64_t i = 0; i < 3 * PAYEES_MOST; i++)
		name_payee(office, 0, (uint8_t)i, JANUARY + i);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM payees"), PAYEES_MOST);
	assert_int_equal(payees_at(office->desk->db, key_address(office->nodes[0]), FEBRUARY, &payee), ERR_OK);
	assert_int_equal(payee.b[0], 3 * PAYEES_MOST - 1);
	/* Saying the same again, as at every check-in, keeps what held before. */
	name_payee(office, 1, 7, JANUARY + 5);
	name_payee(office, 1, 8, FEBRUARY + 5);
	for (uint64_t i = 0; i < 3 * PAYEES_MOST; i++)
		name_payee(office, 1, 8, FEBRUARY + 6 + i);
	assert_int_equal(payees_at(office->desk->db, key_address(office->nodes[1]), FEBRUARY, &payee), ERR_OK);
	assert_int_equal(payee.b[0], 7);
	assert_int_equal(payees_at(office->desk->db, key_address(office->nodes[1]), MARCH, &payee), ERR_OK);
	assert_int_equal(payee.b[0], 8);
}

/* Below the minimum, all that a payee is owed rolls over; it is the payee's nodes together that count. */
static void test_minimum(void **state)
{
	struct office *office = *state;
	struct closing closing;

	office->settings.held = (struct held_schedule){.release_after = 0};
	office->settings.minimum_payout = amount_of(5 * TOKEN);
	name_payee(office, 0, 7, 5);
	name_payee(office, 1, 7, 5);
	send_bytes(office, 0, JANUARY + 9 * DAY, 1000000000000);
	send_bytes(office, 1, JANUARY + 9 * DAY, 1000000000000);
	send_bytes(office, 2, JANUARY + 9 * DAY, 2499999999999);
	send_bytes(office, 0, FEBRUARY, 500000000000);
	close_at(office, 202601, FEBRUARY, &closing);
	for (unsigned i = 0; i < NODES; i++) {
		const struct statement *statement = &stub_of(office, &closing, i)->statement;

		assert_int_equal(statement->paid, 0);
		assert_int_equal(statement->rolled, statement->earned);
	}
	closing_free(&closing);
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.paid, 3 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 1)->statement.paid, 2 * TOKEN);
	assert_int_equal(amount_units(stub_of(office, &closing, 1)->sums.carried), 2 * TOKEN);
	assert_payee(office, &closing, 0, 7, 5 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 2)->statement.rolled, 5 * TOKEN - 1);
	closing_free(&closing);
	check_books(office);
}

static enum err add_adjustment(struct database *db, void *arg)
{
	return adjustments_add(db, arg);
}

static enum err adjust(struct office *office, unsigned node, uint32_t period, enum line_kind kind, uint64_t units)
{
	struct adjustment adjustment = {
		*key_address(office->nodes[node]), period, kind, 202512, amount_of(units), FEBRUARY, "because"};

	return database_transaction(office->desk->db, add_adjustment, &adjustment);
}

static void test_adjustments(void **state)
{
	struct office *office = *state;
	struct closing closing;
	const struct stub *stub;
	struct ledger_sums sums;

	send_bytes(office, 0, JANUARY + 9 * DAY, 1000000000000);
	assert_int_equal(adjust(office, 0, 202601, LINE_BONUS, 3 * TOKEN), ERR_OK);
	assert_int_equal(adjust(office, 0, 202601, LINE_CORRECTION, TOKEN), ERR_OK);
	assert_int_equal(adjust(office, 0, 202602, LINE_BONUS, TOKEN), ERR_OK);
	assert_int_equal(adjust(office, 1, 202601, LINE_DEDUCTED, 2 * TOKEN), ERR_OK);
	assert_int_equal(adjust(office, 1, 202602, LINE_BONUS, 3 * TOKEN), ERR_OK);
	close_at(office, 202601, FEBRUARY, &closing);
	stub = stub_of(office, &closing, 0);
	assert_int_equal(stub->statement.earned, 6 * TOKEN);
	assert_int_equal(stub->statement.held, TOKEN + TOKEN / 2); /* of the work only */
	assert_int_equal(stub->statement.paid, 4 * TOKEN + TOKEN / 2);
	assert_int_equal(stub->codes, SHEET_WITHHOLDING | SHEET_BONUS);
	/* Nothing to take it from yet. */
	assert_int_equal(stub_of(office, &closing, 1)->statement.paid, 0);
	closing_free(&closing);
	assert_int_equal(ledger_sum(office->desk->db, key_address(office->nodes[1]), &sums), ERR_OK);
	assert_true(ledger_balance(&sums, LEDGER_TO_DEDUCT) == -(__int128)(2 * TOKEN));
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.earned, TOKEN);
	assert_int_equal(stub_of(office, &closing, 1)->statement.paid, TOKEN);
	closing_free(&closing);
	assert_int_equal(ledger_sum(office->desk->db, key_address(office->nodes[1]), &sums), ERR_OK);
	assert_true(ledger_balance(&sums, LEDGER_TO_DEDUCT) == 0);
	assert_int_equal(adjust(office, 0, 202603, LINE_BONUS, 1), ERR_EARLY);
	assert_int_equal(adjust(office, 0, 202602, LINE_BONUS, 1), ERR_EXPIRED);
	assert_int_equal(adjust(office, 0, 202601, LINE_BONUS, 1), ERR_EXPIRED);
	check_books(office);
}

struct note {
	struct address node;
	enum standing_state state;
	uint64_t at;
};

static enum err note_standing(struct database *db, void *arg)
{
	const struct note *note = arg;

	return standings_note(db, &note->node, note->state, note->at, "because");
}

static enum err note(struct office *office, unsigned node, enum standing_state state, uint64_t at)
{
	struct note note = {*key_address(office->nodes[node]), state, at};

	return database_transaction(office->desk->db, note_standing, &note);
}

/* What was held back is forfeited by a disqualified node, and released to one that left in good order. */
static void test_standings(void **state)
{
	struct office *office = *state;
	struct closing closing;
	struct ledger_sums sums;

	for (unsigned i = 0; i < 2; i++)
		send_bytes(office, i, JANUARY + 9 * DAY, 2000000000000);
	assert_int_equal(note(office, 0, STANDING_DISQUALIFIED, FEBRUARY + 5), ERR_OK);
	assert_int_equal(note(office, 1, STANDING_EXITING, JANUARY + 20 * DAY), ERR_OK);
	assert_int_equal(note(office, 1, STANDING_EXITED, FEBRUARY + 5), ERR_OK);
	assert_int_equal(note(office, 1, STANDING_EXITED, FEBRUARY + 5), ERR_EXISTS);
	assert_int_equal(note(office, 0, STANDING_EXITED, FEBRUARY + 5), ERR_CONFLICT);
	assert_int_equal(note(office, 1, STANDING_DISQUALIFIED, FEBRUARY + 5), ERR_CONFLICT);
	close_at(office, 202601, FEBRUARY, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.held, 3 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 0)->codes, SHEET_WITHHOLDING);
	assert_int_equal(stub_of(office, &closing, 1)->codes, SHEET_EXITING | SHEET_WITHHOLDING);
	closing_free(&closing);
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.forfeited, 3 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 0)->statement.paid, 0);
	assert_int_equal(stub_of(office, &closing, 0)->codes & SHEET_DISQUALIFIED, SHEET_DISQUALIFIED);
	assert_int_equal(stub_of(office, &closing, 1)->statement.released, 3 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 1)->statement.paid, 3 * TOKEN);
	assert_int_equal(stub_of(office, &closing, 1)->codes & SHEET_EXITED, SHEET_EXITED);
	closing_free(&closing);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ledger_sum(office->desk->db, key_address(office->nodes[i]), &sums), ERR_OK);
		assert_true(ledger_balance(&sums, LEDGER_HELD) == 0);
	}
	check_books(office);
}

/* A node that was not seen for a while, or not reached. */
static void test_offline(void **state)
{
	struct office *office = *state;
	struct closing closing;

	office->settings.online = 10 * DAY;
	office_set_clock(office, JANUARY + 25 * DAY);
	office_lose_node(office, key_address(office->nodes[1]));
	office_execute(office, "UPDATE nodes SET checked_in = 1769471999 WHERE reachable = 1");
	office_set_clock(office, FEBRUARY + DAY);
	close_at(office, 202601, FEBRUARY + DAY, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->codes & SHEET_OFFLINE, 0);
	assert_int_equal(stub_of(office, &closing, 1)->codes & SHEET_OFFLINE, SHEET_OFFLINE);
	closing_free(&closing);
	close_at(office, 202602, MARCH, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->codes & SHEET_OFFLINE, SHEET_OFFLINE);
	closing_free(&closing);
}

/* A price that changes counts from its day on; the days before keep theirs. */
static void test_prices_by_day(void **state)
{
	struct office *office = *state;
	struct closing closing;

	office->settings.held = (struct held_schedule){.release_after = 0};
	office_set_clock(office, JANUARY + 20 * DAY + 5);
	office->settings.prices.egress = amount_of(4 * TOKEN);
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM prices"), 2);
	send_bytes(office, 0, JANUARY + 20 * DAY + 6, 1000000000000);
	send_bytes(office, 0, JANUARY + 21 * DAY, 1000000000000);
	close_at(office, 202601, FEBRUARY, &closing);
	assert_int_equal(stub_of(office, &closing, 0)->statement.earned, 6 * TOKEN);
	closing_free(&closing);
}

static enum err read_hour(struct database *db, void *arg)
{
	return storage_hour(db, arg);
}

/* On a test network a month ends with the day on which it is closed; what follows is the next one's. */
static void test_early_closing(void **state)
{
	struct office *office = *state;
	uint64_t now = JANUARY + 14 * DAY + DAY / 2, hour = 0;
	struct closing closing;

	office->settings.test_network = true;
	office->settings.held = (struct held_schedule){.release_after = 0};
	send_bytes(office, 0, now, 1000000000000);
	close_at(office, 202601, now, &closing);
	assert_int_equal(closing.stretch.end_day, JANUARY / DAY + 15);
	assert_int_equal(stub_of(office, &closing, 0)->statement.paid, 2 * TOKEN);
	closing_free(&closing);
	/* What becomes known now is booked on the first day that is open. */
	assert_int_equal(database_view(office->desk->db, read_hour, &hour), ERR_OK);
	assert_int_equal(hour, (JANUARY + 15 * DAY) / 3600);
	send_bytes(office, 0, JANUARY + 15 * DAY, 1000000000000);
	assert_refused(office, 202602, JANUARY + 15 * DAY, "2026-02 has not begun");
	close_at(office, 202602, FEBRUARY + 5, &closing);
	assert_int_equal(closing.stretch.first_day, JANUARY / DAY + 15);
	assert_int_equal(stub_of(office, &closing, 0)->statement.paid, 2 * TOKEN);
	closing_free(&closing);
	check_books(office);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals),	TEST(test_known_amount),  TEST(test_storage_over_months), TEST(test_payees),
		TEST(test_many_payees), TEST(test_minimum),	  TEST(test_adjustments),	  TEST(test_standings),
		TEST(test_offline),	TEST(test_prices_by_day), TEST(test_early_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
