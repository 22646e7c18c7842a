/*
 * The books of storage: over random histories with late commits, losses that reach back and clocks ahead, every day is
 * what a naive model makes of the changes that became known on it, and all days together are the byte-seconds of all
 * pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "satellite/storage.h"
#include "tests/kit/office.h"

#define START UINT64_C(1769904000) /* 2026-02-01T00:00:00Z */
#define DAYS 12
#define PIECES 150

static int set_up(void **state)
{
	struct office *office = memory_new(1, sizeof(*office));

	office_open(office, "1/1/1/1");
	office_add_node(office, "192.0.2.1", 1000000000);
	*state = office;
	return 0;
}

/* A piece and its object: version, segment and piece have the same id. */
struct piece {
	struct address node;
	struct bytes32 id;
	uint64_t size, stored, lost;
};

static void bind_piece(struct query *q, const struct piece *piece)
{
	query_bytes(q, "node", bytes_of(piece->node.b, sizeof(piece->node.b)));
	query_bytes32(q, "key", &piece->id);
}

static enum err store(struct database *db, void *arg)
{
	static const char *const inserts[] = {
		"INSERT INTO objects (version, owner, bucket, path, state, required, repair, success, total, begun, "
		"touched, committed, expires, segments, plain_size, metadata) VALUES ($key, $node, 'films', $key, 1, "
		"1, 1, 1, 1, 1, 1, 0, 0, 1, 1, x'')",
		"INSERT INTO segments (segment, version, number, state, plain_size, piece_size, issued, expires, "
		"wrapped_key) VALUES ($key, $key, 0, 2, 1, 1, 1, 1, $node)",
	};
	const struct piece *piece = arg;
	struct query *q;
	enum err err = ERR_OK;

	for (int i = 0; i < 2 && err == ERR_OK; i++) {
		q = database_query(db, inserts[i]);
		bind_piece(q, piece);
		err = query_run(q);
	}
	assert_int_equal(err, ERR_OK);
	q = database_query(db, "INSERT INTO pieces (segment, number, node, piece, root, size, stored, lost, audited, "
			       "verdict) VALUES ($key, 0, $node, $key, $key, $size, $stored, $lost, 0, 0)");
	bind_piece(q, piece);
	query_int(q, "size", piece->size);
	query_int(q, "stored", piece->stored);
	query_int(q, "lost", piece->lost);
	return query_run(q);
}

static enum err commit(struct database *db, void *arg)
{
	const struct piece *piece = arg;
	struct query *q = database_query(db, "UPDATE objects SET state = 2, committed = 1 WHERE version = $key");
	enum err err;

	query_bytes32(q, "key", &piece->id);
	err = query_run(q);
	return err == ERR_OK ? storage_begin_object(db, &piece->id) : err;
}

/* What an audit does that finds it missing. */
static enum err lose(struct database *db, void *arg)
{
	const struct piece *piece = arg;
	struct query *q;
	enum err err = storage_end_piece(db, &piece->node, &piece->id, piece->lost);

	if (err != ERR_OK)
		return err;
	q = database_query(db, "UPDATE pieces SET lost = $lost WHERE node = $node AND piece = $key");
	bind_piece(q, piece);
	query_int(q, "lost", piece->lost);
	return query_run(q);
}

static enum err end(struct database *db, void *arg)
{
	const struct piece *piece = arg;

	return storage_end_segment(db, &piece->id, piece->lost);
}

static void run(struct office *office, enum err (*calls)(struct database *db, void *arg), struct piece *piece)
{
	assert_int_equal(database_transaction(office->desk->db, calls, piece), ERR_OK);
}

static struct piece make_piece(const struct office *office, uint64_t serial, uint64_t size, uint64_t stored)
{
	struct piece piece = {*key_address(office->nodes[0]), {{0}}, size, stored, 0};

	put_be64(piece.id.b, serial);
	return piece;
}

/* Byte-seconds of the days from START on, and what is carried behind the last. */
static struct usage_carried walk(struct office *office, unsigned days, uint128 *ret)
{
	struct storage_walk walk;
	struct byte_seconds day;

