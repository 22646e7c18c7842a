/*
 * The node from the wire to the disk: pieces come in, go out, are proved and deleted; and every rule refuses with its
 * own code. The client and the satellite are played by tests/kit/farm.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/challenge.h"
#include "common/keccak.h"
#include "common/memory.h"
#include "common/random.h"
#include "payments/rules.h"
#include "payments/serial.h"
#include "tests/kit/farm.h"

#define MIB (1024 * 1024)

struct fixture {
	struct farm farm;
	struct peer *client, *satellite;
	uint8_t *data; /* 2 MiB of noise */
};

static void dial(struct fixture *f)
{
	f->client = farm_dial(&f->farm, f->farm.client);
	f->satellite = farm_dial(&f->farm, f->farm.satellite);
}

static void hang_up(struct fixture *f)
{
	peer_finish(f->client);
	peer_finish(f->satellite);
}

static void restart(struct fixture *f)
{
	hang_up(f);
	farm_stop(&f->farm);
	farm_start(&f->farm);
	dial(f);
}

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	farm_new(&f->farm, 256 * (uint64_t)MIB);
	dial(f);
	f->data = memory_new(2, MIB);
	random_bytes(f->data, 2 * MIB);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	hang_up(f);
	farm_free(&f->farm);
	free(f->data);
	free(f);
	return 0;
}

static struct bytes32 piece_id(uint8_t n)
{
	return (struct bytes32){{n, 0xee}};
}

/* Store `len` bytes as piece n. */
static void store_piece(struct fixture *f, uint8_t n, size_t len)
{
	const struct bytes32 piece = piece_id(n);
	struct allocation allocation;
	struct talk talk = {0};

	farm_allocation(&f->farm, ACTION_PUT, &piece, len, &allocation);
	farm_put(&f->farm, f->client, &allocation, f->data, len, &talk);
	assert_int_equal(talk.err, ERR_OK);
	assert_int_equal(talk.code, REFUSAL_NONE);
	assert_true(talk.signed_len > 0);
	talk_free(&talk);
}

static enum refusal put_code(struct fixture *f, const struct allocation *allocation, size_t len)
{
	struct talk talk = {0};

	farm_put(&f->farm, f->client, allocation, f->data, len, &talk);
	assert_int_equal(talk.err, ERR_OK);
	talk_free(&talk);
	return talk.code;
}

static enum refusal get_code(struct fixture *f, const struct allocation *allocation, uint64_t offset, uint64_t length)
{
	struct talk talk = {0};

	farm_get(&f->farm, f->client, allocation, offset, length, &talk);
	assert_int_equal(talk.err, ERR_OK);
	talk_free(&talk);
	return talk.code;
}

static void check_receipt(struct fixture *f, const struct talk *talk, const struct allocation *allocation, size_t len)
{
	struct receipt_facts facts = {.domain = &f->farm.domain, .allocation = allocation, .size = len};
	struct bytes32 hash, root;
	struct receipt receipt;
	struct signature signature;

	typed_hash(&typed_allocation, allocation, &hash);
	farm_root(f->data, len, &root);
	facts.allocation_hash = &hash;
	facts.root = &root;
	assert_int_equal(
		typed_decode(&typed_receipt, bytes_of(talk->signed_thing, talk->signed_len), &receipt, &signature),
		ERR_OK);
	assert_int_equal(rules_check_receipt(&receipt, &signature, &facts), REFUSAL_NONE);
}

static void expect_range(struct fixture *f, uint8_t n, size_t size, uint64_t offset, uint64_t length)
{
	const struct bytes32 piece = piece_id(n);
	struct talk talk = {.check = true, .size = size};
	struct allocation allocation;

	farm_root(f->data, size, &talk.root);
	farm_allocation(&f->farm, ACTION_GET, &piece, size, &allocation);
	farm_get(&f->farm, f->client, &allocation, offset, length, &talk);
	assert_int_equal(talk.code, REFUSAL_NONE);
	assert_memory_equal(talk.data + offset, f->data + offset, length);
	assert_int_equal(talk.end_bytes, talk.bytes);
	if (length > 0)
		assert_int_equal(talk.blocks, (offset + length - 1) / TREE_BLOCK - offset / TREE_BLOCK + 1);
	talk_free(&talk);
}

