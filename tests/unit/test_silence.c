/*
 * Nodes that fall silent in mid-challenge: the same leaves are asked again, until they are answered or have failed.
 *
 * The node lives on the auditor's own event loop. It answers that pieces are missing, as many as the test says, then
 * hangs up, or goes on and signs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "satellite/auditor.h"
#include "satellite/transcripts.h"
#include "tests/kit/fake_net.h"
#include "tests/kit/office.h"
#include "uplink/evidence_audit.h"

#define OBJECTS 3

struct fixture {
	struct office office;
	struct round round;
	struct key *key; /* the node's */
	int fd;
	struct event *accept;
	uint32_t talks;		    /* answers before it hangs up */
	uint32_t asked;		    /* times that it was */
	struct bytes32 first, last; /* challenges */
};

static const struct msg_hello hello = {.version = MESSAGE_VERSION};

static void sign_answers(struct fixture *f, struct peer *peer, const struct message *prove, struct answer_hash *answers)
{
	struct message end = {.type = MSG_PROVE_END, .request = prove->request};
	struct audit audit = {.challenge = f->last};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct signature signature;
	struct writer w;

	answer_final(answers, &audit.answer);
	typed_sign(&typed_audit, &audit, &f->office.settings.domain, f->key, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_audit, &audit, &signature, &w);
	end.prove_end.audit = writer_bytes(&w);
	peer_send(peer, &end);
}

static void on_request(struct peer *peer, const struct message *message, void *arg)
{
	struct fixture *f = arg;
	struct challenge challenge;
	struct answer_hash answers;

	assert_int_equal(message->type, MSG_PROVE);
	assert_int_equal(challenge_decode(message->prove.challenge, &challenge), ERR_OK);
	keccak_once(message->prove.challenge.data, message->prove.challenge.len, &f->last);
	if (f->asked++ == 0)
		f->first = f->last;
	answer_init(&answers);
	for (uint32_t i = 0; i < challenge.count && i < f->talks; i++) {
		struct message proof = {
			.type = MSG_PROOF, .request = message->request, .proof = {i, AUDIT_MISSING, {NULL, 0}}};

		peer_send(peer, &proof);
		answer_add(&answers, i, AUDIT_MISSING, proof.proof.proof);
	}
	if (f->talks >= challenge.count)
		sign_answers(f, peer, message, &answers);
	else
		channel_close(peer_channel(peer));
	challenge_free(&challenge);
}

static void on_closed(struct peer *peer, enum err err, const char *why, void *arg)
{
	(void)peer;
	(void)err;
	(void)why;
	(void)arg;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	static const struct peer_events events = {.request = on_request, .closed = on_closed};
	struct fixture *f = arg;
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (connection >= 0)
		peer_accept(f->round.base, f->key, connection, &channel_default_limits, &hello, &events, f);
}

static void listen_again(struct fixture *f)
{
	struct endpoint endpoint;

	f->fd = fake_listen(&endpoint, f->key);
	f->accept = event_new(f->round.base, f->fd, EV_READ | EV_PERSIST, on_accept, f);
	event_add(f->accept, NULL);
	office_add_listening_node(&f->office, f->key, &endpoint.at);
}

static void hang_up(struct fixture *f)
{
	event_free(f->accept);
	close(f->fd);
	f->accept = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char name[] = "a";

	office_open(&f->office, "1/1/1/1");
	f->key = key_generate();
	round_init(&f->round, f->office.desk);
	listen_again(f);
	office_make_bucket(&f->office, "films");
	for (int i = 0; i < OBJECTS; i++, name[0]++)
		office_store(&f->office, "films", office_path_of(name), 100000);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->accept != NULL)
		hang_up(f);
	round_end(&f->round);
	office_close(&f->office);
	free(f);
	return 0;
}

static void audit(struct fixture *f, struct audit_batch *ret)
{
	office_execute(&f->office, "UPDATE audit_rounds SET due = 0");
	office_execute(&f->office, "UPDATE contained SET due = 0");
	assert_int_equal(auditor_do_due(&f->round, ret), ERR_OK);
	assert_int_equal(ret->count, OBJECTS);
}

