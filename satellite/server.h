/*
 * The server: one network loop with its sessions, and the worker threads that answer them.
 *
 * The loop never runs SQL and never signs; it moves messages. A worker gets a copy of the request and a desk, and its
 * answers are posted back to the loop. So a slow disk delays answers, never the network.
 */
#ifndef GRANARY_SATELLITE_SERVER_H
#define GRANARY_SATELLITE_SERVER_H

#include "common/listener.h"
#include "common/loop.h"
#include "common/peer.h"
#include "satellite/desk.h"

struct server;
struct session;

struct server_options {
	const struct settings *settings;
	const struct key *key;
	const struct hostport *listen;
};

/* Listen on `loop`, which is not running yet. `why` gets a sentence. */
enum err server_new(struct loop *loop, const struct server_options *options, struct server **ret, char *why,
		    size_t room) WARN_UNUSED;
/* Accept nothing more, hang up on everyone once what they asked is answered, then call stopped(arg). */
void server_stop(struct server *server, void (*stopped)(void *arg), void *arg);
/* After the loop has ended. */
void server_free(struct server *server);

/* The address and port bound; the sessions now. In the loop's thread. */
const struct hostport *server_at(const struct server *server);
unsigned server_session_count(const struct server *server);

const struct settings *server_settings(const struct server *server);

/* For sessions. */
const struct key *server_key(const struct server *server);
const struct msg_hello *server_hello(const struct server *server);
struct event_base *server_base(struct server *server);
void server_add(struct server *server, struct session *session);
void server_remove(struct server *server, struct session *session);
/* One more or one less node is being dialled back; false when that is too many at once. */
bool server_begin_dialback(struct server *server) WARN_UNUSED;
void server_end_dialback(struct server *server);
/* Run work(desk, arg) in a worker thread, then done(arg) in the loop. */
void server_submit(struct server *server, void (*work)(struct desk *desk, void *arg), void (*done)(void *arg),
		   void *arg);

#endif
