/*
 * Every row has its span: an hour or a day. A row of an hour is added to while the hour lasts; making days of hours is
 * one statement per table. Points are made by SQL, too, so that no walk is longer than what is shown.
 */
#include "node/dashboard/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"

#define HISTORY_FILE "history.db"

static const struct migration migrations[] = {
	{1, "CREATE TABLE traffic ("
	    "  span @int NOT NULL,"
	    "  at @int NOT NULL,"
	    "  satellite @bytes NOT NULL,"
	    "  action @int NOT NULL,"
	    "  done @int NOT NULL,"
	    "  lost @int NOT NULL,"
	    "  failed @int NOT NULL,"
	    "  bytes @int NOT NULL,"
	    "  PRIMARY KEY (span, at, satellite, action)"
	    ") @strict;"
	    "CREATE TABLE durations ("
	    "  span @int NOT NULL,"
	    "  at @int NOT NULL,"
	    "  action @int NOT NULL,"
	    "  class @int NOT NULL,"
	    "  number @int NOT NULL,"
	    "  PRIMARY KEY (span, at, action, class)"
	    ") @strict;"
	    "CREATE TABLE disk ("
	    "  span @int NOT NULL,"
	    "  at @int NOT NULL,"
	    "  live @int NOT NULL, trash @int NOT NULL, dead @int NOT NULL, overhead @int NOT NULL,"
	    "  reserved @int NOT NULL, free @int NOT NULL, available @int NOT NULL, allocation @int NOT NULL,"
	    "  disk_total @int NOT NULL, disk_free @int NOT NULL, damaged @int NOT NULL,"
	    "  PRIMARY KEY (span, at)"
	    ") @strict;"
	    "CREATE TABLE views ("
	    "  span @int NOT NULL,"
	    "  at @int NOT NULL,"
	    "  satellite @bytes NOT NULL,"
	    "  audit @int, suspension @int, online @int," /* NULL: not told */
	    "  answered @int NOT NULL,"
	    "  looks @int NOT NULL,"
	    "  reachable @int NOT NULL,"
	    "  PRIMARY KEY (span, at, satellite)"
	    ") @strict;"},
};

struct history {
	struct database *db;
	uint64_t tidied; /* the hour in which old rows were last looked for */
};

static enum err open_database(const char *path, struct database **ret, char why[DATABASE_MESSAGE])
{
	return database_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), ret, why);
}

/* Keep what is damaged for whoever wants to look at it, under another name. */
static void put_aside(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	size_t room = strlen(path) + 32;
	char *from = memory_new(1, room), *to = memory_new(1, room);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(from, room, "%s%s", path, ends[i]);
		snprintf(to, room, "%s.damaged%s", path, ends[i]);
		(void)rename(from, to);
	}
	free(from);
	free(to);
}

enum err history_open(const char *dir, struct history **ret, char why[DATABASE_MESSAGE])
{
	struct history *history = memory_new(1, sizeof(*history));
	char *path = file_join(dir, HISTORY_FILE);
	enum err err = open_database(path, &history->db, why);

	if (err == ERR_CORRUPT) {
		put_aside(path);
		err = open_database(path, &history->db, why);
	}
	free(path);
	if (err == ERR_OK)
		*ret = history;
	else
		free(history);
	return err;
}

void history_close(struct history *history)
{
	if (history == NULL)
		return;
	database_close(history->db);
	free(history);
}

/* Recording. */

struct record {
	const struct history_disk *disk;
	const struct history_view *views;
	size_t view_count;
	struct meter_row *rows;
	size_t row_count;
	uint64_t hour;
	bool tidy;
};

static enum err write_durations(struct database *db, const struct record *record, const struct meter_row *row)
{
	enum err err = ERR_OK;

	for (unsigned i = 0; i < METER_CLASSES && err == ERR_OK; i++) {
		struct query *q;

		if (row->durations[i] == 0)
			continue;
		q = database_query(db, "INSERT INTO durations (span, at, action, class, number) "
				       "VALUES (3600, $at, $action, $class, $number) "
				       "ON CONFLICT (span, at, action, class) DO UPDATE SET "
				       "number = durations.number + excluded.number");
		query_int(q, "at", record->hour);
		query_int(q, "action", row->action);
		query_int(q, "class", i);
		query_int(q, "number", row->durations[i]);
		err = query_run(q);
	}
	return err;
}

