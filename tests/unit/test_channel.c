/*
 * Channels against a raw other end and against each other: handshakes that go wrong, frames that do not fit, peers
 * that do not read, and closing from wherever it can be done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "common/channel.h"
#include "common/memory.h"
#include "tests/kit/wire.h"

/* A channel under test and what happened to it. */
struct end {
	struct event_base *base;
	struct channel *channel;
	bool ready, drained, closed, settled;
	enum err err;
	char why[200];
	unsigned messages;
	uint64_t bytes;
	uint8_t last[NOISE_MESSAGE];
	size_t last_len;
	/* what to do on a message */
	enum { KEEP, ECHO, CLOSE, ABORT, PAUSE } on_message;
	bool close_when_drained, abort_when_ready;
};

static void on_ready(struct channel *channel, void *arg)
{
	struct end *end = arg;

	assert_false(end->ready);
	end->ready = true;
	if (end->abort_when_ready)
		channel_abort(channel);
}

static void on_message(struct channel *channel, uint8_t *message, size_t len, void *arg)
{
	struct end *end = arg;

	assert_true(end->ready && !end->closed);
	end->messages++;
	end->bytes += len;
	memcpy(end->last, message, len);
	end->last_len = len;
	memset(message, 0xee, len); /* allowed: it may be changed in place */
	if (end->on_message == ECHO)
		channel_send(channel, bytes_of(end->last, len));
	if (end->on_message == CLOSE)
		channel_close(channel);
	if (end->on_message == ABORT)
		channel_abort(channel);
	if (end->on_message == PAUSE)
		channel_pause(channel);
}

static void on_drained(struct channel *channel, void *arg)
{
	struct end *end = arg;

	assert_false(channel_is_full(channel));
	end->drained = true;
	if (end->close_when_drained)
		channel_close(channel);
}

static void on_closed(struct channel *channel, enum err err, const char *why, void *arg)
{
	struct end *end = arg;

	(void)channel;
	assert_false(end->closed); /* exactly once */
	end->closed = true;
	end->err = err;
	memcpy(end->why, why, strlen(why) + 1);
}

static void on_settled(void *arg)
{
	struct end *end = arg;

	assert_false(end->settled);
	end->settled = true;
}

static const struct channel_events events = {on_ready, on_message, on_drained, on_closed};

/* Most tests: a channel that accepted, and a raw end that connected. */
struct fixture {
	struct event_base *base;
	struct key *ours, *theirs;
	struct end end;
	struct wire wire;
};

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
	if (f->end.channel != NULL && !f->end.closed) {
		channel_abort(f->end.channel);
		wire_run_until(f->base, &f->end.closed);
	}
	event_base_free(f->base);
	key_free(f->ours);
	key_free(f->theirs);
	free(f);
}

static struct fixture *accepting(const struct channel_limits *limits)
{
	struct fixture *f = fixture_new();
	int fd = wire_pair(&f->wire, f->base);

	f->end.channel = channel_accept(f->base, f->ours, fd, limits, &events, &f->end);
	channel_on_settled(f->end.channel, on_settled, &f->end);
	return f;
}

static struct fixture *open_channel(const struct channel_limits *limits)
{
	struct fixture *f = accepting(limits);

	assert_true(wire_initiate(&f->wire, f->theirs, key_id(f->ours)));
	wire_run_until(f->base, &f->end.ready);
	return f;
}

/* A channel that connects to a raw listening end; `id` is who it thinks is there. */
static struct fixture *connecting(const struct id *id, const struct channel_limits *limits)
{
	struct fixture *f = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);

	at.id = id != NULL ? *id : *key_id(f->theirs);
	f->end.channel = channel_connect(f->base, f->ours, &at, limits, &events, &f->end);
	channel_on_settled(f->end.channel, on_settled, &f->end);
	wire_accept(&f->wire, f->base, listening);
	close(listening);
	return f;
}

