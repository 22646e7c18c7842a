/* SQL of segments, offers and pieces. */
#include "satellite/segments.h"

#include <assert.h>
#include <string.h>

#include "common/clock.h"
#include "satellite/storage.h"

static void bind_address(struct query *q, const char *name, const struct address *address)
{
	query_bytes(q, name, bytes_of(address->b, sizeof(address->b)));
}

enum err segments_insert(struct database *db, const struct segment *segment)
{
	struct query *q = database_query(db, "INSERT INTO segments (segment, version, number, state, plain_size, "
					     "piece_size, issued, expires, wrapped_key, data) VALUES ($segment, "
					     "$version, $number, $state, $plain_size, $piece_size, $issued, $expires, "
					     "$wrapped_key, $data)");
	bool committed = segment->state == SEGMENT_COMMITTED;

	query_bytes32(q, "segment", &segment->id);
	query_bytes32(q, "version", &segment->version);
	query_int(q, "number", segment->number);
	query_int(q, "state", segment->state);
	query_int(q, "plain_size", segment->plain_size);
	query_int(q, "piece_size", segment->piece_size);
	query_int(q, "issued", segment->issued);
	query_int(q, "expires", segment->expires);
	query_bytes(q, "wrapped_key", bytes_of(segment->wrapped_key, committed ? MESSAGE_WRAPPED_KEY : 0));
	if (segment->is_inline)
		query_bytes(q, "data", bytes_of(segment->data, segment->data_len));
	else
		query_null(q, "data");
	return query_run(q);
}

enum err segments_insert_offers(struct database *db, const struct bytes32 *segment, const struct offer *offers,
				size_t count)
{
	struct query *q = database_query(db, "INSERT INTO offers (segment, number, node, piece, serial) "
					     "VALUES ($segment, $number, $node, $piece, $serial)");
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		query_bytes32(q, "segment", segment);
		query_int(q, "number", offers[i].number);
		bind_address(q, "node", &offers[i].node);
		query_bytes32(q, "piece", &offers[i].piece);
		query_bytes32(q, "serial", &offers[i].serial);
		err = query_run(q);
	}
	return err;
}

/* The columns of both ways to find a segment. */
#define SEGMENT_COLUMNS "segment, version, number, state, plain_size, piece_size, issued, expires, wrapped_key, data"

static enum err read_segment(struct query *q, struct segment *ret)
{
	struct bytes data = query_get_bytes(q, 9);
	enum err err;

	memset(ret, 0, sizeof(*ret));
	err = query_get_exact(q, 0, ret->id.b, sizeof(ret->id.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->version.b, sizeof(ret->version.b));
	ret->number = (uint32_t)query_get_int(q, 2);
	ret->state = (enum segment_state)query_get_int(q, 3);
	ret->plain_size = query_get_int(q, 4);
	ret->piece_size = query_get_int(q, 5);
	ret->issued = query_get_int(q, 6);
	ret->expires = query_get_int(q, 7);
	if (err == ERR_OK && ret->state == SEGMENT_COMMITTED)
		err = query_get_exact(q, 8, ret->wrapped_key, sizeof(ret->wrapped_key));
	ret->is_inline = !query_is_null(q, 9);
	if (data.len > sizeof(ret->data))
		return ERR_CORRUPT;
	ret->data_len = data.len;
	if (data.len > 0)
		memcpy(ret->data, data.data, data.len);
	return err;
}

enum err segments_get(struct database *db, const struct bytes32 *id, struct segment *ret)
{
	struct query *q = database_query(db, "SELECT " SEGMENT_COLUMNS " FROM segments WHERE segment = $segment");
	enum err err;

	query_bytes32(q, "segment", id);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_segment(q, ret);
	query_reset(q);
	return err;
}

enum err segments_find_committed(struct database *db, const struct bytes32 *version, uint32_t number,
				 struct segment *ret)
{
	struct query *q = database_query(db, "SELECT " SEGMENT_COLUMNS " FROM segments WHERE version = $version AND "
					     "number = $number AND state = 2");
	enum err err;

	query_bytes32(q, "version", version);
	query_int(q, "number", number);
	err = query_one(q);
	if (err == ERR_OK)
		err = read_segment(q, ret);
	query_reset(q);
	return err;
}

static enum err read_offer(struct query *q, struct offer *ret)
{
	enum err err;

