/* Items are written as they are read, so that a month of a busy node needs no memory. */
#include "node/dispute.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/message.h"
#include "payments/dossier.h"
#include "payments/tally.h"

void dispute_begin(struct dispute *dispute, FILE *to)
{
	memset(dispute, 0, sizeof(*dispute));
	dispute->to = to;
	fputs("{\"format\": \"" DOSSIER_FORMAT "\", \"items\": [", to);
}

void dispute_end(struct dispute *dispute)
{
	fputs("\n]}\n", dispute->to);
}

/* One line for each item. */
static enum err add(struct dispute *dispute, const struct fields *type, struct bytes wire, struct bytes data)
{
	struct evidence evidence;
	enum err err = evidence_from_wire(type, wire, &dispute->satellite->domain, &evidence);
	json_t *json;

	if (err != ERR_OK) {
		dispute->unreadable++;
		return ERR_OK;
	}
	json = dossier_item_json(&evidence, data);
	fputs(dispute->items == 0 ? "\n" : ",\n", dispute->to);
	dispute->items++;
	err = json_dumpf(json, dispute->to, JSON_COMPACT) == 0 && !ferror(dispute->to) ? ERR_OK : ERR_IO;
	json_decref(json);
	return err;
}

static enum err add_bare(struct dispute *dispute, const struct fields *type, struct bytes wire)
{
	return add(dispute, type, wire, bytes_of(NULL, 0));
}

/* The receipt of an upload, made again: signing is deterministic (RFC 6979), so it is the one that was given. */
static enum err add_receipt(struct dispute *dispute, const struct ledger_order *order)
{
	struct receipt receipt = {.root = order->root, .size = order->size, .storedAt = order->stored_at};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct allocation allocation;
	struct signature signature;
	struct writer w;

	if (typed_decode(&typed_allocation, order->allocation, &allocation, &signature) != ERR_OK)
		return ERR_OK; /* counted as unreadable already */
	typed_hash(&typed_allocation, &allocation, &receipt.allocation);
	receipt.piece = allocation.piece;
	typed_sign(&typed_receipt, &receipt, &dispute->satellite->domain, dispute->node, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_receipt, &receipt, &signature, &w);
	dispute->receipts++;
	return add_bare(dispute, &typed_receipt, writer_bytes(&w));
}

static enum err add_order(void *arg, const struct ledger_order *order)
{
	struct dispute *dispute = arg;
	enum err err = add_bare(dispute, &typed_allocation, order->allocation);

	dispute->orders++;
	if (err == ERR_OK)
		err = add_bare(dispute, &typed_order, order->order);
	return err == ERR_OK && order->is_stored ? add_receipt(dispute, order) : err;
}

static enum err add_settlement(void *arg, const struct ledger_settlement *settlement)
{
	struct dispute *dispute = arg;
	enum err err = add(dispute, &typed_settlement, settlement->settlement, settlement->orders);

	dispute->settlements++;
	return err == ERR_OK ? add(dispute, &typed_settled, settlement->settled, settlement->verdicts) : err;
}

static enum err add_price(void *arg, const struct price *price, struct bytes signed_price)
{
	struct dispute *dispute = arg;

	(void)price;
	dispute->prices++;
	return add_bare(dispute, &typed_price, signed_price);
}

static enum err add_usage(void *arg, const struct usage *usage, const struct papers_day *paper)
{
	struct dispute *dispute = arg;
	size_t room = sizeof(uint64_t) + sizeof(uint128) + paper->rows.len;
	uint8_t *data = memory_new(room, 1);
	struct writer w;
	enum err err;

	(void)usage;
	writer_init(&w, data, room);
	write_u64(&w, paper->carried.bytes);
	write_u128(&w, byte_seconds_value(paper->carried.debt));
	write_raw(&w, paper->rows.data, paper->rows.len);
	err = add(dispute, &typed_usage, paper->signed_usage, writer_bytes(&w));
	dispute->usages++;
	free(data);
	return err;
}

static enum err add_statement(void *arg, const struct statement *statement, struct bytes signed_statement,
			      struct bytes sheet)
{
	struct dispute *dispute = arg;

	(void)statement;
	dispute->statements++;
	return add(dispute, &typed_statement, signed_statement, sheet);
}

/* Signed now: whom the node names from now on. */
static enum err add_payee(struct dispute *dispute, const struct dispute_query *query)
{
	const struct payee payee = {*key_address(query->node), *query->payee, query->now};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct signature signature;
	struct writer w;

	typed_sign(&typed_payee, &payee, &dispute->satellite->domain, query->node, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_payee, &payee, &signature, &w);
	return add_bare(dispute, &typed_payee, writer_bytes(&w));
}

/* From the first second of one month to the last of the other. */
static enum err read_span(const struct dispute_query *query, uint64_t *from, uint64_t *until)
{
	enum err err = ERR_OK;
	uint64_t last;

	*from = 0;
	if (query->from != 0)
		err = month_of_period(query->from, from);
	if (err == ERR_OK)
		err = month_of_period(query->to, &last);
	if (err == ERR_OK)
		*until = month_end(last);
	return err;
}

enum err dispute_add(struct dispute *dispute, struct ledger *ledger, struct papers *papers,
		     const struct satellite *satellite, const struct dispute_query *query)
{
	const struct address *from = &satellite->address;
	uint64_t begin, end;
	enum err err = read_span(query, &begin, &end);

	dispute->satellite = satellite;
	dispute->node = query->node;
	if (err == ERR_OK)
		err = ledger_orders(ledger, from, begin, end, add_order, dispute);
	if (err == ERR_OK)
		err = ledger_settlements(ledger, from, begin, end, add_settlement, dispute);
	if (err == ERR_OK)
		err = papers_prices(papers, from, from, begin, end, add_price, dispute);
	if (err == ERR_OK)
		err = papers_prices(papers, from, key_address(query->node), begin, end, add_price, dispute);
	if (err == ERR_OK)
		err = papers_days(papers, from, (uint32_t)(begin / USAGE_DAY), (uint32_t)(end / USAGE_DAY), add_usage,
				  dispute);
	if (err == ERR_OK)
		err = add_payee(dispute, query);
	return err == ERR_OK ? papers_statements(papers, from, 0, query->to, add_statement, dispute) : err;
}
