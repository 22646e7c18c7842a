/*
 * Settlement on a real database: every verdict, and money counted once whatever a node repeats: replayed, reordered,
 * from two connections at once, after a restart.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "payments/serial.h"
#include "satellite/facts.h"
#include "satellite/settle.h"
#include "tests/kit/office.h"

#define ORDERS 24
#define LIMIT 100000

/* An order of the client for an allocation of its own. */
struct claim {
	struct settled_order order;
	uint8_t allocation_wire[512], order_wire[512];
	struct item_order item;
};

/* A settlement as it goes to settle_finish. */
struct batch {
	struct settle_order orders[ORDERS];
	uint32_t count;
	struct settlement settlement;
	struct signature signature;
	uint8_t wire[512];
	struct bytes signed_settlement;
};

/* What a node got back. */
struct outcome {
	enum refusal refusal;
	struct item_verdict verdicts[ORDERS]; /* in the order of the batch */
	uint32_t count;
	struct settled settled;
};

static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "2/3/4/6");
	office_add_node(office, "192.0.2.1", 1000000000);
	office_add_node(office, "192.0.2.2", 1000000000);
	*state = office;
	return 0;
}

static void encode_claim(const struct office *office, struct claim *claim)
{
	struct settled_order *order = &claim->order;
	struct writer w;

	typed_sign(&typed_allocation, &order->allocation, &office->settings.domain, office->key,
		   &order->allocation_signature);
	typed_hash(&typed_allocation, &order->allocation, &order->order.allocation);
	typed_sign(&typed_order, &order->order, &office->settings.domain, office->client, &order->order_signature);
	writer_init(&w, claim->allocation_wire, sizeof(claim->allocation_wire));
	typed_encode(&typed_allocation, &order->allocation, &order->allocation_signature, &w);
	claim->item.allocation = writer_bytes(&w);
	writer_init(&w, claim->order_wire, sizeof(claim->order_wire));
	typed_encode(&typed_order, &order->order, &order->order_signature, &w);
	claim->item.order = writer_bytes(&w);
}

/* Number `n`, for the first node, expiring then. */
static void make_claim(const struct office *office, uint8_t n, uint64_t amount, uint64_t expires, struct claim *ret)
{
	const uint8_t random[28] = {n};

	memset(ret, 0, sizeof(*ret));
	ret->order.allocation = (struct allocation){
		.satellite = *key_address(office->key),
		.client = *key_address(office->client),
		.node = *key_address(office->nodes[0]),
		.action = ACTION_GET,
		.limit = LIMIT,
		.issued = expires - 3600,
		.expires = expires,
	};
	serial_make(expires, random, &ret->order.allocation.serial);
	ret->order.order.amount = amount;
	encode_claim(office, ret);
}

static int by_hash(const void *a, const void *b)
{
	return bytes32_compare(&((const struct settle_order *)a)->hash, &((const struct settle_order *)b)->hash);
}

/* Check the claims, sort them, commit to them. */
static void make_batch(const struct office *office, struct claim *claims, uint32_t count, uint64_t hour,
		       struct batch *ret)
{
	struct commitment commitment;
	struct writer w;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < count; i++)
		assert_true(settle_check(office->desk, key_address(office->nodes[0]), hour, &claims[i].item,
					 &ret->orders[i]));
	qsort(ret->orders, count, sizeof(ret->orders[0]), by_hash);
	commitment_init(&commitment);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(commitment_add(&commitment, &ret->orders[i].hash, ret->orders[i].amount), ERR_OK);
	ret->count = count;
	ret->settlement = (struct settlement){.satellite = *key_address(office->key),
					      .node = *key_address(office->nodes[0]),
					      .hour = hour,
					      .count = count,
					      .bytes = commitment.bytes};
	commitment_final(&commitment, &ret->settlement.orders);
	typed_sign(&typed_settlement, &ret->settlement, &office->settings.domain, office->nodes[0], &ret->signature);
	writer_init(&w, ret->wire, sizeof(ret->wire));
	typed_encode(&typed_settlement, &ret->settlement, &ret->signature, &w);
	ret->signed_settlement = writer_bytes(&w);
}

static void read_reply(const struct office *office, const struct reply *reply, struct outcome *ret)
{
	struct signature signature;
	struct message message;
	struct reader r;
	size_t at = 0;
	const char *why;

	for (struct bytes next = reply_next(reply, &at); next.len > 0; next = reply_next(reply, &at)) {
		assert_int_equal(message_decode(next, &message, &why), REFUSAL_NONE);
		if (message.type == MSG_SETTLED) {
			assert_int_equal(
				typed_decode(&typed_settled, message.settled.settled, &ret->settled, &signature),
				ERR_OK);
			assert_int_equal(typed_verify(&typed_settled, &ret->settled, &office->settings.domain,
						      &signature, key_address(office->key)),
					 REFUSAL_NONE);
			continue;
		}
		assert_int_equal(message.type, MSG_VERDICTS);
		reader_init(&r, message.verdicts.verdicts.raw);
		for (uint32_t i = 0; i < message.verdicts.verdicts.count; i++)
			list_next(&item_verdict_fields, &r, &ret->verdicts[ret->count++]);
	}
}

