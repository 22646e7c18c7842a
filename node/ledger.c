/*
 * The ledger's SQL. Every change of an order's state moves its bytes from one running total to another in the same
 * transaction, so nothing is ever summed up over all orders; a copy of the totals is kept in memory for readers.
 */
#include "node/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/database.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/message.h"
#include "node/ledger_private.h"
#include "payments/serial.h"

#define FILL_BATCH 2000 /* entries of the log per transaction */
#define ORDER_ROW 40	/* bytes32 allocation, u64 amount */
#define VERDICT_ROW 43	/* bytes32 allocation, u8 verdict, u16 code, u64 bytes */

static const struct migration migrations[] = {
	{1, "CREATE TABLE orders ("
	    "  allocation @bytes NOT NULL PRIMARY KEY,"
	    "  satellite @bytes NOT NULL,"
	    "  hour @int NOT NULL,"
	    "  action @int NOT NULL,"
	    "  amount @int NOT NULL,"
	    "  order_hash @bytes NOT NULL,"
	    "  allocation_signed @bytes NOT NULL,"
	    "  order_signed @bytes NOT NULL,"
	    "  at @int NOT NULL,"
	    "  state @int NOT NULL,"
	    "  counted @int NOT NULL,"
	    "  code @int NOT NULL,"
	    "  settlement @bytes"
	    ") @strict;"
	    "CREATE INDEX orders_unsettled ON orders (satellite, hour, order_hash) WHERE state = 1;"
	    "CREATE TABLE settlements ("
	    "  hash @bytes NOT NULL PRIMARY KEY,"
	    "  satellite @bytes NOT NULL,"
	    "  hour @int NOT NULL,"
	    "  settlement @bytes NOT NULL,"
	    "  settled @bytes NOT NULL"
	    ") @strict;"
	    "CREATE TABLE totals ("
	    "  satellite @bytes NOT NULL,"
	    "  state @int NOT NULL,"
	    "  orders @int NOT NULL,"
	    "  bytes @int NOT NULL,"
	    "  PRIMARY KEY (satellite, state)"
	    ") @strict;"
	    "CREATE TABLE progress (name @text NOT NULL PRIMARY KEY, value @int NOT NULL) @strict;"
	    "INSERT INTO progress (name, value) VALUES ('sequence', 0)"},
	{2, "CREATE TABLE counts (" /* what was settled and proven, by the day on which it was */
	    "  satellite @bytes NOT NULL,"
	    "  day @int NOT NULL,"
	    "  action @int NOT NULL,"
	    "  bytes @int NOT NULL,"
	    "  number @int NOT NULL," /* of orders, or of answered audits */
	    "  PRIMARY KEY (satellite, day, action)"
	    ") @strict;"
	    "INSERT INTO counts (satellite, day, action, bytes, number) SELECT satellite, at / 86400, action, "
	    "SUM(counted), COUNT(*) FROM orders WHERE state = 2 GROUP BY satellite, at / 86400, action;"
	    "CREATE INDEX orders_oldest ON orders (at) WHERE state = 1;"
	    "CREATE INDEX orders_due ON orders (hour) WHERE state = 1;"},
	{3, "ALTER TABLE settlements ADD COLUMN at @int NOT NULL DEFAULT 0;" /* when it was settled */
	    "ALTER TABLE settlements ADD COLUMN orders @bytes;"		     /* the rows that were signed over; */
	    "ALTER TABLE settlements ADD COLUMN verdicts @bytes;"	     /* NULL: from before they were kept */
	    "UPDATE settlements SET at = hour * 3600;"},
	{4, "ALTER TABLE orders ADD COLUMN root @bytes;" /* of uploads: what the receipt said, with `at`; NULL: none, */
	    "ALTER TABLE orders ADD COLUMN size @int;"}, /* or from before it was kept */
};

struct total {
	struct address satellite;
	struct ledger_totals totals;
};

struct ledger {
	struct database *db;
	uint64_t sequence;
	bool gaps;	      /* some of the log could not be read; said once */
	pthread_mutex_t lock; /* guards what follows */
	struct total *totals;
	size_t total_count;
	size_t total_room;
};

