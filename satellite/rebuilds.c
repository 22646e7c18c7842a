/* SQL of rebuilt pieces. */
#include "satellite/rebuilds.h"

#include "common/clock.h"
#include "payments/rules.h"
#include "satellite/registry.h"
#include "satellite/storage.h"

#define LAPSED 100 /* in one step */

static enum err forget(struct database *db, const struct rebuild_place *place)
{
	struct query *q = database_query(db, "DELETE FROM rebuilds WHERE node = $node AND piece = $piece");

	query_address(q, "node", &place->node);
	query_bytes32(q, "piece", &place->piece);
	return query_run(q);
}

static enum err queue_deletion(struct database *db, const struct rebuild_place *place, uint64_t now, uint64_t again)
{
	struct query *q =
		database_query(db, "INSERT INTO deletions (node, piece, ends, due, again, tries) VALUES ($node, "
				   "$piece, $now, $now, $again, 0) ON CONFLICT (node, piece) DO NOTHING");

	query_address(q, "node", &place->node);
	query_bytes32(q, "piece", &place->piece);
	query_int(q, "now", now);
	query_int(q, "again", again);
	return query_run(q);
}

enum err rebuilds_begin(struct database *db, const struct bytes32 *segment, const struct rebuild_place *place,
			uint64_t size, uint64_t expires)
{
	struct query *q = database_query(db, "INSERT INTO rebuilds (node, piece, segment, expires) VALUES ($node, "
					     "$piece, $segment, $expires)");
	enum err err;

	query_address(q, "node", &place->node);
	query_bytes32(q, "piece", &place->piece);
	query_bytes32(q, "segment", segment);
	query_int(q, "expires", expires);
	err = query_run(q);
	return err == ERR_OK ? registry_take_room(db, &place->node, size) : err;
}

enum err rebuilds_drop(struct database *db, const struct rebuild_place *place, uint64_t now)
{
	struct query *q = database_query(db, "SELECT expires FROM rebuilds WHERE node = $node AND piece = $piece");
	uint64_t expires;
	enum err err;

	query_address(q, "node", &place->node);
	query_bytes32(q, "piece", &place->piece);
	err = query_one(q);
	expires = query_get_int(q, 0);
	query_reset(q);
	if (err == ERR_NOT_FOUND)
		return ERR_OK; /* the checker was first */
	if (err == ERR_OK)
		err = queue_deletion(db, place, now, expires + RULES_SKEW);
	return err == ERR_OK ? forget(db, place) : err;
}

struct lapsed {
	uint64_t now;
	struct rebuild_place places[LAPSED];
	uint32_t count;
};

static enum err find_lapsed(struct database *db, struct lapsed *lapsed)
{
	struct query *q = database_query(db, "SELECT node, piece FROM rebuilds WHERE expires < $now LIMIT $limit");
	bool row;
	enum err err;

	query_int(q, "now", lapsed->now > RULES_SKEW ? lapsed->now - RULES_SKEW : 0);
	query_int(q, "limit", LAPSED);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct rebuild_place *place = &lapsed->places[lapsed->count++];

		err = query_get_exact(q, 0, place->node.b, sizeof(place->node.b));
		if (err == ERR_OK)
			err = query_get_exact(q, 1, place->piece.b, sizeof(place->piece.b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err drop_lapsed(struct database *db, void *arg)
{
	struct lapsed *lapsed = arg;
	enum err err = ERR_OK;

	for (uint32_t i = 0; i < lapsed->count && err == ERR_OK; i++) {
		err = queue_deletion(db, &lapsed->places[i], lapsed->now, 0);
		if (err == ERR_OK)
			err = forget(db, &lapsed->places[i]);
	}
	return err;
}

enum err rebuilds_drop_lapsed(struct desk *desk, bool *ret_more)
{
	struct lapsed lapsed = {.now = clock_wall()};
	enum err err = find_lapsed(desk->db, &lapsed);

	*ret_more = lapsed.count == LAPSED;
	return err == ERR_OK && lapsed.count > 0 ? database_transaction(desk->db, drop_lapsed, &lapsed) : err;
}

/* Whether a query with a segment, and maybe a node, a number, a piece, has a row. */
static enum err has_row(struct query *q, bool *ret)
{
	enum err err = query_one(q);

	query_reset(q);
	*ret = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The object still stands, nobody else made this number meanwhile, and the node holds no other piece of it. */
static enum err is_wanted(struct database *db, const struct bytes32 *segment, const struct judged_piece *replaced,
			  const struct stored_piece *piece, bool *ret)
{
	struct query *q = database_query(db, "SELECT 1 FROM segments s JOIN objects o ON o.version = s.version WHERE "
					     "s.segment = $segment AND s.state = 2 AND o.state = 2");
	bool stands, taken = false, holds = false;
	enum err err;

	query_bytes32(q, "segment", segment);
	err = has_row(q, &stands);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "SELECT 1 FROM pieces WHERE segment = $segment AND number = $number AND piece <> $old");
	query_bytes32(q, "segment", segment);
	query_int(q, "number", piece->number);
	query_bytes(q, "old", replaced == NULL ? bytes_of("", 0) : bytes_of(replaced->piece.b, 32));
	err = has_row(q, &taken);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "SELECT 1 FROM pieces WHERE segment = $segment AND node = $node AND number <> $number");
	query_bytes32(q, "segment", segment);
	query_address(q, "node", &piece->node);
	query_int(q, "number", piece->number);
	err = has_row(q, &holds);
	*ret = stands && !taken && !holds;
	return err;
}

/* What it has earned is kept; what the node still has of it is deleted there. */
static enum err end_piece(struct database *db, const struct judged_piece *old, uint64_t now)
{
	const struct rebuild_place place = {old->node, old->piece};
	struct query *q;
	enum err err = storage_end_piece(db, &old->node, &old->piece, now);

	if (err != ERR_OK)
		return err;
	q = database_query(db, "INSERT INTO ended (node, piece, size, stored, ended) SELECT node, piece, size, stored, "
			       "CASE WHEN lost > 0 THEN lost WHEN stored > $now THEN stored ELSE $now END FROM pieces "
			       "WHERE node = $node AND piece = $piece");
	query_address(q, "node", &old->node);
	query_bytes32(q, "piece", &old->piece);
	query_int(q, "now", now);
	err = query_run(q);
	if (err == ERR_OK)
		err = queue_deletion(db, &place, now, 0);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "DELETE FROM pieces WHERE node = $node AND piece = $piece");
	query_address(q, "node", &old->node);
	query_bytes32(q, "piece", &old->piece);
	return query_run(q);
}

enum err rebuilds_commit(struct database *db, const struct bytes32 *segment, const struct judged_piece *replaced,
			 const struct stored_piece *piece, uint64_t now, bool *ret_taken)
{
	const struct rebuild_place place = {piece->node, piece->piece};
	enum err err = is_wanted(db, segment, replaced, piece, ret_taken);

	if (err == ERR_OK && !*ret_taken)
		return rebuilds_drop(db, &place, now);
	if (err == ERR_OK)
		err = forget(db, &place);
	/* It was written down for as long as its allocation lives: else the checker has it deleted already. */
	if (err == ERR_OK && database_changes(db) == 0) {
		*ret_taken = false;
		return ERR_OK;
	}
	if (err == ERR_OK && replaced != NULL)
		err = end_piece(db, replaced, now);
	if (err == ERR_OK)
		err = segments_add_piece(db, segment, piece);
	return err == ERR_OK ? storage_begin_piece(db, &piece->node, &piece->piece) : err;
}
