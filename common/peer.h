/*
 * Requests and answers over a channel: HELLO first, then messages routed by request number.
 *
 * Both ends may ask. The side that connected numbers its requests from 1, the side that accepted from 2^31 + 1, so
 * that an answer cannot be taken for a question: it goes to the handler of the request it echoes, everything else to
 * `request`. PING is answered here. A message that does not parse, or whose even type is unknown, is answered with
 * ERROR and closes the channel; unknown odd types are ignored (BOLT #1: "it's OK to be odd").
 */
#ifndef GRANARY_COMMON_PEER_H
#define GRANARY_COMMON_PEER_H

#include "common/channel.h"
#include "common/message.h"

struct peer;

struct peer_events {
	/* HELLO came and fits; may be NULL. */
	void (*ready)(struct peer *peer, const struct msg_hello *hello, void *arg);
	/* A message that answers nothing of ours, never HELLO, PING or ERROR; views in it die with the call. NULL:
	 * refuse all. While an answer is owed, channel_set_busy. */
	void (*request)(struct peer *peer, const struct message *message, void *arg);
	/* As channel_events.drained; may be NULL. */
	void (*drained)(struct peer *peer, void *arg);
	/* The end; every open ask was answered with its failure before. The peer is freed right after. */
	void (*closed)(struct peer *peer, enum err err, const char *why, void *arg);
};

/* An answer to an ask. `message` is NULL when there will be none: err says why (ERR_TIMEOUT, ERR_CLOSED, …) and
 * the ask is over. An ERROR message arrives like any other, and ends the ask. For the rest, the handler says when
 * it has had the last one, by peer_forget. */
typedef void peer_answer(struct peer *peer, const struct message *message, enum err err, void *arg);

struct peer *peer_connect(struct event_base *base, const struct key *key, const struct endpoint *endpoint,
			  const struct channel_limits *limits, const struct msg_hello *hello,
			  const struct peer_events *events, void *arg);
struct peer *peer_accept(struct event_base *base, const struct key *key, evutil_socket_t fd,
			 const struct channel_limits *limits, const struct msg_hello *hello,
			 const struct peer_events *events, void *arg);

/* The channel below, for its remote, pause, close and so on. NULL once it is lost, which a caller can see only in
 * the handlers of its last answers and after a peer_call that failed. */
struct channel *peer_channel(struct peer *peer);
/* What the other side said; NULL before `ready`. */
const struct msg_hello *peer_hello(const struct peer *peer);

/* Send a request with a fresh number, put into message->request and returned. May be called before `ready`: the
 * message is sent right after our HELLO. Without an answer for timeout_ms (0: no limit; each answer starts it anew)
 * the handler gets ERR_TIMEOUT. Nothing is called back from inside this call. */
uint32_t peer_ask(struct peer *peer, struct message *message, unsigned timeout_ms, peer_answer *answer, void *arg);
/* Forget an ask: later answers to it are dropped. */
void peer_forget(struct peer *peer, uint32_t request);

/* Send a message that is no new ask: an answer, or a further part of a request; message->request is the caller's. */
void peer_send(struct peer *peer, const struct message *message);
/* Send ERROR{code, text} for a request. text is a printf format; NULL for the code's own phrase. */
void peer_refuse(struct peer *peer, uint32_t request, enum refusal code, const char *text, ...)
	__attribute__((format(printf, 4, 5)));

/* Ask and wait: runs the event loop until the answer, an error or the timeout. For command-line tools, whose loop
 * is not running otherwise. `ret` is a copy whose views live until the next peer_call or peer_call_next on this peer.
 * An ERROR answer gives its nearest err (refusal_to_err) and leaves the message in *ret. The peer stays valid: when
 * the connection is lost meanwhile, `closed` is called the next time that the loop runs outside of these calls.
 * ERR_CANCELLED when a handler breaks off the loop (event_base_loopbreak). */
enum err peer_call(struct peer *peer, struct message *message, unsigned timeout_ms, struct message *ret) WARN_UNUSED;
/* Wait for the next answer to the last peer_call: for answers in several parts. */
enum err peer_call_next(struct peer *peer, unsigned timeout_ms, struct message *ret) WARN_UNUSED;
/* For a request in several parts: begin to ask; send each further part, waiting while the peer takes no more, with
 * the timeout from then on; then wait for the answer by peer_call_next. ERR_EXISTS: an answer is there already. */
void peer_call_begin(struct peer *peer, struct message *message, unsigned timeout_ms);
enum err peer_call_part(struct peer *peer, struct message *part, unsigned timeout_ms) WARN_UNUSED;
/* Close and run the event loop until `closed` was called; without ceremony when it is broken off. For command-line
 * tools. */
void peer_finish(struct peer *peer);

#endif
