/*
 * The monthly tally: what the SQL collects equals what a naive model adds up row by row, for random histories, and each
 * kind of row counts when it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "satellite/pricing.h"
#include "satellite/storage.h"
#include "satellite/tallies.h"
#include "tests/kit/office.h"

#define NOW UINT64_C(1771200000)   /* 2026-02-16T00:00:00Z */
#define MONTH UINT64_C(1769904000) /* 2026-02-01T00:00:00Z */
#define MONTH_SECONDS (28 * 86400)
#define NODES 3

static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "1/1/1/1");
	office_set_clock(office, MONTH - 40 * UINT64_C(86400));
	assert_int_equal(pricing_publish(office->desk), ERR_OK);
	for (int i = 0; i < NODES; i++)
		office_add_node(office, "192.0.2.1", 1000000000);
	*state = office;
	return 0;
}

/* A row of any of the tables, by name of column. */
struct row {
	const char *sql;
	struct address node;
	uint64_t serial; /* makes a key */
	uint64_t a, b, c, d;
};

static struct bytes32 key_of(uint64_t serial)
{
	struct bytes32 key = {{0}};

	put_be64(key.b, serial);
	return key;
}

static enum err insert_row(struct database *db, void *arg)
{
	const struct row *row = arg;
	struct query *q = database_query(db, row->sql);
	struct bytes32 key = key_of(row->serial);

	query_bytes(q, "node", bytes_of(row->node.b, sizeof(row->node.b)));
	query_bytes32(q, "key", &key);
	query_int(q, "a", row->a);
	query_int(q, "b", row->b);
	query_int(q, "c", row->c);
	query_int(q, "d", row->d);
	return query_run(q);
}

static void insert(struct office *office, const char *sql, struct row row)
{
	row.sql = sql;
	assert_int_equal(database_transaction(office->desk->db, insert_row, &row), ERR_OK);
}

static enum err begin(struct database *db, void *arg)
{
	struct bytes32 version = key_of(*(uint64_t *)arg);

	return storage_begin_object(db, &version);
}

static enum err lose(struct database *db, void *arg)
{
	const struct row *row = arg;
	struct bytes32 piece = key_of(row->serial);

	return storage_end_piece(db, &row->node, &piece, row->c);
}

/* An object of one segment; d: when it was committed, 0 for never. Piece of size a, stored b, lost c. All is known when
 * it happens. */
static void insert_piece(struct office *office, const struct row *row)
{
	uint64_t serial = row->serial;
	struct row loss = *row;

	insert(office,
	       "INSERT INTO objects (version, owner, bucket, path, state, required, repair, success, total, begun, "
	       "touched, "
	       "committed, expires, segments, plain_size, metadata) VALUES ($key, $node, 'films', $key, "
	       "CASE WHEN $d > 0 THEN 2 ELSE 1 END, 1, 1, 1, 1, $a, $b, $d, 0, $c, 0, x'')",
	       *row);
	insert(office,
	       "INSERT INTO segments (segment, version, number, state, plain_size, piece_size, issued, expires, "
	       "wrapped_key) VALUES ($key, $key, 0, 2, $a, $b, $c, $d, $node)",
	       *row);
	insert(office,
	       "INSERT INTO pieces (segment, number, node, piece, root, size, stored, lost, audited, verdict) VALUES "
	       "($key, 0, $node, $key, $key, $a, $b, 0 * $c, 0, $d * 0)",
	       *row);
	if (row->d > 0) {
		office_set_clock(office, row->b);
		assert_int_equal(database_transaction(office->desk->db, begin, &serial), ERR_OK);
	}
	if (row->c > 0) {
		office_set_clock(office, row->c);
		assert_int_equal(database_transaction(office->desk->db, lose, &loss), ERR_OK);
		insert(office, "UPDATE pieces SET lost = $c + 0 * ($a + $b + $d) WHERE node = $node AND piece = $key",
		       loss);
	}
}

static const char insert_traffic[] =
	"INSERT INTO traffic (node, hour, action, bytes, orders) VALUES ($node, $a, $b, $c, $d + 0 * length($key))";