static struct ledger_totals *totals_of(struct ledger *ledger, const struct address *satellite)
{
	for (size_t i = 0; i < ledger->total_count; i++) {
		if (address_equal(&ledger->totals[i].satellite, satellite))
			return &ledger->totals[i].totals;
	}
	ledger->totals =
		memory_grow(ledger->totals, &ledger->total_room, ledger->total_count + 1, sizeof(*ledger->totals));
	ledger->totals[ledger->total_count] = (struct total){.satellite = *satellite};
	return &ledger->totals[ledger->total_count++].totals;
}

/* Read the totals into memory: after each transaction, and at the start. */
static enum err read_totals(struct ledger *ledger)
{
	struct query *q = database_query(ledger->db, "SELECT satellite, state, orders, bytes FROM totals");
	bool row = false;
	enum err err = query_step(q, &row);

	pthread_mutex_lock(&ledger->lock);
	ledger->total_count = 0;
	while (err == ERR_OK && row) {
		struct address satellite;
		uint64_t state = query_get_int(q, 1);

		err = query_get_exact(q, 0, satellite.b, sizeof(satellite.b));
		if (err == ERR_OK && state < LEDGER_STATES) {
			totals_of(ledger, &satellite)->orders[state] = query_get_int(q, 2);
			totals_of(ledger, &satellite)->bytes[state] = query_get_int(q, 3);
		}
		if (err == ERR_OK)
			err = query_step(q, &row);
	}
	pthread_mutex_unlock(&ledger->lock);
	query_reset(q);
	return err;
}

static enum err read_sequence(struct database *db, uint64_t *ret)
{
	struct query *q = database_query(db, "SELECT value FROM progress WHERE name = 'sequence'");
	enum err err = query_one(q);

	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err;
}

enum err ledger_open(const char *path, struct ledger **ret, char why[LEDGER_MESSAGE])
{
	struct ledger *ledger = memory_new(1, sizeof(*ledger));
	enum err err;

	pthread_mutex_init(&ledger->lock, NULL);
	err = database_open(path, migrations, sizeof(migrations) / sizeof(migrations[0]), &ledger->db, why);
	if (err != ERR_OK)
		goto out;
	err = read_sequence(ledger->db, &ledger->sequence);
	if (err == ERR_OK)
		err = read_totals(ledger);
	if (err != ERR_OK) {
		snprintf(why, LEDGER_MESSAGE, "%s: %s", path, database_message(ledger->db));
		goto out;
	}
	*ret = ledger;
	ledger = NULL;
out:
	ledger_close(ledger);
	return err;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	if (ledger->db != NULL)
		database_close(ledger->db);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger->totals);
	free(ledger);
}

struct database *ledger_database(struct ledger *ledger)
{
	return ledger->db;
}

const char *ledger_message(const struct ledger *ledger)
{
	return database_message(ledger->db);
}

void ledger_totals(struct ledger *ledger, const struct address *satellite, struct ledger_totals *ret)
{
	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&ledger->lock);
	for (size_t i = 0; i < ledger->total_count; i++) {
		const struct total *total = &ledger->totals[i];

		if (satellite != NULL && !address_equal(satellite, &total->satellite))
			continue;
		for (int state = 0; state < LEDGER_STATES; state++) {
			ret->orders[state] += total->totals.orders[state];
			ret->bytes[state] += total->totals.bytes[state];
		}
	}
	pthread_mutex_unlock(&ledger->lock);
}

/* Orders coming and going. */

/* An order as it stands in the table. */
struct entry {
	bool known;
	uint64_t amount;
	enum ledger_state state;
	uint64_t counted;
};

static enum err find_entry(struct database *db, const struct bytes32 *allocation, struct entry *ret)
{
	struct query *q =
		database_query(db, "SELECT amount, state, counted FROM orders WHERE allocation = $allocation");
	enum err err;