static void expect_closed(struct fixture *f, enum err err)
{
	wire_run_until(f->base, &f->end.closed);
	assert_int_equal(f->end.err, err);
	assert_true(f->end.settled);
	assert_true(f->end.why[0] != '\0');
}

static void send_text(struct fixture *f, const char *text)
{
	wire_send(&f->wire, bytes_of_text(text));
}

static void test_echo_both_ways(void **state)
{
	static const size_t lengths[] = {1, 5, 4096, 32768, NOISE_MESSAGE};
	static uint8_t message[NOISE_MESSAGE], back[NOISE_MESSAGE + NOISE_TAG];
	struct fixture *f = open_channel(NULL);

	(void)state;
	f->end.on_message = ECHO;
	assert_true(f->end.settled);
	assert_true(id_equal(channel_remote(f->end.channel), key_id(f->theirs)));
	assert_string_equal(channel_remote_host(f->end.channel), "");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(message, (int)i + 1, lengths[i]);
		wire_send(&f->wire, bytes_of(message, lengths[i]));
		assert_int_equal(wire_receive(&f->wire, back), lengths[i]);
		assert_memory_equal(back, message, lengths[i]);
	}
	fixture_free(f);
}

static void test_empty_message(void **state)
{
	static uint8_t back[NOISE_MESSAGE + NOISE_TAG];
	struct fixture *f = open_channel(NULL);

	(void)state;
	f->end.on_message = ECHO;
	send_text(f, "");
	assert_int_equal(wire_receive(&f->wire, back), 0);
	assert_int_equal(f->end.messages, 1);
	fixture_free(f);
}

/* Frames of many sizes, written in pieces that never fall on their borders, across key rotations. */
static void test_any_fragmentation(void **state)
{
	enum { COUNT = 1500 };
	struct fixture *f = open_channel(NULL);
	uint8_t *stream = memory_new(COUNT, 64 + 700);
	uint8_t message[700];
	size_t len = 0, at = 0, expected = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		memset(message, (int)i, sizeof(message));
		noise_encrypt(&f->wire.send, message, i % 700, stream + len);
		len += NOISE_HEADER + i % 700 + NOISE_TAG;
		expected += i % 700;
	}
	for (size_t part = 1; at < len; part = part % 4099 + 7) {
		size_t now = part < len - at ? part : len - at;

		wire_write(&f->wire, stream + at, now);
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		at += now;
	}
	while (f->end.messages < COUNT)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->end.bytes, expected);
	assert_int_equal(f->end.last_len, (COUNT - 1) % 700);
	assert_int_equal(f->end.last[0], (uint8_t)(COUNT - 1));
	free(stream);
	fixture_free(f);
}

static void test_early_messages(void **state)
{
	static uint8_t back[NOISE_MESSAGE + NOISE_TAG];
	struct fixture *f = connecting(NULL, NULL);

	(void)state;
	channel_send(f->end.channel, bytes_of_text("first"));
	memcpy(channel_reserve(f->end.channel, 100), "dropped", 7);
	channel_commit(f->end.channel, 0);
	memcpy(channel_reserve(f->end.channel, 100), "second", 6);
	channel_commit(f->end.channel, 6);
	assert_true(wire_respond(&f->wire, f->theirs));
	assert_int_equal(wire_receive(&f->wire, back), 5);
	assert_memory_equal(back, "first", 5);
	assert_int_equal(wire_receive(&f->wire, back), 6);
	assert_memory_equal(back, "second", 6);
	assert_true(f->end.ready && f->end.settled);
	assert_string_equal(channel_remote_host(f->end.channel), "127.0.0.1");
	fixture_free(f);
}

static void test_connect_to_the_wrong_key(void **state)
{
	struct key *other = key_generate();
	struct fixture *f = connecting(key_id(other), NULL);

	(void)state;
	assert_false(wire_respond(&f->wire, f->theirs)); /* cannot read act one, hangs up */
	wire_close(&f->wire);
	expect_closed(f, ERR_AUTH);
	key_free(other);
	fixture_free(f);
}