static const char insert_audit[] = "INSERT INTO audited (node, hour, bytes, passed, failed) VALUES ($node, $a, $b, $c, "
				   "$d + 0 * length($key))";

static void collect(struct office *office, struct tallies *ret)
{
	assert_int_equal(tallies_collect(office->desk, NOW, ret), ERR_OK);
	assert_int_equal(ret->count, NODES);
	assert_int_equal(ret->from, MONTH);
	assert_int_equal(ret->until, NOW);
}

static const struct node_tally *line_of(const struct tallies *tallies, const struct key *node)
{
	for (size_t i = 0; i < tallies->count; i++)
		if (address_equal(&tallies->nodes[i].address, key_address(node)))
			return &tallies->nodes[i];
	fail_msg("every node has a line");
	return NULL;
}

static void test_nothing(void **state)
{
	struct tallies tallies;

	collect(*state, &tallies);
	for (size_t i = 0; i < NODES; i++) {
		assert_int_equal(tallies.nodes[i].stored_bytes, 0);
		assert_int_equal(amount_units(tallies.nodes[i].earned), 0);
	}
	tallies_free(&tallies);
}

/* One piece of 10^12 bytes since before the month: half of the month has passed but for 12 hours and so on, exactly. */
static void test_known_amount(void **state)
{
	struct office *office = *state;
	struct tallies tallies;
	const struct node_tally *line;
	struct row piece = {.node = *key_address(office->nodes[0]), .serial = 1, .a = 1000000000000, .b = 5, .d = 5};
	struct row sent = {.node = piece.node, .a = NOW / 3600, .b = ACTION_GET, .c = 500000000000, .d = 7};

	insert_piece(office, &piece);
	insert(office, insert_traffic, sent);
	collect(office, &tallies);
	line = line_of(&tallies, office->nodes[0]);
	assert_int_equal(line->stored_bytes, 1000000000000);
	assert_true(line->tally.stored.value == (uint128)1000000000000 * (NOW - MONTH));
	assert_int_equal(line->orders, 7);
	/* 1.5 tokens × 15 ÷ 28 of the month = 0.80357142…; half a TB at 2 tokens = 1. */
	assert_int_equal(amount_units(line->earned), 180357142);
	tallies_free(&tallies);
}

/* Each of these leaves the tally as it was. */
static void test_what_does_not_count(void **state)
{
	struct office *office = *state;
	struct address node = *key_address(office->nodes[1]);
	struct tallies tallies;
	const struct node_tally *line;

	insert_piece(office, &(struct row){.node = node, .serial = 1, .a = 1000, .b = MONTH}); /* never committed */
	insert_piece(office, &(struct row){.node = node, .serial = 2, .a = 1000, .b = MONTH - 9, .c = MONTH, .d = 1});
	insert_piece(office, &(struct row){.node = node, .serial = 3, .a = 1000, .b = NOW, .c = NOW, .d = 1});
	insert_piece(office, &(struct row){.node = node, .serial = 4, .a = 1000, .b = 1, .c = MONTH, .d = 1});
	insert(office, insert_traffic,
	       (struct row){.node = node, .a = MONTH / 3600 - 1, .b = ACTION_GET, .c = 1000, .d = 1});
	insert(office, insert_traffic,
	       (struct row){.node = node, .a = MONTH / 3600, .b = ACTION_PUT, .c = 1000, .d = 0});
	insert(office, insert_audit, (struct row){.node = node, .a = MONTH / 3600 - 1, .b = 1000, .c = 1, .d = 1});
	collect(office, &tallies);
	line = line_of(&tallies, office->nodes[1]);
	assert_int_equal(line->stored_bytes, 0);
	assert_true(line->tally.stored.value == 0);
	assert_int_equal(line->tally.egress, 0);
	assert_int_equal(line->orders, 0);
	assert_int_equal(line->audits_passed, 0);
	assert_int_equal(line->audits_failed, 0);
	assert_int_equal(amount_units(line->earned), 0);
	tallies_free(&tallies);
}

