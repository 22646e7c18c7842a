/*
 * Does something under way keep the pace? Pure: the caller passes the time.
 *
 * While it is on, `moved` bytes are counted; whenever a whole window has passed, it must have moved so many bytes,
 * and a new window begins.
 */
#ifndef GRANARY_COMMON_PACE_H
#define GRANARY_COMMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	bool on;
	uint64_t since; /* milliseconds */
	uint64_t moved; /* bytes since then */
};

/* Something is under way (a window begins, unless one runs), or nothing is any more. */
void pace_set(struct pace *pace, bool on, uint64_t now);
void pace_move(struct pace *pace, uint64_t bytes);
/* False when a window ended with less than `bytes` moved. */
bool pace_keeps(struct pace *pace, uint64_t now, uint64_t window, uint64_t bytes);

#endif
