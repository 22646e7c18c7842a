/* LOSS: a piece that its node gave up earns no more, is audited and offered no more; every other Loss changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "payments/rules.h"
#include "satellite/audits.h"
#include "satellite/tallies.h"
#include "tests/kit/office.h"

#define PIECES 4

struct fixture {
	struct office office;
	struct bytes32 version;
	struct bytes32 pieces[PIECES]; /* of node 0, ascending */
	struct loss loss;
	struct signature signature;
	uint8_t wire[512];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t path[256];
	size_t len;

	assert_non_null(f);
	office_open(&f->office, "1/1/1/1");
	office_add_node(&f->office, "192.0.2.1", 1000000000);
	office_make_bucket(&f->office, "films");
	for (unsigned i = 0; i < PIECES; i++) {
		const char name[] = {'a', (char)('a' + i), '\0'};

		len = office_path(name, path);
		f->version = office_store(&f->office, "films", bytes_of(path, len), 100000);
	}
	office_add_node(&f->office, "192.0.2.2", 1000000000);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	office_close(&f->office);
	free(f);
	return 0;
}

static enum err read_pieces(struct database *db, void *arg)
{
	struct fixture *f = arg;
	struct query *q = database_query(db, "SELECT piece FROM pieces ORDER BY piece");
	size_t count = 0;
	bool row;
	enum err err;

	for (err = query_step(q, &row); err == ERR_OK && row; err = query_step(q, &row)) {
		assert_true(count < PIECES);
		err = query_get_exact(q, 0, f->pieces[count++].b, sizeof(f->pieces[0].b));
		assert_int_equal(err, ERR_OK);
	}
	assert_int_equal(count, PIECES);
	return err;
}

/* A good Loss of these pieces, by node 0. */
static void make(struct fixture *f, const struct bytes32 *pieces, size_t count, uint64_t at)
{
	f->loss = (struct loss){
		.satellite = *key_address(f->office.key), .node = *key_address(f->office.nodes[0]), .at = at};
	rules_commit_pieces(pieces, count, &f->loss.pieces);
	typed_sign(&typed_loss, &f->loss, &f->office.settings.domain, f->office.nodes[0], &f->signature);
}

static enum refusal tell(struct fixture *f, const struct key *who, const struct bytes32 *pieces, uint32_t count)
{
	struct message message = {.type = MSG_LOSS};
	struct writer w;

	writer_init(&w, f->wire, sizeof(f->wire));
	typed_encode(&typed_loss, &f->loss, &f->signature, &w);
	message.loss.loss = writer_bytes(&w);
	message.loss.pieces = (struct list){bytes_of(pieces, count * sizeof(*pieces)), count};
	return office_ask(&f->office, who, &message);
}

static uint64_t lost(struct fixture *f)
{
	return office_number(&f->office, "SELECT COUNT(*) FROM pieces WHERE lost > 0");
}

static void load(struct fixture *f)
{
	assert_int_equal(database_view(f->office.desk->db, read_pieces, f), ERR_OK);
}

static void expect_done(struct fixture *f)
{
	struct message answer;

	assert_true(office_answer(&f->office, &answer));
	assert_int_equal(answer.type, MSG_DONE);
	assert_false(office_answer(&f->office, &answer));
}

