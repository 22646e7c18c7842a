/*
 * All segments of a store: who takes the next record, which ones are full, and where their bytes go.
 *
 * Per kind one segment is open. A record that does not fit makes the next one open: a spare that was made in advance,
 * so that rolling over costs no sync, or a new file. The full one is closing: smaller records and extents given back
 * still find room there while uploads into it are on their way; then the keeper (keeper.h) seals it. A piece larger
 * than a whole segment gets a file of its own size.
 *
 * One lock guards the lists and counters; no file is touched under it. Rows of the table can be pinned without it.
 */
#ifndef GRANARY_NODE_STORE_SEGMENTS_H
#define GRANARY_NODE_STORE_SEGMENTS_H

#include "node/store/health.h"
#include "node/store/index.h"
#include "node/store/segment.h"
#include "node/store/sequence.h"
#include "node/store/twin.h"

struct segments;

struct segments_config {
	const struct seam *seam;
	struct health *health;
	struct sequence *sequence;
	const char *dirs[SEGMENT_KINDS]; /* by kind; copied */
	const struct twins *twins;	 /* copied */
	struct store_id store;
	struct record_secret secret;
	uint32_t segment_size;
	uint64_t allocation;
};

struct segments *segments_new(const struct segments_config *config);
/* Closes all files. Nothing may be pinned. */
void segments_free(struct segments *set);
/* Add one that was found at start: sealed, or a spare. Ids are never used again. */
void segments_add(struct segments *set, struct segment *segment);
/* For one that was found sealed, or was walked: write the footer that is missing, and count the rest as dead. */
void segments_settle_found(struct segments *set, struct segment *segment);
/* From now on all files together may take so many bytes. */
void segments_set_allocation(struct segments *set, uint64_t allocation);
uint64_t segments_allocation(const struct segments *set);
/* New ids start here, or after the highest one added. */
void segments_set_next_id(struct segments *set, uint32_t id);
uint32_t segments_next_id(struct segments *set);

/* Room for one record. */
struct extent {
	struct segment *segment;
	uint32_t offset;
	uint32_t len;
};
struct segments_need {
	enum segment_kind kind;
	uint32_t class; /* see segments_class_of */
	uint32_t len;
	bool urgent; /* gets room where there is none for uploads, see below: deleting must work in a full store */
};
/* The class for a piece that expires then, Unix seconds; 0: that of those that never do. */
uint32_t segments_class_of(const struct segments *set, uint64_t expires);
/* ERR_FULL when neither segments nor allocation nor disk have room; ERR_READ_ONLY. */
enum err segments_reserve(struct segments *set, const struct segments_need *need, struct extent *ret) WARN_UNUSED;
/* The extent is not wanted after all. Whatever head was written there must have been wiped before. */
void segments_release(struct segments *set, const struct extent *extent);
/* Only `len` bytes of it are. The head must have been written. */
void segments_shorten(struct segments *set, struct extent *extent, uint32_t len);
/* The record that stands there is durable. */
void segments_settle(struct segments *set, const struct extent *extent, const struct record *record);
/* The same for a copy, which the footer is to name like this; entry->offset is the extent's. */
void segments_settle_entry(struct segments *set, const struct extent *extent, const struct segment_entry *entry);
/* The piece whose slot this was died, in the trash or not; `extent` bytes are dead. */
void segments_bury(struct segments *set, struct segment *segment, const struct index_place *gone, uint32_t extent);
/* The slot, as it was before, was changed like this: into the trash or out of it. */
void segments_note_mark(struct segments *set, struct segment *segment, const struct index_place *before,
			const struct index_change *change);

/* One pin more on a segment that the caller has pinned. */
void segments_pin_again(struct segment *segment);
/* Pin the segment of a row of the table; it must be known to be in use. Takes the set as void * for index_find. */
void segments_pin(void *set, uint32_t number);
struct segment *segments_row(struct segments *set, uint32_t number);
void segments_unpin(struct segments *set, struct segment *segment);
/* The first segment with records of pieces in row *row or after it, pinned, and its row; NULL: there is none. */
struct segment *segments_next(struct segments *set, uint32_t *row);
/* The segment of that id, pinned, or NULL. */
struct segment *segments_find(struct segments *set, enum segment_kind kind, uint32_t id);
/* All segments, pinned; give them back with segments_unlist. */
struct segment **segments_list(struct segments *set, size_t *ret_count);
void segments_unlist(struct segments *set, struct segment **list, size_t count);
/* Visit all segments at one moment; `each` must not call the set. */
void segments_visit(struct segments *set, void (*each)(void *arg, const struct segment *segment), void *arg);
/* The settled records of a segment, a copy in new memory. ERR_CORRUPT, ERR_IO. */
enum err segments_entries(struct segments *set, struct segment *segment, struct segment_entry **ret,
			  size_t *ret_count) WARN_UNUSED;
