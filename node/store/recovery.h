/*
 * Starting: from segment files to segments, index and counters.
 *
 * The newest checkpoint that holds says what most segments hold (checkpoint.h); the others are read (replay.h). Sealed
 * segments tell their records in their footers. One without a footer is synced, dropped from the page cache and walked
 * (walk.h), so that only what the disk really holds counts. When no checkpoint holds, all footers are read. Nothing is
 * deleted but files that never became segments. Doing it again, or over after being killed, gives the same.
 */
#ifndef GRANARY_NODE_STORE_RECOVERY_H
#define GRANARY_NODE_STORE_RECOVERY_H

#include "node/store/engine.h"
#include "node/store/gone.h"

/* What the start found, for those who go on from there. */
struct recovery_found {
	uint64_t last_sequence; /* the highest that any record has */
	uint64_t generation;	/* of the newest checkpoint, whether it was of use or not; 0: none */
	int newest;		/* the file of the one in use; -1: none was */
	uint64_t horizon;	/* that it reaches to */
	bool replayed;		/* there was more than it covers */
	uint64_t gone_files;	/* that somebody took away, and this is the first start that misses them … */
	uint64_t gone_pieces;	/* … and the pieces in them, so far as is known */
	struct gone gone;
	struct replay_doubt *doubts; /* records that were found damaged */
	size_t doubt_count;
};

/* Read all segments into store->segments and a new store->index; `clean` as SUPER says. ERR_DENIED for a segment of
 * another store, ERR_UNSUPPORTED, ERR_IO; `why` gets a sentence. */
enum err recovery_read(struct store *store, bool clean, struct recovery_found *ret,
		       char why[STORE_MESSAGE]) WARN_UNUSED;
/* Once the list of damage is loaded: list what the start found damaged or lost. */
void recovery_list(struct store *store, struct recovery_found *found);
void recovery_found_free(struct store *store, struct recovery_found *found);
/* Give a footer to what was walked, then account for what is dead. A failure turns the store read-only. */
void recovery_seal(struct store *store);

#endif
