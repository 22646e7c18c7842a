/*
 * A running satellite over real channels: who may ask what, check-in with the dial-back to a real node, settlement in
 * parts, requests at once, and how it stops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/serial.h"
#include "payments/settlement.h"
#include "satellite/clients.h"
#include "satellite/server.h"
#include "satellite/settle.h"
#include "tests/kit/farm.h"
#include "tests/kit/office.h"

#define ANSWER_MS 20000

struct fixture {
	struct office office; /* the satellite's key and database; its desk is the test's own */
	struct farm farm;     /* a node; its base is where this test's peers live */
	struct loop *loop;    /* the server's */
	struct server *server;
	struct endpoint endpoint;
	bool stopped;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct hostport at = {"127.0.0.1", 0};
	struct server_options options = {.settings = &f->office.settings, .listen = &at};
	char why[200] = "";

	farm_new(&f->farm, UINT64_C(1) << 30);
	office_open(&f->office, "1/1/1/1");
	options.key = f->office.key;
	f->loop = loop_new();
	assert_int_equal(server_new(f->loop, &options, &f->server, why, sizeof(why)), ERR_OK);
	f->endpoint = (struct endpoint){*key_id(f->office.key), *server_at(f->server)};
	loop_start(f->loop, "server");
	*state = f;
	return 0;
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void stop_server(void *arg)
{
	struct fixture *f = arg;

	server_stop(f->server, stop_loop, f->loop);
}

static void stop(struct fixture *f)
{
	if (!f->stopped) {
		loop_post(f->loop, stop_server, f);
		loop_join(f->loop);
	}
	f->stopped = true;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	stop(f);
	server_free(f->server);
	loop_free(f->loop);
	office_close(&f->office);
	farm_free(&f->farm);
	free(f);
	return 0;
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	bool *closed = arg;

	(void)peer;
	(void)err;
	(void)why;
	if (closed != NULL)
		*closed = true;
}

/* `closed` (may be NULL) becomes true with the end of the peer. */
static struct peer *dial_until(struct fixture *f, const struct key *who, bool *closed)
{
	static const struct peer_events events = {.closed = on_closed};
	static const struct msg_hello hello = {.version = MESSAGE_VERSION};

	return peer_connect(f->farm.base, who, &f->endpoint, &channel_default_limits, &hello, &events, closed);
}

static struct peer *dial(struct fixture *f, const struct key *who)
{
	return dial_until(f, who, NULL);
}

/* Ask; the refusal's code, or REFUSAL_NONE with the first answer. */
static enum refusal ask(struct peer *peer, struct message *message, struct message *ret)
{
	enum err err = peer_call(peer, message, ANSWER_MS, ret);

	if (err == ERR_OK)
		return REFUSAL_NONE;
	assert_int_equal(ret->type, MSG_ERROR);
	return (enum refusal)ret->error.code;
}

static void test_domain_in_hello(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = dial(f, f->office.client);
	struct message list = {.type = MSG_LIST_BUCKETS}, answer;

	assert_int_equal(ask(peer, &list, &answer), REFUSAL_NONE);
	assert_int_equal(peer_hello(peer)->chain_id, SETTINGS_TEST_CHAIN);
	assert_true(address_is_zero(&peer_hello(peer)->contract));
	peer_finish(peer);
}

static void test_who_may_ask(void **state)
{
	struct fixture *f = *state;
	struct key *stranger = key_generate();
	struct peer *peer = dial(f, stranger);
	struct message list = {.type = MSG_LIST_BUCKETS}, put = {.type = MSG_PUT}, orders = {.type = MSG_SETTLE_ORDERS};
	struct message enrol = {.type = MSG_ENROL}, settle = {.type = MSG_SETTLE}, done = {.type = MSG_DONE}, answer;
	uint8_t code[CLIENTS_CODE];

	assert_int_equal(ask(peer, &list, &answer), REFUSAL_CLIENT_UNKNOWN);
	assert_int_equal(ask(peer, &put, &answer), REFUSAL_PROTOCOL);
	assert_int_equal(ask(peer, &done, &answer), REFUSAL_PROTOCOL);
	assert_int_equal(ask(peer, &orders, &answer), REFUSAL_PROTOCOL);
	assert_int_equal(ask(peer, &settle, &answer), REFUSAL_MALFORMED);
	assert_int_equal(clients_grant(f->office.desk->db, clock_wall(), 60, code), ERR_OK);
	enrol.enrol.code = bytes_of(code, sizeof(code));
	assert_int_equal(ask(peer, &enrol, &answer), REFUSAL_NONE);
	assert_int_equal(answer.type, MSG_DONE);
	assert_int_equal(ask(peer, &list, &answer), REFUSAL_NONE);
	assert_int_equal(answer.type, MSG_BUCKETS);
	peer_finish(peer);
	key_free(stranger);
}

