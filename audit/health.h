/*
 * How well a segment is, what repair has to do, and which segment comes first. Pure.
 *
 * A segment needs `required` of its pieces to be read. It is repaired when at most `repair` of them are healthy, back
 * to `success`, and at once when little more than `required` are left.
 *
 *	piece's node		healthy	 retrievable  may be had again	chance of failing before the next repair
 *	good, away briefly	yes	 yes / no     yes		p
 *	exiting, crowded	no	 yes	      yes		p
 *	suspended		no	 yes	      yes		at least 5 %
 *	away for long		no	 no	      yes		at least 50 %
 *	disqualified, lost	no	 no	      no		1
 *
 * Crowded is a piece on a network that another healthy piece of the segment is on: both go when the network does.
 *
 * Order of repairs: by the chance that fewer than `required` pieces outlast the time until the next repair, each piece
 * failing on its own with the chance of its row, where p = 1 − (1 − daily failure)^days. The chance is summed exactly,
 * piece by piece (the Poisson binomial distribution), and made an integer that fits an index: its negative logarithm
 * in hundredths of a bit, small for what is urgent. Two segments are compared by nothing else, whatever their policies.
 */
#ifndef GRANARY_AUDIT_HEALTH_H
#define GRANARY_AUDIT_HEALTH_H

#include "audit/redundancy.h"

enum piece_state {
	PIECE_GOOD = 1,
	PIECE_AWAY = 2, /* its node is offline, but not for long */
	PIECE_GONE = 3, /* its node is offline for longer than is waited for */
	PIECE_SUSPENDED = 4,
	PIECE_EXITING = 5,
	PIECE_CROWDED = 6, /* set by health_mark_crowded */
	PIECE_DISQUALIFIED = 7,
	PIECE_LOST = 8,
};
#define PIECE_STATES 9 /* for arrays by state */

/* "good"; for JSON, logs and people. Never NULL. */
const char *piece_state_name(enum piece_state state);
bool piece_is_healthy(enum piece_state state);
/* Can be downloaded now. */
bool piece_is_retrievable(enum piece_state state);
/* Can be downloaded now or when its node returns. */
bool piece_is_kept(enum piece_state state);

struct health_piece {
	enum piece_state state;
	uint32_t network; /* equal numbers: same network; 0: not compared */
};

/* Of healthy pieces on one network all but the first become PIECE_CROWDED. At most REDUNDANCY_TOTAL pieces. */
void health_mark_crowded(struct health_piece *pieces, uint32_t count);

enum health_verdict {
	HEALTH_FINE = 1,
	HEALTH_REPAIR = 2,  /* at or below the threshold */
	HEALTH_URGENT = 3,  /* … and near `required`: before all that is not */
	HEALTH_BLOCKED = 4, /* too few can be had now, but their nodes may return: try again then */
	HEALTH_LOST = 5,    /* fewer than `required` are kept anywhere */
};
const char *health_verdict_name(enum health_verdict verdict);

/* The most healthy pieces with which a segment is repaired: `repair`, though a whole segment never is. */
uint32_t health_threshold(const struct redundancy *redundancy);

struct health {
	enum health_verdict verdict;
	uint32_t healthy;
	uint32_t retrievable;
	uint32_t kept;
	uint32_t rebuild; /* pieces to make, so that `success` are healthy; 0 unless it is to be repaired */
};

/* By the number of pieces in each state. No more than `total` pieces exist afterwards, healthy ones counted: whoever
 * rebuilds replaces unhealthy pieces first, then takes numbers not used yet. */
void health_judge_counts(const struct redundancy *redundancy, const uint32_t counts[PIECE_STATES], struct health *ret);
/* By its pieces, after health_mark_crowded if networks count. */
void health_judge(const struct redundancy *redundancy, const struct health_piece *pieces, uint32_t count,
		  struct health *ret);

/* What a network's nodes are like, for the order of repairs. */
struct health_odds {
	uint32_t daily_failure; /* of a node that is good, in billionths */
	uint32_t days;		/* that a segment waits for its next repair */
};
extern const struct health_odds health_odds_default; /* 0.1 % a day, 7 days */
/* Billionths. */
#define HEALTH_CERTAIN 1000000000

/* The chance that such a segment is lost before the next repair. */
double health_chance_of_loss(const struct redundancy *redundancy, const uint32_t counts[PIECE_STATES],
			     const struct health_odds *odds);
/* Its place in the order: hundredths of a bit, the lower the sooner; 0: lost. At most HEALTH_ORDER_MAX. */
#define HEALTH_ORDER_MAX 110000
uint32_t health_order(double chance_of_loss);

#endif
