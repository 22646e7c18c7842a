/* EXIT: who may leave, when it is complete, what makes it fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/typed.h"
#include "satellite/checker.h"
#include "satellite/exits.h"
#include "satellite/standings.h"
#include "tests/kit/office.h"

#define NODE 0

static int set_up(void **state)
{
	struct office *office = office_new("1/1/1/1", 1);

	/* The only node there is gets them all. */
	for (unsigned i = 0; i < 20; i++) {
		const char name[] = {'a', (char)('a' + i), '\0'};

		office_store(office, "films", office_path_of(name), 100000);
	}
	office_add_node(office, "192.0.2.99", 1000000000);
	*state = office;
	return 0;
}

static struct msg_exit_state ask(struct office *office, bool begin)
{
	struct message message = {.type = MSG_EXIT, .exit = {begin}}, answer;

	assert_int_equal(office_ask(office, office->nodes[NODE], &message), REFUSAL_NONE);
	assert_true(office_answer(office, &answer));
	assert_int_equal(answer.type, MSG_EXIT_STATE);
	return answer.exit_state;
}

static enum refusal try(struct office *office)
{
	struct message message = {.type = MSG_EXIT, .exit = {1}};

	return office_ask(office, office->nodes[NODE], &message);
}

static void check(struct office *office)
{
	bool more = true;

	while (more)
		assert_int_equal(checker_step(office->desk, &more), ERR_OK);
}

static struct standing standing_of(struct office *office)
{
	struct standing standing;

	assert_int_equal(standings_read(office->desk->db, key_address(office->nodes[NODE]), &standing), ERR_OK);
	return standing;
}

/* All its pieces are another node's now. */
static void move_all(struct office *office)
{
	office_execute(office, "UPDATE pieces SET node = (SELECT address FROM nodes WHERE network = '192.0.2.0/24')");
}

static void test_asking_changes_nothing(void **state)
{
	struct office *office = *state;
	struct msg_exit_state m = ask(office, false);

	assert_int_equal(m.state, EXIT_NONE);
	assert_int_equal(m.pieces, 20);
	assert_int_equal(m.left, 20);
	assert_int_equal(m.failed_max, 2);
	assert_int_equal(m.asked, 0);
	assert_int_equal(standing_of(office).exiting, 0);
}

static void test_too_young(void **state)
{
	struct office *office = *state;

	office->settings.exit_age = 1000;
	assert_true(ask(office, false).allowed > clock_wall());
	assert_int_equal(try(office), REFUSAL_EXIT_AGE);
	assert_int_equal(standing_of(office).exiting, 0);
}

static void test_disqualified(void **state)
{
	struct office *office = *state;

	office_execute(office, "UPDATE reputations SET state = 5");
	assert_int_equal(try(office), REFUSAL_EXIT_CLOSED);
	assert_int_equal(standing_of(office).exiting, 0);
}

static void test_complete_when_all_is_moved(void **state)
{
	struct office *office = *state;
	struct exit_receipt receipt;
	struct signature signature;
	struct msg_exit_state m = ask(office, true);

	assert_int_equal(m.state, EXIT_UNDER_WAY);
	assert_int_not_equal(standing_of(office).exiting, 0);
	assert_int_equal(ask(office, true).asked, m.asked);
	check(office);
	assert_int_equal(ask(office, false).state, EXIT_UNDER_WAY);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM repairs WHERE moving = 1"), 20);
	move_all(office);
	check(office);
	m = ask(office, false);
	assert_int_equal(m.state, EXIT_COMPLETE);
	assert_int_equal(m.left, 0);
	assert_int_equal(typed_decode(&typed_exit, m.receipt, &receipt, &signature), ERR_OK);
	assert_true(address_equal(&receipt.node, key_address(office->nodes[NODE])));
	assert_int_equal(receipt.completed, m.ended);
	assert_int_equal(
		typed_verify(&typed_exit, &receipt, &office->settings.domain, &signature, key_address(office->key)),
		REFUSAL_NONE);
	assert_int_not_equal(standing_of(office).exited, 0);
	/* Asking again begins nothing anew. */
	assert_int_equal(ask(office, true).state, EXIT_COMPLETE);
}

static enum err count_piece(struct database *db, void *arg)
{
	struct office *office = arg;

	return exits_count(db, key_address(office->nodes[NODE]), false);
}

