/*
 * Pieces that the disk damaged: a list that outlives the process, and what finding one more means.
 *
 * A read that does not match is read again past the page cache first, by whoever reads; what still does not match comes
 * here. If the disk answers otherwise (one that was pulled out damages nothing), the piece is written to the end of
 * DIR/store/DAMAGE and synced, and only then marked in the index: from then on it is answered as corrupt without a
 * read, is never copied, and is told to its satellite until that acknowledges it. Deleting it works, because the list
 * keeps what a tombstone must say; then it can be put again. Everything else in the store is as before.
 *
 * The list is appended to; the last entry of a key counts, and the file is written anew when most of it says nothing.
 */
#ifndef GRANARY_NODE_STORE_DAMAGE_H
#define GRANARY_NODE_STORE_DAMAGE_H

#include <pthread.h>

#include "node/store/segment.h"
#include "node/store/store.h"

#define DAMAGE_ENTRY 128
#define DAMAGE_MOST (1u << 20) /* pieces listed at once; past it damage is answered, not kept */

enum damage_state {
	DAMAGE_BAD = 1,	 /* found, and not acknowledged */
	DAMAGE_TOLD = 2, /* the satellite acknowledged it */
	DAMAGE_GONE = 3, /* deleted: the entry says nothing any more */
};

/* An entry of the list: the piece, and its record, as a tombstone must name it. */
struct damage_entry {
	enum damage_state state;
	struct store_key key;
	struct record_target target;
	uint64_t found; /* Unix seconds */
};
void damage_entry_encode(const struct damage_entry *entry, uint8_t out[DAMAGE_ENTRY]);
/* ERR_FORMAT when there is none, ERR_UNSUPPORTED, ERR_CORRUPT. */
enum err damage_entry_decode(const uint8_t from[DAMAGE_ENTRY], struct damage_entry *ret) WARN_UNUSED;

struct damaged;

struct damage_list {
	pthread_mutex_t lock;  /* of all below, and of the file */
	struct damaged *table; /* by key */
	int fd;		       /* -1 until something is written */
	uint64_t size;	       /* of the file */
	uint64_t end;	       /* where the next entry goes */
	uint64_t bytes; /* of the pieces' payload */
	uint64_t untold;
	uint64_t found; /* in this process */
};

void damage_init(struct damage_list *damage);
void damage_destroy(struct damage_list *damage, const struct seam *seam);
/* Read the list, once the index is complete, and mark its pieces there. What cannot be read is left out.
 * ERR_UNSUPPORTED for a list of a version to come. */
enum err damage_load(struct store *store) WARN_UNUSED;

/* Whether SUPER can be read past the page cache: a disk that is not there at all damages no piece. */
bool damage_disk_answers(struct store *store);

/* The damaged piece of that key; false when it is not listed. */
bool damage_find(struct store *store, const struct store_key *key, struct damage_entry *ret);
/* This record of a segment that the caller has pinned did not hold. Read it once more; if it still does not, list it
 * durably and mark it. ERR_OK when it holds after all; ERR_CORRUPT when it is marked, or was before; ERR_NOT_FOUND when
 * it is not the live record of its key; ERR_IO when the disk does not answer at all; ERR_FULL, ERR_LIMIT, ERR_READ_ONLY
 * when it could not be listed. */
enum err damage_mark(struct store *store, struct segment *segment, const struct segment_entry *entry) WARN_UNUSED;
/* The head at `offset` of a pinned segment, where `key` should stand, could not be read or does not hold (`err`): find
 * out whose it is, and mark it. ERR_CORRUPT when it is the key's; ERR_NOT_FOUND when it is another's; ERR_IO as
 * said, or `err` when nobody can tell. */
enum err damage_mark_head(struct store *store, struct segment *segment, uint32_t offset, const struct store_key *key,
			  enum err err) WARN_UNUSED;
/* These are lost with their files: list them durably, but those that are listed. ERR_LIMIT when not all found room;
 * ERR_READ_ONLY, ERR_FULL, and then they are listed for this process only. */
enum err damage_list_lost(struct store *store, const struct damage_entry *entries, size_t count) WARN_UNUSED;
/* The file of this segment was gone and is there again: what is listed of it and holds is not damaged. */
enum err damage_recheck(struct store *store, uint32_t segment) WARN_UNUSED;
/* It was deleted, or it is not there any more. */
void damage_forget(struct store *store, const struct store_key *key);

#endif
