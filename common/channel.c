/*
 * The channel: a socket, a handshake, two ciphers and two buffers.
 *
 * Receiving: what the socket holds is read into one buffer, whole messages are decrypted in place and handed out, the
 * rest of a message that has not all come is moved to the front. The buffer is freed when nothing is left in it.
 * Sending: messages are encrypted into the send queue, which is flushed once per turn of the event loop.
 *
 * A failure, wherever it happens, only marks the channel dead and wakes `end_event`; from there, on top of no other
 * call, `closed` is called and the channel is freed. So every function may fail the channel and go on using it.
 */
#include "common/channel.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "common/clock.h"
#include "common/dial.h"
#include "common/incoming.h"
#include "common/memory.h"
#include "common/outgoing.h"
#include "common/pace.h"

#define CHANNEL_MAGIC 0x6368616eu
#define RECEIVE_ROOM 131072u /* more than any frame */
#define ACT_ROOM 256	     /* the same before the handshake is done */
#define LINGER_MS 2000
/* Past so many unsent bytes no more messages are taken in. Above CHANNEL_HIGH_WATER, which whoever sends much heeds,
 * so two ends that send each other much cannot stop both. */
#define CHOKE (2ul * CHANNEL_HIGH_WATER)

enum channel_state {
	CHANNEL_DIALING,
	CHANNEL_ACT_ONE,   /* we accept and wait for act one */
	CHANNEL_ACT_TWO,   /* we connected and wait for act two */
	CHANNEL_ACT_THREE, /* we accept and wait for act three */
	CHANNEL_OPEN,
	CHANNEL_CLOSING,   /* sending the rest; what comes in is thrown away */
	CHANNEL_LINGERING, /* all sent; waiting for the peer to hang up, so that nothing sent is lost by a reset */
	CHANNEL_DEAD,
};

/* A message given to us before there was a cipher for it. */
struct early {
	struct early *next;
	size_t len;
	uint8_t message[];
};

struct channel {
	uint32_t magic;
	enum channel_state state;
	struct event_base *base;
	const struct key *key;
	struct channel_limits limits;
	const struct channel_events *events;
	void *arg;

	struct dial *dial;
	evutil_socket_t fd;
	struct event read_event, write_event, deadline_event, pace_event, end_event;
	struct noise_handshake *handshake;
	struct noise_cipher send_cipher, receive_cipher;
	struct id remote;
	char remote_host[64];

	struct incoming in;
	bool in_body; /* the header of the next message is decrypted: body_len bytes and a tag follow */
	size_t body_len;
	struct outgoing out;
	struct early *early, **early_last, *early_reserved;
	size_t early_bytes;
	bool was_full; /* `drained` is owed */
	bool paused;   /* by the owner */
	bool choked;   /* the peer asks and does not read the answers */
	unsigned busy;
	uint64_t last_received; /* milliseconds, monotonic */
	struct pace send_pace, receive_pace;

	void (*settled)(void *arg);
	void *settled_arg;
	enum err err; /* why it is dead */
	char why[192];
};

const struct channel_limits channel_default_limits = {
	.handshake_ms = 5000,
	.first_ms = 10000,
	.idle_ms = 600000,
	.pace_ms = 10000,
	.pace_bytes = 40960,
};

static uint64_t now_ms(void)
{
	return clock_monotonic() / 1000000;
}

static void set_timer(struct event *event, uint64_t ms)
{
	struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	if (event_add(event, &after) != 0)
		abort();
}

static void fail(struct channel *c, enum err err, const char *why, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct channel *c, enum err err, const char *why, ...)
{
	va_list args;

	if (c->state == CHANNEL_DEAD)
		return;
	c->state = CHANNEL_DEAD;
	c->err = err;
	va_start(args, why);
	vsnprintf(c->why, sizeof(c->why), why, args);
	va_end(args);
	dial_cancel(c->dial);
	c->dial = NULL;
	event_del(&c->read_event);
	event_del(&c->write_event);
	event_del(&c->deadline_event);
	event_del(&c->pace_event);
	event_active(&c->end_event, 0, 0);
}

static void release_early(struct channel *c);