static void test_loss_counts_once(void **state)
{
	struct fixture *f = *state;
	struct audit_batch batch;
	struct tallies tallies;
	uint64_t at = clock_wall() - 1000, before;

	load(f);
	office_execute(&f->office, "UPDATE pieces SET stored = stored - 5000");
	assert_int_equal(tallies_collect(f->office.desk, at + 1000, &tallies), ERR_OK);
	before = tallies.nodes[0].stored_bytes + tallies.nodes[1].stored_bytes;
	tallies_free(&tallies);
	make(f, f->pieces + 1, 2, at);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces + 1, 2), REFUSAL_NONE);
	expect_done(f);
	assert_int_equal(lost(f), 2);
	assert_int_equal(office_number(&f->office, "SELECT MIN(lost) FROM pieces WHERE lost > 0"), at);
	assert_int_equal(office_number(&f->office, "SELECT MAX(lost) FROM pieces"), at);
	assert_int_equal(office_number(&f->office, "SELECT length(pieces) FROM losses"), 64);
	/* Told again, and a later one of the same pieces: nothing changes. */
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces + 1, 2), REFUSAL_NONE);
	make(f, f->pieces + 1, 2, at + 500);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces + 1, 2), REFUSAL_NONE);
	expect_done(f);
	assert_int_equal(office_number(&f->office, "SELECT MAX(lost) FROM pieces"), at);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM losses"), 1);

	assert_int_equal(tallies_collect(f->office.desk, at + 1000, &tallies), ERR_OK);
	assert_int_equal(tallies.nodes[0].stored_bytes + tallies.nodes[1].stored_bytes, before / 2);
	tallies_free(&tallies);
	audits_batch_init(&batch, key_address(f->office.nodes[0]), 10);
	assert_int_equal(audits_next_pieces(f->office.desk->db, &batch, NULL, 1), ERR_OK);
	assert_int_equal(batch.count, 2);
	audits_batch_free(&batch);
}

static void test_clock_ahead_earns_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t now = clock_wall();

	load(f);
	make(f, f->pieces, 1, now + 200);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 1), REFUSAL_NONE);
	assert_in_range(office_number(&f->office, "SELECT MAX(lost) FROM pieces"), now, now + 100);
}

static void test_unknown_pieces_are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct bytes32 none = {{1}};

	load(f);
	make(f, &none, 1, clock_wall());
	assert_int_equal(tell(f, f->office.nodes[0], &none, 1), REFUSAL_NONE);
	expect_done(f);
	assert_int_equal(lost(f), 0);
	assert_int_equal(office_number(&f->office, "SELECT COUNT(*) FROM losses"), 0);
	/* Another node's pieces are not this node's to give up. */
	make(f, f->pieces, 1, clock_wall());
	f->loss.node = *key_address(f->office.nodes[1]);
	typed_sign(&typed_loss, &f->loss, &f->office.settings.domain, f->office.nodes[1], &f->signature);
	assert_int_equal(tell(f, f->office.nodes[1], f->pieces, 1), REFUSAL_NONE);
	assert_int_equal(lost(f), 0);
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct bytes32 swapped[2], twice[2];
	uint64_t now = clock_wall();

	load(f);
	make(f, f->pieces, 2, now);
	assert_int_equal(tell(f, f->office.client, f->pieces, 2), REFUSAL_DENIED);
	assert_int_equal(tell(f, f->office.nodes[1], f->pieces, 2), REFUSAL_NODE);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 1), REFUSAL_COMMITMENT);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces + 1, 2), REFUSAL_COMMITMENT);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 0), REFUSAL_MALFORMED);
	f->loss.satellite = *key_address(f->office.client);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 2), REFUSAL_SATELLITE);
	make(f, f->pieces, 2, now);
	f->loss.at--;
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 2), REFUSAL_SIGNATURE);
	make(f, f->pieces, 2, now + RULES_SKEW + 100);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 2), REFUSAL_EARLY);
	make(f, f->pieces, 2, UINT64_MAX);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 2), REFUSAL_EARLY);
	make(f, f->pieces, 2, 0);
	assert_int_equal(tell(f, f->office.nodes[0], f->pieces, 2), REFUSAL_EARLY);
	swapped[0] = f->pieces[1];
	swapped[1] = f->pieces[0];
	make(f, swapped, 2, now);
	assert_int_equal(tell(f, f->office.nodes[0], swapped, 2), REFUSAL_COMMITMENT);
	twice[0] = twice[1] = f->pieces[0];
	make(f, twice, 2, now);
	assert_int_equal(tell(f, f->office.nodes[0], twice, 2), REFUSAL_COMMITMENT);
	assert_int_equal(lost(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_loss_counts_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clock_ahead_earns_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_pieces_are_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
