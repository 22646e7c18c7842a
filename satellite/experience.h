/*
 * What clients went through with a node, summed up so that no client can sink one.
 *
 * Pure: what was seen and the time go in, a record for audit/select.h comes out. Every client belongs to one of sixteen
 * juries, by its address. A node has a sum in each jury from which it was seen; sums fade by half in two days. Each
 * jury counts as a few transfers at most, whatever the zeal of its members: so one client alone costs a node a part of
 * its quality, and a sixteenth of what all together could once all were heard.
 *
 * How long transfers took is held against the middle one of the same report, in thousandths: a client with a slow line
 * is slow with all nodes alike. A client with which most nodes fail has a trouble of its own, and its failures say
 * nothing.
 */
#ifndef GRANARY_SATELLITE_EXPERIENCE_H
#define GRANARY_SATELLITE_EXPERIENCE_H

#include "audit/select.h"
#include "common/message.h"

#define EXPERIENCE_JURIES 16
#define EXPERIENCE_HALF_LIFE (2 * 86400) /* seconds */
#define EXPERIENCE_JURY_WEIGHT 5	 /* transfers that a jury counts as at most */
#define EXPERIENCE_TYPICAL 1000		 /* the middle pace */

/* One jury's sum of one node, in thousandths of a transfer. */
struct experience {
	uint64_t at; /* Unix seconds, as of when it is faded */
	uint64_t succeeded;
	uint64_t failed;
	uint64_t timed; /* transfers whose pace is known, … */
	uint64_t pace;	/* … and their paces together */
};

/* A transfer of a report. */
struct experience_seen {
	enum transfer_outcome outcome;
	uint32_t ms;
	/* set by experience_weigh */
	bool succeeded, failed;
	uint32_t pace; /* 0: says nothing */
};

unsigned experience_jury(const struct address *client);
/* What the transfers of one report say, held against each other. */
void experience_weigh(struct experience_seen *seen, size_t count);
/* Fade the sum to `now`; add a transfer that was weighed. */
void experience_fade(struct experience *sum, uint64_t now);
void experience_add(struct experience *sum, const struct experience_seen *seen);

/* All juries of a node together, each of little weight. Zeroed at first; add one after the other, faded. */
void experience_hear(struct experience *all, const struct experience *jury);
/* What select_quality takes of that, with EXPERIENCE_TYPICAL. */
struct select_record experience_record(const struct experience *all);

#endif