static void settle(struct channel *c)
{
	void (*settled)(void *arg) = c->settled;

	c->settled = NULL;
	if (settled != NULL)
		settled(c->settled_arg);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	assert(c->magic == CHANNEL_MAGIC && c->state == CHANNEL_DEAD);
	settle(c);
	c->events->closed(c, c->err, c->why, c->arg);
	noise_free(c->handshake);
	noise_cipher_wipe(&c->send_cipher);
	noise_cipher_wipe(&c->receive_cipher);
	release_early(c);
	free(c->early_reserved);
	outgoing_clear(&c->out);
	incoming_clear(&c->in);
	if (c->fd >= 0)
		close(c->fd);
	c->magic = 0;
	free(c);
}

/* Whether more shall be read, or handed out of what was read. */
static bool wants_input(const struct channel *c)
{
	return c->state != CHANNEL_DEAD && (c->state != CHANNEL_OPEN || (!c->paused && !c->choked));
}

/* Watch the socket or do not, as is wanted now; what was read before comes out first. */
static void update_reading(struct channel *c)
{
	bool reading = event_pending(&c->read_event, EV_READ, NULL);

	if (c->fd < 0 || reading == wants_input(c))
		return;
	if (reading) {
		event_del(&c->read_event);
		return;
	}
	if (event_add(&c->read_event, NULL) != 0)
		abort();
	event_active(&c->read_event, EV_READ, 0);
}

/* Sending. */

/* At the end of this turn of the loop; unless the socket is full, then as soon as it is not. */
static void flush_soon(struct channel *c)
{
	if (!event_pending(&c->write_event, EV_WRITE, NULL))
		event_active(&c->write_event, EV_WRITE, 0);
}

static void watch_pace(struct channel *c, struct pace *pace, bool on)
{
	if (c->limits.pace_ms == 0 || on == pace->on)
		return;
	pace_set(pace, on, now_ms());
	if (on && !event_pending(&c->pace_event, EV_TIMEOUT, NULL))
		set_timer(&c->pace_event, c->limits.pace_ms);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	uint64_t now = now_ms();
	bool sends, receives;

	(void)fd;
	(void)what;
	assert(c->magic == CHANNEL_MAGIC);
	sends = pace_keeps(&c->send_pace, now, c->limits.pace_ms, c->limits.pace_bytes);
	receives = pace_keeps(&c->receive_pace, now, c->limits.pace_ms, c->limits.pace_bytes);
	if (!sends || !receives)
		fail(c, ERR_TIMEOUT, "the peer %s too slowly", sends ? "sends" : "reads");
	else if (c->send_pace.on || c->receive_pace.on)
		set_timer(&c->pace_event, c->limits.pace_ms);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	size_t sent = 0;

	(void)what;
	assert(c->magic == CHANNEL_MAGIC);
	if (outgoing_send(&c->out, fd, &sent) != ERR_OK) {
		fail(c, c->state >= CHANNEL_CLOSING ? ERR_OK : ERR_CLOSED, "connection lost");
		return;
	}
	pace_move(&c->send_pace, sent);
	watch_pace(c, &c->send_pace, c->out.pending > 0);
	if (c->out.pending > 0 && event_add(&c->write_event, NULL) != 0)
		abort();
	if (c->state == CHANNEL_CLOSING && c->out.pending == 0) {
		c->state = CHANNEL_LINGERING;
		shutdown(fd, SHUT_WR);
	}
	if (c->was_full && c->out.pending < CHANNEL_HIGH_WATER / 2) {
		c->was_full = false;
		c->choked = false;
		update_reading(c);
		if (c->state == CHANNEL_OPEN && c->events->drained != NULL)
			c->events->drained(c, c->arg);
	}
}

uint8_t *channel_reserve(struct channel *channel, size_t len)
{
	struct early *early;

	assert(channel->magic == CHANNEL_MAGIC && len <= NOISE_MESSAGE);
	if (channel->state >= CHANNEL_OPEN)
		return outgoing_reserve(&channel->out, NOISE_HEADER + len + NOISE_TAG) + NOISE_HEADER;
	early = memory_new(1, sizeof(*early) + len);
	free(channel->early_reserved);
	channel->early_reserved = early;
	return early->message;
}

static void commit_early(struct channel *c, size_t len)
{
	struct early *early = c->early_reserved;

	c->early_reserved = NULL;
	early->len = len;
	c->early_bytes += len;
	*c->early_last = early;
	c->early_last = &early->next;
	c->was_full = c->was_full || channel_is_full(c);
}

