/* SQL of garbage collection. */
#include "satellite/collections.h"

#include <stdio.h>
#include <string.h>

#define REPEAT_SECONDS 86400 /* after which a node takes a held wish for repeated */
#define REPEAT_MARGIN 300    /* clocks differ */
#define RETRY_SECONDS 600
#define RETRY_DOUBLINGS 10

const char *collections_outcome_name(enum collections_outcome outcome)
{
	switch (outcome) {
	case COLLECTIONS_NONE:
		break;
	case COLLECTIONS_DONE:
		return "done";
	case COLLECTIONS_HELD:
		return "held";
	case COLLECTIONS_FAILED:
		return "failed";
	}
	return "none";
}

/* A state of 2 is a node that is leaving, and still stores. */
#define NOT_GONE "NOT EXISTS (SELECT 1 FROM standing s WHERE s.node = n.address AND s.state <> 2)"

enum err collections_due(struct database *db, const struct collections_rules *rules, uint32_t skip,
			 struct address *ret_node)
{
	struct query *q = database_query(
		db, "SELECT n.address, COALESCE(c.due, n.registered + $interval) AS when_due FROM nodes n "
		    "LEFT JOIN collections c ON c.node = n.address WHERE n.reachable = 1 AND n.checked_in >= $since "
		    "AND COALESCE(c.due, n.registered + $interval) <= $now AND " NOT_GONE
		    " ORDER BY when_due LIMIT 1 OFFSET $skip");
	enum err err;

	query_int(q, "interval", rules->interval);
	query_int(q, "since", rules->online_since);
	query_int(q, "now", rules->now);
	query_int(q, "skip", skip);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, ret_node->b, sizeof(ret_node->b));
	query_reset(q);
	return err;
}

enum err collections_count(struct database *db, const struct address *node, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT (SELECT COUNT(*) FROM pieces WHERE node = $node) + "
					     "(SELECT COUNT(*) FROM deletions WHERE node = $node)");
	enum err err;

	query_address(q, "node", node);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

enum err collections_each_wanted(struct database *db, const struct address *node, const struct bytes32 *first,
				 const struct bytes32 *last, collections_visit *visit, void *arg)
{
	static const char *const tables[] = {
		"SELECT piece FROM offers WHERE node = $node AND piece >= $first AND piece <= $last",
		"SELECT piece FROM rebuilds WHERE node = $node AND piece >= $first AND piece <= $last",
		"SELECT piece FROM pieces WHERE node = $node AND piece >= $first AND piece <= $last",
		"SELECT piece FROM deletions WHERE node = $node AND piece >= $first AND piece <= $last",
	};
	struct bytes32 piece;
	enum err err = ERR_OK;
	bool row;

	for (size_t i = 0; err == ERR_OK && i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct query *q = database_query(db, tables[i]);

		query_address(q, "node", node);
		query_bytes32(q, "first", first);
		query_bytes32(q, "last", last);
		for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
			err = query_get_exact(q, 0, piece.b, sizeof(piece.b));
			if (err != ERR_OK)
				break;
			visit(&piece, arg);
		}
		query_reset(q);
	}
	return err;
}

struct note {
	const struct collections_rules *rules;
	const struct collections_round *round;
};

