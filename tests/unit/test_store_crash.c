/*
 * Heads of records that a stranger plants in the payload of a piece. After a crash a walk may come through that
 * payload, and must take none of them for a record. What else crashes do is in tests/store/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)

struct world {
	struct fault *fault;
	struct store *store;
};

static void world_init(struct world *w)
{
	*w = (struct world){fault_new(256 << 20), NULL};
}

static void world_end(struct world *w)
{
	store_close(w->store);
	fault_free(w->fault);
}

static enum err open_world(struct world *w)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};
	char why[STORE_MESSAGE];

	return store_open("/", &options, fault_seam(w->fault), &w->store, why);
}

static bool count_piece(void *arg, const struct store_key *key, uint64_t size)
{
	(void)key;
	(void)size;
	++*(int *)arg;
	return true;
}

/* Heads that a stranger may know or guess, planted in a payload at every place where a head could stand. */
static size_t plant(struct world *w, uint8_t *payload, size_t len, uint32_t segment, uint32_t payload_at)
{
	struct record_secret guess = {{0}}, real;
	struct record fake = {.type = RECORD_PIECE, .piece = pieces_key(13).piece, .sequence = 1000, .size = 64};
	uint8_t seen[RECORD_HEAD_MAX];
	size_t planted = 0;

	fault_peek(w->fault, "//store/SUPER", 40, real.b, sizeof(real.b));
	fault_peek(w->fault, "//store/segments/00000002.seg", SEGMENT_HEADER, seen, sizeof(seen));
	fake.head = record_head_of_piece(1);
	fake.extent = record_extent(fake.head, fake.size);
	for (size_t at = 0; at + 1024 <= len; at += 1024, planted++) {
		struct record_place here = {segment, (uint32_t)(payload_at + at)},
				    elsewhere = {segment, payload_at + 64};

		switch (planted % 4) {
		case 0: /* a true head, from where it stands */
			memcpy(payload + at, seen, 1024);
			break;
		case 1: /* the right form, under a guessed secret */
			record_encode(&fake, &guess, &here, payload + at);
			break;
		case 2: /* under the true secret, as if a block of another place were written here */
			record_encode(&fake, &real, &elsewhere, payload + at);
			break;
		default: /* a pad that would hide what follows */
			fake.type = RECORD_PAD;
			fake.extent = 1 << 20;
			record_encode_core(&fake, &guess, &here, payload + at);
			fake.type = RECORD_PIECE;
			fake.extent = record_extent(fake.head, fake.size);
			break;
		}
	}
	return planted;
}

static void answer(void *arg, enum err err)
{
	*(enum err *)arg = err;
}

static void test_planted_heads_are_not_found(void **state)
{
	const size_t len = 300000;
	struct world w;
	struct allocation allocation = pieces_allocation(3, len);
	struct signature signature = {{0}};
	struct store_upload *upload;
	struct bytes32 hash = {{0}};
	uint8_t *payload = memory_new(1, len), zeros[RECORD_CORE] = {0};
	uint32_t head_at, payload_at;
	enum err err = ERR_BUSY;
	int count = 0;

	(void)state;
	world_init(&w);
	assert_int_equal(store_init("/", ALLOCATION, SEGMENT_LEAST, fault_seam(w.fault), (char[STORE_MESSAGE]){0}),
			 ERR_OK);
	assert_int_equal(open_world(&w), ERR_OK);
	segments_wait_idle(w.store->segments); /* the first is for emergencies, the spare is segment 2 */
	assert_int_equal(pieces_put(w.store, 1, 1, 1000, 0), ERR_OK);
	head_at = SEGMENT_HEADER + record_extent(record_head_of_piece(1), 1000);
	payload_at = head_at + record_head_of_piece(tree_blocks(len));
	assert_true(plant(&w, payload, len, 2, payload_at) > 200);
	assert_int_equal(store_put_begin(w.store, 0, &allocation, &signature, &hash, &upload), ERR_OK);
	for (size_t at = 0; at < len; at += TREE_BLOCK)
		assert_int_equal(store_put_block(upload, payload + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK),
				 ERR_OK);
	store_put_end(upload, NULL, NULL, 1, answer, &err);
	committer_flush(w.store->committer);
	assert_int_equal(err, ERR_OK);
	assert_int_equal(pieces_put(w.store, 2, 1, 5000, 0), ERR_OK);
	/* Power fails, and the head of the piece with the planted payload rots, so the walk goes all through it. */
	struct world after = w;

	after.store = NULL;
	after.fault = fault_image(w.fault, FAULT_ALL, 0);
	fault_poke(after.fault, "//store/segments/00000002.seg", head_at, zeros, sizeof(zeros));
	assert_int_equal(open_world(&after), ERR_OK);
	assert_int_equal(pieces_check(after.store, 1, 1, 1000), ERR_OK);
	assert_int_equal(pieces_check(after.store, 2, 1, 5000), ERR_OK);
	/* Its twin knows that it was acknowledged: it is damaged, and not an upload that was cut off. */
	assert_int_equal(pieces_check(after.store, 3, 1, len), ERR_CORRUPT);
	assert_int_equal(pieces_check(after.store, 13, 1, 64), ERR_NOT_FOUND);
	assert_int_equal(store_each(after.store, count_piece, &count), ERR_OK);
	assert_int_equal(count, 3);
	world_end(&after);
	world_end(&w);
	free(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planted_heads_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
