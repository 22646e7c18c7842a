/*
 * One segment to its nodes: allocations, pieces in parallel, receipts, commit.
 *
 * It succeeds when `success` pieces are receipted; pieces of parity that are still on their way are cancelled then,
 * those of data a little later. When so many fail that this cannot come to pass, everything starts again with other
 * nodes in the place of those that failed, twice at most. It is committed once it is known whether it is the object's
 * last. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_SEGMENT_PUT_H
#define GRANARY_UPLINK_SEGMENT_PUT_H

#include "uplink/stripes.h"

#define SEGMENT_PUT_ATTEMPTS 3

struct segment_put;

struct segment_put_events {
	/* As stripes_events.may_encode. */
	bool (*may_encode)(void *arg, struct segment_put *segment, uint32_t stripe);
	/* Memory of this segment was given back. */
	void (*dropped)(void *arg);
	/* Enough receipts: no more to send. */
	void (*sent)(void *arg);
	/* The last call: committed, or failed with a sentence in `why`. The segment is freed right after it. */
	void (*done)(void *arg, struct segment_put *segment, enum err err, const char *why);
};

/* Start with segment `number`, as soon as there is memory for its first stripe; takes the buffers of `plain` over. */
struct segment_put *segment_put_start(struct transfer *transfer, uint32_t number, const struct stripes_plain *plain,
				      const struct segment_put_events *events, void *arg);
/* Now it is known whether it is the last. */
void segment_put_set_last(struct segment_put *segment, bool last);
/* There may be memory again. */
void segment_put_retry(struct segment_put *segment);
/* Drop everything; `done` is not called. */
void segment_put_cancel(struct segment_put *segment);

/* Its stripes, for the accounts of memory; NULL once all was sent. */
const struct stripes *segment_put_stripes(const struct segment_put *segment);
/* Bytes of plaintext that are as good as stored: an estimate for a progress bar. */
uint64_t segment_put_progress(const struct segment_put *segment);

#endif
