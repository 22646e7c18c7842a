/* The payout contract's calls, event and reasons against ethers' encodings; and answers that are none. */
#include "tests/kit/vectors.h"

#include "payments/ethereum/distributor.h"
#include "payments/u256.h"

#define ROOM 2048

static int load(void **state)
{
	*state = vectors_load("transactions");
	return 0;
}

static int unload(void **state)
{
	json_decref(*state);
	return 0;
}

static void word_of(const json_t *vector, const char *name, struct bytes32 *ret)
{
	assert_int_equal(vector_bytes(vector, name, ret->b, sizeof(ret->b)), sizeof(ret->b));
}

static void test_claim(void **state)
{
	const json_t *vector = json_object_get(*state, "claim"), *hash;
	struct bytes32 root, proof[PAYOUT_PROOF_MOST];
	struct payout_leaf leaf;
	uint8_t buffer[DISTRIBUTOR_CLAIM];
	struct writer w;
	size_t count;

	assert_int_equal(address_from_text(vector_text(vector, "payee"), &leaf.payee), ERR_OK);
	assert_int_equal(u256_parse(vector_text(vector, "cumulative"), &leaf.cumulative), ERR_OK);
	word_of(vector, "root", &root);
	json_array_foreach(json_object_get(vector, "proof"), count, hash) {
		assert_int_equal(hex_decode(json_string_value(hash), proof[count].b, 32), ERR_OK);
	}
	assert_int_equal(count, 3);
	writer_init(&w, buffer, sizeof(buffer));
	distributor_claim(&leaf, &root, proof, count, &w);
	vector_expect(vector, "data", writer_bytes(&w));
	writer_init(&w, buffer, sizeof(buffer));
	for (size_t i = count; i < PAYOUT_PROOF_MOST; i++)
		proof[i] = root;
	distributor_claim(&leaf, &root, proof, PAYOUT_PROOF_MOST, &w);
	assert_int_equal(w.err, ERR_OK);
	assert_int_equal(w.len, DISTRIBUTOR_CLAIM);
}

static void test_asks(void **state)
{
	const json_t *asks = json_object_get(*state, "asks");
	uint8_t buffer[DISTRIBUTOR_ASK];
	struct address payee;
	struct writer w;

	assert_int_equal(address_from_text(vector_text(json_object_get(*state, "claim"), "payee"), &payee), ERR_OK);
	writer_init(&w, buffer, sizeof(buffer));
	distributor_ask_root(&w);
	vector_expect(asks, "root", writer_bytes(&w));
	writer_init(&w, buffer, sizeof(buffer));
	distributor_ask_token(&w);
	vector_expect(asks, "token", writer_bytes(&w));
	writer_init(&w, buffer, sizeof(buffer));
	distributor_ask_claimed(&payee, &w);
	vector_expect(asks, "claimed", writer_bytes(&w));
	writer_init(&w, buffer, sizeof(buffer));
	token_ask_balance(&payee, &w);
	vector_expect(asks, "balanceOf", writer_bytes(&w));
}

static void test_words(void **state)
{
	uint8_t returned[33] = {[31] = 1};
	struct bytes32 word = {{9}};
	struct address address = {{9}};

	(void)state;
	for (size_t len = 0; len <= 33; len++) {
		enum err want = len == 32 ? ERR_OK : ERR_FORMAT;

		assert_int_equal(word_parse(bytes_of(returned, len), &word), want);
		assert_int_equal(word_parse_address(bytes_of(returned, len), &address), want);
		assert_int_equal(word.b[0], len < 32 ? 9 : 0);
	}
	assert_int_equal(address.b[19], 1);
	returned[11] = 1; /* more than an address holds */
	assert_int_equal(word_parse_address(bytes_of(returned, 32), &address), ERR_FORMAT);
	assert_int_equal(word_parse(bytes_of(returned, 32), &word), ERR_OK);
}

