/* Making and signing allocations. */
#include "satellite/allocate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/tree.h"
#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"
#include "satellite/customers.h"
#include "satellite/objects.h"
#include "satellite/registry.h"
#include "satellite/roster.h"

#define ALLOCATION_WIRE 512
#define LIST_PART 100 /* most pieces in one SEGMENT_BEGUN or SEGMENT */

/* The addresses of an `excluded` list, sorted; the caller frees them. */
static struct address *read_excluded(const struct list *list)
{
	struct address *excluded = memory_new(list->count, sizeof(*excluded));
	struct reader r;

	reader_init(&r, list->raw);
	for (uint32_t i = 0; i < list->count; i++) {
		struct item_node item;

		list_next(&item_node_fields, &r, &item);
		excluded[i] = item.node;
	}
	select_sort(excluded, list->count);
	return excluded;
}

static void make_serial(uint64_t expires, struct bytes32 *ret)
{
	uint8_t random[28];

	random_bytes(random, sizeof(random));
	serial_make(expires, random, ret);
}

/* Sign `allocation` and add it to the list, with the piece's number and root and where its node is. */
static void add_allocation(struct reply_list *list, const struct desk *desk, const struct allocation *allocation,
			   uint16_t number, struct item_allocation *item)
{
	struct signature signature;
	uint8_t wire[ALLOCATION_WIRE];
	struct writer w;

	typed_sign(&typed_allocation, allocation, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_allocation, allocation, &signature, &w);
	item->number = number;
	item->allocation = writer_bytes(&w);
	reply_list_add(list, item);
}

void allocate_from_offer(const struct desk *desk, const struct segment *segment, const struct offer *offer,
			 const struct address *client, uint64_t piece_expires, struct allocation *ret)
{
	*ret = (struct allocation){
		.serial = offer->serial,
		.satellite = *key_address(desk->key),
		.client = *client,
		.node = offer->node,
		.piece = offer->piece,
		.action = ACTION_PUT,
		.limit = segment->piece_size,
		.issued = segment->issued,
		.expires = segment->expires,
		.pieceExpires = piece_expires,
	};
}

/* BEGIN_SEGMENT under way. */
struct begin {
	struct work *work;
	struct object object;
	struct segment segment;
	uint32_t chosen[REDUNDANCY_TOTAL]; /* in the roster */
	struct offer offers[REDUNDANCY_TOTAL];
	uint32_t count;
};

static enum err check_begin(struct begin *begin)
{
	struct work *work = begin->work;
	const struct msg_begin_segment *m = &work->message->begin_segment;
	struct segment *other;
	enum err err;

