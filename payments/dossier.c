/*
 * Reading keeps all items and their struct hashes, sorted, so that what one names is found among many, and sorted by
 * what they are about, so that two which exclude each other are neighbours. Checking looks at one item after the other:
 * signature, the thing it names, its list, its numbers.
 */
#include "payments/dossier.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/memory.h"
#include "payments/settlement.h"
#include "payments/statement.h"
#include "payments/usage.h"

#define PART 128       /* bytes of hex at a time */
#define ORDER_ROW 40   /* bytes32 allocation, u64 amount */
#define VERDICT_ROW 43 /* bytes32 allocation, u8 verdict, u16 code, u64 bytes */
#define PIECE_ROW 32

struct item {
	struct evidence evidence;
	struct bytes32 hash;
	uint8_t *data; /* NULL: none */
	size_t len;
};

struct hashed {
	struct bytes32 hash;
	size_t item;
};

struct dossier {
	struct item *items;
	size_t count;
	struct hashed *by_hash; /* sorted, count of them */
	struct hashed *topics;	/* the same, of those that have one */
	size_t topic_count;
};

static enum err read_hex(const char *text, uint8_t **ret, size_t *ret_len)
{
	size_t digits = strlen(text);
	char part[2 * PART + 1];
	uint8_t *data;

	if (strncmp(text, "0x", 2) != 0 || digits % 2 != 0)
		return ERR_FORMAT;
	digits -= 2;
	data = memory_new(digits / 2 + 1, 1);
	for (size_t at = 0; at < digits; at += 2 * PART) {
		size_t len = digits - at < 2 * PART ? digits - at : 2 * PART;

		memcpy(part, text + 2 + at, len);
		part[len] = '\0';
		/* hex_decode would take a second 0x. */
		if (part[1] == 'x' || hex_decode(part, data + at / 2, len / 2) != ERR_OK) {
			free(data);
			return ERR_FORMAT;
		}
	}
	*ret = data;
	*ret_len = digits / 2;
	return ERR_OK;
}

static enum err read_item(const json_t *json, struct item *item, char why[EVIDENCE_WHY])
{
	const json_t *data = json_object_get(json, "data");
	enum err err = evidence_from_json(json, &item->evidence, why);

	item->data = NULL;
	item->len = 0;
	if (err != ERR_OK)
		return err;
	typed_hash(item->evidence.type, &item->evidence.object, &item->hash);
	if (data == NULL)
		return ERR_OK;
	if (json_is_string(data) && read_hex(json_string_value(data), &item->data, &item->len) == ERR_OK)
		return ERR_OK;
	snprintf(why, EVIDENCE_WHY, "data: want 0x and hex digits");
	return ERR_FORMAT;
}

static enum err read_items(const json_t *list, struct dossier *dossier, char why[DOSSIER_WHY])
{
	char what[EVIDENCE_WHY];
	size_t room = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		dossier->items = memory_grow(dossier->items, &room, i + 1, sizeof(*dossier->items));
		if (read_item(json_array_get(list, i), &dossier->items[i], what) != ERR_OK) {
			snprintf(why, DOSSIER_WHY, "items[%zu]: %s", i, what);
			return ERR_FORMAT;
		}
		dossier->count = i + 1;
	}
	return ERR_OK;
}

static int compare_hashed(const void *a, const void *b)
{
	return bytes32_compare(&((const struct hashed *)a)->hash, &((const struct hashed *)b)->hash);
}

static void sort_hashes(struct dossier *dossier)
{
	dossier->by_hash = memory_new(dossier->count, sizeof(*dossier->by_hash));
	for (size_t i = 0; i < dossier->count; i++)
		dossier->by_hash[i] = (struct hashed){dossier->items[i].hash, i};
	qsort(dossier->by_hash, dossier->count, sizeof(*dossier->by_hash), compare_hashed);
}

/* A hash of what the item is about: who signed, under which domain, of which type, for whom and for which time. False
 * for types of which there may be many. */
static bool find_topic(const struct evidence *evidence, struct bytes32 *ret)
{
	union evidence_object about;
	uint8_t text[2 * sizeof(struct bytes32) + sizeof(struct address)];

	memset(&about, 0, sizeof(about));
	if (evidence->type == &typed_statement) {
		about.statement.satellite = evidence->object.statement.satellite;
		about.statement.node = evidence->object.statement.node;
		about.statement.period = evidence->object.statement.period;
	} else if (evidence->type == &typed_usage) {
		about.usage.satellite = evidence->object.usage.satellite;
		about.usage.node = evidence->object.usage.node;
		about.usage.day = evidence->object.usage.day;
	} else if (evidence->type == &typed_price) {
		about.price.party = evidence->object.price.party;
		about.price.from = evidence->object.price.from;
	} else {
		return false;
	}
	typed_hash(evidence->type, &about, ret);
	memcpy(text, ret->b, sizeof(ret->b));
	memcpy(text + sizeof(ret->b), evidence->domain.separator.b, sizeof(ret->b));
	memcpy(text + 2 * sizeof(ret->b), evidence->signer.b, sizeof(evidence->signer.b));
	keccak_once(text, sizeof(text), ret);
	return true;
}