/* Settle at a desk as the owner of `who`. The batch is a copy: counting writes into it. */
static struct outcome settle_at(const struct office *office, struct desk *desk, const struct key *who,
				struct batch batch)
{
	struct caller caller = {*key_id(who), *key_address(who)};
	struct message message = {.type = MSG_SETTLE};
	struct outcome outcome = {.refusal = REFUSAL_NONE};
	struct reply reply;
	struct work work = {.desk = desk, .caller = &caller, .message = &message, .reply = &reply};
	enum err err;

	reply_init(&reply, 3);
	err = settle_finish(&work, batch.signed_settlement, batch.orders, batch.count);
	if (err != ERR_OK) {
		assert_int_equal(err, ERR_CANCELLED);
		outcome.refusal = work.refusal;
	} else {
		read_reply(office, &reply, &outcome);
		assert_int_equal(outcome.count, batch.count);
	}
	reply_free(&reply);
	return outcome;
}

static struct outcome settle(const struct office *office, const struct batch *batch)
{
	return settle_at(office, office->desk, office->nodes[0], *batch);
}

static void check_counted(struct office *office, uint64_t bytes, uint64_t orders)
{
	struct facts facts;

	assert_int_equal(facts_collect(office->desk, clock_wall(), &facts), ERR_OK);
	assert_int_equal(facts.settled_bytes, bytes);
	assert_int_equal(facts.settled_orders, orders);
}

/* The expiry that all here have. */
static uint64_t expiry(void)
{
	return clock_wall() / 3600 * 3600 + 1800;
}

static void test_counted_once(void **state)
{
	struct office *office = *state;
	struct claim claims[3];
	struct batch batch;
	struct outcome outcome;

	for (uint8_t i = 0; i < 3; i++)
		make_claim(office, i, 1000 * (i + 1u), expiry(), &claims[i]);
	make_batch(office, claims, 3, expiry() / 3600, &batch);
	outcome = settle(office, &batch);
	assert_int_equal(outcome.refusal, REFUSAL_NONE);
	assert_int_equal(outcome.settled.bytes, 6000);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(outcome.verdicts[i].verdict, VERDICT_SETTLED);
		assert_true(bytes32_equal(&outcome.verdicts[i].allocation, &batch.orders[i].allocation));
	}
	check_counted(office, 6000, 3);
	for (int again = 0; again < 2; again++) {
		outcome = settle(office, &batch);
		assert_int_equal(outcome.settled.bytes, 6000);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(outcome.verdicts[i].verdict, VERDICT_ALREADY);
		check_counted(office, 6000, 3);
		office_reopen(office);
	}
}

/* The Settled that comes back commits to the verdicts. */
static void test_settled_commits_to_verdicts(void **state)
{
	struct office *office = *state;
	struct claim claims[2];
	struct batch batch;
	struct outcome outcome;
	struct verdicts_hash hash;
	struct bytes32 verdicts, settlement;

	make_claim(office, 1, 1000, expiry(), &claims[0]);
	make_claim(office, 2, LIMIT + 1, expiry(), &claims[1]);
	make_batch(office, claims, 2, expiry() / 3600, &batch);
	outcome = settle(office, &batch);
	verdicts_init(&hash);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(verdicts_add(&hash, &outcome.verdicts[i].allocation,
					      (enum verdict)outcome.verdicts[i].verdict,
					      (enum refusal)outcome.verdicts[i].code, outcome.verdicts[i].bytes),
				 ERR_OK);
	verdicts_final(&hash, &verdicts);
	typed_hash(&typed_settlement, &batch.settlement, &settlement);
	assert_true(bytes32_equal(&outcome.settled.verdicts, &verdicts));
	assert_true(bytes32_equal(&outcome.settled.settlement, &settlement));
	assert_int_equal(outcome.settled.bytes, 1000);
}

static void test_higher_order_credits_the_difference(void **state)
{
	static const uint64_t amounts[] = {5000, 9000, 7000, 9000, 9001};
	static const enum verdict wanted[] = {VERDICT_SETTLED, VERDICT_CREDITED, VERDICT_ALREADY, VERDICT_ALREADY,
					      VERDICT_CREDITED};
	static const uint64_t counted[] = {5000, 9000, 9000, 9000, 9001};
	struct office *office = *state;

	for (size_t i = 0; i < 5; i++) {
		struct claim claim;
		struct batch batch;
		struct outcome outcome;

		make_claim(office, 1, amounts[i], expiry(), &claim);
		make_batch(office, &claim, 1, expiry() / 3600, &batch);
		outcome = settle(office, &batch);
		assert_int_equal(outcome.verdicts[0].verdict, wanted[i]);
		assert_int_equal(outcome.verdicts[0].bytes, counted[i]);
		check_counted(office, counted[i], 1);
	}
}

