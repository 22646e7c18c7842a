/*
 * How durable a network is: its rules run over virtual nodes in virtual time, day by day. Pure.
 *
 * The nodes that get pieces are chosen by audit/select.h, and when a segment is repaired, how many pieces that takes
 * and which segment comes first is decided by audit/health.h: the very functions that a satellite calls. Virtual are
 * only the drives, which fail, leave and are replaced as audit/drives.h has it.
 *
 * What fails on a day fails before that day's repairs. Pieces of a node that leaves are copied to others at once. A
 * segment whose health reaches the threshold on day d is repaired on day d + delay, from what is left by then, unless
 * fewer pieces than it needs are kept: it is lost. With a limit on bandwidth, what is not done on a day waits for the
 * next, the segments in most danger first. At the beginning the network is in full swing: segments stand anywhere
 * between whole and the threshold, as often as they will later.
 *
 * Because the lives of drives do not depend on segments they are known beforehand, and so is the day on which a segment
 * will reach its threshold; only segments that are due are ever looked at. A run takes memory of four bytes per piece
 * and time by the number of repairs. The same plan gives the same result, on every machine.
 */
#ifndef GRANARY_AUDIT_SIMULATE_H
#define GRANARY_AUDIT_SIMULATE_H

#include "audit/redundancy.h"

#define SIMULATE_CERTAIN 1000000000 /* chances and shares are in billionths */
#define SIMULATE_YEAR 365	    /* days */

enum simulate_model {
	SIMULATE_CONSTANT = 1, /* every drive fails with the same chance every day */
	SIMULATE_BATHTUB = 2,  /* three times as often when new, falling for 90 days, and more and more from the fourth
				* year on: once more the chance with each year, up to four times */
	SIMULATE_NETWORKS = 3, /* half of the failures take all nodes of a network at once */
};

struct simulate_plan {
	uint32_t nodes;
	uint32_t network_nodes; /* on one network */
	bool share_networks;	/* pieces of a segment may be on one network */
	uint32_t years;
	uint32_t segments;
	struct redundancy redundancy;
	enum simulate_model model;
	uint32_t daily_failure; /* chance of a drive */
	uint32_t churn;		/* share of nodes that leave in good order, each year */
	uint32_t exit_days;	/* that these stay until their pieces have moved */
	uint32_t outage;	/* share of nodes lost at once, each year */
	uint32_t repair_delay;	/* days */
	uint64_t bandwidth;	/* bytes a second that all repairs together move; 0: no limit */
	uint32_t new_nodes;	/* percent of pieces that go to nodes that are not vetted */
	uint64_t seed;
};
/* 10,000 nodes, 0.05 % a day, 29/52/80/110, a million segments, ten years. */
extern const struct simulate_plan simulate_defaults;

/* Whether it can be run; if not, `why` gets a sentence that names what is wrong. ERR_RANGE. */
enum err simulate_check(const struct simulate_plan *plan, char *why, size_t room) WARN_UNUSED;

/* A twelfth of a year. */
struct simulate_month {
	uint64_t failures; /* of drives, by all causes */
	uint64_t repairs;
	uint64_t lost;	  /* segments */
	uint32_t lowest;  /* fewest healthy pieces of a segment that was repaired or lost; 0 when none was */
	uint32_t waiting; /* most segments that were due and had to wait */
};

struct simulate_result {
	uint64_t failures; /* of drives, by the model */
	uint64_t outages;  /* drives lost in outages */
	uint64_t exits;
	uint64_t repairs;
	uint64_t downloaded; /* pieces */
	uint64_t uploaded;
	uint64_t moved;	      /* pieces, copied from nodes that left to others */
	uint64_t lost;	      /* segments */
	uint32_t min_healthy; /* lowest health ever seen */
	uint32_t month_count;
	struct simulate_month *months;
};

/* Run it. The plan must pass simulate_check. */
void simulate_run(const struct simulate_plan *plan, struct simulate_result *ret);
void simulate_result_free(struct simulate_result *result);

double simulate_failures_per_day(const struct simulate_plan *plan, const struct simulate_result *result);
double simulate_repairs_per_segment_year(const struct simulate_plan *plan, const struct simulate_result *result);
/* Pieces downloaded and uploaded ÷ those that the customers' data itself would fill. */
double simulate_traffic_per_stored_byte_year(const struct simulate_plan *plan, const struct simulate_result *result);
/* The chance that a segment is lost within a year, by this run; when none was lost, the largest that the run does not
 * contradict: with a higher one, it would have lost one in 95 of 100 cases. */
double simulate_loss_per_segment_year(const struct simulate_plan *plan, const struct simulate_result *result);

/* The same on paper, for nodes that fail independently and without a limit on bandwidth. */
struct simulate_estimate {
	double failures_per_day;
	double repairs_per_segment_year; /* 365 p / ln(success/repair), longer by the delay */
	double traffic_per_stored_byte_year;
	double loss_per_segment_year; /* below 1e-300: 0 */
};
void simulate_estimate(const struct simulate_plan *plan, struct simulate_estimate *ret);

/* −log10 of a chance of loss, at most 300. */
double simulate_nines(double loss);

#endif
