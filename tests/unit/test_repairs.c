/* The checker finds what changed, the queue keeps its order and its claims, and rebuilt pieces take their place once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/memory.h"
#include "satellite/books_check.h"
#include "satellite/checker.h"
#include "satellite/rebuilds.h"
#include "satellite/repair_costs.h"
#include "satellite/repairs.h"
#include "satellite/storage.h"
#include "tests/kit/office.h"

#define SIZE 100000

static int set_up(void **state)
{
	*state = office_new("2/4/8/10", 12);
	return 0;
}

static void store(struct office *office, const char *name)
{
	office_store(office, "films", office_path_of(name), SIZE);
}

static void check(struct office *office)
{
	bool more = true;

	while (more)
		assert_int_equal(checker_step(office->desk, &more), ERR_OK);
}

/* A statement's text must outlive the database. */
static const char *text_of(const char *format, ...)
{
	static char texts[200][400];
	static unsigned used;
	va_list args;

	assert_true(used < sizeof(texts) / sizeof(texts[0]));
	va_start(args, format);
	vsnprintf(texts[used], sizeof(texts[0]), format, args);
	va_end(args);
	return texts[used++];
}

static uint64_t count(struct office *office, const char *what)
{
	return office_number(office, text_of("SELECT COUNT(*) FROM %s", what));
}

/* Lose the pieces with these numbers, as an audit does. */
static void lose(struct office *office, uint32_t from, uint32_t to)
{
	office_execute(
		office,
		text_of("UPDATE pieces SET lost = stored, verdict = 2 WHERE number >= %u AND number < %u", from, to));
}

static struct repair_pace pace_of(const char *name, uint64_t now)
{
	struct repair_pace pace = {.now = now, .now_ms = now * 1000};

	memcpy(pace.holder.name, name, strlen(name));
	return pace;
}

static void test_healthy_segments_are_noted(void **state)
{
	struct office *office = *state;

	store(office, "a");
	check(office);
	assert_int_equal(count(office, "segments WHERE healthy = 8"), 1);
	assert_int_equal(count(office, "repairs"), 0);
	assert_int_equal(count(office, "watched WHERE state = 1 AND walking = 0"), 12);
}

static void test_lost_pieces_are_found(void **state)
{
	struct office *office = *state;

	store(office, "a");
	check(office);
	lose(office, 0, 3);
	check(office);
	assert_int_equal(count(office, "segments WHERE healthy = 5"), 1);
	assert_int_equal(count(office, "repairs"), 0); /* lazily: above the threshold */
	lose(office, 3, 4);
	check(office);
	assert_int_equal(count(office, "repairs WHERE verdict = 2 AND healthy = 4"), 1);
	assert_int_equal(count(office, "pieces WHERE lost > 0 AND noticed = 0"), 0);
	lose(office, 4, 7);
	check(office);
	assert_int_equal(count(office, "repairs WHERE verdict = 5 AND healthy = 1"), 1);
}

static void test_uploads_under_way_are_none_of_it(void **state)
{
	struct office *office = *state;

	store(office, "a");
	office_execute(office, "UPDATE objects SET state = 1");
	lose(office, 0, 5);
	check(office);
	assert_int_equal(count(office, "repairs"), 0);
	assert_int_equal(count(office, "segments WHERE healthy IS NULL"), 1);
}