static struct message check_in(const char *endpoint)
{
	return (struct message){.type = MSG_CHECK_IN,
				.check_in = {.version = bytes_of_text("1"),
					     .endpoint = bytes_of_text(endpoint),
					     .allocated = 1000000000,
					     .available = 1000000000}};
}

struct codes {
	unsigned answered;
	unsigned busy;
};

static void count_answers(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct codes *codes = arg;

	(void)peer;
	(void)err;
	if (message == NULL)
		return; /* the end of the connection, later */
	codes->answered++;
	if (message->type == MSG_ERROR && message->error.code == REFUSAL_BUSY)
		codes->busy++;
	else
		assert_int_equal(message->type, MSG_CHECKED_IN);
}

static void test_check_in(void **state)
{
	struct fixture *f = *state;
	struct codes codes = {0, 0};
	struct key *impostor = key_generate();
	struct peer *peer = dial(f, f->farm.node);
	char at[HOSTPORT_TEXT];
	struct message message, answer;

	hostport_print(&f->farm.endpoint.at, at);
	message = check_in(at);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_NONE);
	assert_int_equal(answer.type, MSG_CHECKED_IN);
	assert_int_equal(answer.checked_in.reachable, 1);
	assert_int_equal(answer.checked_in.status, 1);
	assert_in_range(answer.checked_in.time, clock_wall() - 60, clock_wall());
	assert_int_equal(office_number(&f->office,
				       "SELECT COUNT(*) FROM nodes WHERE reachable = 1 AND endpoint = claimed "
				       "AND network = '127.0.0.0/24'"),
			 1);
	peer_finish(peer);
	/* Two at once: one connection back is enough. */
	peer = dial(f, f->farm.node);
	message = check_in(at);
	peer_ask(peer, &message, ANSWER_MS, count_answers, &codes);
	peer_ask(peer, &message, ANSWER_MS, count_answers, &codes);
	while (codes.answered < 2)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_ONCE), 0);
	assert_int_equal(codes.busy, 1);
	peer_finish(peer);
	/* Somebody else's endpoint: the handshake finds another key there. */
	peer = dial(f, impostor);
	message = check_in(at);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_NONE);
	assert_int_equal(answer.checked_in.reachable, 0);
	assert_true(answer.checked_in.reason.len > 0);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM nodes WHERE reachable = 0 AND endpoint = ''"),
			 1);
	peer_finish(peer);
	key_free(impostor);
}

static void test_check_in_refused(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = dial(f, f->farm.node);
	struct payee payee = {.node = *key_address(f->office.client), .payee = {{1}}};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	char at[HOSTPORT_TEXT];
	struct message message = check_in("nowhere"), answer;

	assert_int_equal(ask(peer, &message, &answer), REFUSAL_MALFORMED);
	message = check_in("127.0.0.1:0");
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_MALFORMED);
	hostport_print(&f->farm.endpoint.at, at);
	message = check_in(at);
	message.check_in.available = UINT64_MAX;
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_MALFORMED);
	message.check_in.available = 1;
	message.check_in.payee = bytes_of("payee", 5);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_MALFORMED);
	message.check_in.payee = farm_sign(&f->farm, &typed_payee, &payee, f->farm.node, wire);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_NODE);
	payee.node = *key_address(f->farm.node);
	message.check_in.payee = farm_sign(&f->farm, &typed_payee, &payee, f->office.client, wire);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_SIGNATURE);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM nodes"), 0);
	message.check_in.payee = farm_sign(&f->farm, &typed_payee, &payee, f->farm.node, wire);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_NONE);
	peer_finish(peer);
}

#define ORDERS 40

/* An order of the client, in wire form. */
struct claim {
	struct bytes32 hash;
	uint64_t amount;
	uint8_t allocation[512], order[512];
	struct item_order item;
};