/* Its footer does not hold. No checkpoint covers it any more, so the next start walks it and writes a new one. False
 * when that was known. */
bool segments_suspect(struct segments *set, struct segment *segment);
/* Sealed, and all records in it have numbers above `sequence`. */
bool segments_begins_after(struct segments *set, struct segment *segment, uint64_t sequence);
/* Sealed, and no record in it has a number above `sequence`. */
bool segments_ends_before(struct segments *set, struct segment *segment, uint64_t sequence);
/* … and all of them expired before that time, Unix seconds. */
bool segments_is_over(struct segments *set, struct segment *segment, uint64_t sequence, uint64_t expired_before);
/* Sealed, and all its records are of pieces that expired before that time, Unix seconds. */
bool segments_is_expired(struct segments *set, struct segment *segment, uint64_t before);
/* Whether something here may be due on that day, or it is not known. If so its reap_day is open again: whoever looks
 * notes the days that he finds. */
bool segments_is_due(struct segments *set, struct segment *segment, uint16_t day);
void segments_note_due(struct segments *set, struct segment *segment, uint16_t day);
/* No more records for classes of days before that one. */
void segments_close_classes(struct segments *set, uint32_t before);
/* Take a sealed segment out of the table and unlink its file, durably; readers keep it until they are done. A failure
 * turns the store read-only. */
enum err segments_unlink(struct segments *set, struct segment *segment) WARN_UNUSED;
/* Take one out of the table that has no file. */
void segments_forget(struct segments *set, struct segment *segment);

/* Tell the twins what settled since. From the committer's thread. */
void segments_note_twins(struct segments *set);
/* The same of one that is about to be sealed, durably. From the keeper's thread. */
void segments_finish_twin(struct segments *set, struct segment *segment);
/* TWIN_WHOLE too when it needs none: it is not sealed, or holds no pieces. */
enum twin_state segments_twin_state(struct segments *set, struct segment *segment);
void segments_twin_is_whole(struct segments *set, struct segment *segment);

/*
 * Compaction's segment, the target. Copies are not mixed with uploads: they are old and live long, and uploads must not
 * wait for their syncs. One at a time is open; it has the class of the segments copied from. When it cannot be made the
 * emergency segment becomes it: a spare kept from the beginning, so that deletes and compaction work on a full disk,
 * where tombstones go into the target too.
 */
/* Room for a copy in the target, which is made if need be. ERR_FULL; ERR_READ_ONLY; ERR_RANGE for a record larger than
 * any target. */
enum err segments_reserve_copy(struct segments *set, uint32_t class, uint32_t len, struct extent *ret) WARN_UNUSED;
/* Which segment is to be compacted next. */
struct segments_wish {
	/* Percent of a segment's bytes that must be dead for it to count; 0: half, less when much is dead in all or
	 * room is short. */
	unsigned least;
};
/* The one that promises most room for the least copying, older ones first; pinned. NULL when none is worth it. */
struct segment *segments_choose(struct segments *set, const struct segments_wish *wish);
/* Something in this sealed segment is needed and cannot be read: it stays until a piece in it died. */
void segments_keep(struct segments *set, struct segment *segment);
/* Its tombstones were looked at, and too few of them can go. */
void segments_note_review(struct segments *set, struct segment *segment);
/* Whether all that was live in it has moved away; if so it is not chosen again. */
bool segments_drain(struct segments *set, struct segment *segment);

/* Bytes of all files, by what they are for: live + trash + overhead + reserved + dead + free == files. */
struct segments_space {
	struct segment_bytes bytes;
	uint64_t pieces;
	uint64_t trashed;     /* pieces in the trash */
	uint64_t free;	      /* in files that take records, and in spares */
	uint64_t free_pieces; /* of that, for pieces */
	uint64_t files;
	uint64_t growth; /* that the allocation still lets the files grow by */
};
void segments_space(struct segments *set, struct segments_space *ret);

/* For the keeper. What is there to do? Waits unless `stop` is set. */
enum segments_job { SEGMENTS_STOP, SEGMENTS_SEAL, SEGMENTS_MAKE_SPARE };
enum segments_job segments_wait_job(struct segments *set, struct segment **ret);
void segments_seal(struct segments *set, struct segment *segment);
void segments_make_spare(struct segments *set);
/* Close what is open, and let the keeper stop once all is sealed that can be. */
void segments_finish(struct segments *set);
/* Whether nothing takes records any more. */
bool segments_all_sealed(struct segments *set);
/* Wait until the keeper has nothing to do. */
void segments_wait_idle(struct segments *set);

#endif
