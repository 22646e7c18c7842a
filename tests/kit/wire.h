/*
 * The raw other end of a channel, for unit tests: a socket, a handshake step by step, frames as bytes.
 *
 * Everything happens in the test's one thread: whenever this end has to wait, it runs the event loop that the channel
 * under test lives on.
 */
#ifndef GRANARY_TESTS_KIT_WIRE_H
#define GRANARY_TESTS_KIT_WIRE_H

#include <event2/event.h>

#include "common/endpoint.h"
#include "common/noise.h"

struct wire {
	struct event_base *base;
	int fd;
	struct noise_cipher send, receive;
};

/* A socketpair: one end becomes the wire's, the other is returned, for channel_accept. */
int wire_pair(struct wire *wire, struct event_base *base);
/* Listen on a free port of loopback; returns the socket. */
int wire_listen(struct endpoint *ret_at);
/* Accept from such a socket, running the loop until somebody connects. */
void wire_accept(struct wire *wire, struct event_base *base, int listening);
void wire_connect(struct wire *wire, struct event_base *base, const struct hostport *at);
void wire_close(struct wire *wire);

void wire_write(struct wire *wire, const void *data, size_t len);
/* Exactly `len` bytes; false when the stream ended before. */
bool wire_read(struct wire *wire, void *out, size_t len);
/* True when the other side hangs up without another byte. */
bool wire_at_end(struct wire *wire);

/* The whole handshake, as the side that connected or that accepted. False when the other side hung up. */
bool wire_initiate(struct wire *wire, const struct key *key, const struct id *remote);
bool wire_respond(struct wire *wire, const struct key *key);

void wire_send(struct wire *wire, struct bytes message);
/* One message into `out`, which has room for NOISE_MESSAGE + NOISE_TAG bytes; -1 when the stream ended. */
long wire_receive(struct wire *wire, uint8_t *out);

/* Run the loop until *flag is set. */
void wire_run_until(struct event_base *base, const bool *flag);

#endif
