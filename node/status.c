/* `status`: one screen about the running node, and an exit status for monitors. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http.h"
#include "node/commands.h"
#include "node/findings.h"
#include "node/settings.h"

#define TIMEOUT_MS 10000
#define WATCH_SECONDS 2
#define NOTICES 5 /* of each satellite, the newest */
#define CRITICAL 2 /* what monitors take for it */

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static uint64_t number_of(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
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
}

static void print_notice(const json_t *notice)
{
	char when[24];

	clock_format(number_of(notice, "at"), when, sizeof(when));
	printf("           %s  %s", when, text_of(notice, "words"));
	if (text_of(notice, "piece")[0] != '\0')
		printf(" (piece %.16s…)", text_of(notice, "piece"));
	putchar('\n');
}

/* What the satellite thinks of this node, and what happened last. */
static void print_standing(const json_t *standing)
{
	const json_t *notices = json_object_get(standing, "notices");
	char when[24];
	size_t i;

	if (!json_is_object(standing))
		return;
	printf("           %s; audits %.4f, answers %.4f, online %.4f\n", text_of(standing, "state"),
	       json_real_value(json_object_get(standing, "audit")),
	       json_real_value(json_object_get(standing, "unknown")),
	       json_real_value(json_object_get(standing, "online")));
	if (number_of(standing, "grace_until") > 0)
		printf("           disqualified on %s unless that changes\n",
		       clock_format(number_of(standing, "grace_until"), when, sizeof(when)));
	for (i = 0; i < json_array_size(notices) && i < NOTICES; i++)
		print_notice(json_array_get(notices, i));
}

static void print_space(const json_t *json)
{
	const json_t *space = json_object_get(json, "space"), *damage = json_object_get(json, "damage");
	char used[16], allocation[16], available[16];

	if (text_of(json, "missing")[0] != '\0') {
		printf("space      the store is not there\n");
		return;
	}
	option_print_size(number_of(space, "used"), used);
	option_print_size(number_of(space, "allocation"), allocation);
	option_print_size(number_of(space, "available"), available);
	printf("space      %s of %s used, %s available, %" PRIu64 " pieces%s\n", used, allocation, available,
	       number_of(space, "pieces"), json_is_true(json_object_get(space, "read_only")) ? "; read-only" : "");
	if (number_of(damage, "pieces") > 0)
		printf("damage     %" PRIu64 " pieces damaged on disk, %" PRIu64 " of them not yet acknowledged\n",
		       number_of(damage, "pieces"), number_of(damage, "untold"));
}

static void print_status(const json_t *json, const struct findings *findings)
{
	const json_t *orders = json_object_get(json, "orders"), *satellite;
	size_t i;

	printf("id         %s\naddress    %s\nendpoint   %s\npayout     %s\nversion    %s\n", text_of(json, "id"),
	       text_of(json, "address"), text_of(json, "endpoint"), text_of(json, "payout"), text_of(json, "version"));
	if (text_of(json_object_get(json, "port_mapping"), "external")[0] != '\0')
		printf("router     opened %s by %s\n", text_of(json_object_get(json, "port_mapping"), "external"),
		       text_of(json_object_get(json, "port_mapping"), "protocol"));
	print_space(json);
	printf("orders     %" PRIu64 " unsettled, %" PRIu64 " settled, %" PRIu64 " rejected\n",
	       number_of(orders, "unsettled"), number_of(orders, "settled"), number_of(orders, "rejected"));
	json_array_foreach(json_object_get(json, "satellites"), i, satellite) {
		print_satellite(satellite);
		print_standing(json_object_get(satellite, "standing"));
	}
	for (i = 0; i < findings_count(findings); i++)
		finding_print(findings_at(findings, i), stdout);
	if (findings_count(findings) == 0)
		puts("all well");
}

static int show(const struct options *options)
{
	struct findings *findings = findings_new();
	char why[SETTINGS_MESSAGE] = "";
	json_t *json = NULL;
	int level = CRITICAL;

	if (http_call("GET", option_hostport(options, "http"), "/api/v1/status", options_dir(options), TIMEOUT_MS,
		      &json, why, sizeof(why)) != ERR_OK) {
		fprintf(stderr, "granary-node: %s\n", why);
	} else {
		findings_add_json(findings, json_object_get(json, "findings"));
		level = findings_level(findings);
		if (option_flag(options, "json")) {
			json_dumpf(json, stdout, JSON_INDENT(2));
			putchar('\n');
		} else {
			print_status(json, findings);
		}
	}
	json_decref(json);
	findings_free(findings);
	return level;
}

int node_status(struct options *options)
{
	bool again = option_flag(options, "watch");
	int level;

	do {
		if (again && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout); /* an empty screen, from its top */
		level = show(options);
		if (fflush(stdout) != 0)
			return 1;
		if (again)
			sleep(WATCH_SECONDS);
	} while (again);
	return level;
}
