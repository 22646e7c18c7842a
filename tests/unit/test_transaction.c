/* EIP-1559 transactions against ethers': digest, signature, bytes and hash; the way back; and what is refused there. */
#include "tests/kit/vectors.h"

#include "payments/ethereum/rlp.h"
#include "payments/ethereum/transaction.h"

struct fixture {
	json_t *vectors;
	struct key *key;
};

static int set_up(void **state)
{
	static struct fixture f;
	uint8_t secret[32];

	f.vectors = vectors_load("transactions");
	assert_int_equal(vector_bytes(f.vectors, "private_key", secret, sizeof(secret)), sizeof(secret));
	assert_int_equal(key_from_secret(secret, &f.key), ERR_OK);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	key_free(f->key);
	json_decref(f->vectors);
	return 0;
}

static uint128 number_of(const json_t *vector, const char *name)
{
	uint128 number = 0;

	for (const char *text = vector_text(vector, name); *text != '\0'; text++)
		number = number * 10 + (unsigned)(*text - '0');
	return number;
}

/* `data` gets the call data, which the transaction points into. */
static void read_vector(const json_t *vector, uint8_t data[TRANSACTION_DATA], struct transaction *ret)
{
	*ret = (struct transaction){
		.chain_id = (uint64_t)number_of(vector, "chain_id"),
		.nonce = (uint64_t)number_of(vector, "nonce"),
		.priority_fee = (uint64_t)number_of(vector, "priority_fee"),
		.max_fee = (uint64_t)number_of(vector, "max_fee"),
		.gas = (uint64_t)number_of(vector, "gas"),
		.value = number_of(vector, "value"),
		.data = bytes_of(data, vector_bytes(vector, "data", data, TRANSACTION_DATA)),
	};
	assert_int_equal(address_from_text(vector_text(vector, "to"), &ret->to), ERR_OK);
}

static void expect_same(const struct transaction *a, const struct transaction *b)
{
	assert_true(a->chain_id == b->chain_id && a->nonce == b->nonce && a->gas == b->gas);
	assert_true(a->priority_fee == b->priority_fee && a->max_fee == b->max_fee && a->value == b->value);
	assert_true(address_equal(&a->to, &b->to) && bytes_equal(a->data, b->data));
}

static void test_vectors(void **state)
{
	struct fixture *f = *state;
	const json_t *vector;
	size_t i;

	json_array_foreach(vectors_list(f->vectors, "transactions"), i, vector) {
		uint8_t data[TRANSACTION_DATA], raw[TRANSACTION_BYTES];
		struct transaction transaction, back;
		struct bytes32 digest, hash;
		struct address signer;
		struct writer w;

		read_vector(vector, data, &transaction);
		assert_int_equal(transaction_digest(&transaction, &digest), ERR_OK);
		vector_expect(vector, "digest", bytes_of(digest.b, sizeof(digest.b)));
		writer_init(&w, raw, sizeof(raw));
		assert_int_equal(transaction_sign(&transaction, f->key, &w, &hash), ERR_OK);
		vector_expect(vector, "raw", writer_bytes(&w));
		vector_expect(vector, "hash", bytes_of(hash.b, sizeof(hash.b)));
		assert_int_equal(transaction_decode(writer_bytes(&w), &back, &signer), ERR_OK);
		expect_same(&transaction, &back);
		assert_true(address_equal(&signer, key_address(f->key)));
	}
}

static struct transaction plain(void)
{
	return (struct transaction){.chain_id = 31337, .nonce = 1, .max_fee = 2, .gas = 21000, .to = {{1}}};
}

/* Whatever byte is changed: it is refused, or it is another transaction or another signer's. */
static void test_changed(void **state)
{
	struct fixture *f = *state;
	struct transaction transaction = plain();
	uint8_t raw[TRANSACTION_BYTES];
	struct bytes32 hash;
	struct writer w;

	writer_init(&w, raw, sizeof(raw));
	assert_int_equal(transaction_sign(&transaction, f->key, &w, &hash), ERR_OK);
	for (size_t i = 0; i < w.len; i++) {
		struct transaction back = {0};
		struct address signer;

		raw[i] ^= 1;
		if (transaction_decode(bytes_of(raw, w.len), &back, &signer) == ERR_OK)
			assert_false(address_equal(&signer, key_address(f->key)));
		raw[i] ^= 1;
	}
	for (size_t len = 0; len < w.len; len++) {
		struct transaction back;
		struct address signer;

		assert_int_not_equal(transaction_decode(bytes_of(raw, len), &back, &signer), ERR_OK);
	}
}

