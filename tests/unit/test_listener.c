/* The listener: what it binds, how it shares out, and each of its limits, with loopback posing as the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pthread.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/listener.h"
#include "common/memory.h"
#include "tests/kit/wire.h"

#define MOST 64
/* Refused without asking any name server: labels have at most 63 characters. */
#define NO_NAME "a-label-of-more-than-63-characters-which-no-name-server-need-be-asked-about"

static const struct hostport anywhere = {"127.0.0.1", 0};

struct door {
	struct loop *loop;
	struct listener *listener;
	struct key *key;
	evutil_socket_t fds[MOST];
	struct ticket *tickets[MOST];
	unsigned accepted;
	unsigned indices[MOST];
	pthread_t threads[MOST];
	unsigned settled;
};

static void on_accept(struct loop *worker, unsigned index, evutil_socket_t fd, struct ticket *ticket, void *arg)
{
	struct door *door = arg;

	assert_non_null(worker);
	assert_true(door->accepted < MOST);
	door->fds[door->accepted] = fd;
	door->tickets[door->accepted] = ticket;
	door->indices[door->accepted] = index;
	door->accepted++;
}

static struct door *door_new(const struct listener_limits *limits)
{
	struct door *door = memory_new(1, sizeof(*door));
	struct listener_options options = {.at = &anywhere, .limits = limits, .accept = on_accept, .arg = door};
	char why[200];

	door->loop = loop_new();
	door->key = key_generate();
	assert_int_equal(listener_new(door->loop, &options, &door->listener, why, sizeof(why)), ERR_OK);
	return door;
}

static void door_free(struct door *door)
{
	for (unsigned i = 0; i < door->accepted; i++) {
		ticket_drop(door->tickets[i]);
		if (door->fds[i] >= 0)
			close(door->fds[i]);
	}
	listener_free(door->listener);
	loop_free(door->loop);
	key_free(door->key);
	free(door);
}

static void turn(struct door *door)
{
	for (int i = 0; i < 5; i++)
		event_base_loop(loop_base(door->loop), EVLOOP_NONBLOCK);
}

static void knock(struct door *door, struct wire *wire)
{
	wire_connect(wire, loop_base(door->loop), listener_at(door->listener));
	turn(door);
}

static void test_bind(void **state)
{
	struct door *door = door_new(NULL);
	struct listener_options options = {.at = listener_at(door->listener), .accept = on_accept};
	const struct hostport nowhere = {NO_NAME, 7887};
	struct listener *second = NULL;
	char why[200] = "";

	(void)state;
	assert_string_equal(listener_at(door->listener)->host, "127.0.0.1");
	assert_true(listener_at(door->listener)->port != 0);
	assert_int_equal(listener_new(door->loop, &options, &second, why, sizeof(why)), ERR_UNREACHABLE);
	assert_non_null(strstr(why, "cannot listen on 127.0.0.1:"));
	options.at = &nowhere;
	assert_int_equal(listener_new(door->loop, &options, &second, why, sizeof(why)), ERR_FORMAT);
	assert_non_null(strstr(why, NO_NAME ":7887"));
	assert_null(second);
	listener_free(NULL);
	ticket_drop(NULL);
	ticket_follow(NULL, NULL);
	door_free(door);
}

