/* Which addresses lead nowhere, and what may be said of a router. The rest is asked of a fake one by the system tests.
 */
#include "node/portmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_private(void **state)
{
	static const char *const private[] = {"10.0.0.1",    "10.255.255.255", "172.16.0.1",	  "172.31.255.255",
					      "192.168.1.1", "100.64.0.1",     "100.127.255.254", "169.254.1.1"};
	static const char *const public[] = {"9.255.255.255", "11.0.0.0",    "172.15.0.1", "172.32.0.1", "192.167.1.1",
					     "100.63.0.1",    "100.128.0.1", "127.0.0.1",  "8.8.8.8",	 "",
					     "10.0.0",	      "2001:db8::1", "router"};

	(void)state;
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		assert_true(portmap_is_private(private[i]));
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		assert_false(portmap_is_private(public[i]));
}

static void test_router(void **state)
{
	char longer[400] = "http://";

	(void)state;
	assert_true(portmap_router_ok(""));
	assert_true(portmap_router_ok("http://192.168.1.1:49152/igd.xml"));
	assert_true(portmap_router_ok("natpmp://192.168.1.1"));
	assert_false(portmap_router_ok("http://"));
	assert_false(portmap_router_ok("https://192.168.1.1/"));
	assert_false(portmap_router_ok("192.168.1.1"));
	memset(longer + 7, 'a', sizeof(longer) - 8);
	assert_false(portmap_router_ok(longer));
}

static void test_off(void **state)
{
	struct portmap_state state_now;
	json_t *json = portmap_json(NULL);

	(void)state;
	portmap_state(NULL, &state_now);
	assert_int_equal(state_now.phase, PORTMAP_OFF);
	assert_string_equal(json_string_value(json_object_get(json, "phase")), "off");
	assert_true(json_is_null(json_object_get(json, "external")));
	json_decref(json);
	portmap_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
