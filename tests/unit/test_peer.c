/*
 * Peers: HELLO, routing by request number, what is refused and how, deadlines, and calls that wait. The other end is
 * raw, so it can say anything; where two honest ends are wanted, both are peers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/peer.h"
#include "tests/kit/wire.h"

#define MOST_ASKS 64

static const struct msg_hello hello = {MESSAGE_VERSION, 0, 31337, {{0}}};

/* A peer under test and what happened to it. */
struct side {
	struct peer *peer;
	bool ready, closed;
	enum err err;
	char why[200];
	unsigned requests;
	struct message last; /* request; its views are dead */
	/* answers */
	uint32_t asked[MOST_ASKS];
	uint64_t answers[MOST_ASKS]; /* the last number echoed to each ask */
	enum err failures[MOST_ASKS];
	unsigned answered, failed, errors;
	bool forget_after_one, answer_late, ask_again;
};

struct fixture {
	struct event_base *base;
	struct key *ours, *theirs;
	struct side side;
	struct wire wire;
	uint8_t bytes[NOISE_MESSAGE + NOISE_TAG]; /* of the last message that the raw end received */
};

static void on_ready(struct peer *peer, const struct msg_hello *theirs, void *arg)
{
	struct side *side = arg;

	assert_false(side->ready);
	assert_ptr_equal(theirs, peer_hello(peer));
	side->ready = true;
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct side *side = arg;

	(void)peer;
	side->requests++;
	side->last = *message;
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct side *side = arg;

	(void)peer;
	assert_false(side->closed);
	side->closed = true;
	side->err = err;
	snprintf(side->why, sizeof(side->why), "%s", why);
}

static const struct peer_events events = {on_ready, on_request, NULL, on_closed};
static const struct peer_events deaf_events = {NULL, NULL, NULL, on_closed};

static struct fixture *fixture_new(void)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->base = event_base_new();
	f->ours = key_generate();
	f->theirs = key_generate();
	f->wire.fd = -1;
	return f;
}

static void fixture_free(struct fixture *f)
{
	if (f->wire.fd >= 0)
		wire_close(&f->wire);
	if (f->side.peer != NULL && !f->side.closed) {
		if (peer_channel(f->side.peer) != NULL)
			channel_abort(peer_channel(f->side.peer));
		wire_run_until(f->base, &f->side.closed);
	}
	event_base_free(f->base);
	key_free(f->ours);
	key_free(f->theirs);
	free(f);
}

/* The raw end sends, receives. */

static void tell(struct fixture *f, const struct message *message)
{
	uint8_t bytes[2048];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	message_encode(message, &w);
	assert_int_equal(w.err, ERR_OK);
	wire_send(&f->wire, writer_bytes(&w));
}

static void tell_ping(struct fixture *f, uint32_t request, uint64_t at)
{
	const struct message ping = {.type = MSG_PING, .request = request, .ping = {at}};

	tell(f, &ping);
}

static void tell_pong(struct fixture *f, uint32_t request, uint64_t at)
{
	const struct message pong = {.type = MSG_PONG, .request = request, .pong = {at}};

	tell(f, &pong);
}

static void tell_empty(struct fixture *f, uint16_t type, uint32_t request)
{
	const struct message message = {.type = type, .request = request};

	tell(f, &message);
}

static void tell_error(struct fixture *f, uint32_t request, enum refusal code, const char *text)
{
	const struct message error = {
		.type = MSG_ERROR, .request = request, .error = {(uint16_t)code, bytes_of_text(text)}};

	tell(f, &error);
}

static void tell_hello(struct fixture *f)
{
	const struct message message = {.type = MSG_HELLO, .hello = hello};

	tell(f, &message);
}

/* The next message from the peer under test; views in it live until the next. */
static struct message hear(struct fixture *f)
{
	struct message message;
	const char *why;
	long len = wire_receive(&f->wire, f->bytes);

	assert_true(len >= 0);
	assert_int_equal(message_decode(bytes_of(f->bytes, (size_t)len), &message, &why), REFUSAL_NONE);
	return message;
}