static void test_event(void **state)
{
	const json_t *vector = json_object_get(*state, "event"), *list = json_object_get(vector, "topics");
	struct bytes32 topics[3] = {0};
	struct claimed claimed = {0};
	struct address payee;
	uint8_t data[CLAIMED_DATA + 1] = {0};
	char text[U256_TEXT];
	size_t len = vector_bytes(vector, "data", data, sizeof(data));

	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(hex_decode(json_string_value(json_array_get(list, i)), topics[i].b, 32), ERR_OK);
	assert_int_equal(claimed_parse(topics, 2, bytes_of(data, len), &claimed), ERR_OK);
	assert_int_equal(address_from_text(vector_text(vector, "payee"), &payee), ERR_OK);
	assert_true(address_equal(&claimed.payee, &payee));
	assert_string_equal(u256_print(&claimed.amount, text), vector_text(vector, "amount"));
	assert_string_equal(u256_print(&claimed.cumulative, text), vector_text(vector, "cumulative"));

	assert_int_equal(claimed_parse(topics, 0, bytes_of(data, len), &claimed), ERR_NOT_FOUND);
	assert_int_equal(claimed_parse(topics + 1, 1, bytes_of(data, len), &claimed), ERR_NOT_FOUND);
	assert_int_equal(claimed_parse(topics, 1, bytes_of(data, len), &claimed), ERR_FORMAT);
	assert_int_equal(claimed_parse(topics, 3, bytes_of(data, len), &claimed), ERR_FORMAT);
	assert_int_equal(claimed_parse(topics, 2, bytes_of(data, len - 1), &claimed), ERR_FORMAT);
	assert_int_equal(claimed_parse(topics, 2, bytes_of(data, len + 1), &claimed), ERR_FORMAT);
	topics[1].b[0] = 1;
	assert_int_equal(claimed_parse(topics, 2, bytes_of(data, len), &claimed), ERR_FORMAT);
}

static void test_reasons(void **state)
{
	const json_t *vector;
	size_t i;

	json_array_foreach(vectors_list(*state, "reverts"), i, vector) {
		uint8_t data[ROOM];
		char text[DISTRIBUTOR_REASON], selector[9];
		size_t len = vector_bytes(vector, "data", data, sizeof(data));

		distributor_reason(bytes_of(data, len), text);
		assert_string_equal(text, vector_text(vector, "text"));
		/* Cut off anywhere it is no longer that reason. */
		hex_encode(bytes_of(data, 4), selector);
		for (size_t cut = 0; cut < len; cut++) {
			distributor_reason(bytes_of(data, cut), text);
			if (cut < 4)
				assert_string_equal(text, "it gives no reason");
			else if (strcmp(vector_text(vector, "error"), "Error") != 0)
				assert_non_null(strstr(text, selector));
		}
	}
}

/* A reason of any length fits, and its place and length are not believed. */
static void test_long_reasons(void **state)
{
	uint8_t data[4 + 64 + 1024] = {0x08, 0xc3, 0x79, 0xa0, [4 + 31] = 32, [4 + 62] = 4};
	char text[DISTRIBUTOR_REASON];

	(void)state;
	memset(data + 68, 'a', 1024);
	distributor_reason(bytes_of(data, sizeof(data)), text);
	assert_int_equal(strlen(text), DISTRIBUTOR_REASON - 1);
	assert_memory_equal(text, "it says: aaa", 12);
	data[4 + 61] = 1; /* more than there is */
	distributor_reason(bytes_of(data, sizeof(data)), text);
	assert_string_equal(text, "for the reason 0x08c379a0, which is unknown here");
	data[4 + 61] = 0;
	data[4] = 1; /* far away */
	distributor_reason(bytes_of(data, sizeof(data)), text);
	assert_string_equal(text, "for the reason 0x08c379a0, which is unknown here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim), cmocka_unit_test(test_asks),    cmocka_unit_test(test_words),
		cmocka_unit_test(test_event), cmocka_unit_test(test_reasons), cmocka_unit_test(test_long_reasons),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
