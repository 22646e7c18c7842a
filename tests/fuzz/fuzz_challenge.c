/* Hostile challenges. What decodes encodes to the same bytes, and draws sorted leaves of the piece, as many as asked or
 * as there are, whatever its size. */
#include <stdlib.h>

#include "audit/challenge.h"
#include "common/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoding(const struct challenge *challenge, struct bytes from)
{
	uint8_t *wire = memory_new(1, from.len);
	struct writer w;

	writer_init(&w, wire, from.len);
	challenge_encode(challenge, &w);
	if (!bytes_equal(writer_bytes(&w), from))
		abort();
	free(wire);
}

static void check_samples(const struct challenge *challenge, uint32_t index)
{
	const struct challenge_piece *piece = &challenge->pieces[index];
	uint64_t size = get_be32(piece->piece.b) % (TREE_PIECE + 1);
	uint32_t leaves = tree_leaves(size);
	struct samples samples;

	challenge_samples(challenge, index, size, index > 0 ? &piece[-1].piece : NULL, &samples);
	if (samples.count != (piece->samples < leaves ? piece->samples : leaves))
		abort();
	for (uint32_t i = 0; i < samples.count; i++) {
		if (samples.leaf[i] >= leaves || (i > 0 && samples.leaf[i - 1] >= samples.leaf[i]))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct challenge challenge;

	if (challenge_decode(bytes_of(data, size), &challenge) != ERR_OK)
		return 0;
	check_encoding(&challenge, bytes_of(data, size));
	for (uint32_t i = 0; i < challenge.count; i++)
		check_samples(&challenge, i);
	challenge_free(&challenge);
	return 0;
}
