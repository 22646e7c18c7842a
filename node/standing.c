/* Asking, and the SQL. */
#include "node/standing.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/challenge.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/memory.h"

#define ASKS_MOST 20 /* answers that are taken at one check-in; the rest at the next */
#define STATES 7

static const struct migration migrations[] = {
	{1, "CREATE TABLE standings ("
	    "  satellite @bytes NOT NULL PRIMARY KEY,"
	    "  told @int NOT NULL," /* when */
	    "  state @int NOT NULL,"
	    "  since @int NOT NULL,"
	    "  reason @text NOT NULL,"
	    "  audit @int NOT NULL," /* millionths, as the next two */
	    "  unknown @int NOT NULL,"
	    "  online @int NOT NULL,"
	    "  proven @int NOT NULL,"
	    "  failed @int NOT NULL,"
	    "  vetting_left @int NOT NULL,"
	    "  vetting_until @int NOT NULL,"
	    "  audits_left @int NOT NULL,"
	    "  offline_left @int NOT NULL,"
	    "  grace_until @int NOT NULL"
	    ") @strict;"
	    "CREATE TABLE notices ("
	    "  satellite @bytes NOT NULL,"
	    "  number @int NOT NULL,"
	    "  at @int NOT NULL,"
	    "  kind @int NOT NULL,"
	    "  state @int NOT NULL,"
	    "  verdict @int NOT NULL,"
	    "  piece @bytes NOT NULL,"
	    "  challenge @bytes NOT NULL,"
	    "  words @text NOT NULL,"
	    "  PRIMARY KEY (satellite, number)"
	    ") @strict;"
	    "@append_only(notices);"},
};

struct standing {
	struct database *db;
};

enum err standing_open(const char *dir, struct standing **ret, char why[DATABASE_MESSAGE])
{
	char *path = file_join(dir, STANDING_FILE);
	struct standing *standing = memory_new(1, sizeof(*standing));
	enum err err;

	err = database_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), &standing->db, why);
	free(path);
	if (err == ERR_OK)
		*ret = standing;
	else
		free(standing);
	return err;
}

void standing_close(struct standing *standing)
{
	if (standing == NULL)
		return;
	database_close(standing->db);
	free(standing);
}

static void bind_satellite(struct query *q, const struct address *satellite)
{
	query_address(q, "satellite", satellite);
}

static void bind_text(struct query *q, const char *name, struct bytes text)
{
	char *copy = memory_copy(text.data, text.len);

	query_text(q, name, copy);
	free(copy);
}

struct keeping {
	const struct address *satellite;
	const struct msg_standing *answer;
};

static enum err keep_scores(struct database *db, const struct keeping *k)
{
	const struct msg_standing *m = k->answer;
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"told", clock_wall()},
		{"state", m->state},
		{"since", m->since},
		{"audit", m->audit},
		{"unknown", m->unknown},
		{"online", m->online},
		{"proven", m->proven},
		{"failed", m->failed},
		{"vetting_left", m->vetting_left},
		{"vetting_until", m->vetting_until},
		{"audits_left", m->audits_left},
		{"offline_left", m->offline_left},
		{"grace_until", m->grace_until},
	};
	struct query *q = database_query(
		db, "INSERT INTO standings (satellite, told, state, since, reason, audit, unknown, online, proven, "
		    "failed, vetting_left, vetting_until, audits_left, offline_left, grace_until) VALUES ($satellite, "
		    "$told, $state, $since, $reason, $audit, $unknown, $online, $proven, $failed, $vetting_left, "
		    "$vetting_until, $audits_left, $offline_left, $grace_until) ON CONFLICT (satellite) DO UPDATE SET "
		    "told = excluded.told, state = excluded.state, since = excluded.since, reason = excluded.reason, "
		    "audit = excluded.audit, unknown = excluded.unknown, online = excluded.online, proven = "
		    "excluded.proven, failed = excluded.failed, vetting_left = excluded.vetting_left, vetting_until = "
		    "excluded.vetting_until, audits_left = excluded.audits_left, offline_left = excluded.offline_left, "
		    "grace_until = excluded.grace_until");

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].value > INT64_MAX)
			return ERR_PROTOCOL;
		query_int(q, numbers[i].name, numbers[i].value);
	}
	bind_satellite(q, k->satellite);
	bind_text(q, "reason", m->reason);
	return query_run(q);
}