/* Nodes that do not check in are away at first, and gone after a while; those that return are counted again. */
static void test_nodes_that_go_and_return(void **state)
{
	struct office *office = *state;

	store(office, "a");
	check(office);
	office_execute(office,
		       "UPDATE nodes SET reachable = 0, reached = checked_in WHERE address IN (SELECT node FROM "
		       "pieces WHERE number < 4)");
	check(office);
	assert_int_equal(count(office, "repairs"), 0);
	assert_int_equal(count(office, "watched WHERE state = 2"), 4);
	office_execute(office, "UPDATE nodes SET reached = 1 WHERE reachable = 0");
	check(office);
	assert_int_equal(count(office, "watched WHERE state = 3"), 4);
	assert_int_equal(count(office, "repairs WHERE verdict = 2 AND healthy = 4 AND retrievable = 4"), 1);
	office_execute(office, "UPDATE nodes SET reachable = 0, reached = 1 WHERE address IN (SELECT node FROM pieces "
			       "WHERE number < 7)");
	check(office);
	assert_int_equal(count(office, "repairs WHERE verdict = 4 AND retrievable = 1"), 1); /* blocked */
	office_execute(office, "UPDATE nodes SET reachable = 1");
	check(office);
	assert_int_equal(count(office, "repairs"), 0);
	assert_int_equal(count(office, "segments WHERE healthy = 8"), 1);
}

static void test_nodes_in_disgrace(void **state)
{
	struct office *office = *state;

	store(office, "a");
	check(office);
	office_execute(office, "UPDATE reputations SET state = 3 WHERE node IN (SELECT node FROM pieces WHERE number < "
			       "2)");
	office_execute(office,
		       "UPDATE reputations SET state = 5 WHERE node IN (SELECT node FROM pieces WHERE number IN "
		       "(2, 3))");
	check(office);
	assert_int_equal(count(office, "repairs WHERE healthy = 4 AND retrievable = 6"), 1);
}

/* Two nodes that move to the network of a third. Networks count on a real network only. */
static void test_crowded_networks(void **state)
{
	struct office *office = *state;

	store(office, "a");
	office->settings.test_network = false;
	check(office);
	assert_int_equal(count(office, "segments WHERE healthy = 8"), 1);
	office_execute(office, "UPDATE nodes SET network = '198.51.100.0/24' WHERE address IN (SELECT node FROM pieces "
			       "WHERE number < 5)");
	check(office);
	assert_int_equal(count(office, "repairs WHERE healthy = 4 AND retrievable = 8"), 1);
}

static void test_removed_segments_leave_the_queue(void **state)
{
	struct office *office = *state;

	store(office, "a");
	lose(office, 0, 5);
	check(office);
	assert_int_equal(count(office, "repairs"), 1);
	office_execute(office, "UPDATE objects SET state = 3");
	office_execute(office, "DELETE FROM walks");
	check(office);
	assert_int_equal(count(office, "repairs"), 0);
}

static enum err claim(struct office *office, const struct repair_pace *pace, struct bytes32 *ret)
{
	return repairs_claim(office->desk->db, pace, ret);
}

/* The worst one first, each to one repairer, until its lease is over. */
static void test_claims(void **state)
{
	struct office *office = *state;
	uint64_t now = clock_wall() + 5;
	struct repair_pace one = pace_of("one", now), two = pace_of("two", now);
	struct bytes32 first, second, third;

	store(office, "a");
	lose(office, 0, 4);
	store(office, "b");
	office_execute(office, "UPDATE pieces SET lost = stored, verdict = 2 WHERE number < 5 AND segment = (SELECT "
			       "MAX(segment) FROM pieces)");
	office_execute(office, "UPDATE pieces SET lost = stored, verdict = 2 WHERE number < 4");
	check(office);
	assert_int_equal(count(office, "repairs"), 2);
	assert_int_equal(claim(office, &one, &first), ERR_OK);
	assert_int_equal(claim(office, &two, &second), ERR_OK);
	assert_int_equal(claim(office, &two, &third), ERR_NOT_FOUND);
	assert_false(bytes32_equal(&first, &second));
	assert_int_equal(office_number(office, "SELECT healthy FROM repairs WHERE place = (SELECT MIN(place) FROM "
					       "repairs)"),
			 3);
	assert_true(bytes32_compare(&first, &second) > 0); /* the one with five lost */
	two.now += REPAIRS_LEASE;
	assert_int_equal(claim(office, &two, &third), ERR_OK);
	assert_true(bytes32_equal(&first, &third));
}

