/* Looking at nodes. */
#include "satellite/presence.h"

#include "common/clock.h"
#include "common/log.h"
#include "satellite/registry.h"
#include "satellite/reputations.h"

#define LOOKS 12	   /* in a window of the online score */
#define PAUSE_MS 1000	   /* when nothing is due */
#define SETTLE_SECONDS 600 /* after a start: nodes that found nobody here try again within minutes */

struct look {
	struct desk *desk;
	uint64_t now;
	bool blame;
	struct address node;
	struct state_change change;
};

/* Whether the satellite was to be found itself: some node checked in lately. */
static enum err was_here(struct database *db, uint64_t since, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM nodes WHERE checked_in >= $since LIMIT 1");
	enum err err;

	query_int(q, "since", since);
	err = query_one(q);
	query_reset(q);
	*ret = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err is_online(struct database *db, const struct address *node, uint64_t since, bool *ret)
{
	struct query *q = database_query(db, "SELECT reachable, checked_in FROM nodes WHERE address = $address");
	enum err err;

	query_address(q, "address", node);
	err = query_one(q);
	*ret = err == ERR_OK && query_get_int(q, 0) == 1 && query_get_int(q, 1) >= since;
	query_reset(q);
	return err;
}

static enum err look(struct database *db, void *arg)
{
	struct look *l = arg;
	const struct reputation_rules *rules = &l->desk->settings->reputation;
	const struct sighting sighting = {.rules = rules, .node = &l->node, .now = l->now};
	uint64_t since = registry_online_since(l->desk->settings, l->now);
	bool online = false, here = false;
	enum err err = reputations_due(db, l->now, &l->node);

	if (err == ERR_OK)
		err = is_online(db, &l->node, since, &online);
	if (err == ERR_OK)
		err = was_here(db, since, &here);
	if (err == ERR_OK)
		err = reputations_set_due(db, &l->node, l->now + rules->window / LOOKS);
	if (err != ERR_OK)
		return err;
	if (online || (here && l->blame))
		return reputations_note_online(db, &sighting, online, &l->change);
	return reputations_note_time(db, &sighting, &l->change);
}

enum err presence_look(struct desk *desk, uint64_t now, bool blame)
{
	struct look l = {.desk = desk, .now = now, .blame = blame};
	enum err err = reputations_due(desk->db, now, &l.node);

	/* The write lock is taken only when there is something to do. */
	if (err == ERR_OK)
		err = database_transaction(desk->db, look, &l);
	if (err == ERR_OK)
		reputations_log(&l.node, &l.change);
	return err;
}

unsigned presence_walk(struct round *round)
{
	uint64_t now = clock_wall();
	char quoted[300];
	enum err err;

	if (round->began == 0)
		round->began = now;
	err = presence_look(round->desk, now, now >= round->began + SETTLE_SECONDS);
	if (err == ERR_OK)
		return 0;
	if (err != ERR_NOT_FOUND)
		log_event(LOG_ERROR, "look_failed", "error=%s database=%s", err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}
