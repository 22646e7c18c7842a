/*
 * What this node did and how it was, hour by hour: DIR/history.db.
 *
 * Hours are kept for 35 days, then made days, which are kept for 400; so the file stays small (some megabytes) whatever
 * goes on. It is the page's memory and nothing else: no money hangs on it, and the node runs without it.
 *
 * Belongs to one thread at a time. Times are Unix seconds, sizes bytes.
 */
#ifndef GRANARY_NODE_DASHBOARD_HISTORY_H
#define GRANARY_NODE_DASHBOARD_HISTORY_H

#include "common/database.h"
#include "node/meter.h"

#define HISTORY_HOUR 3600
#define HISTORY_DAY 86400
#define HISTORY_HOURS_KEPT (35 * HISTORY_DAY)
#define HISTORY_DAYS_KEPT (400 * HISTORY_DAY)

struct history;

/* Open or make the database; one that is damaged is put aside and begun anew. A sentence goes to `why`. */
enum err history_open(const char *dir, struct history **ret, char why[DATABASE_MESSAGE]) WARN_UNUSED;
void history_close(struct history *history);

/* The disk, as it is now; the last of an hour, or of a day, stays. Allocation 0: the store is not there, nothing is
 * known. */
struct history_disk {
	uint64_t at;
	uint64_t live, trash, dead, overhead, reserved, free, available, allocation;
	uint64_t disk_total, disk_free;
	uint64_t damaged; /* pieces */
};
/* How one satellite sees this node, as of now. Scores are millionths. */
struct history_view {
	struct address satellite;
	bool has_scores;
	uint32_t audit, suspension, online;
	bool answered, reachable; /* the last check-in */
};

/* Add what the meter has, and how things are, to the hour that holds disk->at; once an hour what is old is made days or
 * dropped. */
enum err history_record(struct history *history, struct meter *meter, const struct history_disk *disk,
			const struct history_view *views, size_t view_count) WARN_UNUSED;

/*
 * Reading. Walks go by time; an error of `each` ends them and is handed back.
 */
struct history_range {
	uint64_t from, until;		 /* [from, until) */
	uint64_t step;			 /* seconds of a point: rows are summed up, or the last of them taken */
	const struct address *satellite; /* NULL: all */
};
struct history_traffic {
	uint64_t at; /* start of the point */
	enum action action;
	uint64_t outcomes[METER_OUTCOMES];
	uint64_t bytes;
};
enum err history_each_traffic(struct history *history, const struct history_range *range,
			      enum err (*each)(void *arg, const struct history_traffic *point), void *arg) WARN_UNUSED;
/* Durations of one action of all satellites. */
struct history_latency {
	uint64_t at;
	uint64_t durations[METER_CLASSES];
};
enum err history_each_latency(struct history *history, const struct history_range *range, enum action action,
			      enum err (*each)(void *arg, const struct history_latency *point), void *arg) WARN_UNUSED;
enum err history_each_disk(struct history *history, const struct history_range *range,
			   enum err (*each)(void *arg, const struct history_disk *point), void *arg) WARN_UNUSED;
struct history_seen {
	uint64_t at;
	struct history_view view;  /* the last of the point */
	uint64_t looks, reachable; /* how often it was noted, and found reachable */
};
enum err history_each_view(struct history *history, const struct history_range *range,
			   enum err (*each)(void *arg, const struct history_seen *point), void *arg) WARN_UNUSED;

#endif
