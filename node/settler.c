/* One conversation per satellite, one claim after the other. */
#include "node/settler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define CLAIM_MOST 5000 /* orders in one settlement */
#define PART_ORDERS 150 /* in one message */
#define PART_ROOM (PART_ORDERS * 400)

/* A claim that was sent, and what has come back. */
struct exchange {
	const struct claim *claim;
	struct settlement settlement;
	uint8_t settlement_signed[MESSAGE_SIGNED_MAX];
	size_t settlement_len;
	struct item_verdict *verdicts; /* as many as the claim has orders */
	uint32_t verdict_count;
	bool verdicts_whole;
	uint8_t settled[MESSAGE_SIGNED_MAX];
	size_t settled_len;
	bool done;
	enum err err;
	char *why;
};

static enum err fail(struct exchange *x, const char *why)
{
	snprintf(x->why, ERRAND_MESSAGE, "%s", why);
	return ERR_PROTOCOL;
}

static enum err sign_claim(struct exchange *x, const struct key *key, const struct satellite *satellite)
{
	struct signature signature;
	struct commitment commitment;
	struct writer w;
	enum err err = ERR_OK;

	commitment_init(&commitment);
	for (uint32_t i = 0; i < x->claim->count && err == ERR_OK; i++)
		err = commitment_add(&commitment, &x->claim->orders[i].hash, x->claim->orders[i].amount);
	if (err != ERR_OK)
		return err;
	x->settlement = (struct settlement){.satellite = satellite->address,
					    .node = *key_address(key),
					    .hour = x->claim->hour,
					    .count = commitment.count,
					    .bytes = commitment.bytes};
	commitment_final(&commitment, &x->settlement.orders);
	typed_sign(&typed_settlement, &x->settlement, &satellite->domain, key, &signature);
	writer_init(&w, x->settlement_signed, sizeof(x->settlement_signed));
	typed_encode(&typed_settlement, &x->settlement, &signature, &w);
	x->settlement_len = w.len;
	return w.err;
}

static enum err take_verdicts(struct exchange *x, const struct msg_verdicts *message)
{
	struct reader r;

	if (x->verdicts_whole || message->verdicts.count > x->claim->count - x->verdict_count)
		return fail(x, "more verdicts than orders");
	reader_init(&r, message->verdicts.raw);
	for (uint32_t i = 0; i < message->verdicts.count; i++)
		list_next(&item_verdict_fields, &r, &x->verdicts[x->verdict_count++]);
	x->verdicts_whole = message->last;
	return ERR_OK;
}

static enum err take_settled(struct exchange *x, struct bytes wire)
{
	if (!x->verdicts_whole || x->verdict_count != x->claim->count)
		return fail(x, "fewer verdicts than orders");
	memcpy(x->settled, wire.data, wire.len); /* bounded by the message's table */
	x->settled_len = wire.len;
	x->done = true;
	return ERR_OK;
}

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct exchange *x = arg;

	if (message != NULL && message->type == MSG_VERDICTS)
		x->err = take_verdicts(x, &message->verdicts);
	else if (message != NULL && message->type == MSG_SETTLED)
		x->err = take_settled(x, message->settled.settled);
	else
		x->err = errand_explain(message, err, x->why);
	x->done = x->done || x->err != ERR_OK;
	if (x->done && message != NULL && message->type != MSG_ERROR)
		peer_forget(peer, message->request);
}

/* Send orders from `from` on, as many as go into one part. */
static uint32_t send_part(struct peer *peer, const struct exchange *x, uint32_t request, uint32_t from)
{
	uint32_t left = x->claim->count - from, count = left < PART_ORDERS ? left : PART_ORDERS;
	struct message part = {.type = MSG_SETTLE_ORDERS, .request = request};
	uint8_t *room = memory_new(1, PART_ROOM);
	struct writer w;

	writer_init(&w, room, PART_ROOM);
	for (uint32_t i = from; i < from + count; i++) {
		const struct claim_order *order = &x->claim->orders[i];
		const struct item_order item = {order->allocation_signed, order->order_signed};

		fields_encode(&item_order_fields, &item, &w);
	}
	part.settle_orders.orders = list_of(&w, count);
	part.settle_orders.last = count == left;
	peer_send(peer, &part);
	free(room);
	return from + count;
}

static enum err exchange_claim(struct errand *errand, struct exchange *x)
{
	struct message message = {.type = MSG_SETTLE};
	uint32_t request, from = 0;

	if (errand_peer(errand) == NULL)
		return errand_lost(errand, x->why);
	message.settle.settlement = bytes_of(x->settlement_signed, x->settlement_len);
	request = peer_ask(errand_peer(errand), &message, ERRAND_TIMEOUT_MS, on_answer, x);
	while (from < x->claim->count)
		from = send_part(errand_peer(errand), x, request, from);
	if (errand_wait(errand, &x->done))
		return x->err;
	if (errand_peer(errand) != NULL)
		peer_forget(errand_peer(errand), request);
	return errand_lost(errand, x->why);
}