static void hear_error(struct fixture *f, uint32_t request, enum refusal code)
{
	struct message message = hear(f);

	assert_int_equal(message.type, MSG_ERROR);
	assert_int_equal(message.request, request);
	assert_int_equal(message.error.code, code);
	assert_true(message.error.text.len > 0);
}

static void expect_closed(struct fixture *f, enum err err)
{
	assert_true(wire_at_end(&f->wire));
	wire_close(&f->wire);
	wire_run_until(f->base, &f->side.closed);
	assert_int_equal(f->side.err, err);
}

/* A peer that accepted, its HELLO heard, ours not yet sent. */
static struct fixture *accept_silently(const struct channel_limits *limits, const struct peer_events *with)
{
	struct fixture *f = fixture_new();
	int fd = wire_pair(&f->wire, f->base);
	struct message message;

	f->side.peer = peer_accept(f->base, f->ours, fd, limits, &hello, with, &f->side);
	assert_true(wire_initiate(&f->wire, f->theirs, key_id(f->ours)));
	message = hear(f);
	assert_int_equal(message.type, MSG_HELLO);
	assert_int_equal(message.request, 0);
	assert_int_equal(message.hello.chain_id, 31337);
	return f;
}

static struct fixture *accept_politely(const struct channel_limits *limits)
{
	struct fixture *f = accept_silently(limits, &events);

	assert_null(peer_hello(f->side.peer));
	tell_hello(f);
	wire_run_until(f->base, &f->side.ready);
	return f;
}

static struct fixture *connecting(const struct channel_limits *limits)
{
	struct fixture *f = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);

	at.id = *key_id(f->theirs);
	f->side.peer = peer_connect(f->base, f->ours, &at, limits, &hello, &events, &f->side);
	wire_accept(&f->wire, f->base, listening);
	close(listening);
	return f;
}

/* Asks of the peer under test. */

static void on_answer(struct peer *peer, const struct message *message, enum err err, void *arg)
{
	struct side *side = arg;
	struct message again = {.type = MSG_PING};
	unsigned index = 0;

	if (message == NULL) {
		side->failures[side->failed++] = err;
		if (side->ask_again && side->failed < 3)
			peer_ask(peer, &again, 20, on_answer, side);
		return;
	}
	assert_int_equal(err, ERR_OK);
	side->answered++;
	side->errors += message->type == MSG_ERROR;
	while (index < MOST_ASKS - 1 && side->asked[index] != message->request)
		index++;
	assert_int_equal(side->asked[index], message->request);
	if (message->type == MSG_PONG)
		side->answers[index] = message->pong.at;
	if (side->forget_after_one)
		peer_forget(peer, message->request);
}

static uint32_t ask(struct fixture *f, unsigned index, unsigned timeout_ms)
{
	struct message ping = {.type = MSG_PING, .ping = {index}};

	f->side.asked[index] = peer_ask(f->side.peer, &ping, timeout_ms, on_answer, &f->side);
	assert_int_equal(ping.request, f->side.asked[index]);
	return ping.request;
}

static void test_hello_both_ways(void **state)
{
	struct fixture *f = accept_politely(NULL);

	(void)state;
	assert_int_equal(peer_hello(f->side.peer)->chain_id, 31337);
	wire_close(&f->wire);
	wire_run_until(f->base, &f->side.closed);
	assert_int_equal(f->side.err, ERR_CLOSED);
	fixture_free(f);
}

static void test_no_hello_first(void **state)
{
	struct fixture *f = accept_silently(NULL, &events);

	(void)state;
	tell_ping(f, 7, 1);
	hear_error(f, 7, REFUSAL_PROTOCOL);
	expect_closed(f, ERR_PROTOCOL);
	fixture_free(f);
}

static void test_hello_twice(void **state)
{
	struct fixture *f = accept_politely(NULL);

	(void)state;
	tell_hello(f);
	hear_error(f, 0, REFUSAL_PROTOCOL);
	expect_closed(f, ERR_PROTOCOL);
	fixture_free(f);
}

