/*
 * A listening socket that shares its connections out to worker loops, and keeps strangers from costing much.
 *
 * What may come in is for the gate (gate.h) to say. At its limit in all the listener stops accepting until a handshake
 * is done; past the others a connection is closed at once, before anything was read from it.
 */
#ifndef GRANARY_COMMON_LISTENER_H
#define GRANARY_COMMON_LISTENER_H

#include "common/channel.h"
#include "common/endpoint.h"
#include "common/gate.h"
#include "common/loop.h"

struct listener;
/* A connection that counts as half-open. */
struct ticket;

/* A connection was accepted; called in the thread of `worker`, number `index` of the workers. Take over `fd`
 * (peer_accept, channel_accept), then hand `ticket` to ticket_follow; or close fd and ticket_drop it. */
typedef void listener_accept(struct loop *worker, unsigned index, evutil_socket_t fd, struct ticket *ticket, void *arg);

struct listener_options {
	const struct hostport *at;	      /* port 0: any free one; a name is resolved here, blocking */
	const struct listener_limits *limits; /* NULL: the defaults */
	struct loop *const *workers;	      /* served in turn */
	unsigned worker_count;		      /* 0: the listener's own loop does it all */
	listener_accept *accept;
	void *arg;
};

/* Listen, accepting on `loop`. Call before the loop runs or in its thread. ERR_UNREACHABLE when the address cannot
 * be bound, ERR_FORMAT when the host cannot be resolved; a sentence goes to `why`. */
enum err listener_new(struct loop *loop, const struct listener_options *options, struct listener **ret, char *why,
		      size_t room) WARN_UNUSED;

/* The numeric address and the port actually bound. */
const struct hostport *listener_at(const struct listener *listener);

/* Stop listening. In the loop's thread, or when it does not run. Connections on their way to a worker are closed;
 * an `accept` that has begun in another thread may still be running, so stop the workers before freeing `arg`. */
void listener_free(struct listener *listener);

/* The ticket ends when the channel's handshake does, or when the channel fails. NULL is fine. */
void ticket_follow(struct ticket *ticket, struct channel *channel);
void ticket_drop(struct ticket *ticket);

#endif
