/*
 * The table of typed things, and EIP-712 walked over it.
 *
 * A field's EIP-712 word is its wire form, padded with zeros on the left to 32 bytes: both are big-endian and of
 * fixed width. Text and blobs, which of ours only the domain has, stand as the hash of their content. The type hashes
 * of the table are made before main runs and never change, so all threads share them.
 */
#include "payments/typed.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/keccak.h"

#define WORD 32
#define FIELDS_MOST 16 /* of any type */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field allocation_list[] = {
	FIELD(allocation, serial, FIELD_BYTES32),
	FIELD(allocation, satellite, FIELD_ADDRESS),
	FIELD(allocation, client, FIELD_ADDRESS),
	FIELD(allocation, node, FIELD_ADDRESS),
	FIELD(allocation, piece, FIELD_BYTES32),
	FIELD(allocation, action, FIELD_U8),
	FIELD(allocation, limit, FIELD_U64),
	FIELD(allocation, issued, FIELD_U64),
	FIELD(allocation, expires, FIELD_U64),
	FIELD(allocation, pieceExpires, FIELD_U64),
};

static const struct field order_list[] = {
	FIELD(order, allocation, FIELD_BYTES32),
	FIELD(order, amount, FIELD_U64),
};

static const struct field receipt_list[] = {
	FIELD(receipt, allocation, FIELD_BYTES32),
	FIELD(receipt, piece, FIELD_BYTES32),
	FIELD(receipt, root, FIELD_BYTES32),
	FIELD(receipt, size, FIELD_U64),
	FIELD(receipt, storedAt, FIELD_U64),
};

static const struct field settlement_list[] = {
	FIELD(settlement, satellite, FIELD_ADDRESS),
	FIELD(settlement, node, FIELD_ADDRESS),
	FIELD(settlement, hour, FIELD_U64),
	FIELD(settlement, orders, FIELD_BYTES32),
	FIELD(settlement, count, FIELD_U32),
	FIELD(settlement, bytes, FIELD_U64),
};

static const struct field settled_list[] = {
	FIELD(settled, settlement, FIELD_BYTES32),
	FIELD(settled, verdicts, FIELD_BYTES32),
	FIELD(settled, bytes, FIELD_U64),
};

static const struct field deletion_list[] = {
	FIELD(deletion, satellite, FIELD_ADDRESS),
	FIELD(deletion, node, FIELD_ADDRESS),
	FIELD(deletion, pieces, FIELD_BYTES32),
	FIELD(deletion, at, FIELD_U64),
};

static const struct field usage_list[] = {
	FIELD(usage, satellite, FIELD_ADDRESS),
	FIELD(usage, node, FIELD_ADDRESS),
	FIELD(usage, day, FIELD_U32),
	FIELD(usage, changes, FIELD_BYTES32),
	FIELD(usage, byteSeconds, FIELD_U128),
};

static const struct field price_list[] = {
	FIELD(price, party, FIELD_ADDRESS),
	FIELD(price, storage, FIELD_U64),
	FIELD(price, egress, FIELD_U64),
	FIELD(price, audit, FIELD_U64),
	FIELD(price, repair, FIELD_U64),
	FIELD(price, from, FIELD_U64),
	FIELD(price, until, FIELD_U64),
};

static const struct field payee_list[] = {
	FIELD(payee, node, FIELD_ADDRESS),
	FIELD(payee, payee, FIELD_ADDRESS),
	FIELD(payee, from, FIELD_U64),
};

static const struct field statement_list[] = {
	FIELD(statement, satellite, FIELD_ADDRESS),
	FIELD(statement, node, FIELD_ADDRESS),
	FIELD(statement, payee, FIELD_ADDRESS),
	FIELD(statement, period, FIELD_U32),
	FIELD(statement, lines, FIELD_BYTES32),
	FIELD(statement, earned, FIELD_U64),
	FIELD(statement, held, FIELD_U64),
	FIELD(statement, released, FIELD_U64),
	FIELD(statement, forfeited, FIELD_U64),
	FIELD(statement, rolled, FIELD_U64),
	FIELD(statement, paid, FIELD_U64),
	FIELD(statement, nodeCumulative, FIELD_U256),
	FIELD(statement, payeeCumulative, FIELD_U256),
};

static const struct field audit_list[] = {
	FIELD(audit, challenge, FIELD_BYTES32),
	FIELD(audit, answer, FIELD_BYTES32),
	FIELD(audit, bytes, FIELD_U64),
	FIELD(audit, verdicts, FIELD_BYTES32),
};

