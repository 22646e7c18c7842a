/* SQL of standings. */
#include "satellite/standings.h"

enum err standings_read(struct database *db, const struct address *node, struct standing *ret)
{
	struct query *q = database_query(db, "SELECT state, at FROM standing WHERE node = $node");
	bool row;
	enum err err;

	ret->disqualified = ret->exiting = ret->exited = 0;
	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
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

enum err standings_note(struct database *db, const struct address *node, enum standing_state state, uint64_t at,
			const char *note)
{
	struct standing before;
	struct query *q;
	enum err err = standings_read(db, node, &before);

	if (err != ERR_OK)
		return err;
	if (state == STANDING_DISQUALIFIED ? before.exited != 0 : before.disqualified != 0)
		return ERR_CONFLICT;
	q = database_query(db, "INSERT INTO standing (node, state, at, note) VALUES ($node, $state, $at, $note)");
	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
	query_int(q, "state", state);
	query_int(q, "at", at);
	query_text(q, "note", note);
	return query_run(q);
}
