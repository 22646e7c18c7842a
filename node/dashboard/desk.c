/* Opening and closing; and writing the history, since everything that goes into it is at the desk. */
#include "node/dashboard/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "node/dashboard/html.h"

#define RECORD_SECONDS 5 /* pages may be asked for as often as one likes */

enum err desk_open(struct desk *desk, char why[LEDGER_MESSAGE])
{
	char *path = file_join(desk->dir, "ledger.db");
	enum err err = ledger_open(path, &desk->ledger, why);

	free(path);
	if (err == ERR_OK)
		err = papers_open(desk->dir, &desk->papers, why);
	if (err == ERR_OK)
		err = history_open(desk->dir, &desk->history, why);
	if (err == ERR_OK)
		err = events_open(desk->dir, &desk->events, why);
	return err;
}

void desk_close(struct desk *desk)
{
	events_close(desk->events);
	history_close(desk->history);
	papers_close(desk->papers);
	ledger_close(desk->ledger);
}

void desk_disk(const struct desk *desk, struct desk_disk *ret)
{
	char *store = file_join(desk->dir, "store");
	struct statvfs fs;
	uint64_t unit;
	int failed = statvfs(store, &fs);

	free(store);
	memset(ret, 0, sizeof(*ret));
	if (failed != 0)
		return;
	unit = fs.f_frsize;
	ret->total = fs.f_blocks * unit;
	ret->free = fs.f_bavail * unit;
	ret->kept = fs.f_bfree > fs.f_bavail ? (fs.f_bfree - fs.f_bavail) * unit : 0;
}

/* 0 to 1 as millionths. */
static uint32_t millionths(const json_t *standing, const char *name)
{
	double score = json_number_value(json_object_get(standing, name));

	return score > 0 && score <= 1 ? (uint32_t)(score * 1e6 + 0.5) : 0;
}

static void take_view(const json_t *satellite, struct history_view *view)
{
	const json_t *standing = json_object_get(satellite, "standing");

	*view = (struct history_view){.answered = json_yes(satellite, "connected"),
				      .reachable = json_yes(satellite, "reachable"),
				      .has_scores = json_is_object(standing),
				      .audit = millionths(standing, "audit"),
				      .suspension = millionths(standing, "unknown"),
				      .online = millionths(standing, "online")};
	(void)!address_from_text(json_text(satellite, "address"), &view->satellite);
}

static void take_disk(const struct desk *desk, const json_t *live, uint64_t now, struct history_disk *ret)
{
	const json_t *space = json_object_get(live, "space");
	struct desk_disk disk;

	desk_disk(desk, &disk);
	*ret = (struct history_disk){.at = now,
				     .live = json_u64(space, "live"),
				     .trash = json_u64(space, "trash"),
				     .dead = json_u64(space, "dead"),
				     .overhead = json_u64(space, "overhead"),
				     .reserved = json_u64(space, "reserved"),
				     .free = json_u64(space, "free"),
				     .available = json_u64(space, "available"),
				     .allocation = json_u64(space, "allocation"),
				     .disk_total = disk.total,
				     .disk_free = disk.free,
				     .damaged = json_u64(json_object_get(live, "damage"), "pieces")};
}

static enum err record(struct desk *desk, const json_t *live, uint64_t now)
{
	const json_t *satellites = json_object_get(live, "satellites"), *satellite;
	struct history_view *views = memory_new(json_array_size(satellites) + 1, sizeof(*views));
	struct history_disk disk;
	size_t i;
	enum err err;

	take_disk(desk, live, now, &disk);
	json_array_foreach(satellites, i, satellite)
		take_view(satellite, &views[i]);
	err = history_record(desk->history, desk->meter, &disk, views, i);
	free(views);
	return err;
}

void desk_record(struct desk *desk, const json_t *live)
{
	uint64_t now = clock_wall();
	bool same_hour = now / HISTORY_HOUR == desk->recorded / HISTORY_HOUR;
	enum err err;

	if (same_hour && now >= desk->recorded && now - desk->recorded < RECORD_SECONDS)
		return;
	err = record(desk, live, now);
	if (err == ERR_OK && json_is_array(json_object_get(live, "findings")))
		err = events_compare(desk->events, json_object_get(live, "findings"), now);
	if (err != ERR_OK && desk->record_err == ERR_OK)
		log_event(LOG_WARN, "history_not_written", "reason=%s", err_name(err));
	desk->record_err = err;
	desk->recorded = now;
}
