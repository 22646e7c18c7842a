/*
 * A whole program's command line, run through program_main: precedence of sources, every refusal with its sentence,
 * what is saved and read again, and what it says about itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/options.h"

static const struct option_spec option_table[] = {
	{.name = "dir", .letter = 'd', .type = OPTION_PATH, .value = "DIR", .help = "Where all is kept."},
	{.name = "listen",
	 .letter = 'l',
	 .type = OPTION_HOSTPORT,
	 .value = "HOST:PORT",
	 .fallback = "127.0.0.1:7887",
	 .help = "Where to listen."},
	{.name = "workers",
	 .letter = 'w',
	 .type = OPTION_INT,
	 .min = 1,
	 .max = 64,
	 .value = "N",
	 .fallback = "2",
	 .help = "How many threads."},
	{.name = "satellite", .type = OPTION_TEXT, .value = "NAME", .help = "Whom to trust.", .repeated = true},
	{.name = "log-level",
	 .type = OPTION_CHOICE,
	 .choices = "error|warn|info|debug",
	 .fallback = "info",
	 .value = "LEVEL",
	 .help = "How much to say."},
	{.name = "json", .letter = 'j', .type = OPTION_FLAG, .help = "Print JSON.", .command_only = true},
	{.name = "quiet", .type = OPTION_FLAG, .help = "Say less."},
	{.name = "cache", .type = OPTION_PATH, .value = "PATH", .help = "Where to cache."},
	{.name = "import-cache",
	 .flag = "cache",
	 .type = OPTION_INT,
	 .max = 9,
	 .value = "N",
	 .help = "How many grants to cache.",
	 .command_only = true},
};

/* What the command that ran saw. */
static struct {
	int runs;
	char dir[256], listen[64], satellites[64], argument[64], workers_source[16];
	uint64_t workers;
	size_t satellite_count;
	int argument_count;
	bool json, quiet;
	enum err saved;
	/* A reload in the midst: the file is replaced by this text first. */
	const char *reload_text;
	enum err reload;
	char reload_why[256];
	uint64_t workers_after;
} seen;

static void reload(struct options *options)
{
	char *path = file_join(options_dir(options), "config.ini");

	assert_int_equal(file_replace(path, bytes_of_text(seen.reload_text), 0600), ERR_OK);
	seen.reload = options_reload(options, seen.reload_why, sizeof(seen.reload_why));
	seen.workers_after = option_int(options, "workers");
	free(path);
}

static int run(struct options *options)
{
	seen.runs++;
	snprintf(seen.dir, sizeof(seen.dir), "%s", options_dir(options));
	snprintf(seen.listen, sizeof(seen.listen), "%s", option_text(options, "listen"));
	assert_non_null(option_hostport(options, "listen"));
	seen.workers = option_int(options, "workers");
	snprintf(seen.workers_source, sizeof(seen.workers_source), "%s", option_source(options, "workers"));
	seen.satellite_count = option_count(options, "satellite");
	seen.satellites[0] = '\0';
	for (size_t i = 0; i < seen.satellite_count; i++) {
		size_t len = strlen(seen.satellites);

		snprintf(seen.satellites + len, sizeof(seen.satellites) - len, "%s%s", i == 0 ? "" : ",",
			 option_text_at(options, "satellite", i));
	}
	assert_null(option_text_at(options, "satellite", seen.satellite_count));
	seen.json = option_flag(options, "json");
	seen.quiet = option_flag(options, "quiet");
	seen.argument_count = options_argument_count(options);
	if (seen.argument_count > 0)
		snprintf(seen.argument, sizeof(seen.argument), "%s", options_argument(options, 0));
	if (seen.reload_text != NULL)
		reload(options);
	return 0;
}

static int run_init(struct options *options)
{
	assert_string_equal(options_command(options)->name, "init");
	seen.saved = options_save(options, "listen workers satellite cache log-level");
	return seen.saved == ERR_OK ? 0 : 1;
}

static int run_change(struct options *options)
{
	seen.saved = options_change_file(options, options_argument(options, 0), options_argument(options, 1));
	return seen.saved == ERR_OK ? 0 : 1;
}

static int run_drop(struct options *options)
{
	seen.saved = options_drop_from_file(options, options_argument(options, 0), options_argument(options, 1));
	return seen.saved == ERR_OK ? 0 : 1;
}