	query_bytes32(q, "allocation", allocation);
	err = query_one(q);
	ret->known = err == ERR_OK;
	if (err == ERR_OK) {
		ret->amount = query_get_int(q, 0);
		ret->state = (enum ledger_state)query_get_int(q, 1);
		ret->counted = query_get_int(q, 2);
	}
	query_reset(q);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* What an order adds to the bytes of its state's total. */
static uint64_t bytes_in_total(const struct entry *entry)
{
	return entry->state == LEDGER_SETTLED ? entry->counted : entry->amount;
}

static enum err total_add(struct database *db, const struct address *satellite, const struct entry *entry)
{
	struct query *q = database_query(
		db, "INSERT INTO totals (satellite, state, orders, bytes) VALUES ($satellite, $state, 1, $bytes) "
		    "ON CONFLICT (satellite, state) DO UPDATE SET orders = totals.orders + 1, "
		    "bytes = totals.bytes + excluded.bytes");

	query_address(q, "satellite", satellite);
	query_int(q, "state", entry->state);
	query_int(q, "bytes", bytes_in_total(entry));
	return query_run(q);
}

static enum err total_take(struct database *db, const struct address *satellite, const struct entry *entry)
{
	struct query *q = database_query(db, "UPDATE totals SET orders = orders - 1, bytes = bytes - $bytes "
					     "WHERE satellite = $satellite AND state = $state");

	query_address(q, "satellite", satellite);
	query_int(q, "state", entry->state);
	query_int(q, "bytes", bytes_in_total(entry));
	return query_run(q);
}

static enum err write_order(struct database *db, const struct store_transfer *t)
{
	struct query *q = database_query(
		db, "INSERT INTO orders (allocation, satellite, hour, action, amount, order_hash, allocation_signed, "
		    "order_signed, at, state, counted, code, root, size) VALUES ($allocation, $satellite, $hour, "
		    "$action, $amount, $order_hash, $allocation_signed, $order_signed, $at, 1, 0, 0, $root, $size) "
		    "ON CONFLICT (allocation) DO UPDATE SET amount = excluded.amount, order_hash = "
		    "excluded.order_hash, order_signed = excluded.order_signed, at = excluded.at, state = 1, "
		    "root = excluded.root, size = excluded.size");
	uint8_t allocation[MESSAGE_SIGNED_MAX], order[MESSAGE_SIGNED_MAX];
	struct writer a, o;
	struct bytes32 hash;

	writer_init(&a, allocation, sizeof(allocation));
	typed_encode(&typed_allocation, &t->allocation, &t->allocation_signature, &a);
	writer_init(&o, order, sizeof(order));
	typed_encode(&typed_order, &t->order, &t->order_signature, &o);
	typed_hash(&typed_order, &t->order, &hash);
	query_bytes32(q, "allocation", &t->order.allocation);
	query_address(q, "satellite", &t->allocation.satellite);
	query_int(q, "hour", serial_hour(&t->allocation.serial));
	query_int(q, "action", t->allocation.action);
	query_int(q, "amount", t->order.amount);
	query_bytes32(q, "order_hash", &hash);
	query_bytes(q, "allocation_signed", writer_bytes(&a));
	query_bytes(q, "order_signed", writer_bytes(&o));
	query_int(q, "at", t->at);
	if (t->is_piece) {
		query_bytes32(q, "root", &t->root);
		query_int(q, "size", t->size);
	} else {
		query_null(q, "root");
		query_null(q, "size");
	}
	return query_run(q);
}

static enum err add_order(struct database *db, const struct store_transfer *t)
{
	struct entry entry = {0};
	enum err err;

	if (t->order.amount == 0)
		return ERR_OK;
	if (t->order.amount > INT64_MAX) {
		log_event(LOG_WARN, "order_absurd", "amount=%llu", (unsigned long long)t->order.amount);
		return ERR_OK;
	}
	err = find_entry(db, &t->order.allocation, &entry);
	if (err != ERR_OK || (entry.known && entry.amount >= t->order.amount))
		return err;
	if (entry.known)
		err = total_take(db, &t->allocation.satellite, &entry);
	entry = (struct entry){true, t->order.amount, LEDGER_UNSETTLED, entry.counted};
	if (err == ERR_OK)
		err = write_order(db, t);
	if (err == ERR_OK)
		err = total_add(db, &t->allocation.satellite, &entry);
	return err;
}

static enum err add_one(struct database *db, void *arg)
{
	return add_order(db, arg);
}

enum err ledger_add(struct ledger *ledger, const struct store_transfer *transfer)
{
	struct store_transfer copy = *transfer;
	enum err err = database_transaction(ledger->db, add_one, &copy);