/* Whoever checks knows when to renew its claim, without writing. */
static void test_the_checkers_lease(void **state)
{
	struct office *office = *state;
	struct database *db = office->desk->db;
	const struct lease_holder one = {"one"}, two = {"two"};
	uint64_t now = 1000;
	bool taken, holds;

	assert_int_equal(lease_holds(db, &one, "checker", now, &holds), ERR_OK);
	assert_false(holds);
	assert_int_equal(lease_take(db, &one, "checker", now, 20, &taken), ERR_OK);
	assert_true(taken);
	assert_int_equal(lease_holds(db, &one, "checker", now + 19, &holds), ERR_OK);
	assert_true(holds);
	assert_int_equal(lease_holds(db, &one, "checker", now + 20, &holds), ERR_OK);
	assert_false(holds);
	assert_int_equal(lease_holds(db, &two, "checker", now, &holds), ERR_OK);
	assert_false(holds);
}

struct call {
	struct repair_pace pace;
	struct bytes32 segment;
	uint64_t bytes;
};

static enum err charge(struct database *db, void *arg)
{
	const struct call *call = arg;

	return repairs_charge(db, &call->pace, call->bytes);
}

static enum err note_failure(struct database *db, void *arg)
{
	const struct call *call = arg;

	return repairs_fail(db, &call->segment, call->pace.now, "no luck");
}

/* While the budget is spent, only what is urgent is claimed. */
static void test_bandwidth(void **state)
{
	struct office *office = *state;
	struct call call = {.pace = pace_of("one", clock_wall() + 5), .bytes = 5000};
	struct bytes32 segment;

	call.pace.bandwidth = 1000;
	store(office, "a");
	lose(office, 0, 4);
	check(office);
	assert_int_equal(database_transaction(office->desk->db, charge, &call), ERR_OK);
	assert_int_equal(database_transaction(office->desk->db, charge, &call), ERR_OK);
	assert_int_equal(claim(office, &call.pace, &segment), ERR_NOT_FOUND);
	call.pace.now_ms += 9999;
	assert_int_equal(claim(office, &call.pace, &segment), ERR_NOT_FOUND);
	call.pace.now_ms += 1;
	assert_int_equal(claim(office, &call.pace, &segment), ERR_OK);
	/* At three of two it is urgent. */
	office_execute(office, "UPDATE repairs SET until = 0");
	office_execute(office, "UPDATE budgets SET until = until + 1000000");
	lose(office, 4, 6);
	check(office);
	assert_int_equal(count(office, "repairs WHERE verdict = 3"), 1);
	assert_int_equal(claim(office, &call.pace, &segment), ERR_OK);
}

static void test_failures_are_tried_again_later(void **state)
{
	struct office *office = *state;
	uint64_t now = clock_wall() + 5;
	struct call call = {.pace = pace_of("one", now)};

	store(office, "a");
	lose(office, 0, 4);
	check(office);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t pause = i < 7 ? UINT64_C(30) << i : 3600;

		assert_int_equal(claim(office, &call.pace, &call.segment), ERR_OK);
		assert_int_equal(database_transaction(office->desk->db, note_failure, &call), ERR_OK);
		call.pace.now += pause - 1;
		assert_int_equal(claim(office, &call.pace, &call.segment), ERR_NOT_FOUND);
		call.pace.now++;
	}
	assert_int_equal(count(office, "repairs WHERE tries = 10 AND why = 'no luck'"), 1);
	/* News make it due at once. */
	lose(office, 4, 5);
	check(office);
	call.pace.now = clock_wall();
	assert_int_equal(claim(office, &call.pace, &call.segment), ERR_OK);
}

/* A rebuilt piece and what it takes the place of. */
struct rebuilt {
	const struct desk *desk;
	struct segment_health health;
	struct stored_piece piece;
	const struct judged_piece *replaced;
	uint64_t now;
	bool taken;
};