static enum err write_traffic(struct database *db, const struct record *record, const struct meter_row *row)
{
	struct query *q = database_query(
		db, "INSERT INTO traffic (span, at, satellite, action, done, lost, failed, bytes) "
		    "VALUES (3600, $at, $satellite, $action, $done, $lost, $failed, $bytes) "
		    "ON CONFLICT (span, at, satellite, action) DO UPDATE SET done = traffic.done + excluded.done, "
		    "lost = traffic.lost + excluded.lost, failed = traffic.failed + excluded.failed, "
		    "bytes = traffic.bytes + excluded.bytes");
	enum err err;

	query_int(q, "at", record->hour);
	query_address(q, "satellite", &row->satellite);
	query_int(q, "action", row->action);
	query_int(q, "done", row->outcomes[METER_DONE]);
	query_int(q, "lost", row->outcomes[METER_LOST]);
	query_int(q, "failed", row->outcomes[METER_FAILED]);
	query_int(q, "bytes", row->bytes);
	err = query_run(q);
	return err == ERR_OK ? write_durations(db, record, row) : err;
}

static enum err write_disk(struct database *db, const struct record *record)
{
	const struct history_disk *disk = record->disk;
	struct query *q = database_query(
		db, "INSERT INTO disk (span, at, live, trash, dead, overhead, reserved, free, available, allocation, "
		    "disk_total, disk_free, damaged) VALUES (3600, $at, $live, $trash, $dead, $overhead, $reserved, "
		    "$free, $available, $allocation, $total, $disk_free, $damaged) ON CONFLICT (span, at) DO UPDATE "
		    "SET live = excluded.live, trash = excluded.trash, dead = excluded.dead, "
		    "overhead = excluded.overhead, reserved = excluded.reserved, free = excluded.free, "
		    "available = excluded.available, allocation = excluded.allocation, "
		    "disk_total = excluded.disk_total, disk_free = excluded.disk_free, damaged = excluded.damaged");

	query_int(q, "at", record->hour);
	query_int(q, "live", disk->live);
	query_int(q, "trash", disk->trash);
	query_int(q, "dead", disk->dead);
	query_int(q, "overhead", disk->overhead);
	query_int(q, "reserved", disk->reserved);
	query_int(q, "free", disk->free);
	query_int(q, "available", disk->available);
	query_int(q, "allocation", disk->allocation);
	query_int(q, "total", disk->disk_total);
	query_int(q, "disk_free", disk->disk_free);
	query_int(q, "damaged", disk->damaged);
	return query_run(q);
}

static void bind_score(struct query *q, const char *name, const struct history_view *view, uint32_t score)
{
	if (view->has_scores)
		query_int(q, name, score);
	else
		query_null(q, name);
}

static enum err write_view(struct database *db, const struct record *record, const struct history_view *view)
{
	struct query *q = database_query(
		db, "INSERT INTO views (span, at, satellite, audit, suspension, online, answered, looks, reachable) "
		    "VALUES (3600, $at, $satellite, $audit, $suspension, $online, $answered, 1, $reachable) "
		    "ON CONFLICT (span, at, satellite) DO UPDATE SET audit = excluded.audit, "
		    "suspension = excluded.suspension, online = excluded.online, answered = excluded.answered, "
		    "looks = views.looks + 1, reachable = views.reachable + excluded.reachable");

	query_int(q, "at", record->hour);
	query_address(q, "satellite", &view->satellite);
	bind_score(q, "audit", view, view->audit);
	bind_score(q, "suspension", view, view->suspension);
	bind_score(q, "online", view, view->online);
	query_int(q, "answered", view->answered);
	query_int(q, "reachable", view->answered && view->reachable);
	return query_run(q);
}

