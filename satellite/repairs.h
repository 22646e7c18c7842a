/*
 * The repair queue: segments at or below their threshold, those with pieces that move away, and those that cannot be
 * repaired now, which are kept until they can.
 *
 * A row says where its segment stands in the order of repairs. Repairers of any process claim the first that is due for
 * a while, so that the work of one that died is free again by itself. All writes run inside a transaction unless said
 * otherwise. Times are Unix seconds.
 */
#ifndef GRANARY_SATELLITE_REPAIRS_H
#define GRANARY_SATELLITE_REPAIRS_H

#include "satellite/lease.h"
#include "satellite/segment_health.h"

#define REPAIRS_WHY 300
#define REPAIRS_LEASE 900 /* seconds; longer than any repair */

/* Keep what the judgement means: the segment is queued, its row brought up to date, or taken out, and its number of
 * healthy pieces noted with it. A row whose segment changed is due at once. */
enum err repairs_judge(struct database *db, const struct segment_health *health, uint64_t now) WARN_UNUSED;
/* The segment is no more, or not yet. */
enum err repairs_forget(struct database *db, const struct bytes32 *segment) WARN_UNUSED;

/* Whether that would change nothing; whether forgetting would not. No transaction is needed. */
enum err repairs_is_current(struct database *db, const struct segment_health *health, bool *ret) WARN_UNUSED;
enum err repairs_is_forgotten(struct database *db, const struct bytes32 *segment, bool *ret) WARN_UNUSED;

/* What a repairer may do. */
struct repair_pace {
	struct lease_holder holder;
	uint64_t now;
	uint64_t now_ms;
	uint64_t bandwidth; /* bytes a second, of all repairers together; 0: no limit */
};
/* Claim the first segment that is due, in a transaction of its own. While the bandwidth of earlier ones is not used up,
 * only an urgent one. ERR_NOT_FOUND when there is nothing to do. */
enum err repairs_claim(struct database *db, const struct repair_pace *pace, struct bytes32 *ret) WARN_UNUSED;
/* So many bytes are about to be moved. */
enum err repairs_charge(struct database *db, const struct repair_pace *pace, uint64_t bytes) WARN_UNUSED;
/* It did not work out: free again, to be tried later, the later the more often it failed. */
enum err repairs_fail(struct database *db, const struct bytes32 *segment, uint64_t now, const char *why) WARN_UNUSED;
/* Nothing went wrong, but it must wait so many seconds: free again then. */
enum err repairs_postpone(struct database *db, const struct bytes32 *segment, uint64_t due,
			  const char *why) WARN_UNUSED;

/* What was done; added to the sums of this hour. */
struct repair_sums {
	uint64_t segments, rebuilt, moved, failed, bytes_read, bytes_stored;
};
enum err repairs_count(struct database *db, uint64_t now, const struct repair_sums *sums) WARN_UNUSED;

/* A row of the queue, for people. */
struct repair_row {
	struct bytes32 segment;
	enum health_verdict verdict;
	uint32_t place, healthy, retrievable, moving, tries;
	uint64_t since, due;
	bool claimed;
	const char *why; /* dies with the call */
};
typedef enum err repairs_visit(const struct repair_row *row, void *arg);
/* In the order of repairs, at most `limit`. The database must not be used inside. */
enum err repairs_each(struct database *db, uint64_t now, uint32_t limit, repairs_visit *visit, void *arg) WARN_UNUSED;

/* The whole queue, and what was ever done. In a view. */
struct repair_facts {
	uint64_t by_verdict[HEALTH_LOST + 1]; /* HEALTH_FINE: only pieces that move away */
	uint64_t oldest;		      /* since when one that can be repaired waits; 0: none */
	struct repair_sums done;
};
enum err repairs_facts(struct database *db, struct repair_facts *ret) WARN_UNUSED;

/* How many segments were last found with how many healthy pieces, by that number; UINT32_MAX: not looked at yet. */
enum err repairs_histogram(struct database *db, enum err (*each)(uint32_t healthy, uint64_t segments, void *arg),
			   void *arg) WARN_UNUSED;

#endif
