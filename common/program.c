/*
 * main() of every program: find the command, read its flags, then the other sources, then run it.
 *
 * The command comes first and may be of two words (`access import`); flags follow in any place, read by
 * getopt_long(3) with tables made from the program's options for that command.
 */
#include <assert.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/nearest.h"
#include "common/options_private.h"

#define EXIT_USAGE 2
/* What getopt_long returns for option i is this plus i, beyond any letter. */
#define FIRST_CODE 1000

static int usage_error(const struct program *program, const char *why)
{
	fprintf(stderr, "%s: %s\n", program->name, why);
	return EXIT_USAGE;
}

/* The command that argv[1], or argv[1] and argv[2] together, name. *ret_words says how many. */
static const struct command *find_command(const struct program *program, int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < program->command_count; i++) {
		const struct command *command = &program->commands[i];
		const char *second = strchr(command->name, ' ');
		size_t first = second == NULL ? strlen(command->name) : (size_t)(second - command->name);

		if (strlen(argv[1]) != first || strncmp(command->name, argv[1], first) != 0)
			continue;
		if (second != NULL && (argc < 3 || strcmp(second + 1, argv[2]) != 0))
			continue;
		*ret_words = second == NULL ? 1 : 2;
		return command;
	}
	return NULL;
}

/* "stats, check" for the first word "store"; false when no command starts with it. */
static bool list_second_words(const struct program *program, const char *first, char *out, size_t room)
{
	size_t len = strlen(first), used = 0;

	for (size_t i = 0; i < program->command_count && used < room; i++) {
		const char *name = program->commands[i].name;

		if (strncmp(name, first, len) == 0 && name[len] == ' ')
			used += (size_t)snprintf(out + used, room - used, "%s%s", used > 0 ? ", " : "", name + len + 1);
	}
	return used > 0;
}

static void explain_command(const struct program *program, int argc, char **argv, char *why, size_t room)
{
	char two[NEAREST_MAX * 2 + 2], seconds[OPTION_WHY / 2];
	struct nearest one_word, two_words;
	const char *best;

	snprintf(two, sizeof(two), "%.*s %.*s", NEAREST_MAX, argv[1], NEAREST_MAX, argc > 2 ? argv[2] : "");
	nearest_init(&one_word, argv[1]);
	nearest_init(&two_words, two);
	for (size_t i = 0; i < program->command_count; i++) {
		const char *name = program->commands[i].name;

		nearest_offer(strchr(name, ' ') == NULL ? &one_word : &two_words, name);
	}
	best = one_word.best != NULL ? one_word.best : two_words.best;
	if (argv[1][0] == '-')
		snprintf(why, room, "the command comes before its options; see %s --help", program->name);
	else if (list_second_words(program, argv[1], seconds, sizeof(seconds)) && (argc == 2 || argv[2][0] == '-'))
		snprintf(why, room, "%.64s needs a second word, one of: %s", argv[1], seconds);
	else if (best != NULL)
		snprintf(why, room, "unknown command \"%.64s\"; did you mean \"%s\"?", argv[1], best);
	else
		snprintf(why, room, "unknown command \"%.64s\"; see %s --help", argv[1], program->name);
}

/* getopt's tables for one command. */
struct flag_tables {
	struct option *longs;
	char letters[130]; /* ":" then two for each of 62 letters and digits */
};

static void make_tables(const struct program *program, const struct command *command, struct flag_tables *tables)
{
	struct option *next = calloc(program->option_count + 2, sizeof(*next));
	char *letter = tables->letters;

	if (next == NULL)
		abort();
	tables->longs = next;
	*letter++ = ':'; /* tell a missing value from an unknown option */
	*letter++ = 'h';
	*next++ = (struct option){"help", no_argument, NULL, 'h'};
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option_spec *spec = &program->options[i];
		bool flag = spec->type == OPTION_FLAG;

		if (!command_takes(command, spec->name))
			continue;
		*next++ = (struct option){options_flag(spec), flag ? optional_argument : required_argument, NULL,
					  FIRST_CODE + (int)i};
		if (spec->letter != 0) {
			assert(letter < tables->letters + sizeof(tables->letters) - 2);
			*letter++ = spec->letter;
			if (!flag)
				*letter++ = ':';
		}
	}
	*letter = '\0';
}

