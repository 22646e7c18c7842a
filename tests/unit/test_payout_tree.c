/*
 * The payout tree against OpenZeppelin's own example and frozen trees that were computed without it, its proofs, and
 * files that are no tree.
 */
#include "common/memory.h"
#include "common/random.h"
#include "payments/payout_tree.h"
#include "payments/u256.h"
#include "tests/kit/vectors.h"

#define MOST 40

/* Text that grows, as a sink. */
struct text {
	char *data;
	size_t len, room;
	size_t full_at; /* refuse when this long; 0: never */
};

static enum err append(void *arg, const char *data, size_t len)
{
	struct text *text = arg;

	if (text->full_at > 0 && text->len + len > text->full_at)
		return ERR_FULL;
	text->data = memory_grow(text->data, &text->room, text->len + len + 1, 1);
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
	return ERR_OK;
}

static char *dump(const struct payout_tree *tree, payout_nodes_fn *nodes)
{
	struct text text = {.data = NULL};
	struct payout_sink sink = {append, nodes, &text};

	assert_int_equal(payout_tree_dump(tree, &sink), ERR_OK);
	return text.data;
}

static enum err load(const char *text, struct payout_tree **ret, char why[PAYOUT_WHY])
{
	return payout_tree_load(bytes_of_text(text), ret, why);
}

static void make_leaves(struct random_stream *s, struct payout_leaf *leaves, size_t count)
{
	memset(leaves, 0, count * sizeof(*leaves));
	for (size_t i = 0; i < count; i++) {
		put_be64(leaves[i].payee.b, ((uint64_t)i << 32) + random_stream_below(s, 1ull << 32));
		put_be64(leaves[i].payee.b + 12, random_stream_u64(s));
		leaves[i].cumulative = u256_of(random_stream_u64(s));
		leaves[i].cumulative.b[random_stream_below(s, 24)] = (uint8_t)random_stream_u64(s);
	}
}

static struct payout_tree *build(const struct payout_leaf *leaves, size_t count)
{
	struct payout_tree *tree = NULL;

	assert_int_equal(payout_tree_build(leaves, count, &tree), ERR_OK);
	assert_int_equal(payout_tree_count(tree), count);
	return tree;
}

static void expect_proofs(const struct payout_tree *tree)
{
	struct bytes32 proof[PAYOUT_PROOF_MOST];

	for (size_t i = 0; i < payout_tree_count(tree); i++) {
		struct payout_leaf leaf = *payout_tree_leaf(tree, i);
		size_t count = payout_tree_proof(tree, i, proof), found = 0;

		assert_int_equal(payout_tree_find(tree, &leaf.payee, &found), ERR_OK);
		assert_int_equal(found, i);
		assert_true(payout_proof_holds(payout_tree_root(tree), &leaf, proof, count));
		if (count > 0) {
			assert_false(payout_proof_holds(payout_tree_root(tree), &leaf, proof, count - 1));
			assert_false(payout_proof_holds(payout_tree_root(tree), &leaf, proof + 1, count - 1));
		}
		leaf.cumulative.b[31] ^= 1;
		assert_false(payout_proof_holds(payout_tree_root(tree), &leaf, proof, count));
		leaf.cumulative.b[31] ^= 1;
		leaf.payee.b[19] ^= 1;
		assert_false(payout_proof_holds(payout_tree_root(tree), &leaf, proof, count));
		assert_int_equal(payout_tree_find(tree, &leaf.payee, &found), ERR_NOT_FOUND);
	}
}

/* OpenZeppelin's own. */
static void test_published(void **state)
{
	json_t *file = vectors_load("ethereum"), *example = json_object_get(file, "openzeppelin_merkle_tree"), *value;
	struct payout_leaf leaves[MOST];
	struct payout_tree *tree;
	struct bytes32 hash;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(example, "values"), i, value) {
		char want[65];

		assert_true(i < MOST);
		assert_int_equal(address_from_text(json_string_value(json_array_get(value, 0)), &leaves[i].payee),
				 ERR_OK);
		assert_int_equal(u256_parse(json_string_value(json_array_get(value, 1)), &leaves[i].cumulative),
				 ERR_OK);
		payout_leaf_hash(&leaves[i], &hash);
		hex_encode(bytes_of(hash.b, sizeof(hash.b)), want);
		assert_string_equal(json_string_value(json_array_get(json_object_get(example, "leaves"), i)), want);
	}
	tree = build(leaves, i);
	vector_expect(example, "root", bytes_of(payout_tree_root(tree)->b, 32));
	expect_proofs(tree);
	payout_tree_free(tree);
	json_decref(file);
}

