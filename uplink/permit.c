/* Permits parsed and orders signed. */
#include "uplink/permit.h"

#include <string.h>

static const char *find_flaw(const struct permit *permit, const struct permit_facts *facts)
{
	const struct allocation *allocation = &permit->allocation;
	struct address node;

	if (!address_equal(&allocation->satellite, facts->satellite))
		return "satellite";
	if (!address_equal(&allocation->client, facts->client))
		return "client";
	if (id_to_address(&permit->endpoint.id, &node) != ERR_OK || !address_equal(&allocation->node, &node))
		return "node";
	if (allocation->action != facts->action)
		return "action";
	if (allocation->limit < facts->limit)
		return "limit";
	return NULL;
}

enum err permit_parse(const struct item_allocation *item, const struct permit_facts *facts, struct permit *ret,
		      const char **ret_why)
{
	struct signature signature;
	struct permit permit = {.number = item->number, .root = item->root};
	char text[ENDPOINT_TEXT];

	*ret_why = "endpoint";
	if (item->endpoint.len >= sizeof(text))
		return ERR_FORMAT;
	memcpy(text, item->endpoint.data, item->endpoint.len);
	text[item->endpoint.len] = '\0';
	if (endpoint_parse(text, &permit.endpoint) != ERR_OK)
		return ERR_FORMAT;
	*ret_why = "allocation";
	if (item->allocation.len > sizeof(permit.wire) ||
	    typed_decode(&typed_allocation, item->allocation, &permit.allocation, &signature) != ERR_OK)
		return ERR_FORMAT;
	memcpy(permit.wire, item->allocation.data, item->allocation.len);
	permit.wire_len = item->allocation.len;
	*ret_why = find_flaw(&permit, facts);
	if (*ret_why != NULL)
		return ERR_PROTOCOL;
	typed_hash(&typed_allocation, &permit.allocation, &permit.hash);
	*ret = permit;
	return ERR_OK;
}

size_t credit_extend(struct credit *credit, uint64_t moved, uint64_t limit, uint8_t *wire)
{
	const struct permit *permit = credit->permit;
	struct order order = {.allocation = permit->hash};
	struct signature signature;
	struct writer w;

	if (limit > permit->allocation.limit)
		limit = permit->allocation.limit;
	order.amount = rules_next_order(credit->ordered, moved, limit, &credit->step);
	if (order.amount <= credit->ordered)
		return 0;
	credit->ordered = order.amount;
	typed_sign(&typed_order, &order, credit->domain, credit->key, &signature);
	writer_init(&w, wire, MESSAGE_SIGNED_MAX);
	typed_encode(&typed_order, &order, &signature, &w);
	return w.len;
}
