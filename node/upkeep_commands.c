/* pause, resize, paths, config: what an owner changes on a running node, and what it goes by. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/http.h"
#include "common/memory.h"
#include "common/option_value.h"
#include "common/service.h"
#include "node/commands.h"
#include "node/pause.h"
#include "node/settings.h"

#define TIMEOUT_MS 15000
#define ALLOCATION_LEAST (8ull * 1024 * 1024)

static int complain(const char *why)
{
	fprintf(stderr, "granary-node: %s\n", why);
	return 1;
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

int node_pause(struct options *options)
{
	const char *text = options_argument(options, 0);
	char why[SETTINGS_MESSAGE] = "", path[64], until[24];
	json_t *json = NULL;
	uint64_t seconds, at;

	if (option_parse_duration(text, &seconds) != ERR_OK || seconds > PAUSE_MOST) {
		fprintf(stderr, "granary-node: pause: \"%s\" is not a time of at most 7d, as 90m or 2h; 0 ends it\n",
			text);
		return 2;
	}
	snprintf(path, sizeof(path), "/api/v1/pause?seconds=%" PRIu64, seconds);
	if (http_call("POST", option_hostport(options, "http"), path, options_dir(options), TIMEOUT_MS, &json, why,
		      sizeof(why)) != ERR_OK)
		return complain(why);
	at = (uint64_t)json_integer_value(json_object_get(json, "paused_until"));
	if (option_flag(options, "json")) {
		print_json(json);
		return 0;
	}
	if (at == 0)
		puts("The node takes transfers again.");
	else
		printf("The node takes no new transfers until %s. It may be stopped and started meanwhile.\n",
		       clock_format(at, until, sizeof(until)));
	json_decref(json);
	return 0;
}

/* What the running node made of a new size. */
static void explain_size(const json_t *json, uint64_t size)
{
	const json_t *space = json_object_get(json, "space");
	uint64_t allocation = (uint64_t)json_integer_value(json_object_get(space, "allocation"));
	uint64_t used = (uint64_t)json_integer_value(json_object_get(space, "used"));
	uint64_t available = (uint64_t)json_integer_value(json_object_get(space, "available"));
	char text[16], more[16];

	if (allocation != size) {
		printf("config.ini says so now, but the running node goes by a flag or GRANARY_ALLOCATE: %s.\n",
		       option_print_size(allocation, text));
		return;
	}
	printf("The node offers %s from now on.\n", option_print_size(allocation, text));
	if (used > allocation)
		printf("It keeps %s, which stay: it takes no more pieces until enough of them are deleted or "
		       "collected. "
		       "To get rid of them sooner, leave a satellite: granary-node exit.\n",
		       option_print_size(used, text));
	else if (available + allocation / 20 < allocation - used)
		printf("The disk has room for %s more only.\n", option_print_size(available, more));
}

int node_resize(struct options *options)
{
	const char *text = options_argument(options, 0), *dir = options_dir(options);
	char why[SETTINGS_MESSAGE] = "", *path = file_join(dir, "key");
	json_t *json = NULL;
	uint64_t size;
	bool made = file_exists(path);
	enum err err;

	free(path);
	if (option_parse_size(text, &size) != ERR_OK || size < ALLOCATION_LEAST || size > INT64_MAX) {
		fprintf(stderr, "granary-node: resize: \"%s\" is not a size of at least 8388608 bytes, as 500GB\n",
			text);
		return 2;
	}
	if (!made) {
		snprintf(why, sizeof(why), "there is no node in %s", dir);
		return complain(why);
	}
	err = options_change_file(options, "allocate", text);
	if (err != ERR_OK) {
		snprintf(why, sizeof(why), "cannot write %s/config.ini: %s", dir, err_text(err));
		return complain(why);
	}
	err = http_call("POST", option_hostport(options, "http"), "/api/v1/reload", dir, TIMEOUT_MS, &json, why,
			sizeof(why));
	if (err == ERR_UNREACHABLE) {
		puts("No node runs; the new size holds from its next start on.");
		return 0;
	}
	if (err != ERR_OK)
		return complain(why);
	if (option_flag(options, "json")) {
		print_json(json);
		return 0;
	}
	explain_size(json, size);
	json_decref(json);
	return 0;
}

/* What stands in the node's directory, and what would be lost with it. */
static const struct {
	const char *name, *what;
} paths[] = {
	{"key", "the node's identity and purse: keep a copy"},
	{"config.ini", "options"},
	{"ledger.db", "orders and settlements: keep a copy"},
	{"papers.db", "prices, usages and statements, signed by satellites: keep a copy"},
	{"domains.json", "what each satellite's signatures are bound to"},
	{"standing.db", "what satellites think of this node; they tell it again"},
	{"history.db", "the dashboard's figures by the hour"},
	{"events.db", "what happened, as the dashboard tells it"},
	{"dashboard.json", "who may log in to the dashboard"},
	{"store", "the pieces"},
	{"store.id", "which store belongs here"},
	{"cookie", "the running node's token for commands"},
	{"LOCK", "held by the running node"},
	{"pause", "until when the node pauses"},
};

int node_paths(struct options *options)
{
	json_t *json = json_pack("{s:s}", "dir", options_dir(options));

	if (!option_flag(options, "json"))
		printf("%-14s %s\n", "dir", options_dir(options));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *path = file_join(options_dir(options), paths[i].name), *real = realpath(path, NULL);
		const char *shown = real != NULL ? real : path;

		json_object_set_new(json, paths[i].name, json_string(shown));
		if (!option_flag(options, "json"))
			printf("%-14s %s%s\n%-14s %s\n", paths[i].name, shown, real == NULL ? " (not there)" : "", "",
			       paths[i].what);
		free(real);
		free(path);
	}
	if (option_flag(options, "json"))
		print_json(json);
	else
		json_decref(json);
	return 0;
}

static json_t *value_of(const struct options *options, const char *name)
{
	json_t *values = json_array();
	size_t count = option_count(options, name);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(values, json_string(option_text_at(options, name, i)));
	return json_pack("{s:s, s:o}", "source", option_source(options, name), "values", values);
}

static void print_value(const struct options *options, const char *name)
{
	size_t count = option_count(options, name);

	if (count == 0)
		printf("%-20s %-12s (none)\n", name, "default");
	for (size_t i = 0; i < count; i++)
		printf("%-20s %-12s %s\n", name, option_source(options, name), option_text_at(options, name, i));
}

/* A file with an unknown key has been refused before this runs. */
int node_config(struct options *options)
{
	const char *names = SETTINGS_OPTIONS;
	json_t *json = json_object();
	struct bytes word;

	while (option_next_word(&names, ' ', &word)) {
		char *name = memory_copy(word.data, word.len);

		if (option_flag(options, "json"))
			json_object_set_new(json, name, value_of(options, name));
		else
			print_value(options, name);
		free(name);
	}
	if (option_flag(options, "json"))
		print_json(json);
	else
		json_decref(json);
	return 0;
}