static void test_other_version(void **state)
{
	struct fixture *f = accept_silently(NULL, &events);
	struct message message = {.type = MSG_HELLO, .hello = hello};

	(void)state;
	message.hello.version = MESSAGE_VERSION + 1;
	tell(f, &message);
	hear_error(f, 0, REFUSAL_VERSION);
	expect_closed(f, ERR_UNSUPPORTED);
	assert_false(f->side.ready);
	fixture_free(f);
}

static void test_ping_is_answered(void **state)
{
	struct fixture *f = accept_politely(NULL);
	struct message message;

	(void)state;
	tell_ping(f, 123456789, 42);
	message = hear(f);
	assert_int_equal(message.type, MSG_PONG);
	assert_int_equal(message.request, 123456789);
	assert_int_equal(message.pong.at, 42);
	assert_int_equal(f->side.requests, 0);
	fixture_free(f);
}

static void test_requests_reach_the_handler(void **state)
{
	struct fixture *f = accept_politely(NULL);
	static const uint32_t numbers[] = {1, 2, 0x7fffffff, 0x80000001, UINT32_MAX};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		tell_empty(f, MSG_LIST_BUCKETS, numbers[i]);
		while (f->side.requests == i)
			event_base_loop(f->base, EVLOOP_ONCE);
		assert_int_equal(f->side.last.type, MSG_LIST_BUCKETS);
		assert_int_equal(f->side.last.request, numbers[i]);
	}
	peer_refuse(f->side.peer, 9, REFUSAL_FULL, NULL);
	hear_error(f, 9, REFUSAL_FULL);
	peer_refuse(f->side.peer, 9, REFUSAL_RANGE, "offset %d", 5);
	assert_true(bytes_equal(hear(f).error.text, bytes_of_text("offset 5")));
	fixture_free(f);
}

/* Whatever text a refusal is given, a message comes of it. */
static void test_refusal_texts(void **state)
{
	struct fixture *f = accept_politely(NULL);
	char text[1200];

	(void)state;
	peer_refuse(f->side.peer, 1, REFUSAL_NAME, "name %s", "with a \x1b[0m in it");
	assert_true(bytes_equal(hear(f).error.text, bytes_of_text("name with a ")));
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	peer_refuse(f->side.peer, 1, REFUSAL_NAME, "x%s", text); /* cut within a character */
	assert_int_equal(hear(f).error.text.len, 499);
	fixture_free(f);
}

static void test_deaf_peer(void **state)
{
	struct fixture *f = accept_silently(NULL, &deaf_events);

	(void)state;
	tell_hello(f);
	tell_empty(f, MSG_LIST_BUCKETS, 3);
	hear_error(f, 3, REFUSAL_DENIED);
	fixture_free(f);
}

static void test_unknown_types(void **state)
{
	static const uint8_t odd[] = {0x7f, 0xff, 0, 0, 0, 5, 'x'}, even[] = {0x7f, 0xfe, 0, 0, 0, 6, 'x'};
	struct fixture *f = accept_politely(NULL);

	(void)state;
	wire_send(&f->wire, bytes_of(odd, sizeof(odd)));
	tell_ping(f, 1, 0);
	assert_int_equal(hear(f).type, MSG_PONG); /* nothing happened */
	wire_send(&f->wire, bytes_of(even, sizeof(even)));
	hear_error(f, 6, REFUSAL_UNKNOWN_TYPE);
	expect_closed(f, ERR_PROTOCOL);
	fixture_free(f);
}

static void expect_refused(const void *bytes, size_t len, uint32_t request, enum refusal code)
{
	struct fixture *f = accept_politely(NULL);

	wire_send(&f->wire, bytes_of(bytes, len));
	hear_error(f, request, code);
	expect_closed(f, ERR_PROTOCOL);
	fixture_free(f);
}

