/*
 * Routing of messages by request number, on top of a channel.
 *
 * Open asks are in a hash table. One timer serves all deadlines of a peer: it is set for the earliest known one, and
 * when it fires the table is walked. So an answer only writes down its ask's new deadline.
 */
#include "common/peer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event_struct.h>
#include <uthash.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/peer_private.h"

#define PEER_MAGIC 0x70656572u
#define ACCEPTED_FIRST 0x80000001u
#define NUMBERS 0x7fffffffu /* of each side, before they start anew */
#define TEXT_MAX 500

struct ask {
	uint32_t request;
	peer_answer *answer;
	void *arg;
	unsigned timeout_ms;
	uint64_t deadline; /* milliseconds, monotonic; 0: none */
	UT_hash_handle hh;
};

struct peer {
	uint32_t magic;
	struct event_base *base;
	struct channel *channel; /* NULL once closed */
	bool accepted;		 /* the other side connected */
	bool greeted;		 /* its HELLO came */
	struct msg_hello hello;	 /* what it said */
	const struct peer_events *events;
	void *arg;

	struct ask *asks;
	uint32_t issued; /* numbers given out so far */
	unsigned first_ms;
	uint64_t first_deadline; /* for HELLO and the first request; 0 when met */
	struct event timer;
	uint64_t timer_due; /* 0: not set */

	struct bytes current; /* the message being handled */
	struct call *call;
	unsigned pins;
	struct event end_event;
	bool *ended;
	enum err err; /* why we gave up, ERR_OK when we did not */
	char why[192];
};

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

static void peer_free(struct peer *peer)
{
	event_del(&peer->timer);
	event_del(&peer->end_event);
	call_free(peer->call);
	if (peer->ended != NULL)
		*peer->ended = true;
	peer->magic = 0;
	free(peer);
}

/* Close for a reason of ours; what is queued is still sent. */
static void give_up(struct peer *peer, enum err err, const char *why, ...) __attribute__((format(printf, 3, 4)));

static void give_up(struct peer *peer, enum err err, const char *why, ...)
{
	va_list args;

	if (peer->err != ERR_OK || peer->channel == NULL)
		return;
	peer->err = err;
	va_start(args, why);
	vsnprintf(peer->why, sizeof(peer->why), why, args);
	va_end(args);
	channel_close(peer->channel);
}

/* Sending. */

static void transmit(struct peer *peer, const struct message *message)
{
	size_t len = message_size(message);
	struct writer w;

	if (peer->channel == NULL)
		return;
	if (len > MESSAGE_MAX) {
		give_up(peer, ERR_RANGE, "a message of type %u was too long to send", message->type);
		return;
	}
	writer_init(&w, channel_reserve(peer->channel, len), len);
	message_encode(message, &w);
	channel_commit(peer->channel, w.err == ERR_OK ? w.len : 0);
	if (w.err != ERR_OK)
		give_up(peer, w.err, "a message of type %u could not be encoded", message->type);
}

void peer_send(struct peer *peer, const struct message *message)
{
	assert(peer->magic == PEER_MAGIC);
	transmit(peer, message);
}

/* The longest beginning of `text` that may stand in a message. */
static struct bytes sendable(const char *text)
{
	struct bytes view = bytes_of_text(text);

	while (!text_is_printable(view))
		view.len--;
	return view;
}

void peer_refuse(struct peer *peer, uint32_t request, enum refusal code, const char *text, ...)
{
	struct message error = {.type = MSG_ERROR, .request = request};
	char words[TEXT_MAX + 1];
	va_list args;

	va_start(args, text);
	if (text != NULL)
		vsnprintf(words, sizeof(words), text, args);
	else
		snprintf(words, sizeof(words), "%s", refusal_text(code));
	va_end(args);
	error.error.code = (uint16_t)code;
	error.error.text = sendable(words);
	peer_send(peer, &error);
}

/* Asking. */

static uint32_t first_number(const struct peer *peer)
{
	return peer->accepted ? ACCEPTED_FIRST : 1;
}