	ret->number = (uint16_t)query_get_int(q, 0);
	err = query_get_exact(q, 1, ret->node.b, sizeof(ret->node.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 2, ret->piece.b, sizeof(ret->piece.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 3, ret->serial.b, sizeof(ret->serial.b));
	return err;
}

enum err segments_offers(struct database *db, const struct bytes32 *segment, struct offer *ret, size_t room,
			 size_t *ret_count)
{
	struct query *q = database_query(db, "SELECT number, node, piece, serial FROM offers WHERE segment = $segment "
					     "ORDER BY number");
	size_t count = 0;
	bool row;
	enum err err;

	query_bytes32(q, "segment", segment);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = count < room ? read_offer(q, &ret[count++]) : ERR_CORRUPT;
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret_count = count;
	return err;
}

static enum err insert_pieces(struct database *db, const struct bytes32 *segment, const struct stored_piece *pieces,
			      size_t count)
{
	struct query *q =
		database_query(db, "INSERT INTO pieces (segment, number, node, piece, root, size, stored, "
				   "lost, audited, verdict, receipt) VALUES ($segment, $number, $node, $piece, "
				   "$root, $size, $stored, 0, 0, 0, $receipt)");
	uint8_t receipt[sizeof(pieces->allocation.b) + sizeof(pieces->signature.b)];
	enum err err = ERR_OK;

	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		query_bytes32(q, "segment", segment);
		query_int(q, "number", pieces[i].number);
		bind_address(q, "node", &pieces[i].node);
		query_bytes32(q, "piece", &pieces[i].piece);
		query_bytes32(q, "root", &pieces[i].root);
		query_int(q, "size", pieces[i].size);
		query_int(q, "stored", pieces[i].stored);
		memcpy(receipt, pieces[i].allocation.b, sizeof(pieces[i].allocation.b));
		memcpy(receipt + sizeof(pieces[i].allocation.b), pieces[i].signature.b, sizeof(pieces[i].signature.b));
		query_bytes(q, "receipt", bytes_of(receipt, sizeof(receipt)));
		err = query_run(q);
	}
	return err;
}

enum err segments_add_piece(struct database *db, const struct bytes32 *segment, const struct stored_piece *piece)
{
	return insert_pieces(db, segment, piece, 1);
}

/* Offers that became no piece may still have been stored, or be about to be: their nodes are told after a while, and
 * once more when the allocations have lapsed. */
static enum err drop_offers(struct database *db, const struct bytes32 *segment)
{
	struct query *q =
		database_query(db, "INSERT INTO deletions (node, piece, ends, due, again, tries) "
				   "SELECT o.node, o.piece, $now, $now + 10, s.expires, 0 FROM offers o "
				   "JOIN segments s ON s.segment = o.segment WHERE o.segment = $segment AND NOT EXISTS "
				   "(SELECT 1 FROM pieces p WHERE p.segment = o.segment AND p.number = o.number)");
	enum err err;

	query_int(q, "now", clock_wall());
	query_bytes32(q, "segment", segment);
	err = query_run(q);
	if (err != ERR_OK)
		return err;
	q = database_query(db, "DELETE FROM offers WHERE segment = $segment");
	query_bytes32(q, "segment", segment);
	return query_run(q);
}

enum err segments_commit(struct database *db, const struct segment *segment, const struct stored_piece *pieces,
			 size_t count)
{
	struct query *q = database_query(db, "UPDATE segments SET state = 2, plain_size = $plain_size, piece_size = "
					     "$piece_size, wrapped_key = $wrapped_key WHERE segment = $segment");
	enum err err;

	query_bytes32(q, "segment", &segment->id);
	query_int(q, "plain_size", segment->plain_size);
	query_int(q, "piece_size", segment->piece_size);
	query_bytes(q, "wrapped_key", bytes_of(segment->wrapped_key, sizeof(segment->wrapped_key)));
	err = query_run(q);
	if (err == ERR_OK)
		err = insert_pieces(db, &segment->id, pieces, count);
	if (err == ERR_OK)
		err = drop_offers(db, &segment->id);
	return err;
}

static enum err read_piece(struct query *q, uint64_t since, struct found_piece *ret)
{
	enum err err;

