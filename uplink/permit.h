/*
 * A permit lets us move one piece, once: an allocation as the satellite gave it, with the node's endpoint; and the
 * orders that we sign against it.
 *
 * The satellite's signature on the allocation is not verified here: the satellite is authenticated by its channel,
 * and the node checks the signature before it moves a byte. What is checked is what would cost us: that the
 * allocation is ours, for that node and action, and reaches far enough.
 */
#ifndef GRANARY_UPLINK_PERMIT_H
#define GRANARY_UPLINK_PERMIT_H

#include "common/message.h"
#include "payments/rules.h"

struct permit {
	uint16_t number; /* of the piece in its segment */
	struct bytes32 root;
	struct endpoint endpoint;
	struct allocation allocation;
	struct bytes32 hash; /* the allocation's struct hash */
	uint8_t wire[MESSAGE_SIGNED_MAX];
	size_t wire_len;
};

/* What a permit must fit. */
struct permit_facts {
	const struct address *satellite;
	const struct address *client; /* ourselves */
	enum action action;
	uint64_t limit; /* bytes that we mean to move, at most */
};

/* Take one over. ERR_FORMAT when it does not parse, ERR_PROTOCOL when it breaks a fact; *ret_why says which field. */
enum err permit_parse(const struct item_allocation *item, const struct permit_facts *facts, struct permit *ret,
		      const char **ret_why) WARN_UNUSED;

/* What was ordered of a permit so far. Set up with the first three members, the rest zero; they are borrowed. */
struct credit {
	const struct permit *permit;
	const struct domain *domain;
	const struct key *key;
	uint64_t ordered;
	uint64_t step; /* rules_next_order's memory */
};

/* When `moved` bytes call for a further order of at most `limit` bytes (more than the allocation's limit counts as
 * that), sign it into `wire` (MESSAGE_SIGNED_MAX bytes) and return its length; 0 when what is ordered suffices. */
size_t credit_extend(struct credit *credit, uint64_t moved, uint64_t limit, uint8_t *wire);

#endif
