/*
 * One piece to one node: PUT, then DATA and the ORDERs that it calls for, PUT_END, and the receipt.
 *
 * The piece is pulled block by block from its source, as fast as the node takes it; a source that has nothing yet
 * says so and wakes the put later. The receipt must be for what was sent: allocation, root and size, signed by the
 * node. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_PIECE_PUT_H
#define GRANARY_UPLINK_PIECE_PUT_H

#include "uplink/uplink.h"
#include "uplink/permit.h"

#define PIECE_STALL_SECONDS 20 /* without progress, a node is given up */

enum piece_next {
	PIECE_BLOCK, /* here is one */
	PIECE_WAIT,  /* not yet; piece_put_wake will be called */
	PIECE_END,   /* there are no more */
};

struct piece_block {
	struct bytes data; /* TREE_BLOCK bytes, fewer only as the last; a view that must live until the next call */
	const struct bytes32 *hash; /* tree_block_hash of it */
};

/* How a put ended. */
struct piece_receipt {
	enum err err;	      /* ERR_OK: receipted */
	const char *why;      /* a phrase, when not */
	struct bytes receipt; /* the signed Receipt, a view that dies with the call */
};

struct piece_source {
	/* Block `index`; asked for once each, in order. */
	enum piece_next (*next)(void *arg, uint32_t index, struct piece_block *ret);
	/* The last call; the put is freed right after it. Never made from inside a call of the owner's. */
	void (*done)(void *arg, const struct piece_receipt *result);
};

struct piece_put;

/* `permit` and `source` must outlive the put; `size` is the piece's. */
struct piece_put *piece_put_start(struct uplink *uplink, const struct permit *permit, uint64_t size,
				  const struct piece_source *source, void *arg);
/* The source has more. */
void piece_put_wake(struct piece_put *put);
/* Tell the node to forget it, and free the put; `done` is not called. */
void piece_put_cancel(struct piece_put *put);

#endif