static void test_put_and_get(void **state)
{
	static const size_t sizes[] = {0, 1, 1024, 4096, 32767, 32768, 32769, 65536, 65537, 131073, 1000000, 2 * MIB};
	struct fixture *f = *state;

	for (uint8_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		const struct bytes32 piece = piece_id(n);
		struct allocation allocation;
		struct talk talk = {0};

		farm_allocation(&f->farm, ACTION_PUT, &piece, sizes[n], &allocation);
		farm_put(&f->farm, f->client, &allocation, f->data, sizes[n], &talk);
		assert_int_equal(talk.code, REFUSAL_NONE);
		check_receipt(f, &talk, &allocation, sizes[n]);
		talk_free(&talk);
		expect_range(f, n, sizes[n], 0, sizes[n]);
	}
}

static void test_ranges(void **state)
{
	static const uint64_t ranges[][2] = {{0, 1}, {32767, 2}, {100000, 4096}, {999999, 1}, {40000, 900000}};
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(1);
	struct allocation allocation;

	store_piece(f, 1, 1000000);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		expect_range(f, 1, 1000000, ranges[i][0], ranges[i][1]);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000000, &allocation);
	assert_int_equal(get_code(f, &allocation, 1000000, 1), REFUSAL_RANGE);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000000, &allocation);
	assert_int_equal(get_code(f, &allocation, 0, 1000001), REFUSAL_RANGE);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000000, &allocation);
	assert_int_equal(get_code(f, &allocation, 5, UINT64_MAX), REFUSAL_RANGE);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000000, &allocation);
	assert_int_equal(get_code(f, &allocation, 0, 0), REFUSAL_RANGE);
	/* More blocks than the allocation can ever pay for. */
	farm_allocation(&f->farm, ACTION_GET, &piece, 100000, &allocation);
	assert_int_equal(get_code(f, &allocation, 0, 500000), REFUSAL_RANGE);
	farm_allocation(&f->farm, ACTION_GET, &piece, TREE_BLOCK, &allocation);
	assert_int_equal(get_code(f, &allocation, 0, 2 * TREE_BLOCK), REFUSAL_RANGE);
	farm_allocation(&f->farm, ACTION_GET, &piece, TREE_BLOCK + 1, &allocation);
	assert_int_equal(get_code(f, &allocation, 0, 2 * TREE_BLOCK), REFUSAL_NONE);
}

static void test_allocations_refused(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(2);
	struct allocation a;

	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.node = *key_address(f->farm.client);
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_NODE);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.client = *key_address(f->farm.node);
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_CLIENT);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.satellite = *key_address(f->farm.node);
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_SATELLITE);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000, &a);
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_ACTION);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.issued -= 7200;
	a.expires -= 7200;
	a.serial.b[3] -= 2;
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_EXPIRED);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.issued += 1800;
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_EARLY);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.serial.b[3] ^= 1;
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_SERIAL_HOUR);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 1000, &a);
	a.issued -= 24 * 3600;
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_LIFETIME);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 3 * MIB, &a);
	assert_int_equal(put_code(f, &a, 1000), REFUSAL_PIECE_LIMIT);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000, &a);
	assert_int_equal(get_code(f, &a, 0, 1000), REFUSAL_NOT_FOUND);
}

static void test_replay(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(3);
	struct allocation get;

	store_piece(f, 3, 5000);
	farm_allocation(&f->farm, ACTION_GET, &piece, 5000, &get);
	assert_int_equal(get_code(f, &get, 0, 5000), REFUSAL_NONE);
	assert_int_equal(get_code(f, &get, 0, 5000), REFUSAL_REPLAY);
	/* Also after a restart. */
	restart(f);
	assert_int_equal(get_code(f, &get, 0, 5000), REFUSAL_REPLAY);
	expect_range(f, 3, 5000, 0, 5000);
}