	return err == ERR_OK ? read_totals(ledger) : err;
}

/* Filling from the store's log, a batch at a time. */

struct batch {
	struct store_transfer *entries;
	size_t count;
};

static bool collect(void *arg, const struct store_transfer *transfer)
{
	struct batch *batch = arg;

	batch->entries[batch->count++] = *transfer;
	return batch->count < FILL_BATCH;
}

static enum err write_sequence(struct database *db, uint64_t sequence)
{
	struct query *q = database_query(db, "UPDATE progress SET value = $value WHERE name = 'sequence'");

	query_int(q, "value", sequence);
	return query_run(q);
}

static enum err add_batch(struct database *db, void *arg)
{
	const struct batch *batch = arg;
	enum err err = ERR_OK;

	for (size_t i = 0; i < batch->count && err == ERR_OK; i++)
		err = add_order(db, &batch->entries[i]);
	return err == ERR_OK ? write_sequence(db, batch->entries[batch->count - 1].sequence) : err;
}

enum err ledger_fill(struct ledger *ledger, struct store *store)
{
	struct batch batch = {memory_new(FILL_BATCH, sizeof(*batch.entries)), 0};
	enum err err;

	do {
		batch.count = 0;
		err = store_transfers_each(store, ledger->sequence, 0, collect, &batch);
		/* What the disk does not give back is lost, and no reason to settle nothing else. */
		if (err == ERR_CORRUPT || err == ERR_IO) {
			if (!ledger->gaps)
				log_event(LOG_WARN, "transfers_unreadable", "reason=%s", err_name(err));
			ledger->gaps = true;
			err = ERR_OK;
		}
		if (err != ERR_OK || batch.count == 0)
			break;
		err = database_transaction(ledger->db, add_batch, &batch);
		if (err == ERR_OK)
			ledger->sequence = batch.entries[batch.count - 1].sequence;
	} while (err == ERR_OK && batch.count == FILL_BATCH);
	free(batch.entries);
	return err == ERR_OK ? read_totals(ledger) : err;
}

uint64_t ledger_sequence(const struct ledger *ledger)
{
	return ledger->sequence;
}

/* Settling. */

enum err ledger_next_hour(struct ledger *ledger, const struct address *satellite, uint64_t from, uint64_t *ret)
{
	struct query *q = database_query(ledger->db, "SELECT hour FROM orders WHERE satellite = $satellite AND "
						     "hour >= $from AND state = 1 ORDER BY hour LIMIT 1");
	enum err err;

	query_address(q, "satellite", satellite);
	query_int(q, "from", from);
	err = query_one(q);
	if (err == ERR_OK)
		*ret = query_get_int(q, 0);
	query_reset(q);
	return err;
}

static struct bytes copy_column(struct query *q, int column)
{
	struct bytes view = query_get_bytes(q, column);

	return bytes_of(memory_copy(view.data, view.len), view.len);
}

static enum err claim_row(struct query *q, struct claim_order *ret)
{
	enum err err = query_get_exact(q, 0, ret->allocation.b, sizeof(ret->allocation.b));

	if (err == ERR_OK)
		err = query_get_exact(q, 1, ret->hash.b, sizeof(ret->hash.b));
	if (err != ERR_OK)
		return err;
	ret->amount = query_get_int(q, 2);
	ret->allocation_signed = copy_column(q, 3);
	ret->order_signed = copy_column(q, 4);
	return ERR_OK;
}

enum err ledger_claim(struct ledger *ledger, const struct address *satellite, uint64_t hour, uint32_t most,
		      struct claim **ret)
{
	struct query *q = database_query(
		ledger->db, "SELECT allocation, order_hash, amount, allocation_signed, order_signed FROM orders WHERE "
			    "satellite = $satellite AND hour = $hour AND state = 1 ORDER BY order_hash LIMIT $most");
	struct claim *claim = memory_new(1, sizeof(*claim));
	bool row = false;
	enum err err;

