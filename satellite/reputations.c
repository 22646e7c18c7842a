/* SQL of reputations. */
#include "satellite/reputations.h"

const char *node_state_name(enum node_state state)
{
	switch (state) {
	case STATE_GOOD:
		return "good";
	case STATE_VETTING:
		return "vetting";
	case STATE_SUSPENDED:
		return "suspended";
	case STATE_OFFLINE:
		return "offline";
	case STATE_DISQUALIFIED:
		return "disqualified";
	case STATE_EXITING:
		return "exiting";
	case STATE_EXITED:
		break;
	}
	return "exited";
}

static void bind_node(struct query *q, const struct address *node)
{
	query_bytes(q, "node", bytes_of(node->b, sizeof(node->b)));
}

enum err reputations_state(struct database *db, const struct address *node, enum node_state *ret)
{
	struct query *q = database_query(db, "SELECT state FROM reputations WHERE node = $node");
	enum err err;

	bind_node(q, node);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = (enum node_state)query_get_int(q, 0);
	query_reset(q);
	return err;
}

enum err reputations_add(struct database *db, const struct address *node, uint64_t now)
{
	struct query *q = database_query(db, "INSERT INTO reputations (node, state, since, reason, model, notices, "
					     "due, loss_period, loss_pieces) VALUES ($node, $state, $now, '', $model, "
					     "0, 0, 0, 0) ON CONFLICT (node) DO NOTHING");

	bind_node(q, node);
	query_int(q, "state", STATE_VETTING);
	query_int(q, "now", now);
	query_bytes(q, "model", bytes_of("", 0));
	return query_run(q);
}
