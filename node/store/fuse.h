/*
 * The fuse of garbage collection: how much a satellite may have trashed before somebody looks.
 *
 * A satellite that lost its memory would ask for everything to be thrown away. So a filter that wants more than a fifth
 * of its shard's bytes, or with which more than a fifth of the satellite's bytes would go within a round, is held:
 * nothing goes. What is held goes when the operator agrees, or when the satellite repeats its wish (each is signed) a
 * day or more later, for a tenth and 16 MiB more than was held at most; a larger wish is held anew. A round is what
 * comes within a day of its first filter, so that many small rounds are one. Pure, but for time; doc/formats.md,
 * section 6.8.
 */
#ifndef GRANARY_NODE_STORE_FUSE_H
#define GRANARY_NODE_STORE_FUSE_H

#include "common/bytes.h"

#define FUSE_PART 5	   /* more than one in so many bytes blows it */
#define FUSE_ROWS_MOST 800 /* satellites */
#define FUSE_FILE_MOST 131072
#define FUSE_REPEAT_SECONDS 86400u

/* What is remembered of one satellite; it survives restarts. */
struct fuse_row {
	uint16_t satellite;
	uint64_t time;	  /* of the newest filter */
	uint64_t begun;	  /* Unix seconds, when its round began; 0: never */
	uint64_t total;	  /* the satellite's bytes then */
	uint64_t trashed; /* since then */
	bool held;
	bool agreed;	      /* by the operator, or by a repeat: `left` bytes may go */
	uint8_t held_bits;    /* the prefix bits of the filters that are held */
	uint8_t held_map[32]; /* which shards are */
	uint64_t held_time;   /* of the filters */
	uint64_t held_since;  /* Unix seconds, when the first of them came */
	uint64_t held_bytes;  /* that they want trashed, … */
	uint64_t held_of;     /* … of so many */
	uint64_t left;	      /* of what was agreed to */
};

struct fuse {
	struct fuse_row *rows;
	size_t count;
	size_t room;
};

/* A filter, held against the store. */
struct fuse_wish {
	uint64_t now;  /* Unix seconds */
	uint64_t time; /* the filter's */
	uint8_t bits;
	uint8_t shard;
	uint64_t shard_bytes; /* of the satellite's pieces in the shard, in the trash or not */
	uint64_t bytes;	      /* that are not in the filter, and would be trashed */
	uint64_t total;	      /* the satellite's bytes; counts when fuse_begins says so */
};

void fuse_free(struct fuse *fuse);
/* The satellite's row, which is made; NULL when there are too many. Valid until the next call. */
struct fuse_row *fuse_row(struct fuse *fuse, uint16_t satellite);
/* Whether a filter that comes now begins a round, so that the satellite's bytes must be counted. */
bool fuse_begins(const struct fuse_row *row, uint64_t now);
/* Whether what is wished may be done; if not, it is held from now on. The row changes either way. */
bool fuse_allows(struct fuse_row *row, const struct fuse_wish *wish);
/* So many bytes were trashed. */
void fuse_note(struct fuse_row *row, uint64_t bytes);
/* The operator agrees to what is held; false when nothing is. */
bool fuse_agree(struct fuse_row *row);

/* The file that keeps it; the caller frees *ret. */
void fuse_encode(const struct fuse *fuse, uint8_t **ret, size_t *ret_len);
/* ERR_FORMAT, ERR_UNSUPPORTED, ERR_CORRUPT. */
enum err fuse_decode(struct bytes from, struct fuse *ret) WARN_UNUSED;

#endif