static struct ask *find_ask(struct peer *peer, uint32_t request)
{
	struct ask *ask;

	HASH_FIND(hh, peer->asks, &request, sizeof(request), ask);
	return ask;
}

/* A number that no open ask has. */
static uint32_t next_number(struct peer *peer)
{
	uint32_t number;

	do {
		number = first_number(peer) + peer->issued % NUMBERS;
		peer->issued = peer->issued == UINT32_MAX ? NUMBERS + 1 : peer->issued + 1;
	} while (find_ask(peer, number) != NULL);
	return number;
}

static bool was_issued(const struct peer *peer, uint32_t request)
{
	return request - first_number(peer) < (peer->issued < NUMBERS ? peer->issued : NUMBERS);
}

static void set_timer(struct peer *peer, uint64_t due)
{
	uint64_t now = now_ms(), ms = due > now ? due - now : 0;
	struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	if (due == 0 || (peer->timer_due != 0 && peer->timer_due <= due))
		return;
	peer->timer_due = due;
	if (event_add(&peer->timer, &after) != 0)
		abort();
}

static void extend(struct peer *peer, struct ask *ask)
{
	ask->deadline = ask->timeout_ms > 0 ? now_ms() + ask->timeout_ms : 0;
	set_timer(peer, ask->deadline);
}

static void remove_ask(struct peer *peer, struct ask *ask)
{
	HASH_DEL(peer->asks, ask);
	if (peer->asks == NULL && peer->channel != NULL)
		channel_set_busy(peer->channel, false);
}

uint32_t peer_ask(struct peer *peer, struct message *message, unsigned timeout_ms, peer_answer *answer, void *arg)
{
	struct ask *ask = memory_new(1, sizeof(*ask));

	assert(peer->magic == PEER_MAGIC);
	ask->request = next_number(peer);
	ask->answer = answer;
	ask->arg = arg;
	ask->timeout_ms = timeout_ms;
	if (peer->asks == NULL && peer->channel != NULL)
		channel_set_busy(peer->channel, true);
	HASH_ADD(hh, peer->asks, request, sizeof(ask->request), ask);
	extend(peer, ask);
	message->request = ask->request;
	transmit(peer, message);
	return message->request;
}

void peer_forget(struct peer *peer, uint32_t request)
{
	struct ask *ask = find_ask(peer, request);

	assert(peer->magic == PEER_MAGIC);
	if (ask == NULL)
		return;
	remove_ask(peer, ask);
	free(ask);
}

bool peer_extend(struct peer *peer, uint32_t request, unsigned timeout_ms)
{
	struct ask *ask = find_ask(peer, request);

	if (ask == NULL)
		return false;
	ask->timeout_ms = timeout_ms;
	extend(peer, ask);
	return true;
}

/* The last call to an ask's handler. */
static void end_ask(struct peer *peer, struct ask *ask, const struct message *message, enum err err)
{
	remove_ask(peer, ask);
	ask->answer(peer, message, err, ask->arg);
	free(ask);
}

/* Deadlines. */

static struct ask *find_late(struct peer *peer, uint64_t now)
{
	struct ask *ask;

	for (ask = peer->asks; ask != NULL; ask = ask->hh.next) {
		if (ask->deadline != 0 && ask->deadline <= now)
			return ask;
	}
	return NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;
	struct ask *ask;
	uint64_t now = now_ms();

	(void)fd;
	(void)what;
	assert(peer->magic == PEER_MAGIC);
	peer->timer_due = 0;
	if (peer->first_deadline != 0 && peer->first_deadline <= now) {
		peer->first_deadline = 0;
		peer_refuse(peer, 0, REFUSAL_TIMEOUT, NULL);
		give_up(peer, ERR_TIMEOUT, "no %s in time", peer->greeted ? "request" : "HELLO");
	}
	/* A handler may ask and forget at will, so the walk starts anew after each. */
	for (ask = find_late(peer, now); ask != NULL; ask = find_late(peer, now))
		end_ask(peer, ask, NULL, ERR_TIMEOUT);
	set_timer(peer, peer->first_deadline);
	for (ask = peer->asks; ask != NULL; ask = ask->hh.next) {
		if (ask->deadline != 0)
			set_timer(peer, ask->deadline);
	}
}

