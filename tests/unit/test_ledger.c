/* The ledger: orders come in, are claimed, judged and kept; running totals stay right; nothing is counted twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/message.h"
#include "node/admission.h"
#include "node/ledger.h"
#include "node/store/segment.h"
#include "payments/serial.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define HOUR 500000

struct fixture {
	char dir[64];
	char *path;
	struct ledger *ledger;
	struct key *node, *satellite;
	struct domain domain;
};

static const struct address first = {{1}}, second = {{2}};

static struct ledger *open_ledger(struct fixture *f)
{
	struct ledger *ledger = NULL;
	char why[LEDGER_MESSAGE] = "";

	assert_int_equal(ledger_open(f->path, &ledger, why), ERR_OK);
	return ledger;
}

static int set_up(void **state)
{
	const struct address no_contract = {{0}};
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/granary-ledger-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = file_join(f->dir, "ledger.db");
	f->node = key_generate();
	f->satellite = key_generate();
	domain_init(&f->domain, 5, &no_contract);
	f->ledger = open_ledger(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	ledger_close(f->ledger);
	key_free(f->node);
	key_free(f->satellite);
	free(f->path);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Transfer number n, whose allocation expires in this hour. */
static struct store_transfer transfer(const struct address *satellite, uint8_t n, uint64_t hour, uint64_t amount)
{
	struct store_transfer t = {.sequence = n};
	const uint8_t random[28] = {n};

	t.allocation = (struct allocation){.satellite = *satellite,
					   .action = ACTION_GET,
					   .limit = 1000000,
					   .issued = hour * 3600 - 10,
					   .expires = hour * 3600 + 10};
	serial_make(t.allocation.expires, random, &t.allocation.serial);
	typed_hash(&typed_allocation, &t.allocation, &t.order.allocation);
	t.order.amount = amount;
	t.at = hour * 3600;
	return t;
}

static void add(struct fixture *f, const struct address *satellite, uint8_t n, uint64_t hour, uint64_t amount)
{
	const struct store_transfer t = transfer(satellite, n, hour, amount);

	assert_int_equal(ledger_add(f->ledger, &t), ERR_OK);
}

static void expect_totals(struct fixture *f, const struct address *satellite, enum ledger_state state, uint64_t orders,
			  uint64_t bytes)
{
	struct ledger_totals totals;

	ledger_totals(f->ledger, satellite, &totals);
	assert_int_equal(totals.orders[state], orders);
	assert_int_equal(totals.bytes[state], bytes);
}

static struct claim *claim(struct fixture *f, const struct address *satellite, uint64_t hour)
{
	struct claim *claim = NULL;

	assert_int_equal(ledger_claim(f->ledger, satellite, hour, 100, &claim), ERR_OK);
	return claim;
}

static void settle(struct fixture *f, const struct claim *claim, const struct ledger_verdict *verdicts)
{
	struct settlement settlement = {.satellite = claim->satellite, .hour = claim->hour, .count = claim->count};
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	typed_sign(&typed_settlement, &settlement, &f->domain, f->node, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_settlement, &settlement, &signature, &w);
	assert_int_equal(ledger_settle(f->ledger, claim, verdicts, writer_bytes(&w), bytes_of_text("signed")), ERR_OK);
}

static void test_orders_grow(void **state)
{
	struct fixture *f = *state;

	add(f, &first, 1, HOUR, 100);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 100);
	add(f, &first, 1, HOUR, 300);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 300);
	add(f, &first, 1, HOUR, 300);
	add(f, &first, 1, HOUR, 200);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 300);
	add(f, &second, 2, HOUR, 5);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 300);
	expect_totals(f, NULL, LEDGER_UNSETTLED, 2, 305);
}

/* A used serial without an order owes nothing, and an order that no disk could be asked for is not believed. */
static void test_no_order(void **state)
{
	struct fixture *f = *state;

	add(f, &first, 1, HOUR, 0);
	add(f, &first, 2, HOUR, (uint64_t)INT64_MAX + 1);
	expect_totals(f, NULL, LEDGER_UNSETTLED, 0, 0);
}

