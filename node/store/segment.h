/*
 * Segment files: their header, their footer, and what is known of one while the store is open.
 *
 * A segment is preallocated, filled with records from its header on, and sealed: the unused tail is cut and a footer
 * closes it, the sorted index of its records, so that starting and collecting read footers and never payloads. Bytes
 * that once held a completed head are never written again; only extents of uploads that were aborted, or turned out
 * shorter than reserved, are used again, and only after whatever head stood there was wiped. So every head that
 * checks out is true, and a walk over an unsealed segment finds all that was ever acknowledged.
 *
 * The formats are pure functions; the operations on files go through the seam. doc/formats.md, section 6.
 */
#ifndef GRANARY_NODE_STORE_SEGMENT_H
#define GRANARY_NODE_STORE_SEGMENT_H

#include <stdatomic.h>

#include "node/store/record.h"
#include "node/store/seam.h"

#define SEGMENT_HEADER 4096
#define SEGMENT_ENTRY 64
#define SEGMENT_TRAILER 64
/* What a file with one record takes besides the record. */
#define SEGMENT_LEAST_ROOM (SEGMENT_HEADER + SEGMENT_ENTRY + SEGMENT_TRAILER)
#define SEGMENT_LEAST (1u << 20)
#define SEGMENT_MOST (1u << 30)
#define SEGMENT_PATH 4096

enum segment_kind { SEGMENT_PIECES = 1, SEGMENT_TRANSFERS = 2 };
#define SEGMENT_KINDS 3 /* for arrays indexed by kind */

struct store_id {
	uint8_t b[16];
};

struct segment_header {
	struct store_id store;
	struct record_secret secret;
	enum segment_kind kind;
	uint32_t class; /* 0: data that is kept until deleted; else the day (since 1970) that all of it expires on */
	uint32_t id;
	uint64_t size; /* bytes that were preallocated */
	uint64_t created;
	uint64_t first_sequence; /* no record in it is older */
};
void segment_header_encode(const struct segment_header *header, uint8_t out[SEGMENT_HEADER]);
/* ERR_FORMAT, ERR_UNSUPPORTED, ERR_CORRUPT. */
enum err segment_header_decode(const uint8_t from[SEGMENT_HEADER], struct segment_header *ret) WARN_UNUSED;

/* One record in a footer. `size`, `extent` and `expires` are the record's own; of a tombstone, trash or restore they
 * are the offset, extent and segment of the piece it speaks of, so that they apply without reading it. */
struct segment_entry {
	uint16_t satellite;
	uint8_t type;
	struct bytes32 piece;
	uint32_t offset;
	uint64_t sequence;
	uint32_t created; /* Unix seconds */
	uint32_t size;
	uint32_t extent;
	uint32_t expires; /* Unix seconds, 0: never */
};
void segment_entry_encode(const struct segment_entry *entry, uint8_t out[SEGMENT_ENTRY]);
/* ERR_CORRUPT for a type or an offset that cannot be. */
enum err segment_entry_decode(const uint8_t from[SEGMENT_ENTRY], struct segment_entry *ret) WARN_UNUSED;
/* What a footer says of this record at this offset. */
struct segment_entry segment_entry_of(const struct record *record, uint32_t offset);

/* The last 64 bytes of a sealed file. */
struct segment_trailer {
	uint32_t id;
	uint32_t count;	     /* of entries, which stand before the trailer */
	uint32_t tombstones; /* how many of them speak of other records */
	uint32_t checksum;   /* CRC-32C of the entries */
	uint64_t first_sequence;
	uint64_t last_sequence;
	uint64_t last_expiry; /* of the records; 0 when one never expires */
};
void segment_trailer_encode(const struct segment_trailer *trailer, const struct record_secret *secret,
			    uint8_t out[SEGMENT_TRAILER]);
/* ERR_FORMAT when there is none, ERR_UNSUPPORTED, ERR_CORRUPT. */
enum err segment_trailer_decode(const uint8_t from[SEGMENT_TRAILER], const struct record_secret *secret,
				struct segment_trailer *ret) WARN_UNUSED;

/* What is known of the twin of a sealed segment. */
enum twin_state {
	TWIN_UNKNOWN, /* not looked at since the start */
	TWIN_STALE,   /* it may miss something */
	TWIN_WHOLE,
};

enum segment_state {
	SEGMENT_SPARE,	 /* made in advance, holds nothing */
	SEGMENT_OPEN,	 /* the one that takes records */
	SEGMENT_CLOSING, /* takes what still fits until nothing is on its way into it */
	SEGMENT_SEALING,
	SEGMENT_SEALED,
};

struct segment_gap {
	uint32_t offset;
	uint32_t len;
};

