/*
 * The piece store: append-only segments, an index in memory, one committer.
 *
 * The promise: when a put's `done` says ERR_OK, the piece, its segment's directory entry and its used serial are on
 * stable storage. Reads return the bytes stored or an error, never wrong bytes. All functions may be called from any
 * thread; those that touch the disk block, so call them from a pool. doc/formats.md has the layout on disk,
 * doc/store.md the reasons.
 */
#ifndef GRANARY_NODE_STORE_STORE_H
#define GRANARY_NODE_STORE_STORE_H

#include "audit/tree.h"
#include "common/filter.h"
#include "node/store/seam.h"
#include "payments/typed.h"

struct store;
struct store_upload;
struct store_reader;

struct store_space;

#define STORE_MESSAGE 256 /* room for a sentence about what went wrong */

/* Make DIR/store for an allocation of so many bytes. segment_size 0: a power of two near allocation / 1000, from
 * 1 MiB to 1 GiB. ERR_EXISTS when there is one. `why` gets a sentence on failure, naming path and cause. */
enum err store_init(const char *dir, uint64_t allocation, uint64_t segment_size, const struct seam *seam,
		    char why[STORE_MESSAGE]) WARN_UNUSED;

enum store_index {
	STORE_INDEX_MEMORY, /* the index of all pieces in memory */
	STORE_INDEX_MAPPED, /* … in a file that is mapped, for machines short of memory */
};

#define STORE_SCRUB_NEVER UINT64_MAX