/* An answer that was lost can be had again; anything else with a used allocation cannot. */
static void test_put_again(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(4);
	struct allocation allocation, other;
	struct talk first = {0}, again = {0};

	farm_allocation(&f->farm, ACTION_PUT, &piece, 70000, &allocation);
	farm_put(&f->farm, f->client, &allocation, f->data, 70000, &first);
	farm_put(&f->farm, f->client, &allocation, f->data, 70000, &again);
	assert_int_equal(again.code, REFUSAL_NONE);
	assert_int_equal(first.signed_len, again.signed_len);
	assert_memory_equal(first.signed_thing, again.signed_thing, first.signed_len);
	talk_free(&first);
	talk_free(&again);
	assert_int_equal(put_code(f, &allocation, 60000), REFUSAL_EXISTS);
	farm_allocation(&f->farm, ACTION_PUT, &piece, 70000, &other);
	assert_int_equal(put_code(f, &other, 70000), REFUSAL_EXISTS);
}

/* Begin an upload without sending anything of it. */
static void open_put(struct fixture *f, const struct allocation *allocation, struct talk *talk)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message put = {.type = MSG_PUT};

	put.put.piece = allocation->piece;
	put.put.allocation = farm_sign(&f->farm, &typed_allocation, allocation, f->farm.satellite, wire);
	talk_begin(talk, &f->farm, f->client, &put);
}

static void send_order(struct fixture *f, const struct allocation *allocation, uint64_t amount, struct talk *talk)
{
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct message order = {.type = MSG_ORDER};

	order.order.order = farm_order(&f->farm, allocation, amount, wire);
	talk_send(talk, &order);
}

static void send_data(struct fixture *f, uint32_t block, size_t len, struct talk *talk)
{
	struct message data = {.type = MSG_DATA};

	data.data.block = block;
	data.data.payload = bytes_of(f->data + (size_t)block * TREE_BLOCK, len);
	talk_send(talk, &data);
}

static void send_end(struct fixture *f, size_t len, bool right, struct talk *talk)
{
	struct message end = {.type = MSG_PUT_END};

	end.put_end.size = len;
	farm_root(f->data, len, &end.put_end.root);
	end.put_end.root.b[0] ^= !right;
	talk_send(talk, &end);
}

static void expect_code(struct talk *talk, enum refusal code)
{
	talk_wait(talk);
	assert_int_equal(talk->err, ERR_OK);
	assert_int_equal(talk->code, code);
	talk_free(talk);
}

static void test_uploads_refused(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(5);
	struct allocation a;
	struct talk talk;

	for (int wrong = 0; wrong < 8; wrong++) {
		static const enum refusal codes[] = {REFUSAL_ROOT,	  REFUSAL_ROOT,	    REFUSAL_UNORDERED,
						     REFUSAL_PIECE_LIMIT, REFUSAL_PROTOCOL, REFUSAL_ORDER_SHRINKS,
						     REFUSAL_ORDER_LIMIT, REFUSAL_PROTOCOL};

		talk = (struct talk){0};
		farm_allocation(&f->farm, ACTION_PUT, &piece, 100000, &a);
		open_put(f, &a, &talk);
		send_order(f, &a, wrong == 2 ? 10 : 70000, &talk);
		if (wrong == 5 || wrong == 6)
			send_order(f, &a, wrong == 5 ? 69999 : 100001, &talk);
		send_data(f, 0, TREE_BLOCK, &talk);
		if (wrong == 3)
			send_order(f, &a, 100000, &talk);
		for (uint32_t block = 1; block < 4 && wrong >= 2 && wrong != 4; block++)
			send_data(f, block, wrong == 7 ? 1000 : TREE_BLOCK, &talk);
		if (wrong == 4)
			send_data(f, 2, TREE_BLOCK, &talk);
		send_end(f, wrong == 1 ? 50000 : TREE_BLOCK, wrong != 0, &talk);
		expect_code(&talk, codes[wrong]);
	}
	/* Nothing of all that is left: the piece can still be stored. */
	store_piece(f, 5, 100000);
	expect_range(f, 5, 100000, 0, 100000);
}

