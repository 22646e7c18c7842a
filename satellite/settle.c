/* Rules and SQL of settlement. */
#include "satellite/settle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/clock.h"
#include "common/memory.h"
#include "payments/rules.h"
#include "payments/serial.h"
#include "satellite/customers.h"
#include "satellite/storage.h"

#define ACTIONS (ACTION_PUT_REPAIR + 1)

bool settle_check(const struct desk *desk, const struct address *node, uint64_t hour, const struct item_order *item,
		  struct settle_order *ret)
{
	const struct settlement_facts facts = {
		.domain = &desk->settings->domain,
		.satellite = key_address(desk->key),
		.node = node,
		.hour = hour,
		.now = clock_wall(),
	};
	struct settled_order claim;

	if (typed_decode(&typed_allocation, item->allocation, &claim.allocation, &claim.allocation_signature) !=
		    ERR_OK ||
	    typed_decode(&typed_order, item->order, &claim.order, &claim.order_signature) != ERR_OK)
		return false;
	memset(ret, 0, sizeof(*ret));
	typed_hash(&typed_order, &claim.order, &ret->hash);
	ret->allocation = claim.order.allocation;
	ret->client = claim.allocation.client;
	ret->action = claim.allocation.action;
	ret->hour = serial_hour(&claim.allocation.serial);
	ret->amount = claim.order.amount;
	ret->refusal = rules_check_settled(&claim, &facts);
	return true;
}

/* Sums of one settlement, by action. */
struct sums {
	uint64_t bytes[ACTIONS];
	uint64_t orders[ACTIONS];
};

/* The same of one client. */
struct client_sums {
	struct address client;
	struct sums sums;
	UT_hash_handle hh;
};

struct finish {
	struct work *work;
	struct settlement settlement;
	struct settle_order *orders;
	uint32_t count;
	struct sums sums;
	struct client_sums *clients;
};

static enum err check_settlement(struct finish *finish, struct bytes wire)
{
	struct work *work = finish->work;
	struct settlement *settlement = &finish->settlement;
	struct signature signature;
	enum refusal refusal;

	if (typed_decode(&typed_settlement, wire, settlement, &signature) != ERR_OK)
		return work_refuse(work, REFUSAL_MALFORMED, "settlement: not a signed Settlement");
	if (!address_equal(&settlement->satellite, key_address(work->desk->key)))
		return work_refuse(work, REFUSAL_SATELLITE, "settlement: for another satellite");
	if (!address_equal(&settlement->node, &work->caller->address))
		return work_refuse(work, REFUSAL_NODE, "settlement: of another node than the channel's peer");
	refusal = typed_verify(&typed_settlement, settlement, &work->desk->settings->domain, &signature,
			       &work->caller->address);
	if (refusal != REFUSAL_NONE)
		return work_refuse(work, refusal, "settlement: the signature is not this node's");
	return ERR_OK;
}

static enum err check_commitment(struct finish *finish)
{
	struct commitment commitment;

	commitment_init(&commitment);
	for (uint32_t i = 0; i < finish->count; i++)
		if (commitment_add(&commitment, &finish->orders[i].hash, finish->orders[i].amount) != ERR_OK)
			return work_refuse(finish->work, REFUSAL_COMMITMENT,
					   "orders: number %" PRIu32 " is out of order, repeated or too much", i);
	if (commitment_check(&commitment, &finish->settlement) != REFUSAL_NONE)
		return work_refuse(finish->work, REFUSAL_COMMITMENT,
				   "orders: not those that the settlement commits to");
	return ERR_OK;
}

