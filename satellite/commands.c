/* Commands that print facts or make grants. */
#include "satellite/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hex.h"
#include "common/http.h"
#include "common/log.h"
#include "common/service.h"
#include "satellite/clients.h"
#include "satellite/desk.h"
#include "satellite/registry.h"
#include "satellite/schema.h"

int commands_complain(const char *why)
{
	fprintf(stderr, "granary-satellite: %s\n", why);
	return 1;
}

int commands_init(struct options *options)
{
	struct settings settings;
	char why[COMMANDS_WHY] = "", later[COMMANDS_WHY] = "";
	struct redundancy redundancy;
	struct database *db = NULL;
	struct key *key = NULL;
	const char *reason;
	enum err err;

	if (redundancy_parse(option_text(options, "redundancy"), &redundancy, &reason) != ERR_OK) {
		commands_complain(reason);
		return 2;
	}
	err = service_init(options, COMMANDS_SETTINGS, &key, why, sizeof(why));
	if (err == ERR_OK)
		err = schema_open(options_dir(options), &db, why);
	database_close(db);
	key_free(key);
	if (err != ERR_OK)
		return commands_complain(why);
	/* The directory is made, but it cannot be run like this: better said now. */
	if (settings_read(options, &settings, later, sizeof(later)) != ERR_OK)
		fprintf(stderr, "granary-satellite: before it can run: %s\n", later);
	return 0;
}

int commands_id(struct options *options)
{
	return service_print_id(options);
}

void commands_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

int commands_status(struct options *options)
{
	const char *name;
	json_t *json, *value;
	char why[COMMANDS_WHY] = "";

	if (http_call("GET", option_hostport(options, "http"), "/api/v1/status", options_dir(options), 5000, &json, why,
		      sizeof(why)) != ERR_OK)
		return commands_complain(why);
	if (option_flag(options, "json")) {
		commands_print_json(json);
		return 0;
	}
	json_object_foreach(json, name, value)
	{
		char *text = json_dumps(value, JSON_ENCODE_ANY);

		printf("%-20s %s\n", name, json_is_string(value) ? json_string_value(value) : text);
		free(text);
	}
	json_decref(json);
	return 0;
}

/* Where clients dial. */
static enum err external_endpoint(const struct options *options, const struct key *key, struct endpoint *ret, char *why,
				  size_t room)
{
	bool external = option_given(options, "external");

	ret->id = *key_id(key);
	ret->at = *option_hostport(options, external ? "external" : "listen");
	if (!external &&
	    (ret->at.port == 0 || strcmp(ret->at.host, "0.0.0.0") == 0 || strcmp(ret->at.host, "::") == 0)) {
		snprintf(why, room, "--external HOST:PORT is needed: clients cannot dial %s:%u", ret->at.host,
			 ret->at.port);
		return ERR_USAGE;
	}
	return ERR_OK;
}

static int print_grant(const struct options *options, const struct endpoint *endpoint, const uint8_t code[CLIENTS_CODE],
		       uint64_t expires)
{
	char at[ENDPOINT_TEXT], hex[2 * CLIENTS_CODE + 1], line[ENDPOINT_TEXT + 2 * CLIENTS_CODE + 2];

	endpoint_print(endpoint, at);
	hex_encode(bytes_of(code, CLIENTS_CODE), hex);
	snprintf(line, sizeof(line), "%s/%s", at, hex);
	if (option_flag(options, "json"))
		commands_print_json(json_pack("{s:s, s:I}", "grant", line, "expires", (json_int_t)expires));
	else
		puts(line);
	return 0;
}