static void test_claims_are_sorted(void **state)
{
	struct fixture *f = *state;
	struct claim *c;
	uint64_t hour;

	for (uint8_t n = 0; n < 50; n++)
		add(f, &first, n, HOUR + n % 2, n + 1u);
	add(f, &second, 60, HOUR - 5, 1);
	assert_int_equal(ledger_next_hour(f->ledger, &first, 0, &hour), ERR_OK);
	assert_int_equal(hour, HOUR);
	assert_int_equal(ledger_next_hour(f->ledger, &first, HOUR + 1, &hour), ERR_OK);
	assert_int_equal(hour, HOUR + 1);
	assert_int_equal(ledger_next_hour(f->ledger, &first, HOUR + 2, &hour), ERR_NOT_FOUND);
	c = claim(f, &first, HOUR);
	assert_int_equal(c->count, 25);
	for (uint32_t i = 1; i < c->count; i++)
		assert_true(bytes32_compare(&c->orders[i - 1].hash, &c->orders[i].hash) < 0);
	for (uint32_t i = 0; i < c->count; i++) {
		struct signature signature;
		struct order order;
		struct bytes32 hash;

		assert_int_equal(typed_decode(&typed_order, c->orders[i].order_signed, &order, &signature), ERR_OK);
		typed_hash(&typed_order, &order, &hash);
		assert_true(bytes32_equal(&hash, &c->orders[i].hash) && order.amount == c->orders[i].amount);
		assert_true(bytes32_equal(&order.allocation, &c->orders[i].allocation));
	}
	claim_free(c);
	assert_int_equal(ledger_claim(f->ledger, &first, HOUR, 10, &c), ERR_OK);
	assert_int_equal(c->count, 10);
	claim_free(c);
}

static void test_verdicts(void **state)
{
	struct ledger_verdict verdicts[2] = {{VERDICT_SETTLED, REFUSAL_NONE, 0}, {VERDICT_REJECTED, REFUSAL_LATE, 0}};
	struct fixture *f = *state;
	struct claim *c;
	uint64_t hour, settled;

	add(f, &first, 1, HOUR, 100);
	add(f, &first, 2, HOUR, 40);
	c = claim(f, &first, HOUR);
	settled = verdicts[0].bytes = c->orders[0].amount;
	settle(f, c, verdicts);
	claim_free(c);
	expect_totals(f, &first, LEDGER_UNSETTLED, 0, 0);
	expect_totals(f, &first, LEDGER_SETTLED, 1, settled);
	expect_totals(f, &first, LEDGER_REJECTED, 1, 140 - settled);
	assert_int_equal(ledger_next_hour(f->ledger, &first, 0, &hour), ERR_NOT_FOUND);
	/* The log can be read again from the start: settled is settled. */
	add(f, &first, 1, HOUR, 100);
	add(f, &first, 2, HOUR, 40);
	expect_totals(f, &first, LEDGER_UNSETTLED, 0, 0);
}

/* While the satellite counted the lower order, a higher one came: it is still to be settled. */
static void test_topped_meanwhile(void **state)
{
	const struct ledger_verdict verdict = {VERDICT_SETTLED, REFUSAL_NONE, 100};
	const struct ledger_verdict credited = {VERDICT_CREDITED, REFUSAL_NONE, 250};
	struct fixture *f = *state;
	struct claim *c;

	add(f, &first, 1, HOUR, 100);
	c = claim(f, &first, HOUR);
	add(f, &first, 1, HOUR, 250);
	settle(f, c, &verdict);
	claim_free(c);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 250);
	expect_totals(f, &first, LEDGER_SETTLED, 0, 0);
	c = claim(f, &first, HOUR);
	assert_int_equal(c->orders[0].amount, 250);
	settle(f, c, &credited);
	/* The answer got lost, the claim was made again: the same verdict changes nothing. */
	settle(f, c, &credited);
	claim_free(c);
	expect_totals(f, &first, LEDGER_SETTLED, 1, 250);
	expect_totals(f, &first, LEDGER_UNSETTLED, 0, 0);
}

/* A higher order for a settled allocation: unsettled again, for the difference. */
static void test_topped_later(void **state)
{
	const struct ledger_verdict verdict = {VERDICT_SETTLED, REFUSAL_NONE, 100};
	struct fixture *f = *state;
	struct claim *c;

	add(f, &first, 1, HOUR, 100);
	c = claim(f, &first, HOUR);
	settle(f, c, &verdict);
	claim_free(c);
	add(f, &first, 1, HOUR, 101);
	expect_totals(f, &first, LEDGER_SETTLED, 0, 0);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 101);
}

struct counted {
	uint64_t bytes[ACTION_PUT_REPAIR + 1];
	uint64_t number[ACTION_PUT_REPAIR + 1];
};