/* Cancelled, or left alone with the channel gone: as if it had never been. */
static void test_uploads_broken_off(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(6);
	struct message cancel = {.type = MSG_CANCEL};
	struct store_space before, after;
	struct allocation a;
	struct talk talk = {0};

	store_space(f->farm.parts.store, &before);
	farm_allocation(&f->farm, ACTION_PUT, &piece, MIB, &a);
	open_put(f, &a, &talk);
	send_order(f, &a, MIB, &talk);
	for (uint32_t block = 0; block < 20; block++)
		send_data(f, block, TREE_BLOCK, &talk);
	talk_send(&talk, &cancel);
	talk_free(&talk);
	store_piece(f, 6, 1000);
	talk = (struct talk){0};
	farm_allocation(&f->farm, ACTION_PUT, &piece, MIB, &a);
	open_put(f, &a, &talk);
	send_order(f, &a, MIB, &talk);
	send_data(f, 0, TREE_BLOCK, &talk);
	peer_finish(f->client);
	talk_wait(&talk);
	talk_free(&talk);
	f->client = farm_dial(&f->farm, f->farm.client);
	expect_range(f, 6, 1000, 0, 1000);
	/* Draining waits for the extents to be given back. */
	restart(f);
	store_space(f->farm.parts.store, &after);
	assert_int_equal(after.reserved, before.reserved);
	assert_int_equal(after.pieces, before.pieces + 1);
}

/* Many requests on one channel at once, answered in whatever order. */
static void test_interleaved(void **state)
{
	enum { COUNT = 8, SIZE = 300000 };
	struct fixture *f = *state;
	struct talk talks[COUNT] = {0};
	struct allocation a[COUNT];

	for (uint8_t i = 0; i < COUNT; i++) {
		const struct bytes32 piece = piece_id(i);

		farm_allocation(&f->farm, ACTION_PUT, &piece, SIZE, &a[i]);
		open_put(f, &a[i], &talks[i]);
		send_order(f, &a[i], SIZE, &talks[i]);
	}
	for (uint32_t block = 0; block < tree_blocks(SIZE); block++) {
		for (int i = 0; i < COUNT; i++)
			send_data(f, block, tree_block_size(SIZE, block), &talks[i]);
	}
	for (int i = 0; i < COUNT; i++)
		send_end(f, SIZE, true, &talks[i]);
	for (int i = 0; i < COUNT; i++)
		expect_code(&talks[i], REFUSAL_NONE);
	for (uint8_t i = 0; i < COUNT; i++)
		expect_range(f, i, SIZE, 0, SIZE);
}

/* Past the budget of memory an upload is told to try again later, and the allocation is not used up. */
static void test_busy(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(7);
	struct admission *admission = f->farm.parts.admission;
	uint64_t all = (uint64_t)64 * MIB;
	struct allocation a;

	farm_allocation(&f->farm, ACTION_PUT, &piece, 5000, &a);
	assert_true(admission_take(admission, all));
	assert_int_equal(put_code(f, &a, 5000), REFUSAL_BUSY);
	admission_give(admission, all);
	assert_int_equal(put_code(f, &a, 5000), REFUSAL_NONE);
}

/* Without an order nothing is sent; with one for a byte, one block. */
static void test_download_waits_for_orders(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(8);
	struct message get = {.type = MSG_GET};
	uint8_t wire[MESSAGE_SIGNED_MAX];
	struct allocation a;
	struct talk talk = {0};

	store_piece(f, 8, 200000);
	farm_allocation(&f->farm, ACTION_GET, &piece, 200000, &a);
	get.get.piece = piece;
	get.get.length = 200000;
	get.get.allocation = farm_sign(&f->farm, &typed_allocation, &a, f->farm.satellite, wire);
	talk_begin(&talk, &f->farm, f->client, &get);
	send_order(f, &a, 1, &talk);
	while (talk.blocks < 1)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_ONCE), 0);
	/* Whatever the node would send unordered would come before the answer to a later request. */
	expect_range(f, 8, 200000, 0, 200000);
	assert_int_equal(talk.blocks, 1);
	send_order(f, &a, 2 * TREE_BLOCK + 1, &talk);
	while (talk.blocks < 3)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_ONCE), 0);
	expect_range(f, 8, 200000, 0, 200000);
	assert_int_equal(talk.blocks, 3);
	send_order(f, &a, 200000, &talk);
	expect_code(&talk, REFUSAL_NONE);
}