static void test_broken_messages(void **state)
{
	static uint8_t oversized[NOISE_MESSAGE] = {0, MSG_PING, 0, 0, 0, 7};
	static const uint8_t short_ping[] = {0, MSG_PING, 0, 0, 0, 7, 1, 2, 3};
	static const uint8_t long_ping[] = {0, MSG_PING, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9};

	(void)state;
	expect_refused("", 0, 0, REFUSAL_MALFORMED);
	expect_refused("\0\6\0", 3, 0, REFUSAL_MALFORMED);
	expect_refused(short_ping, sizeof(short_ping), 7, REFUSAL_MALFORMED);
	expect_refused(long_ping, sizeof(long_ping), 7, REFUSAL_MALFORMED);
	expect_refused(oversized, sizeof(oversized), 7, REFUSAL_TOO_LONG);
}

/* Asked before there is a connection, answered out of order, interleaved, some twice. */
static void test_pipelined_asks(void **state)
{
	enum { COUNT = 20 };
	struct fixture *f = connecting(NULL);

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(ask(f, i, 0), i + 1);
	assert_true(wire_respond(&f->wire, f->theirs));
	assert_int_equal(hear(f).type, MSG_HELLO);
	tell_hello(f);
	for (unsigned i = 0; i < COUNT; i++) {
		struct message message = hear(f);

		assert_int_equal(message.type, MSG_PING);
		assert_int_equal(message.request, i + 1);
		assert_int_equal(message.ping.at, i);
	}
	for (unsigned i = COUNT; i > 0; i--)
		tell_pong(f, i, i);
	tell_pong(f, 5, 500);
	while (f->side.answered < COUNT + 1)
		event_base_loop(f->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(f->side.answers[i], i == 4 ? 500 : i + 1);
	fixture_free(f);
}

static void test_forgotten_and_late(void **state)
{
	struct fixture *f = accept_politely(NULL);
	uint32_t first;

	(void)state;
	first = ask(f, 0, 0);
	assert_int_equal(first, 0x80000001u);
	assert_int_equal(hear(f).request, first);
	f->side.forget_after_one = true;
	tell_pong(f, first, 1);
	tell_pong(f, first, 2);				/* late: dropped */
	tell_empty(f, MSG_DONE, first);			/* late: not a request either */
	tell_error(f, first, REFUSAL_INTERNAL, "late"); /* nor this */
	tell_ping(f, 1, 0);
	assert_int_equal(hear(f).type, MSG_PONG);
	assert_int_equal(f->side.answered, 1);
	assert_int_equal(f->side.answers[0], 1);
	assert_int_equal(f->side.requests, 0);
	peer_forget(f->side.peer, first);
	peer_forget(f->side.peer, 4711);
	fixture_free(f);
}

static void test_error_ends_an_ask(void **state)
{
	struct fixture *f = accept_politely(NULL);
	uint32_t request = ask(f, 0, 0);

	(void)state;
	hear(f);
	tell_error(f, request, REFUSAL_FULL, "no");
	tell_pong(f, request, 2);
	tell_ping(f, 1, 0);
	assert_int_equal(hear(f).type, MSG_PONG);
	assert_int_equal(f->side.answered, 1);
	assert_int_equal(f->side.errors, 1);
	assert_false(f->side.closed);
	fixture_free(f);
}

static void test_asks_end_with_the_channel(void **state)
{
	struct fixture *f = accept_politely(NULL);

	(void)state;
	ask(f, 0, 0);
	ask(f, 1, 1000000);
	wire_close(&f->wire);
	wire_run_until(f->base, &f->side.closed);
	assert_int_equal(f->side.failed, 2);
	assert_int_equal(f->side.failures[0], ERR_CLOSED);
	assert_int_equal(f->side.failures[1], ERR_CLOSED);
	fixture_free(f);
}

/* The handler of a failed ask asks again, twice; all three run out of time, a fourth stays. */
static void test_ask_timeout(void **state)
{
	struct fixture *f = accept_politely(NULL);

	(void)state;
	f->side.ask_again = true;
	ask(f, 0, 0);
	ask(f, 1, 20);
	while (f->side.failed < 3)
		event_base_loop(f->base, EVLOOP_ONCE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->side.failures[i], ERR_TIMEOUT);
	assert_false(f->side.closed);
	f->side.ask_again = false;
	fixture_free(f);
}

static void test_farewell(void **state)
{
	struct fixture *f = accept_politely(NULL);

	(void)state;
	tell_error(f, 0, REFUSAL_SHUTDOWN, "going to bed");
	expect_closed(f, ERR_BUSY);
	assert_string_equal(f->side.why, "going to bed");
	fixture_free(f);

	f = accept_politely(NULL);
	tell_error(f, 0, REFUSAL_NONE, "no error at all"); /* a liar's code must not read as success */
	expect_closed(f, ERR_REMOTE);
	fixture_free(f);
}

static void test_first_request_deadline(void **state)
{
	const struct channel_limits limits = {.handshake_ms = 5000, .first_ms = 20};
	struct fixture *f = accept_silently(&limits, &events);

	(void)state;
	hear_error(f, 0, REFUSAL_TIMEOUT); /* not even HELLO */
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);

	f = accept_politely(&limits);
	hear_error(f, 0, REFUSAL_TIMEOUT); /* HELLO alone is no request */
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);

	f = connecting(&limits);
	assert_true(wire_respond(&f->wire, f->theirs));
	assert_int_equal(hear(f).type, MSG_HELLO);
	hear_error(f, 0, REFUSAL_TIMEOUT);
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);
}

