/* Twins of segments from a hostile disk: their header and their entries. */
#include <assert.h>
#include <string.h>

#include "node/store/twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct store_id store = {"this very store"};
static const struct record_secret secret = {"sixteen byte key"};

static void read_header(const uint8_t raw[TWIN_HEADER])
{
	uint8_t again[TWIN_HEADER];

	if (twin_header_check(raw, &store, 42) != ERR_OK)
		return;
	twin_header_encode(&store, 42, again);
	/* Two reserved bytes may be anything. */
	assert(memcmp(again, raw, 10) == 0 && memcmp(again + 12, raw + 12, sizeof(again) - 12) == 0);
}

/* As it is, and as if its MAC held. */
static void read_entry(uint8_t raw[TWIN_ENTRY])
{
	struct segment_entry entry, back;
	uint8_t again[TWIN_ENTRY];

	if (twin_entry_decode(raw, &secret, 42, &entry) != ERR_OK && segment_entry_decode(raw, &entry) != ERR_OK)
		return;
	twin_entry_encode(&entry, &secret, 42, again);
	assert(twin_entry_decode(again, &secret, 42, &back) == ERR_OK);
	assert(back.offset == entry.offset && back.sequence == entry.sequence && back.type == entry.type);
	assert(twin_entry_decode(again, &secret, 43, &back) == ERR_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t raw[TWIN_HEADER + TWIN_ENTRY] = {0};

	memcpy(raw, data, size < sizeof(raw) ? size : sizeof(raw));
	read_header(raw);
	read_entry(raw + TWIN_HEADER);
	return 0;
}
