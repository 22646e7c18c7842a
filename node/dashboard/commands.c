/* The commands, over node/dashboard/login.h. */
#include "node/dashboard/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/file.h"
#include "node/book_access.h"
#include "node/dashboard/login.h"
#include "node/settings.h"

static int fail(const char *what, enum err err)
{
	fprintf(stderr, "granary-node: %s: %s\n", what, err_text(err));
	return 1;
}

/* The logins of --dir, which must be a node's. Root works as whoever owns it: a file of root's own the daemon could not
 * read. NULL, and it was said why. */
static struct login *open_logins(const struct options *options)
{
	const char *dir = options_dir(options);
	char *key = file_join(dir, "key");
	struct stat owner;
	bool good = file_exists(key) && stat(dir, &owner) == 0;

	free(key);
	if (!good) {
		fprintf(stderr, "granary-node: %s is no node's directory\n", dir);
		return NULL;
	}
	if (geteuid() == 0 && owner.st_uid != 0 && (setegid(owner.st_gid) != 0 || seteuid(owner.st_uid) != 0)) {
		fprintf(stderr, "granary-node: cannot work as the owner of %s\n", dir);
		return NULL;
	}
	return login_new(dir);
}

/* A browser on this host finds it there. */
static void print_place(const struct options *options, char out[HOSTPORT_TEXT])
{
	struct hostport at = *option_hostport(options, "http");

	if (strcmp(at.host, "0.0.0.0") == 0 || strcmp(at.host, "::") == 0)
		snprintf(at.host, sizeof(at.host), "localhost");
	hostport_print(&at, out);
}

/* Times in the file are the daemon's, which heeds the clock of a test network. */
static void heed_test_clock(const struct options *options)
{
	char why[SETTINGS_MESSAGE];
	struct trust *trust = NULL;

	if (settings_open_trust(options, &trust, why) == ERR_OK && trust_is_test(trust))
		clock_allow_offset();
	trust_free(trust);
}

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

int dashboard_code(struct options *options)
{
	bool pair = option_flag(options, "pair");
	struct login *login = open_logins(options);
	char code[LOGIN_CODE_TEXT], at[HOSTPORT_TEXT];
	enum err err;

	if (login == NULL)
		return 1;
	heed_test_clock(options);
	err = login_make_code(login, pair ? LOGIN_TO_PAIR : LOGIN_TO_ENTER, clock_wall(), code);
	login_free(login);
	if (err != ERR_OK)
		return fail("no code could be made", err);
	print_place(options, at);
	if (option_flag(options, "json"))
		print_json(json_pack("{s:s, s:s, s:i}", "code", code, "http", at, "seconds", LOGIN_CODE_SECONDS));
	else if (pair)
		printf("%s\n\nEnter it within a quarter of an hour on the other node's page, with %s.\n", code, at);
	else
		printf("%s\n\nGood once, for a quarter of an hour: http://%s/login?code=%s\n", code, at, code);
	return 0;
}

/* A line from the terminal, unseen, or from a pipe. False at the end of input, or when it is too long. */
static bool read_secret(const char *prompt, char *out, size_t room)
{
	struct termios shown, hidden;
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
	bool got;

	if (terminal) {
		fputs(prompt, stderr);
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	got = fgets(out, (int)room, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (!got)
		return false;
	got = strchr(out, '\n') != NULL || strlen(out) < room - 1;
	out[strcspn(out, "\r\n")] = '\0';
	return got;
}

int dashboard_password(struct options *options)
{
	struct login *login = open_logins(options);
	bool drop = option_flag(options, "remove");
	char password[LOGIN_PASSWORD_MOST + 2] = "";
	enum err err = ERR_RANGE;

	if (login == NULL)
		return 1;
	if (drop || read_secret("New password for the dashboard: ", password, sizeof(password)))
		err = login_set_password(login, drop ? NULL : password);
	sodium_memzero(password, sizeof(password));
	login_free(login);
	if (err == ERR_RANGE)
		fprintf(stderr, "granary-node: a password has %d to %d characters\n", LOGIN_PASSWORD_LEAST,
			LOGIN_PASSWORD_MOST);
	if (err != ERR_OK)
		return err == ERR_RANGE ? 1 : fail("the password could not be set", err);
	puts(drop ? "There is no password any more: log in with a code."
		  : "The password is set; all sessions are over.");
	return 0;
}

int dashboard_token(struct options *options)
{
	struct login *login = open_logins(options);
	const char *name = options_argument(options, 0);
	char token[LOGIN_TOKEN_TEXT];
	enum err err;

	if (login == NULL)
		return 1;
	heed_test_clock(options);
	err = login_make_token(login, name, clock_wall(), token);
	login_free(login);
	if (err == ERR_EXISTS)
		fprintf(stderr, "granary-node: there is a token of that name already\n");
	else if (err == ERR_RANGE)
		fprintf(stderr, "granary-node: a name is text of 1 to %d bytes\n", LOGIN_NAME_MOST);
	else if (err != ERR_OK)
		return fail("no token could be made", err);
	if (err != ERR_OK)
		return 1;
	if (option_flag(options, "json"))
		print_json(json_pack("{s:s, s:s}", "name", name, "token", token));
	else
		printf("%s\n", token);
	sodium_memzero(token, sizeof(token));
	return 0;
}

int dashboard_forget(struct options *options)
{
	struct login *login = open_logins(options);
	bool token = options_argument_count(options) > 0;
	enum err err;

	if (login == NULL)
		return 1;
	err = token ? login_drop_token(login, options_argument(options, 0)) : login_drop_sessions(login);
	login_free(login);
	if (err == ERR_NOT_FOUND) {
		fprintf(stderr, "granary-node: there is no token of that name\n");
		return 1;
	}
	if (err != ERR_OK)
		return fail("nothing was forgotten", err);
	puts(token ? "That token opens nothing any more." : "All browsers are logged out.");
	return 0;
}

int dashboard_logins(struct options *options)
{
	struct login *login = open_logins(options);
	const json_t *token;
	json_t *facts;
	size_t i;

	if (login == NULL)
		return 1;
	heed_test_clock(options);
	facts = login_facts(login, clock_wall());
	login_free(login);
	if (facts == NULL) {
		fprintf(stderr, "granary-node: %s/" LOGIN_FILE " cannot be read\n", options_dir(options));
		return 1;
	}
	if (option_flag(options, "json")) {
		print_json(facts);
		return 0;
	}
	printf("password  %s\nbrowsers  %lld logged in\n",
	       json_is_true(json_object_get(facts, "password")) ? "set" : "none: log in with a code",
	       (long long)json_integer_value(json_object_get(facts, "sessions")));
	json_array_foreach(json_object_get(facts, "tokens"), i, token) {
		char made[32];

		clock_format((uint64_t)json_integer_value(json_object_get(token, "made")), made, sizeof(made));
		printf("token     %s, of %s\n", json_string_value(json_object_get(token, "name")), made);
	}
	json_decref(facts);
	return 0;
}
