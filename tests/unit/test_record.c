/* Heads of records: what goes in comes out, and no changed byte, other place or other secret passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/record.h"

static const struct record_secret secret = {{1, 2, 3}};
static const struct record_place place = {7, 4096};

static struct record sample(enum record_type type, uint32_t size)
{
	struct record record = {
		.type = type,
		.satellite = 3,
		.piece = {{9, 8, 7}},
		.sequence = 77,
		.size = type == RECORD_PIECE ? size : 0,
		.created = 1000,
		.expires = 2000,
		.root = {{5}},
		.stored_at = 1001,
		.deal = {.allocation_hash = {{4}}, .allocation = {1, 2}, .order = {3, 4}},
		.target = {{5, 6400}, 100, 704, 12},
	};

	record.head = type == RECORD_PIECE ? record_head_of_piece(tree_blocks(size)) : record_head_of(type);
	record.extent = record_extent(record.head, record.size);
	for (uint32_t i = 0; i < TREE_BLOCKS; i++) {
		record.checksums[i] = i * 3;
		record.blocks[i].b[0] = (uint8_t)i;
	}
	return record;
}

static void expect_same(const struct record *a, const struct record *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->satellite, b->satellite);
	assert_true(bytes32_equal(&a->piece, &b->piece) && bytes32_equal(&a->root, &b->root));
	assert_true(a->sequence == b->sequence && a->size == b->size && a->extent == b->extent && a->head == b->head);
	assert_true(a->created == b->created && a->expires == b->expires);
}

static void test_round_trip(void **state)
{
	static const uint32_t sizes[] = {0, 1, TREE_BLOCK, TREE_BLOCK + 1, TREE_PIECE};
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct record in = sample(RECORD_PIECE, sizes[i]), out;
		uint32_t blocks = tree_blocks(sizes[i]);

		record_encode(&in, &secret, &place, head);
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		expect_same(&in, &out);
		assert_true(out.committed && out.stored_at == 1001);
		assert_memory_equal(&in.deal, &out.deal, sizeof(in.deal));
		assert_memory_equal(in.checksums, out.checksums, blocks * sizeof(in.checksums[0]));
		assert_memory_equal(in.blocks, out.blocks, blocks * sizeof(in.blocks[0]));
	}
	assert_int_equal(record_head_of_piece(TREE_BLOCKS), RECORD_HEAD_MAX);
}

static void test_other_types(void **state)
{
	static const enum record_type types[] = {RECORD_TOMBSTONE, RECORD_TRASH, RECORD_RESTORE, RECORD_TRANSFER,
						 RECORD_PAD};
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct record in = sample(types[i], 0), out;

		record_encode(&in, &secret, &place, head);
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		expect_same(&in, &out);
		if (types[i] == RECORD_TRANSFER)
			assert_memory_equal(&in.deal, &out.deal, sizeof(in.deal));
		else if (types[i] != RECORD_PAD)
			assert_memory_equal(&in.target, &out.target, sizeof(in.target));
	}
}

/* No bit of a head can change unnoticed, but for the zeros that fill its last unit, which the MAC covers too. */
static void test_every_bit_counts(void **state)
{
	struct record in = sample(RECORD_PIECE, 3 * TREE_BLOCK), out;
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	record_encode(&in, &secret, &place, head);
	for (size_t bit = 0; bit < in.head * 8u; bit++) {
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
		head[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < in.head; len++)
		assert_int_not_equal(record_decode(bytes_of(head, len), &secret, &place, &out), ERR_OK);
	assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &place, &out), ERR_OK);
}

static void test_bound_to_its_place(void **state)
{
	const struct record_place others[] = {{8, 4096}, {7, 4160}, {0, 4096}};
	const struct record_secret other_secret = {{1, 2, 4}};
	struct record in = sample(RECORD_PIECE, 10), out;
	uint8_t head[RECORD_HEAD_MAX];

	(void)state;
	record_encode(&in, &secret, &place, head);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(record_decode(bytes_of(head, in.head), &secret, &others[i], &out), ERR_CORRUPT);
		assert_int_equal(record_decode_core(head, &secret, &others[i], &out), ERR_CORRUPT);
	}
	assert_int_equal(record_decode(bytes_of(head, in.head), &other_secret, &place, &out), ERR_CORRUPT);
	memset(head, 0, sizeof(head));
	assert_int_equal(record_decode_core(head, &secret, &place, &out), ERR_FORMAT);
}

/* An upload under way has a core that tells how far it reaches, and nothing else. */
static void test_uncommitted(void **state)
{
	struct record in = sample(RECORD_PIECE, TREE_PIECE), out;
	uint8_t head[RECORD_HEAD_MAX] = {0};

	(void)state;
	record_encode_core(&in, &secret, &place, head);
	assert_int_equal(record_decode_core(head, &secret, &place, &out), ERR_OK);
	assert_false(out.committed);
	assert_int_equal(out.extent, in.extent);
	assert_int_equal(record_decode(bytes_of(head, sizeof(head)), &secret, &place, &out), ERR_NOT_FOUND);
}

/* Numbers that cannot be are refused though the MAC holds: nothing read from a disk is followed unchecked. */
static void test_implausible(void **state)
{
	struct record out, bad[5];
	uint8_t core[RECORD_CORE];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		bad[i] = sample(RECORD_PIECE, 100);
		bad[i].committed = true;
	}
	bad[0].size = TREE_PIECE + 1;
	bad[1].extent = bad[1].head;
	bad[2].head = RECORD_HEAD_MAX + RECORD_UNIT;
	bad[3].extent += 1;
	bad[4].size = 3 * TREE_BLOCK; /* more blocks than its head has room for */
	bad[4].extent = record_extent(bad[4].head, bad[4].size);
	for (size_t i = 0; i < 5; i++) {
		record_encode_core(&bad[i], &secret, &place, core);
		assert_int_equal(record_decode_core(core, &secret, &place, &out), ERR_CORRUPT);
	}
}

/* CRC-32C of piece ‖ block ‖ data: the check value of "123456789" is 0xe3069283, so a bitwise sum must agree. */
static uint32_t crc_bitwise(const uint8_t *data, size_t len, uint32_t crc)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

static void test_checksum(void **state)
{
	struct bytes32 piece = {{1}};
	uint8_t input[32 + 4 + 9], data[] = "123456789";

	(void)state;
	assert_int_equal(~crc_bitwise(data, 9, UINT32_MAX), 0xe3069283u);
	memcpy(input, piece.b, 32);
	put_be32(input + 32, 5);
	memcpy(input + 36, data, 9);
	assert_int_equal(record_checksum(&piece, 5, data, 9), ~crc_bitwise(input, sizeof(input), UINT32_MAX));
	assert_int_not_equal(record_checksum(&piece, 5, data, 9), record_checksum(&piece, 6, data, 9));
	assert_int_equal(record_checksum(&piece, 0, NULL, 0), record_checksum(&piece, 0, data, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_every_bit_counts), cmocka_unit_test(test_bound_to_its_place),
		cmocka_unit_test(test_uncommitted),	 cmocka_unit_test(test_implausible),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