static void assert_failed(struct office *office, const char *word)
{
	struct msg_exit_state m;

	check(office);
	m = ask(office, false);
	assert_int_equal(m.state, EXIT_FAILED);
	assert_int_equal(m.receipt.len, 0);
	assert_non_null(memmem(m.why.data, m.why.len, word, strlen(word)));
	assert_int_not_equal(standing_of(office).disqualified, 0);
	assert_int_equal(standing_of(office).exited, 0);
}

static void test_two_of_twenty_may_fail(void **state)
{
	struct office *office = *state;

	ask(office, true);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(database_transaction(office->desk->db, count_piece, office), ERR_OK);
	check(office);
	assert_int_equal(ask(office, false).state, EXIT_UNDER_WAY);
	assert_int_equal(database_transaction(office->desk->db, count_piece, office), ERR_OK);
	assert_failed(office, "3 of 20 pieces");
}

static void test_lost_pieces_are_failures(void **state)
{
	struct office *office = *state;

	ask(office, true);
	office_execute(office, "UPDATE pieces SET lost = stored WHERE piece IN (SELECT piece FROM pieces LIMIT 3)");
	assert_failed(office, "3 of 20 pieces");
}

static void test_away_for_too_long(void **state)
{
	struct office *office = *state;

	ask(office, true);
	office_execute(office, "UPDATE nodes SET reached = 1, reachable = 0 WHERE network = '192.0.0.0/24'");
	assert_failed(office, "away");
}

static void test_disqualified_meanwhile(void **state)
{
	struct office *office = *state;
	struct msg_exit_state m;

	ask(office, true);
	office_execute(office, "UPDATE reputations SET state = 5");
	check(office);
	m = ask(office, false);
	assert_int_equal(m.state, EXIT_FAILED);
	move_all(office);
	check(office);
	assert_int_equal(ask(office, false).state, EXIT_FAILED);
}

static enum err note_exiting(struct database *db, void *arg)
{
	struct office *office = arg;

	return standings_note(db, key_address(office->nodes[NODE]), STANDING_EXITING, clock_wall(), "its owner wrote");
}

/* An operator says so. */
static void test_sent_away(void **state)
{
	struct office *office = *state;

	assert_int_equal(database_transaction(office->desk->db, note_exiting, office), ERR_OK);
	check(office);
	assert_int_equal(ask(office, false).state, EXIT_UNDER_WAY);
	move_all(office);
	check(office);
	assert_int_equal(ask(office, false).state, EXIT_COMPLETE);
}

static enum err note_exited(struct database *db, void *arg)
{
	struct office *office = arg;

	return standings_note(db, key_address(office->nodes[NODE]), STANDING_EXITED, clock_wall(), "it is let go");
}

/* An operator's word that it has left in good order counts, whatever could not be moved. */
static void test_let_go(void **state)
{
	struct office *office = *state;
	struct msg_exit_state m;

	ask(office, true);
	office_execute(office, "UPDATE pieces SET lost = stored WHERE piece IN (SELECT piece FROM pieces LIMIT 3)");
	assert_int_equal(database_transaction(office->desk->db, note_exited, office), ERR_OK);
	check(office);
	m = ask(office, false);
	assert_int_equal(m.state, EXIT_COMPLETE);
	assert_int_not_equal(m.receipt.len, 0);
	assert_int_equal(standing_of(office).disqualified, 0);
}

/* One that has left does not leave again. */
static void test_left_already(void **state)
{
	struct office *office = *state;

	assert_int_equal(database_transaction(office->desk->db, note_exited, office), ERR_OK);
	assert_int_equal(try(office), REFUSAL_EXIT_CLOSED);
	assert_int_equal(standing_of(office).exiting, 0);
	check(office);
}

#define exit_test(test) cmocka_unit_test_setup_teardown(test, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		exit_test(test_asking_changes_nothing),
		exit_test(test_too_young),
		exit_test(test_disqualified),
		exit_test(test_complete_when_all_is_moved),
		exit_test(test_two_of_twenty_may_fail),
		exit_test(test_lost_pieces_are_failures),
		exit_test(test_away_for_too_long),
		exit_test(test_disqualified_meanwhile),
		exit_test(test_sent_away),
		exit_test(test_let_go),
		exit_test(test_left_already),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
