/*
 * Accepting and sharing out.
 *
 * The gate and who holds it live in `struct doorway`, under a mutex, because tickets end in the workers' threads. It
 * is held by the listener and by every ticket, so tickets may outlive the listener.
 */
#include "common/listener.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"

#define LISTENER_MAGIC 0x6c697374u
#define TICKET_MAGIC 0x7469636bu
#define BACKLOG 512
#define ACCEPTS_PER_TURN 64
#define REST_US 100000 /* without descriptors, before trying again */

struct doorway {
	pthread_mutex_t mutex;
	unsigned holders;
	struct gate *gate;
	struct listener *listener; /* NULL once freed */
};

struct listener {
	uint32_t magic;
	struct loop *loop;
	struct event *event;
	struct event *rest;
	int fd;
	struct hostport at;
	listener_accept *accept;
	void *arg;
	struct doorway *doorway;
	unsigned next_worker;
	unsigned worker_count; /* at least 1 */
	struct loop *workers[];
};

struct ticket {
	uint32_t magic;
	struct doorway *doorway;
	struct place place;
	/* on its way to a worker */
	evutil_socket_t fd;
	struct loop *worker;
	unsigned index;
	listener_accept *accept;
	void *arg;
};

/* What listener and tickets share. */

static void doorway_lock(struct doorway *doorway)
{
	pthread_mutex_lock(&doorway->mutex);
}

static void doorway_unlock(struct doorway *doorway)
{
	pthread_mutex_unlock(&doorway->mutex);
}

/* Unlock and let go of one hold; the last one frees it. */
static void doorway_release(struct doorway *doorway)
{
	unsigned left = --doorway->holders;

	pthread_mutex_unlock(&doorway->mutex);
	if (left > 0)
		return;
	gate_free(doorway->gate);
	pthread_mutex_destroy(&doorway->mutex);
	free(doorway);
}

static struct doorway *doorway_new(const struct listener_limits *limits, struct listener *listener)
{
	struct doorway *doorway = memory_new(1, sizeof(*doorway));

	if (pthread_mutex_init(&doorway->mutex, NULL) != 0)
		abort();
	doorway->gate = gate_new(limits);
	doorway->listener = listener;
	doorway->holders = 1;
	return doorway;
}

/* Tickets. */

static void resume_accepting(void *arg);

/* The hold keeps the doorway until the call is made; the listener may be gone by then. */
static void wake_listener(struct doorway *doorway)
{
	if (doorway->listener == NULL)
		return;
	doorway->holders++;
	loop_post(doorway->listener->loop, resume_accepting, doorway);
}

void ticket_drop(struct ticket *ticket)
{
	struct doorway *doorway;

	if (ticket == NULL)
		return;
	assert(ticket->magic == TICKET_MAGIC);
	doorway = ticket->doorway;
	doorway_lock(doorway);
	if (gate_is_full(doorway->gate))
		wake_listener(doorway);
	gate_leave(doorway->gate, &ticket->place);
	doorway_release(doorway);
	ticket->magic = 0;
	free(ticket);
}

static void drop(void *arg)
{
	ticket_drop(arg);
}

void ticket_follow(struct ticket *ticket, struct channel *channel)
{
	if (ticket != NULL)
		channel_on_settled(channel, drop, ticket);
}

/* A ticket for a connection from there, or NULL when it is over a limit. */
static struct ticket *admit(struct listener *listener, const struct sockaddr_storage *from)
{
	struct doorway *doorway = listener->doorway;
	struct ticket *ticket = NULL;
	struct place place;

	doorway_lock(doorway);
	if (gate_enter(doorway->gate, from, clock_monotonic() / 1000000, &place)) {
		ticket = memory_new(1, sizeof(*ticket));
		ticket->magic = TICKET_MAGIC;
		ticket->doorway = doorway;
		ticket->place = place;
		doorway->holders++;
	}
	doorway_unlock(doorway);
	return ticket;
}

/* Accepting. */

/* In the worker's thread. */
static void hand_over(void *arg)
{
	struct ticket *ticket = arg;
	bool alive;

	assert(ticket->magic == TICKET_MAGIC);
	doorway_lock(ticket->doorway);
	alive = ticket->doorway->listener != NULL;
	doorway_unlock(ticket->doorway);
	if (alive) {
		ticket->accept(ticket->worker, ticket->index, ticket->fd, ticket, ticket->arg);
		return;
	}
	close(ticket->fd);
	ticket_drop(ticket);
}

static void share_out(struct listener *listener, struct ticket *ticket, evutil_socket_t fd)
{
	ticket->fd = fd;
	ticket->accept = listener->accept;
	ticket->arg = listener->arg;
	ticket->index = listener->next_worker;
	listener->next_worker = (listener->next_worker + 1) % listener->worker_count;
	ticket->worker = listener->workers[ticket->index];
	loop_post(ticket->worker, hand_over, ticket);
}

