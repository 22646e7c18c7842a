/*
 * Hostile dossiers: all that is read is checked, and every fault says why. As no fuzzer finds a signature, each item is
 * then signed anew by a party that may, with its list, so that the lists get looked at, too.
 */
#include <stdlib.h>
#include <string.h>

#include "payments/dossier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const struct dossier *dossier, size_t i)
{
	char why[DOSSIER_WHY] = "";
	enum dossier_fault fault = dossier_check(dossier, i, why);
	ptrdiff_t named = dossier_named(dossier, i);
	bool there;

	if ((fault == DOSSIER_SOUND) != (*why == '\0'))
		abort();
	if (named >= 0 && (size_t)named >= dossier_count(dossier))
		abort();
	if (dossier_data(dossier, i, &there).len > 0 && !there)
		abort();
}

static const struct key *fuzz_key(void)
{
	static const uint8_t secret[32] = {1};
	static struct key *key;

	if (key == NULL && key_from_secret(secret, &key) != ERR_OK)
		abort();
	return key;
}

static json_t *sign_anew(const struct dossier *dossier, size_t i)
{
	struct evidence evidence = *dossier_item(dossier, i);
	const struct address *party = evidence_party(&evidence);
	bool there;

	evidence.signer = *key_address(fuzz_key());
	if (party != NULL)
		memcpy((uint8_t *)&evidence + ((const uint8_t *)party - (const uint8_t *)&evidence), &evidence.signer,
		       sizeof(evidence.signer));
	typed_sign(evidence.type, &evidence.object, &evidence.domain, fuzz_key(), &evidence.signature);
	return dossier_item_json(&evidence, dossier_data(dossier, i, &there));
}

static void check_signed(const struct dossier *dossier)
{
	json_t *items = json_array(), *root = json_pack("{s:s, s:o}", "format", DOSSIER_FORMAT, "items", items);
	struct dossier *anew = NULL;
	char why[DOSSIER_WHY], *text;

	for (size_t i = 0; i < dossier_count(dossier); i++)
		json_array_append_new(items, sign_anew(dossier, i));
	text = json_dumps(root, JSON_COMPACT);
	if (dossier_read(bytes_of_text(text), &anew, why) != ERR_OK || dossier_count(anew) != dossier_count(dossier))
		abort();
	for (size_t i = 0; i < dossier_count(anew); i++) {
		check_item(anew, i);
		if (dossier_check(anew, i, why) == DOSSIER_SIGNATURE)
			abort();
	}
	dossier_free(anew);
	free(text);
	json_decref(root);
}

/* What excludes another is excluded by something, too, and only what counts is found. */
static void check_rivals(const struct dossier *dossier)
{
	size_t count = dossier_count(dossier);
	bool *counts = calloc(count + 1, sizeof(*counts));

	if (counts == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		if (dossier_rival(dossier, i, counts) != -1)
			abort();
	memset(counts, true, count);
	for (size_t i = 0; i < count; i++) {
		ptrdiff_t rival = dossier_rival(dossier, i, counts);

		if (rival >= 0 && ((size_t)rival >= count || dossier_rival(dossier, (size_t)rival, counts) < 0))
			abort();
	}
	free(counts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dossier *dossier = NULL;
	char why[DOSSIER_WHY] = "";

	if (dossier_read(bytes_of(data, size), &dossier, why) != ERR_OK) {
		if (*why == '\0' || dossier != NULL)
			abort();
		return 0;
	}
	for (size_t i = 0; i < dossier_count(dossier); i++)
		check_item(dossier, i);
	check_rivals(dossier);
	check_signed(dossier);
	dossier_free(dossier);
	return 0;
}
