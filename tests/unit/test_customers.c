/* What clients use, from their verbs and settlements, and the quotas that stop them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/tally.h"
#include "satellite/customers.h"
#include "satellite/deleter.h"
#include "tests/kit/office.h"
#include "uplink/segment.h"

#define GB UINT64_C(1000000000)
#define TB (1000 * GB)
#define PLAIN 100000

/* Policy 2/3/4/6; every receipt of the six is committed by office_store. */
static int set_up(void **state)
{
	*state = office_new("2/3/4/6", 8);
	return 0;
}

static struct customer_usage usage_at(struct office *office, uint64_t now)
{
	struct customer_usage usage;

	assert_int_equal(customers_usage(office->desk->db, &office->settings, key_address(office->client), now, &usage),
			 ERR_OK);
	return usage;
}

/* The same as its client is told it. */
static struct msg_account account(struct office *office)
{
	struct message ask = {.type = MSG_ASK_ACCOUNT}, answer;

	assert_int_equal(office_ask(office, office->client, &ask), REFUSAL_NONE);
	assert_true(office_answer(office, &answer));
	assert_int_equal(answer.type, MSG_ACCOUNT);
	return answer.account;
}

static uint64_t piece_bytes(struct office *office)
{
	return office_number(office, "SELECT SUM(size) FROM pieces");
}

static enum refusal remove_path(struct office *office, const char *path)
{
	struct message message = {.type = MSG_REMOVE_OBJECT,
				  .get_object = {bytes_of_text("films"), office_path_of(path)}};

	return office_ask(office, office->client, &message);
}

static void take_all_apart(struct office *office)
{
	while (deleter_take_apart(office->desk) == ERR_OK)
		;
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM objects WHERE state = 3"), 0);
}

/* Stored from commit to removal, by the second. */
static void test_storage_is_integrated(void **state)
{
	struct office *office = *state;
	struct customer_usage usage;
	uint64_t committed, removed, bytes;

	office_store(office, "films", office_path_of("a"), PLAIN);
	bytes = piece_bytes(office);
	committed = office_number(office, "SELECT committed FROM objects");
	usage = usage_at(office, committed + 10);
	assert_int_equal(usage.objects, 1);
	assert_int_equal(usage.segments, 1);
	assert_int_equal(usage.stored, bytes);
	assert_int_equal(usage.uploading, 0);
	if (usage.from < committed) /* not in the last ten seconds of a month */
		assert_true(byte_seconds_value(usage.byte_seconds) == (uint128)bytes * 10);

	assert_int_equal(remove_path(office, "a"), REFUSAL_NONE);
	/* As if it had been removed an hour and a half later; the deleter comes even later. */
	office_execute(office, "UPDATE objects SET removed = committed + 5400");
	removed = committed + 5400;
	take_all_apart(office);
	usage = usage_at(office, removed + 86400);
	assert_int_equal(usage.objects, 0);
	assert_int_equal(usage.segments, 0);
	assert_int_equal(usage.stored, 0);
	if (usage.from <= committed)
		assert_true(byte_seconds_value(usage.byte_seconds) == (uint128)bytes * 5400);
	/* Months that meet count all of it once. */
	usage = usage_at(office, month_end(committed) - 1);
	assert_true(byte_seconds_value(usage.byte_seconds) <= (uint128)bytes * 5400);
	usage = usage_at(office, month_end(month_end(committed)) + 1);
	assert_true(byte_seconds_value(usage.byte_seconds) == 0);
	assert_int_equal(office_number(office, "SELECT stored FROM clients"), 0);
}

/* An object that is kept counts in each month for all of that month. */
static void test_months_are_apart(void **state)
{
	struct office *office = *state;
	uint64_t next, bytes;

	office_store(office, "films", office_path_of("a"), PLAIN);
	bytes = piece_bytes(office);
	next = month_end(clock_wall());
	assert_true(byte_seconds_value(usage_at(office, next + 7).byte_seconds) == (uint128)bytes * 7);
	assert_true(byte_seconds_value(usage_at(office, month_end(next) - 1).byte_seconds) ==
		    (uint128)bytes * (month_end(next) - 1 - next));
}

