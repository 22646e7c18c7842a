/*
 * The stripes of one segment on their way out: plaintext in, encrypted and coded units with their hashes out.
 *
 * The plaintext is kept until the segment is safe; coded stripes (several times its size) are made in the pool as far
 * as there is memory, and dropped when no piece needs them any more. Encrypting again gives the same bytes: a stripe
 * that was dropped can be made again for another attempt. Belongs to the loop's thread.
 */
#ifndef GRANARY_UPLINK_STRIPES_H
#define GRANARY_UPLINK_STRIPES_H

#include "uplink/piece_put.h"
#include "uplink/transfer.h"

struct stripes;

struct stripes_events {
	/* Is there memory for one more coded stripe? Ask again by stripes_retry when it was refused. */
	bool (*may_encode)(void *arg, uint32_t stripe);
	/* A stripe was made: pieces that waited can go on. */
	void (*made)(void *arg);
	/* A coded stripe was dropped. */
	void (*dropped)(void *arg);
};

/* A segment's plaintext: a buffer of transfer->plain per stripe, all full but the last. */
struct stripes_plain {
	uint8_t *stripe[SEGMENT_STRIPES];
	uint64_t size; /* bytes in all, at least 1 */
};

/* Take the buffers over. Encrypted under a random key. */
struct stripes *stripes_new(struct transfer *transfer, const struct stripes_plain *plain,
			    const struct stripes_events *events, void *arg);
/* No more events; freed when the pool has given back what it works on. */
void stripes_free(struct stripes *stripes);

const struct segment_layout *stripes_layout(const struct stripes *stripes);
const struct secret *stripes_key(const struct stripes *stripes);

/* A piece begins, or a running one that had got to block `at` ends early. */
void stripes_piece_begins(struct stripes *stripes);
void stripes_piece_leaves(struct stripes *stripes, uint32_t at);
/* Piece `number` wants block `stripe` and has passed on all before it: as piece_source.next. `*at` is where that piece
 * was, and is moved. */
enum piece_next stripes_next(struct stripes *stripes, uint16_t number, uint32_t *at, uint32_t stripe,
			     struct piece_block *ret);
/* There may be memory again. */
void stripes_retry(struct stripes *stripes);

/* Coded stripes in memory; those that are or will be needed by running pieces (all, before the first began); the first
 * that a running piece needs (the number of stripes when there is none). */
uint32_t stripes_held(const struct stripes *stripes);
uint32_t stripes_needed(const struct stripes *stripes);
uint32_t stripes_lowest(const struct stripes *stripes);

#endif
