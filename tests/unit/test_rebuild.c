/* Pieces made again and moved, on nodes in the same process that do what they are told, right or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/fake_net.h"
#include "uplink/object_put.h"
#include "uplink/rebuild.h"

#define NODES 9 /* the first five hold pieces 0 to 4, all that there are but number 5 */
#define HELD 5
#define NEVER_STORED 5
#define BYTES (11 * 2 * SEGMENT_UNIT_PLAIN + 777) /* twelve stripes */

static const struct fake_policy fake_policy = {2, 3, 5, 5};
static const struct policy policy = {2, 3, 5, 6};

struct world {
	struct fake_net *net;
	struct key *key; /* who repairs */
	struct uplink *uplink;
	struct fake_place places[FAKE_NODES];
	uint64_t plain_size;
	struct permit sources[HELD], targets[4];
	struct rebuild_plan plan;
	struct rebuild *rebuild;
	/* what went on */
	bool done;
	enum err err;
	char why[200];
	struct rebuild_piece pieces[4];
	unsigned bad_sources, bad_targets;
	enum err bad_source; /* the last one's */
	size_t given;
};

static enum err read_source(void *arg, uint8_t *buffer, size_t len, size_t *ret_len, const char **ret_why)
{
	struct world *world = arg;

	(void)ret_why;
	*ret_len = len < BYTES - world->given ? len : BYTES - world->given;
	random_bytes(buffer, *ret_len);
	world->given += *ret_len;
	return ERR_OK;
}

static void on_put(void *arg, enum err err, const char *why)
{
	struct uplink *uplink = arg;

	if (err != ERR_OK)
		fail_msg("%s", why);
	loop_stop(uplink->loop);
}

/* Store one segment, as a client does. */
static void store(struct world *world)
{
	struct access *access = access_generate(&world->net->endpoint);
	const struct object_put_request request = {.source = {read_source, NULL, world}};
	struct object_name name;
	struct uplink *uplink;
	const char *why;

	access->chain_id = world->net->domain.chain_id;
	access->contract = world->net->domain.contract;
	uplink = uplink_open(access, NULL, NULL);
	assert_int_equal(object_name_make(access, "bucket", "file", &name, &why), ERR_OK);
	object_put_start(uplink, &name, &request, on_put, uplink);
	fake_net_start(world->net);
	loop_run(uplink->loop);
	uplink_free(uplink);
	fake_net_stop(world->net);
	access_free(access);
	assert_int_equal(fake_net_places(world->net, world->places, &world->plain_size), HELD);
	assert_int_equal(world->plain_size, BYTES);
}

static int set_up(void **state)
{
	struct world *world = memory_new(1, sizeof(*world));

	world->net = fake_net_new(NODES, &fake_policy);
	store(world);
	world->key = key_generate();
	world->uplink = uplink_new(world->key, NULL, NULL);
	world->uplink->satellite = *key_address(world->net->key);
	world->uplink->domain = world->net->domain;
	world->plan = (struct rebuild_plan){
		.policy = policy, .plain_size = BYTES, .sources = world->sources, .targets = world->targets};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fake_net_start(world->net);
	uplink_free(world->uplink);
	fake_net_stop(world->net);
	assert_null(world->net->flaw);
	fake_net_free(world->net);
	key_free(world->key);
	free(world);
	return 0;
}

static void add_source(struct world *world, unsigned number)
{
	fake_net_permit(world->net, &world->uplink->client, &world->places[number], ACTION_GET_REPAIR,
			&world->sources[world->plan.source_count++]);
}

/* Piece `number` is to go to this node. `known`: its root is. */
static void add_target(struct world *world, uint16_t number, unsigned node, bool known)
{
	struct fake_place place = {.number = number, .node = node};

	random_bytes(place.piece.b, sizeof(place.piece.b));
	if (known)
		place.root = world->places[number].root;
	fake_net_permit(world->net, &world->uplink->client, &place, ACTION_PUT_REPAIR,
			&world->targets[world->plan.target_count++]);
}

static void on_source_failed(void *arg, const struct permit *source, enum err err, const char *why)
{
	struct world *world = arg;

	(void)source;
	(void)why;
	world->bad_sources++;
	world->bad_source = err;
}

static void on_target_failed(void *arg, const struct permit *target, enum err err, const char *why)
{
	struct world *world = arg;

	(void)target;
	(void)why;
	assert_int_not_equal(err, ERR_OK);
	world->bad_targets++;
}