static enum err find_counted(struct database *db, const struct bytes32 *allocation, bool *ret_known,
			     uint64_t *ret_counted)
{
	struct query *q = database_query(db, "SELECT bytes FROM settled WHERE allocation = $allocation");
	enum err err;

	query_bytes32(q, "allocation", allocation);
	err = query_one(q);
	*ret_known = err == ERR_OK;
	*ret_counted = err == ERR_OK ? query_get_int(q, 0) : 0;
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err store_counted(struct database *db, const struct address *node, const struct settle_order *order)
{
	struct query *q =
		database_query(db, "INSERT INTO settled (allocation, node, client, action, bytes, hour) VALUES "
				   "($allocation, $node, $client, $action, $bytes, $hour) ON CONFLICT "
				   "(allocation) DO UPDATE SET bytes = excluded.bytes");

	query_bytes32(q, "allocation", &order->allocation);
	query_address(q, "node", node);
	query_address(q, "client", &order->client);
	query_int(q, "action", order->action);
	query_int(q, "bytes", order->counted);
	query_int(q, "hour", order->hour);
	return query_run(q);
}

/* A late order that asks for nothing new gets its earlier verdict: only new money can come too late. */
static bool is_accepted(const struct settle_order *order, bool known, uint64_t counted)
{
	return order->refusal == REFUSAL_NONE || (order->refusal == REFUSAL_LATE && known && order->amount <= counted);
}

static struct client_sums *sums_of(struct finish *finish, const struct address *client)
{
	struct client_sums *sums;

	HASH_FIND(hh, finish->clients, client, sizeof(*client), sums);
	if (sums == NULL) {
		sums = memory_new(1, sizeof(*sums));
		sums->client = *client;
		HASH_ADD(hh, finish->clients, client, sizeof(sums->client), sums);
	}
	return sums;
}

static void add_to(struct sums *sums, const struct settle_order *order, uint64_t added)
{
	sums->bytes[order->action] += added;
	sums->orders[order->action] += order->verdict == VERDICT_SETTLED;
}

static enum err count_order(struct finish *finish, struct settle_order *order)
{
	struct database *db = finish->work->desk->db;
	uint64_t counted, added;
	bool known;
	enum err err = find_counted(db, &order->allocation, &known, &counted);

	if (err != ERR_OK)
		return err;
	if (!is_accepted(order, known, counted)) {
		order->verdict = VERDICT_REJECTED;
		order->counted = 0;
		return ERR_OK;
	}
	order->verdict = settlement_decide(known, counted, order->amount, &added);
	order->counted = counted + added;
	if (order->verdict == VERDICT_ALREADY)
		return ERR_OK;
	add_to(&finish->sums, order, added);
	add_to(&sums_of(finish, &order->client)->sums, order, added);
	return store_counted(db, &finish->work->caller->address, order);
}

static enum err store_sums(struct finish *finish)
{
	struct query *q;
	uint64_t hour;
	enum err err = storage_hour(finish->work->desk->db, &hour);

	for (int action = 0; action < ACTIONS && err == ERR_OK; action++) {
		if (finish->sums.orders[action] == 0 && finish->sums.bytes[action] == 0)
			continue;
		q = database_query(
			finish->work->desk->db,
			"INSERT INTO traffic (node, hour, action, bytes, orders) VALUES ($node, $hour, $action, "
			"$bytes, $orders) ON CONFLICT (node, hour, action) DO UPDATE SET bytes = traffic.bytes + "
			"excluded.bytes, orders = traffic.orders + excluded.orders");
		query_address(q, "node", &finish->work->caller->address);
		query_int(q, "hour", hour);
		query_int(q, "action", (uint64_t)action);
		query_int(q, "bytes", finish->sums.bytes[action]);
		query_int(q, "orders", finish->sums.orders[action]);
		err = query_run(q);
	}
	return err;
}

static enum err store_client_sums(struct database *db, const struct finish *finish)
{
	enum err err = ERR_OK;

	for (const struct client_sums *c = finish->clients; c != NULL && err == ERR_OK; c = c->hh.next) {
		for (int action = 0; action < ACTIONS && err == ERR_OK; action++) {
			if (c->sums.orders[action] > 0 || c->sums.bytes[action] > 0)
				err = customers_add_traffic(db, &c->client, finish->settlement.hour,
							    (enum action)action, c->sums.bytes[action],
							    c->sums.orders[action]);
		}
	}
	return err;
}

static void forget_clients(struct finish *finish)
{
	struct client_sums *sums, *next;

	HASH_ITER(hh, finish->clients, sums, next) {
		HASH_DELETE(hh, finish->clients, sums);
		free(sums);
	}
}

static enum err count_all(struct database *db, void *arg)
{
	struct finish *finish = arg;
	enum err err = ERR_OK;

	memset(&finish->sums, 0, sizeof(finish->sums));
	for (uint32_t i = 0; i < finish->count && err == ERR_OK; i++)
		err = count_order(finish, &finish->orders[i]);
	if (err == ERR_OK)
		err = store_sums(finish);
	if (err == ERR_OK)
		err = store_client_sums(db, finish);
	forget_clients(finish);
	return err;
}

static void answer_verdicts(struct finish *finish)
{
	struct message answer = {.type = MSG_VERDICTS};
	struct reply_list list;

	reply_list_begin(&list, finish->work->reply, &answer, &answer.verdicts.verdicts, &answer.verdicts.last,
			 &item_verdict_fields);
	for (uint32_t i = 0; i < finish->count; i++) {
		const struct settle_order *order = &finish->orders[i];
		bool rejected = order->verdict == VERDICT_REJECTED;
		struct item_verdict item = {order->allocation, (uint8_t)order->verdict,
					    (uint16_t)(rejected ? order->refusal : REFUSAL_NONE), order->counted};

		reply_list_add(&list, &item);
	}
	reply_list_end(&list);
}

static enum err answer_settled(struct finish *finish)
{
	struct work *work = finish->work;
	struct message answer = {.type = MSG_SETTLED};
	struct settled settled;
	struct verdicts_hash hash;
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;
	enum err err = ERR_OK;

	verdicts_init(&hash);
	for (uint32_t i = 0; i < finish->count && err == ERR_OK; i++) {
		const struct settle_order *order = &finish->orders[i];
		bool rejected = order->verdict == VERDICT_REJECTED;

		err = verdicts_add(&hash, &order->allocation, order->verdict, rejected ? order->refusal : REFUSAL_NONE,
				   order->counted);
	}
	if (err != ERR_OK)
		return err;
	typed_hash(&typed_settlement, &finish->settlement, &settled.settlement);
	settled.bytes = hash.bytes;
	verdicts_final(&hash, &settled.verdicts);
	typed_sign(&typed_settled, &settled, &work->desk->settings->domain, work->desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_settled, &settled, &signature, &w);
	answer.settled.settled = writer_bytes(&w);
	reply_add(work->reply, &answer);
	return ERR_OK;
}

enum err settle_finish(struct work *work, struct bytes settlement, struct settle_order *orders, uint32_t count)
{
	struct finish finish = {.work = work, .orders = orders, .count = count};
	enum err err = check_settlement(&finish, settlement);

	if (err == ERR_OK)
		err = check_commitment(&finish);
	if (err == ERR_OK)
		err = database_transaction(work->desk->db, count_all, &finish);
	if (err != ERR_OK)
		return err;
	answer_verdicts(&finish);
	return answer_settled(&finish);
}