	assert_int_equal(storage_walk_begin(&walk, office->desk->db, key_address(office->nodes[0]), START / USAGE_DAY),
			 ERR_OK);
	assert_int_equal(walk.day, START / USAGE_DAY);
	for (unsigned i = 0; i < days; i++) {
		assert_int_equal(storage_walk_day(&walk, UINT64_MAX, &day), ERR_OK);
		ret[i] = byte_seconds_value(day);
	}
	storage_walk_end(&walk);
	return walk.carried;
}

/* The model: what became known on each day. */
struct model {
	__int128 earned[DAYS], taken[DAYS];
	uint64_t begun[DAYS], ended[DAYS];
	__int128 all; /* of every piece, from beginning to end, or to the end of the last day */
};

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#define END_OF_DAY(day) (START + ((uint64_t)(day) + 1) * USAGE_DAY)

static void model_begin(struct model *m, uint64_t known, const struct piece *piece)
{
	unsigned day = (unsigned)((known - START) / USAGE_DAY);

	m->earned[day] += (__int128)piece->size * (END_OF_DAY(day) - piece->stored);
	m->begun[day] += piece->size;
	m->all += (__int128)piece->size * (END_OF_DAY(DAYS - 1) - piece->stored);
}

static void model_end(struct model *m, uint64_t known, const struct piece *piece, uint64_t at)
{
	unsigned day = (unsigned)((known - START) / USAGE_DAY);

	m->taken[day] += (__int128)piece->size * (END_OF_DAY(day) - at);
	m->ended[day] += piece->size;
	m->all -= (__int128)piece->size * (END_OF_DAY(DAYS - 1) - at);
}

/* One piece's life; each step is known a while after the one before. */
static void live(struct office *office, struct random_stream *random, uint64_t serial, struct model *m)
{
	uint64_t now = START + 3600 + random_stream_below(random, 8 * USAGE_DAY), known;
	/* A clock may be 300 s ahead, but the hour of the day is the same: the model knows days only. */
	struct piece piece = make_piece(office, serial, random_stream_below(random, 2097153), now + 300);
	uint64_t kind = random_stream_below(random, 5);

	if (kind == 4) {
		piece.lost = piece.stored - 50; /* found missing before its object was committed, proven never */
		run(office, store, &piece);
		office_set_clock(office, now + 400);
		run(office, commit, &piece);
		model_begin(m, now + 400, &piece);
		model_end(m, now + 400, &piece, piece.stored);
		return;
	}
	run(office, store, &piece);
	known = now + (kind % 2 == 0 ? 0 : random_stream_below(random, 2 * USAGE_DAY));
	office_set_clock(office, known);
	run(office, commit, &piece);
	model_begin(m, later_of(known, piece.stored), &piece);
	if (kind == 0)
		return;
	known += random_stream_below(random, USAGE_DAY);
	office_set_clock(office, known);
	if (kind == 1) {
		piece.lost = known;
		run(office, end, &piece);
	} else {
		/* The last proof is some time ago. */
		piece.lost = known - random_stream_below(random, known - now + 1);
		run(office, lose, &piece);
	}
	model_end(m, later_of(known, piece.stored), &piece, later_of(piece.lost, piece.stored));
	if (kind == 3) {
		/* Deleted afterwards: nothing more ends. */
		uint64_t lost = piece.lost;

		piece.lost = known;
		run(office, end, &piece);
		piece.lost = lost;
	}
}

static void test_against_model(void **state)
{
	struct office *office = *state;
	struct random_stream random;
	struct model m = {.all = 0};
	uint128 days[DAYS];
	__int128 sum = 0, debt = 0;
	uint64_t bytes = 0;
	struct usage_carried carried;

	random_stream_init(&random, bytes_of_text("storage"));
	for (uint64_t serial = 1; serial <= PIECES; serial++)
		live(office, &random, serial, &m);
	carried = walk(office, DAYS, days);
	for (unsigned i = 0; i < DAYS; i++) {
		__int128 net = (__int128)bytes * USAGE_DAY + m.earned[i] - m.taken[i] - debt;

		assert_true(days[i] == (uint128)(net > 0 ? net : 0));
		debt = net < 0 ? -net : 0;
		bytes += m.begun[i] - m.ended[i];
		sum += (__int128)days[i];
	}
	assert_int_equal(carried.bytes, bytes);
	assert_true(bytes > 0);
	assert_true(byte_seconds_value(carried.debt) == (uint128)debt);
	assert_true(sum - debt == m.all);
	/* The sums are those of the pieces themselves, too. */
	assert_int_equal(office_number(office, "SELECT SUM(begun - ended) FROM storage"), bytes);
	assert_int_equal(office_number(office, "SELECT SUM(begun * (hour + 1) * 3600 - begun_seconds) FROM storage"),
			 office_number(office, "SELECT SUM(size * began) FROM stays"));
}

