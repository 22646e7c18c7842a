/* Segment headers, footers and SUPER copies from a hostile disk. What decodes encodes to the same again. */
#include <assert.h>
#include <isa-l/crc.h>
#include <string.h>

#include "node/store/super.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_secret secret = {{1, 2, 3}};

/* Put magic and a checksum that holds into a copy of `len` bytes. */
static void pass_off(uint8_t *copy, size_t len, const char magic[8])
{
	memcpy(copy, magic, 8);
	memcpy(copy + 8, "\0\1", 2);
	put_be32(copy + len - 4, ~crc32_iscsi(copy, (int)len - 4, UINT32_MAX));
}

static void try_header(const uint8_t *data)
{
	struct segment_header header, again;
	uint8_t copy[SEGMENT_HEADER];

	(void)!segment_header_decode(data, &header);
	memcpy(copy, data, sizeof(copy));
	pass_off(copy, sizeof(copy), "GRANSEGM");
	if (segment_header_decode(copy, &header) != ERR_OK)
		return;
	segment_header_encode(&header, copy);
	assert(segment_header_decode(copy, &again) == ERR_OK);
	assert(again.id == header.id && again.size == header.size && again.kind == header.kind);
}

static void try_super(const uint8_t *data)
{
	struct super super;
	uint8_t copy[SUPER_COPY], again[SUPER_COPY];

	(void)!super_decode(data, &super);
	memcpy(copy, data, sizeof(copy));
	pass_off(copy, sizeof(copy), "GRANSUPR");
	if (super_decode(copy, &super) != ERR_OK)
		return;
	super_encode(&super, copy);
	assert(super_decode(copy, &super) == ERR_OK);
	super_encode(&super, again);
	assert(memcmp(again, copy, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment_trailer trailer;
	struct segment_entry entry;
	uint8_t again[SEGMENT_ENTRY];

	if (size >= SEGMENT_ENTRY && segment_entry_decode(data, &entry) == ERR_OK) {
		segment_entry_encode(&entry, again);
		assert(memcmp(again, data, 3) == 0 && memcmp(again + 4, data + 4, sizeof(again) - 4) == 0);
	}
	if (size >= SEGMENT_TRAILER)
		(void)!segment_trailer_decode(data, &secret, &trailer);
	if (size >= SEGMENT_HEADER)
		try_header(data);
	if (size >= SUPER_COPY)
		try_super(data);
	return 0;
}