/* It falls silent: nothing is judged yet. */
static void check_contained(struct fixture *f, uint64_t tries)
{
	struct audit_batch batch;

	audit(f, &batch);
	assert_true(batch.contained);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&f->office, "SELECT tries FROM contained"), tries);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM audits"), 0);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM findings"), 0);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM notices"), 0);
	/* Nothing else is asked of it before its pause is over. */
	office_execute(&f->office, "UPDATE audit_rounds SET due = 0");
	assert_int_equal(auditor_do_due(&f->round, &batch), ERR_NOT_FOUND);
}

static void check_judged(struct fixture *f, enum audit_verdict verdict, uint64_t tries)
{
	struct audit_batch batch;

	audit(f, &batch);
	assert_false(batch.contained);
	assert_int_equal(batch.verdicts[verdict], OBJECTS);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM contained"), 0);
	assert_int_equal(office_number(&f->office, "SELECT tries FROM audits"), tries);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM notices WHERE kind = 2"), OBJECTS);
	assert_true(bytes32_equal(&f->first, &f->last));
}

static void test_silent_to_the_end(void **state)
{
	struct fixture *f = *state;

	f->talks = 1;
	check_contained(f, 1);
	f->talks = 0;
	check_contained(f, 2);
	check_judged(f, AUDITED_UNREACHABLE, 3);
	assert_int_equal(f->asked, 3);
	/* One party's word: it counts, but no piece is said to be lost. */
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0"), 0);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM transcripts WHERE failed = 0"), 1);
}

static void test_pauses_grow(void **state)
{
	struct fixture *f = *state;
	uint64_t first, second;

	f->office.settings.audit_tries = 10;
	check_contained(f, 1);
	first = office_number(&f->office, "SELECT due FROM contained") - clock_wall();
	check_contained(f, 2);
	second = office_number(&f->office, "SELECT due FROM contained") - clock_wall();
	assert_in_range(first, 590, 600);
	assert_in_range(second, 1190, 1200);
}

/* It is not asked while it is gone, which costs no try; but not for ever. */
static void test_gone_afterwards(void **state)
{
	struct fixture *f = *state;
	struct audit_batch batch;

	check_contained(f, 1);
	hang_up(f);
	check_contained(f, 1);
	assert_int_equal(f->asked, 1);
	office_execute(&f->office, "UPDATE contained SET asked = asked - 3 * 86400");
	audit(f, &batch);
	assert_false(batch.contained);
	assert_int_equal(batch.verdicts[AUDITED_UNREACHABLE], OBJECTS);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM contained"), 0);
}

/* The audit as anybody can judge it: its faults, and pieces whose root is the satellite's word alone. */
static size_t judge_export(struct fixture *f, uint64_t *ret_bare)
{
	struct dossier *dossier = NULL;
	char why[DOSSIER_WHY] = "";
	json_t *json = NULL;
	size_t faults = 0;
	char *text;

	*ret_bare = 0;
	assert_int_equal(transcripts_dossier(f->office.desk, &f->last, &json), ERR_OK);
	text = json_dumps(json, 0);
	json_decref(json);
	assert_int_equal(dossier_read(bytes_of_text(text), &dossier, why), ERR_OK);
	assert_int_equal(dossier_count(dossier), 2 + OBJECTS);
	for (size_t i = 0; i < dossier_count(dossier); i++) {
		uint64_t bare = 0;

		assert_int_equal(dossier_check(dossier, i, why), DOSSIER_SOUND);
		if (dossier_item(dossier, i)->type == &typed_audit)
			faults += evidence_audit_check(dossier, i, &bare, why) != DOSSIER_SOUND;
		*ret_bare += bare;
	}
	dossier_free(dossier);
	free(text);
	return faults;
}

static void test_answers_in_the_end(void **state)
{
	struct fixture *f = *state;
	uint64_t bare;

	f->talks = 2;
	check_contained(f, 1);
	f->talks = OBJECTS;
	check_judged(f, AUDITED_MISSING, 2);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0"), OBJECTS);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM transcripts WHERE failed = 1"), 1);
	/* What was repaired meanwhile is held against it all the same. */
	office_execute(&f->office, "DELETE FROM pieces WHERE piece = (SELECT MIN(piece) FROM pieces)");
	assert_int_equal(judge_export(f, &bare), 0);
	assert_int_equal(bare, 0);
}

