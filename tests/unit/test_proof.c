/* Block paths and multi-proofs: honest ones are accepted and equal the frozen vectors, every other one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "audit/proof.h"
#include "common/hex.h"
#include "common/random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A piece with all that its node keeps. */
struct piece {
	uint8_t *data;
	uint64_t size;
	struct bytes32 blocks[TREE_BLOCKS];
	struct bytes32 root;
	uint32_t reads;
};

static void piece_make(struct piece *p, uint64_t size)
{
	p->data = malloc(size + 1);
	p->size = size;
	p->reads = 0;
	for (size_t i = 0; i < size; i++)
		p->data[i] = (uint8_t)(i * 131 + (i >> 8) * 17 + (i >> 16) * 101);
	for (uint32_t i = 0; i < tree_blocks(size); i++)
		tree_block_hash(p->data + (size_t)i * TREE_BLOCK, tree_block_size(size, i), &p->blocks[i]);
	tree_root(p->blocks, size, &p->root);
}

static struct bytes piece_block(const struct piece *p, uint32_t block)
{
	return bytes_of(p->data + (size_t)block * TREE_BLOCK, tree_block_size(p->size, block));
}

static enum err read_block(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	struct piece *p = arg;
	struct bytes data = piece_block(p, block);

	p->reads++;
	memcpy(out, data.data, data.len);
	*ret_len = data.len;
	return ERR_OK;
}

static const uint64_t sizes[] = {0,	1,     1024,  1025,   5000,    32767,	32768,	32769,
				 65536, 98304, 98305, 163840, 1000000, 2064385, 2097152};

static struct bytes path_of(const struct piece *p, uint32_t block, struct bytes32 path[PROOF_PATH])
{
	uint32_t count = proof_path(p->blocks, p->size, block, path);

	assert_true(count <= PROOF_PATH);
	return bytes_of(path, count * sizeof(path[0]));
}

static void test_block_paths(void **state)
{
	struct bytes32 path[PROOF_PATH];
	struct piece p;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		piece_make(&p, sizes[i]);
		for (uint32_t block = 0; block < tree_blocks(p.size); block++)
			assert_int_equal(proof_check_block(&p.root, p.size, block, piece_block(&p, block),
							   path_of(&p, block, path)),
					 ERR_OK);
		free(p.data);
	}
}

/* Whatever is changed, shortened, lengthened or claimed of another place is refused. */
static void test_block_paths_refused(void **state)
{
	struct bytes32 paths[PROOF_PATH + 1], swapped;
	struct bytes path, data;
	struct bytes32 root;
	struct piece p;

	(void)state;
	piece_make(&p, 1000000);
	path = path_of(&p, 17, paths);
	data = piece_block(&p, 17);
	root = p.root;
	assert_int_equal(path.len, 5 * 32);
	for (size_t i = 0; i < path.len; i++) {
		((uint8_t *)paths)[i] ^= 1;
		assert_int_equal(proof_check_block(&root, p.size, 17, data, path), ERR_CORRUPT);
		((uint8_t *)paths)[i] ^= 1;
	}
	for (size_t i = 0; i < data.len; i += 97) {
		p.data[17 * TREE_BLOCK + i] ^= 0x80;
		assert_int_equal(proof_check_block(&root, p.size, 17, data, path), ERR_CORRUPT);
		p.data[17 * TREE_BLOCK + i] ^= 0x80;
	}
	for (size_t len = 0; len <= sizeof(paths); len++) {
		if (len != path.len)
			assert_int_equal(proof_check_block(&root, p.size, 17, data, bytes_of(paths, len)), ERR_RANGE);
	}
	assert_int_equal(proof_check_block(&root, p.size, 16, data, path), ERR_CORRUPT);
	assert_int_equal(proof_check_block(&root, p.size, 17, piece_block(&p, 16), path), ERR_CORRUPT);
	assert_int_equal(proof_check_block(&root, p.size + 1, 17, data, path), ERR_CORRUPT);
	assert_int_equal(proof_check_block(&root, p.size, 31, data, path), ERR_RANGE);
	assert_int_equal(proof_check_block(&root, p.size, 17, bytes_of(data.data, 100), path), ERR_RANGE);
	assert_int_equal(proof_check_block(&root, TREE_PIECE + 1, 17, data, path), ERR_RANGE);
	assert_int_equal(proof_check_block(&root, UINT64_MAX, 17, data, path), ERR_RANGE);
	swapped = paths[0];
	paths[0] = paths[1];
	paths[1] = swapped;
	assert_int_equal(proof_check_block(&root, p.size, 17, data, path), ERR_CORRUPT);
	assert_int_equal(proof_check_block(&p.root, p.size, 17, data, path_of(&p, 17, paths)), ERR_OK);
	free(p.data);
}

