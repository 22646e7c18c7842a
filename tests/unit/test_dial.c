/* Dialling: numbers, names, refusals, and giving up at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "common/dial.h"
#include "tests/kit/wire.h"

/* Refused without asking any name server: labels have at most 63 characters. */
#define NO_NAME "a-label-of-more-than-63-characters-which-no-name-server-need-be-asked-about"

struct result {
	bool done;
	enum err err;
	evutil_socket_t fd;
	char why[256];
};

static void on_done(enum err err, evutil_socket_t fd, const char *why, void *arg)
{
	struct result *result = arg;

	assert_false(result->done);
	result->done = true;
	result->err = err;
	result->fd = fd;
	memcpy(result->why, why, strlen(why) + 1);
}

static struct result dial(const char *host, uint16_t port)
{
	struct event_base *base = event_base_new();
	struct hostport at = {.port = port};
	struct result result = {.fd = -1};

	memcpy(at.host, host, strlen(host) + 1);
	dial_start(base, &at, on_done, &result);
	assert_false(result.done); /* never from inside the call */
	wire_run_until(base, &result.done);
	event_base_free(base);
	return result;
}

static void expect_connected(const char *host)
{
	struct endpoint at;
	int listening = wire_listen(&at), accepted;
	struct result result = dial(host, at.at.port);

	assert_int_equal(result.err, ERR_OK);
	accepted = accept(listening, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(send(result.fd, "x", 1, 0), 1);
	close(accepted);
	close(result.fd);
	close(listening);
}

static void expect_failure(const char *host, uint16_t port)
{
	struct result result = dial(host, port);

	assert_int_equal(result.err, ERR_UNREACHABLE);
	assert_int_equal(result.fd, -1);
	assert_true(strlen(result.why) > 0);
}

static void test_connects(void **state)
{
	(void)state;
	expect_connected("127.0.0.1");
	expect_connected("localhost"); /* ::1 first, where there is one: nobody listens there */
}

static void test_fails(void **state)
{
	struct endpoint at;
	int listening = wire_listen(&at);

	(void)state;
	close(listening);
	expect_failure("127.0.0.1", at.at.port);
	expect_failure("localhost", at.at.port);
	expect_failure(NO_NAME, 7887);
}

static void test_cancel(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", NO_NAME};
	struct event_base *base = event_base_new();
	struct result result = {.fd = -1};

	(void)state;
	for (int turns = 0; turns < 3; turns++) {
		for (int i = 0; i < 3; i++) {
			struct hostport at = {.port = 9};
			struct dial *one;

			memcpy(at.host, hosts[i], strlen(hosts[i]) + 1);
			one = dial_start(base, &at, on_done, &result);
			for (int k = 0; k < turns && !result.done; k++)
				event_base_loop(base, EVLOOP_NONBLOCK);
			if (!result.done)
				dial_cancel(one);
			result.done = false;
		}
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_false(result.done); /* not called any more */
	dial_cancel(NULL);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_cancel),
	};

	alarm(120); /* a test that waits for ever is a failure too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