/* A day that cannot pay back what a loss takes leaves a debt to the next. */
static void test_debt(void **state)
{
	struct office *office = *state;
	struct piece lost = make_piece(office, 1, 1000, START + 100),
		     kept = make_piece(office, 2, 10, START + 2 * USAGE_DAY);
	uint128 days[5];
	struct usage_carried carried;

	office_set_clock(office, START + 100);
	run(office, store, &lost);
	run(office, commit, &lost);
	office_set_clock(office, START + USAGE_DAY + 7200);
	lost.lost = START + 100;
	run(office, lose, &lost);
	office_set_clock(office, START + 2 * USAGE_DAY);
	run(office, store, &kept);
	run(office, commit, &kept);
	carried = walk(office, 5, days);
	/* On the second day it takes back the first, and is not paid either. */
	assert_true(days[0] == 1000 * (USAGE_DAY - 100));
	assert_true(days[1] == 0);
	assert_true(days[2] == 0);
	assert_true(days[4] == 0);
	assert_true(byte_seconds_value(carried.debt) == 1000 * (USAGE_DAY - 100) - 3 * 10 * USAGE_DAY);
	assert_int_equal(carried.bytes, 10);
}

/* A part of a day, to the second. */
static void test_part_of_a_day(void **state)
{
	struct office *office = *state;
	struct piece piece = make_piece(office, 1, 1000, START + 100);
	struct storage_walk walk;
	struct byte_seconds day;
	static const uint64_t wanted[][2] = {{0, 0}, {100, 0}, {101, 1000}, {3600, 3500000}, {7201, 7101000}};

	office_set_clock(office, START + 100);
	run(office, store, &piece);
	run(office, commit, &piece);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_int_equal(storage_walk_begin(&walk, office->desk->db, &piece.node, START / USAGE_DAY), ERR_OK);
		assert_int_equal(storage_walk_day(&walk, START + wanted[i][0], &day), ERR_OK);
		assert_true(byte_seconds_value(day) == wanted[i][1]);
		storage_walk_end(&walk);
	}
}

/* What a Usage of the day lists. */
static void test_changes(void **state)
{
	struct office *office = *state;
	struct piece brief = make_piece(office, 1, 1000, START + 100), piece = make_piece(office, 2, 10, START + 200);

	office_set_clock(office, START + 300);
	run(office, store, &brief);
	run(office, commit, &brief);
	run(office, store, &piece);
	office_set_clock(office, START + USAGE_DAY + 10);
	run(office, commit, &piece);
	office_set_clock(office, START + 3 * USAGE_DAY + 10);
	piece.lost = START + 3 * USAGE_DAY + 5;
	run(office, lose, &piece);
	office_set_clock(office, START + 400);
	brief.lost = START + 400;
	run(office, lose, &brief);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM changes"), 3);
	assert_int_equal(office_number(office, "SELECT ended - began FROM changes WHERE change = 3"), 300);
	assert_int_equal(office_number(office, "SELECT day * 86400 FROM changes WHERE change = 1 AND ended = 0"),
			 START + USAGE_DAY);
	assert_int_equal(office_number(office, "SELECT ended FROM changes WHERE change = 2"), piece.lost);
	assert_int_equal(office_number(office, "SELECT day * 86400 FROM changes WHERE change = 2"),
			 START + 3 * USAGE_DAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_against_model),
		TEST(test_debt),
		TEST(test_part_of_a_day),
		TEST(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
