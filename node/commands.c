/* init, status, settle. */
#include "node/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/http.h"
#include "common/service.h"
#include "node/settings.h"

#define STATUS_TIMEOUT_MS 10000
#define SETTLE_TIMEOUT_MS (15 * 60 * 1000)

static int complain(const char *why)
{
	fprintf(stderr, "granary-node: %s\n", why);
	return 1;
}

/* A directory half made would be in the way of a second try. */
static void unmake(const char *dir)
{
	static const char *const names[] = {"key", "config.ini"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = file_join(dir, names[i]);

		unlink(path);
		free(path);
	}
}

int node_init(struct options *options)
{
	const char *dir = options_dir(options);
	char why[SETTINGS_MESSAGE] = "", text[STORE_MESSAGE] = "";
	struct live_settings live;
	struct key *key = NULL;
	enum err err;

	if (option_count(options, "satellite") == 0) {
		complain("init needs at least one --satellite: nobody else can give this node work");
		return 2;
	}
	settings_read_live(options, &live);
	err = settings_check_live(&live, why, sizeof(why));
	settings_free_live(&live);
	if (err != ERR_OK) {
		complain(why);
		return 2;
	}
	if (service_init(options, SETTINGS_OPTIONS, &key, why, sizeof(why)) != ERR_OK)
		return complain(why);
	key_free(key);
	if (store_init(dir, option_int(options, "allocate"), 0, &seam_system, text) != ERR_OK) {
		unmake(dir);
		return complain(text);
	}
	return 0;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

/* Where the satellite's count of what is stored here costs pay. */
static void print_holdings(const json_t *holdings)
{
	const json_t *unlisted = json_object_get(holdings, "unlisted");
	char size[16];

	if (holdings == NULL || !json_is_false(json_object_get(holdings, "agrees")))
		return;
	printf("           WARNING: of what is stored here it does not count %" PRIu64 " pieces (%s), and %" PRIu64
	       " otherwise\n",
	       number_of(unlisted, "pieces"), option_print_size(number_of(unlisted, "bytes"), size),
	       number_of(holdings, "other_size") + number_of(holdings, "other_time"));
}

static void print_satellite(const json_t *json)
{
	bool connected = json_is_true(json_object_get(json, "connected"));
	bool reachable = json_is_true(json_object_get(json, "reachable"));
	char when[24] = "never";

	if (number_of(json, "last_check_in") > 0)
		clock_format(number_of(json, "last_check_in"), when, sizeof(when));
	printf("satellite  %s@%s\n           %s, last check-in %s\n", text_of(json, "id"), text_of(json, "endpoint"),
	       !connected  ? "not connected"
	       : reachable ? "connected"
			   : "it cannot reach this node",
	       when);
	if (text_of(json, "reason")[0] != '\0')
		printf("           %s\n", text_of(json, "reason"));
	print_holdings(json_object_get(json, "holdings"));
}

/* Orders that wait for too long, in words; nothing when all is as it should be. */
static void print_alert(const json_t *orders)
{
	const char *alert = text_of(orders, "alert");
	char since[24], until[24];

	if (strcmp(alert, "waiting") != 0 && strcmp(alert, "lapsing") != 0)
		return;
	clock_format(number_of(orders, "unsettled_since"), since, sizeof(since));
	clock_format(number_of(orders, "settle_by"), until, sizeof(until));
	printf("           WARNING: unsettled since %s; ", since);
	if (strcmp(alert, "lapsing") == 0)
		printf("worth nothing unless settled by %s\n", until);
	else
		printf("they can be settled until %s\n", until);
}

static void print_status(const json_t *json)
{
	const json_t *space = json_object_get(json, "space"), *orders = json_object_get(json, "orders"), *satellite;
	const json_t *damage = json_object_get(json, "damage");
	char used[16], allocation[16], available[16];
	size_t i;

	option_print_size(number_of(space, "used"), used);
	option_print_size(number_of(space, "allocation"), allocation);
	option_print_size(number_of(space, "available"), available);
	printf("id         %s\naddress    %s\nendpoint   %s\npayout     %s\nversion    %s\n", text_of(json, "id"),
	       text_of(json, "address"), text_of(json, "endpoint"), text_of(json, "payout"), text_of(json, "version"));
	printf("space      %s of %s used, %s available, %" PRIu64 " pieces\n", used, allocation, available,
	       number_of(space, "pieces"));
	if (json_is_true(json_object_get(space, "read_only")))
		printf("           read-only: %s\n", text_of(space, "reason"));
	if (number_of(damage, "pieces") > 0)
		printf("damage     %" PRIu64 " pieces damaged on disk, %" PRIu64 " of them not yet acknowledged\n",
		       number_of(damage, "pieces"), number_of(damage, "untold"));
	printf("orders     %" PRIu64 " unsettled, %" PRIu64 " settled, %" PRIu64 " rejected\n",
	       number_of(orders, "unsettled"), number_of(orders, "settled"), number_of(orders, "rejected"));
	print_alert(orders);
	json_array_foreach(json_object_get(json, "satellites"), i, satellite) {
		print_satellite(satellite);
	}
}

int node_status(struct options *options)
{
	char why[SETTINGS_MESSAGE] = "";
	json_t *json = NULL;

	if (http_call("GET", option_hostport(options, "http"), "/api/v1/status", options_dir(options),
		      STATUS_TIMEOUT_MS, &json, why, sizeof(why)) != ERR_OK)
		return complain(why);
	if (option_flag(options, "json"))
		print_json(json);
	else
		print_status(json);
	json_decref(json);
	return 0;
}

/* One line per satellite; false when it could not be settled with. */
static bool print_outcome(const json_t *json, bool quiet)
{
	const char *error = text_of(json, "error");
	char bytes[16];

	option_print_size(number_of(json, "bytes"), bytes);
	if (!quiet)
		printf("%s: %" PRIu64 " orders settled (%s), %" PRIu64 " rejected\n", text_of(json, "address"),
		       number_of(json, "settled"), bytes, number_of(json, "rejected"));
	if (error[0] != '\0')
		fprintf(stderr, "granary-node: %s: %s\n", text_of(json, "address"), error);
	return error[0] == '\0';
}

int node_settle(struct options *options)
{
	char why[SETTINGS_MESSAGE] = "";
	json_t *json = NULL, *outcome;
	bool all = true;
	size_t i;

	if (http_call("POST", option_hostport(options, "http"), "/api/v1/settle", options_dir(options),
		      SETTLE_TIMEOUT_MS, &json, why, sizeof(why)) != ERR_OK)
		return complain(why);
	if (option_flag(options, "json"))
		print_json(json);
	json_array_foreach(json_object_get(json, "satellites"), i, outcome) {
		all = print_outcome(outcome, option_flag(options, "json")) && all;
	}
	json_decref(json);
	return all ? 0 : 1;
}
