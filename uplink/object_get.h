/*
 * An object, or a range of it, as a stream of bytes in order.
 *
 * A few segments are fetched at once; what is ahead waits, within fixed bounds of memory, until the sink has taken
 * what comes before it. Nothing reaches the sink that was not proved and decrypted. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_OBJECT_GET_H
#define GRANARY_UPLINK_OBJECT_GET_H

#include "uplink/object_stat.h"

/* Where the bytes go. */
struct object_sink {
	/* The facts are known, and how many bytes will be written; before the first write, in the loop's thread. */
	void (*begin)(void *arg, const struct object_facts *facts, uint64_t bytes);
	/* Write all of it; called in the uplink's file thread, may block. On failure a sentence goes to *ret_why. */
	enum err (*write)(void *arg, const uint8_t *data, size_t len, const char **ret_why);
	/* Make a write that blocks return; may be NULL. */
	void (*stop)(void *arg);
	void *arg;
};

struct object_range {
	uint64_t from;
	uint64_t to; /* not included; UINT64_MAX: to the end */
};

struct object_get;
typedef void object_get_done(void *arg, enum err err, const char *why);

/* The whole object: {0, UINT64_MAX}. A range that begins at or past the end is ERR_RANGE. The name is taken over. */
struct object_get *object_get_start(struct uplink *uplink, struct object_name *name, const struct object_range *range,
				    const struct object_sink *sink, object_get_done *done);
/* Give up: `done` follows with ERR_CANCELLED. */
void object_get_cancel(struct object_get *get);
/* Bytes written. */
uint64_t object_get_progress(const struct object_get *get);

#endif