/* Two orders for one allocation in one settlement, in whichever order their hashes put them. */
static void test_same_allocation_twice(void **state)
{
	struct office *office = *state;
	struct claim claims[2];
	struct batch batch;

	make_claim(office, 1, 400, expiry(), &claims[0]);
	make_claim(office, 1, 900, expiry(), &claims[1]);
	make_batch(office, claims, 2, expiry() / 3600, &batch);
	assert_int_equal(settle(office, &batch).refusal, REFUSAL_NONE);
	check_counted(office, 900, 1);
}

/* Overlapping settlements in any order come to the same sum. */
static void test_reordered(void **state)
{
	struct office *office = *state;
	struct claim claims[ORDERS];
	struct random_stream random;
	uint64_t most[8] = {0}, sum = 0;

	random_stream_init(&random, bytes_of_text("reordered"));
	for (int round = 0; round < 30; round++) {
		uint32_t count = 1 + (uint32_t)random_stream_below(&random, 6);
		struct batch batch;

		for (uint32_t i = 0; i < count; i++) {
			/* Distinct numbers within a settlement keep the hashes distinct. */
			uint8_t n = (uint8_t)((i + (uint32_t)round) % 8);
			uint64_t amount = random_stream_below(&random, LIMIT);

			make_claim(office, n, amount, expiry(), &claims[i]);
			most[n] = amount > most[n] ? amount : most[n];
		}
		make_batch(office, claims, count, expiry() / 3600, &batch);
		assert_int_equal(settle(office, &batch).refusal, REFUSAL_NONE);
	}
	for (int n = 0; n < 8; n++)
		sum += most[n];
	check_counted(office, sum, 8);
}

static void test_rejected_orders_do_not_hurt_others(void **state)
{
	struct office *office = *state;
	struct claim claims[5];
	struct batch batch;
	struct outcome outcome;
	uint64_t hour = expiry() / 3600;
	const enum refusal wanted[5] = {REFUSAL_NONE, REFUSAL_ORDER_LIMIT, REFUSAL_NODE, REFUSAL_SIGNATURE,
					REFUSAL_SERIAL_HOUR};

	make_claim(office, 0, 1000, expiry(), &claims[0]);
	make_claim(office, 1, LIMIT + 1, expiry(), &claims[1]);
	make_claim(office, 2, 1000, expiry(), &claims[2]);
	claims[2].order.allocation.node = *key_address(office->nodes[1]);
	encode_claim(office, &claims[2]);
	make_claim(office, 3, 1000, expiry(), &claims[3]);
	claims[3].order_wire[32 + 8] ^= 1; /* r of the client's signature */
	make_claim(office, 4, 1000, expiry() + 3600, &claims[4]);
	make_batch(office, claims, 5, hour, &batch);
	outcome = settle(office, &batch);
	assert_int_equal(outcome.refusal, REFUSAL_NONE);
	for (uint32_t i = 0; i < 5; i++) {
		uint32_t at = 0;

		while (!bytes32_equal(&outcome.verdicts[at].allocation, &claims[i].order.order.allocation))
			assert_true(++at < 5);
		assert_int_equal(outcome.verdicts[at].code, wanted[i]);
		assert_int_equal(outcome.verdicts[at].verdict, i == 0 ? VERDICT_SETTLED : VERDICT_REJECTED);
		assert_int_equal(outcome.verdicts[at].bytes, i == 0 ? 1000 : 0);
	}
	check_counted(office, 1000, 1);
}

static void test_late(void **state)
{
	struct office *office = *state;
	uint64_t old = expiry() - RULES_GRACE - 7200;
	struct claim claim;
	struct batch batch;
	struct outcome outcome;

	make_claim(office, 1, 1000, old, &claim);
	make_batch(office, &claim, 1, old / 3600, &batch);
	outcome = settle(office, &batch);
	assert_int_equal(outcome.verdicts[0].verdict, VERDICT_REJECTED);
	assert_int_equal(outcome.verdicts[0].code, REFUSAL_LATE);
	check_counted(office, 0, 0);
	/* Had it been in time once, the late repetition would be told so. */
	batch.orders[0].refusal = REFUSAL_NONE;
	assert_int_equal(settle(office, &batch).verdicts[0].verdict, VERDICT_SETTLED);
	batch.orders[0].refusal = REFUSAL_LATE;
	assert_int_equal(settle(office, &batch).verdicts[0].verdict, VERDICT_ALREADY);
	check_counted(office, 1000, 1);
}