/* Stop accepting until a ticket ends, if all are out. */
static bool close_if_full(struct listener *listener)
{
	bool full;

	doorway_lock(listener->doorway);
	full = gate_is_full(listener->doorway->gate);
	if (full)
		event_del(listener->event);
	doorway_unlock(listener->doorway);
	return full;
}

static void accept_again(struct listener *listener)
{
	if (event_add(listener->event, NULL) != 0)
		abort();
}

static void resume_accepting(void *arg)
{
	struct doorway *doorway = arg;
	struct listener *listener;

	doorway_lock(doorway);
	listener = doorway->listener;
	doorway_release(doorway);
	if (listener != NULL) /* freed in this thread only */
		accept_again(listener);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)fd;
	(void)what;
	assert(listener->magic == LISTENER_MAGIC);
	accept_again(listener);
}

/* The process or the system is out of descriptors: do not spin on a socket that stays readable. */
static void rest(struct listener *listener)
{
	const struct timeval after = {.tv_usec = REST_US};

	event_del(listener->event);
	if (event_add(listener->rest, &after) != 0)
		abort();
}

static void on_incoming(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	(void)what;
	assert(listener->magic == LISTENER_MAGIC);
	for (int i = 0; i < ACCEPTS_PER_TURN && !close_if_full(listener); i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		struct ticket *ticket;
		int accepted = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (accepted < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				rest(listener);
			return;
		}
		ticket = admit(listener, &from);
		if (ticket != NULL)
			share_out(listener, ticket, accepted);
		else
			close(accepted);
	}
}

/* Making. */

static enum err bind_to(const struct addrinfo *at, int *ret_fd)
{
	const int on = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return ERR_UNREACHABLE;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		close(fd);
		return ERR_UNREACHABLE;
	}
	*ret_fd = fd;
	return ERR_OK;
}

static enum err open_socket(const struct hostport *at, int *ret_fd, char *why, size_t room)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[6], text[HOSTPORT_TEXT];
	int failed;
	enum err err = ERR_UNREACHABLE;

	hostport_print(at, text);
	snprintf(port, sizeof(port), "%u", at->port);
	failed = getaddrinfo(at->host, port, &hints, &found);
	if (failed != 0) {
		snprintf(why, room, "cannot listen on %s: %s", text, gai_strerror(failed));
		return ERR_FORMAT;
	}
	for (const struct addrinfo *one = found; one != NULL && err != ERR_OK; one = one->ai_next)
		err = bind_to(one, ret_fd);
	if (err != ERR_OK)
		snprintf(why, room, "cannot listen on %s: %s", text, strerror(errno));
	freeaddrinfo(found);
	return err;
}

static void read_bound(struct listener *listener)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char port[6];

	if (getsockname(listener->fd, (struct sockaddr *)&at, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&at, len, listener->at.host, sizeof(listener->at.host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		abort(); /* of a socket that was bound just now */
	listener->at.port = (uint16_t)strtoul(port, NULL, 10);
}

enum err listener_new(struct loop *loop, const struct listener_options *options, struct listener **ret, char *why,
		      size_t room)
{
	struct listener *listener;
	int fd;
	enum err err = open_socket(options->at, &fd, why, room);

	if (err != ERR_OK)
		return err;
	listener = memory_new(1, sizeof(*listener) + (options->worker_count + 1) * sizeof(void *));
	listener->magic = LISTENER_MAGIC;
	listener->loop = loop;
	listener->fd = fd;
	listener->accept = options->accept;
	listener->arg = options->arg;
	listener->workers[0] = loop; /* without others */
	listener->worker_count = options->worker_count > 0 ? options->worker_count : 1;
	for (unsigned i = 0; i < options->worker_count; i++)
		listener->workers[i] = options->workers[i];
	listener->doorway = doorway_new(options->limits != NULL ? options->limits : &listener_default_limits, listener);
	read_bound(listener);
	listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_incoming, listener);
	listener->rest = event_new(loop_base(loop), -1, 0, on_rested, listener);
	if (listener->event == NULL || listener->rest == NULL)
		abort();
	accept_again(listener);
	*ret = listener;
	return ERR_OK;
}

const struct hostport *listener_at(const struct listener *listener)
{
	return &listener->at;
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	assert(listener->magic == LISTENER_MAGIC);
	doorway_lock(listener->doorway);
	listener->doorway->listener = NULL;
	doorway_release(listener->doorway);
	event_free(listener->event);
	event_free(listener->rest);
	close(listener->fd);
	listener->magic = 0;
	free(listener);
}