static int run_import(struct options *options)
{
	seen.runs++;
	snprintf(seen.argument, sizeof(seen.argument), "%s", options_argument(options, 0));
	assert_null(options_dir(options));
	seen.workers = option_int(options, "import-cache");
	return 0;
}

static const struct command commands[] = {
	{"run", "[FILE…]", "Do the work.", "As long as it takes.", "dir listen workers satellite log-level json quiet",
	 0, 2, run},
	{"init", "", "Make the directory.", NULL, "dir listen workers satellite cache", 0, 0, run_init},
	{"access import", "GRANT", "Take a grant.", NULL, "json import-cache", 1, 1, run_import},
	{"change", "NAME TEXT", "Change the file.", NULL, "dir", 2, 2, run_change},
	{"drop", "NAME TEXT", "Take out of the file.", NULL, "dir", 2, 2, run_drop},
	{"access export", "", "Give it away.", NULL, "json", 0, 0, run_import},
};

static const struct program program = {
	.name = "granary-test",
	.help = "A program for tests.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
	.commands = commands,
	.command_count = sizeof(commands) / sizeof(commands[0]),
	.default_dir = "test",
};

struct fixture {
	char dir[64];
	char *config;
	char output[8192]; /* stdout and stderr of the last call */
};

/* Run the command line in `words`, separated by spaces; "DIR" stands for the fixture's directory. */
static int call(struct fixture *f, const char *words)
{
	char line[1024], *argv[32], *at = line, *path = file_join(f->dir, "output"), *text;
	int argc = 0, status, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	size_t len;

	memset(&seen.runs, 0, sizeof(seen.runs));
	snprintf(line, sizeof(line), "granary-test %s", words);
	for (char *word = strsep(&at, " "); word != NULL; word = strsep(&at, " ")) {
		if (word[0] != '\0')
			argv[argc++] = strcmp(word, "DIR") == 0 ? f->dir : word;
	}
	argv[argc] = NULL;
	fflush(stdout);
	assert_non_null(freopen(path, "w", stdout));
	dup2(STDOUT_FILENO, STDERR_FILENO);
	status = program_main(&program, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	assert_int_equal(file_read(path, sizeof(f->output) - 1, &text, &len), ERR_OK);
	memcpy(f->output, text, len + 1);
	free(text);
	unlink(path);
	free(path);
	return status;
}

static void expect_usage(struct fixture *f, const char *words, const char *sentence)
{
	char expected[1024];

	snprintf(expected, sizeof(expected), "granary-test: %s\n", sentence);
	assert_int_equal(call(f, words), 2);
	assert_string_equal(f->output, expected);
	assert_int_equal(seen.runs, 0);
}

static void write_config(struct fixture *f, const char *text)
{
	assert_int_equal(file_replace(f->config, bytes_of_text(text), 0600), ERR_OK);
}

static void expect_config_refused(struct fixture *f, const char *text, const char *sentence)
{
	char expected[1024];

	write_config(f, text);
	snprintf(expected, sizeof(expected), "%s%s", f->config, sentence);
	expect_usage(f, "run --dir DIR", expected);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strncpy(f->dir, "/tmp/granary-test-XXXXXX", sizeof(f->dir) - 1);
	assert_non_null(mkdtemp(f->dir));
	f->config = file_join(f->dir, "config.ini");
	memset(&seen, 0, sizeof(seen));
	unsetenv("GRANARY_DIR");
	unsetenv("GRANARY_WORKERS");
	unsetenv("GRANARY_SATELLITE");
	unsetenv("GRANARY_JSON");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->config);
	assert_int_equal(rmdir(f->dir), 0);
	free(f->config);
	free(f);
	return 0;
}

static void test_defaults(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_int_equal(seen.runs, 1);
	assert_string_equal(seen.dir, f->dir);
	assert_string_equal(seen.listen, "127.0.0.1:7887");
	assert_true(seen.workers == 2);
	assert_string_equal(seen.workers_source, "default");
	assert_false(seen.json);
	assert_int_equal(seen.satellite_count, 0);
}