static void test_settlement_refused(void **state)
{
	struct office *office = *state;
	struct claim claims[2];
	struct batch good, bad;
	struct writer w;

	make_claim(office, 1, 1000, expiry(), &claims[0]);
	make_claim(office, 2, 2000, expiry(), &claims[1]);
	make_batch(office, claims, 2, expiry() / 3600, &good);
	/* Another node brings it. */
	assert_int_equal(settle_at(office, office->desk, office->nodes[1], good).refusal, REFUSAL_NODE);
	/* One order is missing, or they are out of order. */
	bad = good;
	bad.count = 1;
	assert_int_equal(settle(office, &bad).refusal, REFUSAL_COMMITMENT);
	bad = good;
	bad.orders[0] = good.orders[1];
	bad.orders[1] = good.orders[0];
	assert_int_equal(settle(office, &bad).refusal, REFUSAL_COMMITMENT);
	/* Signed by somebody else, or not at all well-formed. */
	bad = good;
	typed_sign(&typed_settlement, &bad.settlement, &office->settings.domain, office->client, &bad.signature);
	writer_init(&w, bad.wire, sizeof(bad.wire));
	typed_encode(&typed_settlement, &bad.settlement, &bad.signature, &w);
	bad.signed_settlement = writer_bytes(&w);
	assert_int_equal(settle(office, &bad).refusal, REFUSAL_SIGNATURE);
	bad.signed_settlement.len--;
	assert_int_equal(settle(office, &bad).refusal, REFUSAL_MALFORMED);
	check_counted(office, 0, 0);
}

static void test_malformed_order(void **state)
{
	struct office *office = *state;
	struct claim claim;
	struct settle_order order;

	make_claim(office, 1, 1000, expiry(), &claim);
	claim.item.order.len--;
	assert_false(settle_check(office->desk, key_address(office->nodes[0]), expiry() / 3600, &claim.item, &order));
	claim.item.order.len++;
	claim.item.allocation.len = 0;
	assert_false(settle_check(office->desk, key_address(office->nodes[0]), expiry() / 3600, &claim.item, &order));
}

/* A settlement of no orders is one, too. */
static void test_empty(void **state)
{
	struct office *office = *state;
	struct batch batch;

	make_batch(office, NULL, 0, 1, &batch);
	assert_int_equal(settle(office, &batch).refusal, REFUSAL_NONE);
	check_counted(office, 0, 0);
}

/* Two connections settle the same orders at once. */
struct rival {
	const struct office *office;
	struct desk *desk;
	const struct batch *batch;
	pthread_barrier_t *start;
	struct outcome outcome;
};

static void *run_rival(void *arg)
{
	struct rival *rival = arg;

	pthread_barrier_wait(rival->start);
	rival->outcome = settle_at(rival->office, rival->desk, rival->office->nodes[0], *rival->batch);
	return NULL;
}

static void test_two_at_once(void **state)
{
	struct office *office = *state;
	struct claim claims[ORDERS];
	struct desk *second = NULL;
	pthread_barrier_t start;
	char why[DATABASE_MESSAGE];

	assert_int_equal(desk_open(&office->settings, office->key, &second, why), ERR_OK);
	pthread_barrier_init(&start, NULL, 2);
	for (int round = 0; round < 10; round++) {
		struct batch batch;
		struct rival rivals[2] = {{office, office->desk, &batch, &start, {0}},
					  {office, second, &batch, &start, {0}}};
		pthread_t threads[2];

		for (uint8_t i = 0; i < ORDERS; i++)
			make_claim(office, i, 10 * (round + 1u), expiry(), &claims[i]);
		make_batch(office, claims, ORDERS, expiry() / 3600, &batch);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, run_rival, &rivals[i]), 0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		for (uint32_t i = 0; i < ORDERS; i++) {
			bool first = rivals[0].outcome.verdicts[i].verdict != VERDICT_ALREADY;
			bool other = rivals[1].outcome.verdicts[i].verdict != VERDICT_ALREADY;

			assert_true(first != other);
		}
		check_counted(office, ORDERS * 10 * (round + 1u), ORDERS);
	}
	pthread_barrier_destroy(&start);
	desk_close(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counted_once),
		TEST(test_settled_commits_to_verdicts),
		TEST(test_higher_order_credits_the_difference),
		TEST(test_same_allocation_twice),
		TEST(test_reordered),
		TEST(test_rejected_orders_do_not_hurt_others),
		TEST(test_late),
		TEST(test_settlement_refused),
		TEST(test_malformed_order),
		TEST(test_empty),
		TEST(test_two_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