static void test_replaced_and_aborted(void **state)
{
	struct office *office = *state;
	struct office_piece pieces[OFFICE_PIECES];
	struct message abort = {.type = MSG_ABORT_OBJECT};
	struct bytes32 version, segment;
	struct msg_account told;
	uint64_t bytes;
	uint32_t count;

	office_store(office, "films", office_path_of("a"), PLAIN);
	bytes = piece_bytes(office);
	office_store(office, "films", office_path_of("a"), PLAIN);
	take_all_apart(office);
	told = account(office);
	assert_int_equal(told.objects, 1);
	assert_int_equal(told.stored, bytes);

	version = office_begin_object(office, "films", office_path_of("b"), 0);
	segment = office_begin_segment(office, &version, 0, pieces, &count);
	told = account(office);
	assert_int_equal(told.reserved, count * pieces[0].allocation.limit);
	assert_int_equal(office_commit_segment(office, &segment, PLAIN, pieces, 4, clock_wall()), REFUSAL_NONE);
	told = account(office);
	assert_int_equal(told.reserved, 0);
	assert_int_equal(told.uploading, bytes);
	assert_int_equal(told.stored, bytes);
	abort.abort_object.version = version;
	assert_int_equal(office_ask(office, office->client, &abort), REFUSAL_NONE);
	take_all_apart(office);
	told = account(office);
	assert_int_equal(told.uploading, 0);
	assert_int_equal(told.stored, bytes);
	assert_int_equal(told.objects, 1);
}

static enum refusal begin_segment(struct office *office, const struct bytes32 *version, uint32_t number, uint64_t size)
{
	struct message message = {.type = MSG_BEGIN_SEGMENT};

	message.begin_segment.version = *version;
	message.begin_segment.number = number;
	message.begin_segment.piece_size = size;
	return office_ask(office, office->client, &message);
}

/* What is stored, what is allocated to uploads and what is asked for count together. */
static void test_storage_quota(void **state)
{
	struct office *office = *state;
	struct bytes32 version;
	uint64_t bytes;

	office_store(office, "films", office_path_of("a"), PLAIN);
	bytes = piece_bytes(office);
	office->settings.client_storage = bytes + 2 * 6 * 1024;
	version = office_begin_object(office, "films", office_path_of("b"), 0);
	assert_int_equal(begin_segment(office, &version, 0, 2049), REFUSAL_QUOTA);
	assert_non_null(strstr(office->why, "storage: 12294 more"));
	assert_int_equal(begin_segment(office, &version, 0, 1024), REFUSAL_NONE);
	assert_int_equal(begin_segment(office, &version, 1, 1025), REFUSAL_QUOTA);
	assert_int_equal(begin_segment(office, &version, 1, 1024), REFUSAL_NONE);
	assert_int_equal(begin_segment(office, &version, 2, 1), REFUSAL_QUOTA);
	/* Room comes back when something goes. */
	assert_int_equal(remove_path(office, "a"), REFUSAL_NONE);
	take_all_apart(office);
	assert_int_equal(begin_segment(office, &version, 2, 1024), REFUSAL_NONE);
}

static void test_inline_data_counts(void **state)
{
	struct office *office = *state;
	struct bytes32 version = office_begin_object(office, "films", office_path_of("b"), 0);
	uint8_t key[MESSAGE_WRAPPED_KEY] = {1}, data[1016] = {2};
	struct message message = {.type = MSG_INLINE_SEGMENT};

	message.inline_segment.version = version;
	message.inline_segment.plain_size = sizeof(data) - SEGMENT_TAG;
	message.inline_segment.wrapped_key = bytes_of(key, sizeof(key));
	message.inline_segment.data = bytes_of(data, sizeof(data));
	office->settings.client_storage = sizeof(data) - 1;
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_QUOTA);
	office->settings.client_storage = sizeof(data);
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	/* The same again is the same, not more. */
	assert_int_equal(office_ask(office, office->client, &message), REFUSAL_NONE);
	assert_int_equal(office_number(office, "SELECT stored FROM clients"), sizeof(data));
}

struct traffic {
	struct office *office;
	uint64_t hour;
	uint64_t bytes;
};

static enum err settle(struct database *db, void *arg)
{
	const struct traffic *traffic = arg;

	return customers_add_traffic(db, key_address(traffic->office->client), traffic->hour, ACTION_GET,
				     traffic->bytes, 1);
}

static enum refusal get_segment(struct office *office, const struct bytes32 *version)
{
	struct message message = {.type = MSG_GET_SEGMENT};

	message.get_segment.version = *version;
	message.get_segment.limit = 1000;
	message.get_segment.count = 4;
	return office_ask(office, office->client, &message);
}

