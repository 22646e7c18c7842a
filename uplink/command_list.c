/* granary ls, stat. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/memory.h"
#include "uplink/client.h"
#include "uplink/commands.h"
#include "uplink/listing.h"
#include "uplink/object_stat.h"

struct printing {
	struct client *client;
	bool buckets;
	bool empty;	  /* ls: nothing was found below the folder, so it may be an object */
	const char *path; /* of the object */
};

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(json);
}

static void print_listing_json(const struct printing *printing, const struct listing *listing)
{
	json_t *list = json_array();

	for (size_t i = 0; i < listing->count; i++) {
		const struct listing_entry *entry = &listing->entries[i];

		if (printing->buckets)
			json_array_append_new(list, json_pack("{s:s, s:I}", "bucket", entry->name, "created",
							      (json_int_t)entry->created));
		else
			json_array_append_new(list, json_pack("{s:s, s:b, s:I, s:I, s:I}", "path", entry->name,
							      "folder", entry->folder, "size", (json_int_t)entry->size,
							      "created", (json_int_t)entry->created, "expires",
							      (json_int_t)entry->expires));
	}
	print_json(json_pack("{s:o}", printing->buckets ? "buckets" : "objects", list));
}

static void print_entry(const struct printing *printing, const struct listing_entry *entry)
{
	char size[16], time[32], until[32];

	option_print_size(entry->size, size);
	client_print_time(entry->created, time);
	if (printing->buckets)
		printf("%s  %s%s\n", time, LOCATION_SCHEME, entry->name);
	else if (entry->folder)
		printf("%16s  %8s  %s\n", "", "", entry->name);
	else if (entry->expires > 0)
		printf("%s  %8s  %s  (until %s)\n", time, size, entry->name, client_print_time(entry->expires, until));
	else
		printf("%s  %8s  %s\n", time, size, entry->name);
}

static void on_listing(void *arg, const struct listing *listing, enum err err, const char *why)
{
	struct printing *printing = arg;

	printing->empty =
		listing != NULL && listing->count == 0 && listing->unreadable == 0 && printing->path[0] != '\0';
	if (printing->empty) {
		client_finish(printing->client, err, why);
		return;
	}
	if (listing != NULL && option_flag(printing->client->options, "json")) {
		print_listing_json(printing, listing);
	} else if (listing != NULL) {
		for (size_t i = 0; i < listing->count; i++)
			print_entry(printing, &listing->entries[i]);
	}
	if (listing != NULL && listing->unreadable > 0)
		fprintf(stderr, "granary: %zu names were made with another access and cannot be read\n",
			listing->unreadable);
	client_finish(printing->client, err, why);
}

static void on_listed_facts(void *arg, const struct object_facts *facts, enum err err, const char *why)
{
	struct printing *printing = arg;
	struct listing_entry entry;

	if (facts != NULL) {
		struct listing listing = {.entries = &entry, .count = 1};

		entry = (struct listing_entry){.name = (char *)(uintptr_t)printing->path,
					       .size = facts->size,
					       .created = facts->created,
					       .expires = facts->expires};
		if (option_flag(printing->client->options, "json"))
			print_listing_json(printing, &listing);
		else
			print_entry(printing, &entry);
	}
	client_finish(printing->client, err, why);
}

/* Nothing is below this path: then it is an object, or nothing at all. The exit status. */
static int list_object(struct client *client, const struct location *location, struct printing *printing)
{
	struct object_name name;
	const char *why = "";

	if (object_name_make(client->access, location->bucket, location->path, &name, &why) != ERR_OK)
		return client_usage("%s%s/%s: %s", LOCATION_SCHEME, location->bucket, location->path, why);
	object_stat(client->uplink, &name, on_listed_facts, printing);
	switch (client_wait(client)) {
	case ERR_OK:
		return 0;
	case ERR_NOT_FOUND:
		fprintf(stderr, "granary: %s%s/%s: no such object or folder\n", LOCATION_SCHEME, location->bucket,
			location->path);
		return 1;
	default:
		return client_fail(client, "cannot list %s%s/%s", LOCATION_SCHEME, location->bucket, location->path);
	}
}