/* Proving and deleting. */

struct proving {
	struct fixture *f;
	struct challenge challenge;
	uint64_t sizes[4];
	struct bytes32 previous;
	struct answer_hash answers;
	uint64_t leaf_bytes;
	unsigned held, missing;
};

static void check_proof(const struct msg_proof *proof, void *arg)
{
	struct proving *p = arg;
	uint64_t size = p->sizes[proof->index], leaf_bytes;
	bool chained = p->challenge.form == CHALLENGE_CHAINED && proof->index > 0;
	struct samples samples;
	struct bytes32 root;

	answer_add(&p->answers, proof->index, (enum audit_answer)proof->answer, proof->proof);
	if (proof->answer == AUDIT_HELD) {
		farm_root(p->f->data, size, &root);
		challenge_samples(&p->challenge, proof->index, size, chained ? &p->previous : NULL, &samples);
		assert_int_equal(proof_check(&root, size, &samples, proof->proof, &leaf_bytes), ERR_OK);
		p->leaf_bytes += leaf_bytes;
		p->held++;
	} else {
		assert_int_equal(proof->answer, AUDIT_MISSING);
		assert_int_equal(proof->proof.len, 0);
		p->missing++;
	}
	keccak_once(proof->proof.data, proof->proof.len, &p->previous);
}

static void prove(struct fixture *f, enum challenge_form form)
{
	struct challenge_piece pieces[4] = {
		{piece_id(10), 1}, {piece_id(11), 32}, {piece_id(12), 5}, {piece_id(13), 32}};
	struct proving p = {.f = f, .sizes = {100, 5000, 0, 2 * MIB}};
	struct message message = {.type = MSG_PROVE};
	struct talk talk = {.on_proof = check_proof, .on_proof_arg = &p};
	struct bytes32 challenge_hash, answer;
	struct signature signature;
	struct audit audit;
	uint8_t wire[4096];
	struct writer w;

	p.challenge = (struct challenge){{{1}}, (uint8_t)form, 1000, 4, pieces};
	answer_init(&p.answers);
	writer_init(&w, wire, sizeof(wire));
	challenge_encode(&p.challenge, &w);
	message.prove.challenge = writer_bytes(&w);
	talk_begin(&talk, &f->farm, f->satellite, &message);
	talk_wait(&talk);
	assert_int_equal(talk.code, REFUSAL_NONE);
	assert_int_equal(p.held, 3);
	assert_int_equal(p.missing, 1);
	assert_int_equal(typed_decode(&typed_audit, bytes_of(talk.signed_thing, talk.signed_len), &audit, &signature),
			 ERR_OK);
	assert_int_equal(typed_verify(&typed_audit, &audit, &f->farm.domain, &signature, key_address(f->farm.node)),
			 REFUSAL_NONE);
	keccak_once(wire, w.len, &challenge_hash);
	answer_final(&p.answers, &answer);
	assert_true(bytes32_equal(&audit.challenge, &challenge_hash) && bytes32_equal(&audit.answer, &answer));
	assert_int_equal(audit.bytes, p.leaf_bytes);
	assert_true(bytes32_is_zero(&audit.verdicts));
	talk_free(&talk);
}

static void test_prove(void **state)
{
	struct fixture *f = *state;
	struct message message = {.type = MSG_PROVE};
	struct talk talk = {0};
	uint8_t junk[40] = {0};

	store_piece(f, 10, 100);
	store_piece(f, 11, 5000);
	store_piece(f, 13, 2 * MIB);
	prove(f, CHALLENGE_LISTED);
	prove(f, CHALLENGE_CHAINED);
	message.prove.challenge = bytes_of(junk, sizeof(junk));
	talk_begin(&talk, &f->farm, f->client, &message);
	expect_code(&talk, REFUSAL_DENIED);
	talk = (struct talk){0};
	talk_begin(&talk, &f->farm, f->satellite, &message);
	expect_code(&talk, REFUSAL_MALFORMED);
}