/* Hours that begin before `before`, which starts a day, into days; days before `drop` away. */
static enum err make_days(struct database *db, uint64_t before, uint64_t drop)
{
	static const char *const statements[] = {
		"INSERT INTO traffic (span, at, satellite, action, done, lost, failed, bytes) "
		"SELECT 86400, at / 86400 * 86400, satellite, action, SUM(done), SUM(lost), SUM(failed), SUM(bytes) "
		"FROM traffic WHERE span = 3600 AND at < $before GROUP BY at / 86400, satellite, action "
		"ON CONFLICT (span, at, satellite, action) DO UPDATE SET done = traffic.done + excluded.done, "
		"lost = traffic.lost + excluded.lost, failed = traffic.failed + excluded.failed, "
		"bytes = traffic.bytes + excluded.bytes",
		"INSERT INTO durations (span, at, action, class, number) "
		"SELECT 86400, at / 86400 * 86400, action, class, SUM(number) FROM durations "
		"WHERE span = 3600 AND at < $before GROUP BY at / 86400, action, class "
		"ON CONFLICT (span, at, action, class) DO UPDATE SET number = durations.number + excluded.number",
		"INSERT INTO disk (span, at, live, trash, dead, overhead, reserved, free, available, allocation, "
		"disk_total, disk_free, damaged) SELECT 86400, at / 86400 * 86400, live, trash, dead, overhead, "
		"reserved, free, available, allocation, disk_total, disk_free, damaged FROM disk AS hours "
		"WHERE span = 3600 AND at < $before AND at = (SELECT MAX(at) FROM disk AS others WHERE span = 3600 "
		"AND others.at / 86400 = hours.at / 86400) ON CONFLICT (span, at) DO NOTHING",
		"INSERT INTO views (span, at, satellite, audit, suspension, online, answered, looks, reachable) "
		"SELECT 86400, at / 86400 * 86400, satellite, audit, suspension, online, answered, "
		"(SELECT SUM(looks) FROM views AS o WHERE o.span = 3600 AND o.satellite = v.satellite "
		"AND o.at / 86400 = v.at / 86400), (SELECT SUM(reachable) FROM views AS o WHERE o.span = 3600 "
		"AND o.satellite = v.satellite AND o.at / 86400 = v.at / 86400) FROM views AS v "
		"WHERE span = 3600 AND at < $before AND at = (SELECT MAX(at) FROM views AS o WHERE o.span = 3600 "
		"AND o.satellite = v.satellite AND o.at / 86400 = v.at / 86400) "
		"ON CONFLICT (span, at, satellite) DO NOTHING",
		"DELETE FROM traffic WHERE span = 3600 AND at < $before",
		"DELETE FROM durations WHERE span = 3600 AND at < $before",
		"DELETE FROM disk WHERE span = 3600 AND at < $before",
		"DELETE FROM views WHERE span = 3600 AND at < $before",
	};
	static const char *const drops[] = {
		"DELETE FROM traffic WHERE span = 86400 AND at < $drop",
		"DELETE FROM durations WHERE span = 86400 AND at < $drop",
		"DELETE FROM disk WHERE span = 86400 AND at < $drop",
		"DELETE FROM views WHERE span = 86400 AND at < $drop",
	};
	enum err err = ERR_OK;

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]) && err == ERR_OK; i++) {
		struct query *q = database_query(db, statements[i]);

		query_int(q, "before", before);
		err = query_run(q);
	}
	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]) && err == ERR_OK; i++) {
		struct query *q = database_query(db, drops[i]);

		query_int(q, "drop", drop);
		err = query_run(q);
	}
	return err;
}

static enum err write_record(struct database *db, void *arg)
{
	const struct record *record = arg;
	uint64_t at = record->disk->at;
	enum err err = record->disk->allocation > 0 ? write_disk(db, record) : ERR_OK;

	for (size_t i = 0; i < record->row_count && err == ERR_OK; i++)
		err = write_traffic(db, record, &record->rows[i]);
	for (size_t i = 0; i < record->view_count && err == ERR_OK; i++)
		err = write_view(db, record, &record->views[i]);
	if (err == ERR_OK && record->tidy && at > HISTORY_DAYS_KEPT)
		err = make_days(db, (at - HISTORY_HOURS_KEPT) / HISTORY_DAY * HISTORY_DAY, at - HISTORY_DAYS_KEPT);
	return err;
}

enum err history_record(struct history *history, struct meter *meter, const struct history_disk *disk,
			const struct history_view *views, size_t view_count)
{
	struct record record = {
		.disk = disk, .views = views, .view_count = view_count, .hour = disk->at / HISTORY_HOUR * HISTORY_HOUR};
	struct meter_row row;
	size_t room = 0;
	enum err err;

	record.tidy = history->tidied != record.hour;
	while (meter_take(meter, &row)) {
		record.rows = memory_grow(record.rows, &room, record.row_count + 1, sizeof(*record.rows));
		record.rows[record.row_count++] = row;
	}
	err = database_transaction(history->db, write_record, &record);
	if (err == ERR_OK)
		history->tidied = record.hour;
	free(record.rows);
	return err;
}

/* Reading. */

static void bind_range(struct query *q, const struct history_range *range)
{
	query_int(q, "from", range->from);
	query_int(q, "until", range->until);
	query_int(q, "step", range->step);
}