/* Receiving. */

static void take_hello(struct peer *peer, const struct message *message)
{
	if (message->type != MSG_HELLO || peer->greeted) {
		peer_refuse(peer, message->request, REFUSAL_PROTOCOL,
			    peer->greeted ? "HELLO comes once" : "HELLO comes first");
		give_up(peer, ERR_PROTOCOL, "the peer did not begin with one HELLO");
		return;
	}
	if (message->hello.version != MESSAGE_VERSION) {
		peer_refuse(peer, 0, REFUSAL_VERSION, "version %u is spoken here", MESSAGE_VERSION);
		give_up(peer, ERR_UNSUPPORTED, "the peer speaks version %u", message->hello.version);
		return;
	}
	peer->greeted = true;
	peer->hello = message->hello;
	if (!peer->accepted)
		peer->first_deadline = 0;
	if (peer->events->ready != NULL)
		peer->events->ready(peer, &peer->hello, peer->arg);
}

static void take_answer(struct peer *peer, struct ask *ask, const struct message *message)
{
	if (message->type == MSG_ERROR) {
		end_ask(peer, ask, message, ERR_OK);
		return;
	}
	extend(peer, ask);
	ask->answer(peer, message, ERR_OK, ask->arg);
}

static void take_request(struct peer *peer, const struct message *message)
{
	struct message pong = {.type = MSG_PONG, .request = message->request};

	peer->first_deadline = 0;
	if (message->type == MSG_PING) {
		pong.pong.at = message->ping.at;
		peer_send(peer, &pong);
	} else if (peer->events->request != NULL) {
		peer->events->request(peer, message, peer->arg);
	} else {
		peer_refuse(peer, message->request, REFUSAL_DENIED, "nothing is served here");
	}
}

/* An ERROR about the channel as a whole: the peer is about to hang up. */
static void take_farewell(struct peer *peer, const struct message *message)
{
	enum err err = refusal_to_err(message->error.code);

	give_up(peer, err == ERR_OK ? ERR_REMOTE : err, "%.*s", (int)message->error.text.len,
		(const char *)message->error.text.data);
}

static void route(struct peer *peer, const struct message *message)
{
	struct ask *ask = find_ask(peer, message->request);

	if (message->type == MSG_HELLO || (!peer->greeted && message->type != MSG_ERROR))
		take_hello(peer, message);
	else if (ask != NULL)
		take_answer(peer, ask, message);
	else if (message->type == MSG_ERROR && message->request == 0)
		take_farewell(peer, message);
	else if (message->type == MSG_ERROR || was_issued(peer, message->request))
		return; /* an answer that nobody waits for any more */
	else
		take_request(peer, message);
}

static void on_message(struct channel *channel, uint8_t *bytes, size_t len, void *arg)
{
	struct peer *peer = arg;
	struct message message;
	const char *why;
	enum refusal refusal;

	(void)channel;
	assert(peer->magic == PEER_MAGIC);
	refusal = message_decode(bytes_of(bytes, len), &message, &why);
	if (refusal == REFUSAL_UNKNOWN_TYPE && message.type % 2 == 1)
		return;
	if (refusal != REFUSAL_NONE) {
		peer_refuse(peer, message.request, refusal, "message type %u: %s: %s", message.type,
			    refusal_text(refusal), why);
		give_up(peer, ERR_PROTOCOL, "message type %u: %s: %s", message.type, refusal_text(refusal), why);
		return;
	}
	peer->current = bytes_of(bytes, len);
	route(peer, &message);
	peer->current = bytes_of(NULL, 0);
}

