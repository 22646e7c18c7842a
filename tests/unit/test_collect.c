/*
 * COLLECT and RESTORE over the wire: a satellite that is what it says moves what its filter says, and every lie has its
 * own refusal and leaves all as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/filter.h"
#include "common/memory.h"
#include "node/store/collect.h"
#include "node/store/engine.h"
#include "tests/kit/farm.h"
#include "tests/kit/hands.h"

#define PIECES 20
#define SIZE 1000
#define DAY 86400

struct fixture {
	struct farm farm;
	struct peer *client, *satellite;
	uint8_t data[SIZE];
};

static struct bytes32 piece_id(uint8_t n)
{
	return (struct bytes32){{n, 0xee}};
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	hands_set_ahead(0);
	farm_new(&f->farm, (uint64_t)256 << 20);
	f->client = farm_dial(&f->farm, f->farm.client);
	f->satellite = farm_dial(&f->farm, f->farm.satellite);
	for (uint8_t n = 0; n < PIECES; n++) {
		const struct bytes32 piece = piece_id(n);
		struct allocation allocation;
		struct talk talk = {0};

		farm_allocation(&f->farm, ACTION_PUT, &piece, SIZE, &allocation);
		farm_put(&f->farm, f->client, &allocation, f->data, SIZE, &talk);
		assert_int_equal(talk.code, REFUSAL_NONE);
		assert_true(talk.signed_len > 0);
		talk_free(&talk);
	}
	hands_set_ahead(4 * DAY);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	peer_finish(f->client);
	peer_finish(f->satellite);
	farm_free(&f->farm);
	free(f);
	return 0;
}

static struct store_space space_of(struct fixture *f)
{
	struct store_space space;

	store_space(f->farm.parts.store, &space);
	return space;
}

enum lie {
	TRUTH,
	LIE_NODE,
	LIE_SATELLITE,
	LIE_FUTURE,
	LIE_SIGNER,
	LIE_SIGNED,
	LIE_SIZE,
	LIE_SIZE_MOST,
	LIE_TIME,
	LIE_BITS,
	LIE_JUNK,
	LIE_LONGER,
	LIE_NOTHING,
	LIE_ORDER,
	LIES,
};

static const enum refusal refusals[LIES] = {
	REFUSAL_NONE,	   REFUSAL_NODE,   REFUSAL_SATELLITE, REFUSAL_EARLY,	REFUSAL_SIGNATURE,
	REFUSAL_MALFORMED, REFUSAL_RANGE,  REFUSAL_RANGE,     REFUSAL_FILTER,	REFUSAL_FILTER,
	REFUSAL_FILTER,	   REFUSAL_FILTER, REFUSAL_PROTOCOL,  REFUSAL_PROTOCOL,
};

/* The encoded filter that keeps pieces from `from` on. */
static uint8_t *filter_from(uint8_t from, uint64_t time, size_t *ret_len, struct bytes32 *ret_digest)
{
	struct filter_shape shape = {.hashes = 16, .time = time, .pieces = PIECES};
	struct filter *filter = filter_new(&shape);
	uint8_t *raw;

	for (uint8_t n = from; n < PIECES; n++) {
		const struct bytes32 piece = piece_id(n);

		filter_add(filter, &piece);
	}
	*ret_len = filter_size(filter);
	raw = memory_new(1, *ret_len + 1);
	filter_encode(filter, 0, raw, *ret_len);
	filter_digest(filter, ret_digest);
	filter_free(filter);
	return raw;
}

static void send_parts(struct talk *talk, const uint8_t *raw, size_t len, enum lie lie)
{
	struct message message = {.type = MSG_FILTER};

	for (size_t at = 0; at < len; at += 30) {
		message.filter.part = bytes_of(raw + at, len - at < 30 ? len - at : 30);
		if (lie == LIE_NOTHING && at > 0)
			message.filter.part.len = 0;
		if (lie == LIE_LONGER && at + 30 >= len)
			message.filter.part.len++;
		if (lie == LIE_ORDER && at > 0)
			message = (struct message){.type = MSG_ORDER};
		talk_send(talk, &message);
		if (message.type == MSG_ORDER)
			return;
	}
}

