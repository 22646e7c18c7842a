/* Heads of records: what goes in comes out; nothing else passes, whoever made it. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/random.h"
#include "node/store/record.h"

static const struct record_secret secret = {{1, 2, 3}};
static const struct record_place place = {7, 8192};

static struct record piece_record(uint32_t size)
{
	struct record record = {
		.type = RECORD_PIECE,
		.satellite = 3,
		.sequence = 99,
		.size = size,
		.created = 1000,
		.expires = 2000,
		.stored_at = 1001,
	};

	memset(record.piece.b, 0x5a, sizeof(record.piece.b));
	memset(record.root.b, 0x77, sizeof(record.root.b));
	memset(record.deal.order, 4, sizeof(record.deal.order));
	for (uint32_t i = 0; i < tree_blocks(size); i++) {
		record.checksums[i] = i * 17 + 1;
		record.blocks[i].b[0] = (uint8_t)i;
	}
	record.head = record_head_of_piece(tree_blocks(size));
	record.extent = record_extent(record.head, size);
	return record;
}

static void test_piece_round_trip(void **state)
{
	static const uint32_t sizes[] = {0, 1, 32768, 32769, 65536, 1000000, 2097152};
	uint8_t head[RECORD_HEAD_MAX];
	struct record out;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct record in = piece_record(sizes[i]);
		uint32_t blocks = tree_blocks(sizes[i]);

		assert_true(in.head % RECORD_UNIT == 0 && in.extent % RECORD_UNIT == 0);
		record_encode(&in, &secret, &place, head);
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		assert_int_equal(out.type, RECORD_PIECE);
		assert_int_equal(out.satellite, 3);
		assert_int_equal(out.size, sizes[i]);
		assert_int_equal(out.extent, in.extent);
		assert_true(out.sequence == 99 && out.created == 1000 && out.expires == 2000);
		assert_int_equal(out.stored_at, 1001);
		assert_true(bytes32_equal(&out.piece, &in.piece) && bytes32_equal(&out.root, &in.root));
		assert_memory_equal(&out.deal, &in.deal, sizeof(in.deal));
		assert_memory_equal(out.checksums, in.checksums, blocks * sizeof(in.checksums[0]));
		assert_memory_equal(out.blocks, in.blocks, blocks * sizeof(in.blocks[0]));
	}
}

static void test_other_types_round_trip(void **state)
{
	static const enum record_type types[] = {RECORD_TOMBSTONE, RECORD_TRASH, RECORD_RESTORE, RECORD_TRANSFER};
	uint8_t head[RECORD_HEAD_MAX];
	struct record out;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct record in = {.type = types[i], .sequence = 5, .target = {{1, 4096}, 100, 640, 3}};

		in.deal.order[0] = 9;
		in.head = record_head_of(types[i]);
		in.extent = in.head;
		record_encode(&in, &secret, &place, head);
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		assert_int_equal(out.type, types[i]);
		if (types[i] == RECORD_TRANSFER)
			assert_memory_equal(&out.deal, &in.deal, sizeof(in.deal));
		else
			assert_true(out.target.place.offset == 4096 && out.target.sequence == 3);
	}
}

/* Any bit of a head, changed, and it is no head. */
static void test_every_bit_counts(void **state)
{
	struct record in = piece_record(40000), out;
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	record_encode(&in, &secret, &place, head);
	for (uint32_t bit = 0; bit < in.head * 8; bit++) {
		head[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		head[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
}

/* A head is true at one place of one segment of one store only: stale and misdirected blocks are none. */
static void test_place_counts(void **state)
{
	const struct record_place elsewhere[] = {{7, 8256}, {8, 8192}};
	const struct record_secret other = {{1, 2, 4}};
	struct record in = piece_record(100), out;
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	record_encode(&in, &secret, &place, head);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &elsewhere[i], &out), ERR_CORRUPT);
	assert_int_equal(record_decode(bytes_of(head, in.head), &other, &place, &out), ERR_CORRUPT);
}

static void test_uncommitted_is_no_piece(void **state)
{
	struct record in = piece_record(100), out;
	uint8_t core[RECORD_CORE];

	(void)state;
	record_encode_core(&in, &secret, &place, core);
	assert_int_equal(record_decode_core(core, &secret, &place, &out), ERR_OK);
	assert_false(out.committed);
	assert_int_equal(out.extent, in.extent);
	assert_int_equal(record_decode(bytes_of(core, sizeof(core)), &secret, &place, &out), ERR_NOT_FOUND);
}

static void test_truncated(void **state)
{
	struct record in = piece_record(40000), out;
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	record_encode(&in, &secret, &place, head);
	for (uint32_t len = 0; len < in.head; len++)
		assert_int_not_equal(record_decode(bytes_of(head, len), &secret, &place, &out), ERR_OK);
}

/* The checksum of a block is not that of the same bytes as another block or another piece. */
static void test_checksum_is_seeded(void **state)
{
	struct bytes32 one = {{1}}, two = {{2}};
	uint32_t sum = record_checksum(&one, 0, "data", 4);

	(void)state;
	assert_int_not_equal(sum, record_checksum(&one, 1, "data", 4));
	assert_int_not_equal(sum, record_checksum(&two, 0, "data", 4));
	assert_int_not_equal(sum, record_checksum(&one, 0, "dbta", 4));
	assert_int_equal(sum, record_checksum(&one, 0, "data", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_piece_round_trip),       cmocka_unit_test(test_other_types_round_trip),
		cmocka_unit_test(test_every_bit_counts),       cmocka_unit_test(test_place_counts),
		cmocka_unit_test(test_uncommitted_is_no_piece), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_checksum_is_seeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
