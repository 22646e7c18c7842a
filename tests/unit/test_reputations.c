/* Reputations as the satellite keeps and tells them: what is noted, what is forfeited, what nobody is blamed for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "satellite/presence.h"
#include "satellite/registry.h"
#include "satellite/reputations.h"
#include "satellite/scores.h"
#include "satellite/standings.h"
#include "tests/kit/office.h"

#define DAY 86400

static const struct bytes32 challenge = {{7}};

static int set_up(void **state)
{
	*state = office_new("1/1/1/1", 2);
	return 0;
}

static const struct address *node_of(const struct office *office, unsigned index)
{
	return key_address(office->nodes[index]);
}

/* One observation of node 0, in a transaction. */
struct observed {
	struct office *office;
	struct reputation_verdicts verdicts;
	uint64_t lost, held;
	uint64_t after; /* seconds from now */
	struct state_change change;
};

static enum err observe(struct database *db, void *arg)
{
	struct observed *o = arg;
	const struct sighting sighting = {&o->office->settings.reputation, node_of(o->office, 0),
					  clock_wall() + o->after, &challenge};

	if (o->lost > 0)
		return reputations_note_losses(db, &sighting, o->lost, o->held, &o->change);
	if (o->verdicts.proven + o->verdicts.failed + o->verdicts.doubtful > 0)
		return reputations_note_audit(db, &sighting, &o->verdicts, &o->change);
	return reputations_note_time(db, &sighting, &o->change);
}

static enum node_state note(struct office *office, struct observed what)
{
	what.office = office;
	assert_int_equal(database_transaction(office->desk->db, observe, &what), ERR_OK);
	reputations_log(node_of(office, 0), &what.change);
	return what.change.to;
}

struct decision {
	const struct address *node;
	enum standing_state state;
};

static enum err decide(struct database *db, void *arg)
{
	const struct decision *decision = arg;

	return standings_note(db, decision->node, decision->state, clock_wall(), "as agreed");
}

static enum err decided(struct office *office, enum standing_state state)
{
	struct decision decision = {node_of(office, 0), state};

	return database_transaction(office->desk->db, decide, &decision);
}

static void ask(struct office *office, uint64_t after, struct message *ret)
{
	struct message message = {.type = MSG_ASK_STANDING, .ask_standing = {after}};

	assert_int_equal(office_ask(office, office->nodes[0], &message), REFUSAL_NONE);
	assert_true(office_answer(office, ret));
	assert_int_equal(ret->type, MSG_STANDING);
}

static void test_new_node(void **state)
{
	struct office *office = *state;
	struct message answer;

	ask(office, 0, &answer);
	assert_int_equal(answer.standing.state, STATE_VETTING);
	assert_int_equal(answer.standing.audit, REPUTATION_ONE);
	assert_int_equal(answer.standing.online, REPUTATION_ONE);
	assert_int_equal(answer.standing.audits_left, 40);
	assert_int_equal(answer.standing.vetting_left, 100);
	assert_in_range(answer.standing.vetting_until, clock_wall() + 21 * DAY - 10, clock_wall() + 21 * DAY);
	assert_int_equal(answer.standing.notices.count, 0);
	assert_int_equal(answer.standing.last, 1);
}

static void test_vetted(void **state)
{
	struct office *office = *state;

	assert_int_equal(note(office, (struct observed){.verdicts = {.proven = 120}}), STATE_VETTING);
	assert_int_equal(note(office, (struct observed){.after = 21 * DAY - 60}), STATE_VETTING);
	assert_int_equal(note(office, (struct observed){.after = 21 * DAY + 60}), STATE_GOOD);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM notices WHERE kind = 1 AND state = 1"), 1);
}

static void check_notice(struct office *office, const char *begins)
{
	struct message answer;
	struct item_notice notice;
	struct reader r;

	ask(office, 0, &answer);
	assert_int_equal(answer.standing.state, STATE_DISQUALIFIED);
	assert_int_equal(answer.standing.notices.count, 1);
	reader_init(&r, answer.standing.notices.raw);
	list_next(&item_notice_fields, &r, &notice);
	assert_int_equal(notice.number, 1);
	assert_int_equal(notice.kind, 1);
	assert_true(bytes_equal(notice.challenge, bytes_of(challenge.b, sizeof(challenge.b))));
	assert_true(notice.words.len > strlen(begins) && memcmp(notice.words.data, begins, strlen(begins)) == 0);
	/* Nothing is told twice. */
	ask(office, 1, &answer);
	assert_int_equal(answer.standing.notices.count, 0);
}

