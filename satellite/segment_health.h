/*
 * One committed segment with all that is known of its pieces and their nodes, judged by audit/health.h: what the
 * checker looks at, and what the repairer plans with.
 */
#ifndef GRANARY_SATELLITE_SEGMENT_HEALTH_H
#define GRANARY_SATELLITE_SEGMENT_HEALTH_H

#include "audit/health.h"
#include "common/endpoint.h"
#include "satellite/desk.h"
#include "satellite/reputations.h"

#define SEGMENT_HEALTH_NETWORK 64

/* A row of `pieces`. */
struct judged_piece {
	uint16_t number;
	struct address node;
	struct bytes32 piece;
	struct bytes32 root;
	enum piece_state state;
	bool confessed; /* lost by its node's own word, not by an audit */
	char network[SEGMENT_HEALTH_NETWORK];
	bool online;
	struct endpoint endpoint; /* when it is */
};

struct segment_health {
	struct bytes32 segment;
	uint64_t plain_size;
	uint64_t piece_size;
	uint64_t expires; /* of its object; 0: never */
	struct redundancy redundancy;
	struct judged_piece pieces[REDUNDANCY_TOTAL]; /* by number */
	uint32_t count;
	uint32_t counts[PIECE_STATES];
	struct health health;
	uint32_t place; /* in the order of repairs: health_order */
};

/* What a node's state, and whether it is there, make of a piece on it. `reached` is when it last was. Pure. */
enum piece_state segment_health_of_node(const struct settings *settings, enum node_state state, bool online,
					uint64_t reached, uint64_t now);

/* Large: keep it off small stacks. ERR_NOT_FOUND when there is no such segment, it is kept in the metadata, or its
 * object is not visible. One query and two more: inside a view or a transaction. */
enum err segment_health_read(const struct desk *desk, const struct bytes32 *segment, uint64_t now,
			     struct segment_health *ret) WARN_UNUSED;

#endif