/* The number of the last notice that is here. */
static enum err last_notice(struct database *db, const struct address *satellite, uint64_t *ret)
{
	struct query *q =
		database_query(db, "SELECT COALESCE(MAX(number), 0) FROM notices WHERE satellite = $satellite");
	enum err err;

	bind_satellite(q, satellite);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err;
}

static bool is_id(struct bytes id)
{
	return id.len == 0 || id.len == sizeof(struct bytes32);
}

static enum err keep_notice(struct database *db, const struct address *satellite, const struct item_notice *notice)
{
	struct query *q;

	if (notice->number > INT64_MAX || notice->at > INT64_MAX || !is_id(notice->piece) || !is_id(notice->challenge))
		return ERR_PROTOCOL;
	q = database_query(db, "INSERT INTO notices (satellite, number, at, kind, state, verdict, piece, challenge, "
			       "words) VALUES ($satellite, $number, $at, $kind, $state, $verdict, $piece, $challenge, "
			       "$words)");
	bind_satellite(q, satellite);
	query_int(q, "number", notice->number);
	query_int(q, "at", notice->at);
	query_int(q, "kind", notice->kind);
	query_int(q, "state", notice->state);
	query_int(q, "verdict", notice->verdict);
	query_bytes(q, "piece", notice->piece.len == 0 ? bytes_of("", 0) : notice->piece);
	query_bytes(q, "challenge", notice->challenge.len == 0 ? bytes_of("", 0) : notice->challenge);
	bind_text(q, "words", notice->words);
	return query_run(q);
}

/* Numbers grow; what is here already was told to another process of ours meanwhile. */
static enum err keep_notices(struct database *db, const struct keeping *k)
{
	uint64_t last = 0, before = 0;
	struct reader r;
	enum err err = last_notice(db, k->satellite, &last);

	reader_init(&r, k->answer->notices.raw);
	for (uint32_t i = 0; i < k->answer->notices.count && err == ERR_OK; i++) {
		struct item_notice notice;

		list_next(&item_notice_fields, &r, &notice);
		if (notice.number <= before)
			return ERR_PROTOCOL;
		before = notice.number;
		if (notice.number > last)
			err = keep_notice(db, k->satellite, &notice);
	}
	return err;
}

static enum err keep(struct database *db, void *arg)
{
	const struct keeping *k = arg;
	enum err err = keep_scores(db, k);

	return err == ERR_OK ? keep_notices(db, k) : err;
}

enum err standing_keep(struct standing *standing, const struct address *satellite, const struct msg_standing *answer)
{
	struct keeping k = {satellite, answer};

	if (answer->state == 0 || answer->state > STATES)
		return ERR_PROTOCOL;
	return database_transaction(standing->db, keep, &k);
}

struct fetching {
	struct standing *standing;
	const struct address *satellite;
	bool last;
	enum err err;
};

static void take_answer(const struct message *message, void *arg)
{
	struct fetching *f = arg;

	/* An answer that says there is more, and tells none, would be asked for again for ever. */
	f->last = message->standing.last == 1 || message->standing.notices.count == 0;
	f->err = standing_keep(f->standing, f->satellite, &message->standing);
}