/* An impostor answers act one with something. */
static void test_forged_act_two(void **state)
{
	uint8_t act[NOISE_ACT_TWO] = {0};
	struct key *ephemeral = key_generate();
	struct fixture *f = connecting(NULL, NULL);

	(void)state;
	memcpy(act + 1, key_id(ephemeral)->b, KEY_ID_BYTES);
	wire_write(&f->wire, act, sizeof(act));
	expect_closed(f, ERR_AUTH);
	key_free(ephemeral);
	fixture_free(f);
}

static void test_accept_for_the_wrong_key(void **state)
{
	struct key *other = key_generate();
	struct fixture *f = accepting(NULL);

	(void)state;
	assert_false(wire_initiate(&f->wire, f->theirs, key_id(other)));
	expect_closed(f, ERR_AUTH);
	assert_false(f->end.ready);
	key_free(other);
	fixture_free(f);
}

static void test_garbage_instead_of_a_handshake(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: granary.example\r\nAccept: */*\r\n\r\n";
	struct fixture *f = accepting(NULL);

	(void)state;
	wire_write(&f->wire, request, strlen(request));
	expect_closed(f, ERR_UNSUPPORTED); /* 'G' is no version */
	assert_true(wire_at_end(&f->wire));
	fixture_free(f);
}

static void test_hang_up_in_the_handshake(void **state)
{
	struct fixture *f = accepting(NULL);

	(void)state;
	wire_write(&f->wire, "\0half", 5);
	wire_close(&f->wire);
	expect_closed(f, ERR_CLOSED);
	fixture_free(f);
}

static void test_half_a_handshake_then_silence(void **state)
{
	const struct channel_limits limits = {.handshake_ms = 20};
	struct fixture *f = accepting(&limits);

	(void)state;
	wire_write(&f->wire, "\0half", 5);
	expect_closed(f, ERR_TIMEOUT);
	assert_true(wire_at_end(&f->wire));
	fixture_free(f);
}

static void test_nobody_answers(void **state)
{
	const struct channel_limits limits = {.handshake_ms = 20};
	struct fixture *f = connecting(NULL, &limits);

	(void)state;
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);
}

static void test_unreachable(void **state)
{
	struct fixture *f = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);

	(void)state;
	close(listening); /* nobody is there any more */
	at.id = *key_id(f->theirs);
	f->end.channel = channel_connect(f->base, f->ours, &at, NULL, &events, &f->end);
	assert_false(f->end.closed); /* never from inside the call */
	f->end.settled = true;
	expect_closed(f, ERR_UNREACHABLE);
	fixture_free(f);
}

/* "localhost" needs the resolver's thread; an id that is no point can belong to nobody. */
static void test_names_and_bad_ids(void **state)
{
	struct fixture *f = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);

	(void)state;
	memcpy(at.at.host, "localhost", sizeof("localhost"));
	at.id = *key_id(f->theirs);
	f->end.channel = channel_connect(f->base, f->ours, &at, NULL, &events, &f->end);
	wire_accept(&f->wire, f->base, listening);
	assert_true(wire_respond(&f->wire, f->theirs));
	wire_run_until(f->base, &f->end.ready);
	close(listening);
	fixture_free(f);

	f = fixture_new();
	memset(&at.id, 0, sizeof(at.id));
	f->end.channel = channel_connect(f->base, f->ours, &at, NULL, &events, &f->end);
	f->end.settled = true;
	expect_closed(f, ERR_AUTH);
	fixture_free(f);
}

static void test_abort_while_resolving(void **state)
{
	struct fixture *f = fixture_new();
	struct endpoint at = {.id = *key_id(f->theirs), .at = {"localhost", 9}};

	(void)state;
	f->end.channel = channel_connect(f->base, f->ours, &at, NULL, &events, &f->end);
	f->end.settled = true;
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	if (!f->end.closed)
		channel_abort(f->end.channel);
	wire_run_until(f->base, &f->end.closed);
	fixture_free(f);
}

