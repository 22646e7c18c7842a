/* granary access: import, export, list. */
#include <dirent.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/file.h"
#include "uplink/client.h"
#include "uplink/commands.h"
#include "uplink/requests.h"

#define PASSPHRASE_MAX 1024
#define SUFFIX ".access"

/* One line, without echo on a terminal. False at the end of input. */
static bool read_line(const char *prompt, char *line, size_t room)
{
	bool terminal = isatty(STDIN_FILENO);
	struct termios before, silent;
	bool got;

	if (terminal && tcgetattr(STDIN_FILENO, &before) == 0) {
		fprintf(stderr, "%s", prompt);
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	got = fgets(line, (int)room, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

static int set_passphrase(struct access *access)
{
	char words[PASSPHRASE_MAX + 2], again[PASSPHRASE_MAX + 2];
	int status = 1;
	enum err err;

	if (!read_line("Passphrase: ", words, sizeof(words)))
		fprintf(stderr, "granary: --passphrase: no passphrase on stdin\n");
	else if (isatty(STDIN_FILENO) &&
		 (!read_line("The same again: ", again, sizeof(again)) || strcmp(words, again) != 0))
		fprintf(stderr, "granary: --passphrase: the two are not the same\n");
	else
		status = 0;
	if (status == 0) {
		err = access_set_passphrase(access, bytes_of_text(words));
		if (err != ERR_OK)
			fprintf(stderr, "granary: --passphrase: %s\n",
				err == ERR_RANGE ? "1 to 1024 bytes are allowed" : err_text(err));
		status = err == ERR_OK ? 0 : 1;
	}
	sodium_memzero(words, sizeof(words));
	sodium_memzero(again, sizeof(again));
	return status;
}

static int save(struct options *options, const struct access *access)
{
	char *path = client_access_path(options), endpoint[ENDPOINT_TEXT];
	enum err err;

	err = file_make_dirs(options_dir(options), 0700);
	if (err == ERR_OK)
		err = access_save(access, path);
	endpoint_print(&access->satellite, endpoint);
	if (err == ERR_OK)
		printf("access \"%s\" to satellite %s\n", option_text(options, "access"), endpoint);
	else
		fprintf(stderr, "granary: %s: %s\n", path, err_text(err));
	free(path);
	return err == ERR_OK ? 0 : 1;
}

/* Make key and root, have the key enrolled, note the satellite's domain, save. */
static int import_grant(struct options *options, const struct grant *grant)
{
	struct access *access = access_generate(&grant->satellite);
	struct client client;
	int status = 0;

	if (option_flag(options, "passphrase"))
		status = set_passphrase(access);
	if (status != 0) {
		access_free(access);
		return status;
	}
	client_open_new(options, access, &client);
	request_enrol(client.uplink, grant, client_finish, &client);
	if (client_wait(&client) != ERR_OK) {
		status = client_fail(&client, "access import");
	} else {
		access->chain_id = client.uplink->domain.chain_id;
		access->contract = client.uplink->domain.contract;
		status = save(options, access);
	}
	return client_close(&client, status);
}

static int import_access(struct options *options, const char *text)
{
	struct access *access;
	const char *why = "";
	enum err err;
	int status;

	err = access_parse(text, &access, &why);
	if (err != ERR_OK) {
		fprintf(stderr, "granary: access import: %s\n", why[0] == '\0' ? err_text(err) : why);
		return 1;
	}
	status = save(options, access);
	access_free(access);
	return status;
}

static int import(struct options *options, const char *text)
{
	char *path = client_access_path(options);
	struct grant grant;
	const char *why = "";
	bool taken;

	if (path == NULL)
		return client_usage("--access: a name is made of letters, digits, '-' and '_'");
	taken = file_exists(path);
	free(path);
	if (taken)
		return client_usage("access \"%s\" exists already; give the new one another --access NAME",
				    option_text(options, "access"));
	if (strncmp(text, ACCESS_PREFIX, strlen(ACCESS_PREFIX)) == 0)
		return import_access(options, text);
	if (grant_parse(text, &grant, &why) != ERR_OK)
		return client_usage("access import: not a grant: %s", why);
	return import_grant(options, &grant);
}

static int export(struct options *options)
{
	char *path = client_access_path(options), text[ACCESS_TEXT];
	struct access *access;
	const char *why = "";
	enum err err;

	if (path == NULL)
		return client_usage("--access: a name is made of letters, digits, '-' and '_'");
	err = access_load(path, &access, &why);
	if (err != ERR_OK) {
		fprintf(stderr, "granary: %s: %s\n", path, why[0] == '\0' ? err_text(err) : why);
	} else {
		access_print(access, text);
		printf(option_flag(options, "json") ? "{\"access\": \"%s\"}\n" : "%s\n", text);
		sodium_memzero(text, sizeof(text));
		access_free(access);
	}
	free(path);
	return err == ERR_OK ? 0 : 1;
}

/* The access in DIR/file, if it is one: a line, or an element of `list`. */
static void list_one(const char *dir, const char *file, json_t *list)
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);
	char *path, endpoint[ENDPOINT_TEXT];
	struct access *access;
	const char *why;

	if (len <= suffix || strcmp(file + len - suffix, SUFFIX) != 0)
		return;
	path = file_join(dir, file);
	if (access_load(path, &access, &why) == ERR_OK) {
		endpoint_print(&access->satellite, endpoint);
		if (list == NULL)
			printf("%.*s\t%s\n", (int)(len - suffix), file, endpoint);
		else
			json_array_append_new(
				list, json_pack("{s:s%, s:s}", "name", file, len - suffix, "satellite", endpoint));
		access_free(access);
	}
	free(path);
}

static int list(struct options *options)
{
	json_t *accesses = option_flag(options, "json") ? json_array() : NULL;
	DIR *dir = opendir(options_dir(options));
	struct dirent *entry;

	/* No directory is an empty list. */
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		list_one(options_dir(options), entry->d_name, accesses);
	if (dir != NULL)
		closedir(dir);
	if (accesses != NULL) {
		json_t *json = json_pack("{s:o}", "accesses", accesses);

		json_dumpf(json, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(json);
	}
	return 0;
}

int command_access(struct options *options)
{
	const char *verb = options_argument(options, 0);
	int count = options_argument_count(options);

	if (strcmp(verb, "import") == 0 && count == 2)
		return import(options, options_argument(options, 1));
	if (strcmp(verb, "export") == 0 && count == 1)
		return export(options);
	if (strcmp(verb, "list") == 0 && count == 1)
		return list(options);
	return client_usage("access: use import GRANT, export or list");
}
