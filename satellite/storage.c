/*
 * SQL of the books of storage.
 *
 * A piece that begins at `began` and is booked in an hour counts size * (hour's end - began) there, however long ago
 * that was; one that ends is taken off in the same way. So over any hours bytes and byte-seconds are sums of rows.
 */
#include "satellite/storage.h"

#include "common/clock.h"

#define HOUR 3600
#define DAY_HOURS 24

enum err storage_hour(struct database *db, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT MAX(open) FROM (SELECT MAX(end_day) AS open FROM months UNION ALL "
					     "SELECT MAX(day) + 1 FROM usage_days) AS ends");
	uint64_t now = clock_wall() / HOUR, open;
	enum err err = query_one(q);

	if (err != ERR_OK)
		return err;
	open = query_get_int(q, 0) * DAY_HOURS;
	query_reset(q);
	*ret = now > open ? now : open;
	return ERR_OK;
}

/* clang-format off */

/* The hour of what happens at a time: a node's clock may be a few minutes ahead. */
#define HOUR_OF(time) "CASE WHEN " time " / 3600 > $hour THEN " time " / 3600 ELSE $hour END"

#define INTO_STORAGE "INSERT INTO storage (node, hour, begun, begun_seconds, ended, ended_seconds) "
#define INTO_CHANGES "INSERT INTO changes (node, day, piece, change, size, began, ended) "

#define ADD_BY_HOUR \
	"WHERE size > 0 GROUP BY node, hour ON CONFLICT (node, hour) DO UPDATE SET " \
	"begun = storage.begun + excluded.begun, begun_seconds = storage.begun_seconds + excluded.begun_seconds, " \
	"ended = storage.ended + excluded.ended, ended_seconds = storage.ended_seconds + excluded.ended_seconds"

/* An object's pieces; `ended` is 0 but for those that were found missing before it was committed. */
#define BEGINNING(where) \
	"(SELECT p.node AS node, p.piece AS piece, p.size AS size, p.stored AS began, " \
	"CASE WHEN p.lost = 0 THEN 0 WHEN p.lost < p.stored THEN p.stored ELSE p.lost END AS ended, " \
	HOUR_OF("p.stored") " AS hour " \
	"FROM pieces p JOIN segments s ON s.segment = p.segment WHERE " where ") AS beginning "

#define SUM_BEGINNING(where) \
	INTO_STORAGE "SELECT node, hour, SUM(size), SUM(size * (hour * 3600 + 3600 - began)), " \
	"SUM(CASE WHEN ended > 0 THEN size ELSE 0 END), " \
	"SUM(CASE WHEN ended > 0 THEN size * (hour * 3600 + 3600 - ended) ELSE 0 END) FROM " \
	BEGINNING(where) ADD_BY_HOUR

/* In the order of the table, which a large object's pieces would otherwise be scattered over. */
#define LIST_BEGINNING(where) \
	INTO_CHANGES "SELECT node, hour / 24, piece, CASE WHEN ended > 0 THEN 3 ELSE 1 END, size, began, ended FROM " \
	BEGINNING(where) "ORDER BY node, hour / 24, piece"

/* Pieces that earn until now, and cease to. */
#define ENDING(where) \
	"(SELECT node, piece, size, began, ended, " HOUR_OF("ended") " AS hour FROM (" \
	"SELECT p.node AS node, p.piece AS piece, p.size AS size, p.stored AS began, " \
	"CASE WHEN p.stored > $at THEN p.stored ELSE $at END AS ended " \
	"FROM pieces p JOIN segments s ON s.segment = p.segment JOIN objects o ON o.version = s.version " \
	"WHERE p.lost = 0 AND o.committed > 0 AND " where ") AS earning) AS ending "

#define SUM_ENDING(where) \
	INTO_STORAGE "SELECT node, hour, 0, 0, SUM(size), SUM(size * (hour * 3600 + 3600 - ended)) FROM " \
	ENDING(where) ADD_BY_HOUR

/* One that began on the same day has a row there. */
#define LIST_ENDING(where) \
	INTO_CHANGES "SELECT node, hour / 24, piece, 2, size, began, ended FROM " ENDING(where) \
	"WHERE size >= 0 ON CONFLICT (node, day, piece) DO UPDATE SET change = 3, ended = excluded.ended"

#define OF_OBJECT "s.version = $key"
#define OF_SEGMENT "p.segment = $key"
#define OF_PIECE "p.node = $node AND p.piece = $key"

/* clang-format on */

struct booking {
	const char *sums, *list;
	const struct address *node; /* NULL: not by node */
	const struct bytes32 *key;
	bool ends;
	uint64_t at; /* when they end */
};

static enum err book_one(struct database *db, const char *sql, const struct booking *booking, uint64_t hour)
{
	struct query *q = database_query(db, sql);

	query_int(q, "hour", hour);
	query_bytes32(q, "key", booking->key);
	if (booking->node != NULL)
		query_address(q, "node", booking->node);
	if (booking->ends)
		query_int(q, "at", booking->at);
	return query_run(q);
}

static enum err book(struct database *db, const struct booking *booking)
{
	uint64_t hour;
	enum err err = storage_hour(db, &hour);

	if (err == ERR_OK)
		err = book_one(db, booking->sums, booking, hour);
	if (err == ERR_OK)
		err = book_one(db, booking->list, booking, hour);
	return err;
}

enum err storage_begin_object(struct database *db, const struct bytes32 *version)
{
	return book(db, &(struct booking){SUM_BEGINNING(OF_OBJECT), LIST_BEGINNING(OF_OBJECT), .key = version});
}