	claim->satellite = *satellite;
	claim->hour = hour;
	claim->orders = memory_new(most, sizeof(*claim->orders));
	query_address(q, "satellite", satellite);
	query_int(q, "hour", hour);
	query_int(q, "most", most);
	err = query_step(q, &row);
	while (err == ERR_OK && row) {
		err = claim_row(q, &claim->orders[claim->count]);
		if (err == ERR_OK) {
			claim->count++;
			err = query_step(q, &row);
		}
	}
	query_reset(q);
	if (err != ERR_OK) {
		claim_free(claim);
		return err;
	}
	*ret = claim;
	return ERR_OK;
}

void claim_free(struct claim *claim)
{
	if (claim == NULL)
		return;
	for (uint32_t i = 0; i < claim->count; i++) {
		free((void *)claim->orders[i].allocation_signed.data);
		free((void *)claim->orders[i].order_signed.data);
	}
	free(claim->orders);
	free(claim);
}

struct outcome {
	const struct claim *claim;
	const struct ledger_verdict *verdicts;
	struct bytes settlement, settled;
	struct bytes32 hash; /* of the settlement */
};

/* The lists under both signatures, as evidence has them (doc/formats.md): which orders, and which verdicts. */
static void write_rows(const struct outcome *outcome, struct writer *orders, struct writer *verdicts)
{
	for (uint32_t i = 0; i < outcome->claim->count; i++) {
		const struct claim_order *order = &outcome->claim->orders[i];
		const struct ledger_verdict *verdict = &outcome->verdicts[i];

		write_raw(orders, order->allocation.b, sizeof(order->allocation.b));
		write_u64(orders, order->amount);
		write_raw(verdicts, order->allocation.b, sizeof(order->allocation.b));
		write_u8(verdicts, (uint8_t)verdict->verdict);
		write_u16(verdicts, (uint16_t)verdict->code);
		write_u64(verdicts, verdict->bytes);
	}
}

static enum err insert_settlement(struct database *db, const struct outcome *outcome, struct bytes orders,
				  struct bytes verdicts)
{
	struct query *q = database_query(
		db, "INSERT INTO settlements (hash, satellite, hour, settlement, settled, at, orders, verdicts) VALUES "
		    "($hash, $satellite, $hour, $settlement, $settled, $at, $orders, $verdicts) ON CONFLICT (hash) DO "
		    "UPDATE SET settled = excluded.settled, orders = excluded.orders, verdicts = excluded.verdicts");

	query_bytes32(q, "hash", &outcome->hash);
	query_address(q, "satellite", &outcome->claim->satellite);
	query_int(q, "hour", outcome->claim->hour);
	query_bytes(q, "settlement", outcome->settlement);
	query_bytes(q, "settled", outcome->settled);
	query_int(q, "at", clock_wall());
	query_bytes(q, "orders", orders);
	query_bytes(q, "verdicts", verdicts);
	return query_run(q);
}

static enum err keep_statements(struct database *db, const struct outcome *outcome)
{
	size_t order_room = (size_t)outcome->claim->count * ORDER_ROW;
	size_t verdict_room = (size_t)outcome->claim->count * VERDICT_ROW;
	uint8_t *orders = memory_new(order_room + 1, 1), *verdicts = memory_new(verdict_room + 1, 1);
	struct writer order_rows, verdict_rows;
	enum err err;

	writer_init(&order_rows, orders, order_room);
	writer_init(&verdict_rows, verdicts, verdict_room);
	write_rows(outcome, &order_rows, &verdict_rows);
	err = insert_settlement(db, outcome, writer_bytes(&order_rows), writer_bytes(&verdict_rows));
	free(orders);
	free(verdicts);
	return err;
}

static enum err mark_order(struct database *db, const struct outcome *outcome, uint32_t index)
{
	struct query *q = database_query(db, "UPDATE orders SET state = $state, counted = $counted, code = $code, "
					     "settlement = $settlement WHERE allocation = $allocation");
	const struct ledger_verdict *verdict = &outcome->verdicts[index];
	bool rejected = verdict->verdict == VERDICT_REJECTED;

