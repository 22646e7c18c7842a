/* The uplink's engine against a network in the same process that does what it is told, right or wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/random.h"
#include "tests/kit/fake_net.h"
#include "uplink/object_get.h"
#include "uplink/object_put.h"

#define UNIT SEGMENT_UNIT_PLAIN
#define STRIPE (2 * UNIT)
#define SEGMENT (SEGMENT_STRIPES * STRIPE)
#define MOST (3 * SEGMENT)

static const struct fake_policy small_policy = {2, 3, 4, 5};
/* Every node holds its piece, number i at node i. */
static const struct fake_policy full_policy = {2, 3, 5, 5};

struct world {
	struct fake_net *net;
	struct access *access;
	struct uplink *uplink;
	/* the copy under way */
	bool done;
	enum err err;
	char why[2000];
	const uint8_t *from; /* a source's bytes */
	size_t size, at;
	size_t break_at; /* the source fails there */
	uint8_t *to;	 /* a sink's */
	size_t got;
	unsigned cheats;
	struct id cheat;
	struct object_put *put; /* the copy under way is one of these two */
	struct object_get *get;
	size_t cancel_at; /* the copy is cancelled when so many bytes have passed */
};

static uint8_t *pattern; /* MOST unpredictable bytes */
static uint8_t *received;

static void on_report(const struct id *node, enum trace_level level, const char *text, void *arg)
{
	struct world *world = arg;

	(void)text;
	if (level != TRACE_CHEAT)
		return;
	world->cheats++;
	world->cheat = *node;
}

static void open_uplink(struct world *world)
{
	world->uplink = uplink_open(world->access, on_report, world);
}

static struct world *world_new(unsigned nodes, const struct fake_policy *policy)
{
	struct world *world = memory_new(1, sizeof(*world));

	world->net = fake_net_new(nodes, policy);
	world->access = access_generate(&world->net->endpoint);
	world->access->chain_id = world->net->domain.chain_id;
	world->access->contract = world->net->domain.contract;
	world->to = received;
	world->break_at = world->cancel_at = SIZE_MAX;
	open_uplink(world);
	return world;
}

/* The other ends must take what is still to be sent. */
static void close_uplink(struct world *world)
{
	fake_net_start(world->net);
	uplink_free(world->uplink);
	fake_net_stop(world->net);
}

static void world_free(struct world *world)
{
	close_uplink(world);
	assert_null(world->net->flaw);
	fake_net_free(world->net);
	access_free(world->access);
	free(world);
}

static void finish(void *arg, enum err err, const char *why)
{
	struct world *world = arg;

	world->done = true;
	world->put = NULL;
	world->get = NULL;
	world->err = err;
	snprintf(world->why, sizeof(world->why), "%s", why);
	loop_stop(world->uplink->loop);
}

static void wait_done(struct world *world)
{
	fake_net_start(world->net);
	for (world->done = false; !world->done;)
		loop_run(world->uplink->loop);
	fake_net_stop(world->net);
	if (world->net->flaw != NULL)
		fail_msg("%s", world->net->flaw);
}

static void cancel(void *arg)
{
	struct world *world = arg;

	if (world->put != NULL)
		object_put_cancel(world->put);
	if (world->get != NULL)
		object_get_cancel(world->get);
}

static void cancel_when_due(struct world *world, size_t passed)
{
	if (passed < world->cancel_at)
		return;
	world->cancel_at = SIZE_MAX;
	loop_post(world->uplink->loop, cancel, world);
}

/* Gives its bytes in pieces of any size, as a pipe does. */
static enum err read_source(void *arg, uint8_t *buffer, size_t len, size_t *ret_len, const char **ret_why)
{
	struct world *world = arg;
	size_t most = 1 + random_below(200000);

	*ret_why = "the disk is on fire";
	if (world->at >= world->break_at)
		return ERR_IO;
	cancel_when_due(world, world->at);
	if (len > most)
		len = most;
	if (len > world->size - world->at)
		len = world->size - world->at;
	memcpy(buffer, world->from + world->at, len);
	world->at += len;
	*ret_len = len;
	return ERR_OK;
}

static struct object_name name_of(const struct world *world, const char *path)
{
	struct object_name name;
	const char *why;

	assert_int_equal(object_name_make(world->access, "bucket", path, &name, &why), ERR_OK);
	return name;
}

static enum err put(struct world *world, const char *path, size_t size)
{
	struct object_name name = name_of(world, path);
	const struct object_put_request request = {
		.modified = 1234567890, .type = "text/plain", .source = {read_source, NULL, world}};