/* Encrypt and queue the `len` bytes written into reserved room. */
static void send_reserved(struct channel *c, size_t len)
{
	uint8_t *frame;

	if (c->early_reserved != NULL) {
		commit_early(c, len);
		return;
	}
	assert(c->state >= CHANNEL_OPEN);
	frame = outgoing_reserve(&c->out, NOISE_HEADER + len + NOISE_TAG);
	if (c->state != CHANNEL_OPEN) {
		outgoing_commit(&c->out, 0);
		return;
	}
	noise_encrypt(&c->send_cipher, frame + NOISE_HEADER, len, frame);
	outgoing_commit(&c->out, NOISE_HEADER + len + NOISE_TAG);
	c->was_full = c->was_full || channel_is_full(c);
	c->choked = c->choked || c->out.pending > CHOKE;
	update_reading(c);
	flush_soon(c);
}

void channel_commit(struct channel *channel, size_t len)
{
	if (len > 0) {
		send_reserved(channel, len);
		return;
	}
	if (channel->early_reserved == NULL)
		outgoing_commit(&channel->out, 0);
	free(channel->early_reserved);
	channel->early_reserved = NULL;
}

void channel_send(struct channel *channel, struct bytes message)
{
	uint8_t *to = channel_reserve(channel, message.len);

	if (message.len > 0)
		memcpy(to, message.data, message.len);
	send_reserved(channel, message.len);
}

/* Send what waited for the handshake, or throw it away. */
static void release_early(struct channel *c)
{
	struct early *early = c->early, *next;

	c->early = NULL;
	c->early_last = &c->early;
	c->early_bytes = 0;
	for (; early != NULL; early = next) {
		next = early->next;
		if (c->state == CHANNEL_OPEN)
			channel_send(c, bytes_of(early->message, early->len));
		free(early);
	}
}

/* The handshake. */

static void send_act(struct channel *c, const uint8_t *act, size_t len)
{
	memcpy(outgoing_reserve(&c->out, len), act, len);
	outgoing_commit(&c->out, len);
	flush_soon(c);
}

static void become_open(struct channel *c)
{
	noise_split(c->handshake, &c->send_cipher, &c->receive_cipher);
	c->remote = *noise_remote(c->handshake);
	noise_free(c->handshake);
	c->handshake = NULL;
	c->state = CHANNEL_OPEN;
	c->last_received = now_ms();
	event_del(&c->deadline_event);
	if (c->limits.idle_ms > 0)
		set_timer(&c->deadline_event, c->limits.idle_ms);
	settle(c);
	release_early(c);
	c->events->ready(c, c->arg);
}

static void take_act_one(struct channel *c, const uint8_t *in)
{
	uint8_t act[NOISE_ACT_TWO];
	enum err err = noise_read_act_one(c->handshake, in);

	if (err == ERR_OK)
		err = noise_write_act_two(c->handshake, act);
	if (err != ERR_OK) {
		fail(c, err, "act one of the handshake is not for us");
		return;
	}
	send_act(c, act, sizeof(act));
	c->state = CHANNEL_ACT_THREE;
}

static void take_act_two(struct channel *c, const uint8_t *in)
{
	uint8_t act[NOISE_ACT_THREE];
	enum err err = noise_read_act_two(c->handshake, in);

	if (err == ERR_OK)
		err = noise_write_act_three(c->handshake, act);
	if (err != ERR_OK) {
		fail(c, err == ERR_FORMAT ? ERR_AUTH : err,
		     "the answer to our handshake is not by the owner of that id");
		return;
	}
	send_act(c, act, sizeof(act));
	become_open(c);
}

static void take_act_three(struct channel *c, const uint8_t *in)
{
	enum err err = noise_read_act_three(c->handshake, in);

	if (err != ERR_OK)
		fail(c, err, "act three of the handshake does not fit");
	else
		become_open(c);
}

/* Receiving. */

static bool take_header(struct channel *c)
{
	const uint8_t *header = incoming_take(&c->in, NOISE_HEADER);

	if (header == NULL)
		return false;
	if (noise_decrypt_header(&c->receive_cipher, header, &c->body_len) != ERR_OK) {
		fail(c, ERR_AUTH, "a message header fails its authentication");
		return false;
	}
	c->in_body = true;
	return true;
}

static bool take_body(struct channel *c)
{
	uint8_t *body = incoming_take(&c->in, c->body_len + NOISE_TAG);

	if (body == NULL)
		return false;
	if (noise_decrypt_body(&c->receive_cipher, body, c->body_len) != ERR_OK) {
		fail(c, ERR_AUTH, "a message fails its authentication");
		return false;
	}
	c->in_body = false;
	c->events->message(c, body, c->body_len, c->arg);
	return true;
}