/* Downloads count as they are allocated, and as they are settled afterwards. */
static void test_egress_quota(void **state)
{
	struct office *office = *state;
	struct bytes32 version = office_store(office, "films", office_path_of("a"), PLAIN);
	struct traffic traffic = {.office = office, .bytes = 1500};
	struct msg_account told;

	assert_int_equal(get_segment(office, &version), REFUSAL_NONE);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM client_issued"), 0);
	office->settings.client_egress = 9999;
	office->settings.charges = (struct charges){amount_of(3), amount_of(5 * TB)};
	assert_int_equal(get_segment(office, &version), REFUSAL_NONE);
	assert_int_equal(get_segment(office, &version), REFUSAL_NONE);
	assert_int_equal(get_segment(office, &version), REFUSAL_QUOTA);
	assert_non_null(strstr(office->why, "egress: 4000 more bytes"));
	told = account(office);
	assert_int_equal(told.allocated, 8000);
	assert_int_equal(told.egress_quota, 9999);
	/* A settled order moves from the one to the other. */
	traffic.hour = office_number(office, "SELECT hour FROM client_issued");
	assert_int_equal(database_transaction(office->desk->db, settle, &traffic), ERR_OK);
	told = account(office);
	assert_int_equal(told.allocated, 6500);
	assert_int_equal(told.egress, 1500);
	assert_int_equal(told.charge_storage, 3);
	assert_int_equal(told.charge_egress, 5 * TB);
	assert_int_equal(amount_units(usage_at(office, clock_wall()).charged.egress), 1500 * 5);
	assert_int_equal(told.downloads, 1);
	assert_int_equal(get_segment(office, &version), REFUSAL_QUOTA);
	/* What was not ordered before the allocations lapsed is free again. */
	office_execute(office, "UPDATE client_issued SET hour = hour - 48");
	assert_int_equal(get_segment(office, &version), REFUSAL_NONE);
}

struct change {
	const struct address *client;
	const uint64_t *storage;
	const uint64_t *egress;
};

static enum err set_quota(struct database *db, void *arg)
{
	const struct change *change = arg;

	return customers_set_quota(db, change->client, change->storage, change->egress);
}

static void test_own_quota(void **state)
{
	struct office *office = *state;
	const uint64_t some = 4000, none = 0, fallback = CUSTOMERS_DEFAULT;
	struct change change = {key_address(office->client), &some, NULL};
	struct key *stranger = key_generate();
	struct database *db = office->desk->db;

	office->settings.client_storage = 77;
	office->settings.client_egress = 88;
	assert_int_equal(database_transaction(db, set_quota, &change), ERR_OK);
	assert_int_equal(account(office).storage_quota, 4000);
	assert_int_equal(account(office).egress_quota, 88);
	change.storage = &none;
	assert_int_equal(database_transaction(db, set_quota, &change), ERR_OK);
	assert_int_equal(account(office).storage_quota, 0);
	change.storage = &fallback;
	change.egress = &some;
	assert_int_equal(database_transaction(db, set_quota, &change), ERR_OK);
	assert_int_equal(account(office).storage_quota, 77);
	assert_int_equal(account(office).egress_quota, 4000);
	change.client = key_address(stranger);
	assert_int_equal(database_transaction(db, set_quota, &change), ERR_NOT_FOUND);
	key_free(stranger);
}

static enum err count_client(const struct customer_usage *usage, void *arg)
{
	uint64_t *sums = arg;

	sums[0]++;
	sums[1] += usage->objects;
	return ERR_OK;
}

static void test_every_client_once(void **state)
{
	struct office *office = *state;
	struct key *second = office_new_client(office), *third = office_new_client(office);
	uint64_t sums[2] = {0, 0};

	office_store(office, "films", office_path_of("a"), PLAIN);
	assert_int_equal(customers_each(office->desk->db, &office->settings, clock_wall(), count_client, sums), ERR_OK);
	assert_int_equal(sums[0], 3);
	assert_int_equal(sums[1], 1);
	key_free(second);
	key_free(third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_storage_is_integrated, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_months_are_apart, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_replaced_and_aborted, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_storage_quota, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_inline_data_counts, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_egress_quota, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_own_quota, set_up, office_tear_down),
		cmocka_unit_test_setup_teardown(test_every_client_once, set_up, office_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