struct made {
	uint8_t bytes[PROOF_SAMPLES * (TREE_LEAF + 11 * 32)];
	size_t len;
};

static void make_proof(struct piece *p, const struct samples *samples, struct made *ret)
{
	struct writer w;

	writer_init(&w, ret->bytes, sizeof(ret->bytes));
	assert_int_equal(proof_make(p->blocks, p->size, samples, read_block, p, &w), ERR_OK);
	assert_int_equal(w.len, proof_size(p->size, samples));
	ret->len = w.len;
}

static enum err check(const struct piece *p, const struct samples *samples, const uint8_t *proof, size_t len)
{
	uint64_t leaf_bytes = 0;

	return proof_check(&p->root, p->size, samples, bytes_of(proof, len), &leaf_bytes);
}

static void random_samples(struct random_stream *random, uint64_t size, struct samples *ret)
{
	uint32_t leaves = tree_leaves(size), wanted = 1 + (uint32_t)random_stream_below(random, PROOF_SAMPLES);
	uint32_t left = leaves;

	ret->count = 0;
	for (uint32_t leaf = 0; leaf < leaves && ret->count < wanted; leaf++, left--) {
		if (random_stream_below(random, left) < wanted - ret->count)
			ret->leaf[ret->count++] = leaf;
	}
}

/* Honest proofs of random sets; one read per block, leaf bytes counted. */
static void test_multi_proofs(void **state)
{
	struct random_stream random;
	struct samples samples;
	struct made made;
	struct piece p;

	(void)state;
	random_stream_init(&random, bytes_of_text("multi-proofs"));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		piece_make(&p, sizes[i]);
		for (int round = 0; round < 20; round++) {
			uint64_t leaf_bytes = 0, expected = 0;

			random_samples(&random, p.size, &samples);
			p.reads = 0;
			make_proof(&p, &samples, &made);
			assert_true(p.reads <= samples.count && p.reads <= tree_blocks(p.size));
			for (uint32_t s = 0; s < samples.count; s++) {
				uint64_t left = p.size - (uint64_t)samples.leaf[s] * TREE_LEAF;

				expected += left < TREE_LEAF ? left : TREE_LEAF;
			}
			assert_int_equal(
				proof_check(&p.root, p.size, &samples, bytes_of(made.bytes, made.len), &leaf_bytes),
				ERR_OK);
			assert_int_equal(leaf_bytes, expected);
		}
		free(p.data);
	}
}

static void test_multi_proofs_refused(void **state)
{
	struct samples samples = {{3, 40, 41, 900}, 4}, others = {{3, 40, 42, 900}, 4}, fewer = {{3, 40, 41}, 3};
	struct made made;
	struct piece p;
	uint8_t swap[32], *hashes;

	(void)state;
	piece_make(&p, 1000000);
	make_proof(&p, &samples, &made);
	for (size_t len = 0; len < made.len; len++)
		assert_int_equal(check(&p, &samples, made.bytes, len), ERR_CORRUPT);
	assert_true(made.len + 64 < sizeof(made.bytes));
	memset(made.bytes + made.len, 0, 64);
	for (size_t more = 1; more <= 64; more++)
		assert_int_equal(check(&p, &samples, made.bytes, made.len + more), ERR_CORRUPT);
	for (size_t i = 0; i < made.len; i++) {
		made.bytes[i] ^= 0x10;
		assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_CORRUPT);
		made.bytes[i] ^= 0x10;
	}
	assert_int_equal(check(&p, &others, made.bytes, made.len), ERR_CORRUPT);
	assert_int_equal(check(&p, &fewer, made.bytes, made.len), ERR_CORRUPT);
	/* Any two neighbouring hashes changed over. */
	hashes = made.bytes + 4 * TREE_LEAF;
	for (size_t at = 0; at + 64 <= made.len - 4 * TREE_LEAF; at += 32) {
		memcpy(swap, hashes + at, 32);
		memcpy(hashes + at, hashes + at + 32, 32);
		memcpy(hashes + at + 32, swap, 32);
		assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_CORRUPT);
		memcpy(hashes + at + 32, hashes + at, 32);
		memcpy(hashes + at, swap, 32);
	}
	assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_OK);
	p.size--;
	assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_CORRUPT);
	p.size = UINT64_MAX;
	assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_CORRUPT);
	free(p.data);
}

