/* How a satellite is, in numbers: for status and metrics. */
#ifndef GRANARY_SATELLITE_FACTS_H
#define GRANARY_SATELLITE_FACTS_H

#include "satellite/desk.h"

struct facts {
	uint64_t nodes;
	uint64_t nodes_online;
	uint64_t clients;
	uint64_t buckets;
	uint64_t objects;
	uint64_t object_bytes; /* plain */
	uint64_t uploads;      /* objects begun and not committed */
	uint64_t pieces;
	uint64_t stored_bytes; /* of pieces */
	uint64_t lost_pieces;  /* of them, by audits or by their nodes' own words */
	uint64_t deletions;    /* pieces that nodes must still be told to delete */
	uint64_t settled_bytes;
	uint64_t settled_orders;
	uint64_t repairs_urgent; /* segments in the repair queue, as the next four */
	uint64_t repairs_waiting;
	uint64_t repairs_moving;  /* only pieces of leaving nodes are to be moved */
	uint64_t repairs_blocked; /* until nodes return */
	uint64_t repairs_lost;
	uint64_t repaired; /* repairs done */
	uint64_t repaired_pieces;
	uint64_t moved_pieces;
	uint64_t repair_failures;
	uint64_t repair_read_bytes;
	uint64_t repair_stored_bytes;
};

/* One consistent view. */
enum err facts_collect(struct desk *desk, uint64_t now, struct facts *ret) WARN_UNUSED;

#endif
