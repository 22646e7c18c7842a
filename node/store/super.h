/*
 * SUPER: what the whole store has in common. Its id and secret, the size of new segments, the satellites' numbers,
 * and what the last stop left behind.
 *
 * The file holds two copies, each checksummed and numbered. Saving writes the copy that is not known to be good, syncs,
 * then the other, so one is whole at any moment, and both at rest.
 */
#ifndef GRANARY_NODE_STORE_SUPER_H
#define GRANARY_NODE_STORE_SUPER_H

#include "node/store/segment.h"

#define SUPER_COPY 16384   /* bytes of a copy */
#define SUPER_SECOND 65536 /* where the second copy stands */
#define SUPER_FILE 131072  /* bytes of the file */
#define SUPER_SATELLITES 800

struct super {
	uint64_t generation;
	struct store_id store;
	struct record_secret secret;
	uint64_t created; /* Unix seconds */
	uint32_t segment_size;
	bool clean;	       /* everything was sealed when this was written, and nothing was written since */
	uint64_t sequence;     /* lower numbers are used up */
	uint32_t next_segment; /* lower ids are used up */
	uint64_t floor;	       /* Unix seconds of the last start after an unclean stop; 0: never */
	uint16_t satellite_count;
	struct address satellites[SUPER_SATELLITES];
	bool owned;	 /* `owner` says whose store it is; false in those of before there was that */
	struct id owner; /* the node's */
	int good; /* not stored: the copy known to be whole, 0 or 1 */
};

void super_encode(const struct super *super, uint8_t out[SUPER_COPY]);
/* ERR_FORMAT, ERR_UNSUPPORTED, ERR_CORRUPT. `good` is not touched. */
enum err super_decode(const uint8_t from[SUPER_COPY], struct super *ret) WARN_UNUSED;

/* Make DIR/SUPER durably, both copies, complete or not at all. */
enum err super_create(const struct seam *seam, const char *dir, struct super *super) WARN_UNUSED;
/* Read the newer whole copy. ERR_UNSUPPORTED when a copy is of a version to come; ERR_CORRUPT when none is whole. */
enum err super_load(const struct seam *seam, int fd, struct super *ret) WARN_UNUSED;
/* Write both copies with the next generation. */
enum err super_save(const struct seam *seam, int fd, struct super *super) WARN_UNUSED;

#endif
