/*
 * Twins: what a segment of pieces holds, kept once more beside it, in case its file or its footer is lost.
 *
 * The twin of segments/0000002a.seg is twins/0000002a.twin: a header, and an entry for each record, as the footer will
 * have it. It is made durably once the segment is, before any record can be acknowledged, grows behind each group
 * commit without a sync of its own, and is synced when the segment is sealed. It is taken away durably before its
 * segment is. So a twin without a segment says that a file is gone, after a power cut too, and what was in it.
 *
 * Twins are a second line: one that cannot be written fails nothing, and the keeper of twins (twins_step) makes up for
 * it. What a gone file's records say of others still binds; once its pieces are listed as lost that is kept as
 * twins/0000002a.gone, which also tells a file that came back. doc/formats.md, section 6.10.
 */
#ifndef GRANARY_NODE_STORE_TWIN_H
#define GRANARY_NODE_STORE_TWIN_H

#include "node/store/segment.h"
#include "node/store/upkeep.h"

#define TWIN_HEADER 32
#define TWIN_ENTRY (SEGMENT_ENTRY + 8)

/* Where the twins of a store are. */
struct twins {
	const struct seam *seam;
	char dir[SEGMENT_PATH];
	struct store_id store;
	struct record_secret secret;
};

void twin_header_encode(const struct store_id *store, uint32_t id, uint8_t out[TWIN_HEADER]);
/* ERR_FORMAT, ERR_UNSUPPORTED; ERR_DENIED for another store's; ERR_CORRUPT for another segment's. */
enum err twin_header_check(const uint8_t from[TWIN_HEADER], const struct store_id *store, uint32_t id) WARN_UNUSED;
void twin_entry_encode(const struct segment_entry *entry, const struct record_secret *secret, uint32_t id,
		       uint8_t out[TWIN_ENTRY]);
/* ERR_CORRUPT when it does not hold for this segment. */
enum err twin_entry_decode(const uint8_t from[TWIN_ENTRY], const struct record_secret *secret, uint32_t id,
			   struct segment_entry *ret) WARN_UNUSED;

enum twin_kind {
	TWIN_PROPER,
	TWIN_GIVEN_UP,
};
/* "DIR/0000002a.twin", "DIR/0000002a.gone". */
void twin_path(const struct twins *twins, enum twin_kind kind, uint32_t id, char out[SEGMENT_PATH]);
/* The ids of all of a kind, in order, each once; the caller frees *ret, after a failure too. */
enum err twin_list(const struct twins *twins, enum twin_kind kind, uint32_t **ret, size_t *ret_count) WARN_UNUSED;

/* Make an empty one, durably. */
enum err twin_create(const struct twins *twins, uint32_t id, int *ret_fd) WARN_UNUSED;
/* Write entries behind the first `from`; not synced. */
enum err twin_append(const struct twins *twins, int fd, uint32_t id, const struct segment_entry *entries, size_t count,
		     size_t from) WARN_UNUSED;
/* Make it anew with all these entries, whole or not at all. */
enum err twin_write(const struct twins *twins, uint32_t id, const struct segment_entry *entries,
		    size_t count) WARN_UNUSED;
/* The same of a file that is given up; its twin proper goes. */
enum err twin_give_up(const struct twins *twins, uint32_t id, const struct segment_entry *entries,
		      size_t count) WARN_UNUSED;
/* All entries that hold; the caller frees *ret. ERR_NOT_FOUND, ERR_IO, and the errors of the header. */
enum err twin_read(const struct twins *twins, enum twin_kind kind, uint32_t id, struct segment_entry **ret,
		   size_t *ret_count) WARN_UNUSED;
/* Take it away, durably. Fine when there is none. */
enum err twin_remove(const struct twins *twins, enum twin_kind kind, uint32_t id) WARN_UNUSED;

/* The job of upkeep: the twin of a sealed segment that has none that is whole, as those that an older version made. */
enum upkeep_turn twins_step(void *arg, uint64_t *budget);

#endif
