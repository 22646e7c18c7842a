/*
 * Every signed thing, declared once, and EIP-712 over it.
 *
 * A type is a structure here and a list of fields in typed.c; from it come the EIP-712 type string, the struct hash
 * and the wire form (fields in order, then the 65-byte signature). The field names and their order are those of the
 * typed data, so any Ethereum library reproduces the digest. Pure, and safe to call from any thread.
 *
 * EIP-712 kinds: an integer of n bytes is uint(8n), U256 uint256, BYTES32 bytes32, ADDRESS address, TEXT string,
 * BLOB bytes. The other kinds of common/fields have no typed data and may not stand in a type.
 */
#ifndef GRANARY_PAYMENTS_TYPED_H
#define GRANARY_PAYMENTS_TYPED_H

#include "common/fields.h"
#include "common/refusal.h"

enum action {
	ACTION_PUT = 1,
	ACTION_GET = 2,
	ACTION_GET_AUDIT = 3,
	ACTION_GET_REPAIR = 4,
	ACTION_PUT_REPAIR = 5,
};

/* This client may move up to `limit` bytes of this piece with this node. */
struct allocation {
	struct bytes32 serial; /* 4 bytes: hour of expiry; 28 random */
	struct address satellite;
	struct address client;
	struct address node;
	struct bytes32 piece;
	uint8_t action;		/* enum action */
	uint64_t limit;		/* bytes */
	uint64_t issued;	/* Unix seconds, as all times here */
	uint64_t expires;
	uint64_t pieceExpires;	/* 0: kept until deleted */
};

/* I owe for `amount` bytes of this allocation; cumulative. */
struct order {
	struct bytes32 allocation; /* struct hash */
	uint64_t amount;
};

/* I hold these bytes, durably, under this root. */
struct receipt {
	struct bytes32 allocation; /* struct hash */
	struct bytes32 piece;
	struct bytes32 root;
	uint64_t size;
	uint64_t storedAt;
};

struct settlement {
	struct address satellite;
	struct address node;
	uint64_t hour; /* of the serials: expiry / 3600 */
	struct bytes32 orders;
	uint32_t count;
	uint64_t bytes; /* sum of the amounts */
};

struct settled {
	struct bytes32 settlement; /* struct hash */
	struct bytes32 verdicts;
	uint64_t bytes;
};

struct deletion {
	struct address satellite;
	struct address node;
	struct bytes32 pieces; /* keccak256 of the sorted piece ids */
	uint64_t at;
};

struct usage {
	struct address satellite;
	struct address node;
	uint32_t day; /* Unix seconds / 86400 */
	struct bytes32 changes;
	uint128 byteSeconds;
};

struct price {
	struct address party;
	uint64_t storage; /* base units per TB-month */
	uint64_t egress;  /* base units per TB, as the rest */
	uint64_t audit;
	uint64_t repair;
	uint64_t from;
	uint64_t until;
};

struct payee {
	struct address node;
	struct address payee;
	uint64_t from;
};

struct statement {
	struct address satellite;
	struct address node;
	struct address payee;
	uint32_t period; /* YYYYMM */
	struct bytes32 lines;
	uint64_t earned;
	uint64_t held;
	uint64_t released;
	uint64_t forfeited;
	uint64_t rolled;
	uint64_t paid;
	struct bytes32 nodeCumulative;	/* uint256 */
	struct bytes32 payeeCumulative; /* uint256 */
};

struct audit {
	struct bytes32 challenge; /* keccak256 of the challenge's encoding */
	struct bytes32 answer;	  /* keccak256 of the answers, doc/formats.md */
	uint64_t bytes;		  /* of leaves sent */
	struct bytes32 verdicts;  /* zeros as the node signs */
};

struct loss {
	struct address satellite;
	struct address node;
	struct bytes32 pieces;
	uint64_t at;
};

/* Of the pieces that came before `time` I want those that are in this filter. */
struct collection {
	struct address satellite;
	struct address node;
	uint64_t time;
	struct bytes32 filter; /* its digest, common/filter.h */
};

struct exit_receipt {
	struct address satellite;
	struct address node;
	uint64_t completed;
};

/* The types; ->name is the EIP-712 primary type. */
extern const struct fields typed_allocation, typed_order, typed_receipt, typed_settlement, typed_settled,
	typed_deletion, typed_usage, typed_price, typed_payee, typed_statement, typed_audit, typed_loss, typed_exit,
	typed_collection;
/* All of them, for tests and tools. */
const struct fields *const *typed_table(size_t *ret_count);

/* What a signature is bound to: {name:"Granary", version:"1", chainId, verifyingContract}. */
struct domain {
	uint64_t chain_id;
	struct address contract;
	struct bytes32 separator; /* set by domain_init */
};
void domain_init(struct domain *domain, uint64_t chain_id, const struct address *contract);
/* How such a domain is described, for typed data as JSON: its name is "EIP712Domain". */
extern const struct fields typed_domain;
#define DOMAIN_NAME "Granary"
#define DOMAIN_VERSION "1"

#define TYPED_STRING 512 /* room for any type's string */

/* "uint64": what EIP-712 calls a member of this kind. Asserts that it is one of those above. */
const char *typed_kind_name(enum field_kind kind);
/* "Order(bytes32 allocation,uint64 amount)"; room for all of it is the caller's duty. Returns out. EIP-712,
 * encodeType. */
char *typed_type_string(const struct fields *type, char *out, size_t room);
/* keccak256 of the type string. */
void typed_type_hash(const struct fields *type, struct bytes32 *ret);
/* EIP-712, hashStruct. The types of typed_table have their type hash at hand; any other is hashed each time. */
void typed_hash(const struct fields *type, const void *object, struct bytes32 *ret);
/* keccak256(0x19 0x01 ‖ separator ‖ hashStruct): what is signed. */
void typed_digest(const struct fields *type, const void *object, const struct domain *domain, struct bytes32 *ret);
/* The digest of an object whose struct hash is known already. */
void typed_digest_of_hash(const struct bytes32 *hash, const struct domain *domain, struct bytes32 *ret);

void typed_sign(const struct fields *type, const void *object, const struct domain *domain, const struct key *key,
		struct signature *ret);
/* REFUSAL_NONE, REFUSAL_HIGH_S, or REFUSAL_SIGNATURE when anyone but `signer` signed it. Recovers the signer, which
 * costs less than parsing a key of 33 bytes and verifying with it saves. */
enum refusal typed_verify(const struct fields *type, const void *object, const struct domain *domain,
			  const struct signature *signature, const struct address *signer) WARN_UNUSED;
/* The same for an object whose struct hash is known already. */
enum refusal typed_verify_hash(const struct bytes32 *hash, const struct domain *domain,
			       const struct signature *signature, const struct address *signer) WARN_UNUSED;

/* Wire form: the fields, then the signature. typed_size is its exact length; typed_encode sets the writer's error to
 * ERR_OVERFLOW when there is less room. For types of fixed-width fields only, as all of typed_table are. */
size_t typed_size(const struct fields *type);
void typed_encode(const struct fields *type, const void *object, const struct signature *signature, struct writer *w);
/* ERR_FORMAT unless `from` is exactly one object and its signature, which is not verified here. */
enum err typed_decode(const struct fields *type, struct bytes from, void *object, struct signature *ret_signature)
	WARN_UNUSED;

#endif
