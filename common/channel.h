/*
 * A BOLT 8 connection on a libevent loop: whole messages in, whole messages out, each authenticated.
 *
 * Messages are decrypted where the kernel put them and encrypted where the kernel fetches them. The socket is read by
 * our own event: a bufferevent of libevent 2.1 reads 4 KiB at a time, which takes four times as long per byte.
 *
 * A channel belongs to one event_base and is touched by its thread only. It holds no memory for buffers while idle.
 * Nothing calls back from inside a call of yours, and a channel is freed only from the event loop, so a callback may
 * close its own channel. `closed` is the last callback, made exactly once, also after channel_close.
 */
#ifndef GRANARY_COMMON_CHANNEL_H
#define GRANARY_COMMON_CHANNEL_H

#include <event2/event.h>

#include "common/endpoint.h"
#include "common/noise.h"

/* Past so many unsent bytes in a channel, senders wait for `drained`. Past twice as many, because the peer asks and
 * does not read the answers, no more messages are taken in until then. */
#define CHANNEL_HIGH_WATER 131072u

struct channel;

/* Deadlines in milliseconds; 0 turns one off. */
struct channel_limits {
	unsigned handshake_ms; /* to resolve, connect and shake hands: 5,000 */
	unsigned first_ms;     /* from there to HELLO and, on the accepting side, the first request (peer.h): 10,000 */
	unsigned idle_ms;      /* nothing received and nothing owed: 600,000 */
	unsigned pace_ms;      /* a transfer under way moves pace_bytes in any such time, or is dropped: 10,000 */
	unsigned pace_bytes;   /* 40,960, which is 4 KiB/s */
};
extern const struct channel_limits channel_default_limits;

struct channel_events {
	/* The handshake is done; channel_remote is known. */
	void (*ready)(struct channel *channel, void *arg);
	/* One decrypted message, 0 to 65535 bytes, a view that dies with the call; it may be changed in place. */
	void (*message)(struct channel *channel, uint8_t *message, size_t len, void *arg);
	/* The unsent bytes fell below half of CHANNEL_HIGH_WATER after channel_is_full was true. May be NULL. */
	void (*drained)(struct channel *channel, void *arg);
	/* It is over, for this reason; `why` says it in words. The channel is freed right after. */
	void (*closed)(struct channel *channel, enum err err, const char *why, void *arg);
};

/* Connect to an endpoint (host names are resolved without blocking). `key` must outlive the channel. Failure is
 * told through `closed`: ERR_UNREACHABLE, ERR_TIMEOUT, ERR_AUTH when the other side does not own endpoint->id. */
struct channel *channel_connect(struct event_base *base, const struct key *key, const struct endpoint *endpoint,
				const struct channel_limits *limits, const struct channel_events *events, void *arg);
/* Take over an accepted socket. */
struct channel *channel_accept(struct event_base *base, const struct key *key, evutil_socket_t fd,
			       const struct channel_limits *limits, const struct channel_events *events, void *arg);

/* Who is there. Valid from `ready` on. */
const struct id *channel_remote(const struct channel *channel);
/* The peer's numeric address, without port; "" when unknown. */
const char *channel_remote_host(const struct channel *channel);

/* Queue one message; before `ready`, to be sent right after the handshake. Never blocks and never fails; a dead channel
 * drops it. */
void channel_send(struct channel *channel, struct bytes message);
/* The same without a copy: get room for a message of at most `len` bytes, write it there, then commit its true
 * length (0 drops it). Nothing else may be called on the channel in between. */
uint8_t *channel_reserve(struct channel *channel, size_t len);
void channel_commit(struct channel *channel, size_t len);

/* Unsent bytes are above CHANNEL_HIGH_WATER: stop producing until `drained`. */
bool channel_is_full(const struct channel *channel);
/* Stop and resume reading from the socket (TCP then holds the peer back). */
void channel_pause(struct channel *channel);
void channel_resume(struct channel *channel);
/* Something is owed to or by the peer: the idle deadline does not run. Calls nest: each `true` needs its `false`. */
void channel_set_busy(struct channel *channel, bool busy);
/* Call call(arg) once, from the event loop, when the handshake is over: done, or failed. For one listener. */
void channel_on_settled(struct channel *channel, void (*call)(void *arg), void *arg);

/* Close after what is queued was sent and the peer hung up (at most 2 s), or at once; `closed` follows with ERR_OK.
 * No more messages come in. */
void channel_close(struct channel *channel);
void channel_abort(struct channel *channel);

#endif