/* The model: every row on its own, in 128 bits. */
struct model {
	uint128 stored;
	uint64_t stored_bytes, egress, audit, repair, passed, failed, orders;
};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void model_stored(struct model *model, uint64_t size, uint64_t stored, uint64_t end)
{
	uint64_t from = later(stored, MONTH), to = earlier(end, NOW);

	if (to > from)
		model->stored += (uint128)size * (to - from);
}

static uint64_t some_time(struct random_stream *random)
{
	return MONTH - 2000000 + random_stream_below(random, 5000000);
}

static void add_random(struct office *office, struct random_stream *random, uint64_t serial, struct model *models)
{
	unsigned at = (unsigned)random_stream_below(random, NODES);
	struct model *model = &models[at];
	struct row row = {.node = *key_address(office->nodes[at]), .serial = serial};
	uint64_t size = random_stream_below(random, 2097153), stored = some_time(random);

	switch (random_stream_below(random, 3)) {
	case 0: /* a piece, perhaps lost, perhaps of an upload that was never committed */
		row.a = size;
		row.b = stored;
		row.c = random_stream_below(random, 3) == 0 ? later(stored, some_time(random)) : 0;
		row.d = random_stream_below(random, 4) == 0 ? 0 : stored;
		insert_piece(office, &row);
		if (row.d > 0)
			model_stored(model, size, stored, row.c > 0 ? row.c : NOW);
		if (row.d > 0 && stored < NOW && (row.c == 0 || row.c >= NOW))
			model->stored_bytes += size;
		break;
	case 1:
		/* Hours are distinct: each is a row of its own. */
		row.a = MONTH / 3600 - 100 + serial;
		row.b = 1 + random_stream_below(random, 5);
		row.c = random_stream_below(random, UINT64_C(1) << 50);
		row.d = random_stream_below(random, 1000);
		insert(office, insert_traffic, row);
		if (row.a >= MONTH / 3600) {
			model->orders += row.d;
			model->egress += row.b == ACTION_GET ? row.c : 0;
			model->audit += row.b == ACTION_GET_AUDIT ? row.c : 0;
			model->repair += row.b == ACTION_GET_REPAIR ? row.c : 0;
		}
		break;
	default:
		row.a = MONTH / 3600 - 100 + serial;
		row.b = size;
		row.c = random_stream_below(random, 1000);
		row.d = random_stream_below(random, 10);
		insert(office, insert_audit, row);
		if (row.a >= MONTH / 3600) {
			model->audit += row.b;
			model->passed += row.c;
			model->failed += row.d;
		}
		break;
	}
}

static uint64_t model_earned(const struct model *m)
{
	const struct prices *p = &prices_default;
	const uint128 tb = (uint128)1000000000000;

	return (uint64_t)(m->stored * amount_units(p->storage) / (tb * MONTH_SECONDS)) +
	       (uint64_t)((uint128)m->egress * amount_units(p->egress) / tb) +
	       (uint64_t)((uint128)m->audit * amount_units(p->audit) / tb) +
	       (uint64_t)((uint128)m->repair * amount_units(p->repair) / tb);
}

static void test_against_model(void **state)
{
	struct office *office = *state;
	struct model models[NODES] = {{0}};
	struct random_stream random;
	struct tallies tallies;

	random_stream_init(&random, bytes_of_text("tallies"));
	for (uint64_t serial = 1; serial <= 400; serial++)
		add_random(office, &random, serial, models);
	collect(office, &tallies);
	for (int i = 0; i < NODES; i++) {
		const struct node_tally *line = line_of(&tallies, office->nodes[i]);
		const struct model *m = &models[i];

		assert_true(line->tally.stored.value == m->stored);
		assert_true(m->stored > 0);
		assert_int_equal(line->stored_bytes, m->stored_bytes);
		assert_int_equal(line->tally.egress, m->egress);
		assert_int_equal(line->tally.audit, m->audit);
		assert_int_equal(line->tally.repair, m->repair);
		assert_int_equal(line->audits_passed, m->passed);
		assert_int_equal(line->audits_failed, m->failed);
		assert_int_equal(line->orders, m->orders);
		assert_int_equal(amount_units(line->earned), model_earned(m));
	}
	tallies_free(&tallies);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_known_amount),
		TEST(test_what_does_not_count),
		TEST(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
