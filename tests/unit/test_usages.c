/* Days of storage: closed, signed, told, and the same to whoever adds up the rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/usage.h"
#include "satellite/storage.h"
#include "satellite/usages.h"
#include "tests/kit/office.h"

static int set_up(void **state)
{
	*state = office_new("1/1/2/2", 2);
	return 0;
}

struct until {
	const struct desk *desk;
	uint64_t day;
};

static enum err close_until(struct database *db, void *arg)
{
	const struct until *until = arg;

	return usages_close_until(db, until->desk, until->day);
}

static void close_days(struct office *office, uint64_t day)
{
	struct until until = {office->desk, day};

	assert_int_equal(database_transaction(office->desk->db, close_until, &until), ERR_OK);
}

/* All that a node is told of a day, checked as a node would; carried goes from day to day. */
static enum refusal fetch(struct office *office, const struct key *node, uint64_t day, struct usage_carried *carried,
			  struct usage *ret, uint32_t *ret_rows)
{
	struct message ask = {.type = MSG_ASK_USAGE, .ask_usage = {.day = (uint32_t)day}}, answer;
	struct signature signature;
	struct usage_sum sum;
	struct usage_day known;
	enum refusal refusal;
	bool begun = false, more = true;

	while (more) {
		refusal = office_ask(office, node, &ask);
		if (refusal != REFUSAL_NONE)
			return refusal;
		while (office_answer(office, &answer)) {
			const struct msg_usage *usage = &answer.usage;

			if (!begun) {
				assert_int_equal(usage->bytes, carried->bytes);
				assert_true(usage->debt == byte_seconds_value(carried->debt));
				usage_begin(&sum, (uint32_t)day, carried);
				assert_int_equal(typed_decode(&typed_usage, usage->usage, ret, &signature), ERR_OK);
			}
			begun = true;
			assert_int_equal(usage_add_rows(&sum, usage->rows), ERR_OK);
			more = usage->more;
			if (usage->rows.len > 0)
				memcpy(ask.ask_usage.after.b, usage->rows.data + usage->rows.len - USAGE_ROW, 32);
		}
		assert_true(begun);
	}
	assert_int_equal(
		typed_verify(&typed_usage, ret, &office->settings.domain, &signature, key_address(office->key)),
		REFUSAL_NONE);
	assert_true(address_equal(&ret->node, key_address(node)));
	assert_int_equal(ret->day, day);
	assert_int_equal(usage_check(&sum, ret), REFUSAL_NONE);
	assert_int_equal(usage_end(&sum, &known), ERR_OK);
	*carried = known.carried;
	*ret_rows = sum.count;
	return REFUSAL_NONE;
}

static void test_days_follow_each_other(void **state)
{
	struct office *office = *state;
	const struct key *node = office->nodes[0];
	struct usage_carried carried = {0};
	struct usage usage;
	uint64_t today, size, stored;
	uint32_t rows;

	office_store(office, "films", office_path_of("a"), 100000);
	size = office_number(office, "SELECT MAX(size) FROM pieces");
	stored = office_number(office, "SELECT MIN(stored) FROM pieces");
	today = office_number(office, "SELECT MIN(day) FROM changes");
	assert_int_equal(fetch(office, node, today, &carried, &usage, &rows), REFUSAL_EARLY);
	close_days(office, today);
	assert_int_equal(fetch(office, node, today, &carried, &usage, &rows), REFUSAL_EARLY);

	close_days(office, today + 3);
	assert_int_equal(fetch(office, node, today, &carried, &usage, &rows), REFUSAL_NONE);
	assert_int_equal(rows, 1);
	assert_true(usage.byteSeconds == (uint128)size * ((today + 1) * USAGE_DAY - stored));
	for (uint64_t day = today + 1; day < today + 3; day++) {
		assert_int_equal(fetch(office, node, day, &carried, &usage, &rows), REFUSAL_NONE);
		assert_int_equal(rows, 0);
		assert_true(usage.byteSeconds == (uint128)size * USAGE_DAY);
	}
	assert_int_equal(fetch(office, node, today + 3, &carried, &usage, &rows), REFUSAL_EARLY);
	assert_int_equal(fetch(office, node, today - 1, &carried, &usage, &rows), REFUSAL_NOT_FOUND);
	/* Closing again changes nothing. */
	close_days(office, today + 3);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM usages"), 6);
}

struct ending {
	struct address node;
	struct bytes32 piece;
	uint64_t at;
};

static enum err end_piece(struct database *db, void *arg)
{
	const struct ending *ending = arg;

	return storage_end_piece(db, &ending->node, &ending->piece, ending->at);
}