/* A list of these fields, signed by nobody, as the reader would meet it. */
static enum err decode_fields(void (*write)(struct writer *w), uint8_t type)
{
	uint8_t inner[TRANSACTION_BYTES + 1024], outer[TRANSACTION_BYTES + 2048];
	struct transaction back;
	struct address signer;
	struct writer fields, w;

	writer_init(&fields, inner, sizeof(inner));
	write(&fields);
	writer_init(&w, outer, sizeof(outer));
	write_u8(&w, type);
	rlp_write_list(&w, writer_bytes(&fields));
	return transaction_decode(writer_bytes(&w), &back, &signer);
}

static void write_with(struct writer *w, struct bytes to, struct bytes data, struct bytes access, uint64_t parity,
		       struct bytes s)
{
	static const uint8_t r[] = {1}; /* the x of a point */

	for (int i = 0; i < 5; i++)
		rlp_write_u64(w, 1);
	rlp_write_bytes(w, to);
	rlp_write_u64(w, 0);
	rlp_write_bytes(w, data);
	rlp_write_list(w, access);
	rlp_write_u64(w, parity);
	rlp_write_bytes(w, bytes_of(r, sizeof(r)));
	rlp_write_bytes(w, s);
}

static const uint8_t someone[20] = {1}, low[] = {5}, high[32] = {0xff}, many[TRANSACTION_DATA + 1], padded[] = {0, 5};
static const uint8_t access_list[] = {0xc0};

static void write_valid(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(low, 1));
}

static void write_creation(struct writer *w)
{
	write_with(w, bytes_of(NULL, 0), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(low, 1));
}

static void write_short_address(struct writer *w)
{
	write_with(w, bytes_of(someone, 19), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(low, 1));
}

static void write_much(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(many, sizeof(many)), bytes_of(NULL, 0), 0, bytes_of(low, 1));
}

static void write_access(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(access_list, 1), 0, bytes_of(low, 1));
}

static void write_parity(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(NULL, 0), 2, bytes_of(low, 1));
}

static void write_high(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(high, 32));
}

static void write_zero(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(NULL, 0));
}

static void write_padded(struct writer *w)
{
	write_with(w, bytes_of(someone, 20), bytes_of(NULL, 0), bytes_of(NULL, 0), 0, bytes_of(padded, 2));
}

static void write_more(struct writer *w)
{
	write_valid(w);
	rlp_write_u64(w, 1);
}

static void test_refuses(void **state)
{
	(void)state;
	assert_int_equal(decode_fields(write_valid, 2), ERR_OK);
	assert_int_equal(decode_fields(write_valid, 1), ERR_UNSUPPORTED);
	assert_int_equal(decode_fields(write_creation, 2), ERR_UNSUPPORTED);
	assert_int_equal(decode_fields(write_short_address, 2), ERR_FORMAT);
	assert_int_equal(decode_fields(write_much, 2), ERR_LIMIT);
	assert_int_equal(decode_fields(write_access, 2), ERR_UNSUPPORTED);
	assert_int_equal(decode_fields(write_parity, 2), ERR_SIGNATURE);
	assert_int_equal(decode_fields(write_high, 2), ERR_SIGNATURE);
	assert_int_equal(decode_fields(write_zero, 2), ERR_SIGNATURE);
	assert_int_equal(decode_fields(write_padded, 2), ERR_FORMAT);
	assert_int_equal(decode_fields(write_more, 2), ERR_FORMAT);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct transaction transaction = plain();
	uint8_t raw[TRANSACTION_BYTES];
	struct bytes32 hash;
	uint128 cost = 0;
	struct writer w;

	writer_init(&w, raw, 80);
	assert_int_equal(transaction_sign(&transaction, f->key, &w, &hash), ERR_OVERFLOW);
	transaction.data = bytes_of(many, sizeof(many));
	writer_init(&w, raw, sizeof(raw));
	assert_int_equal(transaction_sign(&transaction, f->key, &w, &hash), ERR_LIMIT);
	assert_int_equal(w.len, 0);
	assert_int_equal(transaction_cost(&transaction, &cost), ERR_OK);
	assert_true(cost == 42000);
	transaction.value = ~(uint128)0 - 41999;
	assert_int_equal(transaction_cost(&transaction, &cost), ERR_OVERFLOW);
	assert_true(cost == 42000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