int commands_grant(struct options *options)
{
	struct settings settings;
	struct endpoint endpoint;
	struct desk *desk = NULL;
	struct key *key = NULL;
	uint8_t code[CLIENTS_CODE];
	uint64_t lifetime = option_int(options, "expires"), now;
	char why[COMMANDS_WHY] = "";
	enum err err;

	err = commands_open(options, &settings, &key, &desk, why, sizeof(why));
	now = clock_wall();
	if (err == ERR_OK)
		err = external_endpoint(options, key, &endpoint, why, sizeof(why));
	if (err == ERR_OK) {
		err = clients_grant(desk->db, now, lifetime, code);
		snprintf(why, sizeof(why), "%s", database_message(desk->db));
	}
	desk_close(desk);
	key_free(key);
	if (err == ERR_OK)
		return print_grant(options, &endpoint, code, now + lifetime);
	commands_complain(why);
	return err == ERR_USAGE ? 2 : 1;
}

enum err commands_open(struct options *options, struct settings *ret_settings, struct key **ret_key,
		       struct desk **ret_desk, char *why, size_t room)
{
	char message[DATABASE_MESSAGE] = "";
	enum err err;

	log_setup("satellite", LOG_WARN);
	err = settings_read(options, ret_settings, why, room);
	if (err != ERR_OK)
		return err;
	if (ret_settings->test_network)
		clock_allow_offset();
	err = service_key(options_dir(options), ret_key, why, room);
	if (err != ERR_OK)
		return err;
	err = desk_open(ret_settings, *ret_key, ret_desk, message);
	if (err != ERR_OK)
		snprintf(why, room, "%s", message);
	return err;
}

/* Nodes as JSON, and by which rule they are online. */
struct listing {
	json_t *nodes;
	uint64_t online_since;
};

static enum err add_node(const struct registered_node *node, void *arg)
{
	struct listing *listing = arg;
	char id[KEY_ID_HEX], address[KEY_ADDRESS_TEXT];
	bool online = node->reachable && node->checked_in >= listing->online_since;

	id_to_hex(&node->id, id);
	address_to_text(&node->address, address);
	json_array_append_new(listing->nodes,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
					id, "address", address, "endpoint", node->endpoint, "claimed", node->claimed,
					"network", node->network, "version", node->version, "online", online,
					"reachable", node->reachable, "allocated", (json_int_t)node->allocated, "used",
					(json_int_t)node->used, "available", (json_int_t)node->available, "registered",
					(json_int_t)node->registered, "checked_in", (json_int_t)node->checked_in,
					"dialled", (json_int_t)node->dialled));
	return ERR_OK;
}

static void print_nodes(json_t *nodes)
{
	size_t i;
	json_t *node;

	printf("%-22s %-24s %-8s %10s %10s  %s\n", "node", "endpoint", "online", "used", "available", "last check-in");
	json_array_foreach(nodes, i, node) {
		char used[16], available[16], when[32];

		printf("%.20s…  %-24s %-8s %10s %10s  %s\n", json_string_value(json_object_get(node, "id")),
		       json_string_value(json_object_get(node, "endpoint")),
		       json_is_true(json_object_get(node, "online")) ? "yes" : "no",
		       option_print_size((uint64_t)json_integer_value(json_object_get(node, "used")), used),
		       option_print_size((uint64_t)json_integer_value(json_object_get(node, "available")), available),
		       clock_format((uint64_t)json_integer_value(json_object_get(node, "checked_in")), when,
				    sizeof(when)));
	}
}

int commands_nodes(struct options *options)
{
	struct settings settings;
	struct listing listing = {.nodes = json_array()};
	struct desk *desk = NULL;
	struct key *key = NULL;
	char why[COMMANDS_WHY] = "";
	enum err err;

	err = commands_open(options, &settings, &key, &desk, why, sizeof(why));
	if (err == ERR_OK) {
		listing.online_since = registry_online_since(&settings, clock_wall());
		err = registry_each(desk->db, add_node, &listing);
		snprintf(why, sizeof(why), "%s", database_message(desk->db));
	}
	if (err == ERR_OK && option_flag(options, "json"))
		commands_print_json(json_pack("{s:O}", "nodes", listing.nodes));
	else if (err == ERR_OK)
		print_nodes(listing.nodes);
	else
		commands_complain(why);
	json_decref(listing.nodes);
	desk_close(desk);
	key_free(key);
	return err == ERR_OK ? 0 : 1;
}