static const struct field collection_list[] = {
	FIELD(collection, satellite, FIELD_ADDRESS),
	FIELD(collection, node, FIELD_ADDRESS),
	FIELD(collection, time, FIELD_U64),
	FIELD(collection, filter, FIELD_BYTES32),
};

static const struct field loss_list[] = {
	FIELD(loss, satellite, FIELD_ADDRESS),
	FIELD(loss, node, FIELD_ADDRESS),
	FIELD(loss, pieces, FIELD_BYTES32),
	FIELD(loss, at, FIELD_U64),
};

static const struct field exit_list[] = {
	FIELD(exit_receipt, satellite, FIELD_ADDRESS),
	FIELD(exit_receipt, node, FIELD_ADDRESS),
	FIELD(exit_receipt, completed, FIELD_U64),
};

#define TYPE(type, text, list) const struct fields typed_##type = {text, list, COUNT(list), sizeof(struct type)}

TYPE(allocation, "Allocation", allocation_list);
TYPE(order, "Order", order_list);
TYPE(receipt, "Receipt", receipt_list);
TYPE(settlement, "Settlement", settlement_list);
TYPE(settled, "Settled", settled_list);
TYPE(deletion, "Deletion", deletion_list);
TYPE(usage, "Usage", usage_list);
TYPE(price, "Price", price_list);
TYPE(payee, "Payee", payee_list);
TYPE(statement, "Statement", statement_list);
TYPE(audit, "Audit", audit_list);
TYPE(loss, "Loss", loss_list);
TYPE(collection, "Collection", collection_list);
const struct fields typed_exit = {"Exit", exit_list, COUNT(exit_list), sizeof(struct exit_receipt)};

static const struct fields *const table[] = {
	&typed_allocation, &typed_order, &typed_receipt, &typed_settlement, &typed_settled,
	&typed_deletion,   &typed_usage, &typed_price,	 &typed_payee,	    &typed_statement,
	&typed_audit,	   &typed_loss,	 &typed_exit,	&typed_collection,
};

static struct bytes32 type_hashes[COUNT(table)];

const struct fields *const *typed_table(size_t *ret_count)
{
	*ret_count = COUNT(table);
	return table;
}

const char *typed_kind_name(enum field_kind kind)
{
	switch (kind) {
	case FIELD_U8:
		return "uint8";
	case FIELD_U16:
		return "uint16";
	case FIELD_U32:
		return "uint32";
	case FIELD_U64:
		return "uint64";
	case FIELD_U128:
		return "uint128";
	case FIELD_U256:
		return "uint256";
	case FIELD_BYTES32:
		return "bytes32";
	case FIELD_ADDRESS:
		return "address";
	case FIELD_BLOB:
		return "bytes";
	case FIELD_TEXT:
		return "string";
	case FIELD_ID:
	case FIELD_SIGNATURE:
	case FIELD_LIST:
		break;
	}
	assert(!"a kind without typed data");
	return NULL;
}

char *typed_type_string(const struct fields *type, char *out, size_t room)
{
	int len = snprintf(out, room, "%s(", type->name);

	for (size_t i = 0; i < type->count; i++) {
		const struct field *field = &type->list[i];

		assert(len > 0 && (size_t)len < room);
		len += snprintf(out + len, room - (size_t)len, "%s%s %s", i == 0 ? "" : ",",
				typed_kind_name(field->kind), field->name);
	}
	assert(len > 0 && (size_t)len + 1 < room);
	out[len] = ')';
	out[len + 1] = '\0';
	return out;
}

static void hash_type_string(const struct fields *type, struct bytes32 *ret)
{
	char text[TYPED_STRING];

	typed_type_string(type, text, sizeof(text));
	keccak_once(text, strlen(text), ret);
}

__attribute__((constructor)) static void make_type_hashes(void)
{
	for (size_t i = 0; i < COUNT(table); i++)
		hash_type_string(table[i], &type_hashes[i]);
}

void typed_type_hash(const struct fields *type, struct bytes32 *ret)
{
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i] == type) {
			*ret = type_hashes[i];
			return;
		}
	}
	hash_type_string(type, ret);
}