/* Trees of several sizes, byte for byte, made again by tests/system/test_money_vectors.py. */
static void test_frozen(void **state)
{
	json_t *file = vectors_load("money"), *frozen;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "trees"), i, frozen) {
		const char *text = vector_text(frozen, "json");
		struct payout_tree *tree = NULL;
		char why[PAYOUT_WHY] = "", *again;

		assert_int_equal(load(text, &tree, why), ERR_OK);
		vector_expect(frozen, "root", bytes_of(payout_tree_root(tree)->b, 32));
		expect_proofs(tree);
		again = dump(tree, NULL);
		assert_string_equal(again, text);
		free(again);
		payout_tree_free(tree);
	}
	json_decref(file);
}

static void test_all_sizes(void **state)
{
	struct random_stream s;

	(void)state;
	random_stream_init(&s, bytes_of_text("payout tree"));
	for (size_t count = 1; count <= MOST; count++) {
		struct payout_leaf leaves[MOST];
		struct payout_tree *tree, *back = NULL;
		char why[PAYOUT_WHY] = "", *text;

		make_leaves(&s, leaves, count);
		tree = build(leaves, count);
		expect_proofs(tree);
		text = dump(tree, NULL);
		assert_int_equal(load(text, &back, why), ERR_OK);
		assert_memory_equal(payout_tree_root(back), payout_tree_root(tree), sizeof(struct bytes32));
		for (size_t i = 0; i < count; i++)
			assert_memory_equal(payout_tree_leaf(back, i), &leaves[i], sizeof(leaves[i]));
		free(text);
		payout_tree_free(back);
		payout_tree_free(tree);
	}
}

static void test_no_leaves(void **state)
{
	struct payout_leaf leaves[3] = {{{{1}}, {{0}}}, {{{2}}, {{0}}}, {{{2}}, {{1}}}};
	struct payout_leaf swapped[2] = {leaves[1], leaves[0]};
	struct payout_tree *tree = NULL;

	(void)state;
	assert_int_equal(payout_tree_build(leaves, 0, &tree), ERR_RANGE);
	assert_int_equal(payout_tree_build(leaves, (size_t)PAYOUT_TREE_MOST + 1, &tree), ERR_RANGE);
	assert_int_equal(payout_tree_build(leaves, 3, &tree), ERR_FORMAT);
	assert_int_equal(payout_tree_build(swapped, 2, &tree), ERR_FORMAT);
	assert_null(tree);
	payout_tree_free(NULL);
}

static void test_long_proofs(void **state)
{
	struct payout_leaf leaf = {{{1}}, {{0}}};
	struct bytes32 proof[PAYOUT_PROOF_MOST + 1] = {{{0}}}, root;

	(void)state;
	payout_leaf_hash(&leaf, &root);
	assert_true(payout_proof_holds(&root, &leaf, NULL, 0));
	assert_false(payout_proof_holds(&root, &leaf, proof, PAYOUT_PROOF_MOST));
	assert_false(payout_proof_holds(&root, &leaf, proof, PAYOUT_PROOF_MOST + 1));
}

static const struct address two_nodes[] = {{{0x11}}, {{0x12}}};

/* Leaf 0 has two nodes, leaf 1 none. */
static enum err name_nodes(void *arg, size_t i, const struct address **ret, size_t *ret_count)
{
	(void)arg;
	*ret = two_nodes;
	*ret_count = i == 0 ? 2 : 0;
	return ERR_OK;
}

static enum err no_nodes(void *arg, size_t i, const struct address **ret, size_t *ret_count)
{
	(void)arg;
	(void)i;
	(void)ret;
	(void)ret_count;
	return ERR_DATABASE;
}

