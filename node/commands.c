/* init, settle. */
#include "node/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/http.h"
#include "common/service.h"
#include "node/settings.h"

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
