/*
 * Garbage collection from the satellite's database to a real node's trash: what is wanted stays, what nobody knows of
 * goes, and what a node has against it is kept and tried again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/filter.h"
#include "satellite/collector.h"
#include "satellite/standings.h"
#include "tests/kit/works.h"

#define OBJECTS 6
#define DAY 86400
#define INTERVAL (3 * DAY)

static int set_up(void **state)
{
	struct works *works = works_new();

	works->office.settings.collect_interval = INTERVAL;
	for (int i = 0; i < OBJECTS; i++)
		works_store(works, i, false);
	works_set_ahead(works, 4 * DAY);
	*state = works;
	return 0;
}

static int tear_down(void **state)
{
	works_free(*state);
	return 0;
}

static void collect(struct works *works, struct collections_round *ret)
{
	assert_int_equal(collector_collect(&works->round, key_address(works->farm.node), ret), ERR_OK);
}

/* The satellite loses its memory of so many pieces. */
static void forget(struct works *works, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		office_execute(&works->office, "DELETE FROM pieces WHERE piece = (SELECT MIN(piece) FROM pieces)");
}

static uint64_t due(struct works *works)
{
	return office_number(&works->office, "SELECT due FROM collections");
}

static void test_nothing_to_do(void **state)
{
	struct works *works = *state;
	struct collections_round round;

	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_int_equal(round.wanted, OBJECTS);
	assert_int_equal(round.pieces, OBJECTS);
	assert_int_equal(round.bytes, OBJECTS * works->piece_size);
	assert_int_equal(round.unwanted_pieces, 0);
	assert_int_equal(works_space(works).pieces, OBJECTS);
	assert_in_range(due(works), clock_wall() + INTERVAL - 60, clock_wall() + INTERVAL);
	assert_int_equal(office_number(&works->office, "SELECT COUNT(*) FROM leases"), 0);
}

/* One in 128 is kept by chance, by a seed that is another in the next round. */
static void test_garbage(void **state)
{
	struct works *works = *state;
	struct collections_round round = {0};

	forget(works, 1);
	for (int tries = 0; tries < 8 && round.moved_pieces == 0; tries++)
		collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_int_equal(round.wanted, OBJECTS - 1);
	assert_int_equal(round.pieces, OBJECTS);
	assert_int_equal(round.unwanted_pieces, 1);
	assert_int_equal(round.moved_pieces, 1);
	assert_int_equal(round.moved_bytes, works->piece_size);
	assert_int_equal(works_space(works).trashed, 1);
	assert_int_equal(works_space(works).pieces, OBJECTS - 1);
	assert_int_equal(office_number(&works->office, "SELECT moved_pieces FROM collections"), 1);
	/* And back: what went there before is another matter. */
	assert_int_equal(
		collector_restore(&works->round, key_address(works->farm.node), clock_wall() + 2 * DAY, &round),
		ERR_OK);
	assert_int_equal(round.moved_pieces, 0);
	assert_int_equal(collector_restore(&works->round, key_address(works->farm.node), clock_wall() - DAY, &round),
			 ERR_OK);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_int_equal(round.moved_pieces, 1);
	assert_int_equal(works_space(works).pieces, OBJECTS);
}

/* An upload that has not ended, a piece that the node is about to be told of, one that it lost: none is garbage. */
static void test_wanted(void **state)
{
	struct works *works = *state;
	struct collections_round round;

	works_set_ahead(works, 0);
	works_store(works, OBJECTS, true);
	works_set_ahead(works, 4 * DAY);
	works_remove(works, 0);
	assert_int_equal(office_number(&works->office, "SELECT COUNT(*) FROM deletions"), 1);
	office_execute(&works->office,
		       "UPDATE pieces SET lost = stored + 1 WHERE piece = (SELECT MIN(piece) FROM pieces)");
	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_int_equal(round.pieces, OBJECTS + 1);
	assert_int_equal(round.wanted, OBJECTS + 1);
	assert_int_equal(round.unwanted_pieces, 0);
}

/* What came within three days is not spoken of, whatever the satellite remembers. */
static void test_young(void **state)
{
	struct works *works = *state;
	struct collections_round round;

	works_store(works, OBJECTS, false);
	office_execute(&works->office, "DELETE FROM pieces WHERE stored = (SELECT MAX(stored) FROM pieces)");
	collect(works, &round);
	assert_int_equal(round.pieces, OBJECTS + 1);
	assert_int_equal(round.wanted, OBJECTS);
	assert_int_equal(round.unwanted_pieces, 0);
}

