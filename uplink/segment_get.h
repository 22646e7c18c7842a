/*
 * A range of one segment from its nodes, as plaintext, in order.
 *
 * When the range lies in few units of one stripe, only the nodes that hold those units are asked; otherwise, or when
 * one of them fails, any `required` pieces will do: a few more are asked than needed, the slowest are dropped when
 * the first stripe is complete, and whoever fails, cheats or falls behind later is replaced in mid-stream. Stripes
 * are rebuilt and decrypted one after the other, as the owner takes them. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_SEGMENT_GET_H
#define GRANARY_UPLINK_SEGMENT_GET_H

#include "uplink/gather.h"

struct segment_get;

/* Which bytes. */
struct segment_wanted {
	uint32_t number;
	bool last;
	uint64_t plain_size; /* of the segment */
	uint64_t from, to;   /* of its plaintext: from ≤ byte < to, at least one unless the segment is empty */
};

struct segment_get_events {
	/* May one more stripe be decrypted? Ask again by segment_get_retry when it was refused. */
	bool (*may_decode)(void *arg, struct segment_get *segment);
	/* The next bytes of the range. */
	void (*part)(void *arg, const struct gather_part *part);
	/* The last call: all parts were passed on, or failed with a sentence in `why`. Freed right after it. */
	void (*done)(void *arg, struct segment_get *segment, enum err err, const char *why);
};

/* `window`: most stripes gathered at once. Nothing is called back from inside this call. */
struct segment_get *segment_get_start(struct transfer *transfer, const struct segment_wanted *wanted, uint32_t window,
				      const struct segment_get_events *events, void *arg);
/* May call `part` and `done` from inside. */
void segment_get_retry(struct segment_get *segment);
/* Drop everything; `done` is not called. */
void segment_get_cancel(struct segment_get *segment);

#endif