	world->from = pattern;
	world->size = size;
	world->at = 0;
	world->put = object_put_start(world->uplink, &name, &request, finish, world);
	wait_done(world);
	return world->err;
}

static void on_begin(void *arg, const struct object_facts *facts, uint64_t bytes)
{
	(void)arg;
	assert_int_equal(facts->modified, 1234567890);
	assert_string_equal(facts->type, "text/plain");
	assert_true(bytes <= MOST);
}

static enum err write_sink(void *arg, const uint8_t *data, size_t len, const char **ret_why)
{
	struct world *world = arg;

	(void)ret_why;
	memcpy(world->to + world->got, data, len);
	world->got += len;
	cancel_when_due(world, world->got);
	return ERR_OK;
}

static enum err get(struct world *world, const char *path, uint64_t from, uint64_t to)
{
	struct object_name name = name_of(world, path);
	const struct object_range range = {from, to};
	const struct object_sink sink = {on_begin, write_sink, NULL, world};

	world->got = 0;
	world->get = object_get_start(world->uplink, &name, &range, &sink, finish);
	wait_done(world);
	return world->err;
}

static void assert_range(struct world *world, const char *path, uint64_t from, uint64_t to)
{
	if (get(world, path, from, to) != ERR_OK)
		fail_msg("%s", world->why);
	assert_int_equal(world->got, to - from);
	assert_memory_equal(world->to, pattern + from, to - from);
}

static void assert_stored(struct world *world, const char *path, size_t size)
{
	if (put(world, path, size) != ERR_OK)
		fail_msg("%s", world->why);
	assert_range(world, path, 0, size);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		0,
		1,
		4095,
		4096,
		4097,
		UNIT - 1,
		UNIT,
		UNIT + 1,
		STRIPE - 1,
		STRIPE,
		STRIPE + 1,
		3 * STRIPE + 5,
		SEGMENT - 1,
		SEGMENT,
		SEGMENT + 1,
		2 * SEGMENT + 4096,
		2 * SEGMENT + 4097,
	};
	struct world *world = world_new(6, &small_policy);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_stored(world, "a/file", sizes[i]);
	assert_int_equal(world->net->committed, sizeof(sizes) / sizeof(sizes[0]));
	world_free(world);
}

static void test_ranges(void **state)
{
	static const uint64_t ranges[][2] = {
		{0, 1},
		{1, 2},
		{UNIT - 1, UNIT + 1},
		{STRIPE - 7, STRIPE + 7},
		{SEGMENT - 1, SEGMENT + 1},
		{100, SEGMENT + 200},
		{SEGMENT + 4999, SEGMENT + 5000},
		{5 * STRIPE + 3, 9 * STRIPE},
	};
	struct world *world = world_new(6, &small_policy);

	(void)state;
	assert_int_equal(put(world, "file", SEGMENT + 5000), ERR_OK);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_range(world, "file", ranges[i][0], ranges[i][1]);
	assert_int_equal(get(world, "file", SEGMENT + 5000, UINT64_MAX), ERR_RANGE);
	world_free(world);
}

/* A fresh uplink, so that its trace knows only what comes now. */
static void reopen(struct world *world)
{
	close_uplink(world);
	world->cheats = 0;
	open_uplink(world);
}

static void test_small_range_asks_one_node(void **state)
{
	struct world *world = world_new(6, &full_policy);

	(void)state;
	assert_int_equal(put(world, "file", SEGMENT), ERR_OK);
	reopen(world);
	assert_range(world, "file", 9 * STRIPE + UNIT + 10, 9 * STRIPE + UNIT + 4106);
	assert_int_equal(trace_nodes(world->uplink->trace), 1);
	assert_int_equal(trace_total(world->uplink->trace, TRACE_BYTES_RECEIVED), SEGMENT_UNIT);
	world_free(world);
}

/* Enough pieces are stored before node 0 even answers; but its piece is one of data, which is worth a little time. */
static void test_late_piece_of_data_is_waited_for(void **state)
{
	const struct fake_policy policy = {2, 2, 3, 5};
	struct world *world = world_new(5, &policy);

	(void)state;
	world->net->nodes[0].put = (struct fake_manner){FAKE_LATE, 200};
	assert_int_equal(put(world, "file", 9 * STRIPE), ERR_OK);
	reopen(world);
	assert_range(world, "file", STRIPE + 10, STRIPE + 4106);
	assert_int_equal(trace_nodes(world->uplink->trace), 1);
	assert_int_equal(world->net->nodes[0].gets, 1);
	world_free(world);
}

