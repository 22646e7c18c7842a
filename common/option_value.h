/*
 * Values of options: text from a command line, an environment variable or a file becomes a checked value, or one
 * sentence that says what is wrong with it and what would be right.
 */
#ifndef GRANARY_COMMON_OPTION_VALUE_H
#define GRANARY_COMMON_OPTION_VALUE_H

#include "common/options.h"

/* Room for any sentence about a wrong value. */
#define OPTION_WHY 512

union option_value {
	uint64_t number; /* FLAG (0 or 1), INT, SIZE, DURATION, AMOUNT */
	struct hostport at;
	struct endpoint endpoint;
	struct address address;
};

/* Read `text` as a value of `spec`. ERR_FORMAT or ERR_RANGE with a sentence in `why` (room > 0) that quotes the
 * value and names the limit, but not the option: the caller knows what to call it. */
enum err option_value_parse(const struct option_spec *spec, const char *text, union option_value *ret, char *why,
			    size_t room) WARN_UNUSED;

/* The next of words separated by `separator` at *at, moved past it; false when there is none. */
bool option_next_word(const char **at, char separator, struct bytes *ret);
/* `text` is one of `words`, separated by `separator`. */
bool option_word_in(const char *words, char separator, const char *text);

#endif
