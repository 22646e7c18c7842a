/*
 * Every signed thing against frozen vectors that another Ethereum library made (tests/vectors/typed.json), EIP-712's
 * own example, and what must not verify or decode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/hex.h"
#include "common/keccak.h"
#include "payments/typed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Room for any type's structure and wire form. */
union any {
	struct allocation allocation;
	struct statement statement;
	uint128 align;
	uint8_t bytes[1024];
};

static json_t *load_vectors(const char *name)
{
	const char *dir = getenv("GRANARY_VECTORS");
	char path[1024];
	json_t *root;

	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	root = json_load_file(path, 0, NULL);
	assert_non_null(root);
	return root;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static void expect_hex(const json_t *object, const char *name, const void *data, size_t len)
{
	char hex[2048];

	assert_true(2 * len < sizeof(hex));
	hex_encode(bytes_of(data, len), hex);
	assert_string_equal(hex, text_of(object, name));
}

static struct key *key_of(const json_t *object)
{
	struct key *key = NULL;
	uint8_t secret[32];

	assert_int_equal(hex_decode(text_of(object, "private_key"), secret, sizeof(secret)), ERR_OK);
	assert_int_equal(key_from_secret(secret, &key), ERR_OK);
	return key;
}

static struct domain domain_of(const json_t *object)
{
	struct address contract;
	struct domain domain;

	assert_string_equal(text_of(object, "name"), "Granary");
	assert_string_equal(text_of(object, "version"), "1");
	assert_int_equal(address_from_text(text_of(object, "verifyingContract"), &contract), ERR_OK);
	domain_init(&domain, (uint64_t)json_integer_value(json_object_get(object, "chainId")), &contract);
	return domain;
}

static const struct fields *type_named(const char *name)
{
	size_t count;
	const struct fields *const *types = typed_table(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	fail_msg("no type %s", name);
	return NULL;
}

/* A decimal number of any size as 32 big-endian bytes. */
static void word_of_decimal(const char *digits, uint8_t word[32])
{
	memset(word, 0, 32);
	for (; *digits != '\0'; digits++) {
		unsigned carry = (unsigned)(*digits - '0');

		for (int i = 31; i >= 0; i--) {
			carry += word[i] * 10u;
			word[i] = (uint8_t)carry;
			carry >>= 8;
		}
		assert_int_equal(carry, 0);
	}
}

static void set_member(const struct field *field, const json_t *value, void *object)
{
	const struct fields alone = {.list = field, .count = 1};
	const char *text = text_of(value, "value");
	size_t width = field_width(field->kind);
	uint8_t word[32] = {0};
	struct reader r;

	assert_string_equal(field->name, text_of(value, "name"));
	if (strncmp(text_of(value, "type"), "uint", 4) == 0)
		word_of_decimal(text, word);
	else
		assert_int_equal(hex_decode(text, word + 32 - width, width), ERR_OK);
	reader_init(&r, bytes_of(word + 32 - width, width));
	assert_null(fields_decode(&alone, &r, object));
	assert_int_equal(reader_end(&r), ERR_OK);
}

static const struct fields *object_of(const json_t *thing, void *object)
{
	const struct fields *type = type_named(text_of(thing, "type"));
	const json_t *values = json_object_get(thing, "fields");

	assert_int_equal(json_array_size(values), type->count);
	for (size_t i = 0; i < type->count; i++)
		set_member(&type->list[i], json_array_get(values, i), object);
	return type;
}

static void check_hashes(const json_t *thing, const struct fields *type, const void *object,
			 const struct domain *domain)
{
	char text[TYPED_STRING];
	struct bytes32 hash;

	assert_string_equal(typed_type_string(type, text, sizeof(text)), text_of(thing, "type_string"));
	typed_type_hash(type, &hash);
	expect_hex(thing, "type_hash", &hash, sizeof(hash));
	expect_hex(thing, "domain_separator", &domain->separator, sizeof(domain->separator));
	typed_hash(type, object, &hash);
	expect_hex(thing, "struct_hash", &hash, sizeof(hash));
	typed_digest(type, object, domain, &hash);
	expect_hex(thing, "digest", &hash, sizeof(hash));
}

static void check_wire(const json_t *thing, const struct fields *type, const void *object,
		       const struct signature *signature)
{
	union any decoded = {0};
	struct signature decoded_signature;
	uint8_t wire[sizeof(union any)];
	struct writer w;

	writer_init(&w, wire, sizeof(wire));
	typed_encode(type, object, signature, &w);
	assert_int_equal(w.len, typed_size(type));
	expect_hex(thing, "wire", wire, w.len);
	assert_int_equal(typed_decode(type, writer_bytes(&w), &decoded, &decoded_signature), ERR_OK);
	assert_memory_equal(&decoded, object, type->size);
	assert_memory_equal(&decoded_signature, signature, sizeof(*signature));
}

static void test_vectors(void **state)
{
	json_t *root = load_vectors("typed.json"), *things = json_object_get(root, "things");
	struct key *key = key_of(root);
	size_t index, types;
	json_t *thing;

	(void)state;
	typed_table(&types);
	assert_int_equal(types, 14);
	assert_int_equal(json_array_size(things), 2 * types);
	json_array_foreach(things, index, thing)
	{
		struct domain domain = domain_of(json_object_get(thing, "domain"));
		union any object = {0};
		struct signature signature;
		const struct fields *type = object_of(thing, &object);

		check_hashes(thing, type, &object, &domain);
		typed_sign(type, &object, &domain, key, &signature);
		expect_hex(thing, "signature", &signature, sizeof(signature));
		assert_int_equal(typed_verify(type, &object, &domain, &signature, key_address(key)), REFUSAL_NONE);
		check_wire(thing, type, &object, &signature);
	}
	key_free(key);
	json_decref(root);
}

/* The members are where their names say, not only hashed in the right order. */
static void test_members(void **state)
{
	json_t *root = load_vectors("typed.json"), *things = json_object_get(root, "things");
	union any object = {0};
	struct usage usage = {0};

	(void)state;
	assert_ptr_equal(object_of(json_array_get(things, 0), &object), &typed_allocation);
	assert_int_equal(object.allocation.action, ACTION_GET);
	assert_int_equal(object.allocation.limit, 2097152);
	assert_int_equal(object.allocation.issued, 1767261600);
	assert_int_equal(object.allocation.expires, 1767265200);
	assert_int_equal(object.allocation.pieceExpires, 0);
	assert_ptr_equal(object_of(json_array_get(things, 12), &usage), &typed_usage);
	assert_true(usage.byteSeconds == ((uint128)3 << 64 | 7));
	assert_ptr_equal(object_of(json_array_get(things, 18), &object), &typed_statement);
	assert_int_equal(object.statement.paid, 25000003);
	assert_int_equal(object.statement.nodeCumulative.b[23], 1); /* 2^64 + 5 */
	assert_int_equal(object.statement.nodeCumulative.b[31], 5);
	json_decref(root);
}

/* EIP-712's example has a nested type, which ours need not; the struct hashes of its parts come from our walk. */
struct person {
	struct bytes name;
	struct address wallet;
};
static const struct field person_list[] = {FIELD(person, name, FIELD_TEXT), FIELD(person, wallet, FIELD_ADDRESS)};
static const struct fields person_type = {"Person", person_list, COUNT(person_list), sizeof(struct person)};

struct mail_domain {
	struct bytes name;
	struct bytes version;
	struct bytes32 chainId;
	struct address verifyingContract;
};
static const struct field mail_domain_list[] = {
	FIELD(mail_domain, name, FIELD_TEXT),
	FIELD(mail_domain, version, FIELD_TEXT),
	FIELD(mail_domain, chainId, FIELD_U256),
	FIELD(mail_domain, verifyingContract, FIELD_ADDRESS),
};
static const struct fields mail_domain_type = {"EIP712Domain", mail_domain_list, COUNT(mail_domain_list),
					       sizeof(struct mail_domain)};

static struct person person_of(const char *name, const char *wallet)
{
	struct person person = {.name = bytes_of_text(name)};

	assert_int_equal(address_from_text(wallet, &person.wallet), ERR_OK);
	return person;
}

static void mail_hash(const json_t *mail, struct bytes32 *ret)
{
	struct person from = person_of("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
	struct person to = person_of("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB");
	const char *type = text_of(mail, "encode_type");
	struct bytes32 words[4];

	keccak_once(type, strlen(type), &words[0]);
	expect_hex(mail, "type_hash", &words[0], sizeof(words[0]));
	typed_hash(&person_type, &from, &words[1]);
	typed_hash(&person_type, &to, &words[2]);
	keccak_once("Hello, Bob!", 11, &words[3]);
	keccak_once(words, sizeof(words), ret);
}

static void test_eip712_example(void **state)
{
	json_t *root = load_vectors("ethereum.json"), *mail = json_object_get(root, "eip712_mail");
	const json_t *described = json_object_get(mail, "domain");
	struct mail_domain data = {.name = bytes_of_text(text_of(described, "name")),
				   .version = bytes_of_text(text_of(described, "version")),
				   .chainId = {{[31] = 1}}};
	struct domain domain = {0};
	struct bytes32 hash, digest;
	struct signature signature;
	struct key *key = key_of(mail);

	(void)state;
	assert_int_equal(address_from_text(text_of(described, "verifyingContract"), &data.verifyingContract), ERR_OK);
	typed_hash(&mail_domain_type, &data, &domain.separator);
	expect_hex(mail, "domain_separator", &domain.separator, sizeof(domain.separator));
	mail_hash(mail, &hash);
	expect_hex(mail, "struct_hash", &hash, sizeof(hash));
	typed_digest_of_hash(&hash, &domain, &digest);
	expect_hex(mail, "digest", &digest, sizeof(digest));
	key_sign(key, &digest, &signature);
	expect_hex(mail, "r", signature.b, 32);
	expect_hex(mail, "s", signature.b + 32, 32);
	assert_int_equal(signature.b[64], json_integer_value(json_object_get(mail, "v")));
	assert_int_equal(typed_verify_hash(&hash, &domain, &signature, key_address(key)), REFUSAL_NONE);
	key_free(key);
	json_decref(root);
}

/* An order, signed: what the tests below spoil. */
struct signed_order {
	struct key *key;
	struct domain domain;
	struct order order;
	struct signature signature;
};

static int make_order(void **state)
{
	static const uint8_t secret[32] = {[31] = 7};
	static const struct address contract = {{9}};
	struct signed_order *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(key_from_secret(secret, &s->key), ERR_OK);
	domain_init(&s->domain, 31337, &contract);
	s->order = (struct order){{{1, 2, 3}}, 65536};
	typed_sign(&typed_order, &s->order, &s->domain, s->key, &s->signature);
	*state = s;
	return 0;
}

static int free_order(void **state)
{
	struct signed_order *s = *state;

	key_free(s->key);
	free(s);
	return 0;
}

static enum refusal verify(const struct signed_order *s)
{
	return typed_verify(&typed_order, &s->order, &s->domain, &s->signature, key_address(s->key));
}

/* Any bit of the object, of the signature, of the domain or of the signer's address turned: refused. */
static void test_every_bit_counts(void **state)
{
	struct signed_order *s = *state;
	uint8_t wire[256];
	struct writer w;

	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_order, &s->order, &s->signature, &w);
	assert_int_equal(verify(s), REFUSAL_NONE);
	for (size_t bit = 0; bit < w.len * 8; bit++) {
		struct order order;
		struct signature signature;

		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(typed_decode(&typed_order, writer_bytes(&w), &order, &signature), ERR_OK);
		assert_int_not_equal(typed_verify(&typed_order, &order, &s->domain, &signature, key_address(s->key)),
				     REFUSAL_NONE);
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_other_domain(void **state)
{
	struct signed_order *s = *state;
	struct address other = s->domain.contract;

	domain_init(&s->domain, 31338, &other);
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
	other.b[19] ^= 1;
	domain_init(&s->domain, 31337, &other);
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
}

static void test_other_signer(void **state)
{
	struct signed_order *s = *state;
	struct address other = *key_address(s->key);

	other.b[0] ^= 1;
	assert_int_equal(typed_verify(&typed_order, &s->order, &s->domain, &s->signature, &other), REFUSAL_SIGNATURE);
}

/* EIP-2: s' = n - s with the other v signs the same digest, and is refused with a code of its own. */
static void test_high_s(void **state)
{
	struct signed_order *s = *state;
	uint8_t order[32];
	int borrow = 0;

	assert_int_equal(hex_decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", order, 32),
			 ERR_OK);
	for (int i = 31; i >= 0; i--) {
		int digit = order[i] - s->signature.b[32 + i] - borrow;

		borrow = digit < 0;
		s->signature.b[32 + i] = (uint8_t)digit;
	}
	s->signature.b[64] ^= 27 ^ 28;
	assert_int_equal(verify(s), REFUSAL_HIGH_S);
}

static void test_bad_signatures(void **state)
{
	static const uint8_t bad_v[] = {0, 1, 26, 29, 255};
	struct signed_order *s = *state;
	struct signature good = s->signature;

	for (size_t i = 0; i < sizeof(bad_v); i++) {
		s->signature.b[64] = bad_v[i];
		assert_int_equal(verify(s), REFUSAL_SIGNATURE);
	}
	s->signature = good;
	memset(s->signature.b, 0, 32); /* r = 0 */
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
	memset(s->signature.b, 0xff, 32); /* r beyond the order */
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
	s->signature = good;
	memset(s->signature.b + 32, 0, 32); /* s = 0 */
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
	memset(&s->signature, 0, sizeof(s->signature));
	assert_int_equal(verify(s), REFUSAL_SIGNATURE);
}

/* No length but the right one decodes, and what is refused leaves the object alone. */
static void test_lengths(void **state)
{
	uint8_t wire[sizeof(union any)] = {0};
	size_t count;
	const struct fields *const *types = typed_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (size_t len = 0; len <= typed_size(types[i]) + 2; len++) {
			union any object;
			struct signature signature;
			enum err want = len == typed_size(types[i]) ? ERR_OK : ERR_FORMAT;

			memset(&object, 0xa5, sizeof(object));
			assert_int_equal(typed_decode(types[i], bytes_of(wire, len), &object, &signature), want);
			assert_int_equal(object.bytes[0], want == ERR_OK ? 0 : 0xa5);
		}
	}
}

static void test_no_room(void **state)
{
	struct signed_order *s = *state;
	uint8_t wire[256];
	struct writer w;

	for (size_t room = 0; room < typed_size(&typed_order); room++) {
		writer_init(&w, wire, room);
		typed_encode(&typed_order, &s->order, &s->signature, &w);
		assert_int_equal(w.err, ERR_OVERFLOW);
	}
}

/* An object of one type never has the hash of another, even when their members are all zero. */
static void test_types_differ(void **state)
{
	static const union any zero;
	struct bytes32 hashes[14];
	size_t count;
	const struct fields *const *types = typed_table(&count);

	(void)state;
	assert_int_equal(count, COUNT(hashes));
	for (size_t i = 0; i < count; i++) {
		typed_hash(types[i], &zero, &hashes[i]);
		for (size_t j = 0; j < i; j++)
			assert_false(bytes32_equal(&hashes[i], &hashes[j]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_eip712_example),
		cmocka_unit_test_setup_teardown(test_every_bit_counts, make_order, free_order),
		cmocka_unit_test_setup_teardown(test_other_domain, make_order, free_order),
		cmocka_unit_test_setup_teardown(test_other_signer, make_order, free_order),
		cmocka_unit_test_setup_teardown(test_high_s, make_order, free_order),
		cmocka_unit_test_setup_teardown(test_bad_signatures, make_order, free_order),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test_setup_teardown(test_no_room, make_order, free_order),
		cmocka_unit_test(test_types_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