/* What becomes known after its day was signed counts on the next, and takes back what was too much. */
static void test_signed_days_do_not_change(void **state)
{
	struct office *office = *state;
	const struct key *node = office->nodes[0];
	struct usage_carried carried = {0};
	struct ending ending = {.node = *key_address(node)};
	struct query *q;
	struct usage first, usage;
	uint64_t today, size, stored;
	uint32_t rows;

	office_store(office, "films", office_path_of("a"), 100000);
	today = office_number(office, "SELECT MIN(day) FROM changes");
	size = office_number(office, "SELECT MAX(size) FROM pieces");
	stored = office_number(office, "SELECT MIN(stored) FROM pieces");
	close_days(office, today + 1);
	assert_int_equal(fetch(office, node, today, &carried, &first, &rows), REFUSAL_NONE);
	/* Found missing: it has earned nothing since it was stored. */
	q = database_query(office->desk->db, "SELECT piece FROM pieces WHERE node = $node");
	query_bytes(q, "node", bytes_of(ending.node.b, 20));
	assert_int_equal(query_one(q), ERR_OK);
	assert_int_equal(query_get_exact(q, 0, ending.piece.b, 32), ERR_OK);
	query_reset(q);
	ending.at = stored;
	assert_int_equal(database_transaction(office->desk->db, end_piece, &ending), ERR_OK);
	close_days(office, today + 3);
	assert_int_equal(fetch(office, node, today + 1, &carried, &usage, &rows), REFUSAL_NONE);
	assert_int_equal(rows, 1);
	assert_true(usage.byteSeconds == 0 || stored == (today + 1) * USAGE_DAY);
	assert_int_equal(carried.bytes, 0);
	/* The debt is nearly all of the day that was paid for nothing: there is nothing left to take it from. */
	assert_true(byte_seconds_value(carried.debt) == (uint128)size * ((today + 1) * USAGE_DAY - stored));
	assert_int_equal(fetch(office, node, today + 2, &carried, &usage, &rows), REFUSAL_NONE);
	assert_true(usage.byteSeconds == 0);
}

/* More changes than an answer holds. */
static void test_long_days_come_in_pages(void **state)
{
	struct office *office = *state;
	const struct key *node = office->nodes[1];
	struct usage_carried carried = {0};
	static char changes[512], storage[512]; /* the text of a statement outlives the database */
	struct usage usage;
	uint64_t today = clock_wall() / USAGE_DAY;
	uint32_t rows;

	snprintf(changes, sizeof(changes),
		 "INSERT INTO changes (node, day, piece, change, size, began, ended) WITH RECURSIVE n(i) AS (SELECT 1 "
		 "UNION ALL SELECT i + 1 FROM n WHERE i < 40000) SELECT address, %llu, CAST(printf('%%032d', i) AS "
		 "BLOB), 1, 10, %llu, 0 FROM n, nodes WHERE address = (SELECT MIN(address) FROM nodes)",
		 (unsigned long long)today, (unsigned long long)(today * USAGE_DAY));
	office_execute(office, changes);
	snprintf(storage, sizeof(storage),
		 "INSERT INTO storage (node, hour, begun, begun_seconds, ended, ended_seconds) SELECT MIN(address), "
		 "%llu, 400000, 400000 * 3600, 0, 0 FROM nodes",
		 (unsigned long long)(today * 24));
	office_execute(office, storage);
	if (memcmp(key_address(office->nodes[0]), key_address(node), sizeof(struct address)) < 0)
		node = office->nodes[0];
	close_days(office, today + 1);
	assert_int_equal(fetch(office, node, today, &carried, &usage, &rows), REFUSAL_NONE);
	assert_int_equal(rows, 40000);
	assert_int_equal(carried.bytes, 400000);
}

/* A change without its sums, or the other way round, is damage: nothing is signed. */
static void test_damage_is_not_signed(void **state)
{
	struct office *office = *state;
	struct until until = {office->desk, 0};

	office_store(office, "films", office_path_of("a"), 100000);
	until.day = office_number(office, "SELECT MIN(day) + 1 FROM changes");
	office_execute(office, "UPDATE changes SET size = size + 1");
	assert_int_equal(database_transaction(office->desk->db, close_until, &until), ERR_CORRUPT);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM usage_days"), 0);
	office_execute(office, "UPDATE changes SET size = size - 1, began = began + 864000");
	assert_int_equal(database_transaction(office->desk->db, close_until, &until), ERR_CORRUPT);
	office_execute(office, "UPDATE changes SET began = began - 864000");
	assert_int_equal(database_transaction(office->desk->db, close_until, &until), ERR_OK);
}

static void test_only_nodes_may_ask(void **state)
{
	struct office *office = *state;
	struct message ask = {.type = MSG_ASK_USAGE};

	assert_int_equal(office_ask(office, office->client, &ask), REFUSAL_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_days_follow_each_other, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_signed_days_do_not_change, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_long_days_come_in_pages, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_damage_is_not_signed, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_only_nodes_may_ask, set_up, office_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
