/*
 * From a checkpoint and the records behind it to the index.
 *
 * What all records up to the checkpoint's horizon say is in its slots. So of the segments that it does not cover, and
 * that are read whole, a record up to the horizon says nothing new: a piece lives only if the checkpoint has a slot for
 * that very place, for else it was dead at that moment, and dead is for good, or it is a copy that compaction made.
 * That is why neither a tombstone in a covered segment nor one that compaction dropped since is ever missed.
 *
 * A slot whose segment is gone is an orphan. Compaction moved the piece, and its copy turns up among the records up to
 * the horizon; or it expired, or was deleted. An orphan's hash, size and day are not its whole key: when a record comes
 * for one that another key has taken, the checkpoint is not used at all. Footers do not guess.
 *
 * Records above the horizon apply in three rounds, so that the order of segments does not matter: pieces, the higher
 * number winning between records of one key; tombstones; then what moves pieces into the trash and out of it, in order.
 * Without a checkpoint the horizon is 0, and all records apply.
 */
#ifndef GRANARY_NODE_STORE_REPLAY_H
#define GRANARY_NODE_STORE_REPLAY_H

#include "node/store/checkpoint.h"
#include "node/store/engine.h"

/* A file of the store, as the start found it. */
struct replay_file {
	enum segment_kind kind;
	uint32_t id;
	uint32_t size;
	struct segment *segment; /* once it is one */
	bool examined;		 /* its own header and trailer were looked at */
	bool covered;		 /* by the checkpoint in use: nothing in it is read */
};

/* A record that was acknowledged, by all that is known, and does not hold. */
struct replay_doubt {
	uint32_t segment; /* its id */
	struct segment_entry entry;
};

struct replay {
	struct store *store;
	struct replay_file *files; /* in order of kind and id */
	size_t count;
	uint64_t horizon;
	struct index *loose;   /* slots of the checkpoint in segments that it does not cover; NULL: no checkpoint */
	struct index *orphans; /* … in segments that are gone, by the checkpoint's numbers */
	struct index *taken;   /* orphans that were found */
	bool ambiguous;	       /* … or cannot be told apart */
	const struct checkpoint *checkpoint;
	uint64_t last_sequence;
	uint64_t durable; /* all records up to this number were, once */
	struct replay_doubt *doubts;
	size_t doubt_count;
	size_t doubt_room;
	uint32_t parts; /* the index is filled in so many rounds, by hash, */
	uint32_t part;	/* … of which this is one */
	uint64_t done;	/* bytes, of all files, for whoever watches */
	uint64_t total;
};

/* The file of that id, or NULL. */
struct replay_file *replay_find(const struct replay *replay, enum segment_kind kind, uint32_t id);
/* Fill the index with what the checkpoint says of files that are there. ERR_CORRUPT when it is damaged or does not fit
 * them; then anything is in the index, the sums and `loose`. */
enum err replay_checkpoint(struct replay *replay, const struct checkpoint *checkpoint) WARN_UNUSED;
/* Apply the records of all files that are not covered. ERR_CORRUPT when the checkpoint does not fit them. */
enum err replay_records(struct replay *replay) WARN_UNUSED;
/* Find the records of a segment by walking it, when it has no footer that holds; false when it is blank. What it held
 * and does not hold any more is added all the same, and doubted: damage is not an upload that was cut off. */
bool replay_walk(struct replay *replay, struct segment *segment);

#endif