static void test_forfeits(void **state)
{
	struct office *office = *state;

	assert_int_equal(note(office, (struct observed){.verdicts = {.failed = 40}}), STATE_VETTING);
	assert_int_equal(note(office, (struct observed){.verdicts = {.failed = 1}}), STATE_DISQUALIFIED);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM standing WHERE state = 1"), 1);
	check_notice(office, "audit score 0.95");
	/* For good. */
	assert_int_equal(note(office, (struct observed){.verdicts = {.proven = 1000}}), STATE_DISQUALIFIED);
	assert_int_equal(decided(office, STANDING_EXITED), ERR_CONFLICT);
}

/* What nobody can prove costs the node its pieces, not its pay. */
static void test_silence_does_not_forfeit(void **state)
{
	struct office *office = *state;
	enum node_state now = STATE_VETTING;

	for (int i = 0; i < 9; i++)
		now = note(office, (struct observed){.verdicts = {.doubtful = 3}});
	assert_int_equal(now, STATE_VETTING);
	now = note(office, (struct observed){.verdicts = {.doubtful = 3}});
	now = now == STATE_SUSPENDED ? now : note(office, (struct observed){.verdicts = {.doubtful = 3}});
	assert_int_equal(now, STATE_SUSPENDED);
	assert_true(office_number(office, "SELECT due FROM reputations ORDER BY due DESC LIMIT 1") < 1 ||
		    office_number(office, "SELECT MIN(due) FROM reputations") <= clock_wall() + 7 * DAY);
	assert_int_equal(note(office, (struct observed){.after = 7 * DAY - 60}), STATE_SUSPENDED);
	assert_int_equal(note(office, (struct observed){.after = 7 * DAY + 60}), STATE_DISQUALIFIED);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM standing"), 0);
	assert_int_equal(decided(office, STANDING_EXITING), ERR_CONFLICT);
}

static void test_recovery(void **state)
{
	struct office *office = *state;
	enum node_state now = STATE_VETTING;
	struct message answer;

	for (int i = 0; i < 12 && now == STATE_VETTING; i++)
		now = note(office, (struct observed){.verdicts = {.doubtful = 1}});
	assert_int_equal(now, STATE_SUSPENDED);
	ask(office, 0, &answer);
	assert_in_range(answer.standing.grace_until, clock_wall() + 7 * DAY - 10, clock_wall() + 7 * DAY);
	assert_true(answer.standing.reason.len > 0);
	for (int i = 0; i < 20 && now == STATE_SUSPENDED; i++)
		now = note(office, (struct observed){.verdicts = {.proven = 1}});
	assert_int_equal(now, STATE_VETTING);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM notices WHERE kind = 1"), 2);
}

/* One that leaves may do so in peace, but not without its pieces. */
static void test_exiting(void **state)
{
	struct office *office = *state;

	assert_int_equal(decided(office, STANDING_EXITING), ERR_OK);
	for (int i = 0; i < 12; i++)
		assert_int_equal(note(office, (struct observed){.verdicts = {.doubtful = 1}}), STATE_EXITING);
	assert_int_equal(note(office, (struct observed){.verdicts = {.failed = 41}}), STATE_DISQUALIFIED);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM standing"), 2);
}

static void test_operator_decides(void **state)
{
	struct office *office = *state;
	enum node_state now;

	assert_int_equal(decided(office, STANDING_DISQUALIFIED), ERR_OK);
	assert_int_equal(decided(office, STANDING_DISQUALIFIED), ERR_EXISTS);
	assert_int_equal(reputations_state(office->desk->db, node_of(office, 0), &now), ERR_OK);
	assert_int_equal(now, STATE_DISQUALIFIED);
	assert_int_equal(note(office, (struct observed){.after = 30 * DAY}), STATE_DISQUALIFIED);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM notices WHERE words = 'as agreed'"), 1);
	assert_int_equal(reputations_state(office->desk->db, key_address(office->client), &now), ERR_NOT_FOUND);
}