/* Leaves before their hashes: one leaf cannot stand in for another, nor an inner hash for a leaf. */
static void test_leaves_in_order(void **state)
{
	struct samples samples = {{0, 1}, 2}, inner = {{0}, 1};
	struct made made;
	struct bytes32 leaf[2];
	uint8_t swap[TREE_LEAF];
	struct piece p;

	(void)state;
	piece_make(&p, 4096);
	make_proof(&p, &samples, &made);
	memcpy(swap, made.bytes, TREE_LEAF);
	memcpy(made.bytes, made.bytes + TREE_LEAF, TREE_LEAF);
	memcpy(made.bytes + TREE_LEAF, swap, TREE_LEAF);
	assert_int_equal(check(&p, &samples, made.bytes, made.len), ERR_CORRUPT);
	free(p.data);
	/* A piece whose only leaf is left ‖ right of another's is another piece. */
	piece_make(&p, 2048);
	tree_leaf_hash(p.data, TREE_LEAF, &leaf[0]);
	tree_leaf_hash(p.data + TREE_LEAF, TREE_LEAF, &leaf[1]);
	p.size = 64;
	assert_int_equal(check(&p, &inner, leaf[0].b, 64), ERR_CORRUPT);
	free(p.data);
}

static enum err fail_read(void *arg, uint32_t block, uint8_t *out, size_t *ret_len)
{
	(void)arg;
	(void)block;
	(void)out;
	(void)ret_len;
	return ERR_IO;
}

static void test_making_refuses(void **state)
{
	struct samples good = {{0, 40}, 2}, none = {{0}, 0}, twice = {{4, 4}, 2}, back = {{5, 4}, 2}, past = {{98}, 1};
	struct samples too_many = {{0}, PROOF_SAMPLES + 1};
	struct made made;
	struct writer w;
	struct piece p;

	(void)state;
	piece_make(&p, 100000);
	writer_init(&w, made.bytes, sizeof(made.bytes));
	assert_int_equal(proof_make(p.blocks, p.size, &none, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, p.size, &twice, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, p.size, &back, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, p.size, &past, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, p.size, &too_many, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, TREE_PIECE + 1, &good, read_block, &p, &w), ERR_RANGE);
	assert_int_equal(proof_make(p.blocks, p.size, &good, fail_read, &p, &w), ERR_IO);
	assert_int_equal(proof_size(p.size, &past), 0);
	/* Damage on the disk is found by the prover itself. */
	p.data[TREE_BLOCK + 5 * TREE_LEAF] ^= 1;
	assert_int_equal(proof_make(p.blocks, p.size, &good, read_block, &p, &w), ERR_CORRUPT);
	p.data[TREE_BLOCK + 5 * TREE_LEAF] ^= 1;
	writer_init(&w, made.bytes, proof_size(p.size, &good) - 1);
	assert_int_equal(proof_make(p.blocks, p.size, &good, read_block, &p, &w), ERR_OVERFLOW);
	free(p.data);
}

static uint64_t number_of(const json_t *vector, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(vector, name));
}

static void expect_hex(struct bytes found, const json_t *vector, const char *name)
{
	char hex[2 * PROOF_PATH * 32 + 1];

	assert_true(found.len <= PROOF_PATH * 32);
	hex_encode(found, hex);
	assert_string_equal(hex, json_string_value(json_object_get(vector, name)));
}

static void check_path_vector(const json_t *vector)
{
	struct bytes32 path[PROOF_PATH];
	struct piece p;

	piece_make(&p, number_of(vector, "size"));
	expect_hex(path_of(&p, (uint32_t)number_of(vector, "block"), path), vector, "path");
	free(p.data);
}

static void check_proof_vector(const json_t *vector)
{
	const json_t *list = json_object_get(vector, "samples");
	struct samples samples = {.count = (uint32_t)json_array_size(list)};
	struct made made;
	struct bytes32 hash;
	struct piece p;

	for (uint32_t i = 0; i < samples.count; i++)
		samples.leaf[i] = (uint32_t)json_integer_value(json_array_get(list, i));
	piece_make(&p, number_of(vector, "size"));
	make_proof(&p, &samples, &made);
	assert_int_equal(made.len, number_of(vector, "length"));
	hash_once("", made.bytes, made.len, &hash);
	expect_hex(bytes_of(hash.b, sizeof(hash.b)), vector, "blake2b");
	free(p.data);
}

static void test_vectors(void **state)
{
	char path[1024];
	json_t *file, *vector;
	size_t i, seen = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/tree.json", getenv("GRANARY_VECTORS"));
	file = json_load_file(path, 0, NULL);
	assert_non_null(file);
	json_array_foreach(json_object_get(file, "paths"), i, vector)
	{
		check_path_vector(vector);
		seen++;
	}
	json_array_foreach(json_object_get(file, "proofs"), i, vector)
	{
		check_proof_vector(vector);
		seen++;
	}
	assert_true(seen > 10);
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_paths),	cmocka_unit_test(test_block_paths_refused),
		cmocka_unit_test(test_multi_proofs),	cmocka_unit_test(test_multi_proofs_refused),
		cmocka_unit_test(test_leaves_in_order), cmocka_unit_test(test_making_refuses),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