enum err storage_begin_piece(struct database *db, const struct address *node, const struct bytes32 *piece)
{
	return book(db, &(struct booking){SUM_BEGINNING(OF_PIECE), LIST_BEGINNING(OF_PIECE), node, piece, false, 0});
}

enum err storage_end_segment(struct database *db, const struct bytes32 *segment, uint64_t at)
{
	return book(db, &(struct booking){SUM_ENDING(OF_SEGMENT), LIST_ENDING(OF_SEGMENT), NULL, segment, true, at});
}

enum err storage_end_piece(struct database *db, const struct address *node, const struct bytes32 *piece, uint64_t at)
{
	return book(db, &(struct booking){SUM_ENDING(OF_PIECE), LIST_ENDING(OF_PIECE), node, piece, true, at});
}

/* What the last closed month left of the node's, and the day on which it ended. */
static enum err read_carried(struct database *db, const struct address *node, struct usage_carried *ret,
			     uint64_t *ret_day)
{
	struct query *q =
		database_query(db, "SELECT m.end_day, s.stored, s.debt FROM months m LEFT JOIN statements s ON "
				   "s.period = m.period AND s.node = $node ORDER BY m.period DESC LIMIT 1");
	uint8_t debt[16] = {0};
	struct reader r;
	enum err err;

	*ret = (struct usage_carried){0};
	*ret_day = 0;
	query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_OK) {
		*ret_day = query_get_int(q, 0);
		ret->bytes = query_get_int(q, 1);
		if (!query_is_null(q, 2))
			err = query_get_exact(q, 2, debt, sizeof(debt));
	}
	query_reset(q);
	reader_init(&r, bytes_of(debt, sizeof(debt)));
	ret->debt = byte_seconds_from(read_u128(&r));
	return err;
}

/* From walk->day and walk->carried on, advance to `day`. */
static enum err begin(struct storage_walk *walk, struct database *db, const struct address *node, uint64_t day)
{
	struct byte_seconds before;
	enum err err;

	walk->query = database_query(db, "SELECT hour, begun, begun_seconds, ended, ended_seconds FROM storage WHERE "
					 "node = $node AND hour >= $hour ORDER BY hour");
	query_bytes(walk->query, "node", bytes_of(node->b, sizeof(node->b)));
	query_int(walk->query, "hour", walk->day * DAY_HOURS);
	err = query_step(walk->query, &walk->row);
	/* Where no month was closed yet the books begin with their first row. */
	if (err == ERR_OK && walk->day == 0) {
		walk->day = walk->row ? query_get_int(walk->query, 0) / DAY_HOURS : day;
		if (walk->day > day)
			walk->day = day;
	}
	while (err == ERR_OK && walk->day < day)
		err = storage_walk_day(walk, UINT64_MAX, &before);
	if (err != ERR_OK)
		storage_walk_end(walk);
	return err;
}

enum err storage_walk_begin(struct storage_walk *walk, struct database *db, const struct address *node, uint64_t day)
{
	enum err err;

	walk->query = NULL;
	err = read_carried(db, node, &walk->carried, &walk->day);
	return err == ERR_OK ? begin(walk, db, node, day) : err;
}

enum err storage_walk_anew(struct storage_walk *walk, struct database *db, const struct address *node, uint64_t day)
{
	*walk = (struct storage_walk){.day = 0};
	return begin(walk, db, node, day);
}

/* Signed, so that a part of a day can be counted: what a clock ahead of ours will bring is below zero until then. */
struct day_sums {
	__int128 earned, taken;
	uint64_t begun, ended;
};

/* Add the row that is waiting, counted up to `end`. */
static void add_row(struct query *q, uint64_t end, struct day_sums *sums)
{
	__int128 more = (__int128)end - (__int128)(query_get_int(q, 0) + 1) * HOUR;
	uint64_t begun = query_get_int(q, 1), ended = query_get_int(q, 3);

	sums->earned += query_get_int(q, 2) + more * begun;
	sums->taken += query_get_int(q, 4) + more * ended;
	sums->begun += begun;
	sums->ended += ended;
}

enum err storage_walk_day(struct storage_walk *walk, uint64_t until, struct byte_seconds *ret)
{
	struct usage_carried *carried = &walk->carried;
	uint64_t start = walk->day * USAGE_DAY, end = start + USAGE_DAY;
	struct day_sums sums = {0};
	enum err err = ERR_OK;

	if (end > until)
		end = until > start ? until : start;
	sums.earned = (__int128)carried->bytes * (end - start);
	sums.taken = (__int128)byte_seconds_value(carried->debt);
	while (err == ERR_OK && walk->row && query_get_int(walk->query, 0) * HOUR < end) {
		add_row(walk->query, end, &sums);
		err = query_step(walk->query, &walk->row);
	}
	if (err == ERR_OK && sums.ended > carried->bytes + sums.begun)
		err = ERR_CORRUPT;
	if (err != ERR_OK)
		return err;
	carried->bytes += sums.begun - sums.ended;
	carried->debt = byte_seconds_from(sums.taken > sums.earned ? (uint128)(sums.taken - sums.earned) : 0);
	*ret = byte_seconds_from(sums.earned > sums.taken ? (uint128)(sums.earned - sums.taken) : 0);
	walk->day++;
	return ERR_OK;
}

void storage_walk_end(struct storage_walk *walk)
{
	if (walk->query != NULL)
		query_reset(walk->query);
	walk->query = NULL;
}
