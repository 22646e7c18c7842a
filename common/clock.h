/*
 * The one source of time. Wall time (Unix seconds) and monotonic time (nanoseconds) are kept apart.
 *
 * Tests set the wall clock ahead without touching the machine's: the environment variable GRANARY_CLOCK_FILE names
 * a file holding a signed number of seconds that is added to every reading; it is read again whenever it was replaced
 * (write another file and rename it) or its modification time changed. The variable is honoured by daemons of a test
 * network only (clock_allow_offset).
 */
#ifndef GRANARY_COMMON_CLOCK_H
#define GRANARY_COMMON_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Honour GRANARY_CLOCK_FILE from now on. */
void clock_allow_offset(void);

/* Unix seconds. */
uint64_t clock_wall(void);

/* Nanoseconds of a clock that never goes back. */
uint64_t clock_monotonic(void);

/* "2026-01-31T12:00:00Z" of Unix seconds; `room` at least 21. Returns out. */
char *clock_format(uint64_t seconds, char *out, size_t room);

#endif