static struct bytes sign(struct fixture *f, const struct fields *type, const void *object, const struct key *key,
			 uint8_t out[512])
{
	struct signature signature;
	struct writer w;

	typed_sign(type, object, &f->office.settings.domain, key, &signature);
	writer_init(&w, out, 512);
	typed_encode(type, object, &signature, &w);
	return writer_bytes(&w);
}

static void make_claim(struct fixture *f, uint8_t n, uint64_t expires, struct claim *ret)
{
	const uint8_t random[28] = {n};
	struct allocation allocation = {.satellite = *key_address(f->office.key),
					.client = *key_address(f->office.client),
					.node = *key_address(f->farm.node),
					.action = ACTION_GET,
					.limit = 100000,
					.issued = expires - 3600,
					.expires = expires};
	struct order order = {.amount = 1000 + n};

	serial_make(expires, random, &allocation.serial);
	typed_hash(&typed_allocation, &allocation, &order.allocation);
	typed_hash(&typed_order, &order, &ret->hash);
	ret->amount = order.amount;
	ret->item.allocation = sign(f, &typed_allocation, &allocation, f->office.key, ret->allocation);
	ret->item.order = sign(f, &typed_order, &order, f->office.client, ret->order);
}

static int by_hash(const void *a, const void *b)
{
	const struct claim *const *x = a, *const *y = b;

	return bytes32_compare(&(*x)->hash, &(*y)->hash);
}

/* What came back for a settlement. */
struct outcome {
	bool done;
	enum refusal code; /* of ERROR */
	uint32_t count;
	uint32_t verdicts[5]; /* how many of each */
	uint64_t bytes;	      /* of Settled */
};

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct outcome *outcome = arg;
	struct signature signature;
	struct settled settled;
	struct reader r;

	if (message == NULL) {
		assert_int_equal(err, ERR_CLOSED);
		outcome->code = REFUSAL_SHUTDOWN;
		outcome->done = true;
	} else if (message->type == MSG_ERROR) {
		outcome->code = (enum refusal)message->error.code;
		outcome->done = true;
	} else if (message->type == MSG_SETTLED) {
		assert_int_equal(typed_decode(&typed_settled, message->settled.settled, &settled, &signature), ERR_OK);
		outcome->bytes = settled.bytes;
		outcome->done = true;
		peer_forget(peer, message->request);
	} else {
		assert_int_equal(message->type, MSG_VERDICTS);
		reader_init(&r, message->verdicts.verdicts.raw);
		for (uint32_t i = 0; i < message->verdicts.verdicts.count; i++, outcome->count++) {
			struct item_verdict item;

			list_next(&item_verdict_fields, &r, &item);
			outcome->verdicts[item.verdict]++;
		}
	}
}

static void send_parts(struct peer *peer, uint32_t request, struct claim *const sorted[ORDERS])
{
	uint8_t items[8192];

	for (int at = 0; at < ORDERS; at += 7) {
		struct message part = {.type = MSG_SETTLE_ORDERS, .request = request};
		uint32_t count = 0;
		struct writer w;

		writer_init(&w, items, sizeof(items));
		for (int i = at; i < ORDERS && i < at + 7; i++, count++)
			fields_encode(&item_order_fields, &sorted[i]->item, &w);
		part.settle_orders.orders = list_of(&w, count);
		part.settle_orders.last = at + 7 >= ORDERS;
		peer_send(peer, &part);
	}
}

/* SETTLE, and the orders in parts of seven; on_answer takes what comes. */
static void settle(struct fixture *f, struct peer *peer, struct claim *const sorted[ORDERS], uint64_t hour,
		   struct outcome *outcome)
{
	struct settlement settlement = {.satellite = *key_address(f->office.key),
					.node = *key_address(f->farm.node),
					.hour = hour,
					.count = ORDERS};
	struct message message = {.type = MSG_SETTLE};
	struct commitment commitment;
	uint8_t wire[512];

	*outcome = (struct outcome){.done = false};
	commitment_init(&commitment);
	for (int i = 0; i < ORDERS; i++)
		assert_int_equal(commitment_add(&commitment, &sorted[i]->hash, sorted[i]->amount), ERR_OK);
	settlement.bytes = commitment.bytes;
	commitment_final(&commitment, &settlement.orders);
	message.settle.settlement = sign(f, &typed_settlement, &settlement, f->farm.node, wire);
	send_parts(peer, peer_ask(peer, &message, ANSWER_MS, on_answer, outcome), sorted);
}