static enum err add_count(void *arg, const struct ledger_count *count)
{
	struct counted *sums = arg;

	sums->bytes[count->action] += count->bytes;
	sums->number[count->action] += count->number;
	return ERR_OK;
}

/* Work is counted once, on the day on which the satellite accepted it: what is new of it. */
static void test_counts_by_day(void **state)
{
	const struct ledger_verdict verdict = {VERDICT_SETTLED, REFUSAL_NONE, 100};
	const struct ledger_verdict credited = {VERDICT_CREDITED, REFUSAL_NONE, 250};
	const uint32_t today = (uint32_t)(clock_wall() / 86400);
	struct fixture *f = *state;
	struct counted sums = {{0}, {0}};
	struct ledger_oldest oldest;
	struct claim *c;

	assert_int_equal(ledger_oldest(f->ledger, &oldest), ERR_OK);
	assert_int_equal(oldest.at + oldest.hour, 0);
	add(f, &first, 1, HOUR, 100);
	assert_int_equal(ledger_oldest(f->ledger, &oldest), ERR_OK);
	assert_int_equal(oldest.hour, HOUR);
	c = claim(f, &first, HOUR);
	settle(f, c, &verdict);
	settle(f, c, &verdict);
	claim_free(c);
	add(f, &first, 1, HOUR, 250);
	c = claim(f, &first, HOUR);
	settle(f, c, &credited);
	claim_free(c);
	assert_int_equal(ledger_note_audits(f->ledger, &(struct taking){first, today, 1024, 1}), ERR_OK);
	assert_int_equal(ledger_note_audits(f->ledger, &(struct taking){first, today, 2048, 2}), ERR_OK);
	assert_int_equal(ledger_note_audits(f->ledger, &(struct taking){second, today, 9, 1}), ERR_OK);
	/* The day may change while this runs. */
	assert_int_equal(ledger_counts(f->ledger, &first, today, today + 2, add_count, &sums), ERR_OK);
	assert_int_equal(sums.bytes[ACTION_GET], 250);
	assert_int_equal(sums.number[ACTION_GET], 1);
	assert_int_equal(sums.bytes[ACTION_GET_AUDIT], 3072);
	assert_int_equal(sums.number[ACTION_GET_AUDIT], 3);
	assert_int_equal(ledger_counts(f->ledger, &first, today + 2, today + 9, add_count, &sums), ERR_OK);
	assert_int_equal(sums.bytes[ACTION_GET], 250);
}

static void test_reopened(void **state)
{
	struct fixture *f = *state;

	add(f, &first, 1, HOUR, 100);
	add(f, &second, 2, HOUR, 7);
	ledger_close(f->ledger);
	f->ledger = open_ledger(f);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 100);
	expect_totals(f, NULL, LEDGER_UNSETTLED, 2, 107);
	assert_int_equal(ledger_sequence(f->ledger), 0);
}

static enum err look_at_settlement(void *arg, const struct ledger_settlement *settlement)
{
	unsigned *seen = arg;

	assert_int_equal(settlement->orders.len + settlement->verdicts.len, 0);
	(*seen)++;
	return ERR_OK;
}

static enum err look_at_order(void *arg, const struct ledger_order *order)
{
	unsigned *seen = arg;

	assert_false(order->is_stored);
	(*seen)++;
	return ERR_OK;
}

/* A ledger of the first version: nothing is lost, and what was settled is counted on the day of its transfer. */
static void test_first_version(void **state)
{
	static const char downgrade[] =
		"DROP TABLE counts; DROP INDEX orders_oldest; DROP INDEX orders_due;"
		"ALTER TABLE settlements DROP COLUMN at; ALTER TABLE settlements DROP COLUMN orders;"
		"ALTER TABLE settlements DROP COLUMN verdicts; ALTER TABLE orders DROP COLUMN root;"
		"ALTER TABLE orders DROP COLUMN size; UPDATE schema_version SET number = 1";
	const struct ledger_verdict verdict = {VERDICT_SETTLED, REFUSAL_NONE, 100};
	struct fixture *f = *state;
	struct counted sums = {{0}, {0}};
	const uint64_t at = HOUR * UINT64_C(3600);
	unsigned settlements = 0, orders = 0;
	struct claim *c;
	sqlite3 *db;

	add(f, &first, 1, HOUR, 100);
	c = claim(f, &first, HOUR);
	settle(f, c, &verdict);
	claim_free(c);
	add(f, &first, 2, HOUR, 7);
	ledger_close(f->ledger);
	f->ledger = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, downgrade, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);

	f->ledger = open_ledger(f);
	expect_totals(f, &first, LEDGER_SETTLED, 1, 100);
	expect_totals(f, &first, LEDGER_UNSETTLED, 1, 7);
	assert_int_equal(ledger_counts(f->ledger, &first, HOUR / 24, HOUR / 24 + 1, add_count, &sums), ERR_OK);
	assert_int_equal(sums.bytes[ACTION_GET], 100);
	assert_int_equal(sums.number[ACTION_GET], 1);
	assert_int_equal(ledger_settlements(f->ledger, &first, at, at + 1, look_at_settlement, &settlements), ERR_OK);
	assert_int_equal(ledger_orders(f->ledger, &first, 0, INT64_MAX, look_at_order, &orders), ERR_OK);
	assert_int_equal(settlements, 1);
	assert_int_equal(orders, 2);
}

