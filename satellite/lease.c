/* SQL of leases. */
#include "satellite/lease.h"

struct claim {
	const struct lease_holder *holder;
	const char *work;
	uint64_t now;
	uint64_t until;
	bool taken;
};

static enum err claim(struct database *db, void *arg)
{
	struct claim *c = arg;
	struct query *q = database_query(db, "INSERT INTO leases (name, holder, until) VALUES ($name, $holder, $until) "
					     "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = "
					     "excluded.until WHERE leases.until <= $now OR leases.holder = $holder");
	enum err err;

	query_text(q, "name", c->work);
	query_bytes(q, "holder", bytes_of(c->holder->name, LEASE_HOLDER));
	query_int(q, "until", c->until);
	query_int(q, "now", c->now);
	err = query_run(q);
	c->taken = err == ERR_OK && database_changes(db) == 1;
	return err;
}

enum err lease_take(struct database *db, const struct lease_holder *holder, const char *work, uint64_t now,
		    uint64_t seconds, bool *ret_taken)
{
	struct claim c = {holder, work, now, now + seconds, false};
	enum err err = database_transaction(db, claim, &c);

	if (err == ERR_OK)
		*ret_taken = c.taken;
	return err;
}

static enum err give_back(struct database *db, void *arg)
{
	const struct claim *c = arg;
	struct query *q = database_query(db, "DELETE FROM leases WHERE name = $name AND holder = $holder");

	query_text(q, "name", c->work);
	query_bytes(q, "holder", bytes_of(c->holder->name, LEASE_HOLDER));
	return query_run(q);
}

enum err lease_give_back(struct database *db, const struct lease_holder *holder, const char *work)
{
	struct claim c = {.holder = holder, .work = work};

	return database_transaction(db, give_back, &c);
}

enum err lease_holds(struct database *db, const struct lease_holder *holder, const char *work, uint64_t until,
		     bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM leases WHERE name = $name AND holder = $holder AND until > "
					     "$until");
	enum err err;

	query_text(q, "name", work);
	query_bytes(q, "holder", bytes_of(holder->name, LEASE_HOLDER));
	query_int(q, "until", until);
	err = query_one(q);
	query_reset(q);
	*ret = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}
