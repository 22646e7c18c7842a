/*
 * Closing a month of a large network: 10 million settled orders, 10,000 nodes, 1 million pieces.
 *
 * The month is lived first, day by day, each day closed and signed as the daemon does it. Of every thousand orders one
 * is settled as on the wire, its signatures checked; the others, alike but distinct, are written where those end up, in
 * the order of their keys, which makes the filling short and is nothing that closing looks at. Then the month is
 * closed, and then all is counted again by the check of the books, which does look at every order and piece.
 *
 * An argument divides all by that much, to try it out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/serial.h"
#include "payments/settlement.h"
#include "satellite/books_check.h"
#include "satellite/closing.h"
#include "satellite/pricing.h"
#include "satellite/settle.h"
#include "satellite/storage.h"
#include "satellite/usages.h"
#include "tests/bench/bench.h"
#include "tests/kit/office.h"

#define JANUARY UINT64_C(1767225600) /* 2026-01-01T00:00:00Z */
#define DAYS 31
#define DAY UINT64_C(86400)
#define ORDER_BYTES 2097152
#define PIECES_OF_OBJECT 100
#define PIECE_BYTES 2097152

static unsigned nodes = 10000;
static const unsigned orders_of_node = 1000; /* one of them real */
static unsigned objects = 10000;

struct bench {
	struct office office;
	struct address *addresses;
	struct key **keys;
	uint64_t serial; /* of rows made up */
	unsigned day;
};

