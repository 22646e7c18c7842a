/*
 * The SQL of segments, of the pieces offered for one that is begun, and of the pieces of one that is committed.
 */
#ifndef GRANARY_SATELLITE_SEGMENTS_H
#define GRANARY_SATELLITE_SEGMENTS_H

#include "common/database.h"
#include "common/endpoint.h"
#include "common/message.h"

#define SEGMENTS_NUMBER_MAX 1000000 /* segments of an object */

enum segment_state {
	SEGMENT_BEGUN = 1,
	SEGMENT_COMMITTED = 2,
};

struct segment {
	struct bytes32 id;
	struct bytes32 version; /* of its object */
	uint32_t number;
	enum segment_state state;
	uint64_t plain_size; /* when committed */
	uint64_t piece_size; /* begun: the most; committed: exactly */
	uint64_t issued;     /* when the allocations of its offers were signed, */
	uint64_t expires;    /* and when they lapse */
	uint8_t wrapped_key[MESSAGE_WRAPPED_KEY];
	bool is_inline;
	size_t data_len;
	uint8_t data[MESSAGE_INLINE_MAX];
};

/* A piece that a client may upload for a segment. The signed allocation follows from it and the segment. */
struct offer {
	uint16_t number;
	struct address node;
	struct bytes32 piece;
	struct bytes32 serial;
};

/* A piece as its node's receipt describes it. */
struct stored_piece {
	uint16_t number;
	struct address node;
	struct bytes32 piece;
	struct bytes32 root;
	uint64_t size;
	uint64_t stored;
	struct bytes32 allocation;  /* its struct hash, which the node's Receipt names */
	struct signature signature; /* on that Receipt */
};

/* A piece and where it can be read. */
struct found_piece {
	uint16_t number;
	struct address node;
	struct bytes32 piece;
	struct bytes32 root;
	bool online;
	struct endpoint endpoint;
};

/* All that write run inside a transaction. */

enum err segments_insert(struct database *db, const struct segment *segment) WARN_UNUSED;
enum err segments_insert_offers(struct database *db, const struct bytes32 *segment, const struct offer *offers,
				size_t count) WARN_UNUSED;
/* By id, in any state. ERR_NOT_FOUND. */
enum err segments_get(struct database *db, const struct bytes32 *id, struct segment *ret) WARN_UNUSED;
/* The committed one of this number. ERR_NOT_FOUND. */
enum err segments_find_committed(struct database *db, const struct bytes32 *version, uint32_t number,
				 struct segment *ret) WARN_UNUSED;
/* By number, at most `room`. */
enum err segments_offers(struct database *db, const struct bytes32 *segment, struct offer *ret, size_t room,
			 size_t *ret_count) WARN_UNUSED;
/* Make a begun segment committed: its sizes and key are set, these pieces are its pieces, and the offers that are
 * not among them are deleted at their nodes once they have lapsed. ERR_EXISTS when another of this object's
 * segments with this number is committed. */
enum err segments_commit(struct database *db, const struct segment *segment, const struct stored_piece *pieces,
			 size_t count) WARN_UNUSED;
/* By number, lost ones left out, at most `room`. Online are nodes that checked in after `since` and were
 * reachable. */
enum err segments_pieces(struct database *db, const struct bytes32 *segment, uint64_t since, struct found_piece *ret,
			 size_t room, size_t *ret_count) WARN_UNUSED;

/* One more piece of a committed segment. */
enum err segments_add_piece(struct database *db, const struct bytes32 *segment,
			    const struct stored_piece *piece) WARN_UNUSED;

struct segments_sum {
	uint64_t count;
	uint64_t highest; /* number; 0 without any */
	uint64_t plain_size;
};
/* Over the committed segments of an object. */
enum err segments_sum(struct database *db, const struct bytes32 *version, struct segments_sum *ret) WARN_UNUSED;

/* Drop attempts at segments of an object that never were committed. */
enum err segments_drop_begun(struct database *db, const struct bytes32 *version) WARN_UNUSED;
/* Take apart at most `limit` segments of a removed object: pieces are queued for deletion as of `at`, and what those
 * of an object that was visible have earned is kept. *ret_left: there are more. */
enum err segments_take_apart(struct database *db, const struct bytes32 *version, bool was_visible, uint64_t at,
			     uint32_t limit, bool *ret_left) WARN_UNUSED;

#endif