static void find_log(void *arg, const char *path, uint64_t size)
{
	(void)size;
	if (strstr(path, "/transfers/") != NULL)
		snprintf(arg, 64, "%s", path);
}

/* A head that rotted costs its own order, not the others', nor the start. */
static void test_gaps_in_the_log(void **state)
{
	static const struct store_options options = {.allocation = 16 << 20, .no_upkeep = true};
	const uint32_t extent = record_extent(record_head_of(RECORD_TRANSFER), 0);
	const struct address owner = pieces_allocation(0, 1).satellite;
	struct admission *admission = admission_new(1 << 20, 100);
	struct fault *fault = fault_new(64 << 20);
	struct fixture *f = *state;
	char why[STORE_MESSAGE];
	struct store *store;
	char log[64] = "";
	uint8_t byte;

	assert_int_equal(store_init("/", options.allocation, 0, fault_seam(fault), why), ERR_OK);
	assert_int_equal(store_open("/", &options, fault_seam(fault), &store, why), ERR_OK);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(pieces_transfer(store, i, 10), ERR_OK);
	store_close(store);
	assert_int_equal(store_open("/", &options, fault_seam(fault), &store, why), ERR_OK);
	fault_files(fault, find_log, log);
	fault_peek(fault, log, SEGMENT_HEADER + extent + 50, &byte, 1);
	byte ^= 1;
	fault_poke(fault, log, SEGMENT_HEADER + extent + 50, &byte, 1);
	assert_int_equal(admission_rebuild(admission, store, 1700), ERR_CORRUPT);
	assert_int_equal(admission_used(admission), 4);
	/* The footer cannot be read once: nothing is taken over, nothing is passed by. */
	fault_fail(fault, 0, EIO);
	assert_int_equal(ledger_fill(f->ledger, store), ERR_OK);
	fault_fail(fault, FAULT_NEVER, 0);
	assert_int_equal(ledger_sequence(f->ledger), 0);
	assert_int_equal(ledger_fill(f->ledger, store), ERR_OK);
	assert_int_equal(ledger_sequence(f->ledger), 5);
	expect_totals(f, &owner, LEDGER_UNSETTLED, 4, 40);
	assert_int_equal(pieces_transfer(store, 9, 10), ERR_OK);
	assert_int_equal(ledger_fill(f->ledger, store), ERR_OK);
	expect_totals(f, &owner, LEDGER_UNSETTLED, 5, 50);
	store_close(store);
	fault_free(fault);
	admission_free(admission);
}

static void test_no_database(void **state)
{
	struct fixture *f = *state;
	char *path = file_join(f->dir, "garbage.db"), why[LEDGER_MESSAGE] = "";
	struct ledger *ledger = NULL;

	assert_int_equal(file_create(path, bytes_of_text("this is no database, and never was one"), 0600), ERR_OK);
	assert_int_not_equal(ledger_open(path, &ledger, why), ERR_OK);
	assert_true(why[0] != '\0');
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_orders_grow),	    TEST(test_no_order),	 TEST(test_claims_are_sorted),
		TEST(test_verdicts),	    TEST(test_topped_meanwhile), TEST(test_topped_later),
		TEST(test_counts_by_day),   TEST(test_reopened),	 TEST(test_no_database),
		TEST(test_counts_by_day),   TEST(test_first_version),	 TEST(test_no_database),
		TEST(test_gaps_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
