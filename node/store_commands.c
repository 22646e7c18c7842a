/* Reaching the store, through the daemon or by hand, and printing what it says. */
#include "node/store_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/service.h"
#include "node/settings.h"
#include "node/store_facts.h"

#define ASK_TIMEOUT_MS 30000

static int complain(const char *why)
{
	fprintf(stderr, "granary-node: %s\n", why);
	return 1;
}

/* How the store of a directory is reached: opened here, or, when `store` is NULL, through the daemon. */
struct access {
	const struct options *options;
	struct store *store;
	char why[SETTINGS_MESSAGE];
};

/* Lock DIR and open its store; when a daemon holds the lock, that is whom to ask. */
static enum err reach(struct access *access, const struct options *options)
{
	const struct store_options how = {.allocation = option_int(options, "allocate"), .no_upkeep = true};
	const char *dir = options_dir(options);
	char text[STORE_MESSAGE] = "";
	struct key *key = NULL;
	enum err err;

	*access = (struct access){.options = options};
	err = service_key(dir, &key, access->why, sizeof(access->why));
	key_free(key);
	if (err != ERR_OK)
		return err;
	err = service_lock(dir, access->why, sizeof(access->why));
	if (err == ERR_BUSY)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	err = store_open(dir, &how, &seam_system, &access->store, text);
	if (err != ERR_OK)
		snprintf(access->why, sizeof(access->why), "%s", text);
	return err;
}

static void leave(struct access *access)
{
	store_close(access->store);
	access->store = NULL;
}

static enum err ask(struct access *access, const char *method, const char *path, json_t **ret)
{
	const struct options *options = access->options;

	return http_call(method, option_hostport(options, "http"), path, options_dir(options), ASK_TIMEOUT_MS, ret,
			 access->why, sizeof(access->why));
}

static void print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
}

static uint64_t number_of(const json_t *json, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json, name));
}

/* The numbers of `space` that are sizes, in the order in which they are told. */
static const struct {
	const char *name;
	const char *meaning;
} sizes[] = {
	{"allocation", "allotted to the node"},
	{"used", "taken by records: the next four"},
	{"live", "payload of pieces"},
	{"trash", "payload of pieces in the trash"},
	{"dead", "deleted or superseded, not yet reclaimed"},
	{"overhead", "heads, footers, tombstones, the log of transfers"},
	{"reserved", "for uploads under way"},
	{"free", "in the files, not yet given out"},
	{"available", "for new pieces"},
};

static void print_when(const char *what, const json_t *json, const char *name)
{
	char when[24];

	if (number_of(json, name) > 0)
		printf("%s%s", what, clock_format(number_of(json, name), when, sizeof(when)));
}

static void print_scrub(const json_t *scrub)
{
	const json_t *round = json_object_get(scrub, "round");
	uint64_t bytes = number_of(round, "bytes"), total = number_of(round, "total");

	if (number_of(scrub, "period") == 0) {
		printf("%-12s %10s\n", "scrubbing", "never");
		return;
	}
	printf("%-12s %10" PRIu64 "  rounds", "scrubbing", number_of(scrub, "rounds"));
	print_when(", the last ended ", scrub, "finished");
	if (json_is_true(json_object_get(scrub, "under_way"))) {
		print_when("; this one began ", scrub, "started");
		printf(", %" PRIu64 " %% read", total == 0 ? 0 : (uint64_t)((double)bytes * 100 / (double)total));
	}
	putchar('\n');
}

static void print_stats(const json_t *json)
{
	const json_t *space = json_object_get(json, "space"), *damage = json_object_get(json, "damage");
	char size[16];

	printf("%-12s %10" PRIu64 "  live, and %" PRIu64 " in the trash\n", "pieces", number_of(space, "pieces"),
	       number_of(space, "trashed"));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		printf("%-12s %10s  %s\n", sizes[i].name, option_print_size(number_of(space, sizes[i].name), size),
		       sizes[i].meaning);
	printf("%-12s %10" PRIu64 "  pieces, %" PRIu64 " of them not yet acknowledged by their satellite\n", "damaged",
	       number_of(damage, "pieces"), number_of(damage, "untold"));
	print_scrub(json_object_get(json, "scrub"));
	if (json_is_true(json_object_get(space, "read_only")))
		printf("read-only: %s\n", json_string_value(json_object_get(space, "reason")));
}

int store_commands_stats(struct options *options)
{
	struct access access;
	json_t *json = NULL;
	enum err err = reach(&access, options);

	if (err == ERR_OK && access.store == NULL)
		err = ask(&access, "GET", "/api/v1/store", &json);
	else if (err == ERR_OK)
		json = store_facts_json(access.store);
	if (err != ERR_OK)
		return complain(access.why);
	leave(&access);
	if (option_flag(options, "json"))
		print_json(json);
	else
		print_stats(json);
	json_decref(json);
	return 0;
}
