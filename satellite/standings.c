/* SQL of standings. */
#include "satellite/standings.h"

#include "satellite/reputations.h"

enum err standings_read(struct database *db, const struct address *node, struct standing *ret)
{
	struct query *q = database_query(db, "SELECT state, at FROM standing WHERE node = $node");
	bool row;
	enum err err;

	ret->disqualified = ret->exiting = ret->exited = 0;
	query_address(q, "node", node);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		uint64_t at = query_get_int(q, 1);

		switch ((enum standing_state)query_get_int(q, 0)) {
		case STANDING_DISQUALIFIED:
			ret->disqualified = at;
			break;
		case STANDING_EXITING:
			ret->exiting = at;
			break;
		case STANDING_EXITED:
			ret->exited = at;
			break;
		}
	}
	return err;
}

static enum node_state state_of(enum standing_state state)
{
	switch (state) {
	case STANDING_DISQUALIFIED:
		return STATE_DISQUALIFIED;
	case STANDING_EXITING:
		return STATE_EXITING;
	case STANDING_EXITED:
		break;
	}
	return STATE_EXITED;
}

enum err standings_note(struct database *db, const struct address *node, enum standing_state state, uint64_t at,
			const char *note)
{
	struct standing before;
	enum node_state now;
	struct query *q;
	enum err err = standings_read(db, node, &before);

	if (err != ERR_OK)
		return err;
	/* It may be disqualified without forfeiting anything. */
	err = reputations_state(db, node, &now);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && now == STATE_DISQUALIFIED && state != STANDING_DISQUALIFIED)
		return ERR_CONFLICT;
	if (state == STANDING_DISQUALIFIED ? before.exited != 0 : before.disqualified != 0)
		return ERR_CONFLICT;
	q = database_query(db, "INSERT INTO standing (node, state, at, note) VALUES ($node, $state, $at, $note)");
	query_address(q, "node", node);
	query_int(q, "state", state);
	query_int(q, "at", at);
	query_text(q, "note", note);
	err = query_run(q);
	return err == ERR_OK ? reputations_set_state(db, node, state_of(state), at, note) : err;
}
