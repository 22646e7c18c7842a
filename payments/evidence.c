/*
 * Between signed things and the JSON that wallets take. The types in the JSON are not interpreted: they must be those
 * that we would write ourselves for that name, so a file cannot make a digest mean anything else.
 */
#include "payments/evidence.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "payments/u256.h"

#define WORD 32
#define HEX_TEXT (2 + 2 * 65 + 1)    /* "0x", a signature's digits and a NUL */
#define EXACT_IN_DOUBLE (1ull << 53) /* from here on, some readers of JSON integers lose digits */

/* Which member of each type says who signs it; those that do not say are not here. */
static const struct {
	const struct fields *type;
	size_t offset;
} parties[] = {
	{&typed_allocation, offsetof(struct allocation, satellite)},
	{&typed_settlement, offsetof(struct settlement, node)},
	{&typed_deletion, offsetof(struct deletion, satellite)},
	{&typed_usage, offsetof(struct usage, satellite)},
	{&typed_price, offsetof(struct price, party)},
	{&typed_payee, offsetof(struct payee, node)},
	{&typed_statement, offsetof(struct statement, satellite)},
	{&typed_loss, offsetof(struct loss, node)},
	{&typed_exit, offsetof(struct exit_receipt, satellite)},
	{&typed_collection, offsetof(struct collection, satellite)},
};

const struct fields *evidence_type(const char *name)
{
	size_t count;
	const struct fields *const *types = typed_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	}
	return NULL;
}

const struct address *evidence_party(const struct evidence *evidence)
{
	for (size_t i = 0; i < sizeof(parties) / sizeof(parties[0]); i++) {
		if (parties[i].type == evidence->type)
			return (const void *)((const uint8_t *)&evidence->object + parties[i].offset);
	}
	return NULL;
}

enum err evidence_from_wire(const struct fields *type, struct bytes wire, const struct domain *domain,
			    struct evidence *ret)
{
	struct evidence evidence = {.type = type, .domain = *domain};
	struct bytes32 digest;
	enum err err = typed_decode(type, wire, &evidence.object, &evidence.signature);

	if (err != ERR_OK)
		return err;
	typed_digest(type, &evidence.object, domain, &digest);
	err = key_recover(&digest, &evidence.signature, &evidence.signer);
	if (err != ERR_OK)
		return err;
	if (evidence_verify(&evidence) != REFUSAL_NONE)
		return ERR_SIGNATURE;
	*ret = evidence;
	return ERR_OK;
}

enum refusal evidence_verify(const struct evidence *evidence)
{
	const struct address *party = evidence_party(evidence);

	if (party != NULL && !address_equal(party, &evidence->signer))
		return REFUSAL_SIGNATURE;
	return typed_verify(evidence->type, &evidence->object, &evidence->domain, &evidence->signature,
			    &evidence->signer);
}

static json_t *json_hex(const void *data, size_t len)
{
	char text[HEX_TEXT] = "0x";

	assert(2 + 2 * len < sizeof(text));
	hex_encode(bytes_of(data, len), text + 2);
	return json_string(text);
}

static json_t *json_of_address(const struct address *address)
{
	char text[KEY_ADDRESS_TEXT];

	address_to_text(address, text);
	return json_string(text);
}

/* A member as it stands in "message". */
static json_t *json_member(const struct field *field, const void *object)
{
	const struct fields alone = {.list = field, .count = 1};
	size_t width = field_width(field->kind);
	struct bytes32 word = {{0}};
	char text[U256_TEXT];
	struct writer w;

	if (field->kind == FIELD_ADDRESS)
		return json_of_address((const void *)((const uint8_t *)object + field->offset));
	assert(width > 0 && width <= WORD);
	writer_init(&w, word.b + WORD - width, width);
	fields_encode(&alone, object, &w);
	assert(w.err == ERR_OK);
	return field->kind == FIELD_BYTES32 ? json_hex(word.b, WORD) : json_string(u256_print(&word, text));
}

static json_t *json_type_list(const struct fields *type)
{
	json_t *list = json_array();

	for (size_t i = 0; i < type->count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", type->list[i].name, "type",
						      typed_kind_name(type->list[i].kind)));
	return list;
}

static json_t *json_types(const struct fields *type)
{
	return json_pack("{s:o, s:o}", typed_domain.name, json_type_list(&typed_domain), type->name,
			 json_type_list(type));
}

static json_t *json_domain(const struct domain *domain)
{
	struct bytes32 chain_id = u256_of(domain->chain_id);
	char text[U256_TEXT];
	json_t *chain = domain->chain_id < EXACT_IN_DOUBLE ? json_integer((json_int_t)domain->chain_id)
							   : json_string(u256_print(&chain_id, text));

	return json_pack("{s:s, s:s, s:o, s:o}", "name", DOMAIN_NAME, "version", DOMAIN_VERSION, "chainId", chain,
			 "verifyingContract", json_of_address(&domain->contract));
}

json_t *evidence_to_json(const struct evidence *evidence)
{
	const struct fields *type = evidence->type;
	json_t *message = json_object(), *json;

	for (size_t i = 0; i < type->count; i++)
		json_object_set_new(message, type->list[i].name, json_member(&type->list[i], &evidence->object));
	json = json_pack("{s:{s:o, s:s, s:o, s:o}, s:o, s:o}", "typedData", "types", json_types(type), "primaryType",
			 type->name, "domain", json_domain(&evidence->domain), "message", message, "signature",
			 json_hex(evidence->signature.b, sizeof(evidence->signature.b)), "signer",
			 json_of_address(&evidence->signer));
	if (json == NULL)
		abort(); /* no memory */
	return json;
}