/* Every byte that an honest node sends is ordered, and few more: the last block of what was cancelled. */
static void test_what_is_sent_is_ordered(void **state)
{
	struct world *world = world_new(6, &small_policy);
	uint64_t sent = 0, ordered = 0;

	(void)state;
	assert_stored(world, "file", SEGMENT);
	for (unsigned i = 0; i < world->net->node_count; i++) {
		assert_true(world->net->nodes[i].ordered + SEGMENT_UNIT >= world->net->nodes[i].sent);
		sent += world->net->nodes[i].sent;
		ordered += world->net->nodes[i].ordered;
	}
	assert_true(sent >= SEGMENT && ordered >= SEGMENT);
	world_free(world);
}

/* The satellite hears what node 0 did wrong, and of nobody else. It takes what was sent last when it runs again. */
static void check_reports(struct world *world, enum transfer_outcome bad)
{
	close_uplink(world);
	assert_true(world->net->nodes[0].reported[bad] > 0);
	for (unsigned i = 1; i < world->net->node_count; i++) {
		assert_true(world->net->nodes[i].reported[TRANSFER_DONE] > 0);
		assert_int_equal(world->net->nodes[i].reported[TRANSFER_FAILED], 0);
	}
	open_uplink(world);
}

/* Node 0 holds piece 0 of every segment; whatever it does wrong while it sends, the data comes back. */
static void check_bad_reads(enum fake_how how, uint32_t at, unsigned cheats)
{
	struct world *world = world_new(5, &full_policy);
	unsigned caught = 0;

	assert_int_equal(put(world, "file", SEGMENT + 3 * STRIPE), ERR_OK);
	reopen(world);
	world->net->nodes[0].get = (struct fake_manner){how, at};
	/* Pieces are asked for from a random number on, so that the node takes part in some reads only. */
	for (int i = 0; i < 12 && caught == 0; i++) {
		assert_range(world, "file", 0, SEGMENT + 3 * STRIPE);
		caught = (unsigned)trace_total(world->uplink->trace, TRACE_FAILURES);
	}
	assert_true(caught > 0);
	check_reports(world, how == FAKE_STALL ? TRANSFER_SLOW : TRANSFER_FAILED);
	assert_int_equal(world->cheats > 0, cheats > 0);
	if (cheats > 0)
		assert_true(id_equal(&world->cheat, key_id(world->net->nodes[0].key)));
	world_free(world);
}

static void test_wrong_bytes_in_mid_stream(void **state)
{
	(void)state;
	check_bad_reads(FAKE_WRONG_BYTES, 2, 1);
}

static void test_wrong_bytes_at_once(void **state)
{
	(void)state;
	check_bad_reads(FAKE_WRONG_BYTES, 0, 1);
}

static void test_early_end(void **state)
{
	(void)state;
	check_bad_reads(FAKE_SHORT, 2, 1);
}

static void test_vanishing_in_mid_stream(void **state)
{
	(void)state;
	check_bad_reads(FAKE_VANISH, 2, 0);
}

static void test_piece_refused(void **state)
{
	(void)state;
	check_bad_reads(FAKE_REFUSE, 0, 0);
}

static void test_error_that_is_none(void **state)
{
	struct world *world;

	(void)state;
	check_bad_reads(FAKE_NONSENSE, 0, 0);
	world = world_new(5, &small_policy);
	world->net->nonsense = true;
	assert_int_equal(put(world, "file", 10), ERR_REMOTE);
	assert_int_equal(get(world, "file", 0, UINT64_MAX), ERR_REMOTE);
	world_free(world);
}

static void test_stalling_in_mid_stream(void **state)
{
	(void)state;
	check_bad_reads(FAKE_STALL, 6, 0);
}

/* The one node that a small range needs fails: the unit is rebuilt from others. */
static void test_small_range_without_its_node(void **state)
{
	struct world *world = world_new(5, &full_policy);

	(void)state;
	assert_int_equal(put(world, "file", SEGMENT), ERR_OK);
	reopen(world);
	world->net->nodes[1].get = (struct fake_manner){FAKE_WRONG_BYTES, 0};
	assert_range(world, "file", 9 * STRIPE + UNIT + 10, 9 * STRIPE + UNIT + 4106);
	assert_int_equal(world->cheats, 1);
	assert_true(id_equal(&world->cheat, key_id(world->net->nodes[1].key)));
	world_free(world);
}

