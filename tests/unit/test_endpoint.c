/* Endpoints: what is read and printed back, what is refused, and which network an address is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/endpoint.h"

#define ID "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static void test_round_trip(void **state)
{
	static const char *const good[] = {"localhost:80", "192.0.2.1:7887", "[2001:db8::1]:65535", "[::]:0",
					   "a-b_c.example.com:1"};
	char text[HOSTPORT_TEXT], full[ENDPOINT_TEXT], printed[ENDPOINT_TEXT];
	struct hostport at;
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(hostport_parse(good[i], &at), ERR_OK);
		hostport_print(&at, text);
		assert_string_equal(text, good[i]);
		snprintf(full, sizeof(full), ID "@%s", good[i]);
		assert_int_equal(endpoint_parse(full, &endpoint), ERR_OK);
		endpoint_print(&endpoint, printed);
		assert_string_equal(printed, full);
	}
}

static void test_longest_name(void **state)
{
	char text[400], printed[HOSTPORT_TEXT];
	struct hostport at;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + ENDPOINT_HOST_MAX, ":65535", 7);
	assert_int_equal(hostport_parse(text, &at), ERR_OK);
	hostport_print(&at, printed);
	assert_string_equal(printed, text);
	memset(text, 'a', sizeof(text));
	memcpy(text + ENDPOINT_HOST_MAX + 1, ":65535", 7);
	assert_int_equal(hostport_parse(text, &at), ERR_FORMAT);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",	  "localhost",	   "localhost:", ":80",		  "localhost:80x",   "localhost:-1", "::1:80",
		"[::1]",  "[::1]80",	   "[]:80",	 "[1.2.3.4]:80",  "[::g]:80",	     "[:::::]:80",   "a b:80",
		"a/b:80", "localhost:+80", "[::1:80",	 "localhost: 80", "localhost:080000"};
	static const char *const bad_endpoints[] = {
		"", ID, ID "@", ID "localhost:80", "@localhost:80", "04" ID "@localhost:80", "x" ID "@localhost:80"};
	struct hostport at = {"kept", 5};
	struct endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hostport_parse(bad[i], &at), ERR_FORMAT);
	assert_int_equal(hostport_parse("localhost:65536", &at), ERR_RANGE);
	assert_string_equal(at.host, "kept");
	for (size_t i = 0; i < sizeof(bad_endpoints) / sizeof(bad_endpoints[0]); i++)
		assert_int_equal(endpoint_parse(bad_endpoints[i], &endpoint), ERR_FORMAT);
}

static void test_network(void **state)
{
	static const struct {
		const char *host, *network;
	} cases[] = {
		{"192.0.2.77", "192.0.2.0/24"},
		{"127.0.0.1", "127.0.0.0/24"},
		{"::ffff:192.0.2.77", "192.0.2.0/24"},
		{"2001:db8:1:2::3", "2001:db8:1::/48"},
		{"::1", "::/48"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(endpoint_network(cases[i].host, out), ERR_OK);
		assert_string_equal(out, cases[i].network);
	}
	assert_int_equal(endpoint_network("localhost", out), ERR_FORMAT);
	assert_int_equal(endpoint_network("192.0.2", out), ERR_FORMAT);
}

static void test_loopback(void **state)
{
	(void)state;
	assert_true(endpoint_is_loopback("127.0.0.1"));
	assert_true(endpoint_is_loopback("127.255.0.9"));
	assert_true(endpoint_is_loopback("::1"));
	assert_true(endpoint_is_loopback("::ffff:127.0.0.1"));
	assert_false(endpoint_is_loopback("128.0.0.1"));
	assert_false(endpoint_is_loopback("::"));
	assert_false(endpoint_is_loopback("127.evil.example"));
	assert_false(endpoint_is_loopback("::ffff:192.0.2.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_longest_name), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_network),	   cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