static enum err refuse(char *why, const char *member, const char *what)
{
	snprintf(why, EVIDENCE_WHY, "%s: %s", member, what);
	return ERR_FORMAT;
}

/* "0x" and hex digits for exactly `len` bytes. */
static enum err read_hex(const json_t *json, void *out, size_t len)
{
	const char *text = json_string_value(json);

	if (text == NULL || strncmp(text, "0x", 2) != 0)
		return ERR_FORMAT;
	return hex_decode(text, out, len);
}

static enum err read_address(const json_t *json, struct address *ret)
{
	const char *text = json_string_value(json);

	return text == NULL ? ERR_FORMAT : address_from_text(text, ret);
}

/* Decimal text, or a JSON integer. */
static enum err read_number(const json_t *json, struct bytes32 *ret)
{
	const char *text = json_string_value(json);

	if (text != NULL)
		return u256_parse(text, ret);
	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return ERR_FORMAT;
	*ret = u256_of((uint64_t)json_integer_value(json));
	return ERR_OK;
}

static enum err read_word(const json_t *json, enum field_kind kind, struct bytes32 *ret)
{
	struct address address;

	if (kind == FIELD_BYTES32)
		return read_hex(json, ret->b, WORD);
	if (kind != FIELD_ADDRESS)
		return read_number(json, ret);
	if (read_address(json, &address) != ERR_OK)
		return ERR_FORMAT;
	memset(ret->b, 0, WORD - sizeof(address.b));
	memcpy(ret->b + WORD - sizeof(address.b), address.b, sizeof(address.b));
	return ERR_OK;
}

/* A member of "message" into its place. */
static enum err read_member(const json_t *json, const struct field *field, void *object)
{
	const struct fields alone = {.list = field, .count = 1};
	size_t width = field_width(field->kind);
	struct bytes32 word;
	struct reader r;

	if (read_word(json, field->kind, &word) != ERR_OK)
		return ERR_FORMAT;
	for (size_t i = 0; i < WORD - width; i++) {
		if (word.b[i] != 0)
			return ERR_FORMAT;
	}
	reader_init(&r, bytes_of(word.b + WORD - width, width));
	return fields_decode(&alone, &r, object) == NULL ? ERR_OK : ERR_FORMAT;
}

static enum err read_message(const json_t *message, struct evidence *evidence, char *why)
{
	const struct fields *type = evidence->type;

	for (size_t i = 0; i < type->count; i++) {
		const struct field *field = &type->list[i];

		if (read_member(json_object_get(message, field->name), field, &evidence->object) != ERR_OK) {
			snprintf(why, EVIDENCE_WHY, "message.%s: no %s", field->name, typed_kind_name(field->kind));
			return ERR_FORMAT;
		}
	}
	if (json_object_size(message) != type->count)
		return refuse(why, "message", "has members that its type has not");
	return ERR_OK;
}

static bool text_is(const json_t *json, const char *text)
{
	const char *found = json_string_value(json);

	return found != NULL && strcmp(found, text) == 0;
}

static enum err read_domain(const json_t *json, struct domain *ret, char *why)
{
	struct address contract;
	struct bytes32 number;
	uint64_t chain_id;

	if (!text_is(json_object_get(json, "name"), DOMAIN_NAME))
		return refuse(why, "domain.name", "not \"" DOMAIN_NAME "\"");
	if (!text_is(json_object_get(json, "version"), DOMAIN_VERSION))
		return refuse(why, "domain.version", "not \"" DOMAIN_VERSION "\"");
	if (read_number(json_object_get(json, "chainId"), &number) != ERR_OK ||
	    u256_to_u64(&number, &chain_id) != ERR_OK)
		return refuse(why, "domain.chainId", "no number below 2^64");
	if (read_address(json_object_get(json, "verifyingContract"), &contract) != ERR_OK)
		return refuse(why, "domain.verifyingContract", "no address");
	if (json_object_size(json) != typed_domain.count)
		return refuse(why, "domain", "has members that its type has not");
	domain_init(ret, chain_id, &contract);
	return ERR_OK;
}

static enum err read_type(const json_t *data, const struct fields **ret, char *why)
{
	const char *name = json_string_value(json_object_get(data, "primaryType"));
	const struct fields *type = name == NULL ? NULL : evidence_type(name);
	json_t *types;
	bool same;

	if (type == NULL)
		return refuse(why, "primaryType", "names no signed thing of Granary");
	types = json_types(type);
	same = json_equal(types, json_object_get(data, "types")) != 0;
	json_decref(types);
	if (!same)
		return refuse(why, "types", "not those of its primaryType");
	*ret = type;
	return ERR_OK;
}

static enum err read_data(const json_t *data, struct evidence *evidence, char *why)
{
	enum err err;

	if (json_object_size(data) != 4)
		return refuse(why, "typedData", "want types, primaryType, domain and message");
	err = read_type(data, &evidence->type, why);
	if (err == ERR_OK)
		err = read_domain(json_object_get(data, "domain"), &evidence->domain, why);
	return err == ERR_OK ? read_message(json_object_get(data, "message"), evidence, why) : err;
}

enum err evidence_from_json(const json_t *json, struct evidence *ret, char why[EVIDENCE_WHY])
{
	struct evidence evidence = {.type = NULL};
	enum err err = read_data(json_object_get(json, "typedData"), &evidence, why);

	if (err != ERR_OK)
		return err;
	if (read_hex(json_object_get(json, "signature"), evidence.signature.b, sizeof(evidence.signature.b)) != ERR_OK)
		return refuse(why, "signature", "want 0x and 130 hex digits");
	if (read_address(json_object_get(json, "signer"), &evidence.signer) != ERR_OK)
		return refuse(why, "signer", "no address");
	*ret = evidence;
	return ERR_OK;
}