static void test_precedence(void **state)
{
	struct fixture *f = *state;

	write_config(f, "# a comment\nworkers = 3\nsatellite = one\nsatellite = two\nquiet = true\n");
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_true(seen.workers == 3 && seen.quiet);
	assert_string_equal(seen.workers_source, "file");
	assert_string_equal(seen.satellites, "one,two");

	setenv("GRANARY_WORKERS", "4", 1);
	setenv("GRANARY_SATELLITE", "three  four five", 1);
	setenv("GRANARY_JSON", "true", 1); /* of the command line only */
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_true(seen.workers == 4 && !seen.json);
	assert_string_equal(seen.workers_source, "environment");
	assert_string_equal(seen.satellites, "three,four,five");

	assert_int_equal(call(f, "run --workers=5 --dir DIR a -j --satellite six --quiet=false b"), 0);
	assert_true(seen.workers == 5 && seen.json && !seen.quiet);
	assert_string_equal(seen.workers_source, "flag");
	assert_string_equal(seen.satellites, "six");
	assert_int_equal(seen.argument_count, 2);
	assert_string_equal(seen.argument, "a");

	assert_int_equal(call(f, "run -jw6 -d DIR -- --odd"), 0);
	assert_true(seen.workers == 6);
	assert_string_equal(seen.argument, "--odd");
	assert_int_equal(call(f, "run -d DIR -"), 0);
	assert_string_equal(seen.argument, "-");
}

static void test_dir(void **state)
{
	struct fixture *f = *state;
	char expected[300], cwd[200];

	setenv("GRANARY_DIR", f->dir, 1);
	assert_int_equal(call(f, "run"), 0);
	assert_string_equal(seen.dir, f->dir);
	unsetenv("GRANARY_DIR");
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/no/such", cwd);
	assert_int_equal(call(f, "run --dir no/such"), 0);
	assert_string_equal(seen.dir, expected);
	setenv("XDG_DATA_HOME", "/nowhere", 1);
	assert_int_equal(call(f, "run"), 0);
	assert_string_equal(seen.dir, "/nowhere/granary/test");
	setenv("XDG_DATA_HOME", "relative", 1); /* to be ignored, says the specification */
	setenv("HOME", "/nohome", 1);
	assert_int_equal(call(f, "run"), 0);
	assert_string_equal(seen.dir, "/nohome/.local/share/granary/test");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	expect_usage(f, "run", "give --dir: neither HOME nor XDG_DATA_HOME is set");
}

static void test_commands(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(call(f, "access import abc --json"), 0);
	assert_string_equal(seen.argument, "abc");
	expect_usage(f, "rnu", "unknown command \"rnu\"; did you mean \"run\"?");
	expect_usage(f, "access imprt x", "unknown command \"access\"; did you mean \"access import\"?");
	expect_usage(f, "access", "access needs a second word, one of: import, export");
	expect_usage(f, "access --help", "access needs a second word, one of: import, export");
	expect_usage(f, "harvest", "unknown command \"harvest\"; see granary-test --help");
	expect_usage(f, "--dir DIR run", "the command comes before its options; see granary-test --help");
	expect_usage(f, "access import", "access import: missing arguments; usage: granary-test access import GRANT");
	expect_usage(f, "run a b c", "run: too many arguments; usage: granary-test run [FILE…]");
	assert_int_equal(call(f, ""), 2);
	assert_non_null(strstr(f->output, "Usage: granary-test COMMAND"));
}

static void test_flag_refusals(void **state)
{
	struct fixture *f = *state;

	expect_usage(f, "run --wrokers 3", "run: unknown option --wrokers; did you mean --workers?");
	expect_usage(f, "run --volume=3", "run: unknown option --volume; see granary-test run --help");
	expect_usage(f, "run -x", "run: unknown option -x; see granary-test run --help");
	expect_usage(f, "run --cache x", "run: option --cache belongs to other commands");
	expect_usage(f, "run --workers", "run: option --workers needs a value");
	expect_usage(f, "run --workers 65", "--workers: \"65\" is too large; it may be at most 64");
	expect_usage(f, "run --workers 1 -w 2", "--workers is given twice");
	expect_usage(f, "run --json=maybe", "--json: \"maybe\" is neither true nor false");
	setenv("GRANARY_WORKERS", "none", 1);
	expect_usage(f, "run --dir DIR", "GRANARY_WORKERS: \"none\" is not a whole number");
}

