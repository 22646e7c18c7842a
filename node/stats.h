/* What the node counts: its metrics, by name. A new one is a member here and a row in stats.c, in the same order. */
#ifndef GRANARY_NODE_STATS_H
#define GRANARY_NODE_STATS_H

#include "common/metrics.h"

enum stat {
	STAT_PUTS,
	STAT_GETS,
	STAT_PROVES,
	STAT_DELETES,
	STAT_REFUSED,
	STAT_SLOW,
	STAT_BYTES_IN,
	STAT_BYTES_OUT,
	STAT_SESSIONS,
	/* filled in when they are asked for */
	STAT_ALLOCATION,
	STAT_USED,
	STAT_AVAILABLE,
	STAT_PIECES,
	STAT_READ_ONLY,
	STAT_DAMAGED,
	STAT_UNTOLD,
	STAT_SCRUBBED,
	STAT_SCRUB_TOTAL,
	STAT_SCRUB_ROUNDS,
	STAT_SCRUB_FINISHED,
	STAT_IN_FLIGHT,
	STAT_SERIALS,
	STAT_ORDERS_UNSETTLED,
	STAT_ORDERS_SETTLED,
	STAT_ORDERS_REJECTED,
	STAT_COUNT,
};

struct metrics *stats_new(void);

#endif