static void begin_collect(struct fixture *f, struct peer *peer, uint8_t from, enum lie lie, struct talk *talk)
{
	struct collection collection = {
		*key_address(f->farm.satellite), *key_address(f->farm.node), clock_wall(), {{0}}};
	struct message message = {.type = MSG_COLLECT};
	uint8_t wire[MESSAGE_SIGNED_MAX], *raw;
	size_t len;

	if (lie == LIE_FUTURE)
		collection.time += 1000;
	raw = filter_from(from, collection.time + (lie == LIE_TIME ? 1 : 0), &len, &collection.filter);
	if (lie == LIE_NODE)
		collection.node = *key_address(f->farm.client);
	if (lie == LIE_SATELLITE)
		collection.satellite = *key_address(f->farm.client);
	message.collect.collection = farm_sign(&f->farm, &typed_collection, &collection,
					       lie == LIE_SIGNER ? f->farm.client : f->farm.satellite, wire);
	if (lie == LIE_SIGNED)
		message.collect.collection.len--;
	message.collect.size = lie == LIE_SIZE ? FILTER_HEAD : lie == LIE_SIZE_MOST ? FILTER_MOST + 1 : (uint32_t)len;
	if (lie == LIE_BITS)
		raw[len - 1] ^= 4;
	if (lie == LIE_JUNK)
		raw[0] = 9;
	*talk = (struct talk){0};
	talk_begin(talk, &f->farm, peer, &message);
	send_parts(talk, raw, len, lie);
	free(raw);
}

static enum refusal collect(struct fixture *f, uint8_t from, enum lie lie, struct msg_collected *ret)
{
	struct talk talk;

	begin_collect(f, f->satellite, from, lie, &talk);
	talk_wait(&talk);
	assert_int_equal(talk.err, ERR_OK);
	*ret = talk.collected;
	talk_free(&talk);
	return talk.code;
}

static enum refusal restore(struct fixture *f, struct peer *peer, uint64_t since, const uint8_t *numbers, uint8_t count,
			    struct msg_collected *ret)
{
	struct message message = {.type = MSG_RESTORE};
	struct talk talk = {0};
	uint8_t ids[32 * PIECES];

	for (uint8_t i = 0; i < count; i++) {
		const struct bytes32 piece = piece_id(numbers[i]);

		memcpy(ids + (size_t)32 * i, piece.b, 32);
	}
	message.restore.since = since;
	message.restore.pieces = (struct list){bytes_of(ids, (size_t)32 * count), count};
	talk_begin(&talk, &f->farm, peer, &message);
	talk_wait(&talk);
	assert_int_equal(talk.err, ERR_OK);
	*ret = talk.collected;
	talk_free(&talk);
	return talk.code;
}

