/*
 * What a satellite does per second at 29/52/80/110: one worker thread begins segments and commits them, two settle
 * orders; on a real database, through the codec, against what the machine's secp256k1 allows as many threads.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"
#include "payments/settlement.h"
#include "satellite/roster.h"
#include "satellite/settle.h"
#include "tests/bench/bench.h"
#include "tests/kit/office.h"

#define NODES 120
#define SEGMENTS 40
#define PLAIN 1000000
#define SUCCESS 80
#define TOTAL 110
#define ORDERS 20000
#define THREADS 2
#define BOUND_SECONDS 2

struct bench {
	struct office office;
	struct bytes32 digest;
	struct signature signature;
};

static void make_bench(struct bench *b)
{
	uint8_t path[256];

	office_open(&b->office, "29/52/80/110");
	for (unsigned i = 0; i < NODES; i++)
		office_add_node(&b->office, "192.0.2.1", UINT64_C(1) << 40);
	office_make_bucket(&b->office, "bench");
	random_bytes(b->digest.b, sizeof(b->digest.b));
	key_sign(b->office.key, &b->digest, &b->signature);
	office_store(&b->office, "bench", bytes_of(path, office_path("warm", path)), PLAIN);
}

static void sign_once(void *arg)
{
	struct bench *b = arg;

	key_sign(b->office.key, &b->digest, &b->signature);
}

static void verify_once(void *arg)
{
	struct bench *b = arg;

	if (key_verify(&b->digest, &b->signature, key_address(b->office.key)) != ERR_OK)
		abort();
}

/* Segments begun and committed per second, each by itself: what clients and nodes do in between is not counted. */
static void bench_segments(struct bench *b, double signs, double verifies)
{
	struct office_piece *pieces = memory_new(OFFICE_PIECES, sizeof(*pieces));
	struct office *office = &b->office;
	uint8_t path[256];
	struct bytes32 version = office_begin_object(office, "bench", bytes_of(path, office_path("a", path)), 0);
	double begun = 0, committed = 0;

	for (uint32_t i = 0; i < SEGMENTS; i++) {
		uint32_t count;
		struct bytes32 segment = office_begin_segment(office, &version, i, pieces, &count);

		begun += (double)office->spent / 1e9;
		if (office_commit_segment(office, &segment, PLAIN, pieces, SUCCESS, clock_wall()) != REFUSAL_NONE)
			abort();
		committed += (double)office->spent / 1e9;
	}
	bench_say("bound of segments begun: signatures per second / %d; committed: verifications per second / %d",
		  TOTAL, SUCCESS);
	bench_result("segments_begun", SEGMENTS / begun, "1/s", signs / TOTAL, BENCH_MORE_IS_BETTER);
	bench_result("segments_committed", SEGMENTS / committed, "1/s", verifies / SUCCESS, BENCH_MORE_IS_BETTER);
	free(pieces);
}

/* Nodes of no one, each on a network of its own; a tenth of them new, all seen by clients. */
static void add_many_nodes(struct office *office)
{
	office_execute(office, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
			       "INSERT INTO nodes (address, id, endpoint, claimed, network, version, allocated, used, "
			       "available, payee, registered, checked_in, dialled, reachable) SELECT randomblob(20), "
			       "randomblob(33), '192.0.2.1:7887', '192.0.2.1:7887', i || '.0.0.0/24', '', 0, "
			       "0, 1 << 40, x'', 0, 1 << 40, 0, 1 FROM n");
	office_execute(office, "INSERT INTO reputations (node, state, since, reason, model, notices, due, loss_period, "
			       "loss_pieces) SELECT address, CASE random() % 10 WHEN 0 THEN 2 ELSE 1 END, 0, '', x'', "
			       "0, 0, 0, 0 FROM nodes WHERE registered = 0");
	office_execute(office, "INSERT INTO experiences (node, jury, at, succeeded, failed, timed, pace) SELECT "
			       "address, column1, 0, 1000, 1000, 1000, 1000000 FROM nodes, (VALUES (0), (1), (2), (3)) "
			       "WHERE registered = 0");
}

struct choice {
	struct select_set *set;
	struct select_rules rules;
	struct random_stream random;
};

static void choose_once(void *arg)
{
	struct choice *choice = arg;
	uint32_t got[TOTAL];

	select_begin(choice->set);
	if (select_nodes(choice->set, &choice->rules, &choice->random, got) != TOTAL)
		abort();
}

/* Choosing the nodes of a segment among many, and reading these anew, which a worker does once a second. */
static void bench_selection(struct bench *b)
{
	struct office *office = &b->office;
	struct choice choice = {
		.rules = {.want = TOTAL, .distinct_networks = true, .cheaper = 50, .better = 30, .new_nodes = 5}};
	double start;

	add_many_nodes(office);
	office->settings.prefer_cheaper = 50;
	office->settings.prefer_better = 30;
	start = bench_now();
	if (roster_refresh(office->desk, true) != ERR_OK)
		abort();
	bench_result("roster_refresh_10000", (bench_now() - start) * 1000, "ms", 0, BENCH_NO_SHARE);
	choice.set = roster_set(office->desk->roster);
	random_stream_init(&choice.random, bytes_of_text("bench"));
	bench_result("selections_of_10000", bench_rate(1, choose_once, &choice), "1/s", 0, BENCH_NO_SHARE);
}

/* An order as it comes from the wire. */
struct wired_order {
	uint8_t allocation[256], order[128];
	size_t allocation_len, order_len;
};

