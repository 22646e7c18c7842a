/*
 * Accepting, rationing and sharing out.
 *
 * What is counted lives in `struct gate`, under a mutex, because tickets end in the workers' threads. The gate is
 * held by the listener and by every ticket, so tickets may outlive the listener. A network or an address that is not
 * counted takes no memory; addresses are remembered for as long as their allowance is not full again, and at most
 * ADDRESSES_MAX of them: past that the least recently seen is forgotten, so that a flood from everywhere cannot
 * exhaust memory.
 */
#include "common/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uthash.h>

#include "common/clock.h"
#include "common/memory.h"

#define LISTENER_MAGIC 0x6c697374u
#define TICKET_MAGIC 0x7469636bu
#define ADDRESSES_MAX 16384
#define BACKLOG 512
#define ACCEPTS_PER_TURN 64
#define TOKEN 60000u /* units per connection: an allowance of n per minute then regains n units per millisecond */
#define REST_MS 100  /* without descriptors, before trying again */

const struct listener_limits listener_default_limits = {
	.half_open = 256, .half_open_network = 16, .address_burst = 60, .address_minute = 120,
};

/* The leading bytes of an address, zero-padded: 3 of IPv4 for its /24, 6 of IPv6 for its /48. */
struct prefix {
	uint8_t family;
	uint8_t b[8];
};

struct network {
	struct prefix prefix;
	unsigned half_open;
	UT_hash_handle hh;
};

struct address_use {
	struct prefix prefix;
	uint64_t tokens;
	uint64_t at; /* milliseconds, when `tokens` was true */
	UT_hash_handle hh;
};

struct gate {
	pthread_mutex_t mutex;
	unsigned holders;
	struct listener_limits limits;
	unsigned half_open;
	struct network *networks;
	struct address_use *addresses; /* least recently seen first */
	struct listener *listener;     /* NULL once freed */
};

struct listener {
	uint32_t magic;
	struct loop *loop;
	struct event *event;
	struct event *rest;
	int fd;
	struct hostport at;
	struct loop **workers;
	unsigned worker_count;
	unsigned next_worker;
	listener_accept *accept;
	void *arg;
	struct gate *gate;
};

struct ticket {
	uint32_t magic;
	struct gate *gate;
	struct prefix network;
	bool counted_network;
	/* on its way to a worker */
	evutil_socket_t fd;
	struct loop *worker;
	unsigned index;
	listener_accept *accept;
	void *arg;
};

/* The gate. */

static void gate_lock(struct gate *gate)
{
	pthread_mutex_lock(&gate->mutex);
}

/* Unlock, and let go of one hold if `release`. */
static void gate_unlock(struct gate *gate, bool release)
{
	struct address_use *use, *next;
	unsigned left = release ? --gate->holders : gate->holders;

	pthread_mutex_unlock(&gate->mutex);
	if (left > 0)
		return;
	assert(gate->networks == NULL);
	HASH_ITER(hh, gate->addresses, use, next) {
		HASH_DEL(gate->addresses, use);
		free(use);
	}
	pthread_mutex_destroy(&gate->mutex);
	free(gate);
}

static struct gate *gate_new(const struct listener_limits *limits, struct listener *listener)
{
	struct gate *gate = memory_new(1, sizeof(*gate));

	if (pthread_mutex_init(&gate->mutex, NULL) != 0)
		abort();
	gate->limits = *limits;
	gate->listener = listener;
	gate->holders = 1;
	return gate;
}

static void forget_address(struct gate *gate, struct address_use *use)
{
	HASH_DEL(gate->addresses, use);
	free(use);
}

/* Take one connection from an address' allowance; false when it is used up. */
static bool spend_token(struct gate *gate, const struct prefix *prefix, uint64_t now)
{
	const uint64_t most = (uint64_t)gate->limits.address_burst * TOKEN;
	struct address_use *use;

	if (gate->limits.address_burst == 0)
		return true;
	HASH_FIND(hh, gate->addresses, prefix, sizeof(*prefix), use);
	if (use == NULL) {
		if (HASH_COUNT(gate->addresses) >= ADDRESSES_MAX)
			forget_address(gate, gate->addresses);
		use = memory_new(1, sizeof(*use));
		use->prefix = *prefix;
		use->tokens = most;
	} else {
		HASH_DEL(gate->addresses, use);
		use->tokens += (now - use->at) * gate->limits.address_minute;
		if (use->tokens > most)
			use->tokens = most;
	}
	use->at = now;
	HASH_ADD(hh, gate->addresses, prefix, sizeof(use->prefix), use);
	if (use->tokens < TOKEN)
		return false;
	use->tokens -= TOKEN;
	return true;
}

/* Addresses whose allowance is full again need no memory: those least recently seen are looked at. */
static void forget_old(struct gate *gate, uint64_t now)
{
	const uint64_t most = (uint64_t)gate->limits.address_burst * TOKEN;

	for (int i = 0; i < 4 && gate->addresses != NULL; i++) {
		struct address_use *use = gate->addresses;

		if (use->tokens + (now - use->at) * gate->limits.address_minute < most)
			return;
		forget_address(gate, use);
	}
}