	if (m->number >= SEGMENTS_NUMBER_MAX)
		return work_refuse(work, REFUSAL_RANGE, "number: %" PRIu32 " is over %d", m->number,
				   SEGMENTS_NUMBER_MAX - 1);
	if (m->piece_size == 0 || m->piece_size > TREE_PIECE)
		return work_refuse(work, REFUSAL_RANGE, "piece_size: %" PRIu64 " is not 1 to %" PRIu64, m->piece_size,
				   TREE_PIECE);
	err = objects_require(work, &m->version, OBJECT_BEGUN, &begin->object);
	if (err != ERR_OK)
		return err;
	other = memory_new(1, sizeof(*other));
	err = segments_find_committed(work->desk->db, &m->version, m->number, other);
	free(other);
	if (err == ERR_OK)
		return work_refuse(work, REFUSAL_CONFLICT, "number: segment %" PRIu32 " is committed already",
				   m->number);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err choose_nodes(struct begin *begin)
{
	struct work *work = begin->work;
	struct desk *desk = work->desk;
	const struct msg_begin_segment *m = &work->message->begin_segment;
	struct address *excluded = read_excluded(&m->excluded);
	struct select_rules rules = {
		.want = begin->object.redundancy.total,
		.room = m->piece_size + desk->settings->node_reserve,
		.distinct_networks = !desk->settings->test_network,
		.cheaper = desk->settings->prefer_cheaper,
		.better = desk->settings->prefer_better,
		.new_nodes = desk->settings->new_nodes,
	};
	enum err err = ERR_OK;

	/* A second look, at fresh rows, before giving up. */
	for (int look = 0; look < 2 && err == ERR_OK && begin->count < rules.want; look++) {
		struct random_stream random;
		uint8_t seed[32];

		random_bytes(seed, sizeof(seed));
		random_stream_init(&random, bytes_of(seed, sizeof(seed)));
		err = roster_refresh(desk, look > 0);
		if (err == ERR_OK) {
			struct select_set *set = roster_set(desk->roster);

			select_begin(set);
			for (uint32_t i = 0; i < m->excluded.count; i++)
				select_exclude(set, &excluded[i]);
			begin->count = select_nodes(set, &rules, &random, begin->chosen);
		}
	}
	free(excluded);
	if (err == ERR_OK && begin->count < begin->object.redundancy.success)
		err = work_refuse(work, REFUSAL_NOT_ENOUGH_NODES, "%" PRIu32 " nodes fit, %u are needed", begin->count,
				  begin->object.redundancy.success);
	return err;
}

static void make_offers(struct begin *begin)
{
	const struct msg_begin_segment *m = &begin->work->message->begin_segment;
	const struct desk *desk = begin->work->desk;
	const struct candidate *candidates;
	struct segment *segment = &begin->segment;
	uint32_t count;

	random_bytes(segment->id.b, sizeof(segment->id.b));
	segment->version = m->version;
	segment->number = m->number;
	segment->state = SEGMENT_BEGUN;
	segment->piece_size = m->piece_size;
	segment->issued = clock_wall();
	segment->expires = segment->issued + desk->settings->allocation_lifetime;
	candidates = roster_candidates(desk->roster, &count);
	for (uint32_t i = 0; i < begin->count; i++) {
		struct offer *offer = &begin->offers[i];

		offer->number = (uint16_t)i;
		offer->node = candidates[begin->chosen[i]].node;
		random_bytes(offer->piece.b, sizeof(offer->piece.b));
		make_serial(segment->expires, &offer->serial);
	}
}

static void answer_begin(struct begin *begin)
{
	struct work *work = begin->work;
	struct message answer = {.type = MSG_SEGMENT_BEGUN, .segment_begun = {.segment = begin->segment.id}};
	struct allocation allocation;
	struct reply_list list;

	reply_list_begin(&list, work->reply, &answer, &answer.segment_begun.pieces, &answer.segment_begun.last,
			 &item_allocation_fields);
	reply_list_limit(&list, LIST_PART);
	for (uint32_t i = 0; i < begin->count; i++) {
		struct item_allocation item = {
			.endpoint = bytes_of_text(roster_endpoint(work->desk->roster, begin->chosen[i]))};

		allocate_from_offer(work->desk, &begin->segment, &begin->offers[i], &work->caller->address,
				    begin->object.expires, &allocation);
		add_allocation(&list, work->desk, &allocation, begin->offers[i].number, &item);
	}
	reply_list_end(&list);
}

/* A node that fills up between two check-ins is not offered more than it has. In order, so that two that allocate at
 * once wait for each other and not in a circle. */
static enum err take_room(struct database *db, const struct begin *begin)
{
	struct address nodes[REDUNDANCY_TOTAL];
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < begin->count; i++)
		nodes[i] = begin->offers[i].node;
	select_sort(nodes, begin->count);
	for (uint32_t i = 0; err == ERR_OK && i < begin->count; i++)
		err = registry_take_room(db, &nodes[i], begin->segment.piece_size);
	return err;
}

static enum err store_begin(struct database *db, void *arg)
{
	struct begin *begin = arg;
	enum err err = check_begin(begin);

	if (err == ERR_OK)
		err = customers_check_storage(begin->work, begin->segment.piece_size * begin->count);
	if (err == ERR_OK)
		err = segments_insert(db, &begin->segment);
	if (err == ERR_OK)
		err = segments_insert_offers(db, &begin->segment.id, begin->offers, begin->count);
	if (err == ERR_OK)
		err = take_room(db, begin);
	if (err == ERR_OK)
		err = objects_touch(db, &begin->segment.version);
	return err;
}

enum err allocate_begin_segment(struct work *work)
{
	struct begin *begin = memory_new(1, sizeof(*begin));
	enum err err;

	begin->work = work;
	err = check_begin(begin);
	if (err == ERR_OK)
		err = choose_nodes(begin);
	if (err == ERR_OK) {
		make_offers(begin);
		err = database_transaction(work->desk->db, store_begin, begin);
	}
	for (uint32_t i = 0; err == ERR_OK && i < begin->count; i++)
		roster_take_room(work->desk->roster, begin->chosen[i], begin->segment.piece_size);
	if (err == ERR_OK)
		answer_begin(begin);
	free(begin);
	return err;
}

uint32_t allocate_order_pieces(const struct found_piece *found, uint32_t found_count, uint16_t first, uint16_t total,
			       uint16_t required, uint32_t count, uint32_t *ret)
{
	uint32_t taken = 0, start = 0, online = 0;

	first = total > 0 ? first % total : 0;
	while (start < found_count && found[start].number < first)
		start++;
	for (uint32_t i = 0; i < found_count; i++)
		online += found[i].online;
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1 && online >= required)
			break;
		for (uint32_t i = 0; i < found_count && taken < count; i++) {
			uint32_t at = (start + i) % found_count;

			if (found[at].online == (pass == 0))
				ret[taken++] = at;
		}
	}
	return taken;
}