/* It does not fail, it does nothing: it is waited for a little, then done without. */
static void test_small_range_from_a_silent_node(void **state)
{
	struct world *world = world_new(5, &full_policy);

	(void)state;
	assert_int_equal(put(world, "file", SEGMENT), ERR_OK);
	reopen(world);
	world->net->nodes[1].get = (struct fake_manner){FAKE_STALL, 0};
	assert_range(world, "file", 9 * STRIPE + UNIT + 10, 9 * STRIPE + UNIT + 4106);
	assert_int_equal(trace_total(world->uplink->trace, TRACE_FAILURES), 1);
	world_free(world);
}

static void test_too_few_pieces_left(void **state)
{
	struct world *world = world_new(5, &full_policy);

	(void)state;
	assert_int_equal(put(world, "file", 3 * STRIPE), ERR_OK);
	for (int i = 0; i < 4; i++)
		world->net->nodes[i].get = (struct fake_manner){FAKE_REFUSE, 0};
	assert_int_not_equal(get(world, "file", 0, UINT64_MAX), ERR_OK);
	assert_non_null(strstr(world->why, "segment 0: "));
	assert_non_null(strstr(world->why, "node 0"));
	assert_int_equal(world->got, 0);
	world_free(world);
}

/* One bad node of five is no harm, for four pieces are enough; two are, until others take over. */
static void check_bad_writes(enum fake_how how, unsigned bad, unsigned nodes)
{
	struct world *world = world_new(nodes, &small_policy);

	for (unsigned i = 0; i < bad; i++)
		world->net->nodes[i].put = (struct fake_manner){how, how == FAKE_REFUSE ? 0 : 3};
	assert_stored(world, "file", SEGMENT + 9 * STRIPE);
	if (how != FAKE_WRONG_RECEIPT)
		assert_int_equal(world->cheats, 0);
	else if (bad > 1) /* one alone may be cancelled before its receipt is here */
		assert_true(world->cheats > 0);
	world_free(world);
}

static void test_bad_writers(void **state)
{
	(void)state;
	check_bad_writes(FAKE_VANISH, 1, 5);
	check_bad_writes(FAKE_STALL, 1, 5);
	check_bad_writes(FAKE_REFUSE, 1, 5);
	check_bad_writes(FAKE_NONSENSE, 1, 5);
	check_bad_writes(FAKE_WRONG_RECEIPT, 1, 5);
}

static void test_others_take_over_writing(void **state)
{
	(void)state;
	check_bad_writes(FAKE_VANISH, 2, 7);
	check_bad_writes(FAKE_REFUSE, 3, 8);
	check_bad_writes(FAKE_WRONG_RECEIPT, 2, 7);
}

/* Who failed with one segment is asked again for another when there is nobody else. */
static void test_second_chance(void **state)
{
	struct world *world = world_new(5, &small_policy);

	(void)state;
	world->net->nodes[0].put = (struct fake_manner){FAKE_REFUSE, 1};
	world->net->nodes[1].put = (struct fake_manner){FAKE_REFUSE, 2};
	world->net->nodes[2].put = (struct fake_manner){FAKE_REFUSE, 3};
	assert_stored(world, "file", MOST);
	world_free(world);
}

static void test_failed_put_leaves_nothing(void **state)
{
	struct world *world = world_new(5, &small_policy);

	(void)state;
	world->net->nodes[0].put = (struct fake_manner){FAKE_VANISH, 9};
	world->net->nodes[1].put = (struct fake_manner){FAKE_REFUSE, 0};
	assert_int_not_equal(put(world, "file", 2 * SEGMENT), ERR_OK);
	assert_non_null(strstr(world->why, "segment 0: "));
	assert_int_equal(world->net->aborted, 1);
	assert_int_equal(get(world, "file", 0, UINT64_MAX), ERR_NOT_FOUND);
	world_free(world);
}

static void test_source_fails(void **state)
{
	struct world *world = world_new(5, &small_policy);

	(void)state;
	world->break_at = SEGMENT + 3 * UNIT;
	assert_int_equal(put(world, "file", 2 * SEGMENT), ERR_IO);
	assert_string_equal(world->why, "the disk is on fire");
	assert_int_equal(world->net->aborted, 1);
	assert_int_equal(world->net->committed, 0);
	world_free(world);
}