static void flip(struct fixture *f, size_t at)
{
	uint8_t frame[NOISE_HEADER + 5 + NOISE_TAG];

	noise_encrypt(&f->wire.send, (const uint8_t *)"hello", 5, frame);
	frame[at] ^= 0x10;
	wire_write(&f->wire, frame, sizeof(frame));
	expect_closed(f, ERR_AUTH);
	assert_int_equal(f->end.messages, 0);
	fixture_free(f);
}

static void test_forged_frames(void **state)
{
	(void)state;
	flip(open_channel(NULL), 0);			 /* the length */
	flip(open_channel(NULL), NOISE_HEADER - 1);	 /* its tag */
	flip(open_channel(NULL), NOISE_HEADER);		 /* the message */
	flip(open_channel(NULL), NOISE_HEADER + 5 + 15); /* its tag */
}

/* Also when nothing but the header came: then all that was received is used up, and a message is begun all the same. */
static void test_half_a_frame_then_silence(void **state)
{
	static const size_t sent[] = {1, NOISE_HEADER - 1, NOISE_HEADER, NOISE_HEADER + 1,
				      NOISE_HEADER + 5 + NOISE_TAG - 1};
	const struct channel_limits limits = {.pace_ms = 20, .pace_bytes = 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		struct fixture *f = open_channel(&limits);
		uint8_t frame[NOISE_HEADER + 5 + NOISE_TAG];

		noise_encrypt(&f->wire.send, (const uint8_t *)"hello", 5, frame);
		wire_write(&f->wire, frame, sent[i]);
		expect_closed(f, ERR_TIMEOUT);
		fixture_free(f);
	}
}

static void test_idle(void **state)
{
	const struct channel_limits limits = {.idle_ms = 20};
	struct fixture *f = open_channel(&limits);

	(void)state;
	channel_set_busy(f->end.channel, true);
	channel_set_busy(f->end.channel, true);
	channel_set_busy(f->end.channel, false);
	/* Owed something, it outlives its idle deadline. */
	event_base_loopexit(f->base, &(const struct timeval){.tv_usec = 60000});
	event_base_loop(f->base, 0);
	assert_false(f->end.closed);
	channel_set_busy(f->end.channel, false);
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);
}

/* A peer that does not read: the channel fills, says so, takes no more than its mark by much, and drains. */
static void test_backpressure(void **state)
{
	static uint8_t message[32768], back[NOISE_MESSAGE + NOISE_TAG];
	struct fixture *f = open_channel(NULL);
	unsigned sent = 0, got = 0;

	(void)state;
	while (!channel_is_full(f->end.channel)) {
		put_be32(message, sent++);
		channel_send(f->end.channel, bytes_of(message, sizeof(message)));
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		assert_true(sent < 1000);
	}
	assert_false(f->end.drained);
	f->end.close_when_drained = true;
	while (wire_receive(&f->wire, back) == sizeof(message))
		assert_int_equal(get_be32(back), got++);
	assert_true(f->end.drained);
	assert_int_equal(got, sent);
	wire_close(&f->wire);
	expect_closed(f, ERR_OK);
	fixture_free(f);
}