static void test_file_refusals(void **state)
{
	struct fixture *f = *state;
	char text[400];

	expect_config_refused(f, "\nwrokers = 3\n", ":2: unknown option \"wrokers\"; did you mean \"workers\"?");
	expect_config_refused(f, "nonsense = 3\n", ":1: unknown option \"nonsense\"");
	expect_config_refused(f, "workers = 0\nlisten = x\n", ":1: workers: \"0\" is too small; it must be at least 1");
	expect_config_refused(f, "workers = 1\nworkers = 2\n", ":2: workers is given twice");
	expect_config_refused(f, "json = true\n", ":1: json belongs on the command line, not in this file");
	expect_config_refused(f, "dir = /x\n", ":1: dir belongs on the command line, not in this file");
	expect_config_refused(f, "[main]\nworkers = 1\n", ":2: [main]: there are no sections in this file");
	expect_config_refused(f, "workers = 3\nwhat is this\n", ":2: neither `name = value` nor a comment");
	memset(text, '#', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	expect_config_refused(f, text, ":1: the line is longer than 197 characters, or holds a NUL");
	assert_int_equal(file_replace(f->config, bytes_of("quiet = true\0\n", 14), 0600), ERR_OK);
	assert_int_equal(call(f, "run --dir DIR"), 2);
	unlink(f->config);
	assert_int_equal(mkdir(f->config, 0700), 0);
	assert_int_equal(call(f, "run --dir DIR"), 2);
	assert_int_equal(rmdir(f->config), 0);
}

static void test_save(void **state)
{
	struct fixture *f = *state;
	char *text, cwd[200], expected[300];
	size_t len;

	setenv("GRANARY_WORKERS", "7", 1);
	assert_int_equal(call(f, "init --dir DIR --listen [::1]:99 --satellite a --satellite b --cache c/d"), 0);
	assert_int_equal(file_read(f->config, 4096, &text, &len), ERR_OK);
	assert_non_null(strstr(text, "\n# Where to listen.\nlisten = [::1]:99\n"));
	assert_non_null(strstr(text, "\nworkers = 7\n"));
	assert_non_null(strstr(text, "\nsatellite = a\nsatellite = b\n"));
	assert_null(strstr(text, "log-level"));
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "\ncache = %s/c/d\n", cwd);
	assert_non_null(strstr(text, expected));
	free(text);
	unsetenv("GRANARY_WORKERS");
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_true(seen.workers == 7);
	assert_string_equal(seen.listen, "[::1]:99");
	assert_string_equal(seen.satellites, "a,b");
	assert_int_equal(call(f, "init --dir DIR"), 1);
	assert_int_equal(seen.saved, ERR_EXISTS);
}

/* A value that the file would not give back is refused, not changed. */
static void test_save_refuses(void **state)
{
	struct fixture *f = *state;
	char words[400];

	setenv("GRANARY_DIR", f->dir, 1);
	assert_int_equal(call(f, "init --satellite ;x"), 1);
	assert_int_equal(seen.saved, ERR_FORMAT);
	snprintf(words, sizeof(words), "init --satellite %0*d", 200, 0);
	assert_int_equal(call(f, words), 1);
	assert_int_equal(seen.saved, ERR_FORMAT);
	assert_false(file_exists(f->config));
}

static void expect_change(struct fixture *f, const char *before, const char *words, const char *after)
{
	char *text;
	size_t len;

	write_config(f, before);
	assert_int_equal(call(f, words), 0);
	assert_int_equal(file_read(f->config, 1000, &text, &len), ERR_OK);
	assert_string_equal(text, after);
	free(text);
}

static void test_drop(void **state)
{
	struct fixture *f = *state;

	expect_change(f, "satellite = a\n# mine\n  satellite :  b \nworkers = 3\nsatellite = bb",
		      "drop --dir DIR satellite b", "satellite = a\n# mine\nworkers = 3\nsatellite = bb\n");
	assert_int_equal(call(f, "drop --dir DIR satellite b"), 1);
	assert_int_equal(seen.saved, ERR_NOT_FOUND);
	expect_change(f, "satellite = a;b\nsatellite = a ; the first one\nsatellite = b\n",
		      "drop --dir DIR satellite a", "satellite = a;b\nsatellite = b\n");
	unlink(f->config);
	assert_int_equal(call(f, "drop --dir DIR satellite a"), 1);
	assert_int_equal(seen.saved, ERR_NOT_FOUND);
}

