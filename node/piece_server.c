/* Starting, dealing out, draining. */
#include "node/piece_server.h"

#include <assert.h>
#include <stdlib.h>

#include "common/memory.h"
#include "node/session.h"

struct piece_server {
	struct loop *loop;
	struct listener *listener;
	struct hostport at;
	struct worker *workers;
	unsigned worker_count;
	unsigned undrained; /* workers that have not said so */
	bool running;	    /* the workers' threads */
	struct event *patience;
	void (*drained)(void *arg);
	void *arg;
};

static void on_accept(struct loop *loop, unsigned index, evutil_socket_t fd, struct ticket *ticket, void *arg)
{
	struct piece_server *server = arg;

	assert(index < server->worker_count && server->workers[index].loop == loop);
	session_begin(&server->workers[index], fd, ticket);
}

static void join_workers(struct piece_server *server)
{
	if (!server->running)
		return;
	for (unsigned i = 0; i < server->worker_count; i++) {
		loop_stop(server->workers[i].loop);
		loop_join(server->workers[i].loop);
	}
	server->running = false;
}

/* In the daemon's loop. */
static void count_drained(void *arg)
{
	struct piece_server *server = arg;

	assert(server->undrained > 0);
	if (--server->undrained > 0)
		return;
	event_free(server->patience);
	server->patience = NULL;
	join_workers(server);
	server->drained(server->arg);
}

static void on_drained(struct worker *worker, void *arg)
{
	struct piece_server *server = arg;

	(void)worker;
	loop_post(server->loop, count_drained, server);
}

static void start_workers(struct piece_server *server, const struct parts *parts, struct loop **loops)
{
	for (unsigned i = 0; i < server->worker_count; i++) {
		loops[i] = loop_new();
		server->workers[i] =
			(struct worker){.loop = loops[i], .parts = parts, .drained = on_drained, .arg = server};
	}
}

enum err piece_server_start(struct loop *loop, const struct hostport *at, const struct parts *parts, unsigned workers,
			    struct piece_server **ret, char *why, size_t room)
{
	struct piece_server *server = memory_new(1, sizeof(*server));
	struct loop **loops = memory_new(workers, sizeof(*loops));
	const struct listener_options options = {.at = at,
						 .limits = &parts->limits.listener,
						 .workers = loops,
						 .worker_count = workers,
						 .accept = on_accept,
						 .arg = server};
	enum err err;

	assert(workers > 0);
	server->loop = loop;
	server->workers = memory_new(workers, sizeof(*server->workers));
	server->worker_count = workers;
	start_workers(server, parts, loops);
	err = listener_new(loop, &options, &server->listener, why, room);
	if (err != ERR_OK)
		goto out;
	server->at = *listener_at(server->listener);
	for (unsigned i = 0; i < workers; i++)
		loop_start(loops[i], "worker");
	server->running = true;
	*ret = server;
	server = NULL;
out:
	free(loops);
	piece_server_free(server);
	return err;
}

const struct hostport *piece_server_at(const struct piece_server *server)
{
	return &server->at;
}

static void drain_worker(void *arg)
{
	worker_drain(arg);
}

static void abort_worker(void *arg)
{
	worker_abort(arg);
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
	struct piece_server *server = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < server->worker_count; i++)
		loop_post(server->workers[i].loop, abort_worker, &server->workers[i]);
}

void piece_server_stop(struct piece_server *server, unsigned patience_ms, void (*drained)(void *arg), void *arg)
{
	const struct timeval patience = {patience_ms / 1000, (suseconds_t)(patience_ms % 1000) * 1000};

	assert(server->patience == NULL);
	server->drained = drained;
	server->arg = arg;
	server->undrained = server->worker_count;
	server->patience = evtimer_new(loop_base(server->loop), on_impatient, server);
	event_add(server->patience, &patience);
	listener_free(server->listener);
	server->listener = NULL;
	for (unsigned i = 0; i < server->worker_count; i++)
		loop_post(server->workers[i].loop, drain_worker, &server->workers[i]);
}

void piece_server_free(struct piece_server *server)
{
	if (server == NULL)
		return;
	listener_free(server->listener);
	join_workers(server);
	for (unsigned i = 0; i < server->worker_count; i++)
		loop_free(server->workers[i].loop);
	free(server->workers);
	free(server);
}
