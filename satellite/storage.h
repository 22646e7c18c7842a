/*
 * The books of storage: which bytes of a node earn, by hour, kept as things happen.
 *
 * Each piece that begins or ceases to earn adds to the sums of one hour, in the transaction in which that comes about;
 * so a day or a month is counted from as many rows as it has hours, and no piece is ever looked at again. As a Usage
 * does (payments/usage.h), a change counts when it becomes known, for as far back as it reaches: a piece whose object
 * is committed a day after it was stored brings that day along, one that is found missing takes back what it earned
 * since its last proof. What a day cannot pay back is taken off the next.
 *
 * All that write run inside a transaction. Times are Unix seconds, days Unix seconds / 86400.
 */
#ifndef GRANARY_SATELLITE_STORAGE_H
#define GRANARY_SATELLITE_STORAGE_H

#include "common/database.h"
#include "payments/usage.h"

/* The pieces of an object begin to earn, as of their `stored`: it was committed. */
enum err storage_begin_object(struct database *db, const struct bytes32 *version) WARN_UNUSED;
/* One more of such an object does, the same. */
enum err storage_begin_piece(struct database *db, const struct address *node, const struct bytes32 *piece) WARN_UNUSED;
/* The pieces of a segment of such an object cease to at `at`; before they are deleted. */
enum err storage_end_segment(struct database *db, const struct bytes32 *segment, uint64_t at) WARN_UNUSED;
/* One piece does; before it is marked as lost, or deleted. Nothing happens when it is lost already, or when its object
 * was not committed. */
enum err storage_end_piece(struct database *db, const struct address *node, const struct bytes32 *piece,
			   uint64_t at) WARN_UNUSED;

/* Hour (Unix seconds / 3600) in which what becomes known now counts: the current one, or the first that no closed day
 * or month holds. */
enum err storage_hour(struct database *db, uint64_t *ret) WARN_UNUSED;

/* A node's books, day by day: begin, then one day after the other. Members are its own. */
struct storage_walk {
	struct query *query;
	uint64_t day; /* the next */
	bool row;     /* one is waiting */
	struct usage_carried carried;
};
/* From `day` on, or from the end of the last closed month when that is later: see walk->day. Only one walk at a time,
 * and it must be ended. */
enum err storage_walk_begin(struct storage_walk *walk, struct database *db, const struct address *node,
			    uint64_t day) WARN_UNUSED;
/* From `day` on, counted from the first row and not from what the last closed month carried: to check that. */
enum err storage_walk_anew(struct storage_walk *walk, struct database *db, const struct address *node,
			   uint64_t day) WARN_UNUSED;
/* Byte-seconds of the next day, all of it or, when that comes first, up to `until`. */
enum err storage_walk_day(struct storage_walk *walk, uint64_t until, struct byte_seconds *ret) WARN_UNUSED;
void storage_walk_end(struct storage_walk *walk);

#endif
