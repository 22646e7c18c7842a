/* The small files of a store from a hostile disk: the list of damage, the scrubber's bookmark, and whose store it is.
 */
#include <assert.h>
#include <isa-l/crc.h>
#include <string.h>

#include "node/store/damage.h"
#include "node/store/home.h"
#include "node/store/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last four bytes are made the checksum of the rest, so that what stands behind it is tried. */
static void seal(uint8_t *file, size_t size)
{
	put_be32(file + size - 4, ~crc32_iscsi(file, (int)size - 4, UINT32_MAX));
}

static void read_entry(uint8_t raw[DAMAGE_ENTRY])
{
	struct damage_entry entry, again;
	uint8_t copy[DAMAGE_ENTRY];

	if (damage_entry_decode(raw, &entry) != ERR_OK)
		return;
	assert(entry.state >= DAMAGE_BAD && entry.state <= DAMAGE_GONE);
	damage_entry_encode(&entry, copy);
	assert(damage_entry_decode(copy, &again) == ERR_OK);
	assert(memcmp(&again.key, &entry.key, sizeof(entry.key)) == 0 && again.found == entry.found);
}

static void read_bookmark(const uint8_t raw[SCRUB_FILE])
{
	struct verify_place place;
	struct store_scrub state;

	if (scrub_decode(raw, &state, &place))
		assert(place.kind == SEGMENT_PIECES || place.kind == SEGMENT_TRANSFERS);
}

static void read_home(struct bytes text)
{
	char again[HOME_TEXT];
	struct home home;

	if (home_parse(text, &home) == ERR_OK)
		assert(home_print(&home, again) == text.len && memcmp(again, text.data, text.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t raw[SCRUB_FILE] = {0};

	read_home(bytes_of(data, size));
	memcpy(raw, data, size < sizeof(raw) ? size : sizeof(raw));
	read_entry(raw);
	read_bookmark(raw);
	seal(raw, sizeof(raw));
	read_bookmark(raw);
	seal(raw, DAMAGE_ENTRY);
	read_entry(raw);
	return 0;
}