/* At any moment: while segments are read, coded, sent, wait for memory or for receipts. */
static void test_cancelled_put_leaves_nothing(void **state)
{
	struct world *world = world_new(5, &small_policy);
	unsigned cancelled = 0;

	(void)state;
	for (size_t at = 1; at < MOST; at += MOST / 16) {
		world->cancel_at = at;
		/* Every other time nothing is ever complete, so that whole segments wait in memory. */
		world->net->nodes[0].put.how = cancelled % 2 == 0 ? FAKE_HONEST : FAKE_STALL;
		world->net->nodes[1].put = world->net->nodes[0].put;
		if (put(world, "file", MOST) == ERR_CANCELLED)
			cancelled++;
	}
	assert_in_range(cancelled, 14, 17);
	assert_int_equal(world->net->aborted, cancelled);
	world->cancel_at = SIZE_MAX;
	world->net->nodes[0].put.how = FAKE_HONEST;
	world->net->nodes[1].put.how = FAKE_HONEST;
	assert_stored(world, "file", SEGMENT);
	world_free(world);
}

/* The same while it is read. */
static void test_cancelled_get(void **state)
{
	struct world *world = world_new(5, &small_policy);

	(void)state;
	assert_int_equal(put(world, "file", MOST), ERR_OK);
	for (size_t at = 1; at < MOST; at += MOST / 16) {
		world->cancel_at = at;
		assert_int_equal(get(world, "file", 0, UINT64_MAX), ERR_CANCELLED);
		assert_memory_equal(world->to, pattern, world->got);
	}
	world->cancel_at = SIZE_MAX;
	assert_range(world, "file", 0, MOST);
	world_free(world);
}

static void test_commit_refused(void **state)
{
	struct world *world = world_new(5, &small_policy);

	(void)state;
	world->net->refuse_commits = 1;
	assert_int_equal(put(world, "file", 9000), ERR_CONFLICT);
	assert_int_equal(world->net->aborted, 1);
	assert_stored(world, "file", 9000);
	world_free(world);
}

/* No connection at all: one sentence, and the end. */
static void test_no_satellite(void **state)
{
	struct world *world = world_new(1, &small_policy);
	struct fake_net *other = fake_net_new(0, &small_policy);
	struct object_name name;

	(void)state;
	world->access->satellite = other->endpoint;
	fake_net_free(other);
	reopen(world);
	name = name_of(world, "file");
	object_put_start(world->uplink, &name, &(struct object_put_request){.source = {read_source, NULL, world}},
			 finish, world);
	wait_done(world);
	assert_int_equal(world->err, ERR_UNREACHABLE);
	assert_non_null(strstr(world->why, "satellite"));
	world_free(world);
}

static void test_other_domain_is_refused(void **state)
{
	struct world *world = world_new(1, &small_policy);

	(void)state;
	world->access->chain_id++;
	reopen(world);
	assert_int_equal(put(world, "file", 10), ERR_DENIED);
	world_free(world);
}

/* Another root can neither find nor read it. */
static void test_other_root_reads_nothing(void **state)
{
	struct world *world = world_new(5, &small_policy);
	struct secret *own = world->access->root;

	(void)state;
	assert_int_equal(put(world, "file", 5000), ERR_OK);
	world->access->root = secret_generate();
	assert_int_equal(get(world, "file", 0, UINT64_MAX), ERR_NOT_FOUND);
	secret_free(world->access->root);
	world->access->root = own;
	assert_range(world, "file", 0, 5000);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_small_range_asks_one_node),
		cmocka_unit_test(test_late_piece_of_data_is_waited_for),
		cmocka_unit_test(test_what_is_sent_is_ordered),
		cmocka_unit_test(test_wrong_bytes_in_mid_stream),
		cmocka_unit_test(test_wrong_bytes_at_once),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_vanishing_in_mid_stream),
		cmocka_unit_test(test_piece_refused),
		cmocka_unit_test(test_error_that_is_none),
		cmocka_unit_test(test_stalling_in_mid_stream),
		cmocka_unit_test(test_small_range_without_its_node),
		cmocka_unit_test(test_small_range_from_a_silent_node),
		cmocka_unit_test(test_too_few_pieces_left),
		cmocka_unit_test(test_bad_writers),
		cmocka_unit_test(test_others_take_over_writing),
		cmocka_unit_test(test_second_chance),
		cmocka_unit_test(test_failed_put_leaves_nothing),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_cancelled_put_leaves_nothing),
		cmocka_unit_test(test_cancelled_get),
		cmocka_unit_test(test_commit_refused),
		cmocka_unit_test(test_no_satellite),
		cmocka_unit_test(test_other_domain_is_refused),
		cmocka_unit_test(test_other_root_reads_nothing),
	};
	int failed;

	pattern = memory_new(1, MOST);
	received = memory_new(1, MOST);
	random_bytes(pattern, MOST);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(pattern);
	free(received);
	return failed;
}
