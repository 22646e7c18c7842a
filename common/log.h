/*
 * One line per event: `2026-01-31T12:00:00Z info node event=started port=7887`. Values are quoted when they hold
 * spaces, and escaped; keys and payloads are never logged. Safe from any thread.
 */
#ifndef GRANARY_COMMON_LOG_H
#define GRANARY_COMMON_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where and how much. `program` is a static string; `level` the most talkative level shown. Output is stderr. */
void log_setup(const char *program, enum log_level level);

/* "error", "warn", "info" or "debug"; false for anything else. */
int log_level_from_name(const char *name, enum log_level *ret);

/* Write one line. `details` is a printf format of key=value pairs, "" for none; text that comes from outside goes
 * through log_quote first. */
void log_event(enum log_level level, const char *event, const char *details, ...)
	__attribute__((format(printf, 3, 4)));

/* Text from outside made safe for one value: quotes, control bytes and anything outside ASCII are escaped; at most
 * `room` bytes with the NUL. Returns out. */
char *log_quote(const char *text, char *out, unsigned long room);

#endif