	ret->number = (uint16_t)query_get_int(q, 0);
	err = query_get_exact(q, 1, ret->node.b, sizeof(ret->node.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 2, ret->piece.b, sizeof(ret->piece.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 3, ret->root.b, sizeof(ret->root.b));
	if (err == ERR_OK)
		err = query_get_exact(q, 4, ret->endpoint.id.b, sizeof(ret->endpoint.id.b));
	if (err == ERR_OK && hostport_parse(query_get_text(q, 5), &ret->endpoint.at) != ERR_OK)
		err = ERR_CORRUPT;
	ret->online = query_get_int(q, 6) >= since && query_get_int(q, 7) == 1;
	return err;
}

enum err segments_pieces(struct database *db, const struct bytes32 *segment, uint64_t since, struct found_piece *ret,
			 size_t room, size_t *ret_count)
{
	struct query *q =
		database_query(db, "SELECT p.number, p.node, p.piece, p.root, n.id, n.endpoint, n.checked_in, "
				   "n.reachable FROM pieces p JOIN nodes n ON n.address = p.node WHERE p.segment "
				   "= $segment AND p.lost = 0 ORDER BY p.number");
	size_t count = 0;
	bool row;
	enum err err;

	query_bytes32(q, "segment", segment);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = count < room ? read_piece(q, since, &ret[count++]) : ERR_CORRUPT;
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	if (err == ERR_OK)
		*ret_count = count;
	return err;
}

enum err segments_sum(struct database *db, const struct bytes32 *version, struct segments_sum *ret)
{
	struct query *q = database_query(db, "SELECT COUNT(*), COALESCE(MAX(number), 0), COALESCE(SUM(plain_size), 0) "
					     "FROM segments WHERE version = $version AND state = 2");
	enum err err;

	query_bytes32(q, "version", version);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	*ret = (struct segments_sum){query_get_int(q, 0), query_get_int(q, 1), query_get_int(q, 2)};
	query_reset(q);
	return ERR_OK;
}

static enum err delete_segment(struct database *db, const struct bytes32 *segment)
{
	static const char *const rows[] = {
		"DELETE FROM pieces WHERE segment = $segment",
		"DELETE FROM segments WHERE segment = $segment",
	};
	enum err err = drop_offers(db, segment);

	for (size_t i = 0; i < 2 && err == ERR_OK; i++) {
		struct query *q = database_query(db, rows[i]);

		query_bytes32(q, "segment", segment);
		err = query_run(q);
	}
	return err;
}

/* Ids of up to `limit` segments: all of an object, or those only begun. */
static enum err list_segments(struct database *db, const struct bytes32 *version, bool begun_only, uint32_t limit,
			      struct bytes32 *ret, uint32_t *ret_count)
{
	struct query *q =
		database_query(db, "SELECT segment FROM segments WHERE version = $version AND state <= $state "
				   "ORDER BY number LIMIT $limit");
	uint32_t count = 0;
	bool row;
	enum err err;

	query_bytes32(q, "version", version);
	query_int(q, "state", begun_only ? SEGMENT_BEGUN : SEGMENT_COMMITTED);
	query_int(q, "limit", limit);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = query_get_exact(q, 0, ret[count++].b, sizeof(ret[0].b));
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	*ret_count = count;
	return err;
}

#define BATCH 32

enum err segments_drop_begun(struct database *db, const struct bytes32 *version)
{
	struct bytes32 ids[BATCH];
	uint32_t count = BATCH;
	enum err err = ERR_OK;

	while (err == ERR_OK && count == BATCH) {
		err = list_segments(db, version, true, BATCH, ids, &count);
		for (uint32_t i = 0; i < count && err == ERR_OK; i++)
			err = delete_segment(db, &ids[i]);
	}
	return err;
}

static enum err end_pieces(struct database *db, const struct bytes32 *segment, bool was_visible, uint64_t at)
{
	struct query *q = database_query(db, "INSERT INTO deletions (node, piece, ends, due, again, tries) "
					     "SELECT node, piece, $at, $at, 0, 0 FROM pieces "
					     "WHERE segment = $segment");
	enum err err;

	query_bytes32(q, "segment", segment);
	query_int(q, "at", at);
	err = query_run(q);
	if (err == ERR_OK && was_visible)
		err = storage_end_segment(db, segment, at);
	if (err != ERR_OK || !was_visible)
		return err;
	q = database_query(db, "INSERT INTO ended (node, piece, size, stored, ended) SELECT node, piece, size, stored, "
			       "CASE WHEN lost > 0 THEN lost WHEN stored > $at THEN stored ELSE $at END FROM pieces "
			       "WHERE segment = $segment");
	query_bytes32(q, "segment", segment);
	query_int(q, "at", at);
	return query_run(q);
}

enum err segments_take_apart(struct database *db, const struct bytes32 *version, bool was_visible, uint64_t at,
			     uint32_t limit, bool *ret_left)
{
	struct bytes32 ids[BATCH];
	uint32_t count = 0;
	enum err err;

	assert(limit <= BATCH);
	err = list_segments(db, version, false, limit, ids, &count);
	for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
		err = end_pieces(db, &ids[i], was_visible, at);
		if (err == ERR_OK)
			err = delete_segment(db, &ids[i]);
	}
	*ret_left = count == limit;
	return err;
}
