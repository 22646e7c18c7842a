/* One table, and the findings that were there when last compared, so that each is told once when it begins. */
#include "node/events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/memory.h"

#define EVENTS_FILE "events.db"

static const struct migration migrations[] = {
	{1, "CREATE TABLE events ("
	    "  number @int NOT NULL PRIMARY KEY,"
	    "  at @int NOT NULL,"
	    "  kind @text NOT NULL,"
	    "  severity @int NOT NULL,"
	    "  subject @text NOT NULL,"
	    "  text @text NOT NULL,"
	    "  remedy @text NOT NULL"
	    ") @strict;"
	    "CREATE TABLE progress (name @text NOT NULL PRIMARY KEY, value @int NOT NULL) @strict;"
	    "INSERT INTO progress (name, value) VALUES ('read', 0);"
	    "CREATE TABLE open (" /* findings that are not over */
	    "  kind @text NOT NULL,"
	    "  subject @text NOT NULL,"
	    "  PRIMARY KEY (kind, subject)"
	    ") @strict"},
};

struct events {
	pthread_mutex_t lock;
	struct database *db;
};

static enum err open_database(const char *path, struct database **ret, char why[DATABASE_MESSAGE])
{
	return database_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), ret, why);
}

enum err events_open(const char *dir, struct events **ret, char why[DATABASE_MESSAGE])
{
	struct events *events = memory_new(1, sizeof(*events));
	char *path = file_join(dir, EVENTS_FILE), *aside = file_join(dir, EVENTS_FILE ".damaged");
	enum err err = open_database(path, &events->db, why);

	if (err == ERR_CORRUPT && rename(path, aside) == 0)
		err = open_database(path, &events->db, why);
	free(path);
	free(aside);
	if (err != ERR_OK) {
		free(events);
		return err;
	}
	pthread_mutex_init(&events->lock, NULL);
	*ret = events;
	return ERR_OK;
}

void events_close(struct events *events)
{
	if (events == NULL)
		return;
	database_close(events->db);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

/* Writing. */

static enum err insert_event(struct database *db, const struct event_note *note)
{
	struct query *q = database_query(
		db, "INSERT INTO events (number, at, kind, severity, subject, text, remedy) SELECT "
		    "COALESCE(MAX(number), 0) + 1, $at, $kind, $severity, $subject, $text, $remedy FROM events");
	enum err err;

	query_int(q, "at", note->at);
	query_text(q, "kind", note->kind);
	query_int(q, "severity", note->severity);
	query_text(q, "subject", note->subject);
	query_text(q, "text", note->text);
	query_text(q, "remedy", note->remedy);
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "DELETE FROM events WHERE number <= (SELECT MAX(number) FROM events) - $kept");
	query_int(q, "kept", EVENTS_KEPT);
	return query_run(q);
}

static enum err write_event(struct database *db, void *arg)
{
	return insert_event(db, arg);
}

static enum err locked(struct events *events, enum err (*calls)(struct database *db, void *arg), void *arg)
{
	enum err err;

	pthread_mutex_lock(&events->lock);
	err = database_transaction(events->db, calls, arg);
	pthread_mutex_unlock(&events->lock);
	return err;
}

enum err events_add(struct events *events, const struct event_note *note)
{
	struct event_note copy = *note;

	return locked(events, write_event, &copy);
}

static enum err write_read(struct database *db, void *arg)
{
	const uint64_t *number = arg;
	struct query *q =
		database_query(db, "UPDATE progress SET value = $number WHERE name = 'read' AND value < $number");

	query_int(q, "number", *number);
	return query_run(q);
}

enum err events_mark_read(struct events *events, uint64_t number)
{
	return locked(events, write_read, &number);
}

/* Comparing. */

struct comparison {
	const json_t *list;
	uint64_t now;
};

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static enum finding_severity severity_of(const char *name)
{
	for (int i = FINDING_NOTE; i <= FINDING_CRITICAL; i++)
		if (strcmp(finding_severity_name((enum finding_severity)i), name) == 0)
			return (enum finding_severity)i;
	return FINDING_NOTE;
}

static enum err is_open(struct database *db, const char *kind, const char *subject, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM open WHERE kind = $kind AND subject = $subject");
	enum err err;

	query_text(q, "kind", kind);
	query_text(q, "subject", subject);
	err = query_one(q);
	query_reset(q);
	*ret = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err begin_finding(struct database *db, const json_t *finding, uint64_t now)
{
	const struct event_note note = {.at = now,
					.kind = text_of(finding, "code"),
					.severity = severity_of(text_of(finding, "severity")),
					.subject = text_of(finding, "subject"),
					.text = text_of(finding, "text"),
					.remedy = text_of(finding, "remedy")};
	struct query *q = database_query(db, "INSERT INTO open (kind, subject) VALUES ($kind, $subject)");
	enum err err;

	query_text(q, "kind", note.kind);
	query_text(q, "subject", note.subject);
	err = query_run(q);
	return err == ERR_OK ? insert_event(db, &note) : err;
}

static bool is_listed(const json_t *list, const char *kind, const char *subject)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(list, i, finding)
		if (strcmp(text_of(finding, "code"), kind) == 0 && strcmp(text_of(finding, "subject"), subject) == 0)
			return true;
	return false;
}