static void bind_satellite(struct query *q, const struct history_range *range)
{
	if (range->satellite != NULL)
		query_address(q, "satellite", range->satellite);
	else
		query_null(q, "satellite");
}

enum err history_each_traffic(struct history *history, const struct history_range *range,
			      enum err (*each)(void *arg, const struct history_traffic *point), void *arg)
{
	struct query *q = database_query(
		history->db,
		"SELECT at / $step * $step AS point, action, SUM(done), SUM(lost), SUM(failed), SUM(bytes) "
		"FROM traffic WHERE at >= $from AND at < $until "
		"AND ($satellite IS NULL OR satellite = $satellite) "
		"GROUP BY at / $step * $step, action ORDER BY point, action");
	bool row = false;
	enum err err;

	bind_range(q, range);
	bind_satellite(q, range);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		struct history_traffic point = {query_get_int(q, 0),
						(enum action)query_get_int(q, 1),
						{query_get_int(q, 2), query_get_int(q, 3), query_get_int(q, 4)},
						query_get_int(q, 5)};

		err = each(arg, &point);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}

enum err history_each_latency(struct history *history, const struct history_range *range, enum action action,
			      enum err (*each)(void *arg, const struct history_latency *point), void *arg)
{
	struct query *q =
		database_query(history->db, "SELECT at / $step * $step AS point, class, SUM(number) FROM durations "
					    "WHERE at >= $from AND at < $until AND action = $action "
					    "GROUP BY at / $step * $step, class ORDER BY point");
	struct history_latency point = {0};
	bool row = false;
	enum err err;

	bind_range(q, range);
	query_int(q, "action", action);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		uint64_t at = query_get_int(q, 0), class = query_get_int(q, 1);

		if (point.at != 0 && point.at != at) {
			err = each(arg, &point);
			point = (struct history_latency){0};
		}
		point.at = at;
		if (class < METER_CLASSES)
			point.durations[class] = query_get_int(q, 2);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err == ERR_OK && point.at != 0 ? each(arg, &point) : err;
}

enum err history_each_disk(struct history *history, const struct history_range *range,
			   enum err (*each)(void *arg, const struct history_disk *point), void *arg)
{
	struct query *q = database_query(
		history->db,
		"SELECT at / $step * $step, live, trash, dead, overhead, reserved, free, available, "
		"allocation, disk_total, disk_free, damaged FROM disk WHERE at IN (SELECT MAX(at) FROM disk "
		"WHERE at >= $from AND at < $until GROUP BY at / $step) ORDER BY at");
	bool row = false;
	enum err err;

	bind_range(q, range);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		struct history_disk point = {query_get_int(q, 0), query_get_int(q, 1),	query_get_int(q, 2),
					     query_get_int(q, 3), query_get_int(q, 4),	query_get_int(q, 5),
					     query_get_int(q, 6), query_get_int(q, 7),	query_get_int(q, 8),
					     query_get_int(q, 9), query_get_int(q, 10), query_get_int(q, 11)};

		err = each(arg, &point);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}

/* The last row of each point has the scores; of the looks there are sums. */
enum err history_each_view(struct history *history, const struct history_range *range,
			   enum err (*each)(void *arg, const struct history_seen *point), void *arg)
{
	struct query *q = database_query(
		history->db, "SELECT v.at / $step * $step, v.satellite, v.audit, v.suspension, v.online, v.answered, "
			     "s.looks, s.reachable FROM views AS v JOIN (SELECT satellite, MAX(at) AS last, "
			     "SUM(looks) AS looks, SUM(reachable) AS reachable FROM views WHERE at >= $from "
			     "AND at < $until GROUP BY satellite, at / $step) AS s ON s.satellite = v.satellite "
			     "AND s.last = v.at WHERE $satellite IS NULL OR v.satellite = $satellite "
			     "ORDER BY v.at, v.satellite");
	bool row = false;
	enum err err;

	bind_range(q, range);
	bind_satellite(q, range);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		struct history_seen point = {
			.at = query_get_int(q, 0), .looks = query_get_int(q, 6), .reachable = query_get_int(q, 7)};

		point.view.has_scores = !query_is_null(q, 2);
		point.view.audit = (uint32_t)query_get_int(q, 2);
		point.view.suspension = (uint32_t)query_get_int(q, 3);
		point.view.online = (uint32_t)query_get_int(q, 4);
		point.view.answered = query_get_int(q, 5) != 0;
		err = query_get_exact(q, 1, point.view.satellite.b, sizeof(point.view.satellite.b));
		if (err == ERR_OK)
			err = each(arg, &point);
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}
