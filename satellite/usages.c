/* Closing days, and telling of them. */
#include "satellite/usages.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "payments/usage.h"
#include "satellite/storage.h"

#define PAUSE_MS 5000
#define LATE 300 /* seconds after midnight: what nodes with slow clocks stored before it is still to come */
#define ROWS_PER_PART (MESSAGE_USAGE_ROWS / USAGE_ROW)
#define PARTS 16 /* of an answer; after that the node asks for more */

_Static_assert(MESSAGE_USAGE_ROWS % USAGE_ROW == 0, "a part ends with a whole row");

/* The rows of a node's day behind a piece, in the order of a Usage. A piece has one row a day. */
static struct query *select_changes(struct database *db, const struct address *node, uint64_t day, struct bytes after)
{
	struct query *q = database_query(db, "SELECT piece, change, size, began, ended FROM changes WHERE node = $node "
					     "AND day = $day AND piece > $after ORDER BY piece");

	query_address(q, "node", node);
	query_int(q, "day", day);
	query_bytes(q, "after", after);
	return q;
}

static enum err read_change(struct query *q, struct usage_row *ret)
{
	*ret = (struct usage_row){
		.change = (uint8_t)query_get_int(q, 1),
		.size = query_get_int(q, 2),
		.from = query_get_int(q, 3),
		.to = query_get_int(q, 4),
	};
	return query_get_exact(q, 0, ret->piece.b, sizeof(ret->piece.b));
}

static enum err sum_changes(struct database *db, const struct address *node, uint64_t day,
			    const struct usage_carried *carried, struct usage_sum *sum)
{
	struct query *q;
	struct usage_row change;
	bool row = false;
	enum err err;

	usage_begin(sum, (uint32_t)day, carried);
	q = select_changes(db, node, day, (struct bytes){NULL, 0});
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		err = read_change(q, &change);
		if (err == ERR_OK)
			err = usage_add(sum, &change);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	/* The database holds what we wrote: rows that make no sense are damage. */
	return err == ERR_FORMAT || err == ERR_RANGE ? ERR_CORRUPT : err;
}

static enum err store_usage(struct database *db, const struct desk *desk, const struct usage *usage,
			    const struct usage_carried *carried)
{
	struct query *q = database_query(db, "INSERT INTO usages (node, day, signed, bytes, debt) VALUES ($node, $day, "
					     "$signed, $bytes, $debt)");
	uint8_t wire[MESSAGE_SIGNED_MAX], debt[16];
	struct signature signature;
	struct writer w;

	typed_sign(&typed_usage, usage, &desk->settings->domain, desk->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_usage, usage, &signature, &w);
	query_address(q, "node", &usage->node);
	query_int(q, "day", usage->day);
	query_bytes(q, "signed", writer_bytes(&w));
	query_int(q, "bytes", carried->bytes);
	writer_init(&w, debt, sizeof(debt));
	write_u128(&w, byte_seconds_value(carried->debt));
	query_bytes(q, "debt", writer_bytes(&w));
	return query_run(q);
}

/* A node's day, counted twice: from the sums by hour, which is what is paid, and from the changes that it is told of.
 */
static enum err close_node(struct database *db, const struct desk *desk, const struct address *node, uint64_t day)
{
	struct storage_walk walk;
	struct usage_carried carried;
	struct byte_seconds stored = byte_seconds_from(0);
	struct usage_sum sum;
	struct usage_day known;
	struct usage usage = {.satellite = *key_address(desk->key), .node = *node, .day = (uint32_t)day};
	enum err err = storage_walk_begin(&walk, db, node, day);

	if (err != ERR_OK)
		return err;
	carried = walk.carried;
	err = walk.day == day ? storage_walk_day(&walk, UINT64_MAX, &stored) : ERR_CORRUPT;
	storage_walk_end(&walk);
	if (err == ERR_OK)
		err = sum_changes(db, node, day, &carried, &sum);
	if (err == ERR_OK)
		err = usage_end(&sum, &known);
	if (err != ERR_OK)
		return err;
	if (byte_seconds_value(known.stored) != byte_seconds_value(stored))
		return ERR_CORRUPT;
	if (sum.count == 0 && carried.bytes == 0 && byte_seconds_value(carried.debt) == 0)
		return ERR_OK; /* nothing to tell */
	usage.changes = known.changes;
	usage.byteSeconds = byte_seconds_value(stored);
	return store_usage(db, desk, &usage, &carried);
}

/* The next node behind *node that ever stored something; the first when `first`. */
static enum err next_node(struct database *db, bool first, struct address *node)
{
	struct query *q = database_query(db, first ? "SELECT node FROM storage ORDER BY node LIMIT 1"
						   : "SELECT node FROM storage WHERE node > $node ORDER BY node "
						     "LIMIT 1");
	enum err err;

	if (!first)
		query_address(q, "node", node);
	err = query_one(q);
	if (err == ERR_OK)
		err = query_get_exact(q, 0, node->b, sizeof(node->b));
	query_reset(q);
	return err;
}