static void test_change(void **state)
{
	struct fixture *f = *state;

	expect_change(f, "", "change --dir DIR workers 7", "workers = 7\n");
	expect_change(f, "# mine\nworkers=3\n\nquiet = true", "change --dir DIR workers 7",
		      "# mine\nworkers = 7\n\nquiet = true\n");
	expect_change(f, "# workers = 1\nlisten = a:1\n", "change --dir DIR workers 7",
		      "# workers = 1\nlisten = a:1\nworkers = 7\n");
	expect_change(f, "satellite = a\nworkers : 3\nsatellite = b\n", "change --dir DIR satellite c",
		      "satellite = c\nworkers : 3\n");
	unlink(f->config);
	assert_int_equal(call(f, "change --dir DIR workers 7"), 0);
	assert_true(file_exists(f->config));
	/* What would not be read back leaves the file as it is. */
	write_config(f, "workers = 3\n");
	assert_int_equal(call(f, "change --dir DIR workers 65"), 1);
	assert_int_equal(call(f, "change --dir DIR satellite ;x"), 1);
	assert_int_equal(call(f, "change --dir DIR json true"), 1);
	assert_int_equal(seen.saved, ERR_FORMAT);
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_true(seen.workers == 3 && seen.satellite_count == 0);
}

/* Two options that look alike, of different commands. */
static void test_flag_alike(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(call(f, "access import --cache 7 grant"), 0);
	assert_true(seen.workers == 7);
	expect_usage(f, "access import --cache 10 grant", "--cache: \"10\" is too large; it may be at most 9");
	assert_int_equal(call(f, "init --dir DIR --cache 10"), 0);
	assert_int_equal(call(f, "access import --help"), 0);
	assert_non_null(strstr(f->output, "--cache N"));
	assert_int_equal(call(f, "--help-completion"), 0);
	assert_non_null(strstr(f->output, "\"access import\") words=\"--help --json --cache\""));
	assert_int_equal(call(f, "--help-man"), 0);
	assert_non_null(strstr(f->output, ".It Fl \\-cache Ar \"N\"\n"));
	assert_null(strstr(f->output, "import\\-cache"));
}

static void test_reload(void **state)
{
	struct fixture *f = *state;

	write_config(f, "workers = 3\n");
	seen.reload_text = "workers = 9\n";
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_true(seen.workers == 3 && seen.workers_after == 9);
	assert_int_equal(seen.reload, ERR_OK);
	seen.reload_text = "workers = 99\n";
	assert_int_equal(call(f, "run --dir DIR"), 0);
	assert_int_equal(seen.reload, ERR_RANGE);
	assert_true(seen.workers == 9 && seen.workers_after == 9);
	assert_non_null(strstr(seen.reload_why, "config.ini:1: workers: \"99\" is too large"));
}

static void test_about(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(call(f, "--version"), 0);
	assert_string_equal(f->output, "granary-test " GRANARY_VERSION "\n");
	assert_int_equal(call(f, "--help"), 0);
	assert_non_null(strstr(f->output, "  access import GRANT"));
	assert_int_equal(call(f, "run --help --nonsense"), 0);
	assert_int_equal(seen.runs, 0);
	assert_non_null(strstr(f->output, "Usage: granary-test run [OPTION…] [FILE…]\nDo the work.\n"));
	assert_non_null(strstr(f->output, "  -l, --listen HOST:PORT         Where to listen. [127.0.0.1:7887]\n"));
	assert_non_null(strstr(f->output, "One of error|warn|info|debug."));
	assert_null(strstr(f->output, "--cache"));
	assert_int_equal(call(f, "--help-man"), 0);
	assert_non_null(strstr(f->output, ".It Fl l , Fl \\-listen Ar \"HOST:PORT\"\n"));
	assert_non_null(strstr(f->output, ".It Cm access import Ar \"GRANT\"\n"));
	assert_int_equal(call(f, "--help-completion"), 0);
	assert_non_null(strstr(f->output, "\"access export\") words=\"--help --json\""));
	assert_non_null(strstr(f->output, "\"access\") words=\"import export \""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_precedence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dir, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_commands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flag_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_save, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_save_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_flag_alike, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_about, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
