/*
 * Audits and deletions against a real node in the same process: what it proves, what is lost, what cannot be reached,
 * what it deletes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "satellite/auditor.h"
#include "satellite/deleter.h"
#include "satellite/tallies.h"
#include "satellite/verdicts.h"
#include "tests/kit/works.h"

#define OBJECTS 3

static int set_up(void **state)
{
	struct works *w = works_new();

	for (int i = 0; i < OBJECTS; i++)
		works_store(w, i, false);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	works_free(*state);
	return 0;
}

/* One batch of the continuous round. */
static void audit(struct works *w, struct audit_batch *ret)
{
	office_execute(&w->office, "UPDATE audit_rounds SET due = 0");
	assert_int_equal(auditor_do_due(&w->round, ret), ERR_OK);
}

static void check_tally(struct works *w, uint64_t passed, uint64_t failed, uint64_t stored)
{
	struct tallies tallies;

	assert_int_equal(tallies_collect(w->office.desk, clock_wall(), &tallies), ERR_OK);
	assert_int_equal(tallies.count, 1);
	assert_int_equal(tallies.nodes[0].audits_passed, passed);
	assert_int_equal(tallies.nodes[0].audits_failed, failed);
	assert_int_equal(tallies.nodes[0].stored_bytes, stored);
	/* Every proven piece was worth two leaves, the last of which may be short. */
	assert_in_range(tallies.nodes[0].tally.audit, passed * 1024, passed * 2048);
	tallies_free(&tallies);
}

static void test_proven(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;
	struct signature signature;
	struct audit transcript;

	audit(w, &batch);
	assert_int_equal(batch.count, OBJECTS);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS);
	assert_int_equal(
		typed_decode(&typed_audit, bytes_of(batch.transcript, batch.transcript_len), &transcript, &signature),
		ERR_OK);
	assert_int_equal(typed_verify(&typed_audit, &transcript, &w->office.settings.domain, &signature,
				      key_address(w->farm.node)),
			 REFUSAL_NONE);
	assert_int_equal(transcript.bytes, batch.bytes);
	audits_batch_free(&batch);
	check_tally(w, OBJECTS, 0, OBJECTS * w->piece_size);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM findings"), 0);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM pieces WHERE verdict = 1 AND audited > 0"),
			 OBJECTS);
	/* It is not due again before its share of the period has passed. */
	assert_int_equal(auditor_do_due(&w->round, &batch), ERR_NOT_FOUND);
}

/* The root that the satellite knows is another: the node's proof does not lead to it. */
static void test_corrupt(void **state)
{
	struct works *w = *state;
	struct message get = {.type = MSG_GET_SEGMENT}, first;
	struct office_piece pieces[OFFICE_PIECES];
	struct audit_batch batch;

	office_execute(&w->office,
		       "UPDATE pieces SET root = zeroblob(32) WHERE piece = (SELECT MIN(piece) FROM pieces)");
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS - 1);
	assert_int_equal(batch.verdicts[AUDITED_CORRUPT], 1);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&w->office, "SELECT verdict FROM findings"), AUDITED_CORRUPT);
	check_tally(w, OBJECTS - 1, 1, (OBJECTS - 1) * w->piece_size);
	/* What is lost is neither asked for nor offered any more. */
	audit(w, &batch);
	assert_int_equal(batch.count, OBJECTS - 1);
	audits_batch_free(&batch);
	for (int i = 0; i < OBJECTS; i++) {
		struct message object = {.type = MSG_GET_OBJECT, .get_object = {bytes_of_text("films"), works_path(i)}},
			       answer;

		assert_int_equal(office_ask(&w->office, w->office.client, &object), REFUSAL_NONE);
		assert_true(office_answer(&w->office, &answer));
		get.get_segment.version = answer.object.version;
		assert_int_equal(office_ask(&w->office, w->office.client, &get), REFUSAL_NONE);
		if (office_pieces(&w->office, &first, pieces) == 0)
			return;
	}
	fail_msg("the lost piece is still offered");
}