enum err settler_check(const struct claim *claim, const struct settlement *settlement,
		       const struct item_verdict *verdicts, struct bytes settled, const struct satellite *satellite)
{
	struct verdicts_hash hash;
	struct signature signature;
	struct settled said, expected;
	enum err err = ERR_OK;

	verdicts_init(&hash);
	for (uint32_t i = 0; i < claim->count && err == ERR_OK; i++) {
		const struct item_verdict *v = &verdicts[i];

		if (!bytes32_equal(&v->allocation, &claim->orders[i].allocation) || v->verdict < VERDICT_SETTLED ||
		    v->verdict > VERDICT_REJECTED)
			return ERR_PROTOCOL;
		if (v->verdict != VERDICT_REJECTED && v->bytes < claim->orders[i].amount)
			return ERR_PROTOCOL;
		err = verdicts_add(&hash, &v->allocation, (enum verdict)v->verdict, (enum refusal)v->code, v->bytes);
	}
	if (err != ERR_OK)
		return err;
	if (typed_decode(&typed_settled, settled, &said, &signature) != ERR_OK)
		return ERR_FORMAT;
	typed_hash(&typed_settlement, settlement, &expected.settlement);
	expected.bytes = hash.bytes;
	verdicts_final(&hash, &expected.verdicts);
	if (!bytes32_equal(&said.settlement, &expected.settlement) || said.bytes != expected.bytes ||
	    !bytes32_equal(&said.verdicts, &expected.verdicts))
		return ERR_PROTOCOL;
	return typed_verify(&typed_settled, &said, &satellite->domain, &signature, &satellite->address) == REFUSAL_NONE
		       ? ERR_OK
		       : ERR_SIGNATURE;
}

static void count_verdict(struct settle_outcome *outcome, const struct item_verdict *verdict)
{
	if (verdict->verdict == VERDICT_REJECTED) {
		outcome->rejected++;
		return;
	}
	outcome->settled++;
	outcome->bytes += verdict->bytes;
}

static enum err write_down(struct ledger *ledger, struct exchange *x, struct settle_outcome *outcome)
{
	struct ledger_verdict *verdicts = memory_new(x->claim->count, sizeof(*verdicts));
	enum err err;

	for (uint32_t i = 0; i < x->claim->count; i++) {
		const struct item_verdict *v = &x->verdicts[i];

		verdicts[i] = (struct ledger_verdict){(enum verdict)v->verdict, (enum refusal)v->code, v->bytes};
	}
	err = ledger_settle(ledger, x->claim, verdicts, bytes_of(x->settlement_signed, x->settlement_len),
			    bytes_of(x->settled, x->settled_len));
	free(verdicts);
	if (err != ERR_OK) {
		snprintf(x->why, ERRAND_MESSAGE, "ledger: %s", ledger_message(ledger));
		return err;
	}
	for (uint32_t i = 0; i < x->claim->count; i++)
		count_verdict(outcome, &x->verdicts[i]);
	return ERR_OK;
}

static enum err settle_claim(struct ledger *ledger, const struct key *key, struct errand *errand,
			     const struct claim *claim, struct settle_outcome *outcome)
{
	struct exchange *x = memory_new(1, sizeof(*x));
	enum err err;

	x->claim = claim;
	x->verdicts = memory_new(claim->count, sizeof(*x->verdicts));
	x->why = outcome->why;
	err = sign_claim(x, key, &outcome->satellite);
	if (err == ERR_OK)
		err = exchange_claim(errand, x);
	if (err == ERR_OK) {
		err = settler_check(claim, &x->settlement, x->verdicts, bytes_of(x->settled, x->settled_len),
				    &outcome->satellite);
		if (err != ERR_OK)
			snprintf(outcome->why, sizeof(outcome->why),
				 "the satellite's verdicts are not those it signed, or not on what was claimed");
	}
	if (err == ERR_OK)
		err = write_down(ledger, x, outcome);
	free(x->verdicts);
	free(x);
	return err;
}

/* Claim after claim, until no unsettled order is left. */
static enum err settle_hours(struct ledger *ledger, const struct key *key, struct errand *errand,
			     const atomic_bool *stop, struct settle_outcome *outcome)
{
	const struct address *satellite = &outcome->satellite.address;
	struct claim *claim;
	uint64_t hour = 0;
	enum err err;

	for (;;) {
		err = ledger_next_hour(ledger, satellite, hour, &hour);
		if (err != ERR_OK)
			return err == ERR_NOT_FOUND ? ERR_OK : err;
		if (atomic_load(stop))
			return ERR_CANCELLED;
		err = ledger_claim(ledger, satellite, hour, CLAIM_MOST, &claim);
		if (err != ERR_OK)
			return err;
		err = settle_claim(ledger, key, errand, claim, outcome);
		claim_free(claim);
		if (err != ERR_OK)
			return err;
	}
}

void settler_run(struct ledger *ledger, const struct key *key, const struct satellite *satellite,
		 const atomic_bool *stop, struct settle_outcome *ret)
{
	struct errand *errand = NULL;
	uint64_t hour;

	*ret = (struct settle_outcome){.satellite = *satellite};
	ret->err = ledger_next_hour(ledger, &satellite->address, 0, &hour);
	if (ret->err == ERR_NOT_FOUND) {
		ret->err = ERR_OK; /* nothing to settle, nobody to ask */
		return;
	}
	if (ret->err == ERR_OK)
		ret->err = errand_open(key, &satellite->endpoint, stop, &errand, ret->why);
	if (ret->err == ERR_OK)
		ret->err = settle_hours(ledger, key, errand, stop, ret);
	errand_close(errand);
	if (ret->err != ERR_OK && ret->why[0] == '\0')
		snprintf(ret->why, sizeof(ret->why), "%s", err_text(ret->err));
}