	query_int(q, "state", rejected ? LEDGER_REJECTED : LEDGER_SETTLED);
	query_int(q, "counted", rejected ? 0 : verdict->bytes);
	query_int(q, "code", rejected ? verdict->code : REFUSAL_NONE);
	query_bytes32(q, "settlement", &outcome->hash);
	query_bytes32(q, "allocation", &outcome->claim->orders[index].allocation);
	return query_run(q);
}

static enum err count(struct database *db, const struct address *satellite, const struct ledger_count *count)
{
	struct query *q = database_query(
		db, "INSERT INTO counts (satellite, day, action, bytes, number) VALUES ($satellite, $day, $action, "
		    "$bytes, $number) ON CONFLICT (satellite, day, action) DO UPDATE SET bytes = counts.bytes + "
		    "excluded.bytes, number = counts.number + excluded.number");

	query_address(q, "satellite", satellite);
	query_int(q, "day", count->day);
	query_int(q, "action", count->action);
	query_int(q, "bytes", count->bytes);
	query_int(q, "number", count->number);
	return query_run(q);
}

/* What is new about an order: nothing of one that was settled before, the difference of one that is higher now. */
static enum err count_order(struct database *db, const struct outcome *outcome, uint32_t index, uint64_t before)
{
	const struct ledger_verdict *verdict = &outcome->verdicts[index];
	struct ledger_count added = {.day = (uint32_t)(clock_wall() / 86400), .number = before == 0};
	struct query *q;
	enum err err;

	if (verdict->verdict == VERDICT_REJECTED || verdict->bytes <= before)
		return ERR_OK;
	added.bytes = verdict->bytes - before;
	q = database_query(db, "SELECT action FROM orders WHERE allocation = $allocation");
	query_bytes32(q, "allocation", &outcome->claim->orders[index].allocation);
	err = query_one(q);
	if (err != ERR_OK)
		return err;
	added.action = (enum action)query_get_int(q, 0);
	query_reset(q);
	return count(db, &outcome->claim->satellite, &added);
}

static enum err settle_order(struct database *db, const struct outcome *outcome, uint32_t index)
{
	const struct claim_order *order = &outcome->claim->orders[index];
	const struct ledger_verdict *verdict = &outcome->verdicts[index];
	struct entry entry = {0};
	enum err err = find_entry(db, &order->allocation, &entry);

	if (err != ERR_OK || !entry.known || entry.amount != order->amount)
		return err;
	err = total_take(db, &outcome->claim->satellite, &entry);
	if (err == ERR_OK)
		err = count_order(db, outcome, index, entry.counted);
	if (err == ERR_OK)
		err = mark_order(db, outcome, index);
	entry.state = verdict->verdict == VERDICT_REJECTED ? LEDGER_REJECTED : LEDGER_SETTLED;
	entry.counted = verdict->bytes;
	return err == ERR_OK ? total_add(db, &outcome->claim->satellite, &entry) : err;
}

static enum err settle_all(struct database *db, void *arg)
{
	const struct outcome *outcome = arg;
	enum err err = keep_statements(db, outcome);

	for (uint32_t i = 0; i < outcome->claim->count && err == ERR_OK; i++)
		err = settle_order(db, outcome, i);
	return err;
}

enum err ledger_settle(struct ledger *ledger, const struct claim *claim, const struct ledger_verdict *verdicts,
		       struct bytes settlement, struct bytes settled)
{
	struct outcome outcome = {.claim = claim, .verdicts = verdicts, .settlement = settlement, .settled = settled};
	struct settlement decoded;
	struct signature signature;
	enum err err = typed_decode(&typed_settlement, settlement, &decoded, &signature);

	if (err != ERR_OK)
		return err;
	typed_hash(&typed_settlement, &decoded, &outcome.hash);
	err = database_transaction(ledger->db, settle_all, &outcome);
	return err == ERR_OK ? read_totals(ledger) : err;
}

/* What was done, by day. */

struct noted_audit {
	const struct address *satellite;
	struct ledger_count count;
};

static enum err note_audit(struct database *db, void *arg)
{
	const struct noted_audit *audit = arg;

