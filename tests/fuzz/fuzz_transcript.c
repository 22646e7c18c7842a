/* Hostile transcripts. What decodes encodes to the same bytes; its own hashes are never held against it, whether it was
 * thinned or not. */
#include <stdlib.h>

#include "audit/transcript.h"
#include "common/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoding(const struct transcript *transcript, struct bytes from)
{
	uint8_t *wire = memory_new(1, from.len);
	struct writer w;

	writer_init(&w, wire, from.len);
	transcript_encode(transcript, &w);
	if (transcript_size(transcript) != from.len || !bytes_equal(writer_bytes(&w), from))
		abort();
	free(wire);
}

static void check_claim(const struct transcript *transcript)
{
	struct transcript_claim claim = {.bytes = 1};
	enum transcript_fault fault;
	uint32_t piece = 0;

	keccak_once(transcript->wire.data, transcript->wire.len, &claim.challenge);
	transcript_answer(transcript, &claim.answer);
	if (transcript_check(transcript, &claim, &piece) != TRANSCRIPT_SOUND)
		abort();
	transcript_verdicts(transcript, &claim.verdicts);
	fault = transcript_check(transcript, &claim, &piece);
	if (fault != TRANSCRIPT_VERDICT && fault != TRANSCRIPT_BYTES && fault != TRANSCRIPT_SOUND)
		abort();
	if (piece >= transcript->challenge.count)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transcript transcript;

	if (transcript_decode(bytes_of(data, size), &transcript) != ERR_OK)
		return 0;
	check_encoding(&transcript, bytes_of(data, size));
	check_claim(&transcript);
	transcript_thin(&transcript);
	check_claim(&transcript);
	transcript_free(&transcript);
	return 0;
}