static enum err read_health(struct database *db, void *arg)
{
	struct rebuilt *r = arg;
	struct query *q = database_query(db, "SELECT MIN(segment) FROM segments");
	struct bytes32 segment;
	enum err err = query_one(q);

	if (err == ERR_OK)
		err = query_get_exact(q, 0, segment.b, sizeof(segment.b));
	query_reset(q);
	return err == ERR_OK ? segment_health_read(r->desk, &segment, r->now, &r->health) : err;
}

static enum err begin(struct database *db, void *arg)
{
	const struct rebuilt *r = arg;
	struct rebuild_place place = {r->piece.node, r->piece.piece};

	return rebuilds_begin(db, &r->health.segment, &place, r->piece.size, r->now + 3600);
}

static enum err commit(struct database *db, void *arg)
{
	struct rebuilt *r = arg;

	return rebuilds_commit(db, &r->health.segment, r->replaced, &r->piece, r->now, &r->taken);
}

/* Piece `number` of the only segment, on a node that holds none of it. */
static struct rebuilt *make_rebuilt(struct office *office, uint16_t number)
{
	struct rebuilt *r = memory_new(1, sizeof(*r));
	static uint8_t made;
	unsigned spare = 0;

	r->desk = office->desk;
	r->now = clock_wall();
	assert_int_equal(database_view(office->desk->db, read_health, r), ERR_OK);
	for (uint32_t i = 0; i < r->health.count; i++) {
		if (address_equal(&r->health.pieces[i].node, key_address(office->nodes[spare]))) {
			spare++;
			i = UINT32_MAX; /* from the first again */
		}
	}
	r->piece = (struct stored_piece){.number = number,
					 .node = *key_address(office->nodes[spare]),
					 .size = r->health.piece_size,
					 .stored = r->now};
	r->piece.piece.b[0] = (uint8_t)(number + 1);
	r->piece.piece.b[1] = ++made;
	r->replaced = repair_plan_piece(&r->health, number);
	assert_int_equal(database_transaction(office->desk->db, begin, r), ERR_OK);
	return r;
}

static bool put(struct office *office, struct rebuilt *r)
{
	bool taken;

	assert_int_equal(database_transaction(office->desk->db, commit, r), ERR_OK);
	taken = r->taken;
	free(r);
	return taken;
}

static void complain(void *arg, const char *what)
{
	(void)arg;
	fail_msg("%s", what);
}

static void assert_books_right(struct office *office)
{
	struct books_checked checked;

	assert_int_equal(books_check(office->desk, complain, NULL, &checked), ERR_OK);
	assert_int_equal(checked.wrong, 0);
}

/* It earns from now on, what it replaces no more, and the books agree. */
static void test_a_piece_takes_its_place(void **state)
{
	struct office *office = *state;

	store(office, "a");
	assert_true(put(office, make_rebuilt(office, 3)));
	assert_int_equal(count(office, "pieces"), 8);
	assert_int_equal(count(office, "pieces WHERE number = 3 AND substr(piece, 1, 1) = x'04'"), 1);
	assert_int_equal(count(office, "ended"), 1);
	assert_int_equal(count(office, "deletions"), 2 + 1); /* two were offered and not used */
	assert_int_equal(count(office, "rebuilds"), 0);
	assert_books_right(office);
}

static void test_a_piece_that_is_not_wanted_any_more(void **state)
{
	struct office *office = *state;
	struct rebuilt *one, *two;

	store(office, "a");
	/* Somebody else was faster. */
	one = make_rebuilt(office, 3);
	two = make_rebuilt(office, 3);
	assert_true(put(office, one));
	assert_false(put(office, two));
	assert_int_equal(count(office, "deletions"), 2 + 2);
	/* Its upload took longer than its allocation, and the checker has cleared up. */
	one = make_rebuilt(office, 5);
	office_execute(office, "UPDATE rebuilds SET expires = 1");
	check(office);
	assert_int_equal(count(office, "deletions"), 2 + 3);
	assert_false(put(office, one));
	/* The file was removed. */
	one = make_rebuilt(office, 6);
	office_execute(office, "UPDATE objects SET state = 3");
	assert_false(put(office, one));
	assert_int_equal(count(office, "rebuilds"), 0);
	assert_int_equal(count(office, "pieces"), 8);
	office_execute(office, "UPDATE objects SET state = 2");
	assert_books_right(office);
}

