/*
 * Evidence: every signed thing of the frozen vectors becomes JSON and the same thing again; what was changed on the way
 * is refused, with a word on what.
 */
#include "common/key.h"
#include "payments/evidence.h"
#include "tests/kit/vectors.h"

#define TYPES 14

static json_t *file;
static struct key *key;
static struct domain domain;

static int set_up(void **state)
{
	struct address contract;
	uint8_t secret[32];

	(void)state;
	file = vectors_load("typed");
	assert_int_equal(vector_bytes(file, "private_key", secret, sizeof(secret)), sizeof(secret));
	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	memset(&contract, 0xab, sizeof(contract));
	domain_init(&domain, 31337, &contract);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	key_free(key);
	json_decref(file);
	return 0;
}

static struct domain domain_of(const json_t *thing)
{
	const json_t *json = json_object_get(thing, "domain");
	struct address contract;
	struct domain ret;

	assert_int_equal(address_from_text(vector_text(json, "verifyingContract"), &contract), ERR_OK);
	domain_init(&ret, vector_number(json, "chainId"), &contract);
	return ret;
}

/* Our message member by member against the vector's, which another library signed. */
static void expect_message(const json_t *evidence, const json_t *thing)
{
	const json_t *message = json_object_get(json_object_get(evidence, "typedData"), "message");
	size_t i;
	json_t *field;

	json_array_foreach(json_object_get(thing, "fields"), i, field) {
		const char *got = vector_text(message, vector_text(field, "name"));
		const char *want = vector_text(field, "value");

		assert_string_equal(got, want);
	}
	assert_int_equal(json_object_size(message), i);
}

static void check_thing(const json_t *thing)
{
	const struct fields *type = evidence_type(vector_text(thing, "type"));
	struct domain signed_in = domain_of(thing);
	char why[EVIDENCE_WHY];
	struct evidence made, read;
	uint8_t wire[512], again[512];
	struct writer w;
	size_t len = vector_bytes(thing, "wire", wire, sizeof(wire));
	json_t *json;

	assert_non_null(type);
	memset(&made, 0, sizeof(made));
	assert_int_equal(typed_decode(type, bytes_of(wire, len), &made.object, &made.signature), ERR_OK);
	made.type = type;
	made.domain = signed_in;
	made.signer = *key_address(key);
	json = evidence_to_json(&made);
	expect_message(json, thing);
	assert_int_equal(evidence_from_json(json, &read, why), ERR_OK);
	assert_ptr_equal(read.type, type);
	assert_true(address_equal(&read.signer, &made.signer));
	assert_memory_equal(&read.domain.separator, &signed_in.separator, sizeof(signed_in.separator));
	writer_init(&w, again, sizeof(again));
	typed_encode(type, &read.object, &read.signature, &w);
	assert_int_equal(w.len, len);
	assert_memory_equal(again, wire, len);
	/* The vectors' parties are any addresses, not the signer's: only what names no party verifies. */
	assert_int_equal(evidence_verify(&read), evidence_party(&read) == NULL ? REFUSAL_NONE : REFUSAL_SIGNATURE);
	json_decref(json);
}

static void test_vectors(void **state)
{
	size_t i;
	json_t *thing;

	(void)state;
	json_array_foreach(vectors_list(file, "things"), i, thing)
		check_thing(thing);
}

/* Evidence that ethers checks, too (tests/interop/money.mjs): read, verified, and written as it was. */
static void test_frozen(void **state)
{
	json_t *frozen = vectors_load("evidence"), *item;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(frozen, "items"), i, item) {
		char why[EVIDENCE_WHY];
		struct evidence read;
		json_t *again;

		assert_int_equal(evidence_from_json(item, &read, why), ERR_OK);
		assert_int_equal(evidence_verify(&read), REFUSAL_NONE);
		again = evidence_to_json(&read);
		assert_true(json_equal(again, item));
		json_decref(again);
	}
	assert_int_equal(i, TYPES);
	json_decref(frozen);
}

