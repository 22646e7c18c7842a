/* granary-satellite clients, quota. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "satellite/commands.h"
#include "satellite/customers.h"

static json_t *usage_json(const struct customer_usage *usage)
{
	char address[KEY_ADDRESS_TEXT], storage[AMOUNT_TEXT], egress[AMOUNT_TEXT], total[AMOUNT_TEXT];

	address_to_text(&usage->client, address);
	return json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s}", "client", address,
		"objects", (json_int_t)usage->objects, "segments", (json_int_t)usage->segments, "stored",
		(json_int_t)usage->stored, "uploading", (json_int_t)usage->uploading, "reserved",
		(json_int_t)usage->reserved, "byte_hours", (json_int_t)(byte_seconds_value(usage->byte_seconds) / 3600),
		"egress", (json_int_t)usage->egress, "allocated", (json_int_t)usage->allocated, "downloads",
		(json_int_t)usage->downloads, "storage_quota", (json_int_t)usage->storage_quota, "egress_quota",
		(json_int_t)usage->egress_quota, "charged_storage", amount_print(usage->charged.storage, storage),
		"charged_egress", amount_print(usage->charged.egress, egress), "charged",
		amount_print(usage->charged.total, total));
}

static enum err add_client(const struct customer_usage *usage, void *arg)
{
	json_array_append_new(arg, usage_json(usage));
	return ERR_OK;
}

static const char *size_of(json_t *client, const char *name, const char *none, char out[16])
{
	uint64_t bytes = (uint64_t)json_integer_value(json_object_get(client, name));

	return bytes == 0 && none != NULL ? none : option_print_size(bytes, out);
}

static void print_clients(json_t *clients)
{
	json_t *client;
	size_t i;

	printf("%-42s %9s %10s %10s %14s %10s %10s %14s\n", "client", "objects", "stored", "quota", "GB hours",
	       "egress", "quota", "charged");
	json_array_foreach(clients, i, client) {
		char stored[16], storage[16], egress[16], traffic[16];

		printf("%-42s %9lld %10s %10s %14.3f %10s %10s %14s\n",
		       json_string_value(json_object_get(client, "client")),
		       (long long)json_integer_value(json_object_get(client, "objects")),
		       size_of(client, "stored", NULL, stored), size_of(client, "storage_quota", "none", storage),
		       (double)json_integer_value(json_object_get(client, "byte_hours")) / 1e9,
		       size_of(client, "egress", NULL, egress), size_of(client, "egress_quota", "none", traffic),
		       json_string_value(json_object_get(client, "charged")));
	}
}

int commands_clients(struct options *options)
{
	struct settings settings;
	json_t *clients = json_array();
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err = commands_open(options, &settings, &key, &desk, why, sizeof(why));

	if (err == ERR_OK) {
		err = customers_each(desk->db, &settings, clock_wall(), add_client, clients);
		snprintf(why, sizeof(why), "%s", database_message(desk->db));
	}
	if (err != ERR_OK)
		commands_complain(why);
	else if (option_flag(options, "json"))
		commands_print_json(json_pack("{s:O}", "clients", clients));
	else
		print_clients(clients);
	json_decref(clients);
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : 1;
}

/* An address, or an id of 33 bytes. */
static enum err parse_client(const char *text, struct address *ret)
{
	struct id id;

	if (strncmp(text, "0x", 2) == 0)
		return address_from_text(text, ret);
	return id_from_hex(text, &id) == ERR_OK ? id_to_address(&id, ret) : ERR_FORMAT;
}

/* "SIZE" or "default"; *ret_given false when the option is not there. */
static bool parse_quota(const struct options *options, const char *name, uint64_t *ret, bool *ret_given)
{
	const char *text = option_text(options, name);

	*ret_given = text != NULL;
	if (text == NULL)
		return true;
	if (strcmp(text, "default") == 0) {
		*ret = CUSTOMERS_DEFAULT;
		return true;
	}
	if (option_parse_size(text, ret) == ERR_OK && *ret <= INT64_MAX)
		return true;
	fprintf(stderr, "granary-satellite: --%s: \"%s\" is neither a size like 500GB nor \"default\"\n", name, text);
	return false;
}

struct change {
	const struct settings *settings;
	struct address client;
	const uint64_t *storage;
	const uint64_t *egress;
	struct customer_usage usage; /* afterwards */
};

static enum err set_quota(struct database *db, void *arg)
{
	struct change *change = arg;
	enum err err = customers_set_quota(db, &change->client, change->storage, change->egress);

	return err == ERR_OK ? customers_usage(db, change->settings, &change->client, clock_wall(), &change->usage)
			     : err;
}

static int run_change(struct options *options, struct change *change)
{
	struct settings settings;
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err = commands_open(options, &settings, &key, &desk, why, sizeof(why));

	if (err == ERR_OK) {
		change->settings = &settings;
		err = database_transaction(desk->db, set_quota, change);
		if (err == ERR_NOT_FOUND)
			snprintf(why, sizeof(why), "quota: no such client: %s", options_argument(options, 0));
		else
			snprintf(why, sizeof(why), "%s", database_message(desk->db));
	}
	if (err != ERR_OK) {
		commands_complain(why);
	} else {
		json_t *client = usage_json(&change->usage);

		if (option_flag(options, "json")) {
			commands_print_json(client);
		} else {
			json_t *clients = json_pack("[o]", client);

			print_clients(clients);
			json_decref(clients);
		}
	}
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : 1;
}

int commands_quota(struct options *options)
{
	struct change change = {.storage = NULL};
	uint64_t storage, egress;
	bool storage_given, egress_given;

	if (parse_client(options_argument(options, 0), &change.client) != ERR_OK) {
		commands_complain("quota: a client's address (0x…) or id is asked for");
		return 2;
	}
	if (!parse_quota(options, "storage", &storage, &storage_given) ||
	    !parse_quota(options, "egress", &egress, &egress_given))
		return 2;
	if (!storage_given && !egress_given) {
		commands_complain("quota: --storage SIZE or --egress SIZE is asked for");
		return 2;
	}
	change.storage = storage_given ? &storage : NULL;
	change.egress = egress_given ? &egress : NULL;
	return run_change(options, &change);
}
