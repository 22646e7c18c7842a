/* Log lines, each written by a single write(2) so that threads never mix theirs. */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Atomic, because a SIGHUP may change the level while other threads write. */
static const char *_Atomic log_program = "granary";
static _Atomic enum log_level log_level = LOG_WARN;

void log_setup(const char *program, enum log_level level)
{
	log_program = program;
	log_level = level;
}

int log_level_from_name(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 1;
		}
	}
	return 0;
}

void log_event(enum log_level level, const char *event, const char *details, ...)
{
	char line[2048], when[32];
	size_t len;
	va_list args;

	if (level > log_level)
		return;
	len = (size_t)snprintf(line, sizeof(line), "%s %s %s event=%s ", clock_format(clock_wall(), when, sizeof(when)),
			       level_names[level], log_program, event);
	va_start(args, details);
	len += (size_t)vsnprintf(line + len, sizeof(line) - len, details, args);
	va_end(args);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	while (len > 0 && line[len - 1] == ' ')
		len--;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say so */
}

char *log_quote(const char *text, char *out, unsigned long room)
{
	size_t n = 0;

	if (room < 3) {
		if (room > 0)
			out[0] = '\0';
		return out;
	}
	out[n++] = '"';
	for (; *text != '\0' && n + 6 < room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			out[n++] = '\\';
			out[n++] = (char)c;
		} else if (c < 0x20 || c >= 0x7f) {
			n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
		} else {
			out[n++] = (char)c;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}