struct lost_piece {
	struct judged_piece piece;
	uint64_t at;
};

static enum err lose_one(struct database *db, void *arg)
{
	const struct lost_piece *lost = arg;
	struct query *q;
	enum err err = storage_end_piece(db, &lost->piece.node, &lost->piece.piece, lost->at);

	assert_int_equal(err, ERR_OK);
	q = database_query(db, "UPDATE pieces SET lost = $at WHERE piece = $piece");
	query_int(q, "at", lost->at);
	query_bytes32(q, "piece", &lost->piece.piece);
	return query_run(q);
}

/* The same of a lost piece: it had ceased to earn before. */
static void test_a_lost_piece_is_replaced(void **state)
{
	struct office *office = *state;

	struct lost_piece lost;
	struct rebuilt *r;

	store(office, "a");
	r = make_rebuilt(office, 2);
	lost = (struct lost_piece){*r->replaced, r->now};
	assert_int_equal(database_transaction(office->desk->db, lose_one, &lost), ERR_OK);
	assert_true(put(office, r));
	assert_int_equal(count(office, "pieces WHERE lost = 0"), 8);
	assert_int_equal(count(office, "ended"), 1);
	assert_books_right(office);
}

struct costs {
	const struct settings *settings;
	struct address node;
	uint64_t bytes;
};

static enum err take_costs(struct database *db, void *arg)
{
	const struct costs *costs = arg;

	return repair_costs_take(db, costs->settings, &costs->node, costs->bytes, clock_wall());
}

/* Never more than is held back; nothing is held back of this node yet. */
static void test_honest_losses_cost_no_more_than_is_held(void **state)
{
	struct office *office = *state;
	struct costs costs = {&office->settings, *key_address(office->nodes[0]), UINT64_C(1000000000000)};

	assert_int_equal(database_transaction(office->desk->db, take_costs, &costs), ERR_OK);
	assert_int_equal(count(office, "adjustments"), 0);
	/* Three tokens are held; a TB of repair costs two. */
	office_execute(office, "INSERT INTO entries (party, period, reason, ref, debit, credit, amount, at) SELECT "
			       "address, 202001, 7, x'', 2, 3, 300000000, 1 FROM nodes");
	assert_int_equal(database_transaction(office->desk->db, take_costs, &costs), ERR_OK);
	assert_int_equal(count(office, "adjustments WHERE kind = 11 AND amount = 200000000"), 1);
	assert_int_equal(database_transaction(office->desk->db, take_costs, &costs), ERR_OK);
	assert_int_equal(count(office, "adjustments WHERE kind = 11 AND amount = 100000000"), 1);
	assert_int_equal(database_transaction(office->desk->db, take_costs, &costs), ERR_OK);
	assert_int_equal(count(office, "adjustments"), 2);
}

#define repair_test(test) cmocka_unit_test_setup_teardown(test, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		repair_test(test_healthy_segments_are_noted),
		repair_test(test_lost_pieces_are_found),
		repair_test(test_uploads_under_way_are_none_of_it),
		repair_test(test_nodes_that_go_and_return),
		repair_test(test_nodes_in_disgrace),
		repair_test(test_crowded_networks),
		repair_test(test_removed_segments_leave_the_queue),
		repair_test(test_claims),
		repair_test(test_the_checkers_lease),
		repair_test(test_bandwidth),
		repair_test(test_failures_are_tried_again_later),
		repair_test(test_a_piece_takes_its_place),
		repair_test(test_a_piece_that_is_not_wanted_any_more),
		repair_test(test_a_lost_piece_is_replaced),
		repair_test(test_honest_losses_cost_no_more_than_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