static size_t index_of_code(const struct options *options, int code)
{
	const struct program *program = options->program;
	size_t i = 0;

	if (code >= FIRST_CODE)
		return (size_t)(code - FIRST_CODE);
	while (program->options[i].letter != code || !command_takes(options->command, program->options[i].name))
		i++;
	return i;
}

/* Why getopt refused the word that it has just read: a letter it knows by optopt, or the whole word. */
static void explain_unknown(const struct options *options, const char *word, char *why, size_t room)
{
	const struct program *program = options->program;
	struct nearest nearest;
	char name[NEAREST_MAX + 1];

	if (optopt > 0 && optopt < FIRST_CODE) {
		snprintf(why, room, "%s: unknown option -%c; see %s %s --help", options->command->name, optopt,
			 program->name, options->command->name);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	if (options_find(program, name) < program->option_count && !command_takes(options->command, name)) {
		snprintf(why, room, "%s: option --%s belongs to other commands", options->command->name, name);
		return;
	}
	nearest_init(&nearest, name);
	for (size_t i = 0; i < program->option_count; i++) {
		if (command_takes(options->command, program->options[i].name))
			nearest_offer(&nearest, options_flag(&program->options[i]));
	}
	if (nearest.best != NULL)
		snprintf(why, room, "%s: unknown option --%s; did you mean --%s?", options->command->name, name,
			 nearest.best);
	else
		snprintf(why, room, "%s: unknown option --%s; see %s %s --help", options->command->name, name,
			 program->name, options->command->name);
}

static enum err take_flag(struct options *options, int code, char *why, size_t room)
{
	size_t index = index_of_code(options, code);
	char what[NEAREST_MAX + 3];

	snprintf(what, sizeof(what), "--%s", options_flag(&options->program->options[index]));
	return options_add(options, options->layers[LAYER_FLAG], index, what, optarg == NULL ? "true" : optarg, why,
			   room);
}

/* Read the flags behind the command. Afterwards the arguments stand together at the end of argv. *ret_help is true
 * when --help was among them. */
static enum err read_flags(struct options *options, int argc, char **argv, bool *ret_help, char *why, size_t room)
{
	struct flag_tables tables;
	enum err err = ERR_OK;
	bool help = false;
	int code;

	make_tables(options->program, options->command, &tables);
	optind = 0; /* GNU: start afresh */
	opterr = 0;
	while (err == ERR_OK && (code = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
		if (code == 'h') {
			help = true;
			break;
		}
		if (code == ':') {
			snprintf(why, room, "%s: option %.64s needs a value", options->command->name, argv[optind - 1]);
			err = ERR_USAGE;
		} else if (code == '?') {
			explain_unknown(options, argv[optind - 1], why, room);
			err = ERR_USAGE;
		} else {
			err = take_flag(options, code, why, room);
		}
	}
	free(tables.longs);
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	*ret_help = help;
	return err;
}

static enum err check_arguments(const struct options *options, char *why, size_t room)
{
	const struct command *command = options->command;
	int count = options->argument_count;

	if (count >= command->min_arguments && (command->max_arguments < 0 || count <= command->max_arguments))
		return ERR_OK;
	snprintf(why, room, "%s: %s arguments; usage: %s %s%s%s", command->name,
		 count < command->min_arguments ? "missing" : "too many", options->program->name, command->name,
		 command->arguments[0] == '\0' ? "" : " ", command->arguments);
	return ERR_USAGE;
}

/* $XDG_DATA_HOME/granary/NAME, or below ~/.local/share (XDG base directory specification). NULL without a home. */
static char *default_dir(const struct program *program)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *dir;
	int made = -1;

	if (data != NULL && data[0] == '/')
		made = asprintf(&dir, "%s/granary/%s", data, program->default_dir);
	else if (home != NULL && home[0] == '/')
		made = asprintf(&dir, "%s/.local/share/granary/%s", home, program->default_dir);
	else
		return NULL;
	if (made < 0)
		abort();
	return dir;
}

/* Flag over environment over default; never the file, which stands in it. */
static enum err choose_dir(struct options *options, char *why, size_t room)
{
	const char *text = option_given(options, "dir") ? option_text(options, "dir") : getenv("GRANARY_DIR");
	char *cwd;

	if (text == NULL || text[0] == '\0')
		text = option_text(options, "dir");
	if (text == NULL) {
		options->dir = default_dir(options->program);
		if (options->dir != NULL)
			return ERR_OK;
		snprintf(why, room, "give --dir: neither HOME nor XDG_DATA_HOME is set");
		return ERR_USAGE;
	}
	if (text[0] == '/') {
		options->dir = strdup(text);
		if (options->dir == NULL)
			abort();
		return ERR_OK;
	}
	cwd = getcwd(NULL, 0);
	if (cwd == NULL) {
		snprintf(why, room, "--dir: the working directory is gone; give an absolute path");
		return ERR_USAGE;
	}
	options->dir = file_join(cwd, text);
	free(cwd);
	return ERR_OK;
}

static int run_command(const struct program *program, const struct command *command, int argc, char **argv)
{
	struct options *options = options_new(program, command);
	char why[2 * OPTION_WHY] = "";
	bool help = false;
	int status = EXIT_SUCCESS;
	enum err err = read_flags(options, argc, argv, &help, why, sizeof(why));

	if (err == ERR_OK && !help)
		err = check_arguments(options, why, sizeof(why));
	if (err == ERR_OK && !help && command_takes(command, "dir"))
		err = choose_dir(options, why, sizeof(why));
	if (err == ERR_OK && !help)
		err = options_read_sources(options, why, sizeof(why));
	if (err != ERR_OK)
		status = usage_error(program, why);
	else if (help)
		program_print_help(program, command, stdout);
	else
		status = command->run(options);
	options_free(options);
	return status;
}

static bool print_about(const struct program *program, const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		program_print_help(program, NULL, stdout);
	else if (strcmp(word, "--version") == 0)
		printf("%s %s\n", program->name, GRANARY_VERSION);
	else if (strcmp(word, "--help-man") == 0)
		program_print_man(program, stdout);
	else if (strcmp(word, "--help-completion") == 0)
		program_print_completion(program, stdout);
	else
		return false;
	return true;
}

/* A closed standard descriptor would be given to the next socket or file, and what is meant for the user would go
 * there. Reading and writing these fails instead, as on a closed one. */
static void hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		int held;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		held = open("/", O_PATH | O_CLOEXEC); /* the lowest free one: fd itself */
		if (held != fd)
			abort();
	}
}

int program_main(const struct program *program, int argc, char **argv)
{
	const struct command *command;
	char why[OPTION_WHY];
	int words, status;

	hold_standard_descriptors();
	if (argc < 2) {
		program_print_help(program, NULL, stderr);
		return EXIT_USAGE;
	}
	if (print_about(program, argv[1])) {
		status = EXIT_SUCCESS;
	} else {
		command = find_command(program, argc, argv, &words);
		if (command == NULL) {
			explain_command(program, argc, argv, why, sizeof(why));
			return usage_error(program, why);
		}
		/* The last word of the command stands where getopt expects the program's name. */
		status = run_command(program, command, argc - words, argv + words);
	}
	if (fflush(stdout) != 0 && status == EXIT_SUCCESS) {
		fprintf(stderr, "%s: cannot write the output\n", program->name);
		status = EXIT_FAILURE;
	}
	return status;
}