static bool take_act(struct channel *c, size_t len, void (*take_it)(struct channel *c, const uint8_t *act))
{
	const uint8_t *act = incoming_take(&c->in, len);

	if (act == NULL)
		return false;
	take_it(c, act);
	return true;
}

/* Use up one unit of what came in; false when there is none. */
static bool step(struct channel *c)
{
	switch (c->state) {
	case CHANNEL_ACT_ONE:
		return take_act(c, NOISE_ACT_ONE, take_act_one);
	case CHANNEL_ACT_TWO:
		return take_act(c, NOISE_ACT_TWO, take_act_two);
	case CHANNEL_ACT_THREE:
		return take_act(c, NOISE_ACT_THREE, take_act_three);
	case CHANNEL_OPEN:
		return c->in_body ? take_body(c) : take_header(c);
	case CHANNEL_CLOSING:
	case CHANNEL_LINGERING:
		incoming_clear(&c->in);
		return false;
	case CHANNEL_DIALING:
	case CHANNEL_DEAD:
		break;
	}
	return false;
}

static void hung_up(struct channel *c, const char *how)
{
	if (c->state >= CHANNEL_CLOSING)
		fail(c, ERR_OK, "closed");
	else if (c->state == CHANNEL_ACT_TWO)
		/* A responder that cannot read act one, because it was made for another key, hangs up (BOLT #8). */
		fail(c, ERR_AUTH, "the peer refused our handshake: it is not the owner of that id, or too busy");
	else
		fail(c, ERR_CLOSED, "%s", how);
}

static void receive(struct channel *c)
{
	ssize_t got = incoming_receive(&c->in, c->fd, c->state < CHANNEL_OPEN ? ACT_ROOM : RECEIVE_ROOM);

	if (got > 0) {
		c->last_received = now_ms();
		pace_move(&c->receive_pace, (uint64_t)got);
	} else if (got == 0) {
		hung_up(c, "the peer hung up");
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		hung_up(c, strerror(errno));
	}
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	assert(c->magic == CHANNEL_MAGIC);
	while (wants_input(c) && step(c))
		; /* what a pause left over */
	if (wants_input(c))
		receive(c);
	while (wants_input(c) && step(c))
		;
	if (c->state == CHANNEL_DEAD)
		return;
	update_reading(c);
	incoming_trim(&c->in);
	/* Of a message whose header was taken nothing may be held. */
	watch_pace(c, &c->receive_pace,
		   c->state == CHANNEL_OPEN && wants_input(c) && (c->in_body || incoming_held(&c->in) > 0));
}

void channel_pause(struct channel *channel)
{
	assert(channel->magic == CHANNEL_MAGIC);
	channel->paused = true;
	update_reading(channel);
	watch_pace(channel, &channel->receive_pace, false);
}

void channel_resume(struct channel *channel)
{
	assert(channel->magic == CHANNEL_MAGIC);
	channel->paused = false;
	update_reading(channel);
}

/* Deadlines. */

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	uint64_t idle;

	(void)fd;
	(void)what;
	assert(c->magic == CHANNEL_MAGIC);
	if (c->state < CHANNEL_OPEN) {
		fail(c, ERR_TIMEOUT, "no %s within %u ms", c->state == CHANNEL_DIALING ? "connection" : "handshake",
		     c->limits.handshake_ms);
		return;
	}
	if (c->state >= CHANNEL_CLOSING) {
		fail(c, ERR_OK, "closed");
		return;
	}
	idle = c->busy > 0 ? 0 : now_ms() - c->last_received;
	if (idle >= c->limits.idle_ms)
		fail(c, ERR_TIMEOUT, "idle for %u ms", c->limits.idle_ms);
	else
		set_timer(&c->deadline_event, c->limits.idle_ms - idle);
}

void channel_set_busy(struct channel *channel, bool busy)
{
	assert(channel->magic == CHANNEL_MAGIC && (busy || channel->busy > 0));
	if (busy) {
		channel->busy++;
		return;
	}
	channel->busy--;
	channel->last_received = now_ms();
}

/* Making. */