/* A signed deletion of pieces 20 … 22, as the test wants it spoiled. */
static void begin_delete(struct fixture *f, struct peer *peer, int wrong, struct talk *talk)
{
	uint8_t ids[3 * 32], wire[MESSAGE_SIGNED_MAX];
	struct deletion deletion = {*key_address(f->farm.satellite), *key_address(f->farm.node), {{0}}, 1};
	struct message message = {.type = MSG_DELETE};

	for (uint8_t i = 0; i < 3; i++) {
		const struct bytes32 piece = piece_id((uint8_t)(20 + (wrong == 1 ? 2 - i : i)));

		memcpy(ids + (size_t)32 * i, piece.b, 32);
	}
	keccak_once(ids, sizeof(ids), &deletion.pieces);
	if (wrong == 2)
		deletion.pieces.b[5] ^= 1;
	if (wrong == 3)
		deletion.node = *key_address(f->farm.client);
	if (wrong == 4)
		deletion.at = UINT64_MAX;
	message.delete.deletion =
		farm_sign(&f->farm, &typed_deletion, &deletion, wrong == 5 ? f->farm.client : f->farm.satellite, wire);
	message.delete.pieces = (struct list){bytes_of(ids, sizeof(ids)), 3};
	talk_begin(talk, &f->farm, peer, &message);
}

static void test_delete(void **state)
{
	static const enum refusal codes[] = {REFUSAL_NONE, REFUSAL_COMMITMENT, REFUSAL_COMMITMENT,
					     REFUSAL_NODE, REFUSAL_EARLY,      REFUSAL_SIGNATURE};
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(20);
	struct allocation a;
	struct talk talk = {0};

	store_piece(f, 20, 1000);
	store_piece(f, 22, 2000);
	begin_delete(f, f->client, 0, &talk);
	expect_code(&talk, REFUSAL_DENIED);
	for (int wrong = 1; wrong < 6; wrong++) {
		talk = (struct talk){0};
		begin_delete(f, f->satellite, wrong, &talk);
		expect_code(&talk, codes[wrong]);
	}
	expect_range(f, 20, 1000, 0, 1000);
	talk = (struct talk){0};
	begin_delete(f, f->satellite, 0, &talk);
	expect_code(&talk, REFUSAL_NONE);
	assert_int_equal(talk.deleted.count, 2);
	assert_int_equal(talk.deleted.bytes, 3000);
	farm_allocation(&f->farm, ACTION_GET, &piece, 1000, &a);
	assert_int_equal(get_code(f, &a, 0, 1000), REFUSAL_NOT_FOUND);
	talk = (struct talk){0};
	begin_delete(f, f->satellite, 0, &talk);
	expect_code(&talk, REFUSAL_NONE);
	assert_int_equal(talk.deleted.count, 0);
}

/* A disk whose writes wait while it is shut, and fail with `number` unless that is 0. */
struct slow_disk {
	struct seam seam;
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool shut;
	int number;
};

static ssize_t slow_write(const struct seam *self, int fd, const void *data, size_t len, uint64_t offset)
{
	struct slow_disk *disk = (struct slow_disk *)(uintptr_t)self;
	int number;

	pthread_mutex_lock(&disk->lock);
	while (disk->shut)
		pthread_cond_wait(&disk->opened, &disk->lock);
	number = disk->number;
	pthread_mutex_unlock(&disk->lock);
	return number != 0 ? -number : seam_system.pwrite(&seam_system, fd, data, len, offset);
}

static void set_disk(struct slow_disk *disk, bool shut, int number)
{
	pthread_mutex_lock(&disk->lock);
	disk->shut = shut;
	disk->number = number;
	pthread_cond_broadcast(&disk->opened);
	pthread_mutex_unlock(&disk->lock);
}

/* Have the node on such a disk. */
static void set_slow_disk(struct fixture *f, struct slow_disk *disk)
{
	*disk = (struct slow_disk){.seam = seam_system};
	pthread_mutex_init(&disk->lock, NULL);
	pthread_cond_init(&disk->opened, NULL);
	disk->seam.pwrite = slow_write;
	f->farm.seam = &disk->seam;
	restart(f);
}

