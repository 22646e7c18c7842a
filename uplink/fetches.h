/*
 * The pieces of one segment that are being read, or were tried: who runs, who failed, and who holds up the others.
 *
 * While more run than are needed, each may order a few blocks only, for what the slowest send is paid for nothing;
 * once the first stripe is complete they are trimmed to the fastest. Later a fetch is slow when others are ahead of
 * it and nothing comes from it; it is dropped when there is another one in its place. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_FETCHES_H
#define GRANARY_UPLINK_FETCHES_H

#include "uplink/gather.h"
#include "uplink/permit.h"

struct fetches;

struct fetches_events {
	/* A proved block, which is the gather's already: see what is complete now. */
	void (*block)(void *arg);
	/* A piece could not be read to its end: ERR_CORRUPT when wrong bytes came; `why` is a phrase. */
	void (*failed)(void *arg, const struct permit *permit, enum err err, const char *why);
};

/* Blocks go to `gather`, which is borrowed, as far as `window` stripes from its head. */
struct fetches *fetches_new(struct transfer *transfer, struct gather *gather, uint32_t window,
			    const struct fetches_events *events, void *arg);
/* Cancels what runs. Allowed from inside an event. */
void fetches_free(struct fetches *fetches);

/* Read a piece from the first stripe that is not complete to the last. */
void fetches_start(struct fetches *fetches, const struct permit *permit, uint64_t piece_size);
/* More may be ordered: the gather's head moved. */
void fetches_widen(struct fetches *fetches);
/* Keep the `most` that got furthest, and let them order as much as there is room for. */
void fetches_trim(struct fetches *fetches, uint32_t most);
bool fetches_are_trimmed(const struct fetches *fetches);

/* The pieces that run and are not slow; how many run in all. */
struct erasure_set fetches_running(const struct fetches *fetches);
uint32_t fetches_count(const struct fetches *fetches);

/* Mark as slow those that are behind and from which nothing came for `patience_ms`. */
void fetches_find_slow(struct fetches *fetches, uint64_t patience_ms);
/* Drop the slow ones as failed; or take it back. */
void fetches_drop_slow(struct fetches *fetches);
void fetches_pardon_slow(struct fetches *fetches);

/* The nodes that run or failed, at most `most`, as items of a list; returns how many. */
uint32_t fetches_write_nodes(const struct fetches *fetches, uint32_t most, struct writer *w);

#endif