static void test_held_and_repeated(void **state)
{
	struct works *works = *state;
	struct collections_round round;

	forget(works, OBJECTS);
	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_HELD);
	assert_int_equal(round.moved_pieces, 0);
	assert_int_equal(round.wanted, 0);
	assert_in_range(round.held_since, clock_wall() - 60, clock_wall());
	assert_int_equal(works_space(works).trashed, 0);
	assert_true(due(works) > round.held_since + DAY && due(works) < round.held_since + DAY + 3600);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
	works_set_ahead(works, 5 * DAY + 1000);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_OK);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_int_equal(round.moved_pieces, OBJECTS);
	assert_int_equal(works_space(works).trashed, OBJECTS);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
}

static void test_away(void **state)
{
	struct works *works = *state;
	struct collections_round round;
	uint64_t now = clock_wall();

	farm_stop(&works->farm);
	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_FAILED);
	assert_string_not_equal(round.why, "");
	assert_in_range(due(works), now + 600, now + 700);
	collect(works, &round);
	assert_in_range(due(works), now + 1200, now + 1300);
	for (int i = 0; i < 10; i++)
		collect(works, &round);
	assert_in_range(due(works), now + INTERVAL, now + INTERVAL + 100);
	assert_int_equal(office_number(&works->office, "SELECT tries FROM collections"), 12);
	farm_start(&works->farm);
	works_set_ahead(works, 4 * DAY);
	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_DONE);
	assert_string_equal(round.why, "");
	assert_int_equal(office_number(&works->office, "SELECT tries FROM collections"), 0);
}

/* A node that does not trust this satellite says so. */
static void test_refused(void **state)
{
	struct works *works = *state;
	struct collections_round round;
	const struct address contract = {{1}};

	domain_init(&works->office.settings.domain, SETTINGS_TEST_CHAIN, &contract);
	collect(works, &round);
	assert_int_equal(round.outcome, COLLECTIONS_FAILED);
	assert_non_null(strstr(round.why, "signature"));
}

static enum err disqualify(struct database *db, void *arg)
{
	return standings_note(db, arg, STANDING_DISQUALIFIED, clock_wall(), "");
}

static void test_whose_turn(void **state)
{
	struct works *works = *state;
	struct collections_round round;
	struct address node = *key_address(works->farm.node);

	/* Registered four days ago, so due since yesterday. */
	office_execute(&works->office, "UPDATE nodes SET checked_in = checked_in - 7200");
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
	works_set_ahead(works, 4 * DAY);
	works->office.settings.collect_interval = 5 * DAY;
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
	works->office.settings.collect_interval = INTERVAL;
	assert_int_equal(database_transaction(works->office.desk->db, disqualify, &node), ERR_OK);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
	assert_int_equal(office_number(&works->office, "SELECT COUNT(*) FROM collections"), 0);
}

static void test_due_and_leased(void **state)
{
	struct works *works = *state;
	struct collections_round round;
	struct round other;

	round_init(&other, works->office.desk);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_OK);
	assert_int_equal(collector_do_due(&works->round, &round), ERR_NOT_FOUND);
	/* One that another process is at is left to that, whether due or asked for. */
	office_execute(&works->office, "UPDATE collections SET due = 0");
	office_execute(&works->office,
		       "INSERT INTO leases SELECT 'collect ' || lower(hex(address)), x'01', 1 << 40 FROM nodes");
	assert_int_equal(collector_do_due(&other, &round), ERR_NOT_FOUND);
	assert_int_equal(collector_collect(&other, key_address(works->farm.node), &round), ERR_BUSY);
	office_execute(&works->office, "DELETE FROM leases");
	assert_int_equal(collector_do_due(&other, &round), ERR_OK);
	round_end(&other);
}

struct counting {
	const struct filter_shape *shape;
	unsigned count;
};

static void count_one(const struct bytes32 *piece, void *arg)
{
	struct counting *counting = arg;

	assert_int_equal(filter_shard(piece, counting->shape->bits), counting->shape->shard);
	counting->count++;
}

/* Whatever the number of shards, each piece is in one. */
static void test_shards(void **state)
{
	struct works *works = *state;

	for (uint8_t bits = 0; bits <= FILTER_BITS_MOST; bits++) {
		unsigned all = 0;

		for (unsigned shard = 0; shard < 1u << bits; shard++) {
			struct filter_shape shape = {.bits = bits, .shard = (uint8_t)shard};
			struct counting counting = {&shape, 0};
			struct bytes32 first, last;

			filter_range(&shape, &first, &last);
			assert_int_equal(collections_each_wanted(works->office.desk->db,
								 key_address(works->farm.node), &first, &last,
								 count_one, &counting),
					 ERR_OK);
			all += counting.count;
		}
		assert_int_equal(all, OBJECTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wanted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_young, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_held_and_repeated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whose_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_due_and_leased, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shards, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