	return count(db, audit->satellite, &audit->count);
}

enum err ledger_note_audits(struct ledger *ledger, const struct taking *taking)
{
	struct noted_audit audit = {&taking->satellite, {taking->day, ACTION_GET_AUDIT, taking->bytes, taking->audits}};

	return database_transaction(ledger->db, note_audit, &audit);
}

enum err ledger_counts(struct ledger *ledger, const struct address *satellite, uint32_t from, uint32_t until,
		       enum err (*each)(void *arg, const struct ledger_count *count), void *arg)
{
	struct query *q = database_query(ledger->db, "SELECT day, action, bytes, number FROM counts WHERE satellite = "
						     "$satellite AND day >= $from AND day < $until ORDER BY day, "
						     "action");
	bool row = false;
	enum err err;

	query_address(q, "satellite", satellite);
	query_int(q, "from", from);
	query_int(q, "until", until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		const struct ledger_count found = {(uint32_t)query_get_int(q, 0), (enum action)query_get_int(q, 1),
						   query_get_int(q, 2), query_get_int(q, 3)};

		err = each(arg, &found);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

static enum err oldest_unsettled(struct ledger *ledger, const char *sql, uint64_t *ret)
{
	struct query *q = database_query(ledger->db, sql);
	enum err err = query_one(q);

	if (err != ERR_OK)
		return err;
	*ret = query_get_int(q, 0);
	query_reset(q);
	return ERR_OK;
}

enum err ledger_oldest(struct ledger *ledger, struct ledger_oldest *ret)
{
	struct ledger_oldest oldest;
	enum err err = oldest_unsettled(ledger, "SELECT COALESCE(MIN(at), 0) FROM orders WHERE state = 1", &oldest.at);

	if (err == ERR_OK)
		err = oldest_unsettled(ledger, "SELECT COALESCE(MIN(hour), 0) FROM orders WHERE state = 1",
				       &oldest.hour);
	if (err == ERR_OK)
		*ret = oldest;
	return err;
}

/* What can be shown to others. */

enum err ledger_settlements(struct ledger *ledger, const struct address *satellite, uint64_t from, uint64_t until,
			    enum err (*each)(void *arg, const struct ledger_settlement *settlement), void *arg)
{
	struct query *q = database_query(ledger->db, "SELECT settlement, settled, orders, verdicts FROM settlements "
						     "WHERE satellite = $satellite AND at >= $from AND at < $until "
						     "ORDER BY hour, hash");
	bool row = false;
	enum err err;

	query_address(q, "satellite", satellite);
	query_int(q, "from", from);
	query_int(q, "until", until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		const struct ledger_settlement found = {query_get_bytes(q, 0), query_get_bytes(q, 1),
							query_get_bytes(q, 2), query_get_bytes(q, 3)};

		err = each(arg, &found);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}

enum err ledger_orders(struct ledger *ledger, const struct address *satellite, uint64_t from, uint64_t until,
		       enum err (*each)(void *arg, const struct ledger_order *order), void *arg)
{
	struct query *q = database_query(
		ledger->db,
		"SELECT allocation_signed, order_signed, root, size, at FROM orders WHERE satellite = $satellite AND "
		"((state = 1 AND at >= $from AND at < $until) OR settlement IN (SELECT hash FROM "
		"settlements WHERE satellite = $satellite AND at >= $from AND at < $until)) "
		"ORDER BY hour, order_hash");
	bool row = false;
	enum err err;

	query_address(q, "satellite", satellite);
	query_int(q, "from", from);
	query_int(q, "until", until);
	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		struct ledger_order order = {.allocation = query_get_bytes(q, 0),
					     .order = query_get_bytes(q, 1),
					     .is_stored = !query_is_null(q, 2),
					     .size = query_get_int(q, 3),
					     .stored_at = query_get_int(q, 4)};

		if (order.is_stored)
			err = query_get_exact(q, 2, order.root.b, sizeof(order.root.b));
		if (err == ERR_OK)
			err = each(arg, &order);
		if (err != ERR_OK)
			break;
	}
	query_reset(q);
	return err;
}