/* Evidence against a satellite that checked against another root than the node signed for. */
static void test_wrong_root_shows(void **state)
{
	struct fixture *f = *state;
	uint64_t bare;

	f->talks = OBJECTS;
	check_judged(f, AUDITED_MISSING, 1);
	office_execute(&f->office,
		       "UPDATE findings SET root = zeroblob(32) WHERE piece = (SELECT MIN(piece) FROM findings)");
	/* The receipt that is left does not say so: it is no receipt of the node's any more. */
	assert_int_equal(judge_export(f, &bare), 0);
	assert_int_equal(bare, 1);
}

/* What was proven is dropped when its time is over, what failed is kept without the proofs. */
static void test_pruning(void **state)
{
	struct fixture *f = *state;
	struct database *db = f->office.desk->db;
	const struct settings *settings = &f->office.settings;
	uint64_t now = clock_wall(), bare;

	f->talks = OBJECTS;
	check_judged(f, AUDITED_MISSING, 1);
	assert_int_equal(transcripts_prune(db, settings, now), ERR_NOT_FOUND);
	assert_int_equal(transcripts_prune(db, settings, now + settings->audit_keep + 60), ERR_OK);
	assert_int_equal(transcripts_prune(db, settings, now + settings->audit_keep + 60), ERR_NOT_FOUND);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM transcripts WHERE failed = 2"), 1);
	assert_int_equal(judge_export(f, &bare), 0);
	office_execute(&f->office, "UPDATE transcripts SET failed = 0");
	assert_int_equal(transcripts_prune(db, settings, now + settings->audit_keep + 60), ERR_OK);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM transcripts"), 0);
}

/* A piece deleted while its node owed an answer is nobody's failure. */
static void test_deleted_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct audit_batch batch;

	check_contained(f, 1);
	office_execute(&f->office, "DELETE FROM pieces WHERE piece = (SELECT MIN(piece) FROM pieces)");
	f->talks = OBJECTS;
	audit(f, &batch);
	assert_int_equal(batch.verdicts[AUDITED_MISSING], OBJECTS - 1);
	assert_int_equal(batch.verdicts[AUDITED_UNKNOWN], 0);
	audits_batch_free(&batch);
	assert_true(bytes32_equal(&f->first, &f->last));
}

/* Nor one that has expired, though the satellite has not taken it apart yet. */
static void test_expired_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct audit_batch batch;

	check_contained(f, 1);
	office_execute(&f->office,
		       "UPDATE objects SET expires = 1000 WHERE version = (SELECT MIN(version) FROM objects)");
	f->talks = OBJECTS;
	audit(f, &batch);
	assert_int_equal(batch.verdicts[AUDITED_MISSING], OBJECTS - 1);
	assert_int_equal(batch.verdicts[AUDITED_UNKNOWN], 0);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0"), OBJECTS - 1);
}

/* A node that owes an answer is not let off by another question. */
static void test_one_debt_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct audit_batch batch;

	check_contained(f, 1);
	check_contained(f, 2);
	audits_batch_init(&batch, key_address(f->key), OBJECTS);
	assert_int_equal(audits_next_pieces(f->office.desk->db, &batch, NULL, 1), ERR_OK);
	assert_int_equal(auditor_challenge(&f->round, &batch), ERR_OK);
	assert_true(batch.contained);
	audits_batch_free(&batch);
	assert_int_equal(office_number(&f->office, "SELECT tries FROM contained"), 2);
	assert_false(bytes32_equal(&f->first, &f->last));
	check_judged(f, AUDITED_UNREACHABLE, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_silent_to_the_end),  TEST(test_pauses_grow),	     TEST(test_gone_afterwards),
		TEST(test_answers_in_the_end), TEST(test_wrong_root_shows),  TEST(test_pruning),
		TEST(test_deleted_meanwhile),  TEST(test_expired_meanwhile), TEST(test_one_debt_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
