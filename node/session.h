/*
 * One peer on one channel: takes its requests, hands them to their verbs, and watches that it is neither too slow nor
 * too much.
 *
 *	handshake → HELLO → requests, interleaved → closed
 *
 * The deadlines of the handshake and the first request, PING, and the pace of single messages are the peer's and the
 * channel's below; here a request is dropped that moves too little, whoever it waits for but us.
 *
 * Messages for a request that is over already are dropped, because its end may have crossed with them; of requests
 * that never were, they are refused.
 */
#ifndef GRANARY_NODE_SESSION_H
#define GRANARY_NODE_SESSION_H

#include "common/peer.h"
#include "node/request.h"
#include "node/worker.h"

/* Serve an accepted socket from now on, in the worker's thread. Takes fd and ticket. */
void session_begin(struct worker *worker, evutil_socket_t fd, struct ticket *ticket);

/* For verbs. */
struct worker *session_worker(const struct session *session);
const struct id *session_peer_id(const struct session *session);

/* For requests: answer, refuse, and take a request that is over off the list. */
void session_send(struct session *session, const struct message *message);
void session_refuse(struct session *session, uint32_t number, enum refusal refusal, const char *words);
bool session_is_full(const struct session *session);
void session_remove(struct session *session, struct request *request);
/* One more, or one less, reason not to read from the channel. */
void session_pause(struct session *session);
void session_resume(struct session *session);

/* For the worker. */
void session_each(struct worker *worker, void (*call)(struct session *session));
void session_drain(struct session *session);
void session_abort(struct session *session);

#endif