/* By topic, then as they came. */
static int compare_topics(const void *a, const void *b)
{
	const struct hashed *one = a, *other = b;
	int order = bytes32_compare(&one->hash, &other->hash);

	return order != 0 ? order : one->item < other->item ? -1 : one->item > other->item;
}

static void sort_topics(struct dossier *dossier)
{
	dossier->topics = memory_new(dossier->count, sizeof(*dossier->topics));
	for (size_t i = 0; i < dossier->count; i++) {
		struct hashed *topic = &dossier->topics[dossier->topic_count];

		if (find_topic(&dossier->items[i].evidence, &topic->hash)) {
			topic->item = i;
			dossier->topic_count++;
		}
	}
	qsort(dossier->topics, dossier->topic_count, sizeof(*dossier->topics), compare_topics);
}

enum err dossier_read(struct bytes json, struct dossier **ret, char why[DOSSIER_WHY])
{
	struct dossier *dossier = memory_new(1, sizeof(*dossier));
	json_error_t error;
	json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &error);
	const char *format = json_string_value(json_object_get(root, "format"));
	const json_t *items = json_object_get(root, "items");
	enum err err = ERR_FORMAT;

	if (root == NULL)
		snprintf(why, DOSSIER_WHY, "not JSON from line %d, column %d on", error.line, error.column);
	else if (format == NULL || strcmp(format, DOSSIER_FORMAT) != 0)
		snprintf(why, DOSSIER_WHY, "format: not \"" DOSSIER_FORMAT "\"");
	else if (!json_is_array(items))
		snprintf(why, DOSSIER_WHY, "items: not a list");
	else
		err = read_items(items, dossier, why);
	json_decref(root);
	if (err != ERR_OK) {
		dossier_free(dossier);
		return err;
	}
	sort_hashes(dossier);
	sort_topics(dossier);
	*ret = dossier;
	return ERR_OK;
}

void dossier_free(struct dossier *dossier)
{
	if (dossier == NULL)
		return;
	for (size_t i = 0; i < dossier->count; i++)
		free(dossier->items[i].data);
	free(dossier->items);
	free(dossier->by_hash);
	free(dossier->topics);
	free(dossier);
}

size_t dossier_count(const struct dossier *dossier)
{
	return dossier->count;
}

const struct evidence *dossier_item(const struct dossier *dossier, size_t i)
{
	return &dossier->items[i].evidence;
}

struct bytes dossier_data(const struct dossier *dossier, size_t i, bool *ret_there)
{
	const struct item *item = &dossier->items[i];

	*ret_there = item->data != NULL;
	return bytes_of(item->data, item->len);
}

/* The struct hash by which an item names another, and of what type that is; NULL when it names none. */
static const struct bytes32 *name_in(const struct evidence *evidence, const struct fields **ret_type)
{
	*ret_type = &typed_allocation;
	if (evidence->type == &typed_order)
		return &evidence->object.order.allocation;
	if (evidence->type == &typed_receipt)
		return &evidence->object.receipt.allocation;
	*ret_type = &typed_settlement;
	return evidence->type == &typed_settled ? &evidence->object.settled.settlement : NULL;
}

ptrdiff_t dossier_named(const struct dossier *dossier, size_t i)
{
	const struct fields *type;
	const struct bytes32 *name = name_in(&dossier->items[i].evidence, &type);
	struct hashed wanted = {.item = 0}, *found;

	if (name == NULL)
		return -1;
	wanted.hash = *name;
	found = bsearch(&wanted, dossier->by_hash, dossier->count, sizeof(wanted), compare_hashed);
	if (found == NULL || dossier->items[found->item].evidence.type != type)
		return -1;
	return (ptrdiff_t)found->item;
}