int command_list(struct options *options)
{
	struct location location = {.path = ""};
	struct listing_request request = {.recursive = option_flag(options, "recursive")};
	struct client client;
	struct printing printing = {.client = &client};
	char *folder;
	size_t len;
	int status;

	if (options_argument_count(options) > 0 && strcmp(options_argument(options, 0), LOCATION_SCHEME) != 0) {
		status = client_location(options_argument(options, 0), CLIENT_BUCKET_OR_PATH, &location);
		if (status != 0)
			return status;
	}
	status = client_open(options, &client);
	if (status != 0)
		return status;
	folder = memory_copy(location.path, strlen(location.path));
	len = strlen(folder);
	if (len > 0 && folder[len - 1] == '/')
		folder[len - 1] = '\0';
	request.bucket = location.bucket;
	request.folder = folder;
	printing.buckets = location.bucket[0] == '\0';
	printing.path = location.path;
	if (printing.buckets)
		listing_buckets(client.uplink, on_listing, &printing);
	else
		listing_objects(client.uplink, &request, on_listing, &printing);
	if (client_wait(&client) != ERR_OK)
		status = client_fail(&client, "cannot list %s%s", LOCATION_SCHEME, location.bucket);
	else if (printing.empty)
		status = list_object(&client, &location, &printing);
	free(folder);
	return client_close(&client, status);
}

static void print_facts_json(const char *path, const struct object_facts *facts)
{
	char version[65];

	hex_encode(bytes_of(facts->version.b, 32), version);
	print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:i, s:{s:i, s:i, s:i, s:i}}", "path", path, "size",
			     (json_int_t)facts->size, "created", (json_int_t)facts->created, "modified",
			     (json_int_t)facts->modified, "expires", (json_int_t)facts->expires, "type", facts->type,
			     "version", version, "segments", (int)facts->segments, "redundancy", "required",
			     facts->policy.required, "repair", facts->policy.repair, "success", facts->policy.success,
			     "total", facts->policy.total));
}

static void print_facts(const char *path, const struct object_facts *facts)
{
	char size[16], time[32], version[65];

	hex_encode(bytes_of(facts->version.b, 32), version);
	printf("path        %s\n", path);
	printf("size        %" PRIu64 " (%s)\n", facts->size, option_print_size(facts->size, size));
	printf("created     %s\n", client_print_time(facts->created, time));
	if (facts->modified > 0)
		printf("modified    %s\n", client_print_time(facts->modified, time));
	if (facts->expires > 0)
		printf("expires     %s\n", client_print_time(facts->expires, time));
	if (facts->type[0] != '\0')
		printf("type        %s\n", facts->type);
	printf("segments    %" PRIu32 "\n", facts->segments);
	printf("redundancy  %u/%u/%u/%u\n", facts->policy.required, facts->policy.repair, facts->policy.success,
	       facts->policy.total);
	printf("version     %s\n", version);
}

static void on_facts(void *arg, const struct object_facts *facts, enum err err, const char *why)
{
	struct printing *printing = arg;

	if (facts != NULL && option_flag(printing->client->options, "json"))
		print_facts_json(printing->path, facts);
	else if (facts != NULL)
		print_facts(printing->path, facts);
	client_finish(printing->client, err, why);
}

int command_stat(struct options *options)
{
	const char *argument = options_argument(options, 0), *why = "";
	struct location location;
	struct object_name name;
	struct client client;
	struct printing printing = {.client = &client};
	int status;

	status = client_location(argument, CLIENT_OBJECT, &location);
	if (status == 0)
		status = client_open(options, &client);
	if (status != 0)
		return status;
	printing.path = location.path;
	if (object_name_make(client.access, location.bucket, location.path, &name, &why) != ERR_OK)
		return client_close(&client, client_usage("%s: %s", argument, why));
	object_stat(client.uplink, &name, on_facts, &printing);
	if (client_wait(&client) != ERR_OK)
		status = client_fail(&client, "%s", argument);
	return client_close(&client, status);
}
