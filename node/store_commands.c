/* What the commands print of what they were told. */
#include "node/store_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "node/store_access.h"
#include "node/store_facts.h"

#define EXIT_DAMAGED 3

static int complain(const char *why)
{
	fprintf(stderr, "granary-node: %s\n", why);
	return 1;
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

/* Collections that would have trashed too much. */
static void print_held(const json_t *held)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)held, i, row) {
		uint64_t bytes = number_of(row, "bytes"), of = number_of(row, "of");
		char size[16], whole[16];

		printf("held: satellite %s wants %s of %s trashed (%" PRIu64 " %%)",
		       json_string_value(json_object_get(row, "satellite")), option_print_size(bytes, size),
		       option_print_size(of, whole), of == 0 ? 0 : (uint64_t)((double)bytes * 100 / (double)of));
		print_when(", since ", row, "since");
		printf("%s\n", json_is_true(json_object_get(row, "agreed")) ? "; agreed, goes when it asks again" : "");
	}
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
	if (number_of(damage, "gone_files") > 0)
		printf("%-12s %10" PRIu64 "  files, with %" PRIu64 " pieces in them: look in lost+found\n", "gone",
		       number_of(damage, "gone_files"), number_of(damage, "gone_pieces"));
	print_scrub(json_object_get(json, "scrub"));
	print_held(json_object_get(json, "held"));
	if (json_is_true(json_object_get(space, "read_only")))
		printf("read-only: %s\n", json_string_value(json_object_get(space, "reason")));
}

int store_commands_stats(struct options *options)
{
	struct store_access access;
	json_t *json = NULL;
	enum err err = store_access_open(&access, options);

	if (err == ERR_OK && access.store == NULL)
		err = store_access_ask(&access, "GET", "/api/v1/store", &json);
	else if (err == ERR_OK)
		json = store_facts_json(access.store);
	store_access_close(&access);
	if (err != ERR_OK)
		return complain(access.why);
	if (option_flag(options, "json"))
		print_json(json);
	else
		print_stats(json);
	json_decref(json);
	return 0;
}

/* Do it, and print what came of it; the exit status. The caller owns *ret, which is NULL when nothing came of it. */
static int do_chore(struct options *options, const struct chore_options *chore, json_t **ret)
{
	struct store_access access;
	json_t *json = NULL;
	const char *state, *error;
	enum err err = store_access_open(&access, options);

	if (err == ERR_OK)
		err = store_access_do(&access, chore, &json);
	store_access_close(&access);
	if (err != ERR_OK)
		return complain(access.why);
	*ret = json;
	state = json_string_value(json_object_get(json, "state"));
	error = json_string_value(json_object_get(json, "error"));
	if (option_flag(options, "json"))
		print_json(json);
	if (error != NULL)
		return complain(error);
	if (state == NULL || strcmp(state, "done") != 0)
		return complain("stopped before its end");
	return 0;
}

/* One of the numbers that should be none. */
static bool complain_of(const json_t *result, const char *name, const char *words)
{
	uint64_t count = number_of(result, name);

	if (count > 0)
		fprintf(stderr, "granary-node: %" PRIu64 " %s\n", count, words);
	return count > 0;
}

static bool print_check(const json_t *result, bool quiet)
{
	char bytes[16];
	bool bad = false;

	option_print_size(number_of(result, "bytes"), bytes);
	if (!quiet)
		printf("%s read: %" PRIu64 " pieces whole, %" PRIu64 " damaged, in %" PRIu64 " files\n", bytes,
		       number_of(result, "pieces"), number_of(result, "damaged"), number_of(result, "segments"));
	bad = complain_of(result, "damaged", "pieces are damaged; their satellites are told, the others are as before");
	bad = complain_of(result, "gone_files", "files of pieces are gone since the last stop: look for them in "
						"lost+found, and put them back while the node is stopped") ||
	      bad;
	bad = complain_of(result, "gone_pieces", "pieces were in them, and their satellites are told") || bad;
	bad = complain_of(result, "records_bad", "records other than pieces are damaged") || bad;
	bad = complain_of(result, "segments_bad", "files have a damaged header; what they hold can be read") || bad;
	bad = complain_of(result, "footers_bad",
			  "files have a damaged footer; starting the node again writes it anew") ||
	      bad;
	if (json_is_false(json_object_get(result, "sums_agree"))) {
		fprintf(stderr, "granary-node: the sums that the store keeps are not those of its files; "
				"store rebuild-index makes them anew\n");
		bad = true;
	}
	return bad;
}