static void wait_for(struct fixture *f, const bool *done)
{
	while (!*done)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_ONCE), 0);
}

/* The claims, and pointers to them sorted by their hashes. */
static uint64_t make_claims(struct fixture *f, struct claim claims[ORDERS], struct claim *sorted[ORDERS])
{
	uint64_t expires = clock_wall() / 3600 * 3600 + 1800;

	for (uint8_t i = 0; i < ORDERS; i++) {
		make_claim(f, i, expires, &claims[i]);
		sorted[i] = &claims[i];
	}
	qsort(sorted, ORDERS, sizeof(sorted[0]), by_hash);
	return expires / 3600;
}

static void register_node(struct fixture *f)
{
	struct peer *peer = dial(f, f->farm.node);
	char at[HOSTPORT_TEXT];
	struct message message, answer;

	hostport_print(&f->farm.endpoint.at, at);
	message = check_in(at);
	assert_int_equal(ask(peer, &message, &answer), REFUSAL_NONE);
	peer_finish(peer);
}

/* Two connections of one node settle the same orders, then one again: all is counted once. */
static void test_settlement_in_parts(void **state)
{
	struct fixture *f = *state;
	struct claim *claims = calloc(ORDERS, sizeof(*claims)), *sorted[ORDERS];
	uint64_t hour = make_claims(f, claims, sorted);
	struct peer *first = dial(f, f->farm.node), *second = dial(f, f->farm.node);
	struct outcome a, b;
	const uint64_t sum = ORDERS * 1000 + ORDERS * (ORDERS - 1) / 2;

	settle(f, first, sorted, hour, &a);
	wait_for(f, &a.done);
	assert_int_equal(a.code, REFUSAL_DENIED); /* never checked in */
	register_node(f);
	settle(f, first, sorted, hour, &a);
	settle(f, second, sorted, hour, &b);
	wait_for(f, &a.done);
	wait_for(f, &b.done);
	assert_int_equal(a.count, ORDERS);
	assert_int_equal(b.count, ORDERS);
	assert_int_equal(a.verdicts[VERDICT_SETTLED] + b.verdicts[VERDICT_SETTLED], ORDERS);
	assert_int_equal(a.verdicts[VERDICT_ALREADY] + b.verdicts[VERDICT_ALREADY], ORDERS);
	assert_int_equal(a.bytes, sum);
	assert_int_equal(b.bytes, sum);
	settle(f, first, sorted, hour, &a);
	wait_for(f, &a.done);
	assert_int_equal(a.verdicts[VERDICT_ALREADY], ORDERS);
	assert_int_equal(office_number(&f->office, "SELECT SUM(bytes) FROM traffic"), sum);
	assert_int_equal(office_number(&f->office, "SELECT SUM(orders) FROM traffic"), ORDERS);
	peer_finish(first);
	peer_finish(second);
	free(claims);
}

static void test_malformed_part(void **state)
{
	struct fixture *f = *state;
	struct claim *claims = calloc(ORDERS, sizeof(*claims)), *sorted[ORDERS];
	uint64_t hour = make_claims(f, claims, sorted);
	struct peer *peer;
	struct outcome outcome;

	register_node(f);
	peer = dial(f, f->farm.node);
	sorted[ORDERS / 2]->item.order.len--;
	settle(f, peer, sorted, hour, &outcome);
	wait_for(f, &outcome.done);
	assert_int_equal(outcome.code, REFUSAL_MALFORMED);
	/* The channel is good for another try. */
	sorted[ORDERS / 2]->item.order.len++;
	settle(f, peer, sorted, hour, &outcome);
	wait_for(f, &outcome.done);
	assert_int_equal(outcome.code, REFUSAL_NONE);
	assert_int_equal(outcome.verdicts[VERDICT_SETTLED], ORDERS);
	peer_finish(peer);
	free(claims);
}

