/*
 * The tree as arrays: leaves by payee, their places, and all hashes as the JSON lists them.
 *
 * Reading trusts nothing but the values: it builds the tree anew from them and compares, so a file whose hashes or
 * places differ anywhere is refused, and what was read is as good as what was built.
 */
#include "payments/payout_tree.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/hex.h"
#include "common/keccak.h"
#include "common/memory.h"
#include "payments/u256.h"

#define WORD 32
#define HASH_TEXT (2 + 2 * WORD + 1) /* "0x", digits and a NUL */

struct payout_tree {
	size_t count;
	struct payout_leaf *leaves; /* by payee */
	uint32_t *places;	    /* of each leaf in hashes */
	struct bytes32 *hashes;	    /* 2 * count - 1 */
};

/* A leaf's hash on its way to its place. */
struct placed {
	struct bytes32 hash;
	uint32_t leaf;
};

void payout_leaf_hash(const struct payout_leaf *leaf, struct bytes32 *ret)
{
	uint8_t encoded[2 * WORD] = {0};
	struct bytes32 once;

	memcpy(encoded + WORD - sizeof(leaf->payee.b), leaf->payee.b, sizeof(leaf->payee.b));
	memcpy(encoded + WORD, leaf->cumulative.b, WORD);
	keccak_once(encoded, sizeof(encoded), &once);
	keccak_once(once.b, sizeof(once.b), ret);
}

static void hash_pair(const struct bytes32 *a, const struct bytes32 *b, struct bytes32 *ret)
{
	uint8_t pair[2 * WORD];
	bool a_first = bytes32_compare(a, b) <= 0;

	memcpy(pair, a_first ? a->b : b->b, WORD);
	memcpy(pair + WORD, a_first ? b->b : a->b, WORD);
	keccak_once(pair, sizeof(pair), ret);
}

