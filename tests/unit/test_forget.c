/* Forgetting a satellite: its pieces go, in the trash or not, those of others stay; and what is at stake. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/memory.h"
#include "node/chores.h"
#include "node/forget.h"
#include "tests/kit/farm.h"

#define PIECES 12
#define SIZE 50000

struct fixture {
	struct farm farm;
	uint16_t satellite, other;
	struct address stranger;
};

static void put(struct fixture *f, uint8_t number)
{
	struct peer *peer = farm_dial(&f->farm, f->farm.client);
	struct bytes32 piece = {{number, 0xaa}};
	struct allocation allocation;
	struct talk talk = {0};
	uint8_t *data = memory_new(1, SIZE);

	memset(data, number, SIZE);
	farm_allocation(&f->farm, ACTION_PUT, &piece, SIZE, &allocation);
	farm_put(&f->farm, peer, &allocation, data, SIZE, &talk);
	assert_int_equal(talk.code, REFUSAL_NONE);
	talk_free(&talk);
	peer_finish(peer);
	free(data);
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	farm_new(&f->farm, UINT64_C(256) << 20);
	memset(f->stranger.b, 3, sizeof(f->stranger.b));
	for (uint8_t i = 0; i < PIECES; i++)
		put(f, i);
	assert_int_equal(store_satellite(f->farm.parts.store, key_address(f->farm.satellite), &f->satellite), ERR_OK);
	assert_int_equal(store_satellite(f->farm.parts.store, &f->stranger, &f->other), ERR_OK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	farm_free(&f->farm);
	free(f);
	return 0;
}

static struct store_space space(struct fixture *f)
{
	struct store_space space;

	store_space(f->farm.parts.store, &space);
	return space;
}

/* The chore's result; the caller owns it. */
static json_t *forget(struct fixture *f, const struct address *satellite, const char *state)
{
	const struct chore_options options = {.name = "forget", .satellite = *satellite};
	struct chore *chore = chore_new(f->farm.parts.store, &options);
	json_t *json, *result;

	assert_non_null(chore);
	if (strcmp(state, "stopped") == 0)
		chore_stop(chore);
	chore_run(chore);
	json = chore_json(chore);
	assert_string_equal(json_string_value(json_object_get(json, "state")), state);
	result = json_incref(json_object_get(json, "result"));
	json_decref(json);
	chore_free(chore);
	return result;
}

/* From the committer's thread. */
static void on_trashed(void *arg, enum err err)
{
	atomic_store((atomic_bool *)arg, err == ERR_OK);
}

static void test_pieces_go(void **state)
{
	struct fixture *f = *state;
	const struct store_key key = {f->satellite, {{1, 0xaa}}};
	struct forgotten held;
	atomic_bool trashed = false;
	json_t *json;

	assert_int_equal(store_trash(f->farm.parts.store, &key, on_trashed, &trashed), ERR_OK);
	while (!atomic_load(&trashed))
		sched_yield();
	assert_int_equal(space(f).trashed, 1);
	assert_int_equal(forget_count(f->farm.parts.store, f->satellite, &held), ERR_OK);
	assert_int_equal(held.pieces, PIECES - 1);
	assert_int_equal(held.bytes, (PIECES - 1) * SIZE);
	assert_int_equal(forget_count(f->farm.parts.store, f->other, &held), ERR_OK);
	assert_int_equal(held.pieces, 0);
	/* Of one that has none, and stopped at once. */
	json = forget(f, &f->stranger, "done");
	assert_int_equal(json_integer_value(json_object_get(json, "pieces")), 0);
	json_decref(json);
	json_decref(forget(f, key_address(f->farm.satellite), "stopped"));
	assert_true(space(f).pieces >= PIECES - 1);
	json = forget(f, key_address(f->farm.satellite), "done");
	assert_int_equal(json_integer_value(json_object_get(json, "pieces")), PIECES);
	assert_int_equal(json_integer_value(json_object_get(json, "bytes")), PIECES * SIZE);
	json_decref(json);
	assert_int_equal(space(f).pieces, 0);
	assert_int_equal(space(f).trashed, 0);
	assert_int_equal(space(f).live, 0);
	/* It stays so over a restart. */
	farm_stop(&f->farm);
	farm_start(&f->farm);
	assert_int_equal(space(f).pieces, 0);
}

/* 100 units earned, of which some are held back; what is payable rolls over. */
static void keep_statement(struct fixture *f, struct papers *papers, const struct satellite *satellite, uint32_t period,
			   uint64_t held, uint64_t released)
{
	struct statement statement = {.satellite = satellite->address, .node = *key_address(f->farm.node),
				      .payee = *key_address(f->farm.node), .period = period};
	uint8_t wire[MESSAGE_SIGNED_MAX], lines[MESSAGE_SHEET_MAX];
	struct sheet sheet = {.count = 0};
	struct signature signature;
	struct sheet_sums sums;
	char why[PAPERS_MESSAGE] = "";
	struct writer w, l;

	assert_int_equal(sheet_add_work(&sheet, LINE_EGRESS, UINT64_C(1000000000000), amount_of(100)), ERR_OK);
	assert_int_equal(sheet_price(&sheet, 0), ERR_OK);
	assert_int_equal(sheet_add_money(&sheet, LINE_HELD, held, amount_of(held)), ERR_OK);
	if (released > 0)
		assert_int_equal(sheet_add_money(&sheet, LINE_RELEASED, 0, amount_of(released)), ERR_OK);
	assert_int_equal(sheet_sum(&sheet, &sums), ERR_OK);
	statement.earned = amount_units(sums.earned);
	statement.held = held;
	statement.released = released;
	statement.rolled = amount_units(sums.payable);
	writer_init(&l, lines, sizeof(lines));
	sheet_encode(&sheet, &l);
	sheet_commit(&sheet, &statement.lines);
	typed_sign(&typed_statement, &statement, &satellite->domain, f->farm.satellite, &signature);
	writer_init(&w, wire, sizeof(wire));
	typed_encode(&typed_statement, &statement, &signature, &w);
	if (papers_keep_statement(papers, satellite, &statement.node, writer_bytes(&w), writer_bytes(&l), why) !=
	    ERR_OK)
		fail_msg("%s", why);
}

static void test_stake(void **state)
{
	struct fixture *f = *state;
	struct satellite satellite = {
		.address = *key_address(f->farm.satellite), .pinned = true, .domain = f->farm.domain};
	struct forget_stake stake;
	struct ledger *ledger;
	struct papers *papers;
	char why[PAPERS_MESSAGE] = "", words[LEDGER_MESSAGE] = "", *path = file_join(f->farm.dir, "ledger.db");

	assert_int_equal(ledger_open(path, &ledger, words), ERR_OK);
	free(path);
	assert_int_equal(papers_open(f->farm.dir, &papers, why), ERR_OK);
	assert_int_equal(forget_weigh(ledger, papers, &satellite, key_address(f->farm.node), clock_wall(), &stake),
			 ERR_OK);
	assert_true(forget_is_free(&stake));
	keep_statement(f, papers, &satellite, 202401, 70, 0);
	keep_statement(f, papers, &satellite, 202402, 40, 30);
	assert_int_equal(forget_weigh(ledger, papers, &satellite, key_address(f->farm.node), clock_wall(), &stake),
			 ERR_OK);
	assert_int_equal(amount_units(stake.held), 80);
	assert_int_equal(amount_units(stake.rolled), 90);
	assert_int_equal(amount_units(stake.unpaid), 0);
	assert_false(forget_is_free(&stake));
	papers_close(papers);
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stake, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