enum err standing_fetch(struct standing *standing, const struct address *satellite, struct errand *errand,
			char why[ERRAND_MESSAGE])
{
	struct fetching f = {.standing = standing, .satellite = satellite};
	enum err err = ERR_OK;

	for (int i = 0; i < ASKS_MOST && err == ERR_OK && !f.last; i++) {
		struct message ask = {.type = MSG_ASK_STANDING};

		err = last_notice(standing->db, satellite, &ask.ask_standing.after);
		if (err == ERR_OK)
			err = errand_ask(errand, &ask, MSG_STANDING, take_answer, &f, why);
		if (err == ERR_OK && f.err != ERR_OK) {
			err = f.err;
			snprintf(why, ERRAND_MESSAGE, "what it says of this node cannot be kept: %s", err_text(err));
		}
	}
	return err;
}

/* As JSON. */

static const char *state_name(uint64_t state)
{
	static const char *const names[STATES] = {"good",	  "vetting", "suspended", "offline",
						  "disqualified", "exiting", "exited"};

	return state >= 1 && state <= STATES ? names[state - 1] : "unknown";
}

static const char *kind_name(uint64_t kind)
{
	static const char *const names[] = {"state", "piece", "loss"};

	return kind >= 1 && kind <= sizeof(names) / sizeof(names[0]) ? names[kind - 1] : "other";
}

static json_t *number(struct query *q, int column)
{
	return json_integer((json_int_t)query_get_int(q, column));
}

static json_t *time_or_null(struct query *q, int column)
{
	return query_get_int(q, column) > 0 ? number(q, column) : json_null();
}

static json_t *score(struct query *q, int column)
{
	return json_real((double)query_get_int(q, column) / 1e6);
}

static json_t *hex_or_null(struct bytes id)
{
	char hex[2 * sizeof(struct bytes32) + 1];

	if (id.len != sizeof(struct bytes32))
		return json_null();
	hex_encode(id, hex);
	return json_string(hex);
}

static json_t *notice_json(struct query *q)
{
	uint64_t verdict = query_get_int(q, 4);

	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s}", "number", number(q, 0), "at", number(q, 1), "kind",
			 kind_name(query_get_int(q, 2)), "state", state_name(query_get_int(q, 3)), "verdict",
			 verdict == 0 ? json_null() : json_string(audit_verdict_name((enum audit_verdict)verdict)),
			 "piece", hex_or_null(query_get_bytes(q, 5)), "challenge", hex_or_null(query_get_bytes(q, 6)),
			 "words", query_get_text(q, 7));
}

static enum err read_notices(struct database *db, const struct address *satellite, unsigned limit, json_t *list)
{
	struct query *q = database_query(db, "SELECT number, at, kind, state, verdict, piece, challenge, words FROM "
					     "notices WHERE satellite = $satellite ORDER BY number DESC LIMIT $limit");
	bool row;
	enum err err;

	bind_satellite(q, satellite);
	query_int(q, "limit", limit);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row))
		json_array_append_new(list, notice_json(q));
	return err;
}

json_t *standing_json(struct standing *standing, const struct address *satellite, unsigned notices)
{
	struct query *q = database_query(
		standing->db,
		"SELECT told, state, since, reason, audit, unknown, online, proven, failed, vetting_left, "
		"vetting_until, audits_left, offline_left, grace_until FROM standings WHERE satellite = "
		"$satellite");
	json_t *json, *list;

	bind_satellite(q, satellite);
	if (query_one(q) != ERR_OK)
		return json_null();
	list = json_array();
	json = json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "told",
			 number(q, 0), "state", state_name(query_get_int(q, 1)), "since", number(q, 2), "reason",
			 query_get_text(q, 3), "audit", score(q, 4), "unknown", score(q, 5), "online", score(q, 6),
			 "proven", number(q, 7), "failed", number(q, 8), "vetting_left", number(q, 9), "vetting_until",
			 time_or_null(q, 10), "audits_left", number(q, 11), "offline_left", number(q, 12),
			 "grace_until", time_or_null(q, 13), "notices", list);
	query_reset(q);
	if (read_notices(standing->db, satellite, notices, list) != ERR_OK)
		json_array_clear(list);
	return json;
}
