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