static bool enter_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network;

	HASH_FIND(hh, gate->networks, prefix, sizeof(*prefix), network);
	if (network == NULL) {
		network = memory_new(1, sizeof(*network));
		network->prefix = *prefix;
		HASH_ADD(hh, gate->networks, prefix, sizeof(network->prefix), network);
	}
	if (gate->limits.half_open_network != 0 && network->half_open >= gate->limits.half_open_network)
		return false; /* it has others, so it is not left empty */
	network->half_open++;
	return true;
}

static void leave_network(struct gate *gate, const struct prefix *prefix)
{
	struct network *network;

	HASH_FIND(hh, gate->networks, prefix, sizeof(*prefix), network);
	assert(network != NULL && network->half_open > 0);
	if (--network->half_open > 0)
		return;
	HASH_DEL(gate->networks, network);
	free(network);
}

static bool gate_is_full(const struct gate *gate)
{
	return gate->limits.half_open != 0 && gate->half_open >= gate->limits.half_open;
}

/* Addresses. */

/* The network and the address that a peer counts for; false for loopback, which is not counted. */
static bool classify(const struct sockaddr_storage *from, struct prefix *ret_network, struct prefix *ret_address)
{
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;
	const uint8_t *bytes = (const void *)&v4->sin_addr;
	bool is_v4 = from->ss_family == AF_INET;

	*ret_network = *ret_address = (struct prefix){.family = 4};
	if (from->ss_family == AF_INET6) {
		bytes = v6->sin6_addr.s6_addr;
		is_v4 = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
		bytes += is_v4 ? 12 : 0;
	}
	if (is_v4) {
		memcpy(ret_network->b, bytes, 3);
		memcpy(ret_address->b, bytes, 4);
		return bytes[0] != 127;
	}
	ret_network->family = ret_address->family = 6;
	memcpy(ret_network->b, bytes, 6);
	memcpy(ret_address->b, bytes, 8);
	return !IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Tickets. */

static void resume_accepting(void *arg);

static void wake_listener(struct gate *gate)
{
	/* The hold keeps the gate until the call is made; the listener may be gone by then. */
	if (gate->listener == NULL)
		return;
	gate->holders++;
	loop_post(gate->listener->loop, resume_accepting, gate);
}

void ticket_drop(struct ticket *ticket)
{
	struct gate *gate;

	if (ticket == NULL)
		return;
	assert(ticket->magic == TICKET_MAGIC);
	gate = ticket->gate;
	gate_lock(gate);
	if (ticket->counted_network)
		leave_network(gate, &ticket->network);
	if (gate_is_full(gate))
		wake_listener(gate);
	gate->half_open--;
	gate_unlock(gate, true);
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
	struct gate *gate = listener->gate;
	struct prefix network, address;
	bool counted = classify(from, &network, &address), admitted = true;
	uint64_t now = clock_monotonic() / 1000000;
	struct ticket *ticket = NULL;

	gate_lock(gate);
	forget_old(gate, now);
	if (counted)
		admitted = spend_token(gate, &address, now) && enter_network(gate, &network);
	if (admitted) {
		ticket = memory_new(1, sizeof(*ticket));
		ticket->magic = TICKET_MAGIC;
		ticket->gate = gate;
		ticket->network = network;
		ticket->counted_network = counted;
		gate->holders++;
		gate->half_open++;
	}
	gate_unlock(gate, false);
	return ticket;
}

/* Accepting. */

/* In the worker's thread. */
static void hand_over(void *arg)
{
	struct ticket *ticket = arg;
	bool alive;

	assert(ticket->magic == TICKET_MAGIC);
	gate_lock(ticket->gate);
	alive = ticket->gate->listener != NULL;
	gate_unlock(ticket->gate, false);
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
	ticket->worker = listener->loop;
	if (listener->worker_count == 0) {
		hand_over(ticket);
		return;
	}
	ticket->index = listener->next_worker;
	listener->next_worker = (listener->next_worker + 1) % listener->worker_count;
	ticket->worker = listener->workers[ticket->index];
	loop_post(ticket->worker, hand_over, ticket);
}

/* Stop accepting until a ticket ends, if all are out. */
static bool close_if_full(struct listener *listener)
{
	bool full;

	gate_lock(listener->gate);
	full = gate_is_full(listener->gate);
	if (full)
		event_del(listener->event);
	gate_unlock(listener->gate, false);
	return full;
}

static void accept_again(struct listener *listener)
{
	if (event_add(listener->event, NULL) != 0)
		abort();
}

static void resume_accepting(void *arg)
{
	struct gate *gate = arg;
	struct listener *listener;

	gate_lock(gate);
	listener = gate->listener;
	gate_unlock(gate, true);
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
	const struct timeval after = {.tv_usec = REST_MS * 1000};

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
	listener = memory_new(1, sizeof(*listener));
	listener->magic = LISTENER_MAGIC;
	listener->loop = loop;
	listener->fd = fd;
	listener->accept = options->accept;
	listener->arg = options->arg;
	listener->worker_count = options->worker_count;
	listener->workers = memory_new(options->worker_count + 1, sizeof(listener->workers[0]));
	for (unsigned i = 0; i < options->worker_count; i++)
		listener->workers[i] = options->workers[i];
	listener->gate = gate_new(options->limits != NULL ? options->limits : &listener_default_limits, listener);
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
	gate_lock(listener->gate);
	listener->gate->listener = NULL;
	gate_unlock(listener->gate, true);
	event_free(listener->event);
	event_free(listener->rest);
	close(listener->fd);
	listener->magic = 0;
	free(listener->workers);
	free(listener);
}