/* A peer that asks and asks and does not read the answers is not buffered for; when it reads, all is there. */
static void test_peer_that_only_asks(void **state)
{
	enum { ASKED = 2000 };
	static uint8_t back[NOISE_MESSAGE + NOISE_TAG], frame[NOISE_HEADER + 32768 + NOISE_TAG];
	struct fixture *f = open_channel(NULL);
	unsigned sent = 0, answered = 0, before;
	ssize_t took;

	(void)state;
	f->end.on_message = ECHO;
	do {
		before = f->end.messages;
		put_be32(back, sent);
		noise_encrypt(&f->wire.send, back, 32768, frame);
		took = send(f->wire.fd, frame, sizeof(frame), MSG_NOSIGNAL);
		sent++;
		for (int i = 0; i < 20; i++)
			event_base_loop(f->base, EVLOOP_NONBLOCK);
	} while (took == sizeof(frame) && sent < ASKED);
	assert_true(sent < ASKED); /* the socket is full: nobody takes from it any more */
	assert_int_equal(f->end.messages, before);
	while (answered < f->end.messages) {
		assert_int_equal(wire_receive(&f->wire, back), 32768);
		assert_int_equal(get_be32(back), answered++);
	}
	assert_true(answered > before); /* it went on by itself */
	fixture_free(f);
}

static void test_reader_too_slow(void **state)
{
	static uint8_t message[32768];
	const struct channel_limits limits = {.pace_ms = 20, .pace_bytes = 1000};
	struct fixture *f = open_channel(&limits);

	(void)state;
	while (!f->end.closed && !channel_is_full(f->end.channel)) { /* on a slow machine it is closed in here */
		channel_send(f->end.channel, bytes_of(message, sizeof(message)));
		event_base_loop(f->base, EVLOOP_NONBLOCK);
	}
	expect_closed(f, ERR_TIMEOUT);
	fixture_free(f);
}

static void test_pause_and_resume(void **state)
{
	struct fixture *f = open_channel(NULL);

	(void)state;
	f->end.on_message = PAUSE;
	for (int i = 0; i < 5; i++)
		send_text(f, "one of five");
	for (unsigned i = 1; i <= 5; i++) {
		while (f->end.messages < i)
			event_base_loop(f->base, EVLOOP_ONCE);
		event_base_loop(f->base, EVLOOP_NONBLOCK);
		assert_int_equal(f->end.messages, i); /* paused after each */
		channel_pause(f->end.channel);
		channel_resume(f->end.channel);
	}
	fixture_free(f);
}

/* What was queued before closing arrives whole, although the peer had sent more that nobody read. */
static void test_close_delivers(void **state)
{
	static uint8_t message[50000], back[NOISE_MESSAGE + NOISE_TAG];
	struct fixture *f = open_channel(NULL);
	int got = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		channel_send(f->end.channel, bytes_of(message, sizeof(message)));
	channel_close(f->end.channel);
	channel_close(f->end.channel);
	channel_send(f->end.channel, bytes_of_text("too late"));
	send_text(f, "nobody listens");
	while (wire_receive(&f->wire, back) == sizeof(message))
		got++;
	assert_int_equal(got, 40);
	assert_int_equal(f->end.messages, 0);
	assert_false(f->end.closed); /* it waits for us to hang up */
	wire_close(&f->wire);
	expect_closed(f, ERR_OK);
	fixture_free(f);
}

static void test_close_from_message(void **state)
{
	struct fixture *f = open_channel(NULL);

	(void)state;
	f->end.on_message = CLOSE;
	send_text(f, "one");
	send_text(f, "two");
	assert_true(wire_at_end(&f->wire));
	wire_close(&f->wire);
	expect_closed(f, ERR_OK);
	assert_int_equal(f->end.messages, 1);
	fixture_free(f);
}

static void test_abort_from_callbacks(void **state)
{
	struct fixture *f = open_channel(NULL);

	(void)state;
	f->end.on_message = ABORT;
	send_text(f, "one");
	send_text(f, "two");
	expect_closed(f, ERR_OK);
	assert_int_equal(f->end.messages, 1);
	fixture_free(f);

	f = accepting(NULL);
	f->end.abort_when_ready = true;
	assert_true(wire_initiate(&f->wire, f->theirs, key_id(f->ours)));
	send_text(f, "right behind act three");
	expect_closed(f, ERR_OK);
	assert_int_equal(f->end.messages, 0);
	fixture_free(f);

	f = accepting(NULL);
	channel_close(f->end.channel); /* before the handshake there is nothing to send */
	assert_false(f->end.closed);
	expect_closed(f, ERR_OK);
	fixture_free(f);
}