/* A thing of each type by its right signer: what the party's member is set to. */
static struct evidence signed_thing(const struct fields *type)
{
	struct evidence evidence;
	struct address *party;

	memset(&evidence, 0, sizeof(evidence));
	evidence.type = type;
	evidence.domain = domain;
	evidence.signer = *key_address(key);
	party = (struct address *)(uintptr_t)evidence_party(&evidence);
	if (party != NULL)
		*party = *key_address(key);
	typed_sign(type, &evidence.object, &domain, key, &evidence.signature);
	return evidence;
}

static void test_every_type(void **state)
{
	size_t count;
	const struct fields *const *types = typed_table(&count);

	(void)state;
	assert_int_equal(count, TYPES);
	for (size_t i = 0; i < count; i++) {
		struct evidence made = signed_thing(types[i]), read, from_wire;
		json_t *json = evidence_to_json(&made);
		char why[EVIDENCE_WHY];
		uint8_t wire[512];
		struct writer w;

		assert_int_equal(evidence_from_json(json, &read, why), ERR_OK);
		assert_int_equal(evidence_verify(&read), REFUSAL_NONE);
		writer_init(&w, wire, sizeof(wire));
		typed_encode(types[i], &made.object, &made.signature, &w);
		assert_int_equal(evidence_from_wire(types[i], writer_bytes(&w), &domain, &from_wire), ERR_OK);
		assert_true(address_equal(&from_wire.signer, key_address(key)));
		read.signer.b[3] ^= 1;
		assert_int_equal(evidence_verify(&read), REFUSAL_SIGNATURE);
		json_decref(json);
	}
}

/* Signed well, but by someone else than the thing itself names. */
static void test_another_signer(void **state)
{
	struct evidence evidence = signed_thing(&typed_usage), ret;
	struct key *other = key_generate();
	uint8_t wire[512];
	struct writer w;

	(void)state;
	typed_sign(&typed_usage, &evidence.object, &domain, other, &evidence.signature);
	evidence.signer = *key_address(other);
	assert_int_equal(evidence_verify(&evidence), REFUSAL_SIGNATURE);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_usage, &evidence.object, &evidence.signature, &w);
	assert_int_equal(evidence_from_wire(&typed_usage, writer_bytes(&w), &domain, &ret), ERR_SIGNATURE);
	assert_int_equal(evidence_from_wire(&typed_usage, bytes_of(wire, w.len - 1), &domain, &ret), ERR_FORMAT);
	wire[w.len - 1] = 29;
	assert_int_equal(evidence_from_wire(&typed_usage, writer_bytes(&w), &domain, &ret), ERR_SIGNATURE);
	key_free(other);
}

