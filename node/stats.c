/* The table of the node's metrics. */
#include "node/stats.h"

#define REQUESTS "granary_node_requests_total"
#define REQUESTS_HELP "Requests begun, by verb."
#define COLLECTED "granary_node_collected_pieces_total"
#define COLLECTED_HELP "Pieces that satellites moved into the trash and out of it."
#define BYTES "granary_node_payload_bytes_total"
#define ORDERS "granary_node_orders"

static const struct metric table[STAT_COUNT] = {
	[STAT_PUTS] = {REQUESTS, "verb=\"put\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_GETS] = {REQUESTS, "verb=\"get\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_PROVES] = {REQUESTS, "verb=\"prove\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_DELETES] = {REQUESTS, "verb=\"delete\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_COLLECTS] = {REQUESTS, "verb=\"collect\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_RESTORES] = {REQUESTS, "verb=\"restore\"", METRIC_COUNTER, REQUESTS_HELP},
	[STAT_TRASHED] = {COLLECTED, "to=\"trash\"", METRIC_COUNTER, COLLECTED_HELP},
	[STAT_RESTORED] = {COLLECTED, "to=\"live\"", METRIC_COUNTER, COLLECTED_HELP},
	[STAT_REFUSED] = {"granary_node_refusals_total", NULL, METRIC_COUNTER, "Requests refused."},
	[STAT_SLOW] = {"granary_node_slow_total", NULL, METRIC_COUNTER,
		       "Requests dropped because the peer was too slow."},
	[STAT_BYTES_IN] = {BYTES, "direction=\"in\"", METRIC_COUNTER, "Payload of pieces received and sent."},
	[STAT_BYTES_OUT] = {BYTES, "direction=\"out\"", METRIC_COUNTER, "Payload of pieces received and sent."},
	[STAT_SESSIONS] = {"granary_node_sessions", NULL, METRIC_GAUGE, "Channels that are open."},
	[STAT_ALLOCATION] = {"granary_node_allocation_bytes", NULL, METRIC_GAUGE, "Space allotted to the node."},
	[STAT_USED] = {"granary_node_used_bytes", NULL, METRIC_GAUGE,
		       "Space taken by pieces, live and dead, and heads."},
	[STAT_AVAILABLE] = {"granary_node_available_bytes", NULL, METRIC_GAUGE, "Space for new pieces."},
	[STAT_PIECES] = {"granary_node_pieces", NULL, METRIC_GAUGE, "Live pieces."},
	[STAT_TRASH] = {"granary_node_trash_bytes", NULL, METRIC_GAUGE, "Payload of pieces in the trash."},
	[STAT_TRASH_PIECES] = {"granary_node_trash_pieces", NULL, METRIC_GAUGE, "Pieces in the trash."},
	[STAT_HELD] = {"granary_node_held_satellites", NULL, METRIC_GAUGE,
		       "Satellites whose collection waits for the operator."},
	[STAT_READ_ONLY] = {"granary_node_read_only", NULL, METRIC_GAUGE, "1 when the store takes no more writes."},
	[STAT_DAMAGED] = {"granary_node_damaged_pieces", NULL, METRIC_GAUGE, "Pieces that the disk damaged."},
	[STAT_UNTOLD] = {"granary_node_untold_losses", NULL, METRIC_GAUGE,
			 "Damaged pieces that their satellite has not acknowledged."},
	[STAT_SCRUBBED] = {"granary_node_scrubbed_bytes", NULL, METRIC_GAUGE, "Read in this round of the scrubber."},
	[STAT_SCRUB_TOTAL] = {"granary_node_scrub_total_bytes", NULL, METRIC_GAUGE, "To be read in this round."},
	[STAT_SCRUB_ROUNDS] = {"granary_node_scrub_rounds", NULL, METRIC_GAUGE, "Rounds completed."},
	[STAT_SCRUB_FINISHED] = {"granary_node_scrub_finished_seconds", NULL, METRIC_GAUGE,
				 "Unix time of the end of the last round; 0: none."},
	[STAT_IN_FLIGHT] = {"granary_node_in_flight_bytes", NULL, METRIC_GAUGE, "Memory reserved for transfers."},
	[STAT_SERIALS] = {"granary_node_used_allocations", NULL, METRIC_GAUGE, "Allocations remembered as used."},
	[STAT_ORDERS_UNSETTLED] = {ORDERS, "state=\"unsettled\"", METRIC_GAUGE, "Orders in the ledger, by state."},
	[STAT_ORDERS_SETTLED] = {ORDERS, "state=\"settled\"", METRIC_GAUGE, "Orders in the ledger, by state."},
	[STAT_ORDERS_REJECTED] = {ORDERS, "state=\"rejected\"", METRIC_GAUGE, "Orders in the ledger, by state."},
	[STAT_UNSETTLED_SINCE] = {"granary_node_unsettled_since_seconds", NULL, METRIC_GAUGE,
				  "Unix time of the unsettled order that has waited longest; 0: none."},
	[STAT_SETTLE_BY] = {"granary_node_settle_by_seconds", NULL, METRIC_GAUGE,
			    "Unix time by which the next order must be settled; 0: none."},
	[STAT_OVERDUE] = {"granary_node_orders_overdue", NULL, METRIC_GAUGE,
			  "1: orders wait for more than two hours; 2: some lapse within twelve hours."},
};

struct metrics *stats_new(void)
{
	return metrics_new(table, STAT_COUNT);
}
