/*
 * A day of storage, as the satellite signs it (Usage) and the node checks it. Pure; streams, in constant memory.
 *
 * A day begins with what was carried into it: the bytes that earn, and byte-seconds that were counted on earlier days
 * for pieces that turned out to be lost (the debt). The rows say what changed. A change counts on the day on which it
 * becomes known, for as far back as it reaches: a piece whose object was committed a day after it was stored brings
 * that day along, one that is found missing takes back all since its last proof. So no day that was signed changes
 * any more, and the storage of a month is the sum of its days. What a day cannot pay back is left to the next as debt.
 *
 *	earned = carried bytes * 86400 + what began: size * (day's end - from, or to - from when it ended, too)
 *	taken  = carried debt + what ended: size * (day's end - to)
 *	byteSeconds = earned - taken, or 0 and the rest is the debt carried out
 */
#ifndef GRANARY_PAYMENTS_USAGE_H
#define GRANARY_PAYMENTS_USAGE_H

#include "common/amount.h"
#include "common/keccak.h"
#include "payments/typed.h"

#define USAGE_DAY 86400
#define USAGE_ROW 57 /* bytes of a row */

/* What changed about a piece since the last Usage. */
enum usage_change {
	USAGE_BEGAN = 1, /* it earns since `from`; `to` is 0 */
	USAGE_ENDED = 2, /* it was carried into the day, and earns up to `to` only */
	USAGE_BOTH = 3,	 /* it was not, and earns from `from` to `to` */
};

/* One row. from < day's end, from <= to <= day's end. */
struct usage_row {
	struct bytes32 piece;
	uint8_t change; /* enum usage_change */
	uint64_t size;	/* of the piece, bytes */
	uint64_t from;	/* Unix seconds */
	uint64_t to;
};
extern const struct fields usage_row_fields;

/* What goes from one day into the next; zeros before the first. */
struct usage_carried {
	uint64_t bytes;		  /* sum of the sizes of the pieces that earn */
	struct byte_seconds debt; /* to be taken off */
};

/* A day under way. Members are its own. */
struct usage_sum {
	uint64_t end;	      /* of the day */
	struct bytes32 piece; /* and from: of the row before, for the order */
	uint64_t from;
	uint32_t count;
	uint64_t carried; /* bytes carried in that have not ended */
	uint64_t began;	  /* bytes that began and did not end */
	struct byte_seconds earned;
	struct byte_seconds taken;
	struct keccak hash;
};

/* Begin a day (Unix seconds / 86400). */
void usage_begin(struct usage_sum *sum, uint32_t day, const struct usage_carried *carried);
/* Add the next row; rows come in ascending order of (piece, from). ERR_FORMAT when out of order, repeated, or no row
 * of this day; ERR_OVERFLOW; ERR_RANGE when more ends than was carried. The sum is of no more use after an error. */
enum err usage_add(struct usage_sum *sum, const struct usage_row *row) WARN_UNUSED;
/* The same for rows in their encoding, one after the other; ERR_FORMAT for a broken one. */
enum err usage_add_rows(struct usage_sum *sum, struct bytes rows) WARN_UNUSED;

/* The outcome: what the signed Usage says, and what the next day begins with. */
struct usage_day {
	struct bytes32 changes;
	struct byte_seconds stored; /* Usage.byteSeconds */
	struct usage_carried carried;
};
/* ERR_OVERFLOW when the bytes carried out do not fit. */
enum err usage_end(const struct usage_sum *sum, struct usage_day *ret) WARN_UNUSED;
/* REFUSAL_NONE when the signed Usage says the same, else REFUSAL_COMMITMENT. Its day, parties and signature are the
 * caller's to check. */
enum refusal usage_check(const struct usage_sum *sum, const struct usage *usage) WARN_UNUSED;

#endif
