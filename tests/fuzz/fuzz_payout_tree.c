/*
 * Hostile payout trees: whatever is read is a tree, whose proofs hold, and which is written and read again as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "payments/payout_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	char *data;
	size_t len, room;
};

static enum err append(void *arg, const char *data, size_t len)
{
	struct text *text = arg;

	text->data = memory_grow(text->data, &text->room, text->len + len, 1);
	memcpy(text->data + text->len, data, len);
	text->len += len;
	return ERR_OK;
}

static void check_proofs(const struct payout_tree *tree)
{
	struct bytes32 proof[PAYOUT_PROOF_MOST];

	for (size_t i = 0; i < payout_tree_count(tree); i++) {
		const struct payout_leaf *leaf = payout_tree_leaf(tree, i);
		size_t found, count = payout_tree_proof(tree, i, proof);

		if (!payout_proof_holds(payout_tree_root(tree), leaf, proof, count))
			abort();
		if (payout_tree_find(tree, &leaf->payee, &found) != ERR_OK || found != i)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct payout_tree *tree = NULL, *again = NULL;
	struct text text = {.data = NULL};
	struct payout_sink sink = {append, NULL, &text};
	char why[PAYOUT_WHY] = "";

	if (payout_tree_load(bytes_of(data, size), &tree, why) != ERR_OK) {
		if (*why == '\0' || strlen(why) >= sizeof(why) || tree != NULL)
			abort();
		return 0;
	}
	check_proofs(tree);
	if (payout_tree_dump(tree, &sink) != ERR_OK)
		abort();
	if (payout_tree_load(bytes_of(text.data, text.len), &again, why) != ERR_OK)
		abort();
	if (!bytes32_equal(payout_tree_root(tree), payout_tree_root(again)))
		abort();
	payout_tree_free(tree);
	payout_tree_free(again);
	free(text.data);
	return 0;
}