static void test_collect(void **state)
{
	struct fixture *f = *state;
	struct msg_collected got;

	assert_int_equal(collect(f, 3, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.held, 0);
	assert_int_equal(got.since, 0);
	assert_int_equal(got.pieces, PIECES);
	assert_int_equal(got.bytes, PIECES * SIZE);
	assert_int_equal(got.unwanted_pieces, 3);
	assert_int_equal(got.unwanted_bytes, 3 * SIZE);
	assert_int_equal(got.moved_pieces, 3);
	assert_int_equal(got.moved_bytes, 3 * SIZE);
	assert_int_equal(space_of(f).trashed, 3);
	assert_int_equal(space_of(f).trash, 3 * SIZE);
	assert_int_equal(collect(f, 3, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 0);
	/* The clock of the satellite went back: that filter may not know what a later one kept. */
	hands_set_ahead(4 * DAY - 3600);
	assert_int_equal(collect(f, 3, TRUTH, &got), REFUSAL_EXPIRED);
}

static void test_lies(void **state)
{
	struct fixture *f = *state;
	struct msg_collected got;
	struct talk talk;

	for (enum lie lie = LIE_NODE; lie < LIES; lie++)
		assert_int_equal(collect(f, 3, lie, &got), refusals[lie]);
	begin_collect(f, f->client, 3, TRUTH, &talk);
	talk_wait(&talk);
	assert_int_equal(talk.code, REFUSAL_DENIED);
	talk_free(&talk);
	assert_int_equal(restore(f, f->client, 0, NULL, 0, &got), REFUSAL_DENIED);
	assert_int_equal(space_of(f).trashed, 0);
	/* What the lies took from the memory for transfers is free again. */
	while (admission_taken(f->farm.parts.admission) > 0)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(collect(f, 3, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 3);
}

static void test_held(void **state)
{
	struct fixture *f = *state;
	struct msg_collected got;
	struct store_held *held;
	uint64_t since;

	assert_int_equal(collect(f, 10, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.held, 1);
	assert_int_equal(got.unwanted_pieces, 10);
	assert_int_equal(got.moved_pieces, 0);
	since = got.since;
	assert_true(since > 0);
	assert_int_equal(store_collect_held(f->farm.parts.store, &held), 1);
	assert_true(address_equal(&held[0].address, key_address(f->farm.satellite)));
	free(held);
	/* A day later the same wish, signed anew. */
	hands_set_ahead(5 * DAY + 60);
	assert_int_equal(collect(f, 10, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.held, 0);
	assert_int_equal(got.moved_pieces, 10);
	assert_int_equal(space_of(f).trashed, 10);
}

static void test_restore(void **state)
{
	static const uint8_t some[] = {0, 2, 15, 99};
	struct fixture *f = *state;
	struct msg_collected got;

	assert_int_equal(collect(f, 4, TRUTH, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 4);
	assert_int_equal(restore(f, f->satellite, 0, some, 4, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 2);
	assert_int_equal(got.moved_bytes, 2 * SIZE);
	assert_int_equal(space_of(f).trashed, 2);
	hands_set_ahead(6 * DAY);
	assert_int_equal(restore(f, f->satellite, clock_wall(), NULL, 0, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 0);
	assert_int_equal(restore(f, f->satellite, clock_wall() - 2 * DAY - 60, NULL, 0, &got), REFUSAL_NONE);
	assert_int_equal(got.moved_pieces, 2);
	assert_int_equal(space_of(f).trashed, 0);
	assert_int_equal(space_of(f).pieces, PIECES);
}

/* A satellite that hangs up before the end misses the answer only; a node that stops before the end does stop. */
static void test_hang_up(void **state)
{
	struct fixture *f = *state;
	struct upkeep *upkeep = f->farm.parts.store->upkeep;
	struct peer *other = farm_dial(&f->farm, f->farm.satellite);
	struct talk talk;
	struct msg_collected got;

	upkeep_enter(upkeep);
	begin_collect(f, other, 3, TRUTH, &talk);
	while (collect_waiting(f->farm.parts.store->collector) == 0)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_NONBLOCK), 0);
	talk_free(&talk);
	peer_finish(other);
	upkeep_leave(upkeep);
	/* Tasks go in order: when this one is answered, that one is done. */
	assert_int_equal(restore(f, f->satellite, UINT32_MAX, NULL, 0, &got), REFUSAL_NONE);
	assert_int_equal(space_of(f).trashed, 3);
	upkeep_enter(upkeep);
	begin_collect(f, f->satellite, 4, TRUTH, &talk);
	while (collect_waiting(f->farm.parts.store->collector) == 0)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_NONBLOCK), 0);
	talk_free(&talk);
	upkeep_leave(upkeep);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_collect), TEST(test_lies), TEST(test_held), TEST(test_restore), TEST(test_hang_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
