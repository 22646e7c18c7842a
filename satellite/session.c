/* Requests in, answers out. */
#include "satellite/session.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/memory.h"
#include "satellite/checkin.h"
#include "satellite/job.h"
#include "satellite/settling.h"
#include "satellite/verbs.h"

#define SESSION_MAGIC 0x5e551047

struct session {
	uint32_t magic;
	struct server *server;
	struct session *next;
	struct peer *peer; /* NULL once it is closed */
	struct caller caller;
	unsigned held;
	bool paused;
	bool hanging_up;
	bool checking_in;
	struct settling *settlings;
};

static struct session *session_of(void *arg)
{
	struct session *session = arg;

	assert(session->magic == SESSION_MAGIC);
	return session;
}

static void free_if_over(struct session *session)
{
	if (session->peer != NULL || session->held > 0)
		return;
	settling_drop_all(session);
	server_remove(session->server, session);
	session->magic = 0;
	free(session);
}

/* Read on, or not. */
static void update_reading(struct session *session)
{
	struct channel *channel;
	bool pause;

	if (session->peer == NULL)
		return;
	channel = peer_channel(session->peer);
	pause = session->held >= server_settings(session->server)->requests || channel_is_full(channel);
	if (pause && !session->paused)
		channel_pause(channel);
	if (!pause && session->paused)
		channel_resume(channel);
	session->paused = pause;
}

static void on_ready(struct peer *peer, const struct msg_hello *hello, void *arg)
{
	struct session *session = session_of(arg);

	(void)hello;
	session->caller.id = *channel_remote(peer_channel(peer));
	/* The handshake has proved that it is a point. */
	if (id_to_address(&session->caller.id, &session->caller.address) != ERR_OK)
		channel_abort(peer_channel(peer));
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct session *session = session_of(arg);
	const struct verb *verb = verbs_find(message->type);

	if (session->hanging_up) {
		peer_refuse(peer, message->request, REFUSAL_SHUTDOWN, NULL);
	} else if (message->type == MSG_CHECK_IN) {
		checkin_begin(session, message);
	} else if (message->type == MSG_SETTLE) {
		settling_begin(session, message);
	} else if (message->type == MSG_SETTLE_ORDERS) {
		settling_add(session, message);
	} else if (verb != NULL) {
		job_start(session, verb, message);
	} else {
		peer_refuse(peer, message->request, REFUSAL_PROTOCOL, "a satellite does not answer %s",
			    message_find(message->type)->fields.name);
	}
	update_reading(session);
}

static void on_drained(struct peer *peer, void *arg)
{
	(void)peer;
	update_reading(session_of(arg));
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	struct session *session = session_of(arg);
	char quoted[200];

	(void)peer;
	if (err != ERR_OK && err != ERR_CLOSED)
		log_event(LOG_DEBUG, "session_failed", "error=%s why=%s", err_name(err),
			  log_quote(why == NULL ? "" : why, quoted, sizeof(quoted)));
	session->peer = NULL;
	free_if_over(session);
}

struct session *session_accept(struct server *server, struct event_base *base, evutil_socket_t fd)
{
	static const struct peer_events events = {
		.ready = on_ready, .request = on_request, .drained = on_drained, .closed = on_closed};
	struct session *session = memory_new(1, sizeof(*session));

	session->magic = SESSION_MAGIC;
	session->server = server;
	session->peer = peer_accept(base, server_key(server), fd, &server_settings(server)->channel,
				    server_hello(server), &events, session);
	server_add(server, session);
	return session;
}

struct channel *session_channel(struct session *session)
{
	return peer_channel(session->peer);
}

struct session **session_link(struct session *session)
{
	return &session->next;
}

void session_hang_up(struct session *session)
{
	session->hanging_up = true;
	settling_drop_all(session);
	if (session->held == 0 && session->peer != NULL)
		channel_close(peer_channel(session->peer));
}

void session_hold(struct session *session)
{
	session->held++;
	if (session->peer != NULL)
		channel_set_busy(peer_channel(session->peer), true);
}

void session_let_go(struct session *session)
{
	assert(session->held > 0);
	session->held--;
	if (session->peer != NULL)
		channel_set_busy(peer_channel(session->peer), false);
	update_reading(session);
	if (session->hanging_up)
		session_hang_up(session);
	free_if_over(session);
}

void session_answer(struct session *session, const struct reply *reply)
{
	size_t offset = 0;
	struct bytes message;

	if (session->peer == NULL)
		return;
	for (message = reply_next(reply, &offset); message.len > 0; message = reply_next(reply, &offset))
		channel_send(peer_channel(session->peer), message);
}

void session_answer_refusal(struct session *session, uint32_t request, enum refusal code, const char *why)
{
	if (session->peer != NULL)
		peer_refuse(session->peer, request, code, why == NULL ? NULL : "%s", why);
}

struct server *session_server(struct session *session)
{
	return session->server;
}

const struct caller *session_caller(const struct session *session)
{
	return &session->caller;
}

bool *session_checking_in(struct session *session)
{
	return &session->checking_in;
}

struct settling **session_settlings(struct session *session)
{
	return &session->settlings;
}
