/*
 * Resolving and connecting. A lookup is shared by the dial and its thread; whoever lets go last frees it, so a dial
 * can be cancelled while getaddrinfo still waits for some name server.
 */
#include "common/dial.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/memory.h"

#define DIAL_MAGIC 0x6469616cu
#define LOOKUP_STACK 524288u /* getaddrinfo's modules want some */

struct lookup {
	atomic_int holders;
	struct hostport at;
	int done_fd; /* an eventfd, written by the thread when it is done */
	int error;   /* EAI_… */
	struct addrinfo *found;
};

struct dial {
	uint32_t magic;
	struct event_base *base;
	struct event *event; /* the next thing to happen: a start, a lookup's end, a connect's end */
	struct lookup *lookup;
	struct addrinfo *next; /* to try */
	evutil_socket_t fd;
	int last_error; /* errno of the last attempt */
	dial_done *done;
	void *arg;
};

static struct lookup *lookup_new(const struct hostport *at)
{
	struct lookup *lookup = memory_new(1, sizeof(*lookup));

	lookup->at = *at;
	lookup->done_fd = -1;
	atomic_store(&lookup->holders, 1);
	return lookup;
}

static void lookup_release(struct lookup *lookup)
{
	if (lookup == NULL || atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	if (lookup->found != NULL)
		freeaddrinfo(lookup->found);
	if (lookup->done_fd >= 0)
		close(lookup->done_fd);
	free(lookup);
}

static void look_up(struct lookup *lookup, int flags)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
	char port[6];

	snprintf(port, sizeof(port), "%u", lookup->at.port);
	lookup->error = getaddrinfo(lookup->at.host, port, &hints, &lookup->found);
}

static void *look_up_in_thread(void *arg)
{
	struct lookup *lookup = arg;
	const uint64_t one = 1;

	look_up(lookup, AI_ADDRCONFIG);
	if (write(lookup->done_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	lookup_release(lookup);
	return NULL;
}

/* False when the system has no thread or descriptor left. */
static bool start_lookup_thread(struct lookup *lookup)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	bool started;

	lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->done_fd < 0)
		return false;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, LOOKUP_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	atomic_fetch_add(&lookup->holders, 1);
	started = pthread_create(&thread, &attributes, look_up_in_thread, lookup) == 0;
	if (!started)
		atomic_fetch_sub(&lookup->holders, 1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

static void wait_for(struct dial *dial, evutil_socket_t fd, short what, event_callback_fn call)
{
	if (dial->event != NULL)
		event_free(dial->event);
	dial->event = event_new(dial->base, fd, what, call, dial);
	if (dial->event == NULL || (what != 0 && event_add(dial->event, NULL) != 0))
		abort();
}

static void finish(struct dial *dial, enum err err, const char *why)
{
	dial_done *done = dial->done;
	void *arg = dial->arg;
	evutil_socket_t fd = dial->fd;
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "%s", why);
	dial->fd = -1;
	dial_cancel(dial);
	done(err, err == ERR_OK ? fd : -1, sentence, arg);
}

static void on_connected(evutil_socket_t fd, short what, void *arg);

/* Try addresses until one is connected, or at least under way. */
static void try_next(struct dial *dial)
{
	const int on = 1;

	while (dial->next != NULL) {
		struct addrinfo *at = dial->next;

		dial->next = at->ai_next;
		dial->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (dial->fd >= 0) {
			setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			if (connect(dial->fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS) {
				wait_for(dial, dial->fd, EV_WRITE, on_connected);
				return;
			}
		}
		dial->last_error = errno;
		if (dial->fd >= 0)
			close(dial->fd);
		dial->fd = -1;
	}
	finish(dial, ERR_UNREACHABLE, strerror(dial->last_error));
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)what;
	assert(dial->magic == DIAL_MAGIC);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
		finish(dial, ERR_OK, "");
		return;
	}
	dial->last_error = error;
	event_free(dial->event);
	dial->event = NULL;
	close(fd);
	dial->fd = -1;
	try_next(dial);
}

static void use_lookup(struct dial *dial)
{
	if (dial->lookup->error != 0) {
		finish(dial, ERR_UNREACHABLE, gai_strerror(dial->lookup->error));
		return;
	}
	dial->next = dial->lookup->found;
	try_next(dial);
}

static void on_looked_up(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	uint64_t count;

	(void)what;
	assert(dial->magic == DIAL_MAGIC);
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		use_lookup(dial);
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	assert(dial->magic == DIAL_MAGIC);
	look_up(dial->lookup, AI_NUMERICHOST);
	if (dial->lookup->error != EAI_NONAME) {
		use_lookup(dial);
		return;
	}
	if (start_lookup_thread(dial->lookup))
		wait_for(dial, dial->lookup->done_fd, EV_READ, on_looked_up);
	else
		finish(dial, ERR_UNREACHABLE, "no thread to look the name up");
}

struct dial *dial_start(struct event_base *base, const struct hostport *at, dial_done *done, void *arg)
{
	struct dial *dial = memory_new(1, sizeof(*dial));

	dial->magic = DIAL_MAGIC;
	dial->base = base;
	dial->fd = -1;
	dial->done = done;
	dial->arg = arg;
	dial->lookup = lookup_new(at);
	wait_for(dial, -1, 0, on_start);
	event_active(dial->event, 0, 0);
	return dial;
}

void dial_cancel(struct dial *dial)
{
	if (dial == NULL)
		return;
	assert(dial->magic == DIAL_MAGIC);
	if (dial->event != NULL)
		event_free(dial->event);
	if (dial->fd >= 0)
		close(dial->fd);
	lookup_release(dial->lookup);
	dial->magic = 0;
	free(dial);
}