static int compare_payees(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static int compare_placed(const void *a, const void *b)
{
	return bytes32_compare(&((const struct placed *)a)->hash, &((const struct placed *)b)->hash);
}

static void place_leaves(struct payout_tree *tree)
{
	struct placed *sorted = memory_new(tree->count, sizeof(*sorted));

	for (size_t i = 0; i < tree->count; i++) {
		payout_leaf_hash(&tree->leaves[i], &sorted[i].hash);
		sorted[i].leaf = (uint32_t)i;
	}
	qsort(sorted, tree->count, sizeof(*sorted), compare_placed);
	for (size_t i = 0; i < tree->count; i++) {
		uint32_t place = (uint32_t)(2 * tree->count - 2 - i);

		tree->hashes[place] = sorted[i].hash;
		tree->places[sorted[i].leaf] = place;
	}
	free(sorted);
}

enum err payout_tree_build(const struct payout_leaf *leaves, size_t count, struct payout_tree **ret)
{
	struct payout_tree *tree;

	if (count == 0 || count > PAYOUT_TREE_MOST)
		return ERR_RANGE;
	for (size_t i = 1; i < count; i++) {
		if (compare_payees(&leaves[i - 1].payee, &leaves[i].payee) >= 0)
			return ERR_FORMAT;
	}
	tree = memory_new(1, sizeof(*tree));
	tree->count = count;
	tree->leaves = memory_new(count, sizeof(*leaves));
	memcpy(tree->leaves, leaves, count * sizeof(*leaves));
	tree->places = memory_new(count, sizeof(*tree->places));
	tree->hashes = memory_new(2 * count - 1, sizeof(*tree->hashes));
	place_leaves(tree);
	for (size_t i = count - 1; i-- > 0;)
		hash_pair(&tree->hashes[2 * i + 1], &tree->hashes[2 * i + 2], &tree->hashes[i]);
	*ret = tree;
	return ERR_OK;
}

void payout_tree_free(struct payout_tree *tree)
{
	if (tree == NULL)
		return;
	free(tree->leaves);
	free(tree->places);
	free(tree->hashes);
	free(tree);
}

const struct bytes32 *payout_tree_root(const struct payout_tree *tree)
{
	return &tree->hashes[0];
}

size_t payout_tree_count(const struct payout_tree *tree)
{
	return tree->count;
}

const struct payout_leaf *payout_tree_leaf(const struct payout_tree *tree, size_t i)
{
	assert(i < tree->count);
	return &tree->leaves[i];
}

static int compare_leaves(const void *a, const void *b)
{
	return compare_payees(&((const struct payout_leaf *)a)->payee, &((const struct payout_leaf *)b)->payee);
}

enum err payout_tree_find(const struct payout_tree *tree, const struct address *payee, size_t *ret)
{
	struct payout_leaf wanted = {.payee = *payee}, *found;

	found = bsearch(&wanted, tree->leaves, tree->count, sizeof(wanted), compare_leaves);
	if (found == NULL)
		return ERR_NOT_FOUND;
	*ret = (size_t)(found - tree->leaves);
	return ERR_OK;
}

size_t payout_tree_proof(const struct payout_tree *tree, size_t i, struct bytes32 proof[PAYOUT_PROOF_MOST])
{
	size_t count = 0;

	assert(i < tree->count);
	/* An odd entry's sibling stands behind it, an even one's before it. */
	for (uint32_t at = tree->places[i]; at > 0; at = (at - 1) / 2)
		proof[count++] = tree->hashes[at % 2 == 1 ? at + 1 : at - 1];
	return count;
}

bool payout_proof_holds(const struct bytes32 *root, const struct payout_leaf *leaf, const struct bytes32 *proof,
			size_t count)
{
	struct bytes32 at;

	if (count > PAYOUT_PROOF_MOST)
		return false;
	payout_leaf_hash(leaf, &at);
	for (size_t i = 0; i < count; i++)
		hash_pair(&at, &proof[i], &at);
	return bytes32_equal(&at, root);
}

static enum err say(const struct payout_sink *sink, const char *text)
{
	return sink->write(sink->arg, text, strlen(text));
}

static enum err dump_hash(const struct payout_sink *sink, const struct bytes32 *hash, bool first)
{
	char text[2 * WORD + 1], line[HASH_TEXT + 3];

	hex_encode(bytes_of(hash->b, sizeof(hash->b)), text);
	snprintf(line, sizeof(line), "%s\"0x%s\"", first ? "" : ",", text);
	return say(sink, line);
}

static enum err dump_nodes(const struct payout_sink *sink, size_t i)
{
	const struct address *nodes = NULL;
	size_t count = 0;
	enum err err = sink->nodes(sink->arg, i, &nodes, &count);

	if (err == ERR_OK)
		err = say(sink, ",\"nodes\":[");
	for (size_t n = 0; n < count && err == ERR_OK; n++) {
		char text[KEY_ADDRESS_TEXT], line[KEY_ADDRESS_TEXT + 3];

		address_to_text(&nodes[n], text);
		snprintf(line, sizeof(line), "%s\"%s\"", n == 0 ? "" : ",", text);
		err = say(sink, line);
	}
	return err == ERR_OK ? say(sink, "]") : err;
}

static enum err dump_value(const struct payout_sink *sink, const struct payout_tree *tree, size_t i)
{
	char payee[KEY_ADDRESS_TEXT], cumulative[U256_TEXT], line[KEY_ADDRESS_TEXT + U256_TEXT + 64];
	enum err err;

	address_to_text(&tree->leaves[i].payee, payee);
	u256_print(&tree->leaves[i].cumulative, cumulative);
	snprintf(line, sizeof(line), "%s{\"value\":[\"%s\",\"%s\"],\"treeIndex\":%" PRIu32, i == 0 ? "" : ",", payee,
		 cumulative, tree->places[i]);
	err = say(sink, line);
	if (err == ERR_OK && sink->nodes != NULL)
		err = dump_nodes(sink, i);
	return err == ERR_OK ? say(sink, "}") : err;
}

enum err payout_tree_dump(const struct payout_tree *tree, const struct payout_sink *sink)
{
	enum err err = say(sink, "{\"format\":\"standard-v1\",\"leafEncoding\":[\"address\",\"uint256\"],\"tree\":[");

	for (size_t i = 0; i < 2 * tree->count - 1 && err == ERR_OK; i++)
		err = dump_hash(sink, &tree->hashes[i], i == 0);
	if (err == ERR_OK)
		err = say(sink, "],\"values\":[");
	for (size_t i = 0; i < tree->count && err == ERR_OK; i++)
		err = dump_value(sink, tree, i);
	return err == ERR_OK ? say(sink, "]}") : err;
}

/* What a file says of one leaf. */
struct claim {
	struct payout_leaf leaf;
	json_int_t place;
};

static int compare_claims(const void *a, const void *b)
{
	return compare_leaves(&((const struct claim *)a)->leaf, &((const struct claim *)b)->leaf);
}

static bool text_is(const json_t *json, const char *text)
{
	const char *found = json_string_value(json);

	return found != NULL && strcmp(found, text) == 0;
}

static enum err read_claim(const json_t *json, struct claim *ret)
{
	const json_t *value = json_object_get(json, "value"), *place = json_object_get(json, "treeIndex");
	const char *payee = json_string_value(json_array_get(value, 0));
	const char *cumulative = json_string_value(json_array_get(value, 1));

	if (json_array_size(value) != 2 || payee == NULL || cumulative == NULL || !json_is_integer(place))
		return ERR_FORMAT;
	ret->place = json_integer_value(place);
	if (address_from_text(payee, &ret->leaf.payee) != ERR_OK)
		return ERR_FORMAT;
	return u256_parse(cumulative, &ret->leaf.cumulative) == ERR_OK ? ERR_OK : ERR_FORMAT;
}

/* Reads "values" into `claims`, sorted by payee. */
static enum err read_claims(const json_t *values, struct claim *claims, char *why)
{
	size_t count = json_array_size(values);

	for (size_t i = 0; i < count; i++) {
		if (read_claim(json_array_get(values, i), &claims[i]) != ERR_OK) {
			snprintf(why, PAYOUT_WHY,
				 "values[%zu]: want {\"value\": [address, decimal text], "
				 "\"treeIndex\": number}",
				 i);
			return ERR_FORMAT;
		}
	}
	qsort(claims, count, sizeof(*claims), compare_claims);
	return ERR_OK;
}

static enum err build_claimed(const struct claim *claims, size_t count, struct payout_tree **ret, char *why)
{
	struct payout_leaf *leaves = memory_new(count, sizeof(*leaves));
	char payee[KEY_ADDRESS_TEXT];
	enum err err;

	for (size_t i = 0; i < count; i++)
		leaves[i] = claims[i].leaf;
	err = payout_tree_build(leaves, count, ret);
	for (size_t i = 1; i < count && err != ERR_OK; i++) {
		if (!address_equal(&leaves[i - 1].payee, &leaves[i].payee))
			continue;
		address_to_text(&leaves[i].payee, payee);
		snprintf(why, PAYOUT_WHY, "values: %s has two leaves", payee);
		break;
	}
	free(leaves);
	return err;
}

static enum err check_places(const struct payout_tree *tree, const struct claim *claims, const json_t *hashes,
			     char *why)
{
	for (size_t i = 0; i < tree->count; i++) {
		if (claims[i].place != (json_int_t)tree->places[i]) {
			char payee[KEY_ADDRESS_TEXT];

			address_to_text(&claims[i].leaf.payee, payee);
			snprintf(why, PAYOUT_WHY, "values: the leaf of %s belongs at treeIndex %" PRIu32, payee,
				 tree->places[i]);
			return ERR_FORMAT;
		}
	}
	for (size_t i = 0; i < 2 * tree->count - 1; i++) {
		const char *text = json_string_value(json_array_get(hashes, i));
		struct bytes32 hash;

		if (text == NULL || hex_decode(text, hash.b, sizeof(hash.b)) != ERR_OK ||
		    !bytes32_equal(&hash, &tree->hashes[i])) {
			snprintf(why, PAYOUT_WHY, "tree[%zu]: not the hash that follows from the values", i);
			return ERR_FORMAT;
		}
	}
	return ERR_OK;
}

static enum err check_shape(const json_t *root, char *why)
{
	const json_t *encoding = json_object_get(root, "leafEncoding");
	const json_t *hashes = json_object_get(root, "tree"), *values = json_object_get(root, "values");
	size_t count = json_array_size(values);
	const char *wrong = NULL;

	if (!text_is(json_object_get(root, "format"), "standard-v1"))
		wrong = "format: not \"standard-v1\"";
	else if (json_array_size(encoding) != 2 || !text_is(json_array_get(encoding, 0), "address") ||
		 !text_is(json_array_get(encoding, 1), "uint256"))
		wrong = "leafEncoding: not [\"address\", \"uint256\"]";
	else if (count == 0 || count > PAYOUT_TREE_MOST)
		wrong = "values: want a list of 1 to 16777216 leaves";
	else if (json_array_size(hashes) != 2 * count - 1)
		wrong = "tree: want a list of one hash less than twice the leaves";
	if (wrong == NULL)
		return ERR_OK;
	snprintf(why, PAYOUT_WHY, "%s", wrong);
	return ERR_FORMAT;
}

enum err payout_tree_load(struct bytes json, struct payout_tree **ret, char why[PAYOUT_WHY])
{
	struct payout_tree *tree = NULL;
	struct claim *claims = NULL;
	const json_t *values;
	json_error_t error;
	json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &error);
	enum err err = ERR_FORMAT;

	if (root == NULL) {
		snprintf(why, PAYOUT_WHY, "not JSON from line %d, column %d on", error.line, error.column);
		goto out;
	}
	if (check_shape(root, why) != ERR_OK)
		goto out;
	values = json_object_get(root, "values");
	claims = memory_new(json_array_size(values), sizeof(*claims));
	if (read_claims(values, claims, why) != ERR_OK)
		goto out;
	if (build_claimed(claims, json_array_size(values), &tree, why) != ERR_OK)
		goto out;
	err = check_places(tree, claims, json_object_get(root, "tree"), why);
	if (err == ERR_OK) {
		*ret = tree;
		tree = NULL;
	}
out:
	payout_tree_free(tree);
	free(claims);
	json_decref(root);
	return err;
}
