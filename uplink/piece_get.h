/*
 * Blocks of one piece from one node: GET and ORDERs out, DATA in, each block proved against the root.
 *
 * Orders hold the node back: it may send one block beyond what is ordered, so no more is ordered than the sink has
 * room for (its window). A block is copied off the channel and proved in the pool; the first that does not belong to
 * the piece ends the get. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_PIECE_GET_H
#define GRANARY_UPLINK_PIECE_GET_H

#include "uplink/uplink.h"
#include "uplink/permit.h"

struct piece_range {
	uint64_t piece_size;
	uint32_t first; /* block */
	uint32_t count; /* at least 1, all within the piece */
};

struct piece_sink {
	/* Block `block` is here and proved; in any order. `data` is one of uplink->blocks and the sink's from now on.
	 * The get may be cancelled from inside. */
	void (*block)(void *arg, uint32_t block, uint8_t *data, size_t len);
	/* The last call: ERR_OK when the sink has the whole range; ERR_CORRUPT when the node sent wrong bytes. The get
	 * is freed right after it. */
	void (*done)(void *arg, enum err err, const char *why);
};

struct piece_get;

/* `permit` and `sink` must outlive the get. `window`: how many blocks of the range the sink has room for. Nothing is
 * called back from inside these three. */
struct piece_get *piece_get_start(struct uplink *uplink, const struct permit *permit, const struct piece_range *range,
				  uint32_t window, const struct piece_sink *sink, void *arg);
/* The window grew. */
void piece_get_set_window(struct piece_get *get, uint32_t window);
/* Tell the node to stop, and free the get; `done` is not called. */
void piece_get_cancel(struct piece_get *get);

#endif
