/*
 * What one worker thread of a satellite does per second at 29/52/80/110: begin segments, commit them, settle orders;
 * on a real database, through the codec, against what the machine's secp256k1 allows a single thread.
 */
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"
#include "payments/settlement.h"
#include "satellite/settle.h"
#include "tests/bench/bench.h"
#include "tests/kit/office.h"

#define NODES 120
#define SEGMENTS 40
#define PLAIN 1000000
#define SUCCESS 80
#define TOTAL 110
#define ORDERS 4000

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

/* A signed order of the client for the first node, checked as one of its settlement. The seconds that took. */
static double check_order(struct bench *b, uint64_t expires, struct settle_order *ret)
{
	struct office *office = &b->office;
	uint8_t random[28], allocation_wire[MESSAGE_SIGNED_MAX], order_wire[MESSAGE_SIGNED_MAX];
	struct allocation allocation = {.satellite = *key_address(office->key),
					.client = *key_address(office->client),
					.node = *key_address(office->nodes[0]),
					.action = ACTION_GET,
					.limit = 2097152,
					.issued = expires - 3600,
					.expires = expires};
	struct order order = {.amount = 2097152};
	struct signature allocation_signature, order_signature;
	struct item_order item;
	struct writer w;
	double start;

	random_bytes(random, sizeof(random));
	serial_make(expires, random, &allocation.serial);
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	typed_sign(&typed_allocation, &allocation, &office->settings.domain, office->key, &allocation_signature);
	typed_sign(&typed_order, &order, &office->settings.domain, office->client, &order_signature);
	writer_init(&w, allocation_wire, sizeof(allocation_wire));
	typed_encode(&typed_allocation, &allocation, &allocation_signature, &w);
	item.allocation = writer_bytes(&w);
	writer_init(&w, order_wire, sizeof(order_wire));
	typed_encode(&typed_order, &order, &order_signature, &w);
	item.order = writer_bytes(&w);
	start = bench_now();
	if (!settle_check(office->desk, key_address(office->nodes[0]), expires / 3600, &item, ret))
		abort();
	return bench_now() - start;
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

/* Orders settled per second: each checked, then all counted in one transaction and answered. */
static void bench_settlement(struct bench *b, double verifies)
{
	struct settle_order *orders = memory_new(ORDERS, sizeof(*orders));
	const struct key *node = b->office.nodes[0];
	struct caller caller = {*key_id(node), *key_address(node)};
	struct message message = {.type = MSG_SETTLE};
	uint64_t expires = clock_wall() + 3600;
	struct reply reply;
	struct work work = {.desk = b->office.desk, .caller = &caller, .message = &message, .reply = &reply};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;
	double seconds = 0, start;

	for (uint32_t i = 0; i < ORDERS; i++)
		seconds += check_order(b, expires, &orders[i]);
	qsort(orders, ORDERS, sizeof(*orders), by_hash);
	writer_init(&w, wire, sizeof(wire));
	message.settle.settlement = sign_settlement(b, orders, expires / 3600, &w);
	reply_init(&reply, 1);
	start = bench_now();
	if (settle_finish(&work, message.settle.settlement, orders, ORDERS) != ERR_OK)
		abort();
	seconds += bench_now() - start;
	bench_say("bound of orders settled with the database: verifications per second / 2, one thread");
	bench_result("orders_counted", ORDERS / seconds, "1/s", verifies / 2, BENCH_MORE_IS_BETTER);
	reply_free(&reply);
	free(orders);
}

int main(void)
{
	struct bench *b = memory_new(1, sizeof(*b));
	double signs, verifies;

	make_bench(b);
	signs = bench_rate(1, sign_once, b);
	verifies = bench_rate(1, verify_once, b);
	bench_segments(b, signs, verifies);
	bench_settlement(b, verifies);
	office_close(&b->office);
	free(b);
	return 0;
}