/* What cannot be sent closes the peer rather than leave the other side waiting. */
static void test_unsendable(void **state)
{
	struct fixture *f = accept_politely(NULL);
	struct message message = {.type = MSG_MAKE_BUCKET, .request = 1};

	(void)state;
	message.bucket.bucket = bytes_of_text("sixty-four-characters-are-one-more-than-the-table-allows-for-it.");
	peer_send(f->side.peer, &message);
	expect_closed(f, ERR_RANGE);
	fixture_free(f);
}

/* Two honest ends. */

struct pair {
	struct fixture *a;
	struct side b;
};

static void on_served(struct peer *peer, const struct message *message, void *arg)
{
	struct side *side = arg;
	struct message answer = {.type = MSG_BUCKETS, .request = message->request};

	side->requests++;
	if (message->type == MSG_REMOVE_BUCKET) {
		peer_refuse(peer, message->request, REFUSAL_NOT_EMPTY, "it holds 3 objects");
	} else if (message->type == MSG_MAKE_BUCKET) {
		channel_close(peer_channel(peer));
	} else if (message->type == MSG_LIST_BUCKETS) {
		for (int i = 0; i < 40; i++) {
			answer.buckets.last = i == 39;
			peer_send(peer, &answer);
		}
	} else if (message->type == MSG_GET_OBJECT) {
		peer_refuse(peer, message->request, REFUSAL_NONE, "a refusal that is none");
		channel_close(peer_channel(peer));
	}
}

static const struct peer_events serving = {on_ready, on_served, NULL, on_closed};

static struct pair *pair_new(void)
{
	struct pair *p = memory_new(1, sizeof(*p));
	struct fixture *f = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);

	p->a = f;
	at.id = *key_id(f->theirs);
	f->side.peer = peer_connect(f->base, f->ours, &at, NULL, &hello, &events, &f->side);
	wire_accept(&f->wire, f->base, listening);
	close(listening);
	p->b.peer = peer_accept(f->base, f->theirs, f->wire.fd, NULL, &hello, &serving, &p->b);
	f->wire.fd = -1;
	return p;
}

static void pair_free(struct pair *p)
{
	if (!p->a->side.closed)
		peer_finish(p->a->side.peer);
	assert_true(p->a->side.closed);
	wire_run_until(p->a->base, &p->b.closed);
	fixture_free(p->a);
	free(p);
}

static enum err call(struct pair *p, uint16_t type, struct message *ret)
{
	struct message message = {.type = type};

	if (type == MSG_PING)
		message.ping.at = 77;
	return peer_call(p->a->side.peer, &message, type == MSG_COMMIT_OBJECT ? 20 : 5000, ret);
}