/* How to open a store; each may differ at each opening. Zero is what a daemon wants, but for the allocation. */
struct store_options {
	uint64_t allocation; /* bytes that all files together may take */
	enum store_index index;
	bool no_upkeep; /* no thread for the work behind the scenes: the caller drives each store_…_step */
	uint32_t checkpoint_seconds; /* save the index when so much time passed, … */
	uint64_t checkpoint_records; /* … or so many records were written since; 0: 900 s, a million */
	bool rebuild; /* make the index anew from the segments, whatever checkpoints say */
	uint64_t scrub_seconds;	     /* for reading everything once; 0: 30 days, STORE_SCRUB_NEVER: not at all */
	const struct id *owner;	     /* the node, whose store it must be; NULL: anybody's. For the opening only */
	/* Told now and then how far opening is, in bytes read and in all; NULL: nobody. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

/* Open it, recover what an unclean stop left, start its threads. ERR_BUSY when it is open already. */
enum err store_open(const char *dir, const struct store_options *options, const struct seam *seam, struct store **ret,
		    char why[STORE_MESSAGE]) WARN_UNUSED;
/* Commit what is complete, answer it, seal, close. Uploads must have been ended or aborted, readers freed. */
void store_close(struct store *store);

/* Write a checkpoint of the index now, so that the next start has little to read. A failure does no harm: ERR_FULL,
 * ERR_IO; ERR_READ_ONLY. */
enum err store_checkpoint(struct store *store) WARN_UNUSED;
/* Make the index and the sums anew from the segments alone, and leave a checkpoint of them; on a store that nobody has
 * open. *ret is what was found. Errors as store_open. */
enum err store_rebuild(const char *dir, const struct store_options *options, const struct seam *seam,
		       struct store_space *ret, char why[STORE_MESSAGE]) WARN_UNUSED;

/* One step of this job of the store's upkeep (a name in jobs.c), or of each in turn (NULL), due or not, in the caller's
 * thread; true when there is more to do. Without it a thread of the store's own does them when they are due. */
bool store_upkeep_step(struct store *store, const char *job);

/* The small number under which this satellite's pieces are kept; assigned durably at first use. */
enum err store_satellite(struct store *store, const struct address *satellite, uint16_t *ret) WARN_UNUSED;

/* All that have one, in the order of their numbers; the caller frees *ret. */
size_t store_satellites(struct store *store, struct address **ret);

struct store_key {
	uint16_t satellite;
	struct bytes32 piece;
};

/* Begin an upload: checks space and reserves room for `allocation->limit` bytes and a head. allocation and signature
 * are kept in the record; allocation_hash is its struct hash. ERR_FULL, ERR_READ_ONLY, ERR_EXISTS (a live piece of
 * that key), ERR_RANGE (limit over TREE_PIECE), ERR_CORRUPT and ERR_IO (cannot tell whether there is one). */
enum err store_put_begin(struct store *store, uint16_t satellite, const struct allocation *allocation,
			 const struct signature *signature, const struct bytes32 *allocation_hash,
			 struct store_upload **ret) WARN_UNUSED;
/* Write the next block: TREE_BLOCK bytes, or fewer as the last. Hashes, checksums and writes in the caller's thread;
 * the first 64 KiB are kept, the rest is not. One caller at a time per upload. ERR_LIMIT past the limit, ERR_RANGE for
 * no bytes or after a short block, ERR_READ_ONLY when the write failed. An empty piece has no blocks. */
enum err store_put_block(struct store_upload *upload, const void *data, size_t len) WARN_UNUSED;
/* The root and size of what was written so far. */
void store_put_root(const struct store_upload *upload, struct bytes32 *ret_root, uint64_t *ret_size);
/* Finish: the head is completed with the last order (NULL: none), root and stored_at (Unix seconds), and the piece
 * goes into the next group commit. done(arg, err) is called from the committer's thread after the sync; the upload is
 * gone then. ERR_EXISTS when another upload of the same key won. */
void store_put_end(struct store_upload *upload, const struct order *order, const struct signature *signature,
		   uint64_t stored_at, void (*done)(void *arg, enum err err), void *arg);
/* Give the extent back. */
void store_put_abort(struct store_upload *upload);

/* What is known of a stored piece without reading its data. */
struct store_piece {
	uint64_t size;
	uint64_t stored_at;
	uint64_t expires; /* 0: until deleted */
	struct bytes32 root;
	struct bytes32 allocation;	    /* struct hash of the allocation that put it */
	struct bytes32 blocks[TREE_BLOCKS]; /* subtree hashes, tree_blocks(size) of them */
};

/* Open a piece for reading: one read of its head (for pieces up to 64 KiB of the data too). The piece stays readable
 * until store_reader_free, whatever is deleted or moved. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
enum err store_get(struct store *store, const struct store_key *key, struct store_reader **ret) WARN_UNUSED;
const struct store_piece *store_reader_piece(const struct store_reader *reader);
/* Read `count` blocks from `block` on into out (count * TREE_BLOCK bytes), checked against their checksums;
 * *ret_len is their length together. ERR_RANGE, ERR_CORRUPT, ERR_IO. */
enum err store_reader_blocks(struct store_reader *reader, uint32_t block, uint32_t count, uint8_t *out,
			     size_t *ret_len) WARN_UNUSED;
/* The same without a copy, of a piece up to 64 KiB, which came with its head: *ret points to where the bytes are until
 * the reader is freed. ERR_UNSUPPORTED of a larger one. */
enum err store_reader_view(struct store_reader *reader, uint32_t block, uint32_t count, const uint8_t **ret,
			   size_t *ret_len) WARN_UNUSED;
void store_reader_free(struct store_reader *reader);

/* Delete durably, a damaged one too; done as in store_put_end. ERR_NOT_FOUND when there is none. *ret_size of the piece
 * may be NULL. */
enum err store_delete(struct store *store, const struct store_key *key, uint64_t *ret_size,
		      void (*done)(void *arg, enum err err), void *arg) WARN_UNUSED;

/* Into the trash: the piece keeps its bytes for seven days at least, and then goes. done as in store_put_end, but with
 * ERR_NOT_FOUND when the piece was deleted meanwhile. ERR_NOT_FOUND; ERR_EXISTS when it is there already, ERR_FULL,
 * ERR_READ_ONLY. */
enum err store_trash(struct store *store, const struct store_key *key, void (*done)(void *arg, enum err err),
		     void *arg) WARN_UNUSED;
/* Out of it again. The same errors; ERR_EXISTS when the piece is not in the trash. *ret_size of the piece may be NULL.
 * store_get finds pieces in the trash too, and restores them by itself. */
enum err store_restore(struct store *store, const struct store_key *key, uint64_t *ret_size,
		       void (*done)(void *arg, enum err err), void *arg) WARN_UNUSED;

/*
 * Damage. A piece whose bytes the disk does not give back, or not as they were, is noted for good when it is found, by
 * a read or by the scrubber, and reads as ERR_CORRUPT until it is deleted. Its satellite is to be told.
 */
struct store_loss {
	struct bytes32 piece;
	uint64_t size;
	uint64_t found; /* Unix seconds */
};
/* The satellite's damaged pieces that it has not acknowledged, oldest first; the caller frees *ret. */
size_t store_losses(struct store *store, uint16_t satellite, struct store_loss **ret);
/* The satellite acknowledged these, durably. ERR_READ_ONLY, ERR_FULL: tell it again. */
enum err store_losses_told(struct store *store, uint16_t satellite, const struct bytes32 *pieces,
			   size_t count) WARN_UNUSED;
struct store_damage {
	uint64_t pieces; /* damaged, and not yet deleted */
	uint64_t bytes;	 /* of their payload */
	uint64_t untold; /* of them: not acknowledged by their satellite */
	uint64_t found;	 /* since the store was opened */
	/* Files that the last stop left and that this opening was the first to miss, and pieces in them, so far as is
	 * known. Those that are known by name are among the damaged. */
	uint64_t gone_files, gone_pieces;
};
void store_damage(struct store *store, struct store_damage *ret);

/*
 * Checking: everything is read past the page cache, and what is damaged is noted as above. In steps, in the caller's
 * thread, beside all else that the store does; one walk belongs to one thread.
 */
struct store_check;
struct store_checked {
	uint64_t bytes;	       /* read so far, … */
	uint64_t total;	       /* … of about so many, as it stood at the start */
	uint64_t segments;     /* files begun */
	uint64_t records;      /* read */
	uint64_t pieces;       /* of them, whole */
	uint64_t damaged;      /* pieces that are not, and … */
	uint64_t found;	       /* … how many of them nobody knew of */
	uint64_t records_bad;  /* tombstones, transfers and the like */
	uint64_t segments_bad; /* files whose header does not hold; their records can be sound */
	uint64_t footers_bad;  /* … whose footer does not: their records were not read. The next start mends it */
};
struct store_check *store_check_begin(struct store *store);
void store_check_free(struct store_check *check);
/* Read about *budget bytes, at least one record, and take from *budget what was read. ERR_IO when the disk does not
 * answer. */
enum err store_check_step(struct store_check *check, uint64_t *budget, bool *ret_more) WARN_UNUSED;
void store_checked(const struct store_check *check, struct store_checked *ret);

/* The scrubber does the same all the time, slowly. */
struct store_scrub {
	uint64_t period;   /* seconds in which everything is read once; 0: never */
	uint64_t rounds;   /* completed */
	bool under_way;	   /* a round is */
	uint64_t started;  /* it, or the last one, Unix seconds; 0: there was none */
	uint64_t finished; /* the last completed one; 0: none */
	struct store_checked now; /* of the round under way, or of the last */
};
void store_scrub(struct store *store, struct store_scrub *ret);
/* About so many bytes of a round, whatever the pace says; false when it is over. */
bool store_scrub_step(struct store *store, uint64_t bytes);

/*
 * Garbage collection. A filter holds what a satellite wants kept; what is not in it, and 72 hours older than the
 * filter, goes to the trash. One that would trash more than a fifth of its shard's bytes, or of the satellite's in a
 * day, is held: nothing goes until the operator agrees, or the satellite repeats its wish a day later.
 */
struct store_collected {
	bool held;
	uint64_t held_since; /* Unix seconds, when the first wish like it came; 0: not held */
	uint64_t pieces;     /* of the satellite in the filter's shard, those in the trash too */
	uint64_t bytes;
	uint64_t unwanted_pieces; /* that are not in the filter, and old enough */
	uint64_t unwanted_bytes;
	uint64_t moved_pieces; /* into the trash, or out of it, durably */
	uint64_t moved_bytes;
};
/* Apply a filter, which is taken over if that succeeds. It waits in a queue for upkeep; then done(arg, err, result)
 * comes from upkeep's thread: ERR_OK also when it is held; ERR_CANCELLED when the store is closed first, ERR_FULL,
 * ERR_READ_ONLY. Once a filter was seen older ones are ERR_EXPIRED. ERR_LIMIT when too many wait; ERR_READ_ONLY. */
enum err store_collect(struct store *store, uint16_t satellite, struct filter *filter,
		       void (*done)(void *arg, enum err err, const struct store_collected *result),
		       void *arg) WARN_UNUSED;
/* Take all of a satellite's pieces out of the trash that came there at that moment, Unix seconds, or later (or up to a
 * day before). The same queue, answers and errors. */
enum err store_restore_since(struct store *store, uint16_t satellite, uint64_t since,
			     void (*done)(void *arg, enum err err, const struct store_collected *result),
			     void *arg) WARN_UNUSED;
/* Nobody waits any more for what was ordered with this arg: `done` does not come if this is true. The work goes on. */
bool store_collect_forget(struct store *store, void *arg);

/* What is held. */
struct store_held {
	uint16_t satellite;
	struct address address;
	uint64_t since; /* Unix seconds */
	uint64_t bytes; /* that would be trashed, … */
	uint64_t of;	/* … of so many */
	bool agreed;	/* … when the satellite asks again */
};
/* Returns how many; the caller frees *ret. */
size_t store_collect_held(struct store *store, struct store_held **ret);
/* The operator agrees: the satellite's next filters may trash what is held, and a little more.
 * ERR_NOT_FOUND when nothing is held; ERR_READ_ONLY. */
enum err store_collect_agree(struct store *store, uint16_t satellite) WARN_UNUSED;

/* Walk all live pieces, not those in the trash, in no order; stop when `each` returns false. Pieces put or deleted
 * meanwhile may be missed. */
enum err store_each(struct store *store, bool (*each)(void *arg, const struct store_key *key, uint64_t size),
		    void *arg) WARN_UNUSED;

/*
 * Compaction gives the room of dead records back: what is live in the segment that promises most moves to another one,
 * and its file is unlinked. A thread of the store's own does it step by step; these are for doing it at once.
 */
struct store_compacted {
	uint64_t copied;   /* bytes of records that were written again */
	uint64_t freed;	   /* bytes of files that were unlinked */
	uint64_t segments; /* how many files those are */
	uint64_t bad;	   /* records that are needed and cannot be read: they stay, and their segments with them */
	bool more;	   /* another step may find something to do */
};
/* One step: a few megabytes at most. A segment counts when `least` percent of it are dead; 0: as the store does by
 * itself. *ret is what this step did. ERR_READ_ONLY; ERR_FULL when there is no room even for that. */
enum err store_compact_step(struct store *store, unsigned least, struct store_compacted *ret) WARN_UNUSED;

/* Bytes; live + trash + dead + overhead + reserved + free is what the segment files take. */
struct store_space {
	uint64_t allocation;
	uint64_t live;	    /* payload of live pieces */
	uint64_t pieces;    /* how many */
	uint64_t trash;	    /* payload of pieces in the trash */
	uint64_t trashed;   /* how many */
	uint64_t dead;	    /* deleted or superseded, not yet reclaimed */
	uint64_t overhead;  /* headers, footers, heads and padding of live and trashed records, tombstones, transfers */
	uint64_t reserved;  /* of uploads under way */
	uint64_t free;	    /* in segment files, not yet given out */
	uint64_t available; /* what new pieces may still take: allocation and disk both heeded */
	uint64_t copied;    /* by compaction since the store was opened, … */
	uint64_t freed;	    /* … and what its files gave back */
	bool read_only;
	char reason[STORE_MESSAGE]; /* why read-only */
};
void store_space(struct store *store, struct store_space *ret);

/* All files together may take so many bytes from now on. Less than they take is fine: then nothing comes in until
 * enough went. How large new segments are is settled at the next opening. */
void store_resize(struct store *store, uint64_t allocation);

/* Whether the store is still where it was opened: DIR/store leads to the disk it was on, and, with `read`, the disk
 * answers. ERR_NOT_FOUND, ERR_IO, with words. Blocks. */
enum err store_present(struct store *store, bool read, char why[STORE_MESSAGE]) WARN_UNUSED;

/*
 * The same, counted from the disk: every name, size and footer is read again, and segments without a footer are walked;
 * of what the store has in memory only the index is asked which records are live. All of it agrees with store_space
 * while no upload, delete or download is under way: live, trash, dead, overhead and the counts are the same,
 * unused is reserved + free, and bytes is their sum. Upkeep rests meanwhile.
 *
 * What the filesystem gives the files is bytes + rounding + extra: the last block of each file is not full, and the
 * filesystem may keep some for itself (extents of a file in many parts, blocks given ahead of what is written).
 */
struct store_scan {
	uint64_t segments;
	uint64_t bytes;	   /* of segment files */
	uint64_t live;
	uint64_t pieces;
	uint64_t trash;
	uint64_t trashed;
	uint64_t dead;
	uint64_t overhead;
	uint64_t unused;   /* in files without a footer, where no record stands */
	uint64_t blocks;   /* bytes that the filesystem gives the segment files */
	uint64_t rounding; /* up to whole blocks of 4,096 bytes */
	int64_t extra;	   /* blocks - bytes - rounding; below 0 where the filesystem leaves zeros out */
	uint64_t strange;  /* files that look like segments and are none of the store's */
	uint64_t bad;	   /* footers that do not hold; their files' records were found by walking */
	uint64_t others;   /* bytes of the other files of the store: SUPER, checkpoints and lists */
};
/* ERR_IO when a file or directory cannot be read. */
enum err store_scan(struct store *store, struct store_scan *ret) WARN_UNUSED;

/*
 * The transfer log: used serials and last orders, in the same record framing and by the same committer. A PUT's
 * serial and order are in its piece record and need no entry; they are replayed from there. Entries survive an
 * unclean stop once synced; store_transfers_floor tells how far that is.
 */
struct store_transfer {
	uint64_t sequence; /* ascending; assigned by the store */
	struct allocation allocation;
	struct signature allocation_signature;
	struct order order; /* amount 0 and a zero signature: the serial was used, nothing ordered yet */
	struct signature order_signature;
	uint64_t at; /* Unix seconds */
	/* of an upload, read back: what its receipt says; `at` is its storedAt */
	bool is_piece;
	struct bytes32 root;
	uint64_t size;
};
/* Add an entry; a thread of the log's own writes it at once, in the order in which entries were added, and it is synced
 * with the next group commit or within a second. done(arg, err), called from that thread, says that it is written: it
 * survives the end of the process, but not yet a power cut. GET_END waits for that, so it must not wait for a sync.
 * done may be NULL. Does not block. */
void store_transfer_add(struct store *store, const struct store_transfer *transfer,
			void (*done)(void *arg, enum err err), void *arg);
/* Sync what was added so far, then visit all entries of the log and the transfers of piece records with a sequence
 * above `after` that were made at or after `since` (Unix seconds; 0: all), in ascending sequence; stop when `each`
 * returns false. Nothing is visited past a number whose record is still on its way, so the last number seen can be the
 * next `after`. For filling the ledger (after), and for rebuilding the used serials at start (since). Not from a
 * `done`. ERR_CORRUPT when some are damaged for good and the others were visited; ERR_IO when not all could be read,
 * which the next start may mend. */
enum err store_transfers_each(struct store *store, uint64_t after, uint64_t since,
			      bool (*each)(void *arg, const struct store_transfer *transfer), void *arg) WARN_UNUSED;
/* GET allocations issued before this moment (Unix seconds) are to be refused: the last start after an unclean stop,
 * when a second of the log may have been missing. 0 when there never was one. */
uint64_t store_transfers_floor(struct store *store);
/* Drop log segments whose entries all expired before this time, Unix seconds, and are at or below `sequence` (the
 * ledger has them). Compaction drops the orders of deleted pieces up to that number too; others go to the log first. */
enum err store_transfers_trim(struct store *store, uint64_t sequence, uint64_t expired_before) WARN_UNUSED;

#endif
