/* The piece tree against a recursion straight from RFC 6962, at many sizes, and against frozen vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "audit/tree.h"
#include "common/hex.h"
#include "common/random.h"

/* What tests/vectors/tree.json calls content. */
static void make_content(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 131 + (i >> 8) * 17 + (i >> 16) * 101);
}

/* A whole piece's worth of content; shorter pieces are its prefixes. */
static int setup(void **state)
{
	*state = malloc(TREE_PIECE);
	make_content(*state, TREE_PIECE);
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* RFC 6962, section 2.1, in its own words, over leaves of 1 KiB. */
static void naive_top(const uint8_t *data, size_t len, struct bytes32 *ret)
{
	size_t leaves = len == 0 ? 1 : (len + 1023) / 1024, half = 1;
	uint8_t both[64];
	struct bytes32 hash;

	if (leaves == 1) {
		hash_once("granary.leaf", data, len, ret);
		return;
	}
	while (half * 2 < leaves)
		half *= 2;
	naive_top(data, half * 1024, &hash);
	memcpy(both, hash.b, 32);
	naive_top(data + half * 1024, len - half * 1024, &hash);
	memcpy(both + 32, hash.b, 32);
	hash_once("granary.node", both, sizeof(both), ret);
}

static void naive_root(const uint8_t *data, size_t len, struct bytes32 *ret)
{
	uint8_t sealed[1 + 8 + 32] = {1};
	struct bytes32 top;

	put_be64(sealed + 1, len);
	naive_top(data, len, &top);
	memcpy(sealed + 9, top.b, 32);
	hash_once("granary.root", sealed, sizeof(sealed), ret);
}

static void stream_root(const uint8_t *data, size_t len, struct bytes32 *ret)
{
	struct tree tree;

	tree_init(&tree);
	for (size_t at = 0; at < len; at += TREE_BLOCK)
		assert_int_equal(tree_add(&tree, data + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK), ERR_OK);
	assert_int_equal(tree.size, len);
	tree_final(&tree, ret);
}

static void expect_same(const uint8_t *data, size_t len)
{
	struct bytes32 naive, streamed;

	naive_root(data, len, &naive);
	stream_root(data, len, &streamed);
	if (!bytes32_equal(&naive, &streamed))
		fail_msg("roots differ at %zu bytes", len);
}

static void test_shape(void **state)
{
	const uint8_t *data = *state;
	struct random_stream random;

	for (size_t len = 0; len < 5 * TREE_LEAF; len += 37)
		expect_same(data, len);
	for (size_t len = TREE_LEAF; len <= 3 * TREE_BLOCK; len += TREE_LEAF) {
		expect_same(data, len - 1);
		expect_same(data, len);
		expect_same(data, len + 1);
	}
	for (uint32_t blocks = 1; blocks <= TREE_BLOCKS; blocks++)
		expect_same(data, (size_t)blocks * TREE_BLOCK);
	random_stream_init(&random, bytes_of_text("tree shape"));
	for (int i = 0; i < 60; i++)
		expect_same(data, random_stream_below(&random, TREE_PIECE + 1));
}

static void test_geometry(void **state)
{
	(void)state;
	assert_int_equal(tree_leaves(0), 1);
	assert_int_equal(tree_blocks(0), 1);
	assert_int_equal(tree_block_size(0, 0), 0);
	assert_int_equal(tree_block_size(TREE_BLOCK, 1), 0);
	for (uint64_t size = 1; size <= 4 * TREE_BLOCK; size++) {
		uint32_t blocks = tree_blocks(size);
		size_t last = tree_block_size(size, blocks - 1);

		assert_true(last > 0 && last <= TREE_BLOCK);
		assert_int_equal((uint64_t)(blocks - 1) * TREE_BLOCK + last, size);
		assert_true(tree_leaves(size) * (uint64_t)TREE_LEAF >= size);
		assert_true((tree_leaves(size) - 1) * (uint64_t)TREE_LEAF < size);
	}
	assert_int_equal(tree_blocks(TREE_PIECE), TREE_BLOCKS);
}

/* A block's hash is the top of its leaves, and blocks' hashes may be added as well as blocks. */
static void test_hashes_of_blocks(void **state)
{
	const uint8_t *data = *state;
	struct bytes32 leaves[TREE_BLOCK_LEAVES], top, block, first, second;
	struct tree tree;

	for (size_t len = 1; len <= TREE_BLOCK; len += 511) {
		tree_block_leaves(data, len, leaves);
		tree_top(leaves, tree_leaves(len), &top);
		tree_block_hash(data, len, &block);
		assert_true(bytes32_equal(&top, &block));
	}
	tree_init(&tree);
	tree_block_hash(data, TREE_BLOCK, &block);
	assert_int_equal(tree_add_hash(&tree, &block, TREE_BLOCK), ERR_OK);
	tree_block_hash(data + TREE_BLOCK, 10, &block);
	assert_int_equal(tree_add_hash(&tree, &block, 10), ERR_OK);
	tree_final(&tree, &first);
	stream_root(data, TREE_BLOCK + 10, &second);
	assert_true(bytes32_equal(&first, &second));
	/* The same top under another size is another root. */
	tree_top(tree.blocks, 2, &top);
	tree_root_of_top(&top, TREE_BLOCK + 10, &first);
	tree_root_of_top(&top, TREE_BLOCK + 11, &second);
	assert_false(bytes32_equal(&first, &second));
}

static void test_refuses(void **state)
{
	const uint8_t *data = *state;
	struct tree tree;
	struct bytes32 before, after;

	tree_init(&tree);
	assert_int_equal(tree_add(&tree, data, TREE_BLOCK + 1), ERR_RANGE);
	assert_int_equal(tree_add(&tree, data, 0), ERR_OK); /* the empty piece, so far */
	assert_int_equal(tree_add(&tree, data, TREE_BLOCK), ERR_OK);
	assert_int_equal(tree_add(&tree, data, 0), ERR_RANGE);
	assert_int_equal(tree_add(&tree, data, 100), ERR_OK);
	tree_final(&tree, &before);
	assert_int_equal(tree_add(&tree, data, TREE_BLOCK), ERR_RANGE);
	assert_int_equal(tree_add(&tree, data, 1), ERR_RANGE);
	tree_final(&tree, &after);
	assert_true(bytes32_equal(&before, &after));
	tree_init(&tree);
	for (uint32_t i = 0; i < TREE_BLOCKS; i++)
		assert_int_equal(tree_add(&tree, data, TREE_BLOCK), ERR_OK);
	assert_int_equal(tree_add(&tree, data, 1), ERR_RANGE);
}

static void test_vectors(void **state)
{
	const uint8_t *data = *state;
	char path[1024], hex[65];
	json_t *file, *vector;
	struct bytes32 root;
	size_t i;

	snprintf(path, sizeof(path), "%s/tree.json", getenv("GRANARY_VECTORS"));
	file = json_load_file(path, 0, NULL);
	assert_non_null(file);
	assert_true(json_array_size(json_object_get(file, "roots")) > 0);
	json_array_foreach(json_object_get(file, "roots"), i, vector)
	{
		stream_root(data, (size_t)json_integer_value(json_object_get(vector, "size")), &root);
		hex_encode(bytes_of(root.b, sizeof(root.b)), hex);
		assert_string_equal(hex, json_string_value(json_object_get(vector, "root")));
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_geometry),
		cmocka_unit_test(test_hashes_of_blocks),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