static void test_missing(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	office_execute(&w->office, "UPDATE pieces SET piece = root WHERE piece = "
				   "(SELECT MAX(piece) FROM pieces)");
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS - 1);
	assert_int_equal(batch.verdicts[AUDITED_MISSING], 1);
	audits_batch_free(&batch);
	check_tally(w, OBJECTS - 1, 1, (OBJECTS - 1) * w->piece_size);
}

/* A right proof that came too late. */
static void test_late(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	w->office.settings.audit_piece_ms = 0;
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_LATE], OBJECTS);
	audits_batch_free(&batch);
	check_tally(w, 0, 0, OBJECTS * w->piece_size);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM findings WHERE verdict = 4"), OBJECTS);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM notices WHERE verdict = 4"), OBJECTS);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM contained"), 0);
}

/* Without a signature that anyone can check, that a piece is missing is but a rumour; a proof needs none. */
static void test_unsigned_transcript(void **state)
{
	const struct address contract = {{1}};
	struct works *w = *state;
	struct audit_batch batch;

	office_execute(&w->office, "UPDATE pieces SET piece = root WHERE piece = (SELECT MAX(piece) FROM pieces)");
	/* The node signs for the domain that it knows. */
	domain_init(&w->office.settings.domain, SETTINGS_TEST_CHAIN, &contract);
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS - 1);
	assert_int_equal(batch.verdicts[AUDITED_UNKNOWN], 1);
	assert_int_equal(batch.transcript_len, 0);
	assert_int_equal(batch.bytes, 0);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0"), 0);
}

/* One party's word: it costs nothing but the proof. */
static void test_unreachable(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	farm_stop(&w->farm);
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_UNREACHABLE], OBJECTS);
	assert_int_equal(batch.transcript_len, 0);
	assert_int_equal(batch.bytes, 0);
	audits_batch_free(&batch);
	check_tally(w, 0, 0, OBJECTS * w->piece_size);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0"), 0);
	farm_start(&w->farm);
	office_check_in(&w->office, 0, &w->farm.endpoint.at);
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS);
	audits_batch_free(&batch);
}

/* A node that is at another's endpoint is not that node. */
static void test_impostor(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	office_execute(&w->office,
		       "UPDATE nodes SET id = x'0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'");
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_UNREACHABLE], OBJECTS);
	audits_batch_free(&batch);
}

static enum err record_verdicts(struct desk *desk, struct audit_batch *batch)
{
	struct state_change change;

	return verdicts_record(desk, batch, &change);
}

/* A piece deleted while it was being asked for is nobody's failure. */
static void test_deleted_meanwhile(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	audits_batch_init(&batch, key_address(w->farm.node), 10);
	assert_int_equal(audits_next_pieces(w->office.desk->db, &batch, NULL, 1), ERR_OK);
	assert_int_equal(batch.count, OBJECTS);
	office_execute(&w->office, "DELETE FROM pieces WHERE piece = (SELECT MIN(piece) FROM pieces)");
	batch.end = AUDIT_ANSWERED;
	batch.pieces[0].verdict = AUDITED_MISSING;
	batch.pieces[1].verdict = AUDITED_LATE;
	batch.pieces[2].verdict = AUDITED_PROVEN;
	assert_int_equal(record_verdicts(w->office.desk, &batch), ERR_OK);
	assert_int_equal(batch.verdicts[AUDITED_MISSING], 0);
	assert_int_equal(batch.verdicts[AUDITED_LATE], 1);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], 1);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM findings"), 1);
	audits_batch_free(&batch);
}

/* An expired piece need not be there any more, nor one that expires by a clock that is a little ahead. */
static void test_expired(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;
	uint64_t pieces, bytes;

	office_execute(&w->office,
		       "UPDATE objects SET expires = 1000 WHERE version = (SELECT MIN(version) FROM objects)");
	audits_batch_init(&batch, key_address(w->farm.node), OBJECTS);
	assert_int_equal(audits_next_pieces(w->office.desk->db, &batch, NULL, 1), ERR_OK);
	assert_int_equal(batch.count, OBJECTS - 1);
	assert_int_equal(audits_holdings(w->office.desk->db, &batch.node, &pieces, &bytes), ERR_OK);
	assert_int_equal(pieces, OBJECTS - 1);
	audits_batch_free(&batch);
	audits_batch_init(&batch, key_address(w->farm.node), OBJECTS);
	assert_int_equal(audits_draw_pieces(w->office.desk->db, &batch, OBJECTS), ERR_OK);
	assert_true(batch.count < OBJECTS);
	audits_batch_free(&batch);
}