int store_commands_check(struct options *options)
{
	const struct chore_options chore = {.name = "check", .rate = option_int(options, "rate")};
	json_t *json = NULL;
	int status = do_chore(options, &chore, &json);

	if (json != NULL && print_check(json_object_get(json, "result"), option_flag(options, "json")) && status == 0)
		status = EXIT_DAMAGED;
	json_decref(json);
	return status;
}

int store_commands_compact(struct options *options)
{
	const struct chore_options chore = {.name = "compact", .least = (unsigned)option_int(options, "least")};
	json_t *json = NULL;
	int status = do_chore(options, &chore, &json);
	const json_t *result = json_object_get(json, "result");
	char freed[16], copied[16];

	if (json != NULL && !option_flag(options, "json"))
		printf("%s freed in %" PRIu64 " files, %s copied\n",
		       option_print_size(number_of(result, "freed"), freed), number_of(result, "segments"),
		       option_print_size(number_of(result, "copied"), copied));
	if (json != NULL)
		(void)complain_of(result, "bad", "records cannot be read: they stay, and their files with them");
	json_decref(json);
	return status;
}

int store_commands_restore(struct options *options)
{
	const struct chore_options chore = {.name = "restore", .within = option_int(options, "within")};
	json_t *json = NULL;
	int status = do_chore(options, &chore, &json);
	const json_t *result = json_object_get(json, "result");
	char size[16];

	if (json != NULL && !option_flag(options, "json"))
		printf("%" PRIu64 " pieces of %s taken out of the trash\n", number_of(result, "pieces"),
		       option_print_size(number_of(result, "bytes"), size));
	json_decref(json);
	return status;
}

/* What is held, and of one satellite no more: its next collection may go on. */
static enum err agree(struct store_access *access, const char *satellite, json_t **ret)
{
	struct address address;
	char path[128];
	enum err err;

	if (address_from_text(satellite, &address) != ERR_OK) {
		snprintf(access->why, sizeof(access->why), "a satellite is named by its address, 0x and 40 digits");
		return ERR_USAGE;
	}
	if (access->store == NULL) {
		snprintf(path, sizeof(path), "/api/v1/store/agree?satellite=%s", satellite);
		return store_access_ask(access, "POST", path, ret);
	}
	err = store_facts_agree(access->store, &address);
	if (err == ERR_NOT_FOUND)
		snprintf(access->why, sizeof(access->why), "nothing is held of that satellite");
	else if (err != ERR_OK)
		snprintf(access->why, sizeof(access->why), "%s", err_text(err));
	else
		*ret = json_pack("{s:o}", "held", store_facts_held(access->store));
	return err;
}

int store_commands_agree(struct options *options)
{
	struct store_access access;
	json_t *json = NULL;
	enum err err = store_access_open(&access, options);

	if (err == ERR_OK && options_argument_count(options) > 0)
		err = agree(&access, options_argument(options, 0), &json);
	else if (err == ERR_OK && access.store == NULL)
		err = store_access_ask(&access, "GET", "/api/v1/store", &json);
	else if (err == ERR_OK)
		json = store_facts_json(access.store);
	store_access_close(&access);
	if (err != ERR_OK) {
		complain(access.why);
		return err == ERR_USAGE ? 2 : 1;
	}
	if (option_flag(options, "json"))
		print_json(json_object_get(json, "held"));
	else if (json_array_size(json_object_get(json, "held")) == 0)
		printf("nothing is held\n");
	else
		print_held(json_object_get(json, "held"));
	json_decref(json);
	return 0;
}

int store_commands_rebuild(struct options *options)
{
	struct store_access access;
	struct store_options how;
	struct store_space space;
	char text[STORE_MESSAGE] = "", size[16];
	json_t *json;
	bool daemon;
	enum err err = store_access_lock(&access, options, &daemon);

	if (err != ERR_OK)
		return complain(access.why);
	if (daemon)
		return complain("the node is running: stop it before its index is made anew");
	store_access_options(&access, &how);
	err = store_rebuild(options_dir(options), &how, &seam_system, &space, text);
	if (err != ERR_OK)
		return complain(text);
	json = store_facts_space(&space);
	if (option_flag(options, "json"))
		print_json(json);
	else
		printf("index made anew: %" PRIu64 " pieces of %s, %" PRIu64 " in the trash\n", space.pieces,
		       option_print_size(space.live, size), space.trashed);
	json_decref(json);
	return 0;
}