static enum err tries_before(struct database *db, const struct address *node, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT tries FROM collections WHERE node = $node");
	enum err err;

	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* What a node says of its clock is believed for two days. */
static uint64_t next_due(const struct note *note, uint64_t tries)
{
	uint64_t now = note->rules->now, wait = note->rules->interval, since = note->round->held_since;

	if (note->round->outcome == COLLECTIONS_HELD) {
		if (since + REPEAT_SECONDS < now || since > now + REPEAT_SECONDS)
			since = now;
		return since + REPEAT_SECONDS + REPEAT_MARGIN;
	}
	if (note->round->outcome == COLLECTIONS_FAILED) {
		uint64_t soon = (uint64_t)RETRY_SECONDS << (tries < RETRY_DOUBLINGS ? tries : RETRY_DOUBLINGS);

		wait = soon < wait ? soon : wait;
	}
	return now + wait;
}

/* The columns that a round is kept in, and told from. */
#define ROUND_COLUMNS                                                                                                \
	"outcome, begun, ended, held_since, wanted, pieces, bytes, unwanted_pieces, unwanted_bytes, moved_pieces, " \
	"moved_bytes, why"

static enum err keep(struct database *db, void *arg)
{
	const struct note *note = arg;
	const struct collections_round *round = note->round;
	bool failed = round->outcome == COLLECTIONS_FAILED;
	uint64_t tries = 0;
	struct query *q;
	enum err err = tries_before(db, &round->node, &tries);

	if (err != ERR_OK)
		return err;
	q = database_query(
		db, "INSERT INTO collections (node, due, tries, " ROUND_COLUMNS ") VALUES ($node, $due, $tries, "
		    "$outcome, $begun, $ended, $held_since, $wanted, $pieces, $bytes, $unwanted_pieces, "
		    "$unwanted_bytes, $moved_pieces, $moved_bytes, $why) ON CONFLICT (node) DO UPDATE SET "
		    "due = excluded.due, tries = excluded.tries, outcome = excluded.outcome, begun = excluded.begun, "
		    "ended = excluded.ended, held_since = excluded.held_since, wanted = excluded.wanted, "
		    "pieces = excluded.pieces, bytes = excluded.bytes, unwanted_pieces = excluded.unwanted_pieces, "
		    "unwanted_bytes = excluded.unwanted_bytes, moved_pieces = excluded.moved_pieces, "
		    "moved_bytes = excluded.moved_bytes, why = excluded.why");
	query_address(q, "node", &round->node);
	query_int(q, "due", next_due(note, tries));
	query_int(q, "tries", failed ? tries + 1 : 0);
	query_int(q, "outcome", round->outcome);
	query_int(q, "begun", round->begun);
	query_int(q, "ended", round->ended);
	query_int(q, "held_since", round->held_since);
	query_int(q, "wanted", round->wanted);
	query_int(q, "pieces", round->pieces);
	query_int(q, "bytes", round->bytes);
	query_int(q, "unwanted_pieces", round->unwanted_pieces);
	query_int(q, "unwanted_bytes", round->unwanted_bytes);
	query_int(q, "moved_pieces", round->moved_pieces);
	query_int(q, "moved_bytes", round->moved_bytes);
	query_text(q, "why", round->why);
	return query_run(q);
}

enum err collections_note(struct database *db, const struct collections_rules *rules,
			  const struct collections_round *round)
{
	struct note note = {rules, round};

	return database_transaction(db, keep, &note);
}

static enum err read_round(struct query *q, struct id *ret_node, struct collections_round *ret)
{
	enum err err = query_get_exact(q, 0, ret_node->b, sizeof(ret_node->b));

	memset(ret, 0, sizeof(*ret));
	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->node.b, sizeof(ret->node.b));
	ret->outcome = (enum collections_outcome)query_get_int(q, 3);
	ret->begun = query_get_int(q, 4);
	ret->ended = query_get_int(q, 5);
	ret->held_since = query_get_int(q, 6);
	ret->wanted = query_get_int(q, 7);
	ret->pieces = query_get_int(q, 8);
	ret->bytes = query_get_int(q, 9);
	ret->unwanted_pieces = query_get_int(q, 10);
	ret->unwanted_bytes = query_get_int(q, 11);
	ret->moved_pieces = query_get_int(q, 12);
	ret->moved_bytes = query_get_int(q, 13);
	snprintf(ret->why, sizeof(ret->why), "%s", query_get_text(q, 14));
	return err;
}

enum err collections_each(struct database *db, const struct collections_rules *rules, collections_tell *tell, void *arg)
{
	struct query *q = database_query(
		db, "SELECT n.id, n.address, COALESCE(c.due, n.registered + $interval), " ROUND_COLUMNS
		    " FROM nodes n LEFT JOIN collections c ON c.node = n.address ORDER BY n.address");
	struct collections_round round;
	struct id node;
	bool row;
	enum err err;

	query_int(q, "interval", rules->interval);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = read_round(q, &node, &round);
		if (err == ERR_OK)
			err = tell(&node, &round, query_get_int(q, 2), arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