/* The limit in all holds for loopback too: the next one waits in the backlog until a ticket ends. */
static void test_half_open_in_all(void **state)
{
	const struct listener_limits limits = {.half_open = 3};
	struct door *door = door_new(&limits);
	struct wire wires[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		knock(door, &wires[i]);
	assert_int_equal(door->accepted, 3);
	for (unsigned i = 0; i < 3; i++) {
		ticket_drop(door->tickets[i]);
		door->tickets[i] = NULL;
		while (door->accepted < 4 + i)
			event_base_loop(loop_base(door->loop), EVLOOP_ONCE);
		turn(door);
		assert_int_equal(door->accepted, 4 + i);
	}
	for (int i = 0; i < 6; i++)
		wire_close(&wires[i]);
	door_free(door);
}

/* Many times a limit of one address' connections: loopback is exempt from all limits per network and address. */
static void test_loopback_is_exempt(void **state)
{
	const struct listener_limits limits = {
		.half_open = 100, .half_open_network = 1, .address_burst = 1, .address_minute = 1};
	struct door *door = door_new(&limits);
	struct wire wires[10];

	(void)state;
	for (int i = 0; i < 10; i++)
		knock(door, &wires[i]);
	assert_int_equal(door->accepted, 10);
	for (int i = 0; i < 10; i++)
		wire_close(&wires[i]);
	door_free(door);
}

static const struct channel_events quiet;

static void on_ready(struct channel *channel, void *arg)
{
	(void)channel;
	(void)arg;
}

static void on_message(struct channel *channel, uint8_t *message, size_t len, void *arg)
{
	(void)channel;
	(void)message;
	(void)len;
	(void)arg;
}

static void on_closed(struct channel *channel, enum err err, const char *why, void *arg)
{
	(void)channel;
	(void)err;
	(void)why;
	*(bool *)arg = true;
}

static const struct channel_events quiet = {on_ready, on_message, NULL, on_closed};

/* A ticket follows its channel: it ends with the handshake, or with the channel. */
static void test_tickets_follow(void **state)
{
	const struct listener_limits limits = {.half_open = 1};
	struct door *door = door_new(&limits);
	struct event_base *base = loop_base(door->loop);
	struct key *client = key_generate();
	struct wire good, bad, last;
	struct channel *channel;
	bool closed = false, bad_closed = false;

	(void)state;
	knock(door, &good);
	knock(door, &bad);
	knock(door, &last);
	assert_int_equal(door->accepted, 1);
	channel = channel_accept(base, door->key, door->fds[0], NULL, &quiet, &closed);
	door->fds[0] = -1;
	ticket_follow(door->tickets[0], channel);
	door->tickets[0] = NULL;
	assert_true(wire_initiate(&good, client, key_id(door->key)));
	while (door->accepted < 2)
		event_base_loop(base, EVLOOP_ONCE);
	ticket_follow(door->tickets[1], channel_accept(base, door->key, door->fds[1], NULL, &quiet, &bad_closed));
	door->fds[1] = -1;
	door->tickets[1] = NULL;
	wire_close(&bad);
	while (door->accepted < 3)
		event_base_loop(base, EVLOOP_ONCE);
	wire_run_until(base, &bad_closed);
	wire_close(&good);
	wire_run_until(base, &closed);
	wire_close(&last);
	key_free(client);
	door_free(door);
}

/* Workers. */

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned accepted;
	unsigned per_worker[3];
	pthread_t thread_of[3];
	bool mixed;
};

static void on_shared(struct loop *worker, unsigned index, evutil_socket_t fd, struct ticket *ticket, void *arg)
{
	struct shared *shared = arg;

	(void)worker;
	pthread_mutex_lock(&shared->mutex);
	if (shared->per_worker[index]++ == 0)
		shared->thread_of[index] = pthread_self();
	shared->mixed = shared->mixed || !pthread_equal(shared->thread_of[index], pthread_self());
	shared->accepted++;
	pthread_cond_signal(&shared->changed);
	pthread_mutex_unlock(&shared->mutex);
	close(fd);
	ticket_drop(ticket);
}

static void test_workers_in_turn(void **state)
{
	struct shared shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct loop *loop = loop_new(), *workers[3];
	struct listener_options options = {
		.at = &anywhere, .workers = workers, .worker_count = 3, .accept = on_shared, .arg = &shared};
	struct listener *listener;
	struct event_base *idle = event_base_new();
	struct wire wire;
	char why[200];

	(void)state;
	for (int i = 0; i < 3; i++) {
		workers[i] = loop_new();
		loop_start(workers[i], "worker");
	}
	assert_int_equal(listener_new(loop, &options, &listener, why, sizeof(why)), ERR_OK);
	loop_start(loop, "listener");
	for (int i = 0; i < 9; i++) {
		wire_connect(&wire, idle, listener_at(listener));
		assert_true(wire_at_end(&wire));
		wire_close(&wire);
	}
	loop_stop(loop);
	loop_join(loop);
	listener_free(listener);
	for (int i = 0; i < 3; i++) {
		loop_stop(workers[i]);
		loop_join(workers[i]);
		loop_free(workers[i]);
		assert_int_equal(shared.per_worker[i], 3);
	}
	loop_free(loop);
	event_base_free(idle);
	assert_int_equal(shared.accepted, 9);
	assert_false(shared.mixed);
}

/* A connection on its way to a worker when the listener goes is closed, not leaked. */
static void test_free_with_some_on_the_way(void **state)
{
	struct shared shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct loop *loop = loop_new(), *worker = loop_new();
	struct listener_options options = {
		.at = &anywhere, .workers = &worker, .worker_count = 1, .accept = on_shared, .arg = &shared};
	struct listener *listener;
	struct wire wire;
	char why[200];

	(void)state;
	assert_int_equal(listener_new(loop, &options, &listener, why, sizeof(why)), ERR_OK);
	wire_connect(&wire, loop_base(loop), listener_at(listener));
	event_base_loop(loop_base(loop), EVLOOP_ONCE);
	listener_free(listener);
	loop_free(worker); /* makes the posted call */
	assert_int_equal(shared.accepted, 0);
	assert_true(wire_at_end(&wire));
	wire_close(&wire);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_half_open_in_all),
		cmocka_unit_test(test_loopback_is_exempt),
		cmocka_unit_test(test_tickets_follow),
		cmocka_unit_test(test_workers_in_turn),
		cmocka_unit_test(test_free_with_some_on_the_way),
	};

	alarm(120); /* a test that waits for ever is a failure too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
