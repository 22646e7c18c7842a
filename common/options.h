/*
 * Options and commands, from tables.
 *
 * One table of options per program gives the command line, the environment (GRANARY_NAME), the config file, --help,
 * the man page's list (--help-man) and shell completion (--help-completion). Precedence: flag over environment over
 * file over default. Every value is checked when read; an error is one line that names the option, the value and the
 * limit. Unknown keys of a file are errors that name the nearest known key. A repeated option stands several times on
 * the command line or in the file, and once, its values separated by spaces, in the environment. A limit `max` of 0
 * is no limit.
 */
#ifndef GRANARY_COMMON_OPTIONS_H
#define GRANARY_COMMON_OPTIONS_H

#include <stdio.h>

#include "common/endpoint.h"

enum option_type {
	OPTION_FLAG,	 /* present or not; in files true or false */
	OPTION_INT,	 /* decimal, min to max */
	OPTION_SIZE,	 /* bytes: 500GB, 1.5TiB, 4096; min to max in bytes */
	OPTION_DURATION, /* seconds: 90, 90s, 10m, 2h, 30d; min to max in seconds */
	OPTION_TEXT,	 /* any; min to max characters when max > 0 */
	OPTION_PATH,
	OPTION_HOSTPORT, /* host:port */
	OPTION_ENDPOINT, /* id@host:port */
	OPTION_ADDRESS,	 /* 0x…, EIP-55 checked when of mixed case */
	OPTION_CHOICE,	 /* one of the words in `choices`, separated by | */
	OPTION_AMOUNT,	 /* tokens with up to 8 decimals, in base units */
};

struct option_spec {
	const char *name; /* "listen": --listen, GRANARY_LISTEN, listen = in the file */
	const char *flag; /* --FLAG, when two options of different commands are to look alike; NULL: as the name */
	char letter;	  /* -l, or 0 */
	enum option_type type;
	uint64_t min, max;
	const char *value;    /* what --help calls the value: "HOST:PORT" */
	const char *fallback; /* default, as text; NULL for none */
	const char *help;     /* one sentence */
	const char *choices;  /* OPTION_CHOICE */
	bool repeated;	      /* may be given several times; a higher source replaces all of a lower one's */
	bool command_only;    /* not from file or environment */
};

struct options;

/* A command of a program: `granary-node run`. */
struct command {
	const char *name;		     /* one word, or two: "access import" */
	const char *arguments;		     /* "[FILE…]", "" for none */
	const char *help;		     /* one line */
	const char *details;		     /* further paragraphs for --help and the man page; may be NULL */
	const char *options;		     /* names of its options, separated by spaces; "dir json" */
	int min_arguments, max_arguments;    /* -1: any number */
	int (*run)(struct options *options); /* returns the exit status: 0 done, 1 failed, 2 usage */
};

struct program {
	const char *name; /* "granary-node" */
	const char *help; /* one line */
	const struct option_spec *options;
	size_t option_count;
	const struct command *commands;
	size_t command_count;
	const char *default_dir; /* below $XDG_DATA_HOME/granary: "node" */
};

/* The whole of main(): `PROGRAM COMMAND [OPTION…] [ARGUMENT…]`. Parse, answer --help, --version, --help-man and
 * --help-completion, read DIR/config.ini when the command takes `dir`, run the command. Returns the exit status. */
int program_main(const struct program *program, int argc, char **argv);

/* Values, by option name (asserted to be in the table and of that type). Pointers live until options_reload or the
 * end of the command; an option without a value is NULL, 0 or false. */
bool option_given(const struct options *options, const char *name); /* from any source but the default */
bool option_flag(const struct options *options, const char *name);
uint64_t option_int(const struct options *options, const char *name);	  /* INT, SIZE, DURATION, AMOUNT */
const char *option_text(const struct options *options, const char *name); /* any type, as text; NULL when unset */
const struct hostport *option_hostport(const struct options *options, const char *name);
const struct endpoint *option_endpoint(const struct options *options, const char *name, size_t index);
const struct address *option_address(const struct options *options, const char *name);
size_t option_count(const struct options *options, const char *name); /* of a repeated one */
const char *option_text_at(const struct options *options, const char *name, size_t index);
/* "default", "file", "environment" or "flag". */
const char *option_source(const struct options *options, const char *name);

/* What is not an option, and the command's own. */
int options_argument_count(const struct options *options);
const char *options_argument(const struct options *options, int index);
const struct command *options_command(const struct options *options);
const char *options_dir(const struct options *options); /* --dir, made absolute */

/* Write DIR/config.ini durably with those of the named options (separated by spaces) that were given, as
 * `name = value` under a comment with each one's help; paths are made absolute. ERR_EXISTS rather than replacing one,
 * ERR_FORMAT when a value cannot stand in such a file (too long, " ;" or spaces around it), ERR_IO and its kind. */
enum err options_save(const struct options *options, const char *names) WARN_UNUSED;
/* Put `name = text` in the place of what DIR/config.ini has of that option, or at its end, and leave all else there as
 * it is; durably. The file may be missing. ERR_FORMAT when the text cannot stand in such a file or the file makes no
 * sense, ERR_IO and its kind. */
enum err options_change_file(const struct options *options, const char *name, const char *text) WARN_UNUSED;
/* Take the lines out of DIR/config.ini that give this option this value, and leave all else there as it is; durably.
 * ERR_NOT_FOUND when there is none, ERR_IO and its kind. */
enum err options_drop_from_file(const struct options *options, const char *name, const char *text) WARN_UNUSED;
/* Read file and environment again (SIGHUP); on failure nothing changes and *why says what. No other thread may read
 * options meanwhile. */
enum err options_reload(struct options *options, char *why, size_t room) WARN_UNUSED;

/* Parsing of single values, for use outside tables. Sizes: bytes, or a number with at most 9 decimals and one of B, KB,
 * MB, GB, TB, PB, EB, KiB … EiB or K, M, G, T, P (thousands), in any case. Durations: whole seconds, or with s, m, h,
 * d, w. ERR_FORMAT, ERR_OVERFLOW. */
enum err option_parse_size(const char *text, uint64_t *ret) WARN_UNUSED;
enum err option_parse_duration(const char *text, uint64_t *ret) WARN_UNUSED;
/* "1.23 GB", "12.3 GB", "123 GB", "999 B": SI units, three digits, rounded down. Returns out. */
char *option_print_size(uint64_t bytes, char out[16]);

#endif
