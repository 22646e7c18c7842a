/* A claim's receipt as JSON-RPC tells it, each member missing or wrong in turn; and where a revert's bytes may be. */
#include "tests/kit/vectors.h"

#include "payments/ethereum/receipt.h"
#include "payments/u256.h"

static const struct bytes32 hash = {{0x11}};
static const struct address contract = {{0xc0}}, payee = {{0xfa}};

#define HASH "0x1100000000000000000000000000000000000000000000000000000000000000"
#define CONTRACT "0xc000000000000000000000000000000000000000"
#define OTHER "0xc000000000000000000000000000000000000001"
#define PAYEE_TOPIC "0x000000000000000000000000fa00000000000000000000000000000000000000"
#define OTHER_TOPIC "0x000000000000000000000000fb00000000000000000000000000000000000000"
#define DATA                                                                 \
	"0x0000000000000000000000000000000000000000000000000000000000000005" \
	"0000000000000000000000000000000000000000000000000000000000000009"

static const char *claimed_topic(void)
{
	static char text[67];
	json_t *vectors = vectors_load("transactions");
	const json_t *topics = json_object_get(json_object_get(vectors, "event"), "topics");

	snprintf(text, sizeof(text), "0x%s", json_string_value(json_array_get(topics, 0)));
	json_decref(vectors);
	return text;
}

static json_t *log_of(const char *address, const char *topic, const char *data)
{
	return json_pack("{s:s, s:[s, s], s:s}", "address", address, "topics", claimed_topic(), topic, "data", data);
}

/* A good one, with the logs of others before ours. */
static json_t *whole(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[n, {}, o, o, o]}", "transactionHash", HASH, "status", "0x1",
			 "blockNumber", "0x7", "gasUsed", "0x1a9a3", "effectiveGasPrice", "0x3b9aca08", "logs",
			 log_of(OTHER, PAYEE_TOPIC, DATA), log_of(CONTRACT, OTHER_TOPIC, DATA),
			 log_of(CONTRACT, PAYEE_TOPIC, DATA));
}

static enum err parse(json_t *json, struct receipt_of_claim *ret)
{
	enum err err = receipt_parse(json, &hash, &contract, &payee, ret);

	json_decref(json);
	return err;
}

static void test_whole(void **state)
{
	struct receipt_of_claim receipt = {0};
	struct bytes32 five = u256_of(5), nine = u256_of(9);

	(void)state;
	assert_int_equal(parse(whole(), &receipt), ERR_OK);
	assert_true(receipt.done && receipt.claimed);
	assert_int_equal(receipt.block, 7);
	assert_int_equal(receipt.gas, 0x1a9a3);
	assert_int_equal(receipt.price, 0x3b9aca08);
	assert_true(address_equal(&receipt.event.payee, &payee));
	assert_true(bytes32_equal(&receipt.event.amount, &five) && bytes32_equal(&receipt.event.cumulative, &nine));
}

static void test_reverted(void **state)
{
	struct receipt_of_claim receipt = {0};
	json_t *json = whole();

	(void)state;
	json_object_set_new(json, "status", json_string("0x0"));
	json_object_set_new(json, "logs", json_array());
	assert_int_equal(parse(json, &receipt), ERR_OK);
	assert_false(receipt.done || receipt.claimed);
}

/* Without the member, and with each of these in its place. */
static void test_members(void **state)
{
	static const char *const names[] = {"transactionHash", "status", "blockNumber", "gasUsed", "effectiveGasPrice"};
	static const char *const wrong[] = {"", "7", "0x", "0x2000000000000000000", "0x07", OTHER_TOPIC};
	struct receipt_of_claim receipt = {.block = 99};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *json = whole();

		json_object_del(json, names[i]);
		assert_int_equal(parse(json, &receipt), ERR_FORMAT);
		json = whole();
		json_object_set_new(json, names[i], json_integer(1));
		assert_int_equal(parse(json, &receipt), ERR_FORMAT);
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			json = whole();
			json_object_set_new(json, names[i], json_string(wrong[k]));
			assert_int_equal(parse(json, &receipt), ERR_FORMAT);
		}
	}
	assert_int_equal(receipt.block, 99);
	assert_int_equal(receipt_parse(NULL, &hash, &contract, &payee, &receipt), ERR_FORMAT);
	assert_int_equal(parse(json_array(), &receipt), ERR_FORMAT);
}

/* Logs that are not this claim's do not make it one. */
static void test_logs(void **state)
{
	struct receipt_of_claim receipt;
	json_t *logs[] = {
		json_string("logs"),
		json_array(),
		json_pack("[o]", log_of(OTHER, PAYEE_TOPIC, DATA)),
		json_pack("[o]", log_of(CONTRACT, OTHER_TOPIC, DATA)),
		json_pack("[o]", log_of(CONTRACT, PAYEE_TOPIC, "0x00")),
		json_pack("[o]", log_of(CONTRACT, PAYEE_TOPIC, DATA "00")),
		json_pack("[o]", log_of(CONTRACT, "0x00", DATA)),
		json_pack("[o]", log_of("0xc0", PAYEE_TOPIC, DATA)),
		json_pack("[{s:s, s:[s, s], s:s}]", "address", CONTRACT, "topics", OTHER_TOPIC, PAYEE_TOPIC, "data",
			  DATA),
		json_pack("[{s:s, s:[s, i], s:s}]", "address", CONTRACT, "topics", claimed_topic(), 1, "data", DATA),
		json_pack("[{s:s, s:i, s:s}]", "address", CONTRACT, "topics", 2, "data", DATA),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		json_t *json = whole();

		assert_non_null(logs[i]);
		json_object_set_new(json, "logs", logs[i]);
		assert_int_equal(parse(json, &receipt), ERR_OK);
		assert_true(receipt.done);
		assert_false(receipt.claimed);
	}
}

static void test_revert(void **state)
{
	struct {
		json_t *data;
		size_t len;
	} cases[] = {
		{json_string("0x01020304"), 4},
		{json_pack("{s:s}", "data", "0x01020304"), 4},
		{json_pack("{s:s, s:s}", "data", "0x", "result", "0x01020304"), 4},
		{json_string("0x"), 0},
		{json_string("0x1"), 0},
		{json_string("Reverted 0x01020304"), 0},
		{json_integer(4), 0},
		{json_object(), 0},
		{json_pack("{s:i}", "result", 1), 0},
		{json_null(), 0},
	};
	char *longest = calloc(2 * REVERT_MOST + 5, 1);
	uint8_t out[REVERT_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(out, 0, 4);
		assert_int_equal(revert_parse(cases[i].data, out), cases[i].len);
		if (cases[i].len > 0)
			assert_memory_equal(out, "\x01\x02\x03\x04", 4);
		json_decref(cases[i].data);
	}
	assert_int_equal(revert_parse(NULL, out), 0);
	assert_non_null(longest);
	memset(longest, '0', 2 * REVERT_MOST + 4);
	longest[1] = 'x';
	cases[0].data = json_string(longest); /* one byte too many */
	assert_int_equal(revert_parse(cases[0].data, out), 0);
	json_decref(cases[0].data);
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_reverted), cmocka_unit_test(test_members),
		cmocka_unit_test(test_logs),  cmocka_unit_test(test_revert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