/* A node hangs up while its orders are being checked; the satellite goes on. */
static void test_hang_up_in_the_middle(void **state)
{
	struct fixture *f = *state;
	struct claim *claims = calloc(ORDERS, sizeof(*claims)), *sorted[ORDERS];
	uint64_t hour = make_claims(f, claims, sorted);
	struct outcome outcome;
	struct peer *peer;

	register_node(f);
	for (int i = 0; i < 5; i++) {
		peer = dial(f, f->farm.node);
		settle(f, peer, sorted, hour, &outcome);
		for (int turn = 0; turn < 4 * i && !outcome.done; turn++)
			event_base_loop(f->farm.base, EVLOOP_ONCE);
		if (peer_channel(peer) != NULL)
			channel_abort(peer_channel(peer));
		event_base_loop(f->farm.base, EVLOOP_NONBLOCK);
	}
	peer = dial(f, f->farm.node);
	settle(f, peer, sorted, hour, &outcome);
	wait_for(f, &outcome.done);
	assert_int_equal(outcome.bytes, ORDERS * 1000 + ORDERS * (ORDERS - 1) / 2);
	peer_finish(peer);
	free(claims);
}

/* More requests than are worked on at once, sent without waiting: each is answered once. */
#define PIPELINED 100

struct counted {
	unsigned answers[PIPELINED];
	unsigned total;
	uint32_t first;
	bool done;
};

static void on_bucket(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct counted *counted = arg;

	assert_int_equal(err, ERR_OK);
	assert_int_equal(message->type, MSG_DONE);
	counted->answers[message->request - counted->first]++;
	counted->done = ++counted->total == PIPELINED;
	peer_forget(peer, message->request);
}

static void test_many_requests_at_once(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = dial(f, f->office.client);
	struct counted counted = {.total = 0};

	for (unsigned i = 0; i < PIPELINED; i++) {
		char name[16];
		struct message message = {.type = MSG_MAKE_BUCKET};
		uint32_t request;

		snprintf(name, sizeof(name), "bucket-%u", i);
		message.bucket.bucket = bytes_of_text(name);
		request = peer_ask(peer, &message, ANSWER_MS, on_bucket, &counted);
		if (i == 0)
			counted.first = request;
	}
	wait_for(f, &counted.done);
	for (unsigned i = 0; i < PIPELINED; i++)
		assert_int_equal(counted.answers[i], 1);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM buckets"), PIPELINED);
	peer_finish(peer);
}

static void on_last(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct outcome *outcome = arg;

	outcome->done = true;
	outcome->code = message == NULL ? REFUSAL_SHUTDOWN : REFUSAL_NONE;
	if (message != NULL && message->type == MSG_ERROR)
		outcome->code = (enum refusal)message->error.code;
	else if (message != NULL)
		peer_forget(peer, message->request);
	else
		assert_int_equal(err, ERR_CLOSED);
}

/* What the satellite has begun is answered; what it has not is not done, and is not said to be. */
static void test_stop_while_busy(void **state)
{
	struct fixture *f = *state;
	bool closed = false, idle_closed = false;
	struct peer *peer = dial_until(f, f->office.client, &closed);
	struct peer *idle = dial_until(f, f->farm.node, &idle_closed);
	struct message list = {.type = MSG_LIST_BUCKETS}, answer;
	struct message make = {.type = MSG_MAKE_BUCKET, .bucket = {bytes_of_text("last")}};
	struct outcome outcome = {.done = false};

	assert_int_equal(ask(peer, &list, &answer), REFUSAL_NONE);
	assert_int_equal(ask(idle, &list, &answer), REFUSAL_CLIENT_UNKNOWN);
	peer_ask(peer, &make, ANSWER_MS, on_last, &outcome);
	event_base_loop(f->farm.base, EVLOOP_NONBLOCK);
	stop(f);
	wait_for(f, &outcome.done);
	assert_true(outcome.code == REFUSAL_NONE || outcome.code == REFUSAL_SHUTDOWN);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM buckets"), outcome.code == REFUSAL_NONE);
	/* It has hung up on both. */
	wait_for(f, &closed);
	wait_for(f, &idle_closed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_domain_in_hello),	  TEST(test_who_may_ask),	    TEST(test_check_in),
		TEST(test_check_in_refused),	  TEST(test_settlement_in_parts),   TEST(test_malformed_part),
		TEST(test_hang_up_in_the_middle), TEST(test_many_requests_at_once), TEST(test_stop_while_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