/* EIP-712, encodeData of one member. */
static void put_word(const struct field *field, const void *object, uint8_t word[WORD])
{
	const struct fields alone = {.list = field, .count = 1};
	size_t width = field_width(field->kind);
	struct writer w;

	if (field->kind == FIELD_TEXT || field->kind == FIELD_BLOB) {
		const struct bytes *content = (const void *)((const uint8_t *)object + field->offset);
		struct bytes32 hash;

		keccak_once(content->data, content->len, &hash);
		memcpy(word, hash.b, WORD);
		return;
	}
	assert(width > 0 && width <= WORD);
	memset(word, 0, WORD - width);
	writer_init(&w, word + WORD - width, width);
	fields_encode(&alone, object, &w);
	assert(w.err == ERR_OK);
}

void typed_hash(const struct fields *type, const void *object, struct bytes32 *ret)
{
	uint8_t words[1 + FIELDS_MOST][WORD];
	struct bytes32 type_hash;

	assert(type->count <= FIELDS_MOST);
	typed_type_hash(type, &type_hash);
	memcpy(words[0], type_hash.b, WORD);
	for (size_t i = 0; i < type->count; i++)
		put_word(&type->list[i], object, words[1 + i]);
	keccak_once(words, (1 + type->count) * WORD, ret);
}

/* EIP-712, the domain: a typed thing like the others, signed into every digest. */
struct domain_data {
	struct bytes name;
	struct bytes version;
	struct bytes32 chainId;
	struct address verifyingContract;
};

static const struct field domain_list[] = {
	FIELD(domain_data, name, FIELD_TEXT),
	FIELD(domain_data, version, FIELD_TEXT),
	FIELD(domain_data, chainId, FIELD_U256),
	FIELD(domain_data, verifyingContract, FIELD_ADDRESS),
};
const struct fields typed_domain = {"EIP712Domain", domain_list, COUNT(domain_list), sizeof(struct domain_data)};

void domain_init(struct domain *domain, uint64_t chain_id, const struct address *contract)
{
	struct domain_data data = {
		.name = bytes_of_text(DOMAIN_NAME),
		.version = bytes_of_text(DOMAIN_VERSION),
		.verifyingContract = *contract,
	};

	put_be64(data.chainId.b + WORD - 8, chain_id);
	*domain = (struct domain){.chain_id = chain_id, .contract = *contract};
	typed_hash(&typed_domain, &data, &domain->separator);
}

void typed_digest_of_hash(const struct bytes32 *hash, const struct domain *domain, struct bytes32 *ret)
{
	uint8_t signed_bytes[2 + 2 * WORD] = {0x19, 0x01};

	memcpy(signed_bytes + 2, domain->separator.b, WORD);
	memcpy(signed_bytes + 2 + WORD, hash->b, WORD);
	keccak_once(signed_bytes, sizeof(signed_bytes), ret);
}

void typed_digest(const struct fields *type, const void *object, const struct domain *domain, struct bytes32 *ret)
{
	struct bytes32 hash;

	typed_hash(type, object, &hash);
	typed_digest_of_hash(&hash, domain, ret);
}

void typed_sign(const struct fields *type, const void *object, const struct domain *domain, const struct key *key,
		struct signature *ret)
{
	struct bytes32 digest;

	typed_digest(type, object, domain, &digest);
	key_sign(key, &digest, ret);
}

enum refusal typed_verify_hash(const struct bytes32 *hash, const struct domain *domain,
			       const struct signature *signature, const struct address *signer)
{
	struct bytes32 digest;

	if (!signature_is_low(signature))
		return REFUSAL_HIGH_S;
	typed_digest_of_hash(hash, domain, &digest);
	return key_verify(&digest, signature, signer) == ERR_OK ? REFUSAL_NONE : REFUSAL_SIGNATURE;
}

enum refusal typed_verify(const struct fields *type, const void *object, const struct domain *domain,
			  const struct signature *signature, const struct address *signer)
{
	struct bytes32 hash;

	typed_hash(type, object, &hash);
	return typed_verify_hash(&hash, domain, signature, signer);
}

size_t typed_size(const struct fields *type)
{
	return fields_max_size(type) + sizeof(struct signature);
}

void typed_encode(const struct fields *type, const void *object, const struct signature *signature, struct writer *w)
{
	fields_encode(type, object, w);
	write_raw(w, signature->b, sizeof(signature->b));
}

enum err typed_decode(const struct fields *type, struct bytes from, void *object, struct signature *ret_signature)
{
	struct reader r;

	reader_init(&r, from);
	if (from.len != typed_size(type) || fields_decode(type, &r, object) != NULL)
		return ERR_FORMAT;
	read_raw(&r, ret_signature->b, sizeof(ret_signature->b));
	return reader_end(&r) == ERR_OK ? ERR_OK : ERR_FORMAT;
}
