/*
 * Hostile JSON as evidence: what is read is written and read again as the same thing, and verifies, or does not,
 * without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "payments/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ROOM 1024 /* for any type's wire form */

static void encode(const struct evidence *evidence, uint8_t wire[FUZZ_ROOM], struct writer *w)
{
	writer_init(w, wire, FUZZ_ROOM);
	typed_encode(evidence->type, &evidence->object, &evidence->signature, w);
	if (w->err != ERR_OK)
		abort();
}

static void check_again(const struct evidence *evidence)
{
	json_t *json = evidence_to_json(evidence);
	uint8_t wire[FUZZ_ROOM], wire_again[FUZZ_ROOM];
	char why[EVIDENCE_WHY];
	struct evidence again;
	struct writer w, w_again;

	if (evidence_from_json(json, &again, why) != ERR_OK)
		abort();
	encode(evidence, wire, &w);
	encode(&again, wire_again, &w_again);
	if (again.type != evidence->type || !bytes_equal(writer_bytes(&w), writer_bytes(&w_again)))
		abort();
	if (!address_equal(&again.signer, &evidence->signer) ||
	    !bytes32_equal(&again.domain.separator, &evidence->domain.separator))
		abort();
	if (evidence_verify(&again) != evidence_verify(evidence))
		abort();
	if (evidence_from_wire(evidence->type, writer_bytes(&w), &evidence->domain, &again) == ERR_OK &&
	    evidence_verify(&again) != REFUSAL_NONE)
		abort();
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	char why[EVIDENCE_WHY] = "";
	struct evidence evidence;

	if (evidence_from_json(json, &evidence, why) == ERR_OK)
		check_again(&evidence);
	else if (*why == '\0' || strlen(why) >= sizeof(why))
		abort();
	json_decref(json);
	return 0;
}
