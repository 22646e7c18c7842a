/* SQL of notices. */
#include "satellite/notices.h"

#include <string.h>

const char *notice_kind_name(enum notice_kind kind)
{
	switch (kind) {
	case NOTICE_STATE:
		return "state";
	case NOTICE_PIECE:
		return "piece";
	case NOTICE_LOSS:
		return "loss";
	}
	return "other";
}

static enum err next_number(struct database *db, const struct address *node, uint64_t *ret)
{
	struct query *q = database_query(db, "UPDATE reputations SET notices = notices + 1 WHERE node = $node");
	enum err err;

	query_address(q, "node", node);
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "SELECT notices FROM reputations WHERE node = $node");
	query_address(q, "node", node);
	err = query_one(q);
	*ret = err == ERR_OK ? query_get_int(q, 0) : 0;
	query_reset(q);
	return err;
}

enum err notices_add(struct database *db, const struct address *node, const struct notice *notice)
{
	struct query *q;
	uint64_t number;
	enum err err = next_number(db, node, &number);

	if (err != ERR_OK)
		return err;
	q = database_query(db, "INSERT INTO notices (node, number, at, kind, state, verdict, piece, challenge, words) "
			       "VALUES ($node, $number, $at, $kind, $state, $verdict, $piece, $challenge, $words)");
	query_address(q, "node", node);
	query_int(q, "number", number);
	query_int(q, "at", notice->at);
	query_int(q, "kind", notice->kind);
	query_int(q, "state", notice->state);
	query_int(q, "verdict", notice->verdict);
	query_bytes(q, "piece", notice->piece.len == 0 ? bytes_of("", 0) : notice->piece);
	query_bytes(q, "challenge", notice->challenge.len == 0 ? bytes_of("", 0) : notice->challenge);
	query_text(q, "words", notice->words);
	return query_run(q);
}

static void read_notice(struct query *q, struct notice *ret)
{
	ret->number = query_get_int(q, 0);
	ret->at = query_get_int(q, 1);
	ret->kind = (enum notice_kind)query_get_int(q, 2);
	ret->state = (uint8_t)query_get_int(q, 3);
	ret->verdict = (uint8_t)query_get_int(q, 4);
	ret->piece = query_get_bytes(q, 5);
	ret->challenge = query_get_bytes(q, 6);
	ret->words = query_get_text(q, 7);
}

enum err notices_each(struct database *db, const struct address *node, uint64_t after, uint64_t limit,
		      notices_visit *visit, void *arg)
{
	struct query *q = database_query(db, "SELECT number, at, kind, state, verdict, piece, challenge, words FROM "
					     "notices WHERE node = $node AND number > $after ORDER BY number LIMIT "
					     "$limit");
	bool row;
	enum err err;

	query_address(q, "node", node);
	query_int(q, "after", after);
	query_int(q, "limit", limit);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct notice notice;

		read_notice(q, &notice);
		err = visit(&notice, arg);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
