/* The shell around the engine: one loop, run by the main thread while something is under way. */
#include "uplink/client.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/file.h"
#include "uplink/metadata.h"

#define TEST_CHAIN_ID 31337 /* no real network's */

static void report(const struct id *node, enum trace_level level, const char *text, void *arg)
{
	struct client *client = arg;
	char hex[KEY_ID_HEX];

	/* A node that cheats is named in any case. */
	if (level != TRACE_CHEAT && !option_flag(client->options, "verbose"))
		return;
	id_to_hex(node, hex);
	progress_clear(client->progress);
	fprintf(stderr, "granary: node %s: %s\n", hex, text);
}

static void on_interrupt(void *arg)
{
	struct client *client = arg;

	client->interrupted = true;
	if (client->cancel != NULL)
		client->cancel(client->cancel_arg);
	else
		client_finish(client, ERR_CANCELLED, "interrupted");
}

char *client_access_path(const struct options *options)
{
	const char *name = option_text(options, "access");
	char file[80];

	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(name))
		return NULL;
	snprintf(file, sizeof(file), "%s.access", name);
	return file_join(options_dir(options), file);
}

static void begin(struct client *client)
{
	client->signals = service_signals_new(client->uplink->loop, on_interrupt, NULL, client);
}

int client_open(struct options *options, struct client *client)
{
	char *path = client_access_path(options);
	const char *why = "";
	enum err err;

	memset(client, 0, sizeof(*client));
	client->options = options;
	if (path == NULL)
		return client_usage("--access: a name is made of letters, digits, '-' and '_'");
	err = access_load(path, &client->access, &why);
	if (err == ERR_NOT_FOUND)
		fprintf(stderr, "granary: no access \"%s\" in %s; make one with: granary access import GRANT\n",
			option_text(options, "access"), options_dir(options));
	else if (err != ERR_OK)
		fprintf(stderr, "granary: %s: %s\n", path, why[0] == '\0' ? err_text(err) : why);
	free(path);
	if (err != ERR_OK)
		return 1;
	if (client->access->chain_id == TEST_CHAIN_ID)
		clock_allow_offset();
	client->uplink = uplink_open(client->access, report, client);
	begin(client);
	return 0;
}

void client_open_new(struct options *options, struct access *access, struct client *client)
{
	memset(client, 0, sizeof(*client));
	client->options = options;
	client->access = access;
	client->uplink = uplink_new(access->key, report, client);
	client->uplink->metadata = metadata_new(client->uplink, &access->satellite, false);
	begin(client);
}

static bool write_stats(const struct client *client, const char *path)
{
	json_t *json = trace_json(client->uplink->trace);
	char *text = json_dumps(json, JSON_INDENT(2));
	enum err err;

	json_decref(json);
	if (text == NULL)
		return false;
	err = file_replace(path, bytes_of_text(text), 0644);
	free(text);
	if (err != ERR_OK)
		fprintf(stderr, "granary: %s: %s\n", path, err_text(err));
	return err == ERR_OK;
}

int client_close(struct client *client, int status)
{
	const char *stats = option_text(client->options, "stats-json");

	if (stats != NULL && !write_stats(client, stats))
		status = 1;
	service_signals_free(client->signals);
	uplink_free(client->uplink);
	access_free(client->access);
	return status;
}

enum err client_wait(struct client *client)
{
	while (!client->done)
		loop_run(client->uplink->loop);
	client->done = false;
	client->cancel = NULL;
	return client->err;
}

void client_finish(void *arg, enum err err, const char *why)
{
	struct client *client = arg;

	client->done = true;
	client->err = err;
	snprintf(client->why, sizeof(client->why), "%s", why);
	loop_stop(client->uplink->loop);
}

int client_fail(const struct client *client, const char *what, ...)
{
	va_list args;

	fprintf(stderr, "granary: ");
	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	fprintf(stderr, ": %s\n", client->why[0] == '\0' ? err_text(client->err) : client->why);
	return 1;
}

int client_usage(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "granary: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	return 2;
}

int client_location(const char *text, enum client_path path, struct location *ret)
{
	const char *why = "";

	if (location_parse(text, ret, &why) != ERR_OK)
		return client_usage("%s: %s", text, why);
	if (!ret->remote || ret->bucket[0] == '\0')
		return client_usage("%s: give it as %sBUCKET%s", text, LOCATION_SCHEME,
				    path == CLIENT_BUCKET ? "" : "/PATH");
	if (path == CLIENT_BUCKET && ret->path[0] != '\0')
		return client_usage("%s: a bucket is asked for, without a path", text);
	if (path == CLIENT_OBJECT && ret->path[0] == '\0')
		return client_usage("%s: an object's path is missing after the bucket", text);
	return 0;
}

char *client_print_time(uint64_t seconds, char out[32])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&time, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(out, 32, "?");
	return out;
}