static void on_done(void *arg, enum err err, const char *why, const struct rebuild_piece *pieces)
{
	struct world *world = arg;

	world->done = true;
	world->err = err;
	snprintf(world->why, sizeof(world->why), "%s", why);
	memcpy(world->pieces, pieces, world->plan.target_count * sizeof(*pieces));
	loop_stop(world->uplink->loop);
}

static const struct rebuild_events events = {on_source_failed, on_target_failed, on_done};

static void run(struct world *world)
{
	if (world->plan.begin_with == 0)
		world->plan.begin_with = policy.required;
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_OK);
	fake_net_start(world->net);
	while (!world->done)
		loop_run(world->uplink->loop);
	fake_net_stop(world->net);
}

static void assert_all_stored(struct world *world)
{
	if (world->err != ERR_OK)
		fail_msg("%s", world->why);
	for (uint32_t i = 0; i < world->plan.target_count; i++) {
		assert_int_equal(world->pieces[i].err, ERR_OK);
		assert_true(bytes32_equal(&world->pieces[i].receipt.piece, &world->targets[i].allocation.piece));
		if (world->targets[i].number < HELD)
			assert_true(bytes32_equal(&world->pieces[i].receipt.root,
						  &world->places[world->targets[i].number].root));
	}
}

/* Data and parity, in no order; the roots that come out are those of the pieces that were there. */
static void test_any_two_make_the_others(void **state)
{
	struct world *world = *state;

	add_source(world, 3);
	add_source(world, 1);
	add_target(world, 4, 6, false);
	add_target(world, 0, 5, true);
	add_target(world, 2, 7, true);
	run(world);
	assert_all_stored(world);
	assert_int_equal(world->bad_sources + world->bad_targets, 0);
}

/* A number that no upload stored has the same root whatever it is made from. */
static void test_a_new_number_is_always_the_same(void **state)
{
	struct world *world = *state;
	struct bytes32 root;

	add_source(world, 0);
	add_source(world, 1);
	add_target(world, NEVER_STORED, 5, false);
	run(world);
	assert_all_stored(world);
	root = world->pieces[0].receipt.root;
	world->plan.source_count = world->plan.target_count = 0;
	world->done = false;
	add_source(world, 4);
	add_source(world, 2);
	add_target(world, NEVER_STORED, 6, false);
	world->targets[0].root = root;
	run(world);
	assert_all_stored(world);
}

/* Only the piece itself is read. */
static void test_moving_a_piece(void **state)
{
	struct world *world = *state;
	unsigned gets = 0;

	world->plan.begin_with = 1;
	for (unsigned i = 0; i < HELD; i++)
		add_source(world, (i + 3) % HELD);
	add_target(world, 3, 8, true);
	run(world);
	assert_all_stored(world);
	for (unsigned i = 0; i < NODES; i++)
		gets += world->net->nodes[i].gets;
	assert_int_equal(gets, 1);
	assert_int_equal(world->net->nodes[3].gets, 1);
}

/* The leaving node goes in the middle: what is left of its piece is made from others. */
static void test_moving_falls_back_to_rebuilding(void **state)
{
	struct world *world = *state;

	world->plan.begin_with = 1;
	world->net->nodes[3].get = (struct fake_manner){FAKE_VANISH, 4};
	for (unsigned i = 0; i < HELD; i++)
		add_source(world, (i + 3) % HELD);
	add_target(world, 3, 8, true);
	run(world);
	assert_all_stored(world);
	assert_int_equal(world->bad_sources, 1);
}

/* A source that does this is replaced, and named; `named` is how it failed. */
static void check_bad_source(struct world *world, enum fake_how how, uint32_t at, enum err named)
{
	world->net->nodes[0].get = (struct fake_manner){how, at};
	for (unsigned i = 0; i < HELD - 1; i++)
		add_source(world, i);
	add_target(world, 4, 6, true);
	run(world);
	assert_all_stored(world);
	assert_int_equal(world->bad_sources, 1);
	assert_int_equal(world->bad_source, named);
}

static void test_wrong_bytes(void **state)
{
	check_bad_source(*state, FAKE_WRONG_BYTES, 3, ERR_CORRUPT);
}

static void test_early_end(void **state)
{
	check_bad_source(*state, FAKE_SHORT, 2, ERR_CORRUPT);
}

static void test_vanishing(void **state)
{
	check_bad_source(*state, FAKE_VANISH, 7, ERR_CLOSED);
}

static void test_refusal(void **state)
{
	check_bad_source(*state, FAKE_REFUSE, 0, ERR_BUSY);
}