/* GET_SEGMENT under way. */
struct get {
	struct work *work;
	struct object object;
	struct segment segment;
	struct found_piece found[REDUNDANCY_TOTAL];
	uint32_t found_count;
	uint32_t order[REDUNDANCY_TOTAL]; /* of these, whom to ask */
	uint32_t count;
	uint64_t limit; /* of each allocation, bytes */
	uint64_t expires;
};

static enum err find_pieces(struct database *db, void *arg)
{
	struct get *get = arg;
	struct work *work = get->work;
	const struct msg_get_segment *m = &work->message->get_segment;
	uint64_t since = registry_online_since(work->desk->settings, clock_wall());
	size_t count = 0;
	enum err err;

	err = objects_require(work, &m->version, OBJECT_VISIBLE, &get->object);
	if (err != ERR_OK)
		return err;
	err = segments_find_committed(db, &m->version, m->number, &get->segment);
	if (err == ERR_NOT_FOUND)
		return work_refuse(work, REFUSAL_NOT_FOUND, "number: no segment %" PRIu32, m->number);
	if (err == ERR_OK && !get->segment.is_inline)
		err = segments_pieces(db, &get->segment.id, since, get->found, REDUNDANCY_TOTAL, &count);
	get->found_count = (uint32_t)count;
	return err;
}

/* Nodes that the client does not want are left out. */
static void drop_excluded(struct get *get)
{
	const struct list *list = &get->work->message->get_segment.excluded;
	struct address *excluded = read_excluded(list);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < get->found_count; i++)
		if (!select_listed(&get->found[i].node, excluded, list->count))
			get->found[kept++] = get->found[i];
	get->found_count = kept;
	free(excluded);
}

static void answer_piece(struct get *get, const struct found_piece *piece, struct reply_list *list)
{
	const struct desk *desk = get->work->desk;
	uint64_t now = get->expires - desk->settings->allocation_lifetime;
	struct item_allocation item = {.root = piece->root};
	char endpoint[ENDPOINT_TEXT];
	struct allocation allocation = {
		.satellite = *key_address(desk->key),
		.client = get->work->caller->address,
		.node = piece->node,
		.piece = piece->piece,
		.action = ACTION_GET,
		.limit = get->limit,
		.issued = now,
		.expires = get->expires,
		.pieceExpires = get->object.expires,
	};

	make_serial(allocation.expires, &allocation.serial);
	endpoint_print(&piece->endpoint, endpoint);
	item.endpoint = bytes_of_text(endpoint);
	add_allocation(list, desk, &allocation, piece->number, &item);
}

/* Whom the client may ask, and for how much. */
static void choose_pieces(struct get *get)
{
	const struct msg_get_segment *m = &get->work->message->get_segment;
	const struct redundancy *redundancy = &get->object.redundancy;
	uint32_t few = redundancy->required / 8 < 2 ? 2 : redundancy->required / 8;
	uint32_t count = m->count == 0 ? redundancy->required + few : m->count;

	get->count =
		allocate_order_pieces(get->found, get->found_count, m->first, redundancy->total, redundancy->required,
				      count < REDUNDANCY_TOTAL ? count : REDUNDANCY_TOTAL, get->order);
	get->limit = m->limit == 0 || m->limit > get->segment.piece_size ? get->segment.piece_size : m->limit;
	get->expires = clock_wall() + get->work->desk->settings->allocation_lifetime;
}

static void answer_get(struct get *get)
{
	struct message answer = {.type = MSG_SEGMENT};
	struct msg_segment *segment = &answer.segment;
	struct reply_list list;

	segment->plain_size = get->segment.plain_size;
	segment->piece_size = get->segment.piece_size;
	segment->wrapped_key = bytes_of(get->segment.wrapped_key, sizeof(get->segment.wrapped_key));
	segment->data = bytes_of(get->segment.data, get->segment.data_len);
	reply_list_begin(&list, get->work->reply, &answer, &segment->pieces, &segment->last, &item_allocation_fields);
	reply_list_limit(&list, LIST_PART);
	for (uint32_t i = 0; i < get->count; i++)
		answer_piece(get, &get->found[get->order[i]], &list);
	reply_list_end(&list);
}

enum err allocate_get_segment(struct work *work)
{
	struct get *get = memory_new(1, sizeof(*get));
	enum err err;

	get->work = work;
	err = database_view(work->desk->db, find_pieces, get);
	if (err == ERR_OK) {
		drop_excluded(get);
		choose_pieces(get);
		err = customers_take_egress(work, get->limit * get->count, get->expires);
	}
	if (err == ERR_OK)
		answer_get(get);
	free(get);
	return err;
}