static enum err close_day(struct database *db, const struct desk *desk, uint64_t day)
{
	struct address node;
	struct query *q;
	enum err err = next_node(db, true, &node);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	q = database_query(db, "INSERT INTO usage_days (day, closed) VALUES ($day, $now)");
	query_int(q, "day", day);
	query_int(q, "now", clock_wall());
	if (query_run(q) != ERR_OK)
		return ERR_DATABASE;
	while (err == ERR_OK) {
		err = close_node(db, desk, &node, day);
		if (err == ERR_OK)
			err = next_node(db, false, &node);
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err usages_open_day(struct database *db, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT COALESCE((SELECT MAX(day) + 1 FROM usage_days), "
					     "(SELECT MIN(hour) / 24 FROM storage), 0)");
	enum err err = query_one(q);

	if (err != ERR_OK)
		return err;
	*ret = query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

enum err usages_close_until(struct database *db, const struct desk *desk, uint64_t end_day)
{
	uint64_t day;
	enum err err = usages_open_day(db, &day);

	for (; err == ERR_OK && day != 0 && day < end_day; day++)
		err = close_day(db, desk, day);
	return err;
}

/* One day in one transaction. */
static enum err close_next(struct database *db, void *arg)
{
	const struct desk *desk = arg;
	uint64_t day;
	enum err err = usages_open_day(db, &day);

	if (err == ERR_OK && (day == 0 || clock_wall() < (day + 1) * USAGE_DAY + LATE))
		return ERR_NOT_FOUND;
	return err == ERR_OK ? close_day(db, desk, day) : err;
}

unsigned usages_walk(struct round *round)
{
	uint64_t day = 0;
	enum err err = usages_open_day(round->desk->db, &day);
	char quoted[300];

	/* The write lock is taken only when there is something to do. */
	if (err == ERR_OK && (day == 0 || clock_wall() < (day + 1) * USAGE_DAY + LATE))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = database_transaction(round->desk->db, close_next, round->desk);
	if (err == ERR_OK) {
		log_event(LOG_INFO, "day_closed", "day=%" PRIu64, day);
		return 0;
	}
	if (err != ERR_NOT_FOUND)
		log_event(LOG_ERROR, "day_not_closed", "day=%" PRIu64 " error=%s database=%s", day, err_name(err),
			  log_quote(database_message(round->desk->db), quoted, sizeof(quoted)));
	return PAUSE_MS;
}

/* ASK_USAGE under way. */
struct telling {
	struct work *work;
	struct message answer; /* without rows yet */
	unsigned parts;	       /* sent */
	uint8_t usage[MESSAGE_SIGNED_MAX];
	uint8_t rows[MESSAGE_USAGE_ROWS];
};

/* Whether there is nothing to tell of a day, or nothing yet. */
static enum err explain_none(struct database *db, struct work *work, uint32_t day)
{
	struct query *q = database_query(db, "SELECT COALESCE(MAX(day), 0) FROM usage_days");
	enum err err = query_one(q);
	uint64_t closed;

	if (err != ERR_OK)
		return err;
	closed = query_get_int(q, 0);
	query_reset(q);
	if (day > closed)
		return work_refuse(work, REFUSAL_EARLY, "day: %" PRIu32 " is not closed yet", day);
	return work_refuse(work, REFUSAL_NOT_FOUND, "day: nothing is signed for %" PRIu32, day);
}

static enum err find_usage(struct database *db, struct telling *telling)
{
	struct work *work = telling->work;
	uint32_t day = work->message->ask_usage.day;
	struct query *q =
		database_query(db, "SELECT signed, bytes, debt FROM usages WHERE node = $node AND day = $day");
	struct msg_usage *usage = &telling->answer.usage;
	struct bytes wire, debt;
	struct reader r;
	enum err err;

	query_address(q, "node", &work->caller->address);
	query_int(q, "day", day);
	err = query_one(q);
	if (err == ERR_NOT_FOUND)
		err = explain_none(db, work, day);
	if (err != ERR_OK)
		return err;
	wire = query_get_bytes(q, 0);
	debt = query_get_bytes(q, 2);
	if (wire.len > sizeof(telling->usage))
		return ERR_CORRUPT;
	memcpy(telling->usage, wire.data, wire.len);
	usage->usage = bytes_of(telling->usage, wire.len);
	usage->bytes = query_get_int(q, 1);
	reader_init(&r, debt);
	usage->debt = read_u128(&r);
	query_reset(q);
	return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

static void send_part(struct telling *telling, struct writer *w, bool last)
{
	telling->answer.usage.rows = bytes_of(telling->rows, w->len);
	telling->answer.usage.last = last;
	telling->parts++;
	writer_init(w, telling->rows, sizeof(telling->rows));
	reply_add(telling->work->reply, &telling->answer);
}

static enum err tell(struct database *db, void *arg)
{
	struct telling *telling = arg;
	struct work *work = telling->work;
	const struct msg_ask_usage *ask = &work->message->ask_usage;
	struct usage_row change;
	struct query *q;
	struct writer w;
	bool row = false;
	enum err err;

	work->reply->len = 0; /* a view that has to begin anew begins the answer anew */
	telling->parts = 0;
	err = find_usage(db, telling);
	if (err != ERR_OK)
		return err;
	q = select_changes(db, &work->caller->address, ask->day,
			   bytes_of(ask->after.b, bytes32_is_zero(&ask->after) ? 0 : sizeof(ask->after.b)));
	writer_init(&w, telling->rows, sizeof(telling->rows));
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		bool full = w.len == (size_t)ROWS_PER_PART * USAGE_ROW;

		telling->answer.usage.more = full && telling->parts == PARTS - 1;
		if (telling->answer.usage.more)
			break;
		if (full)
			send_part(telling, &w, false);
		err = read_change(q, &change);
		if (err != ERR_OK)
			break;
		fields_encode(&usage_row_fields, &change, &w);
	}
	query_reset(q);
	if (err == ERR_OK)
		send_part(telling, &w, true);
	return err;
}

enum err usages_answer(struct work *work)
{
	struct telling *telling = memory_new(1, sizeof(*telling));
	enum err err;

	telling->work = work;
	telling->answer.type = MSG_USAGE;
	err = database_view(work->desk->db, tell, telling);
	free(telling);
	return err;
}