/* Where the bytes of a segment file go; with its free ones they add up to the file. */
struct segment_bytes {
	uint64_t live;	   /* payload of live pieces */
	uint64_t trash;	   /* payload of pieces in the trash */
	uint64_t overhead; /* header, footer, heads and padding of live and trashed records, tombstones, transfers */
	uint64_t reserved; /* extents on their way */
	uint64_t dead;
};

/*
 * One segment of an open store. Guarded by the lock of the set that it belongs to (segments.h), but for id, kind, class
 * and fd, which never change, and number, which changes when it is unlinked.
 */
struct segment {
	struct segment *next; /* in the set's list of those that take records */
	uint32_t id;
	atomic_uint number; /* its row in the set's table; what index slots hold */
	enum segment_kind kind;
	uint32_t class;
	int fd;
	enum segment_state state;
	uint32_t size;		  /* of the file, bytes */
	uint32_t planned;	  /* what was preallocated; 0: not known */
	uint32_t tail;		  /* from here on nothing was given out */
	uint32_t on_the_way;	  /* extents given out and not settled */
	uint32_t slots;		  /* entries that the footer must have room for */
	struct segment_gap *gaps; /* given back, in order of offset (room.h) */
	size_t gap_count;
	size_t gap_room;
	struct segment_entry *entries; /* of settled records; NULL once they can be read from the footer */
	size_t entry_count;
	size_t entry_room;
	uint32_t pieces; /* live ones */
	uint32_t trashed;
	uint16_t reap_day; /* before this day nothing here expires or leaves the trash; 0: not known */
	struct segment_bytes bytes;
	struct segment_trailer trailer; /* once sealed */
	bool suspect;			/* its footer did not hold: no checkpoint is to cover it */
	bool drained;			/* compaction copied all that was live in it */
	uint32_t kept;			/* compaction could not read all of it: its live pieces then, + 1; else 0 */
	uint64_t reviewed;		/* segments unlinked before its tombstones were last looked at, + 1; 0: never */
	uint64_t used;			/* of an expiry class: the set's count when it last took a record */
	uint64_t group;			/* the committer's: the last group that synced it */
	bool ghost;			/* the file is gone, this is its twin (gone.h); while a start is under way */
	int twin_fd;			/* of a segment that takes records (twin.h); -1: none */
	size_t twin_count;		/* entries that were written there */
	bool twin_busy;			/* somebody writes there */
	enum twin_state twin_state;
	atomic_uint pins;		/* one of the set, one of each reader; the last one out closes the file */
};

#define SEGMENT_SUFFIX ".seg"

/* "DIR/0000002a.seg". */
void segment_path(const char *dir, uint32_t id, char out[SEGMENT_PATH]);
/* The id that a file's name stands for; false for other names. */
bool segment_name(const char *name, uint32_t *ret);
/* The ids of all files in a directory that are named so, or so with another suffix (twin.h), in order, each once. The
 * caller frees *ret, after a failure too. */
enum err segment_list_ids(const struct seam *seam, const char *dir, const char *suffix, uint32_t **ret,
			  size_t *ret_count) WARN_UNUSED;
/* Whether such a list has this one. */
bool segment_has_id(const uint32_t *ids, size_t count, uint32_t id);

/* Make the file durably: preallocated, its header synced, its directory synced. On failure it is gone again. */
enum err segment_create(const struct seam *seam, const char *dir, const struct segment_header *header,
			struct segment **ret) WARN_UNUSED;
/* An object for a file that is open already. */
struct segment *segment_new(uint32_t id, enum segment_kind kind, uint32_t class, int fd);
void segment_free(const struct seam *seam, struct segment *segment);

/* Note a record; the caller holds the set's lock, or is alone. */
void segment_add_entry(struct segment *segment, const struct segment_entry *entry);
/* Bytes that may still be given out. */
uint64_t segment_free_bytes(const struct segment *segment);

/* Write pads over the gaps, the footer from `at` on, cut the file there, sync. Touches neither state nor counters;
 * sorts the entries. `pads` false leaves the gaps alone. */
enum err segment_write_footer(const struct seam *seam, struct segment *segment, const struct record_secret *secret,
			      uint32_t at, bool pads, struct segment_trailer *ret) WARN_UNUSED;
/* Read and check the footer of a file of so many bytes. ERR_FORMAT when it is not sealed; ERR_CORRUPT; ERR_IO. The
 * caller frees *ret_entries. */
enum err segment_read_footer(const struct seam *seam, int fd, uint64_t size, uint32_t id,
			     const struct record_secret *secret, struct segment_trailer *ret,
			     struct segment_entry **ret_entries) WARN_UNUSED;

#endif