#define must(expression)                                                              \
	do {                                                                          \
		enum err must_err = (expression);                                     \
		if (must_err != ERR_OK) {                                             \
			fprintf(stderr, "%s: %s\n", #expression, err_name(must_err)); \
			abort();                                                      \
		}                                                                     \
	} while (0)

static void transact(struct bench *bench, enum err (*calls)(struct database *db, void *arg))
{
	must(database_transaction(bench->office.desk->db, calls, bench));
}

static enum err insert_nodes(struct database *db, void *arg)
{
	struct bench *bench = arg;
	enum err err = ERR_OK;

	for (unsigned i = 0; i < nodes && err == ERR_OK; i++) {
		struct query *q = database_query(
			db, "INSERT INTO nodes (address, id, endpoint, claimed, network, version, allocated, used, "
			    "available, payee, registered, checked_in, dialled, reachable) VALUES ($address, $id, '', "
			    "'', '', "
			    "'', 0, 0, 0, x'', $now, $now, $now, 1)");

		bench->keys[i] = key_generate();
		bench->addresses[i] = *key_address(bench->keys[i]);
		query_bytes(q, "address", bytes_of(bench->addresses[i].b, 20));
		query_bytes(q, "id", bytes_of(key_id(bench->keys[i])->b, KEY_ID_BYTES));
		query_int(q, "now", JANUARY);
		err = query_run(q);
	}
	return err;
}

static struct bytes32 next_key(struct bench *bench)
{
	struct bytes32 key = {{0}};

	put_be64(key.b, ++bench->serial);
	put_be64(key.b + 8, bench->serial * UINT64_C(0x9e3779b97f4a7c15));
	return key;
}

/* One row each, as settlement leaves them. */
static enum err insert_order(struct database *db, struct bench *bench, const struct address *node, uint64_t hour)
{
	struct query *q =
		database_query(db, "INSERT INTO settled (allocation, node, client, action, bytes, hour) VALUES "
				   "($allocation, $node, $client, 2, $bytes, $hour)");
	struct bytes32 key = next_key(bench);

	query_bytes32(q, "allocation", &key);
	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
	query_bytes(q, "client", bytes_of(key_address(bench->office.client)->b, 20));
	query_int(q, "bytes", ORDER_BYTES);
	query_int(q, "hour", hour);
	return query_run(q);
}

static enum err add_traffic(struct database *db, const struct address *node, uint64_t hour, uint64_t orders)
{
	struct query *q =
		database_query(db, "INSERT INTO traffic (node, hour, action, bytes, orders) VALUES ($node, $hour, "
				   "2, $bytes, $orders)");

	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
	query_int(q, "hour", hour);
	query_int(q, "bytes", orders * ORDER_BYTES);
	query_int(q, "orders", orders);
	return query_run(q);
}

/* Share number `day` of so many things. */
static unsigned share(unsigned all, unsigned day)
{
	return (unsigned)((uint64_t)all * (day + 1) / DAYS - (uint64_t)all * day / DAYS);
}

/* A day's orders of all nodes, in four hours of the morning. */
static enum err insert_orders(struct database *db, void *arg)
{
	struct bench *bench = arg;
	unsigned count = share(orders_of_node - 1, bench->day);
	enum err err = ERR_OK;

	for (unsigned i = 0; i < nodes && err == ERR_OK; i++) {
		for (unsigned h = 0; h < 4 && err == ERR_OK; h++) {
			uint64_t hour = (JANUARY + bench->day * DAY) / 3600 + h * 3;
			unsigned part = count / 4 + (h < count % 4);

			for (unsigned j = 0; j < part && err == ERR_OK; j++)
				err = insert_order(db, bench, &bench->addresses[i], hour);
			if (err == ERR_OK && part > 0)
				err = add_traffic(db, &bench->addresses[i], hour, part);
		}
	}
	return err;
}

static enum err insert_object(struct database *db, struct bench *bench, const struct bytes32 *key, unsigned number)
{
	static const char *const inserts[] = {
		"INSERT INTO objects (version, owner, bucket, path, state, required, repair, success, total, begun, "
		"touched, committed, expires, segments, plain_size, metadata) VALUES ($key, $client, 'b', $key, 2, 29, "
		"52, 80, 110, $now, $now, $now, 0, 1, 1, x'')",
		"INSERT INTO segments (segment, version, number, state, plain_size, piece_size, issued, expires, "
		"wrapped_key) VALUES ($key, $key, 0, 2, 1, 1, $now, $now, $client)",
	};
	enum err err = ERR_OK;
	struct query *q;

	for (int i = 0; i < 2 && err == ERR_OK; i++) {
		q = database_query(db, inserts[i]);
		query_bytes32(q, "key", key);
		query_bytes(q, "client", bytes_of(key_address(bench->office.client)->b, 20));
		query_int(q, "now", clock_wall());
		err = query_run(q);
	}
	for (unsigned i = 0; i < PIECES_OF_OBJECT && err == ERR_OK; i++) {
		struct bytes32 piece = next_key(bench);

		q = database_query(
			db, "INSERT INTO pieces (segment, number, node, piece, root, size, stored, lost, audited, "
			    "verdict) VALUES ($key, $number, $node, $piece, $piece, $size, $stored, 0, 0, 0)");
		query_bytes32(q, "key", key);
		query_int(q, "number", i);
		query_bytes(q, "node", bytes_of(bench->addresses[(number * 997 + i * 101) % nodes].b, 20));
		query_bytes32(q, "piece", &piece);
		query_int(q, "size", PIECE_BYTES);
		query_int(q, "stored", clock_wall() - 60 - i);
		err = query_run(q);
	}
	return err == ERR_OK ? storage_begin_object(db, key) : err;
}

static enum err insert_objects(struct database *db, void *arg)
{
	struct bench *bench = arg;
	unsigned first = (unsigned)((uint64_t)objects * bench->day / DAYS), count = share(objects, bench->day);
	enum err err = ERR_OK;

	for (unsigned i = 0; i < count && err == ERR_OK; i++) {
		struct bytes32 key = next_key(bench);

		err = insert_object(db, bench, &key, first + i);
	}
	return err;
}

/* A signed order, checked as one of a settlement. */
static void make_order(struct bench *bench, unsigned node, struct settle_order *ret)
{
	struct office *office = &bench->office;
	uint64_t expires = clock_wall() + 3600;
	struct allocation allocation = {.satellite = *key_address(office->key),
					.client = *key_address(office->client),
					.node = bench->addresses[node],
					.action = ACTION_GET,
					.limit = ORDER_BYTES,
					.issued = expires - 3600,
					.expires = expires};
	struct order order = {.amount = ORDER_BYTES};
	uint8_t random[28], allocation_wire[MESSAGE_SIGNED_MAX], order_wire[MESSAGE_SIGNED_MAX];
	struct signature allocation_signature, order_signature;
	struct item_order item;
	struct writer w;

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
	if (!settle_check(office->desk, &bench->addresses[node], expires / 3600, &item, ret) ||
	    ret->refusal != REFUSAL_NONE)
		abort();
}

static void settle_one(struct bench *bench, unsigned node)
{
	struct office *office = &bench->office;
	struct caller caller = {*key_id(bench->keys[node]), bench->addresses[node]};
	struct message message = {.type = MSG_SETTLE};
	struct settlement settlement = {
		.satellite = *key_address(office->key), .node = caller.address, .count = 1, .bytes = ORDER_BYTES};
	struct reply reply;
	struct work work = {.desk = office->desk, .caller = &caller, .message = &message, .reply = &reply};
	struct commitment commitment;
	struct settle_order order;
	struct signature signature;
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct writer w;

	make_order(bench, node, &order);
	settlement.hour = order.hour;
	commitment_init(&commitment);
	must(commitment_add(&commitment, &order.hash, order.amount));
	commitment_final(&commitment, &settlement.orders);
	typed_sign(&typed_settlement, &settlement, &office->settings.domain, bench->keys[node], &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_settlement, &settlement, &signature, &w);
	message.settle.settlement = writer_bytes(&w);
	reply_init(&reply, 1);
	must(settle_finish(&work, message.settle.settlement, &order, 1));
	reply_free(&reply);
}

static enum err close_day(struct database *db, void *arg)
{
	const struct bench *bench = arg;

	return usages_close_until(db, bench->office.desk, JANUARY / DAY + bench->day + 1);
}

static void live_day(struct bench *bench, double *ret_closing)
{
	uint64_t start = JANUARY + bench->day * DAY;
	unsigned first = (unsigned)((uint64_t)nodes * bench->day / DAYS);
	double before;

	office_set_clock(&bench->office, start + DAY / 2);
	transact(bench, insert_orders);
	transact(bench, insert_objects);
	for (unsigned i = 0; i < share(nodes, bench->day); i++)
		settle_one(bench, first + i);
	office_set_clock(&bench->office, start + DAY + 600);
	before = bench_now();
	transact(bench, close_day);
	*ret_closing += bench_now() - before;
}

/* The most memory that the process had resident since it was last reset, bytes. */
static double peak_memory(bool reset)
{
	FILE *f = fopen(reset ? "/proc/self/clear_refs" : "/proc/self/status", reset ? "w" : "r");
	char line[256];
	double peak = 0;

	if (f == NULL)
		return 0;
	if (reset)
		fputs("5", f);
	while (!reset && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			peak = strtod(line + 6, NULL) * 1024;
	fclose(f);
	return peak;
}

static void close_month(struct bench *bench)
{
	struct closing closing;
	double start, seconds;
	uint64_t paid = 0;

	office_set_clock(&bench->office, JANUARY + DAYS * DAY + 3600);
	peak_memory(true);
	start = bench_now();
	must(closing_close(bench->office.desk, 202601, clock_wall(), &closing));
	seconds = bench_now() - start;
	for (size_t i = 0; i < closing.count; i++)
		paid += closing.stubs[i].statement.paid;
	bench_say("%zu statements, %.8f tokens paid", closing.count, (double)paid / AMOUNT_TOKEN);
	bench_result("close_month_10m", seconds, "s", 0, BENCH_NO_SHARE);
	bench_result("close_month_10m_peak_bytes", peak_memory(false), "B", 0, BENCH_NO_SHARE);
	closing_free(&closing);
}

static void complain(void *arg, const char *what)
{
	(void)arg;
	fprintf(stderr, "%s\n", what);
}

static void check_books(struct bench *bench)
{
	struct books_checked checked;
	double start = bench_now();

	peak_memory(true);
	must(books_check(bench->office.desk, complain, NULL, &checked));
	bench_say("checked: %llu orders, %llu pieces, %llu entries", (unsigned long long)checked.settled,
		  (unsigned long long)checked.pieces, (unsigned long long)checked.entries);
	bench_result("check_books_10m", bench_now() - start, "s", 0, BENCH_NO_SHARE);
	bench_result("check_books_10m_peak_bytes", peak_memory(false), "B", 0, BENCH_NO_SHARE);
	if (checked.wrong > 0)
		abort();
}

int main(int argc, char **argv)
{
	struct bench *bench = memory_new(1, sizeof(*bench));
	unsigned divisor = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
	double days = 0, start = bench_now();

	nodes /= divisor;
	objects /= divisor;
	bench->addresses = memory_new(nodes, sizeof(*bench->addresses));
	bench->keys = memory_new(nodes, sizeof(*bench->keys));
	office_open(&bench->office, "29/52/80/110");
	office_set_clock(&bench->office, JANUARY);
	must(pricing_publish(bench->office.desk));
	transact(bench, insert_nodes);
	for (bench->day = 0; bench->day < DAYS; bench->day++)
		live_day(bench, &days);
	bench_say("%u nodes lived a month with %u orders each and %u pieces in all, in %.0f s", nodes, orders_of_node,
		  objects * PIECES_OF_OBJECT, bench_now() - start);
	bench_result("close_day_10k_nodes", days / DAYS, "s", 0, BENCH_NO_SHARE);
	/* The nodes' keys lie in locked memory, which is no part of what closing takes. */
	for (unsigned i = 0; i < nodes; i++)
		key_free(bench->keys[i]);
	close_month(bench);
	check_books(bench);
	office_close(&bench->office);
	free(bench->keys);
	free(bench->addresses);
	free(bench);
	return 0;
}
