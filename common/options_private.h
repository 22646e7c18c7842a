/*
 * Inside the options module: what options.c keeps and program.c fills.
 *
 * Each source has its own layer of values, one entry per option of the table; a reading takes the highest layer that
 * has any. So reading a file again replaces one layer and nothing else.
 */
#ifndef GRANARY_COMMON_OPTIONS_PRIVATE_H
#define GRANARY_COMMON_OPTIONS_PRIVATE_H

#include "common/option_value.h"

enum option_layer { LAYER_DEFAULT, LAYER_FILE, LAYER_ENVIRONMENT, LAYER_FLAG, LAYERS };

struct option_entry {
	char *text;
	union option_value value;
};

/* The values of one option from one source. */
struct option_values {
	struct option_entry *entries;
	size_t count;
};

struct options {
	const struct program *program;
	const struct command *command;
	struct option_values *layers[LAYERS]; /* each of program->option_count */
	char **arguments;		      /* not owned */
	int argument_count;
	char *dir;
};

/* With the defaults of the table, which must be right. */
struct options *options_new(const struct program *program, const struct command *command);
void options_free(struct options *options);
/* One value of option `index` into a layer. `what` is how the source calls it ("--listen"); it heads *why. */
enum err options_add(const struct options *options, struct option_values *layer, size_t index, const char *what,
		     const char *text, char *why, size_t room) WARN_UNUSED;
/* Fill the layers of environment and, when there is options->dir, of DIR/config.ini. */
enum err options_read_sources(struct options *options, char *why, size_t room) WARN_UNUSED;

/* An empty layer for the options of the program. */
struct option_values *option_layer_new(const struct options *options);
void option_layer_free(const struct options *options, struct option_values *layer);
/* The index of the option called `name`, option_count when there is none. */
size_t options_find(const struct program *program, const char *name);
/* The command takes the option called `name`. */
bool command_takes(const struct command *command, const char *name);
/* What it is called on the command line. */
const char *options_flag(const struct option_spec *spec);
/* GRANARY_LISTEN of "listen". */
void options_environment_name(const struct option_spec *spec, char *out, size_t room);

/* Read DIR/config.ini into a layer; no file is no values. */
enum err options_read_file(const struct options *options, struct option_values *layer, char *why,
			   size_t room) WARN_UNUSED;
/* The same from memory: `text` has a NUL behind it, `path` is what its sentences call it. */
enum err options_parse_file(const struct options *options, struct option_values *layer, const char *path,
			    struct bytes text, char *why, size_t room) WARN_UNUSED;

/* --help of the program (command NULL) or of a command; the man page's lists in mdoc(7); bash completion. */
void program_print_help(const struct program *program, const struct command *command, FILE *to);
void program_print_man(const struct program *program, FILE *to);
void program_print_completion(const struct program *program, FILE *to);

#endif