/* A signed order of the client for the first node. */
static void make_order(const struct office *office, uint64_t expires, struct wired_order *ret)
{
	struct allocation allocation = {.satellite = *key_address(office->key),
					.client = *key_address(office->client),
					.node = *key_address(office->nodes[0]),
					.action = ACTION_GET,
					.limit = 2097152,
					.issued = expires - 3600,
					.expires = expires};
	struct order order = {.amount = 2097152};
	struct signature allocation_signature, order_signature;
	uint8_t random[28];
	struct writer w;

	random_bytes(random, sizeof(random));
	serial_make(expires, random, &allocation.serial);
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	typed_sign(&typed_allocation, &allocation, &office->settings.domain, office->key, &allocation_signature);
	typed_sign(&typed_order, &order, &office->settings.domain, office->client, &order_signature);
	writer_init(&w, ret->allocation, sizeof(ret->allocation));
	typed_encode(&typed_allocation, &allocation, &allocation_signature, &w);
	ret->allocation_len = w.len;
	writer_init(&w, ret->order, sizeof(ret->order));
	typed_encode(&typed_order, &order, &order_signature, &w);
	ret->order_len = w.len;
}

/* A worker: checks its share of the orders. */
struct checker {
	struct bench *bench;
	const struct wired_order *wired;
	struct settle_order *orders;
	uint64_t hour;
	uint32_t from, to;
	double verifies; /* per second; what the bound is made of */
};

static void *check_orders(void *arg)
{
	struct checker *c = arg;
	const struct office *office = &c->bench->office;

	for (uint32_t i = c->from; i < c->to; i++) {
		const struct item_order item = {bytes_of(c->wired[i].allocation, c->wired[i].allocation_len),
						bytes_of(c->wired[i].order, c->wired[i].order_len)};

		if (!settle_check(office->desk, key_address(office->nodes[0]), c->hour, &item, &c->orders[i]))
			abort();
	}
	return NULL;
}

static void *verify_signatures(void *arg)
{
	struct checker *c = arg;

	c->verifies = bench_rate(BOUND_SECONDS, verify_once, c->bench);
	return NULL;
}

static void run_all(struct checker checkers[THREADS], void *(*work)(void *arg))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, &checkers[i]) != 0)
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int by_hash(const void *a, const void *b)
{
	return bytes32_compare(&((const struct settle_order *)a)->hash, &((const struct settle_order *)b)->hash);
}

static struct bytes sign_settlement(struct bench *b, const struct settle_order *orders, uint64_t hour, struct writer *w)
{
	struct office *office = &b->office;
	struct settlement settlement = {.satellite = *key_address(office->key),
					.node = *key_address(office->nodes[0]),
					.hour = hour,
					.count = ORDERS};
	struct commitment commitment;
	struct signature signature;

	commitment_init(&commitment);
	for (uint32_t i = 0; i < ORDERS; i++)
		if (commitment_add(&commitment, &orders[i].hash, orders[i].amount) != ERR_OK)
			abort();
	settlement.bytes = commitment.bytes;
	commitment_final(&commitment, &settlement.orders);
	typed_sign(&typed_settlement, &settlement, &office->settings.domain, office->nodes[0], &signature);
	typed_encode(&typed_settlement, &settlement, &signature, w);
	return writer_bytes(w);
}

/* Orders settled per second: checked by the workers, then all counted in one transaction and answered. */
static void bench_settlement(struct bench *b)
{
	struct settle_order *orders = memory_new(ORDERS, sizeof(*orders));
	struct wired_order *wired = memory_new(ORDERS, sizeof(*wired));
	const struct key *node = b->office.nodes[0];
	struct caller caller = {*key_id(node), *key_address(node)};
	struct message message = {.type = MSG_SETTLE};
	uint64_t expires = clock_wall() + 3600;
	struct checker checkers[THREADS];
	struct reply reply;
	struct work work = {.desk = b->office.desk, .caller = &caller, .message = &message, .reply = &reply};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;
	double seconds, start, bound = 0;

	for (uint32_t i = 0; i < ORDERS; i++)
		make_order(&b->office, expires, &wired[i]);
	for (uint32_t i = 0; i < THREADS; i++)
		checkers[i] = (struct checker){.bench = b,
					       .wired = wired,
					       .orders = orders,
					       .hour = expires / 3600,
					       .from = i * (ORDERS / THREADS),
					       .to = (i + 1) * (ORDERS / THREADS)};
	run_all(checkers, verify_signatures);
	for (int i = 0; i < THREADS; i++)
		bound += checkers[i].verifies / 2;
	start = bench_now();
	run_all(checkers, check_orders);
	seconds = bench_now() - start;
	qsort(orders, ORDERS, sizeof(*orders), by_hash); /* the node sends them in this order */
	writer_init(&w, wire, sizeof(wire));
	message.settle.settlement = sign_settlement(b, orders, expires / 3600, &w);
	reply_init(&reply, 1);
	start = bench_now();
	if (settle_finish(&work, message.settle.settlement, orders, ORDERS) != ERR_OK)
		abort();
	seconds += bench_now() - start;
	bench_say("bound of orders settled: two verifications for each, %d threads that do nothing else", THREADS);
	bench_result("settle_orders", ORDERS / seconds, "1/s", bound, BENCH_MORE_IS_BETTER);
	reply_free(&reply);
	free(orders);
	free(wired);
}

int main(void)
{
	struct bench *b = memory_new(1, sizeof(*b));
	double signs, verifies;

	make_bench(b);
	signs = bench_rate(1, sign_once, b);
	verifies = bench_rate(1, verify_once, b);
	bench_segments(b, signs, verifies);
	bench_settlement(b);
	bench_selection(b);
	office_close(&b->office);
	free(b);
	return 0;
}
