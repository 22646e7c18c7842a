/* Allocation and orders of one transfer, by the rules of payments/rules.h. */
#include "node/transfer.h"

#include <string.h>

#include "payments/rules.h"

enum refusal transfer_open(struct trust *trust, const struct transfer_request *request, struct transfer *ret)
{
	struct transfer_facts facts = {
		.node = request->node, .piece = request->piece, .put = request->put, .now = request->now};
	struct transfer t = {.moved = 0};
	struct address peer;
	enum refusal refusal;

	if (typed_decode(&typed_allocation, request->allocation, &t.allocation, &t.allocation_signature) != ERR_OK)
		return REFUSAL_MALFORMED;
	if (id_to_address(request->peer, &peer) != ERR_OK)
		return REFUSAL_CLIENT;
	facts.peer = &peer;
	if (trust_find(trust, &t.allocation.satellite, &t.satellite) == ERR_OK) {
		if (!t.satellite.pinned)
			return REFUSAL_BUSY;
		facts.satellite = &t.satellite.address;
		facts.domain = &t.satellite.domain;
	}
	refusal = rules_check_allocation(&t.allocation, &t.allocation_signature, &facts);
	if (refusal != REFUSAL_NONE)
		return refusal;
	typed_hash(&typed_allocation, &t.allocation, &t.hash);
	t.order.allocation = t.hash;
	*ret = t;
	return REFUSAL_NONE;
}

enum refusal transfer_order(struct transfer *transfer, struct bytes wire)
{
	const struct order_facts facts = {&transfer->satellite.domain, &transfer->allocation, &transfer->hash,
					  transfer->order.amount};
	struct signature signature;
	struct order order;
	enum refusal refusal;

	if (typed_decode(&typed_order, wire, &order, &signature) != ERR_OK)
		return REFUSAL_MALFORMED;
	refusal = rules_check_order(&order, &signature, &facts);
	if (refusal != REFUSAL_NONE)
		return refusal;
	transfer->order = order;
	transfer->order_signature = signature;
	return REFUSAL_NONE;
}

enum refusal transfer_receive(struct transfer *transfer, size_t len)
{
	if (len > transfer->allocation.limit - transfer->moved)
		return REFUSAL_PIECE_LIMIT;
	if (transfer->moved + len > transfer->order.amount + RULES_SLACK)
		return REFUSAL_UNORDERED;
	transfer->moved += len;
	return REFUSAL_NONE;
}

bool transfer_may_send(const struct transfer *transfer, size_t len)
{
	return len == 0 || transfer->moved < transfer->order.amount;
}

void transfer_log_entry(const struct transfer *transfer, uint64_t now, struct store_transfer *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->allocation = transfer->allocation;
	ret->allocation_signature = transfer->allocation_signature;
	ret->order = transfer->order;
	ret->order_signature = transfer->order_signature;
	ret->at = now;
}