static void test_nodes(void **state)
{
	const struct payout_leaf leaves[2] = {{{{1}}, u256_of(5)}, {{{2}}, u256_of(6)}};
	struct payout_tree *tree = build(leaves, 2), *back = NULL;
	char why[PAYOUT_WHY], *text = dump(tree, name_nodes);
	struct text none = {.data = NULL};
	struct payout_sink sink = {append, no_nodes, &none};

	(void)state;
	assert_non_null(strstr(text, "\"nodes\":[\"0x1100000000000000000000000000000000000000\","
				     "\"0x1200000000000000000000000000000000000000\"]}"));
	assert_non_null(strstr(text, "\"nodes\":[]}"));
	assert_int_equal(load(text, &back, why), ERR_OK);
	assert_memory_equal(payout_tree_root(back), payout_tree_root(tree), sizeof(struct bytes32));
	assert_int_equal(payout_tree_dump(tree, &sink), ERR_DATABASE);
	free(none.data);
	free(text);
	payout_tree_free(back);
	payout_tree_free(tree);
}

/* A sink that is full ends the writing wherever that happens. */
static void test_full_sink(void **state)
{
	const struct payout_leaf leaves[2] = {{{{1}}, u256_of(5)}, {{{2}}, u256_of(6)}};
	struct payout_tree *tree = build(leaves, 2);
	char *whole = dump(tree, name_nodes);

	(void)state;
	for (size_t full = 1; full < strlen(whole); full++) {
		struct text text = {.full_at = full};
		struct payout_sink sink = {append, NULL, &text};

		sink.nodes = name_nodes;
		assert_int_equal(payout_tree_dump(tree, &sink), ERR_FULL);
		free(text.data);
	}
	free(whole);
	payout_tree_free(tree);
}

static void expect_refused(const char *text, const char *said)
{
	struct payout_tree *tree = NULL;
	char why[PAYOUT_WHY] = "";

	assert_int_equal(load(text, &tree, why), ERR_FORMAT);
	assert_null(tree);
	if (strstr(why, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, said);
}

/* A good file of three leaves with the first `from` in it replaced. */
static void expect_tampered(const char *from, const char *to, const char *said)
{
	const struct payout_leaf leaves[3] = {{{{1}}, u256_of(5)}, {{{2}}, u256_of(6)}, {{{3}}, u256_of(7)}};
	struct payout_tree *tree = build(leaves, 3);
	char *text = dump(tree, NULL), *at = strstr(text, from), changed[4096];

	assert_non_null(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	expect_refused(changed, said);
	free(text);
	payout_tree_free(tree);
}

static void test_no_files(void **state)
{
	(void)state;
	expect_refused("", "JSON");
	expect_refused("{", "JSON");
	expect_refused("[]", "format");
	expect_refused("{\"format\":\"standard-v1\",\"format\":\"standard-v1\"}", "JSON");
	expect_tampered("standard-v1", "standard-v2", "format");
	expect_tampered("\"uint256\"]", "\"uint128\"]", "leafEncoding");
	expect_tampered("\"uint256\"]", "\"uint256\",\"bytes\"]", "leafEncoding");
	expect_tampered("\"values\"", "\"value\"", "values");
	expect_tampered("\"tree\"", "\"trees\"", "tree");
	expect_tampered("\"tree\":[", "\"tree\":[\"0x00\",", "tree");
	expect_tampered("{\"value\":[", "{\"value\":[1,", "values[0]");
	expect_tampered(",\"5\"]", ",5]", "values[0]");
	expect_tampered(",\"6\"]", ",\"06\"]", "values[1]");
	expect_tampered("\"0x0100", "\"0x010", "values[0]");
	expect_tampered("\"treeIndex\":", "\"treeIndex\":\"1\",\"x\":", "values[0]");
	expect_tampered("\"0x0200", "\"0x0100", "two leaves");
}

static void test_false_files(void **state)
{
	(void)state;
	expect_tampered(",\"5\"]", ",\"500\"]", "");
	expect_tampered("\"treeIndex\":3", "\"treeIndex\":2", "treeIndex");
	expect_tampered("\"treeIndex\":3", "\"treeIndex\":-1", "treeIndex");
	expect_tampered("\"tree\":[\"0x", "\"tree\":[\"0x0", "tree[0]");
	expect_tampered("\"tree\":[", "\"tree\":[7,", "tree");
	expect_tampered("\",\"0x", "\",\"0X", "tree[1]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_no_leaves),
		cmocka_unit_test(test_long_proofs),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_full_sink),
		cmocka_unit_test(test_no_files),
		cmocka_unit_test(test_false_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
