/* The set of segments, for the files that work on it: segments.c, segments_target.c, segments_class.c. All of it under
 * its lock. */
#ifndef GRANARY_NODE_STORE_SEGMENTS_PRIVATE_H
#define GRANARY_NODE_STORE_SEGMENTS_PRIVATE_H

#include "node/store/index.h"
#include "node/store/segments.h"
#include "node/store/twin.h"

#define CHUNK 1024
#define CHUNKS (INDEX_SEGMENTS / CHUNK)

struct segments {
	const struct seam *seam;
	struct health *health;
	struct sequence *sequence;
	char *dirs[SEGMENT_KINDS];
	struct twins twins;
	struct store_id store;
	struct record_secret secret;
	uint32_t sizes[SEGMENT_KINDS]; /* of new segments */
	atomic_uint_fast64_t allocation;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a segment was made or sealed, or could not be; a job is done */
	pthread_cond_t work;	/* for the keeper */
	struct segment *takers; /* open and closing ones of all kinds, oldest first */
	struct segment *open[SEGMENT_KINDS];
	struct segment *spares[SEGMENT_KINDS];
	bool making[SEGMENT_KINDS]; /* somebody makes the next one */
	struct segment *emergency;  /* a spare of pieces that no upload gets (segments_target.c) */
	struct segment *target;	    /* takes copies, and on a full disk tombstones */
	bool spare_refused;	    /* no room for a spare when last tried */
	bool working;		    /* the keeper is */
	bool finishing;
	uint32_t next_id;
	uint32_t rows;	   /* in use, below */
	uint32_t full;	   /* no row below is free */
	uint64_t files;	   /* bytes of all */
	uint64_t promised; /* bytes of those being made */
	uint64_t unlinked; /* how many were, so far */
	uint64_t uses;	   /* of segments of expiry classes */
	_Atomic(struct segment **) chunks[CHUNKS];
};

/* Make the file of a new segment; gives up the lock meanwhile. ERR_FULL, ERR_READ_ONLY. */
enum err segments_make_locked(struct segments *set, enum segment_kind kind, uint32_t class, uint32_t size,
			      struct segment **ret) WARN_UNUSED;
void segments_add_taker(struct segments *set, struct segment *segment, enum segment_state state);
/* What the allocation lets the files grow by. */
uint64_t segments_growth_locked(const struct segments *set);
/* Room of `len` bytes in this very segment. */
bool segments_take_in(struct segment *segment, uint32_t len, struct extent *ret);

/* The keeper is to make the emergency segment. */
bool segments_wants_emergency(const struct segments *set);
/* Make it, unless it is there. ERR_FULL, ERR_READ_ONLY. */
enum err segments_make_emergency(struct segments *set) WARN_UNUSED;
/* Room for a tombstone though nothing else can be had: in the target, in the emergency segment, in the end in one that
 * passes the allocation. ERR_FULL when the disk is; ERR_READ_ONLY. */
enum err segments_take_urgent(struct segments *set, uint32_t len, struct extent *ret) WARN_UNUSED;
void segments_close_target_locked(struct segments *set);

/* Open a segment of this class for at least `len` bytes, or wait for whoever makes one. ERR_FULL when class 0 must do;
 * ERR_READ_ONLY. */
enum err segments_open_class(struct segments *set, uint32_t class, uint32_t len) WARN_UNUSED;
void segments_close_classes_locked(struct segments *set, uint32_t before);

#endif