static void test_dead_channel_takes_everything(void **state)
{
	struct fixture *f = open_channel(NULL);

	(void)state;
	channel_abort(f->end.channel);
	channel_send(f->end.channel, bytes_of_text("lost"));
	memcpy(channel_reserve(f->end.channel, 4), "lost", 4);
	channel_commit(f->end.channel, 4);
	channel_pause(f->end.channel);
	channel_resume(f->end.channel);
	channel_close(f->end.channel);
	channel_abort(f->end.channel);
	expect_closed(f, ERR_OK);
	fixture_free(f);
}

/* Two channels of ours over TCP, both pumping at full speed and echoing: nothing is lost or reordered. */
static void test_two_channels(void **state)
{
	enum { ROUNDS = 300 };
	static uint8_t message[40000];
	struct fixture *a = fixture_new(), *b = fixture_new();
	struct endpoint at;
	int listening = wire_listen(&at);
	unsigned sent = 0;

	(void)state;
	event_base_free(b->base);
	b->base = a->base;
	b->end.on_message = ECHO;
	at.id = *key_id(b->ours);
	a->end.channel = channel_connect(a->base, a->ours, &at, NULL, &events, &a->end);
	wire_accept(&b->wire, b->base, listening);
	b->end.channel = channel_accept(b->base, b->ours, b->wire.fd, NULL, &events, &b->end);
	b->wire.fd = -1;
	close(listening);
	wire_run_until(a->base, &a->end.ready);
	while (a->end.messages < ROUNDS) {
		while (sent < ROUNDS && !channel_is_full(a->end.channel)) {
			put_be32(message, sent++);
			channel_send(a->end.channel, bytes_of(message, sizeof(message) - sent));
		}
		event_base_loop(a->base, EVLOOP_ONCE);
	}
	assert_int_equal(get_be32(a->end.last), ROUNDS - 1);
	assert_int_equal(a->end.last_len, sizeof(message) - ROUNDS);
	assert_int_equal(a->end.bytes, b->end.bytes);
	channel_close(a->end.channel);
	wire_run_until(a->base, &b->end.closed);
	assert_int_equal(b->end.err, ERR_CLOSED);
	wire_run_until(a->base, &a->end.closed);
	assert_int_equal(a->end.err, ERR_OK);
	b->base = event_base_new();
	fixture_free(a);
	fixture_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo_both_ways),
		cmocka_unit_test(test_empty_message),
		cmocka_unit_test(test_any_fragmentation),
		cmocka_unit_test(test_early_messages),
		cmocka_unit_test(test_connect_to_the_wrong_key),
		cmocka_unit_test(test_forged_act_two),
		cmocka_unit_test(test_accept_for_the_wrong_key),
		cmocka_unit_test(test_garbage_instead_of_a_handshake),
		cmocka_unit_test(test_hang_up_in_the_handshake),
		cmocka_unit_test(test_half_a_handshake_then_silence),
		cmocka_unit_test(test_nobody_answers),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_names_and_bad_ids),
		cmocka_unit_test(test_abort_while_resolving),
		cmocka_unit_test(test_forged_frames),
		cmocka_unit_test(test_half_a_frame_then_silence),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_peer_that_only_asks),
		cmocka_unit_test(test_reader_too_slow),
		cmocka_unit_test(test_pause_and_resume),
		cmocka_unit_test(test_close_delivers),
		cmocka_unit_test(test_close_from_message),
		cmocka_unit_test(test_abort_from_callbacks),
		cmocka_unit_test(test_dead_channel_takes_everything),
		cmocka_unit_test(test_two_channels),
	};

	alarm(120); /* a test that waits for ever is a failure too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
