/*
 * One channel to a node or a client: takes requests, has them worked on, sends the answers.
 *
 * Several requests are worked on at once and answered as each is ready. At settings->requests, or when the peer
 * does not read its answers, the session stops reading. A session whose channel is gone lives on until its last piece
 * of work has come back.
 */
#ifndef GRANARY_SATELLITE_SESSION_H
#define GRANARY_SATELLITE_SESSION_H

#include "satellite/server.h"

struct settling;

/* Take over an accepted socket. */
struct session *session_accept(struct server *server, struct event_base *base, evutil_socket_t fd);
struct channel *session_channel(struct session *session);
/* Where the server keeps the next one of its list. */
struct session **session_link(struct session *session);
/* Hang up after what is being worked on is answered. */
void session_hang_up(struct session *session);

/* For what is worked on: hold while it is, let go once, after the answers (if any) were sent. */
void session_hold(struct session *session);
void session_let_go(struct session *session);
void session_answer(struct session *session, const struct reply *reply);
void session_answer_refusal(struct session *session, uint32_t request, enum refusal code, const char *why);
struct server *session_server(struct session *session);
const struct caller *session_caller(const struct session *session);
/* Whether a check-in is under way, whose dial-back costs us a connection. */
bool *session_checking_in(struct session *session);
/* The settlements that arrive in parts (satellite/settling.h). */
struct settling **session_settlings(struct session *session);

#endif
