/*
 * Proof that the books are right: nothing that they say is taken from another place in them without counting it again.
 *
 *	entries		each moves between the accounts of its reason; a closed month leaves nothing owed; no balance
 *			is where it cannot be
 *	statements	signed by this satellite; every number the sum of its lines and of the entries of its month;
 *			cumulative amounts add up over months and payees
 *	lines		byte-seconds and bytes are those of the sums by hour of the month's days, and of the signed
 *			usage of each day
 *	sums by hour	storage is that of all pieces there are or were, traffic that of all settled orders, audits
 *			those of all transcripts
 *	payouts		the recorded root is that of the tree; what it covers is marked as paid, and nothing else
 */
#ifndef GRANARY_SATELLITE_BOOKS_CHECK_H
#define GRANARY_SATELLITE_BOOKS_CHECK_H

#include "satellite/desk.h"

/* Told of each thing that is wrong, in words. */
typedef void books_complain(void *arg, const char *what);

/* What was looked at. */
struct books_checked {
	uint64_t nodes;
	uint64_t months;
	uint64_t statements;
	uint64_t entries;
	uint64_t settled; /* orders */
	uint64_t pieces;  /* that are or were */
	uint64_t wrong;	  /* complaints */
};

/* In one consistent view; memory grows with nodes only. An error when the books cannot be read; wrong ones are none. */
enum err books_check(struct desk *desk, books_complain *complain, void *arg, struct books_checked *ret) WARN_UNUSED;

#endif