static void on_ready(struct channel *channel, void *arg)
{
	struct peer *peer = arg;

	(void)channel;
	assert(peer->magic == PEER_MAGIC);
	if (peer->first_ms > 0)
		peer->first_deadline = now_ms() + peer->first_ms;
	set_timer(peer, peer->first_deadline);
}

static void on_drained(struct channel *channel, void *arg)
{
	struct peer *peer = arg;

	(void)channel;
	assert(peer->magic == PEER_MAGIC);
	if (peer->events->drained != NULL)
		peer->events->drained(peer, peer->arg);
}

/* The end. */

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;

	(void)fd;
	(void)what;
	assert(peer->magic == PEER_MAGIC && peer->channel == NULL);
	if (peer->pins > 0)
		return; /* peer_unpin calls again */
	peer->events->closed(peer, peer->err, peer->why, peer->arg);
	peer_free(peer);
}

static void on_closed(struct channel *channel, enum err err, const char *why, void *arg)
{
	struct peer *peer = arg;

	(void)channel;
	assert(peer->magic == PEER_MAGIC);
	peer->channel = NULL;
	if (peer->err == ERR_OK) {
		peer->err = err;
		snprintf(peer->why, sizeof(peer->why), "%s", why);
	}
	while (peer->asks != NULL)
		end_ask(peer, peer->asks, NULL, peer->err == ERR_OK ? ERR_CLOSED : peer->err);
	on_end(-1, 0, peer);
}

void peer_pin(struct peer *peer)
{
	peer->pins++;
}

void peer_unpin(struct peer *peer)
{
	assert(peer->pins > 0);
	if (--peer->pins == 0 && peer->channel == NULL)
		event_active(&peer->end_event, 0, 0);
}

/* Making. */

static const struct channel_events channel_events = {on_ready, on_message, on_drained, on_closed};

static struct peer *create(struct event_base *base, const struct channel_limits *limits,
			   const struct peer_events *events, void *arg)
{
	struct peer *peer = memory_new(1, sizeof(*peer));

	peer->first_ms = limits != NULL ? limits->first_ms : channel_default_limits.first_ms;
	peer->magic = PEER_MAGIC;
	peer->base = base;
	peer->events = events;
	peer->arg = arg;
	event_assign(&peer->timer, base, -1, 0, on_timer, peer);
	event_assign(&peer->end_event, base, -1, 0, on_end, peer);
	return peer;
}

/* HELLO is queued before anything else can be. */
static void greet(struct peer *peer, const struct msg_hello *hello)
{
	const struct message message = {.type = MSG_HELLO, .hello = *hello};

	transmit(peer, &message);
}

struct peer *peer_connect(struct event_base *base, const struct key *key, const struct endpoint *endpoint,
			  const struct channel_limits *limits, const struct msg_hello *hello,
			  const struct peer_events *events, void *arg)
{
	struct peer *peer = create(base, limits, events, arg);

	peer->channel = channel_connect(base, key, endpoint, limits, &channel_events, peer);
	greet(peer, hello);
	return peer;
}

struct peer *peer_accept(struct event_base *base, const struct key *key, evutil_socket_t fd,
			 const struct channel_limits *limits, const struct msg_hello *hello,
			 const struct peer_events *events, void *arg)
{
	struct peer *peer = create(base, limits, events, arg);

	peer->accepted = true;
	peer->channel = channel_accept(base, key, fd, limits, &channel_events, peer);
	greet(peer, hello);
	return peer;
}

struct channel *peer_channel(struct peer *peer)
{
	return peer->channel;
}

const struct msg_hello *peer_hello(const struct peer *peer)
{
	return peer->greeted ? &peer->hello : NULL;
}

struct event_base *peer_base(struct peer *peer)
{
	return peer->base;
}

struct bytes peer_current(const struct peer *peer)
{
	return peer->current;
}

struct call **peer_call_slot(struct peer *peer)
{
	return &peer->call;
}

void peer_tell_end(struct peer *peer, bool *ended)
{
	peer->ended = ended;
}
