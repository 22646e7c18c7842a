/* Counting rows. */
#include "satellite/facts.h"

#include <stddef.h>

#include "satellite/registry.h"

/* Each row of each query fills the facts that follow one another from `first`. */
static const struct {
	const char *sql;
	size_t first; /* offset in struct facts */
	int columns;
} questions[] = {
	{"SELECT COUNT(*) FROM nodes", offsetof(struct facts, nodes), 1},
	{"SELECT COUNT(*) FROM clients", offsetof(struct facts, clients), 1},
	{"SELECT COUNT(*) FROM buckets", offsetof(struct facts, buckets), 1},
	{"SELECT COUNT(*), COALESCE(SUM(plain_size), 0) FROM objects WHERE state = 2", offsetof(struct facts, objects),
	 2},
	{"SELECT COUNT(*) FROM objects WHERE state = 1", offsetof(struct facts, uploads), 1},
	{"SELECT COUNT(*), COALESCE(SUM(size), 0), COALESCE(SUM(CASE WHEN lost > 0 THEN 1 ELSE 0 END), 0) FROM pieces",
	 offsetof(struct facts, pieces), 3},
	{"SELECT COUNT(*) FROM deletions", offsetof(struct facts, deletions), 1},
	{"SELECT COALESCE(SUM(bytes), 0), COALESCE(SUM(orders), 0) FROM traffic", offsetof(struct facts, settled_bytes),
	 2},
	{"SELECT COALESCE(SUM(CASE verdict WHEN 3 THEN 1 ELSE 0 END), 0), "
	 "COALESCE(SUM(CASE verdict WHEN 2 THEN 1 ELSE 0 END), 0), "
	 "COALESCE(SUM(CASE verdict WHEN 1 THEN 1 ELSE 0 END), 0), "
	 "COALESCE(SUM(CASE verdict WHEN 4 THEN 1 ELSE 0 END), 0), "
	 "COALESCE(SUM(CASE verdict WHEN 5 THEN 1 ELSE 0 END), 0) FROM repairs",
	 offsetof(struct facts, repairs_urgent), 5},
	{"SELECT COALESCE(SUM(segments), 0), COALESCE(SUM(rebuilt), 0), COALESCE(SUM(moved), 0), "
	 "COALESCE(SUM(failed), 0), COALESCE(SUM(bytes_read), 0), COALESCE(SUM(bytes_stored), 0) FROM repaired",
	 offsetof(struct facts, repaired), 6},
};

struct collect {
	uint64_t online_since;
	struct facts *facts;
};

static enum err ask(struct query *q, uint64_t *ret, int columns)
{
	enum err err = query_one(q);

	if (err != ERR_OK)
		return err;
	for (int i = 0; i < columns; i++)
		ret[i] = query_get_int(q, i);
	query_reset(q);
	return ERR_OK;
}

static enum err collect(struct database *db, void *arg)
{
	const struct collect *c = arg;
	struct query *online;
	enum err err = ERR_OK;

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && err == ERR_OK; i++)
		err = ask(database_query(db, questions[i].sql), (uint64_t *)((char *)c->facts + questions[i].first),
			  questions[i].columns);
	if (err != ERR_OK)
		return err;
	online = database_query(db, "SELECT COUNT(*) FROM nodes WHERE reachable = 1 AND checked_in >= $since");
	query_int(online, "since", c->online_since);
	return ask(online, &c->facts->nodes_online, 1);
}

enum err facts_collect(struct desk *desk, uint64_t now, struct facts *ret)
{
	struct collect c = {registry_online_since(desk->settings, now), ret};

	return database_view(desk->db, collect, &c);
}
