/* Listening, the list of sessions, and handing work to the pool. */
#include "satellite/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "satellite/session.h"

#define DIALBACKS_MAX 256 /* at once */

struct server {
	struct loop *loop;
	const struct settings *settings;
	const struct key *key;
	struct msg_hello hello;
	struct desks *desks;
	struct pool *pool;
	struct listener *listener;
	struct session *sessions; /* linked through session_next */
	unsigned session_count;
	unsigned dialbacks;
	bool stopping;
	bool stop_posted; /* at most one stop_when_idle is on its way, and none once `stopped` was called */
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void on_accept(struct loop *worker, unsigned index, evutil_socket_t fd, struct ticket *ticket, void *arg)
{
	struct session *session = session_accept(arg, loop_base(worker), fd);

	(void)index;
	ticket_follow(ticket, session_channel(session));
}

enum err server_new(struct loop *loop, const struct server_options *options, struct server **ret, char *why,
		    size_t room)
{
	struct server *server = memory_new(1, sizeof(*server));
	const struct settings *settings = options->settings;
	struct listener_options listening = {
		.at = options->listen,
		.limits = &settings->listener,
		.accept = on_accept,
		.arg = server,
	};
	char message[DATABASE_MESSAGE] = "";
	enum err err;

	server->loop = loop;
	server->settings = settings;
	server->key = options->key;
	server->hello = (struct msg_hello){MESSAGE_VERSION, 0, settings->domain.chain_id, settings->domain.contract};
	err = desks_open(settings, options->key, settings->threads, &server->desks, message);
	if (err != ERR_OK)
		snprintf(why, room, "%s", message);
	else
		err = listener_new(loop, &listening, &server->listener, why, room);
	if (err != ERR_OK) {
		desks_close(server->desks);
		free(server);
		return err;
	}
	server->pool = pool_new(settings->threads, "verbs");
	*ret = server;
	return ERR_OK;
}

static void stop_when_idle(void *arg)
{
	struct server *server = arg;

	server->stop_posted = false;
	if (server->session_count == 0 && server->stopped != NULL) {
		void (*stopped)(void *arg) = server->stopped;

		server->stopped = NULL;
		stopped(server->stopped_arg);
	}
}

static void post_stop(struct server *server)
{
	if (!server->stopping || server->stop_posted || server->stopped == NULL)
		return;
	server->stop_posted = true;
	loop_post(server->loop, stop_when_idle, server);
}

void server_stop(struct server *server, void (*stopped)(void *arg), void *arg)
{
	if (server->stopping)
		return;
	server->stopping = true;
	server->stopped = stopped;
	server->stopped_arg = arg;
	listener_free(server->listener);
	server->listener = NULL;
	for (struct session *s = server->sessions; s != NULL; s = *session_link(s))
		session_hang_up(s);
	post_stop(server);
}

void server_free(struct server *server)
{
	if (server == NULL)
		return;
	listener_free(server->listener);
	pool_free(server->pool);
	desks_close(server->desks);
	assert(server->sessions == NULL);
	free(server);
}

const struct hostport *server_at(const struct server *server)
{
	return listener_at(server->listener);
}

unsigned server_session_count(const struct server *server)
{
	return server->session_count;
}

const struct settings *server_settings(const struct server *server)
{
	return server->settings;
}

const struct key *server_key(const struct server *server)
{
	return server->key;
}

const struct msg_hello *server_hello(const struct server *server)
{
	return &server->hello;
}

struct event_base *server_base(struct server *server)
{
	return loop_base(server->loop);
}

void server_add(struct server *server, struct session *session)
{
	*session_link(session) = server->sessions;
	server->sessions = session;
	server->session_count++;
}

void server_remove(struct server *server, struct session *session)
{
	struct session **at = &server->sessions;

	while (*at != session)
		at = session_link(*at);
	*at = *session_link(session);
	server->session_count--;
	post_stop(server);
}

bool server_begin_dialback(struct server *server)
{
	if (server->dialbacks == DIALBACKS_MAX)
		return false;
	server->dialbacks++;
	return true;
}

void server_end_dialback(struct server *server)
{
	assert(server->dialbacks > 0);
	server->dialbacks--;
}

/* What goes to the pool and comes back. */
struct errand {
	struct server *server;
	void (*work)(struct desk *desk, void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void run_errand(void *arg)
{
	struct errand *errand = arg;
	struct desk *desk = desks_take(errand->server->desks);

	errand->work(desk, errand->arg);
	desks_give_back(errand->server->desks, desk);
}

static void finish_errand(void *arg)
{
	struct errand errand = *(struct errand *)arg;

	free(arg);
	errand.done(errand.arg);
}

void server_submit(struct server *server, void (*work)(struct desk *desk, void *arg), void (*done)(void *arg),
		   void *arg)
{
	struct errand *errand = memory_new(1, sizeof(*errand));

	*errand = (struct errand){server, work, done, arg};
	pool_submit(server->pool, run_errand, server->loop, finish_errand, errand);
}