/* [[kind, subject]…] that are open and no more found. */
static enum err list_over(struct database *db, const json_t *list, json_t *over)
{
	struct query *q = database_query(db, "SELECT kind, subject FROM open ORDER BY kind, subject");
	bool row = false;
	enum err err = query_step(q, &row);

	while (err == ERR_OK && row) {
		if (!is_listed(list, query_get_text(q, 0), query_get_text(q, 1)))
			json_array_append_new(over, json_pack("[s, s]", query_get_text(q, 0), query_get_text(q, 1)));
		err = query_step(q, &row);
	}
	query_reset(q);
	return err;
}

static enum err end_finding(struct database *db, const json_t *over, uint64_t now)
{
	const char *kind = json_string_value(json_array_get(over, 0)),
		   *subject = json_string_value(json_array_get(over, 1));
	char text[128];
	const struct event_note note = {now, kind, FINDING_NOTE, subject, text, ""};
	struct query *q = database_query(db, "DELETE FROM open WHERE kind = $kind AND subject = $subject");
	enum err err;

	snprintf(text, sizeof(text), "Over: %.100s.", kind);
	query_text(q, "kind", kind);
	query_text(q, "subject", subject);
	err = query_run(q);
	return err == ERR_OK ? insert_event(db, &note) : err;
}

static enum err write_comparison(struct database *db, void *arg)
{
	const struct comparison *c = arg;
	json_t *over = json_array();
	const json_t *one;
	enum err err = list_over(db, c->list, over);
	size_t i;

	json_array_foreach(c->list, i, one) {
		bool open = false;

		if (err == ERR_OK)
			err = is_open(db, text_of(one, "code"), text_of(one, "subject"), &open);
		if (err == ERR_OK && !open)
			err = begin_finding(db, one, c->now);
	}
	json_array_foreach(over, i, one)
		if (err == ERR_OK)
			err = end_finding(db, one, c->now);
	json_decref(over);
	return err;
}

enum err events_compare(struct events *events, const json_t *list, uint64_t now)
{
	struct comparison c = {list, now};

	return locked(events, write_comparison, &c);
}

/* Reading. */

static json_t *row_json(struct query *q, uint64_t read)
{
	json_t *json = json_object();

	json_object_set_new(json, "number", json_integer((json_int_t)query_get_int(q, 0)));
	json_object_set_new(json, "at", json_integer((json_int_t)query_get_int(q, 1)));
	json_object_set_new(json, "kind", json_string(query_get_text(q, 2)));
	json_object_set_new(json, "severity",
			    json_string(finding_severity_name((enum finding_severity)(query_get_int(q, 3) % 3))));
	json_object_set_new(json, "subject", json_string(query_get_text(q, 4)));
	json_object_set_new(json, "text", json_string(query_get_text(q, 5)));
	json_object_set_new(json, "remedy", json_string(query_get_text(q, 6)));
	json_object_set_new(json, "read", json_boolean(query_get_int(q, 0) <= read));
	return json;
}

static enum err read_marks(struct database *db, uint64_t *ret_read, uint64_t *ret_unread)
{
	struct query *q = database_query(db, "SELECT value, (SELECT COUNT(*) FROM events WHERE number > value) "
					     "FROM progress WHERE name = 'read'");
	enum err err = query_one(q);

	*ret_read = query_get_int(q, 0);
	*ret_unread = query_get_int(q, 1);
	query_reset(q);
	return err;
}

static enum err read_events(struct database *db, uint64_t before, uint32_t most, json_t **ret)
{
	struct query *q;
	uint64_t read = 0, unread = 0;
	json_t *list = json_array();
	bool row = false;
	enum err err = read_marks(db, &read, &unread);

	if (err != ERR_OK)
		goto out;
	q = database_query(db, "SELECT number, at, kind, severity, subject, text, remedy FROM events "
			       "WHERE number < $before ORDER BY number DESC LIMIT $most");
	query_int(q, "before", before > 0 ? before : INT64_MAX);
	query_int(q, "most", most);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		json_array_append_new(list, row_json(q, read));
		err = query_step(q, &row);
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret = json_pack("{s:I, s:O}", "unread", (json_int_t)unread, "events", list);
out:
	json_decref(list);
	return err;
}

json_t *events_json(struct events *events, uint64_t before, uint32_t most)
{
	json_t *json = NULL;

	pthread_mutex_lock(&events->lock);
	if (read_events(events->db, before, most, &json) != ERR_OK)
		json = NULL;
	pthread_mutex_unlock(&events->lock);
	return json;
}
