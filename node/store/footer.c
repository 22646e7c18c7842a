/* A window of 16384 entries. */
#include "node/store/footer.h"

#include <isa-l/crc.h>
#include <stdlib.h>

#include "common/memory.h"

#define WINDOW 16384u

enum err footer_open(const struct seam *seam, const struct segment *segment, const struct record_secret *secret,
		     struct footer *ret)
{
	struct footer footer = {.seam = seam, .fd = segment->fd};
	uint8_t end[SEGMENT_TRAILER];
	enum err err;
	uint64_t len;

	if (segment->size < SEGMENT_HEADER + SEGMENT_TRAILER)
		return ERR_FORMAT;
	err = seam_read_full(seam, segment->fd, end, sizeof(end), segment->size - sizeof(end));
	if (err == ERR_OK)
		err = segment_trailer_decode(end, secret, &footer.trailer);
	if (err != ERR_OK)
		return err;
	len = (uint64_t)footer.trailer.count * SEGMENT_ENTRY;
	if (footer.trailer.id != segment->id || len > segment->size - SEGMENT_HEADER - SEGMENT_TRAILER)
		return ERR_CORRUPT;
	footer.at = (uint32_t)(segment->size - SEGMENT_TRAILER - len);
	*ret = footer;
	return ERR_OK;
}

static enum err read_entries(const struct footer *footer, uint32_t first, uint32_t count, uint8_t *out)
{
	return seam_read_full(footer->seam, footer->fd, out, (size_t)count * SEGMENT_ENTRY,
			      footer->at + (uint64_t)first * SEGMENT_ENTRY);
}

static uint32_t window_at(const struct footer *footer, uint32_t first)
{
	uint32_t left = footer->trailer.count - first;

	return left < WINDOW ? left : WINDOW;
}

/* What cannot be decoded is found before anything is visited. */
static enum err check(const struct footer *footer, uint8_t *window)
{
	uint32_t crc = UINT32_MAX;
	struct segment_entry entry;
	enum err err = ERR_OK;

	for (uint32_t first = 0, count; err == ERR_OK && first < footer->trailer.count; first += count) {
		count = window_at(footer, first);
		err = read_entries(footer, first, count, window);
		if (err != ERR_OK)
			break;
		crc = crc32_iscsi(window, (int)(count * SEGMENT_ENTRY), crc);
		for (uint32_t i = 0; err == ERR_OK && i < count; i++)
			err = segment_entry_decode(window + (size_t)i * SEGMENT_ENTRY, &entry);
	}
	return err == ERR_OK && ~crc != footer->trailer.checksum ? ERR_CORRUPT : err;
}

enum err footer_each(const struct footer *footer, void (*each)(void *arg, const struct segment_entry *entry), void *arg)
{
	uint32_t total = footer->trailer.count;
	uint8_t *window = memory_new(total < WINDOW ? total + 1u : WINDOW, SEGMENT_ENTRY);
	enum err err = check(footer, window);

	for (uint32_t first = 0, count; err == ERR_OK && first < total; first += count) {
		struct segment_entry entry;

		count = window_at(footer, first);
		if (total > WINDOW)
			err = read_entries(footer, first, count, window);
		for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
			err = segment_entry_decode(window + (size_t)i * SEGMENT_ENTRY, &entry);
			if (err == ERR_OK)
				each(arg, &entry);
		}
	}
	free(window);
	return err;
}

static int compare_key(const struct segment_entry *entry, uint16_t satellite, const struct bytes32 *piece)
{
	int order = (int)entry->satellite - (int)satellite;

	return order != 0 ? order : bytes32_compare(&entry->piece, piece);
}

static enum err read_one(const struct footer *footer, uint32_t number, struct segment_entry *ret)
{
	uint8_t raw[SEGMENT_ENTRY];
	enum err err = read_entries(footer, number, 1, raw);

	return err == ERR_OK ? segment_entry_decode(raw, ret) : err;
}

enum err footer_find(const struct footer *footer, uint16_t satellite, const struct bytes32 *piece, uint32_t offset,
		     struct segment_entry *ret)
{
	uint32_t low = 0, high = footer->trailer.count;
	struct segment_entry entry;
	enum err err;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		err = read_one(footer, middle, &entry);
		if (err != ERR_OK)
			return err;
		if (compare_key(&entry, satellite, piece) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* A key has few records. */
	for (; low < footer->trailer.count; low++) {
		err = read_one(footer, low, &entry);
		if (err != ERR_OK)
			return err;
		if (compare_key(&entry, satellite, piece) != 0)
			break;
		if (entry.offset == offset) {
			*ret = entry;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}
