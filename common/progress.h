/* The line that tells how far a copy is: on a terminal only, on stderr, several times a second. */
#ifndef GRANARY_COMMON_PROGRESS_H
#define GRANARY_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"

struct progress;

/* `total`: bytes, 0 when not known; `label` is copied; `count(arg)` tells the bytes so far. NULL when stderr is no
 * terminal, which the other functions take. */
struct progress *progress_new(struct loop *loop, const char *label, uint64_t (*count)(void *arg), void *arg);
void progress_set_total(struct progress *progress, uint64_t total);
/* Take the line away, so that something else can be printed; it comes back. */
void progress_clear(struct progress *progress);
void progress_free(struct progress *progress);

/* "label  12.3 MB of 64.0 MB  19 %  10.2 MB/s  0:05 left": `seconds` gone, at a current rate. Returns out. */
char *progress_format(const char *label, uint64_t bytes, uint64_t total, uint64_t rate, char *out, size_t room);

#endif