static void test_whole_sample(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;
	uint32_t draws = 0;

	audits_batch_init(&batch, key_address(w->farm.node), 30);
	/* Again, as when another connection was in the way of the first view: what that drew is thrown away. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(audits_draw_pieces(w->office.desk->db, &batch, 30), ERR_OK);
	for (uint32_t i = 0; i < batch.count; i++)
		draws += batch.pieces[i].samples;
	assert_in_range(batch.count, 1, OBJECTS);
	assert_int_equal(draws, 30);
	assert_int_equal(auditor_challenge(&w->round, &batch), ERR_OK);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], batch.count);
	audits_batch_free(&batch);
}

/* Each proof's leaves depend on the proof before; the node's speed is noted. */
static void test_chained(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	w->office.settings.audit_chained = 100;
	audit(w, &batch);
	assert_int_equal(batch.form, CHALLENGE_CHAINED);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], OBJECTS);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&w->office, "SELECT form FROM audits"), CHALLENGE_CHAINED);
	assert_in_range(office_number(&w->office, "SELECT piece_us FROM audit_rounds"), 1, 5000000);
	/* One that is slow is always asked so. */
	w->office.settings.audit_chained = 0;
	office_execute(&w->office, "UPDATE audit_rounds SET piece_us = 2600000");
	audit(w, &batch);
	assert_int_equal(batch.form, CHALLENGE_CHAINED);
	audits_batch_free(&batch);
}

/* A sample comes besides: the round is where it was, and it still is the node's turn, after a rest. */
static void test_extra_sample(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;
	uint32_t leaves = 0;

	w->office.settings.audit_extra = 100;
	audit(w, &batch);
	assert_int_equal(batch.form, CHALLENGE_WHOLE);
	for (uint32_t i = 0; i < batch.count; i++)
		leaves += batch.pieces[i].samples;
	assert_in_range(leaves, PROOF_SAMPLES, AUDITOR_SAMPLE);
	assert_int_equal(batch.verdicts[AUDITED_PROVEN], batch.count);
	audits_batch_free(&batch);
	assert_in_range(office_number(&w->office, "SELECT due FROM audit_rounds"), clock_wall(), clock_wall() + 600);
}

/* New nodes are asked more often than the period says. */
static void test_vetting_pace(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	w->office.settings.audit_vetting = 7200;
	audit(w, &batch);
	audits_batch_free(&batch);
	assert_in_range(office_number(&w->office, "SELECT due FROM audit_rounds"), clock_wall() + 7100,
			clock_wall() + 7200);
	office_execute(&w->office, "UPDATE reputations SET state = 1");
	audit(w, &batch);
	audits_batch_free(&batch);
	assert_in_range(office_number(&w->office, "SELECT due FROM audit_rounds"), clock_wall() + 86300,
			clock_wall() + 86400);
}

/* A disqualified node is asked no more. */
static void test_disqualified(void **state)
{
	struct works *w = *state;
	struct audit_batch batch;

	assert_int_equal(reputation_rules_parse("audit-alpha=20", &w->office.settings.reputation, NULL, 0), ERR_OK);
	office_execute(&w->office,
		       "UPDATE pieces SET root = zeroblob(32) WHERE piece = (SELECT MIN(piece) FROM pieces)");
	audit(w, &batch);
	assert_int_equal(batch.verdicts[AUDITED_CORRUPT], 1);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&w->office, "SELECT state FROM reputations"), STATE_DISQUALIFIED);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM standing WHERE state = 1"), 1);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM notices WHERE kind = 2 AND verdict = 3"), 1);
	office_execute(&w->office, "UPDATE audit_rounds SET due = 0");
	assert_int_equal(auditor_do_due(&w->round, &batch), ERR_NOT_FOUND);
}

