/*
 * A random week of a store in fast motion: uploads by the hour, 27 of 100 cancelled half-way, pieces that expire,
 * pieces that are deleted, and upkeep in between; on a disk in memory, by a clock that is set by hand (hands.h).
 *
 * Each day the store's counters are held against a scan of the disk, and at the end each piece is read. What does not
 * hold ends the process with a line on stderr.
 */
#ifndef GRANARY_TESTS_KIT_WEEK_H
#define GRANARY_TESTS_KIT_WEEK_H

#include <stdint.h>

struct week_plan {
	uint32_t seed;
	uint64_t allocation; /* three eighths of it are live most of the time */
	uint64_t segment_size;
	unsigned uploads; /* an hour */
};

struct week_result {
	uint64_t put;	 /* bytes of pieces, in all */
	uint64_t copied; /* bytes, by compaction */
	uint64_t live;	 /* bytes of pieces at the end */
	double worst;	 /* share of the files that was dead, at the hour when it was most */
	double mean;	 /* … on average of the last five days */
};

void week_live(const struct week_plan *plan, struct week_result *ret);

#endif
