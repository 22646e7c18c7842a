/*
 * Hostile filters. What decodes answers without fault, encodes to the same bytes, and finds what is added to it.
 *
 * The first byte cuts the rest into parts, which must come together to the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_filter(struct filter *filter, struct bytes raw)
{
	struct bytes32 piece = {{0}};
	uint8_t *again = malloc(raw.len);
	struct filter *second;

	if (again == NULL)
		abort();
	assert(filter_size(filter) == raw.len);
	filter_encode(filter, 0, again, raw.len);
	assert(memcmp(again, raw.data, raw.len) == 0);
	memcpy(piece.b, raw.data, 32);
	(void)filter_has(filter, &piece);
	if (filter_covers(filter, &piece)) {
		filter_add(filter, &piece);
		assert(filter_has(filter, &piece));
	}
	filter_encode(filter, 0, again, raw.len);
	assert(filter_decode(bytes_of(again, raw.len), &second) == ERR_OK);
	filter_free(second);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter_parts parts = {NULL, 0, 0};
	struct filter *filter;
	size_t len, at = 0;

	if (size < 1)
		return 0;
	len = data[0] + 1u;
	data++;
	size--;
	while (at < size) {
		size_t more = size - at < len ? size - at : len;

		if (filter_parts_add(&parts, size, at, bytes_of(data + at, more)) != ERR_OK)
			break;
		at += more;
	}
	if (filter_parts_complete(&parts))
		assert(memcmp(parts.data, data, size) == 0);
	filter_parts_clear(&parts);
	if (filter_decode(bytes_of(data, size), &filter) != ERR_OK)
		return 0;
	try_filter(filter, bytes_of(data, size));
	filter_free(filter);
	return 0;
}
