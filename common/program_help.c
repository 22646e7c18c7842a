/* What a program says about itself, made from its tables: --help, the man page's lists, bash completion. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "common/options_private.h"

static const char *value_name(const struct option_spec *spec)
{
	if (spec->type == OPTION_FLAG)
		return NULL;
	return spec->value != NULL ? spec->value : "VALUE";
}

/* Columns of an option's explanation, and of the page. */
#define HELP_COLUMN 33
#define HELP_WIDTH 100
/* mandoc(1) likes its input lines at most 80 wide; escapes add some. */
#define ROFF_WIDTH 70

/* Letters shown: UTF-8's continuation bytes take no room. */
static size_t columns_of(struct bytes text)
{
	size_t columns = 0;

	for (size_t i = 0; i < text.len; i++)
		columns += (text.data[i] & 0xc0) != 0x80;
	return columns;
}

/* Two columns: `left`, then `right` broken at spaces and lined up. */
static void print_columns(const char *left, const char *right, FILE *to)
{
	size_t column = 2 + columns_of(bytes_of_text(left));
	struct bytes word;

	fprintf(to, "  %s", left);
	while (option_next_word(&right, ' ', &word)) {
		size_t width = columns_of(word);

		if (column >= HELP_COLUMN && column + 1 + width > HELP_WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		do {
			fputc(' ', to);
			column++;
		} while (column < HELP_COLUMN);
		fprintf(to, "%.*s", (int)word.len, (const char *)word.data);
		column += width;
	}
	fputc('\n', to);
}

/* Words, broken at spaces; a line break in the text starts a paragraph. */
static void print_paragraphs(const char *text, FILE *to)
{
	size_t column = 0;
	struct bytes line, word;

	while (option_next_word(&text, '\n', &line)) {
		char *copy = memory_copy(line.data, line.len);
		const char *at = copy;

		fputc('\n', to);
		for (column = 0; option_next_word(&at, ' ', &word); column += columns_of(word)) {
			if (column > 0 && column + 1 + columns_of(word) > HELP_WIDTH) {
				fputc('\n', to);
				column = 0;
			}
			if (column > 0) {
				fputc(' ', to);
				column++;
			}
			fprintf(to, "%.*s", (int)word.len, (const char *)word.data);
		}
		fputc('\n', to);
		free(copy);
	}
}

/* Nobody needs to be told that a flag is off. */
static bool shows_default(const struct option_spec *spec)
{
	return spec->fallback != NULL && spec->type != OPTION_FLAG;
}

static void print_option(const struct option_spec *spec, FILE *to)
{
	char left[96], right[512], letter[8] = "    ";
	const char *value = value_name(spec);

	if (spec->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", spec->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, options_flag(spec), value == NULL ? "" : " ",
		 value == NULL ? "" : value);
	snprintf(right, sizeof(right), "%s%s%s%s%s%s%s%s", spec->help, spec->type == OPTION_CHOICE ? " One of " : "",
		 spec->type == OPTION_CHOICE ? spec->choices : "", spec->type == OPTION_CHOICE ? "." : "",
		 spec->repeated ? " May be given several times." : "", shows_default(spec) ? " [" : "",
		 shows_default(spec) ? spec->fallback : "", shows_default(spec) ? "]" : "");
	print_columns(left, right, to);
}

static void print_options(const struct program *program, const struct command *command, FILE *to)
{
	for (size_t i = 0; i < program->option_count; i++) {
		if (command_takes(command, program->options[i].name))
			print_option(&program->options[i], to);
	}
}

static void print_command_help(const struct program *program, const struct command *command, FILE *to)
{
	fprintf(to, "Usage: %s %s%s%s%s\n%s\n", program->name, command->name,
		command->options[0] == '\0' ? "" : " [OPTION…]", command->arguments[0] == '\0' ? "" : " ",
		command->arguments, command->help);
	if (command->details != NULL)
		print_paragraphs(command->details, to);
	fputs("\nOptions:\n", to);
	print_options(program, command, to);
	print_columns("-h, --help", "Say this and exit.", to);
	if (command_takes(command, "dir"))
		fputs("\nOptions may also stand in DIR/config.ini or in the environment as GRANARY_NAME; "
		      "a flag overrides both.\n",
		      to);
}

void program_print_help(const struct program *program, const struct command *command, FILE *to)
{
	if (command != NULL) {
		print_command_help(program, command, to);
		return;
	}
	fprintf(to, "Usage: %s COMMAND [OPTION…] [ARGUMENT…]\n%s\n\nCommands:\n", program->name, program->help);
	for (size_t i = 0; i < program->command_count; i++) {
		char left[96];

		snprintf(left, sizeof(left), "%s %s", program->commands[i].name, program->commands[i].arguments);
		print_columns(left, program->commands[i].help, to);
	}
	fprintf(to,
		"\n%s COMMAND --help tells the options of a command; --version says which version this is.\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage.\n",
		program->name);
}

/* A word for mdoc(7): what roff would take for an escape, a request or a hyphen is escaped, … made ASCII. */
static void print_roff_word(struct bytes word, bool at_start, FILE *to)
{
	if (at_start && word.len > 0 && (word.data[0] == '.' || word.data[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '\\') {
			fputs("\\e", to);
		} else if (word.data[i] == '-') {
			fputs("\\-", to);
		} else if (word.len - i >= 3 && memcmp(word.data + i, "…", 3) == 0) {
			fputs("...", to);
			i += 2;
		} else {
			fputc(word.data[i], to);
		}
	}
}

/* Text for mdoc(7): a sentence begins a line, as its formatters want it, and lines are short. */
static void print_roff(const char *text, FILE *to)
{
	size_t column = 0;
	struct bytes word;

	while (option_next_word(&text, ' ', &word)) {
		bool sentence_ends = word.data[word.len - 1] == '.';

		if (column > 0 && column + 1 + word.len > ROFF_WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		if (column > 0)
			fputc(' ', to);
		print_roff_word(word, column == 0, to);
		column = sentence_ends ? 0 : column + 1 + word.len;
		if (sentence_ends && *text != '\0')
			fputc('\n', to);
	}
	fputc('\n', to);
}

/* As one argument of a macro: quoted, so that no word of it is taken for another macro. */
static void print_macro_argument(const char *text, FILE *to)
{
	fputs(" \"", to);
	print_roff_word(bytes_of_text(text), false, to);
	fputc('"', to);
}

static void print_roff_paragraphs(const char *text, FILE *to)
{
	struct bytes line;

	while (option_next_word(&text, '\n', &line)) {
		char *copy = memory_copy(line.data, line.len);

		fputs(".Pp\n", to);
		print_roff(copy, to);
		free(copy);
	}
}

static void print_man_command(const struct program *program, const struct command *command, FILE *to)
{
	struct bytes word;
	const char *names = command->options;

	fprintf(to, ".It Cm %s", command->name);
	if (command->arguments[0] != '\0') {
		fputs(" Ar", to);
		print_macro_argument(command->arguments, to);
	}
	fputc('\n', to);
	print_roff(command->help, to);
	if (command->details != NULL)
		print_roff_paragraphs(command->details, to);
	if (command->options[0] == '\0')
		return;
	fputs(".Pp\nOptions:", to);
	while (option_next_word(&names, ' ', &word)) {
		char *name = memory_copy(word.data, word.len);
		const struct option_spec *spec = &program->options[options_find(program, name)];

		fprintf(to, "\n.Fl \\-%s %s", options_flag(spec), *names == '\0' ? "." : ",");
		free(name);
	}
	fputc('\n', to);
}

static void print_man_option(const struct option_spec *spec, FILE *to)
{
	const char *value = value_name(spec);

	fputs(".It", to);
	if (spec->letter != 0)
		fprintf(to, " Fl %c ,", spec->letter);
	fprintf(to, " Fl \\-%s", options_flag(spec));
	if (value != NULL) {
		fputs(" Ar", to);
		print_macro_argument(value, to);
	}
	fputc('\n', to);
	print_roff(spec->help, to);
	if (spec->type == OPTION_CHOICE)
		fprintf(to, "One of %s.\n", spec->choices);
	if (spec->repeated)
		fputs("May be given several times.\n", to);
	if (spec->command_only)
		fputs("Only on the command line.\n", to);
	if (shows_default(spec)) {
		fputs("The default is ", to);
		print_roff_word(bytes_of_text(spec->fallback), false, to);
		fputs(".\n", to);
	}
}

void program_print_man(const struct program *program, FILE *to)
{
	fputs(".Sh COMMANDS\n.Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < program->command_count; i++)
		print_man_command(program, &program->commands[i], to);
	fputs(".El\n.Sh OPTIONS\n.Bl -tag -width Ds\n", to);
	for (size_t i = 0; i < program->option_count; i++)
		print_man_option(&program->options[i], to);
	fputs(".It Fl h , Fl \\-help\nSay what the program or the command does and exit.\n"
	      ".It Fl \\-version\nSay which version this is and exit.\n.El\n",
	      to);
}

/* The words of one command's flags, for the completion's case. */
static void print_completion_case(const struct program *program, const struct command *command, FILE *to)
{
	fprintf(to, "\t\"%s\") words=\"--help", command->name);
	for (size_t i = 0; i < program->option_count; i++) {
		if (command_takes(command, program->options[i].name))
			fprintf(to, " --%s", options_flag(&program->options[i]));
	}
	fputs("\" ;;\n", to);
}

static void print_completion_values(const struct program *program, FILE *to)
{
	for (size_t i = 0; i < program->option_count; i++) {
		const struct option_spec *spec = &program->options[i];
		const char *choices = spec->choices;
		struct bytes word;

		if (spec->type == OPTION_PATH) {
			fprintf(to, "\t--%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", options_flag(spec));
		} else if (spec->type == OPTION_CHOICE) {
			fprintf(to, "\t--%s) COMPREPLY=($(compgen -W \"", options_flag(spec));
			while (option_next_word(&choices, '|', &word))
				fprintf(to, "%.*s ", (int)word.len, (const char *)word.data);
			fputs("\" -- \"$cur\")); return ;;\n", to);
		} else if (spec->type != OPTION_FLAG) {
			fprintf(to, "\t--%s) return ;;\n", options_flag(spec));
		}
	}
}

/* Behind the first word of commands of two words: their second words. Only once for each first word. */
static void print_completion_seconds(const struct program *program, size_t index, FILE *to)
{
	const char *name = program->commands[index].name;
	int first = (int)strcspn(name, " ") + 1;

	for (size_t i = 0; i < index; i++) {
		if (strncmp(program->commands[i].name, name, (size_t)first) == 0)
			return;
	}
	fprintf(to, "\t\"%.*s\") words=\"", first - 1, name);
	for (size_t i = index; i < program->command_count; i++) {
		if (strncmp(program->commands[i].name, name, (size_t)first) == 0)
			fprintf(to, "%s ", program->commands[i].name + first);
	}
	fputs("\" ;;\n", to);
}

static void print_completion_commands(const struct program *program, FILE *to)
{
	fputs("\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n", to);
	for (size_t i = 0; i < program->command_count; i++) {
		if (strchr(program->commands[i].name, ' ') != NULL)
			print_completion_case(program, &program->commands[i], to);
	}
	fputs("\t*) case ${COMP_WORDS[1]} in\n", to);
	for (size_t i = 0; i < program->command_count; i++) {
		if (strchr(program->commands[i].name, ' ') == NULL)
			print_completion_case(program, &program->commands[i], to);
		else
			print_completion_seconds(program, i, to);
	}
	fputs("\tesac ;;\n\tesac\n", to);
}

void program_print_completion(const struct program *program, FILE *to)
{
	char function[64];

	snprintf(function, sizeof(function), "_%s", program->name);
	for (char *p = function; *p != '\0'; p++)
		*p = *p == '-' ? '_' : *p;
	fprintf(to,
		"# bash completion of %s, made by `%s --help-completion`\n%s()\n{\n"
		"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=\n"
		"\tCOMPREPLY=()\n\tcase $prev in\n",
		program->name, program->name, function);
	print_completion_values(program, to);
	fputs("\tesac\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"--help --version", to);
	for (size_t i = 0; i < program->command_count; i++)
		fprintf(to, " %.*s", (int)strcspn(program->commands[i].name, " "), program->commands[i].name);
	fputs("\" -- \"$cur\"))\n\t\treturn\n\tfi\n", to);
	print_completion_commands(program, to);
	/* Flags behind a dash; otherwise second words and files. */
	fprintf(to,
		"\tcase $cur in\n\t-*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
		"\t*) COMPREPLY=($(compgen -W \"${words%%%%--*}\" -- \"$cur\") $(compgen -f -- \"$cur\")) ;;\n"
		"\tesac\n}\ncomplete -o filenames -F %s %s\n",
		function, program->name);
}