/* It is not failed, only replaced: perhaps it is slow. */
static void test_silent_source(void **state)
{
	struct world *world = *state;

	world->net->nodes[1].get = (struct fake_manner){FAKE_STALL, 2};
	for (unsigned i = 0; i < HELD - 1; i++)
		add_source(world, i);
	add_target(world, 4, 6, true);
	run(world);
	assert_all_stored(world);
	assert_int_equal(world->bad_sources, 0);
}

static void test_a_target_that_fails_is_left_out(void **state)
{
	struct world *world = *state;

	world->net->nodes[6].put = (struct fake_manner){FAKE_VANISH, 3};
	world->net->nodes[7].put = (struct fake_manner){FAKE_WRONG_RECEIPT, 0};
	add_source(world, 2);
	add_source(world, 3);
	add_target(world, 0, 5, true);
	add_target(world, 1, 6, true);
	add_target(world, 4, 7, true);
	run(world);
	assert_int_equal(world->err, ERR_OK);
	assert_int_equal(world->pieces[0].err, ERR_OK);
	assert_int_not_equal(world->pieces[1].err, ERR_OK);
	assert_int_not_equal(world->pieces[2].err, ERR_OK);
	assert_int_equal(world->bad_targets, 2);
}

static void test_no_target_left(void **state)
{
	struct world *world = *state;

	world->net->nodes[6].put = (struct fake_manner){FAKE_REFUSE, 0};
	add_source(world, 2);
	add_source(world, 3);
	add_target(world, 0, 6, true);
	run(world);
	assert_int_equal(world->err, ERR_UNREACHABLE);
}

static void test_too_few_sources(void **state)
{
	struct world *world = *state;

	world->net->nodes[2].get = (struct fake_manner){FAKE_WRONG_BYTES, 5};
	add_source(world, 2);
	add_source(world, 3);
	add_target(world, 0, 6, true);
	run(world);
	assert_int_equal(world->err, ERR_UNREACHABLE);
	assert_non_null(strstr(world->why, "are needed"));
	assert_int_equal(world->bad_source, ERR_CORRUPT);
}

/* Whoever uploaded it stored pieces that are not of one code: nothing that was made may take a lost piece's place. */
static void test_pieces_that_contradict_each_other(void **state)
{
	struct world *world = *state;

	add_source(world, 2);
	add_source(world, 3);
	add_target(world, 0, 6, true);
	world->targets[0].root.b[5] ^= 1;
	run(world);
	assert_int_equal(world->err, ERR_CONFLICT);
	assert_int_equal(world->pieces[0].err, ERR_CONFLICT);
}

static void test_cancelled_in_the_middle(void **state)
{
	struct world *world = *state;

	world->net->nodes[2].get = (struct fake_manner){FAKE_STALL, 4};
	add_source(world, 2);
	add_source(world, 3);
	add_target(world, 0, 6, true);
	world->plan.begin_with = 2;
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_OK);
	fake_net_start(world->net);
	while (world->net->nodes[3].gets == 0 || trace_total(world->uplink->trace, TRACE_BYTES_SENT) < SEGMENT_UNIT)
		event_base_loop(loop_base(world->uplink->loop), EVLOOP_ONCE);
	rebuild_cancel(world->rebuild);
	fake_net_stop(world->net);
	assert_false(world->done);
}

static void test_plans_without_sense(void **state)
{
	struct world *world = *state;

	add_source(world, 2);
	add_source(world, 3);
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_RANGE);
	add_target(world, 0, 6, true);
	add_target(world, 0, 7, true);
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_RANGE);
	world->plan.target_count = 1;
	world->plan.begin_with = 3;
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_RANGE);
	world->plan.begin_with = 2;
	world->plan.plain_size = 0;
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_RANGE);
	world->plan.plain_size = BYTES;
	world->targets[0].number = 6;
	assert_int_equal(rebuild_start(world->uplink, &world->plan, &events, world, &world->rebuild), ERR_RANGE);
}

#define rebuild_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rebuild_test(test_any_two_make_the_others),
		rebuild_test(test_a_new_number_is_always_the_same),
		rebuild_test(test_moving_a_piece),
		rebuild_test(test_moving_falls_back_to_rebuilding),
		rebuild_test(test_wrong_bytes),
		rebuild_test(test_early_end),
		rebuild_test(test_vanishing),
		rebuild_test(test_refusal),
		rebuild_test(test_silent_source),
		rebuild_test(test_a_target_that_fails_is_left_out),
		rebuild_test(test_no_target_left),
		rebuild_test(test_too_few_sources),
		rebuild_test(test_pieces_that_contradict_each_other),
		rebuild_test(test_cancelled_in_the_middle),
		rebuild_test(test_plans_without_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
