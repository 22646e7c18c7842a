/*
 * The rules of a transfer and of its settlement, each a comparison and a code. Signatures, which cost most, are looked
 * at last, so a peer cannot make us verify what we would refuse anyway. Times are compared by subtraction, so that no
 * value that a peer names can overflow.
 */
#include "payments/rules.h"

#include <string.h>

#include "common/keccak.h"
#include "payments/serial.h"

#define HOUR 3600

static bool action_fits(uint8_t action, bool put)
{
	switch ((enum action)action) {
	case ACTION_PUT:
	case ACTION_PUT_REPAIR:
		return put;
	case ACTION_GET:
	case ACTION_GET_AUDIT:
	case ACTION_GET_REPAIR:
		return !put;
	}
	return false;
}

/* `later` is more than `most` seconds after `earlier`. */
static bool is_beyond(uint64_t later, uint64_t earlier, uint64_t most)
{
	return later > earlier && later - earlier > most;
}

static enum refusal check_parties(const struct allocation *allocation, const struct transfer_facts *facts)
{
	if (facts->satellite == NULL || !address_equal(&allocation->satellite, facts->satellite))
		return REFUSAL_SATELLITE;
	if (!address_equal(&allocation->node, facts->node))
		return REFUSAL_NODE;
	if (!address_equal(&allocation->client, facts->peer))
		return REFUSAL_CLIENT;
	if (!action_fits(allocation->action, facts->put))
		return REFUSAL_ACTION;
	if (!bytes32_equal(&allocation->piece, facts->piece))
		return REFUSAL_PIECE;
	return REFUSAL_NONE;
}

static enum refusal check_times(const struct allocation *allocation, uint64_t now)
{
	if (allocation->expires < allocation->issued || allocation->expires - allocation->issued > RULES_LIFETIME)
		return REFUSAL_LIFETIME;
	if (serial_hour(&allocation->serial) != allocation->expires / HOUR)
		return REFUSAL_SERIAL_HOUR;
	if (is_beyond(allocation->issued, now, RULES_SKEW))
		return REFUSAL_EARLY;
	if (is_beyond(now, allocation->expires, RULES_SKEW))
		return REFUSAL_EXPIRED;
	return REFUSAL_NONE;
}

enum refusal rules_check_allocation(const struct allocation *allocation, const struct signature *signature,
				    const struct transfer_facts *facts)
{
	enum refusal refusal = check_parties(allocation, facts);

	if (refusal == REFUSAL_NONE)
		refusal = check_times(allocation, facts->now);
	if (refusal == REFUSAL_NONE)
		refusal = typed_verify(&typed_allocation, allocation, facts->domain, signature, &allocation->satellite);
	return refusal;
}

enum refusal rules_check_order(const struct order *order, const struct signature *signature,
			       const struct order_facts *facts)
{
	if (!bytes32_equal(&order->allocation, facts->allocation_hash))
		return REFUSAL_ORDER_ALLOCATION;
	if (order->amount < facts->previous)
		return REFUSAL_ORDER_SHRINKS;
	if (order->amount > facts->allocation->limit)
		return REFUSAL_ORDER_LIMIT;
	return typed_verify(&typed_order, order, facts->domain, signature, &facts->allocation->client);
}

uint64_t rules_next_order(uint64_t ordered, uint64_t moved, uint64_t limit, uint64_t *credit)
{
	uint64_t next;

	/* Half the credit in hand lets the other side work while the next order is on its way. */
	if (ordered >= limit || (ordered > moved && ordered - moved > *credit / 2))
		return ordered;
	if (*credit == 0)
		*credit = RULES_CREDIT_FIRST;
	else if (*credit < RULES_CREDIT_MOST)
		*credit *= 2;
	next = moved >= limit || limit - moved < *credit ? limit : moved + *credit;
	return next > ordered ? next : ordered;
}

enum refusal rules_check_receipt(const struct receipt *receipt, const struct signature *signature,
				 const struct receipt_facts *facts)
{
	if (!bytes32_equal(&receipt->allocation, facts->allocation_hash))
		return REFUSAL_ORDER_ALLOCATION;
	if (!bytes32_equal(&receipt->piece, &facts->allocation->piece))
		return REFUSAL_PIECE;
	if (!bytes32_equal(&receipt->root, facts->root))
		return REFUSAL_ROOT;
	if (receipt->size != facts->size || receipt->size > facts->allocation->limit)
		return REFUSAL_PIECE_LIMIT;
	return typed_verify(&typed_receipt, receipt, facts->domain, signature, &facts->allocation->node);
}

enum refusal rules_check_settled(const struct settled_order *claim, const struct settlement_facts *facts)
{
	const struct allocation *allocation = &claim->allocation;
	struct bytes32 hash;

	if (!address_equal(&allocation->satellite, facts->satellite))
		return REFUSAL_UNISSUED;
	if (!address_equal(&allocation->node, facts->node))
		return REFUSAL_NODE;
	/* Whoever counts may keep one sum for each action. */
	if (!action_fits(allocation->action, true) && !action_fits(allocation->action, false))
		return REFUSAL_ACTION;
	typed_hash(&typed_allocation, allocation, &hash);
	if (!bytes32_equal(&claim->order.allocation, &hash))
		return REFUSAL_ORDER_ALLOCATION;
	if (claim->order.amount > allocation->limit)
		return REFUSAL_ORDER_LIMIT;
	if (serial_hour(&allocation->serial) != facts->hour)
		return REFUSAL_SERIAL_HOUR;
	if (is_beyond(facts->now, allocation->expires, RULES_GRACE))
		return REFUSAL_LATE;
	if (typed_verify_hash(&hash, facts->domain, &claim->allocation_signature, facts->satellite) != REFUSAL_NONE)
		return REFUSAL_UNISSUED;
	return typed_verify(&typed_order, &claim->order, facts->domain, &claim->order_signature, &allocation->client);
}

void rules_commit_pieces(const struct bytes32 *pieces, size_t count, struct bytes32 *ret)
{
	keccak_once(pieces, count * sizeof(*pieces), ret);
}

enum refusal rules_check_pieces(const struct list *pieces, const struct bytes32 *commitment)
{
	struct bytes32 hash;

	for (uint32_t i = 1; i < pieces->count; i++) {
		const uint8_t *piece = pieces->raw.data + (size_t)i * sizeof(hash);

		if (memcmp(piece - sizeof(hash), piece, sizeof(hash)) >= 0)
			return REFUSAL_COMMITMENT;
	}
	keccak_once(pieces->raw.data, pieces->raw.len, &hash);
	return bytes32_equal(&hash, commitment) ? REFUSAL_NONE : REFUSAL_COMMITMENT;
}