static void test_call(void **state)
{
	struct pair *p = pair_new();
	struct message answer;
	unsigned parts = 1;

	(void)state;
	assert_int_equal(call(p, MSG_PING, &answer), ERR_OK);
	assert_int_equal(answer.pong.at, 77);
	assert_int_equal(call(p, MSG_REMOVE_BUCKET, &answer), ERR_CONFLICT);
	assert_int_equal(answer.error.code, REFUSAL_NOT_EMPTY);
	assert_true(bytes_equal(answer.error.text, bytes_of_text("it holds 3 objects")));
	/* More parts than are kept at once. */
	assert_int_equal(call(p, MSG_LIST_BUCKETS, &answer), ERR_OK);
	while (!answer.buckets.last) {
		assert_int_equal(peer_call_next(p->a->side.peer, 5000, &answer), ERR_OK);
		parts++;
	}
	assert_int_equal(parts, 40);
	assert_int_equal(call(p, MSG_COMMIT_OBJECT, &answer), ERR_TIMEOUT); /* nobody answers that one */
	assert_int_equal(peer_call_next(p->a->side.peer, 20, &answer), ERR_TIMEOUT);
	assert_int_equal(call(p, MSG_PING, &answer), ERR_OK);
	pair_free(p);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

/* Whoever waits for a silent peer can be called off, and the peer too is gone at once then. */
static void test_call_broken_off(void **state)
{
	const struct timeval soon = {0, 1000};
	struct pair *p = pair_new();
	struct message answer;
	struct event *impatience = event_new(p->a->base, -1, EV_PERSIST, on_impatience, p->a->base);
	struct message message = {.type = MSG_COMMIT_OBJECT};

	(void)state;
	assert_int_equal(call(p, MSG_PING, &answer), ERR_OK);
	assert_int_equal(event_add(impatience, &soon), 0);
	assert_int_equal(peer_call(p->a->side.peer, &message, 600000, &answer), ERR_CANCELLED);
	peer_finish(p->a->side.peer);
	event_free(impatience);
	pair_free(p);
}

/* The other side hangs up while we wait: the peer stays valid until the loop runs again. */
static void test_call_and_hang_up(void **state)
{
	struct pair *p = pair_new();
	struct message answer;

	(void)state;
	assert_int_equal(call(p, MSG_MAKE_BUCKET, &answer), ERR_CLOSED);
	assert_false(p->a->side.closed);
	assert_null(peer_channel(p->a->side.peer));
	assert_int_equal(call(p, MSG_PING, &answer), ERR_CLOSED);
	assert_int_equal(peer_call_next(p->a->side.peer, 5000, &answer), ERR_CLOSED);
	assert_false(p->a->side.closed);
	pair_free(p);

	/* An answer that came before the end is not lost, and a refusal without a reason is no success. */
	p = pair_new();
	assert_int_equal(call(p, MSG_GET_OBJECT, &answer), ERR_REMOTE);
	assert_true(bytes_equal(answer.error.text, bytes_of_text("a refusal that is none")));
	pair_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_both_ways),
		cmocka_unit_test(test_no_hello_first),
		cmocka_unit_test(test_hello_twice),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_ping_is_answered),
		cmocka_unit_test(test_requests_reach_the_handler),
		cmocka_unit_test(test_refusal_texts),
		cmocka_unit_test(test_deaf_peer),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_broken_messages),
		cmocka_unit_test(test_pipelined_asks),
		cmocka_unit_test(test_forgotten_and_late),
		cmocka_unit_test(test_error_ends_an_ask),
		cmocka_unit_test(test_asks_end_with_the_channel),
		cmocka_unit_test(test_ask_timeout),
		cmocka_unit_test(test_farewell),
		cmocka_unit_test(test_first_request_deadline),
		cmocka_unit_test(test_unsendable),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_broken_off),
		cmocka_unit_test(test_call_and_hang_up),
	};

	alarm(120); /* a test that waits for ever is a failure too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