static void begin_get(struct fixture *f, const struct allocation *allocation, uint64_t length, struct talk *talk)
{
	struct message message = {.type = MSG_GET};
	uint8_t wire[MESSAGE_SIGNED_MAX];

	message.get.piece = allocation->piece;
	message.get.length = length;
	message.get.allocation = farm_sign(&f->farm, &typed_allocation, allocation, f->farm.satellite, wire);
	talk_begin(talk, &f->farm, f->client, &message);
	message = (struct message){.type = MSG_ORDER};
	message.order.order = farm_order(&f->farm, allocation, length, wire);
	talk_send(talk, &message);
}

/* GET_END acknowledges the last order, so it must not overtake what keeps it. */
static void test_end_waits_for_the_log(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(31);
	struct message ping = {.type = MSG_PING}, pong;
	static struct slow_disk disk; /* the node has it until the test is torn down */
	struct allocation allocation;
	struct talk talk = {0};
	bool early;

	store_piece(f, 31, 100000);
	set_slow_disk(f, &disk);
	farm_allocation(&f->farm, ACTION_GET, &piece, 100000, &allocation);
	set_disk(&disk, true, 0);
	begin_get(f, &allocation, 100000, &talk);
	while (talk.bytes < 100000)
		assert_int_equal(event_base_loop(f->farm.base, EVLOOP_ONCE), 0);
	assert_int_equal(peer_call(f->client, &ping, 30000, &pong), ERR_OK);
	early = talk.done;
	set_disk(&disk, false, 0);
	assert_false(early);
	talk_wait(&talk);
	assert_int_equal(talk.code, REFUSAL_NONE);
	assert_int_equal(talk.end_bytes, 100000);
	talk_free(&talk);
}

/* The customer is served from a disk that takes nothing more, but no order is acknowledged that it does not keep. */
static void test_no_end_without_the_log(void **state)
{
	struct fixture *f = *state;
	const struct bytes32 piece = piece_id(32);
	static struct slow_disk disk; /* the node has it until the test is torn down */
	struct allocation allocation;
	struct talk talk = {0};

	store_piece(f, 32, 100000);
	set_slow_disk(f, &disk);
	farm_allocation(&f->farm, ACTION_GET, &piece, 100000, &allocation);
	set_disk(&disk, false, EIO);
	begin_get(f, &allocation, 100000, &talk);
	talk_wait(&talk);
	assert_int_equal(talk.code, REFUSAL_READ_ONLY);
	assert_int_equal(talk.bytes, 100000);
	assert_memory_equal(talk.data, f->data, 100000);
	talk_free(&talk);
	assert_int_equal(get_code(f, &allocation, 0, 100000), REFUSAL_REPLAY);
}

/* What is no request to a node, or belongs to none. */
static void test_nonsense(void **state)
{
	struct fixture *f = *state;
	struct message message = {.type = MSG_CHECK_IN};
	struct talk talk = {0};

	talk_begin(&talk, &f->farm, f->client, &message);
	expect_code(&talk, REFUSAL_PROTOCOL);
	message = (struct message){.type = MSG_DATA};
	talk = (struct talk){0};
	talk_begin(&talk, &f->farm, f->client, &message);
	expect_code(&talk, REFUSAL_PROTOCOL);
	message = (struct message){.type = MSG_PUT};
	talk = (struct talk){0};
	talk_begin(&talk, &f->farm, f->client, &message);
	expect_code(&talk, REFUSAL_MALFORMED);
	/* The channel is still good. */
	store_piece(f, 30, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_and_get),
		TEST(test_ranges),
		TEST(test_allocations_refused),
		TEST(test_replay),
		TEST(test_put_again),
		TEST(test_uploads_refused),
		TEST(test_uploads_broken_off),
		TEST(test_interleaved),
		TEST(test_busy),
		TEST(test_download_waits_for_orders),
		TEST(test_prove),
		TEST(test_delete),
		TEST(test_nonsense),
		TEST(test_end_waits_for_the_log),
		TEST(test_no_end_without_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
