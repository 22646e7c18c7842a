/* Tickets parsed and orders signed. */
#include "uplink/ticket.h"

#include <string.h>

static const char *find_flaw(const struct ticket *ticket, const struct ticket_facts *facts)
{
	const struct allocation *allocation = &ticket->allocation;
	struct address node;

	if (!address_equal(&allocation->satellite, facts->satellite))
		return "satellite";
	if (!address_equal(&allocation->client, facts->client))
		return "client";
	if (id_to_address(&ticket->endpoint.id, &node) != ERR_OK || !address_equal(&allocation->node, &node))
		return "node";
	if (allocation->action != facts->action)
		return "action";
	if (allocation->limit < facts->limit)
		return "limit";
	return NULL;
}

enum err ticket_parse(const struct item_allocation *item, const struct ticket_facts *facts, struct ticket *ret,
		      const char **ret_why)
{
	struct signature signature;
	struct ticket ticket = {.number = item->number, .root = item->root};
	char text[ENDPOINT_TEXT];

	*ret_why = "endpoint";
	if (item->endpoint.len >= sizeof(text))
		return ERR_FORMAT;
	memcpy(text, item->endpoint.data, item->endpoint.len);
	text[item->endpoint.len] = '\0';
	if (endpoint_parse(text, &ticket.endpoint) != ERR_OK)
		return ERR_FORMAT;
	*ret_why = "allocation";
	if (item->allocation.len > sizeof(ticket.wire) ||
	    typed_decode(&typed_allocation, item->allocation, &ticket.allocation, &signature) != ERR_OK)
		return ERR_FORMAT;
	memcpy(ticket.wire, item->allocation.data, item->allocation.len);
	ticket.wire_len = item->allocation.len;
	*ret_why = find_flaw(&ticket, facts);
	if (*ret_why != NULL)
		return ERR_PROTOCOL;
	typed_hash(&typed_allocation, &ticket.allocation, &ticket.hash);
	*ret = ticket;
	return ERR_OK;
}

size_t credit_extend(struct credit *credit, uint64_t moved, uint64_t limit, uint8_t *wire)
{
	const struct ticket *ticket = credit->ticket;
	struct order order = {.allocation = ticket->hash};
	struct signature signature;
	struct writer w;

	if (limit > ticket->allocation.limit)
		limit = ticket->allocation.limit;
	order.amount = rules_next_order(credit->ordered, moved, limit, &credit->step);
	if (order.amount <= credit->ordered)
		return 0;
	credit->ordered = order.amount;
	typed_sign(&typed_order, &order, credit->domain, credit->key, &signature);
	writer_init(&w, wire, MESSAGE_SIGNED_MAX);
	typed_encode(&typed_order, &order, &signature, &w);
	return w.len;
}
