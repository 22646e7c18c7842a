/*
 * Hostile bytes as every signed thing: the first byte chooses the type, the rest is its wire form. What decodes
 * encodes to the same bytes, and hashes, verifies and prints without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "payments/typed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ROOM 1024 /* for any type's structure and wire form */

static void check(const struct fields *type, struct bytes from)
{
	union {
		uint128 align;
		uint8_t bytes[FUZZ_ROOM];
	} object = {0};
	static const struct address contract, signer;
	uint8_t wire[FUZZ_ROOM];
	char line[FUZZ_ROOM];
	struct signature signature;
	struct domain domain;
	struct writer w;

	if (typed_decode(type, from, &object, &signature) != ERR_OK) {
		if (from.len == typed_size(type))
			abort(); /* every type is of fixed width: all values are well formed */
		return;
	}
	writer_init(&w, wire, sizeof(wire));
	typed_encode(type, &object, &signature, &w);
	if (!bytes_equal(writer_bytes(&w), from))
		abort();
	domain_init(&domain, 31337, &contract);
	if (typed_verify(type, &object, &domain, &signature, &signer) == REFUSAL_NONE)
		abort(); /* nobody holds the key of address zero */
	if (strlen(fields_print(type, &object, line, sizeof(line))) >= sizeof(line))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count;
	const struct fields *const *types = typed_table(&count);

	if (size > 0)
		check(types[data[0] % count], bytes_of(data + 1, size - 1));
	return 0;
}