static struct channel *create(struct event_base *base, const struct key *key, const struct channel_limits *limits,
			      const struct channel_events *events, void *arg)
{
	struct channel *c = memory_new(1, sizeof(*c));

	c->magic = CHANNEL_MAGIC;
	c->base = base;
	c->key = key;
	c->limits = limits != NULL ? *limits : channel_default_limits;
	c->events = events;
	c->arg = arg;
	c->fd = -1;
	c->early_last = &c->early;
	event_assign(&c->read_event, base, -1, 0, on_read, c);
	event_assign(&c->write_event, base, -1, 0, on_write, c);
	event_assign(&c->deadline_event, base, -1, 0, on_deadline, c);
	event_assign(&c->pace_event, base, -1, 0, on_pace, c);
	event_assign(&c->end_event, base, -1, 0, on_end, c);
	if (c->limits.handshake_ms > 0)
		set_timer(&c->deadline_event, c->limits.handshake_ms);
	return c;
}

/* The peer's numeric address; an IPv4 address that came through an IPv6 socket as IPv4. */
static void name_remote(struct channel *c)
{
	static const char mapped[] = "::ffff:";
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	char host[64];
	bool is_mapped;

	if (getpeername(c->fd, (struct sockaddr *)&peer, &len) != 0 || peer.ss_family == AF_UNIX)
		return;
	if (getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
		return;
	is_mapped = strncmp(host, mapped, strlen(mapped)) == 0 && strchr(host, '.') != NULL;
	snprintf(c->remote_host, sizeof(c->remote_host), "%s", host + (is_mapped ? strlen(mapped) : 0));
}

static void take_socket(struct channel *c, evutil_socket_t fd)
{
	const int on = 1;

	c->fd = fd;
	evutil_make_socket_nonblocking(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on a socketpair, which has no delay */
	name_remote(c);
	event_assign(&c->read_event, c->base, fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(&c->write_event, c->base, fd, EV_WRITE, on_write, c);
	if (event_add(&c->read_event, NULL) != 0)
		fail(c, ERR_SYSTEM, "the socket cannot be watched");
}

static void on_dialed(enum err err, evutil_socket_t fd, const char *why, void *arg)
{
	struct channel *c = arg;
	uint8_t act[NOISE_ACT_ONE];

	assert(c->magic == CHANNEL_MAGIC);
	c->dial = NULL;
	if (err != ERR_OK) {
		fail(c, err, "%s", why);
		return;
	}
	c->state = CHANNEL_ACT_TWO;
	take_socket(c, fd);
	noise_write_act_one(c->handshake, act);
	send_act(c, act, sizeof(act));
}

struct channel *channel_connect(struct event_base *base, const struct key *key, const struct endpoint *endpoint,
				const struct channel_limits *limits, const struct channel_events *events, void *arg)
{
	struct channel *c = create(base, key, limits, events, arg);

	c->state = CHANNEL_DIALING;
	c->remote = endpoint->id;
	if (id_check(&endpoint->id) != ERR_OK) {
		fail(c, ERR_AUTH, "that id is not a key: nobody can own it");
		return c;
	}
	c->handshake = noise_initiator(key, &endpoint->id);
	c->dial = dial_start(base, &endpoint->at, on_dialed, c);
	return c;
}

struct channel *channel_accept(struct event_base *base, const struct key *key, evutil_socket_t fd,
			       const struct channel_limits *limits, const struct channel_events *events, void *arg)
{
	struct channel *c = create(base, key, limits, events, arg);

	c->state = CHANNEL_ACT_ONE;
	c->handshake = noise_responder(key);
	take_socket(c, fd);
	return c;
}

const struct id *channel_remote(const struct channel *channel)
{
	return &channel->remote;
}

const char *channel_remote_host(const struct channel *channel)
{
	return channel->remote_host;
}

bool channel_is_full(const struct channel *channel)
{
	return channel->out.pending + channel->early_bytes > CHANNEL_HIGH_WATER;
}

void channel_on_settled(struct channel *channel, void (*call)(void *arg), void *arg)
{
	assert(channel->magic == CHANNEL_MAGIC && channel->settled == NULL);
	channel->settled = call;
	channel->settled_arg = arg;
}

void channel_close(struct channel *channel)
{
	assert(channel->magic == CHANNEL_MAGIC);
	if (channel->state < CHANNEL_OPEN) {
		fail(channel, ERR_OK, "closed");
		return;
	}
	if (channel->state != CHANNEL_OPEN)
		return;
	channel->state = CHANNEL_CLOSING;
	update_reading(channel); /* to see the peer hang up */
	set_timer(&channel->deadline_event, LINGER_MS);
	flush_soon(channel);
}

void channel_abort(struct channel *channel)
{
	assert(channel->magic == CHANNEL_MAGIC);
	fail(channel, ERR_OK, "closed");
}