/* The first with this topic, or where it would be. */
static size_t first_of_topic(const struct dossier *dossier, const struct bytes32 *topic)
{
	size_t low = 0, high = dossier->topic_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes32_compare(&dossier->topics[middle].hash, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

ptrdiff_t dossier_rival(const struct dossier *dossier, size_t i, const bool *counts)
{
	const struct item *item = &dossier->items[i];
	struct bytes32 topic;

	if (!find_topic(&item->evidence, &topic))
		return -1;
	for (size_t at = first_of_topic(dossier, &topic); at < dossier->topic_count; at++) {
		const struct hashed *other = &dossier->topics[at];

		if (!bytes32_equal(&other->hash, &topic))
			break;
		if (counts[other->item] && !bytes32_equal(&dossier->items[other->item].hash, &item->hash))
			return (ptrdiff_t)other->item;
	}
	return -1;
}

static enum dossier_fault fault(char *why, enum dossier_fault found, const char *text)
{
	snprintf(why, DOSSIER_WHY, "%s", text);
	return found;
}

/* Who must sign what names the other: an Order its Allocation's client, a Receipt its node, a Settled the Settlement's
 * satellite. */
static const struct address *signer_by(const struct evidence *evidence, const struct evidence *named)
{
	if (evidence->type == &typed_order)
		return &named->object.allocation.client;
	if (evidence->type == &typed_receipt)
		return &named->object.allocation.node;
	return &named->object.settlement.satellite;
}

static enum dossier_fault check_party(const struct dossier *dossier, size_t i, char *why)
{
	const struct evidence *evidence = &dossier->items[i].evidence, *named;
	ptrdiff_t at = dossier_named(dossier, i);

	if (at < 0)
		return DOSSIER_SOUND;
	named = &dossier->items[at].evidence;
	if (!address_equal(signer_by(evidence, named), &evidence->signer))
		return fault(why, DOSSIER_PARTY, "signed by another party than the thing that it names says");
	if (!bytes32_equal(&evidence->domain.separator, &named->domain.separator))
		return fault(why, DOSSIER_PARTY, "signed for another domain than the thing that it names");
	return DOSSIER_SOUND;
}

static enum dossier_fault check_usage(const struct item *item, char *why)
{
	const struct usage *usage = &item->evidence.object.usage;
	struct usage_carried carried;
	struct usage_sum sum;
	struct usage_day day;
	struct reader r;
	enum err err;

	reader_init(&r, bytes_of(item->data, item->len));
	carried.bytes = read_u64(&r);
	carried.debt = byte_seconds_from(read_u128(&r));
	usage_begin(&sum, usage->day, &carried);
	err = r.err == ERR_OK ? usage_add_rows(&sum, bytes_of(r.at, r.left)) : r.err;
	if (err == ERR_OK)
		err = usage_end(&sum, &day);
	if (err != ERR_OK)
		return fault(why, DOSSIER_DATA, "no rows of that day");
	if (!bytes32_equal(&day.changes, &usage->changes))
		return fault(why, DOSSIER_DATA, "changes: not keccak256 of the data");
	if (usage->byteSeconds != byte_seconds_value(day.stored))
		return fault(why, DOSSIER_SUM, "byteSeconds: not what the rows add up to");
	return DOSSIER_SOUND;
}

static enum dossier_fault check_statement(const struct item *item, char *why)
{
	struct sheet *sheet = memory_new(1, sizeof(*sheet));
	enum dossier_fault found = DOSSIER_SOUND;

	if (sheet_decode(bytes_of(item->data, item->len), sheet) != ERR_OK) {
		found = fault(why, DOSSIER_DATA, "no lines of a statement");
	} else {
		enum statement_fault wrong = statement_check(&item->evidence.object.statement, sheet);

		if (wrong == STATEMENT_FAULT_LINES)
			found = fault(why, DOSSIER_DATA, statement_fault_text(wrong));
		else if (wrong != STATEMENT_SOUND)
			found = fault(why, DOSSIER_SUM, statement_fault_text(wrong));
	}
	free(sheet);
	return found;
}

static enum dossier_fault check_settlement(const struct item *item, char *why)
{
	const struct settlement *settlement = &item->evidence.object.settlement;
	struct commitment c;
	struct bytes32 orders;
	struct reader r;

	commitment_init(&c);
	reader_init(&r, bytes_of(item->data, item->len));
	while (r.left >= ORDER_ROW) {
		struct order order;
		struct bytes32 hash;

		read_raw(&r, order.allocation.b, sizeof(order.allocation.b));
		order.amount = read_u64(&r);
		typed_hash(&typed_order, &order, &hash);
		if (commitment_add(&c, &hash, order.amount) != ERR_OK)
			return fault(why, DOSSIER_DATA, "orders out of order, repeated or too large");
	}
	if (r.left > 0)
		return fault(why, DOSSIER_DATA, "no orders of a settlement");
	commitment_final(&c, &orders);
	if (!bytes32_equal(&orders, &settlement->orders))
		return fault(why, DOSSIER_DATA, "orders: not keccak256 of the orders' hashes");
	if (c.count != settlement->count || c.bytes != settlement->bytes)
		return fault(why, DOSSIER_SUM, "count or bytes: not what the orders add up to");
	return DOSSIER_SOUND;
}

static enum dossier_fault check_settled(const struct item *item, char *why)
{
	const struct settled *settled = &item->evidence.object.settled;
	struct verdicts_hash v;
	struct bytes32 verdicts;
	struct reader r;

	verdicts_init(&v);
	reader_init(&r, bytes_of(item->data, item->len));
	while (r.left >= VERDICT_ROW) {
		struct bytes32 allocation;
		enum verdict verdict;
		enum refusal code;

		read_raw(&r, allocation.b, sizeof(allocation.b));
		verdict = (enum verdict)read_u8(&r);
		code = (enum refusal)read_u16(&r);
		if (verdicts_add(&v, &allocation, verdict, code, read_u64(&r)) != ERR_OK)
			return fault(why, DOSSIER_DATA, "verdicts of more bytes than fit");
	}
	if (r.left > 0)
		return fault(why, DOSSIER_DATA, "no verdicts of a settlement");
	verdicts_final(&v, &verdicts);
	if (!bytes32_equal(&verdicts, &settled->verdicts))
		return fault(why, DOSSIER_DATA, "verdicts: not keccak256 of the data");
	if (v.bytes != settled->bytes)
		return fault(why, DOSSIER_SUM, "bytes: not what the verdicts add up to");
	return DOSSIER_SOUND;
}

/* Of a Deletion or Loss: piece ids, ascending. */
static enum dossier_fault check_pieces(const struct item *item, const struct bytes32 *pieces, char *why)
{
	struct bytes32 hash;

	if (item->len % PIECE_ROW != 0)
		return fault(why, DOSSIER_DATA, "no piece ids");
	for (size_t at = PIECE_ROW; at < item->len; at += PIECE_ROW) {
		if (memcmp(item->data + at - PIECE_ROW, item->data + at, PIECE_ROW) >= 0)
			return fault(why, DOSSIER_DATA, "piece ids out of order or repeated");
	}
	keccak_once(item->data, item->len, &hash);
	if (!bytes32_equal(&hash, pieces))
		return fault(why, DOSSIER_DATA, "pieces: not keccak256 of the data");
	return DOSSIER_SOUND;
}

static enum dossier_fault check_data(const struct item *item, char *why)
{
	const struct fields *type = item->evidence.type;

	if (item->data == NULL)
		return DOSSIER_SOUND;
	if (type == &typed_usage)
		return check_usage(item, why);
	if (type == &typed_statement)
		return check_statement(item, why);
	if (type == &typed_settlement)
		return check_settlement(item, why);
	if (type == &typed_settled)
		return check_settled(item, why);
	if (type == &typed_deletion)
		return check_pieces(item, &item->evidence.object.deletion.pieces, why);
	if (type == &typed_loss)
		return check_pieces(item, &item->evidence.object.loss.pieces, why);
	if (type == &typed_audit) /* a transcript, which audit/ can judge */
		return DOSSIER_SOUND;
	return fault(why, DOSSIER_DATA, "this type is signed over no list");
}

enum dossier_fault dossier_check(const struct dossier *dossier, size_t i, char why[DOSSIER_WHY])
{
	const struct item *item = &dossier->items[i];
	enum refusal refusal = evidence_verify(&item->evidence);
	enum dossier_fault found;

	if (refusal != REFUSAL_NONE)
		return fault(why, DOSSIER_SIGNATURE, refusal_text(refusal));
	found = check_party(dossier, i, why);
	return found == DOSSIER_SOUND ? check_data(item, why) : found;
}

const char *dossier_fault_name(enum dossier_fault fault)
{
	switch (fault) {
	case DOSSIER_SOUND:
		return "sound";
	case DOSSIER_SIGNATURE:
		return "signature";
	case DOSSIER_PARTY:
		return "party";
	case DOSSIER_DATA:
		return "data";
	case DOSSIER_SUM:
		return "sum";
	}
	return "unknown";
}

json_t *dossier_item_json(const struct evidence *evidence, struct bytes data)
{
	json_t *json = evidence_to_json(evidence);
	char *text;

	if (data.len == 0)
		return json;
	text = memory_new(2 + 2 * data.len + 1, 1);
	memcpy(text, "0x", 2);
	hex_encode(data, text + 2);
	json_object_set_new(json, "data", json_string(text));
	free(text);
	return json;
}