static uint32_t audit_score(struct office *office)
{
	struct message answer;

	ask(office, 0, &answer);
	return answer.standing.audit;
}

/* Honest and few costs little; too many in a month cost as much as if an audit had found them. */
static void test_losses(void **state)
{
	struct office *office = *state;
	uint32_t honest;

	assert_int_equal(note(office, (struct observed){.lost = 10, .held = 1000}), STATE_VETTING);
	honest = audit_score(office);
	assert_in_range(honest, 998000, 999999);
	assert_int_equal(office_number(office, "SELECT loss_pieces FROM reputations WHERE loss_pieces > 0"), 10);
	assert_int_equal(note(office, (struct observed){.lost = 10, .held = 990}), STATE_VETTING);
	assert_in_range(audit_score(office), 980000, honest - 8000);
	assert_int_equal(note(office, (struct observed){.lost = 60, .held = 980}), STATE_DISQUALIFIED);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM notices WHERE kind = 3"), 3);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM standing WHERE state = 1"), 1);
}

static uint64_t offline_of(struct office *office)
{
	struct message answer;

	ask(office, 0, &answer);
	return REPUTATION_ONE - answer.standing.online;
}

static void look_at_all(struct office *office, uint64_t now, bool blame)
{
	enum err err;

	do
		err = presence_look(office->desk, now, blame);
	while (err == ERR_OK);
	assert_int_equal(err, ERR_NOT_FOUND);
}

/* Half a day later node 1 has checked in again, node 0 has not. */
static void pass_half_a_day(struct office *office, uint64_t *now, bool blame)
{
	*now += DAY / 2;
	office_execute(office, "UPDATE nodes SET checked_in = checked_in + 43200 WHERE endpoint LIKE '%:7001'");
	look_at_all(office, *now, blame);
}

static void test_absence(void **state)
{
	struct office *office = *state;
	enum node_state found = STATE_VETTING;
	uint64_t now = clock_wall();

	look_at_all(office, now, true);
	/* The satellite was away itself. */
	look_at_all(office, now + DAY / 4, true);
	/* It has just come back. */
	pass_half_a_day(office, &now, false);
	assert_int_equal(offline_of(office), 0);
	/* Now it is the node. */
	for (int i = 0; i < 24; i++)
		pass_half_a_day(office, &now, true);
	assert_in_range(offline_of(office), 390000, 400000);
	assert_int_equal(reputations_state(office->desk->db, node_of(office, 0), &found), ERR_OK);
	assert_int_equal(found, STATE_VETTING);
	pass_half_a_day(office, &now, true);
	assert_int_equal(reputations_state(office->desk->db, node_of(office, 0), &found), ERR_OK);
	assert_int_equal(found, STATE_OFFLINE);
	assert_int_equal(office_number(office, "SELECT COUNT(*) FROM reputations WHERE state = 2"), 1);
}

/* CHECKED_IN says it too. */
static void test_told_at_check_in(void **state)
{
	struct office *office = *state;
	struct message message = {.type = MSG_CHECK_IN}, answer;
	struct caller caller = {*key_id(office->nodes[0]), *node_of(office, 0)};
	struct hostport dial;
	struct work work;

	note(office, (struct observed){.verdicts = {.failed = 41}});
	message.check_in.version = bytes_of_text("test");
	message.check_in.endpoint = bytes_of_text("192.0.2.7:1234");
	reply_free(&office->reply);
	reply_init(&office->reply, 7);
	work = (struct work){.desk = office->desk, .caller = &caller, .message = &message, .reply = &office->reply};
	assert_int_equal(registry_check_in(&work, &dial), ERR_OK);
	assert_int_equal(registry_dialled(&work, dial.host, ""), ERR_OK);
	office->at = 0;
	assert_true(office_answer(office, &answer));
	assert_int_equal(answer.checked_in.status, STATE_DISQUALIFIED);
	assert_int_equal(answer.checked_in.reachable, 1);
	assert_true(answer.checked_in.reason.len > 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, office_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_node),	     TEST(test_vetted),
		TEST(test_forfeits),	     TEST(test_silence_does_not_forfeit),
		TEST(test_recovery),	     TEST(test_exiting),
		TEST(test_operator_decides), TEST(test_losses),
		TEST(test_absence),	     TEST(test_told_at_check_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
