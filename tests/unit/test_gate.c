/* Rations per network and address, with made-up addresses and a made-up clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "common/gate.h"

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage storage;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	memset(&storage, 0, sizeof(storage));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(&storage, &v4, sizeof(v4));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		memcpy(&storage, &v6, sizeof(v6));
	}
	return storage;
}

static bool enter(struct gate *gate, const char *text, uint64_t now, struct place *ret)
{
	struct sockaddr_storage from = address(text);

	return gate_enter(gate, &from, now, ret);
}

/* Enter and leave at once: uses up the address' allowance only. */
static bool pass(struct gate *gate, const char *text, uint64_t now)
{
	struct place place;

	if (!enter(gate, text, now, &place))
		return false;
	gate_leave(gate, &place);
	return true;
}

static void test_half_open_per_network(void **state)
{
	const struct listener_limits limits = {.half_open_network = 2};
	static const char *const inside[] = {"192.0.2.1", "192.0.2.200", "::ffff:192.0.2.3"};
	static const char *const inside6[] = {"2001:db8:1::1", "2001:db8:1:ffff::1", "2001:db8:1:2::3"};
	struct gate *gate = gate_new(&limits);
	struct place places[4], other, other6, again;

	(void)state;
	assert_true(enter(gate, inside[0], 0, &places[0]) && enter(gate, inside[1], 0, &places[1]));
	assert_false(enter(gate, inside[2], 0, &again));
	assert_true(enter(gate, "192.0.3.1", 0, &other));
	assert_true(enter(gate, inside6[0], 0, &places[2]) && enter(gate, inside6[1], 0, &places[3]));
	assert_false(enter(gate, inside6[2], 0, &again));
	assert_true(enter(gate, "2001:db8:2::1", 0, &other6));
	gate_leave(gate, &places[0]);
	assert_true(enter(gate, inside[2], 0, &places[0]));
	assert_false(enter(gate, inside[0], 0, &again));
	for (int i = 0; i < 4; i++)
		gate_leave(gate, &places[i]);
	gate_leave(gate, &other);
	gate_leave(gate, &other6);
	gate_free(gate);
	gate_free(NULL);
}

static void test_half_open_in_all(void **state)
{
	const struct listener_limits limits = {.half_open = 3};
	struct gate *gate = gate_new(&limits);
	struct place places[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(gate_is_full(gate));
		assert_true(enter(gate, i == 0 ? "127.0.0.1" : "192.0.2.1", 0, &places[i]));
	}
	assert_true(gate_is_full(gate));
	gate_leave(gate, &places[0]);
	assert_false(gate_is_full(gate));
	gate_leave(gate, &places[1]);
	gate_leave(gate, &places[2]);
	gate_free(gate);
}

/* A burst of three, and six per minute: one more every ten seconds, never more than the burst. */
static void test_rate_per_address(void **state)
{
	const struct listener_limits limits = {.address_burst = 3, .address_minute = 6};
	struct gate *gate = gate_new(&limits);
	const uint64_t start = 1000000;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(pass(gate, "192.0.2.1", start));
	assert_false(pass(gate, "192.0.2.1", start));
	assert_false(pass(gate, "::ffff:192.0.2.1", start + 9999));
	assert_true(pass(gate, "192.0.2.2", start));
	assert_true(pass(gate, "192.0.2.1", start + 10000));
	assert_false(pass(gate, "192.0.2.1", start + 10000));
	for (int i = 0; i < 3; i++)
		assert_true(pass(gate, "192.0.2.1", start + 3600000));
	assert_false(pass(gate, "192.0.2.1", start + 3600000));
	/* An IPv6 /64 is one address. */
	for (int i = 0; i < 3; i++)
		assert_true(pass(gate, i == 1 ? "2001:db8::1" : "2001:db8::2", start));
	assert_false(pass(gate, "2001:db8::3", start));
	assert_true(pass(gate, "2001:db8:0:1::3", start));
	gate_free(gate);
}

static void test_loopback_is_exempt(void **state)
{
	const struct listener_limits limits = {.half_open_network = 1, .address_burst = 1, .address_minute = 1};
	static const char *const local[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
	struct gate *gate = gate_new(&limits);
	struct place places[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_true(enter(gate, local[i % 4], 0, &places[i]));
	for (int i = 0; i < 8; i++)
		gate_leave(gate, &places[i]);
	gate_free(gate);
}

/* A flood from more addresses than are remembered: the limits hold for those seen last, and nothing breaks. */
static void test_flood(void **state)
{
	const struct listener_limits limits = {.address_burst = 1, .address_minute = 1};
	struct gate *gate = gate_new(&limits);
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.1", i / 256, i % 256);
		assert_true(pass(gate, text, i / 10));
	}
	assert_false(pass(gate, text, 4000));
	assert_true(pass(gate, "10.0.0.1", 4000)); /* forgotten */
	assert_true(pass(gate, text, 64000));	   /* rested */
	gate_free(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_open_per_network),
		cmocka_unit_test(test_half_open_in_all),
		cmocka_unit_test(test_rate_per_address),
		cmocka_unit_test(test_loopback_is_exempt),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
