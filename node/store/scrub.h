/*
 * The scrubber: a job of upkeep that reads everything once in 30 days, so that damage is found while others can repair.
 *
 * Each round is a walk over all files (verify.h). Its pace follows from what is left to read and how much of the time
 * is left, at most four times the even pace; within that, upkeep gives it little while customers come. Its place is
 * kept in DIR/store/index/scrub, so that a start goes on where the stop was. That file is nothing but a bookmark:
 * without it the round begins anew.
 */
#ifndef GRANARY_NODE_STORE_SCRUB_H
#define GRANARY_NODE_STORE_SCRUB_H

#include "node/store/verify.h"

#define SCRUB_FILE 192 /* bytes */

/* Read a bookmark; false when it is none of ours. */
bool scrub_decode(const uint8_t from[SCRUB_FILE], struct store_scrub *ret, struct verify_place *ret_place);

struct scrub;

/* What is known of a round when its pace is set. */
struct scrub_pace {
	uint64_t total;	 /* bytes of the round */
	uint64_t rest;	 /* of them, still to be read */
	uint64_t period; /* seconds for all of it, > 0 */
	uint64_t gone;	 /* seconds since it began */
};
/* Bytes that so many milliseconds allow; at least 1, so that what is small gets done too. */
uint64_t scrub_allowance(const struct scrub_pace *pace, uint64_t ms);

/* Reads the bookmark, once the segments are known. */
struct scrub *scrub_new(struct store *store);
/* Writes it. */
void scrub_free(struct scrub *scrub);
/* The job; arg is the store. */
enum upkeep_turn scrub_step(void *arg, uint64_t *budget);

#endif
