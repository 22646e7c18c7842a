/*
 * Checkpoints: the index as it was at some moment, so that a start need not read all footers.
 *
 * Two generations are kept. A checkpoint is a shortcut and never the truth: one that is damaged, or that does not fit
 * the segment files that are there, is passed over, and in the end the footers are read. It names all segments of its
 * moment. Those that it covers were sealed, and all that they say was in the index, so they need not be read; all
 * others are read whole (replay.h). doc/formats.md, section 6.9, has every byte.
 */
#ifndef GRANARY_NODE_STORE_CHECKPOINT_H
#define GRANARY_NODE_STORE_CHECKPOINT_H

#include "node/store/index.h"
#include "node/store/segment.h"

#define CHECKPOINT_HEADER 64
#define CHECKPOINT_SLOT 16
#define CHECKPOINT_EDIT 32
#define CHECKPOINT_ROW 96
#define CHECKPOINT_END 128
#define CHECKPOINT_GENERATIONS 2 /* files checkpoint-0 and checkpoint-1, in turns */

/* A segment as it was. */
struct checkpoint_row {
	uint32_t number; /* its row of the segment table, as the slots name it */
	uint32_t id;
	enum segment_kind kind;
	bool covered; /* sealed, and all that it says is in the slots */
	uint32_t class;
	uint32_t size; /* bytes of the file */
	uint32_t planned;
	uint32_t pieces; /* live ones */
	uint32_t trashed;
	struct segment_bytes bytes; /* live, trash, overhead */
	struct segment_trailer trailer;
};
void checkpoint_row_encode(const struct checkpoint_row *row, uint8_t out[CHECKPOINT_ROW]);
/* ERR_CORRUPT for what cannot be. */
enum err checkpoint_row_decode(const uint8_t from[CHECKPOINT_ROW], struct checkpoint_row *ret) WARN_UNUSED;

/* The last bytes of the file. */
struct checkpoint_end {
	struct store_id store;
	uint64_t generation; /* the higher one is the newer */
	uint64_t created;    /* Unix seconds */
	uint64_t horizon;    /* what all records up to this number say is in the slots */
	uint64_t slots;
	uint64_t edits;
	uint32_t rows;
	uint32_t slots_crc;
	uint32_t edits_crc;
	uint32_t rows_crc;
	uint64_t newest_record; /* Unix seconds, of the newest piece or transfer record */
};
void checkpoint_end_encode(const struct checkpoint_end *end, const struct record_secret *secret,
			   uint8_t out[CHECKPOINT_END]);
/* ERR_FORMAT, ERR_UNSUPPORTED, ERR_CORRUPT. */
enum err checkpoint_end_decode(const uint8_t from[CHECKPOINT_END], const struct record_secret *secret,
			       struct checkpoint_end *ret) WARN_UNUSED;
/* The first bytes: what the file is, and its generation. */
void checkpoint_header_encode(const struct checkpoint_end *end, uint8_t out[CHECKPOINT_HEADER]);

void checkpoint_slot_encode(const struct index_slot *slot, uint8_t out[CHECKPOINT_SLOT]);
void checkpoint_edit_encode(const struct index_edit *edit, uint8_t out[CHECKPOINT_EDIT]);
/* CRC-32C in steps: begin with UINT32_MAX, and complement the last. */
uint32_t checkpoint_crc(uint32_t crc, const void *data, size_t len);

/* A file that is being read. */
struct checkpoint {
	const struct seam *seam;
	int fd;
	uint64_t size;
	struct checkpoint_end end;
	struct checkpoint_row *rows;	     /* in ascending order of number */
	const struct checkpoint_row **by_id; /* … of kind and id */
};
/* "DIR/index/checkpoint-0", for a store's directory. */
void checkpoint_path(const char *dir, int which, char out[SEGMENT_PATH]);
/* Open it, and read all but the slots and edits. ERR_NOT_FOUND, ERR_FORMAT, ERR_UNSUPPORTED, ERR_CORRUPT (of another
 * store, too), ERR_IO. */
enum err checkpoint_open(const struct seam *seam, const char *path, const struct record_secret *secret,
			 const struct store_id *store, struct checkpoint *ret) WARN_UNUSED;
/* Fine for a zeroed one. */
void checkpoint_close(struct checkpoint *checkpoint);
/* Visit the slots, then the edits; ERR_CORRUPT when `each` refuses one, or the sum does not hold at the end. */
enum err checkpoint_each_slot(const struct checkpoint *checkpoint,
			      bool (*each)(void *arg, const struct index_slot *slot), void *arg) WARN_UNUSED;
enum err checkpoint_each_edit(const struct checkpoint *checkpoint,
			      bool (*each)(void *arg, const struct index_edit *edit), void *arg) WARN_UNUSED;
/* The row of that segment, or NULL. */
const struct checkpoint_row *checkpoint_find(const struct checkpoint *checkpoint, enum segment_kind kind, uint32_t id);

#endif