static void expect_refused(json_t *json, const char *said)
{
	struct evidence untouched = {.type = &typed_exit};
	char why[EVIDENCE_WHY] = "";

	assert_int_equal(evidence_from_json(json, &untouched, why), ERR_FORMAT);
	assert_ptr_equal(untouched.type, &typed_exit);
	if (strstr(why, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, said);
	json_decref(json);
}

/* A new statement as JSON, with one member of `at` (a path of objects) replaced. */
static json_t *with(const char *at, const char *name, json_t *value)
{
	struct evidence evidence = signed_thing(&typed_statement);
	json_t *json = evidence_to_json(&evidence), *inner = json;

	if (*at != '\0')
		inner = json_object_get(json, "typedData");
	if (*at != '\0' && strcmp(at, "typedData") != 0)
		inner = json_object_get(inner, at);
	assert_non_null(inner);
	assert_int_equal(json_object_set_new(inner, name, value), 0);
	return json;
}

static void test_no_evidence(void **state)
{
	(void)state;
	expect_refused(json_null(), "typedData");
	expect_refused(json_array(), "typedData");
	expect_refused(json_object(), "typedData");
	expect_refused(with("", "signature", json_string("0x12")), "signature");
	expect_refused(with("", "signature", json_null()), "signature");
	expect_refused(with("", "signer", json_string("0x12")), "signer");
	expect_refused(with("", "typedData", json_string("x")), "typedData");
	expect_refused(with("typedData", "more", json_null()), "typedData");
	expect_refused(with("typedData", "primaryType", json_string("Mail")), "primaryType");
	expect_refused(with("typedData", "primaryType", json_string("Order")), "types");
	expect_refused(with("types", "More", json_array()), "types");
	expect_refused(with("types", "Statement", json_array()), "types");
	expect_refused(with("types", "EIP712Domain", json_array()), "types");
	expect_refused(with("domain", "name", json_string("granary")), "domain.name");
	expect_refused(with("domain", "version", json_string("2")), "domain.version");
	expect_refused(with("domain", "chainId", json_string("18446744073709551616")), "domain.chainId");
	expect_refused(with("domain", "chainId", json_integer(-1)), "domain.chainId");
	expect_refused(with("domain", "chainId", json_real(1)), "domain.chainId");
	expect_refused(with("domain", "verifyingContract", json_string("")), "domain.verifyingContract");
	expect_refused(with("domain", "salt", json_string("0x00")), "domain");
}

static void test_no_members(void **state)
{
	(void)state;
	expect_refused(with("message", "more", json_null()), "message");
	expect_refused(with("message", "period", json_string("4294967296")), "message.period: no uint32");
	expect_refused(with("message", "period", json_string("-1")), "message.period");
	expect_refused(with("message", "period", json_string("0x10")), "message.period");
	expect_refused(with("message", "period", json_true()), "message.period");
	expect_refused(with("message", "paid", json_string("18446744073709551616")), "message.paid: no uint64");
	expect_refused(with("message", "paid", json_integer(-1)), "message.paid");
	expect_refused(with("message", "lines", json_string("0x12")), "message.lines: no bytes32");
	expect_refused(with("message", "node", json_string("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD")),
		       "message.node: no address"); /* its checksum is wrong */
	expect_refused(with("message", "nodeCumulative",
			    json_string("11579208923731619542357098500868790785326998466564056403945758400791312963993"
					"6")),
		       "message.nodeCumulative: no uint256");
}

/* Numbers may come as JSON integers, and the caller may have put more beside the three members. */
static void test_lenient(void **state)
{
	struct evidence read;
	char why[EVIDENCE_WHY];
	json_t *json = with("message", "paid", json_integer(0));

	(void)state;
	json_object_set_new(json, "note", json_string("mine"));
	assert_int_equal(evidence_from_json(json, &read, why), ERR_OK);
	assert_int_equal(evidence_verify(&read), REFUSAL_NONE);
	json_decref(json);
	json = with("message", "paid", json_string("1"));
	assert_int_equal(evidence_from_json(json, &read, why), ERR_OK);
	assert_int_equal(evidence_verify(&read), REFUSAL_SIGNATURE);
	json_decref(json);
}

static void test_chain_ids(void **state)
{
	static const uint64_t ids[] = {1, (1ull << 53) - 1, 1ull << 53, UINT64_MAX};
	struct address contract = {{7}};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct evidence evidence = signed_thing(&typed_order), read;
		char why[EVIDENCE_WHY];
		json_t *json, *domain_json;

		domain_init(&evidence.domain, ids[i], &contract);
		json = evidence_to_json(&evidence);
		domain_json = json_object_get(json_object_get(json, "typedData"), "domain");
		assert_int_equal(json_is_integer(json_object_get(domain_json, "chainId")), i < 2);
		assert_int_equal(evidence_from_json(json, &read, why), ERR_OK);
		assert_true(read.domain.chain_id == ids[i]);
		json_decref(json);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_ptr_equal(evidence_type("Exit"), &typed_exit);
	assert_null(evidence_type("exit"));
	assert_null(evidence_type(""));
	assert_null(evidence_type("EIP712Domain"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_another_signer),
		cmocka_unit_test(test_no_evidence),
		cmocka_unit_test(test_no_members),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_chain_ids),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