/* What one claimant works on no other takes. */
static void test_leased(void **state)
{
	struct works *w = *state;
	struct lease_holder other = {{1}};
	struct audit_batch batch;
	char address[KEY_ADDRESS_TEXT], work[64] = "audit ";
	bool taken = false;

	address_to_text(key_address(w->farm.node), address);
	for (size_t i = 0; i < 40; i++)
		work[6 + i] =
			(char)(address[2 + i] >= 'A' && address[2 + i] <= 'F' ? address[2 + i] + 32 : address[2 + i]);
	assert_int_equal(lease_take(w->office.desk->db, &other, work, clock_wall(), 60, &taken), ERR_OK);
	assert_true(taken);
	assert_int_equal(auditor_do_due(&w->round, &batch), ERR_NOT_FOUND);
	assert_int_equal(lease_take(w->office.desk->db, &w->round.holder, work, clock_wall(), 60, &taken), ERR_OK);
	assert_false(taken);
	/* Its time over, anyone may. */
	assert_int_equal(lease_take(w->office.desk->db, &w->round.holder, work, clock_wall() + 61, 60, &taken), ERR_OK);
	assert_true(taken);
	assert_int_equal(lease_give_back(w->office.desk->db, &other, work), ERR_OK);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM leases"), 1);
	assert_int_equal(lease_give_back(w->office.desk->db, &w->round.holder, work), ERR_OK);
	audit(w, &batch);
	assert_int_equal(batch.count, OBJECTS);
	audits_batch_free(&batch);
}

static void remove_all(struct works *w)
{
	for (int i = 0; i < OBJECTS; i++)
		works_remove(w, i);
	assert_int_equal(deleter_take_apart(w->office.desk), ERR_NOT_FOUND);
}

static void test_deletion(void **state)
{
	struct works *w = *state;
	struct store_space space;

	store_space(w->farm.parts.store, &space);
	assert_int_equal(space.pieces, OBJECTS);
	remove_all(w);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM ended"), OBJECTS);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions"), OBJECTS);
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_int_equal(deleter_send(&w->round), ERR_NOT_FOUND);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions"), 0);
	store_space(w->farm.parts.store, &space);
	assert_int_equal(space.pieces, 0);
	check_tally(w, 0, 0, 0);
}

/* A node that is away is told when it is back. */
static void test_deletion_is_retried(void **state)
{
	struct works *w = *state;
	struct store_space space;
	uint64_t due;

	farm_stop(&w->farm);
	remove_all(w);
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions WHERE tries = 1"), OBJECTS);
	due = office_number(&w->office, "SELECT MIN(due) FROM deletions");
	assert_true(due > clock_wall());
	assert_int_equal(deleter_send(&w->round), ERR_NOT_FOUND);
	office_execute(&w->office, "UPDATE deletions SET due = 1");
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_true(office_number(&w->office, "SELECT MIN(due) FROM deletions") >= due + 10);
	farm_start(&w->farm);
	office_check_in(&w->office, 0, &w->farm.endpoint.at);
	office_execute(&w->office, "UPDATE deletions SET due = 0");
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions"), 0);
	store_space(w->farm.parts.store, &space);
	assert_int_equal(space.pieces, 0);
}

/* What could still be uploaded is deleted now, and once more when that has ended. */
static void test_offer_is_deleted_twice(void **state)
{
	struct works *w = *state;

	remove_all(w);
	office_execute(&w->office, "UPDATE deletions SET again = due + 3600");
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions WHERE due = again AND tries = 0"),
			 OBJECTS);
	assert_int_equal(deleter_send(&w->round), ERR_NOT_FOUND);
	office_execute(&w->office, "UPDATE deletions SET due = 1, again = 1");
	assert_int_equal(deleter_send(&w->round), ERR_OK);
	assert_int_equal(office_number(&w->office, "SELECT COUNT(*) FROM deletions"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_proven),
		TEST(test_corrupt),
		TEST(test_missing),
		TEST(test_late),
		TEST(test_unsigned_transcript),
		TEST(test_unreachable),
		TEST(test_impostor),
		TEST(test_deleted_meanwhile),
		TEST(test_expired),
		TEST(test_whole_sample),
		TEST(test_chained),
		TEST(test_extra_sample),
		TEST(test_vetting_pace),
		TEST(test_disqualified),
		TEST(test_leased),
		TEST(test_deletion),
		TEST(test_deletion_is_retried),
		TEST(test_offer_is_deleted_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
