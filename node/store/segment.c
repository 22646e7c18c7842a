/* Segment files: encodings of header, entries and trailer, and the making and sealing of files. */
#include "node/store/segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/planted.h"

#define VERSION 1
#define AT_HEADER_CRC (SEGMENT_HEADER - 4)
#define AT_TRAILER_MAC (SEGMENT_TRAILER - 8)

static const char header_magic[8] = "GRANSEGM";
static const char trailer_magic[8] = "GRANFOOT";

static uint32_t crc_of(const void *data, size_t len)
{
	/* ISA-L takes no const; it reads only. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, UINT32_MAX);
}

void segment_header_encode(const struct segment_header *header, uint8_t out[SEGMENT_HEADER])
{
	struct writer w;

	memset(out, 0, SEGMENT_HEADER);
	writer_init(&w, out, SEGMENT_HEADER);
	write_raw(&w, header_magic, sizeof(header_magic));
	write_u16(&w, VERSION);
	write_u8(&w, (uint8_t)header->kind);
	write_u8(&w, 0);
	write_u32(&w, header->class);
	write_raw(&w, header->store.b, sizeof(header->store.b));
	write_u32(&w, header->id);
	write_u32(&w, 0);
	write_u64(&w, header->size);
	write_u64(&w, header->created);
	write_u64(&w, header->first_sequence);
	write_raw(&w, header->secret.b, sizeof(header->secret.b));
	put_be32(out + AT_HEADER_CRC, crc_of(out, AT_HEADER_CRC));
}

enum err segment_header_decode(const uint8_t from[SEGMENT_HEADER], struct segment_header *ret)
{
	struct segment_header header;
	struct reader r;
	uint16_t version;
	uint8_t kind;

	if (memcmp(from, header_magic, sizeof(header_magic)) != 0)
		return ERR_FORMAT;
	if (get_be32(from + AT_HEADER_CRC) != crc_of(from, AT_HEADER_CRC))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from + sizeof(header_magic), SEGMENT_HEADER - sizeof(header_magic)));
	version = read_u16(&r);
	kind = read_u8(&r);
	read_u8(&r);
	header.class = read_u32(&r);
	read_raw(&r, header.store.b, sizeof(header.store.b));
	header.id = read_u32(&r);
	read_u32(&r);
	header.size = read_u64(&r);
	header.created = read_u64(&r);
	header.first_sequence = read_u64(&r);
	read_raw(&r, header.secret.b, sizeof(header.secret.b));
	if (version != VERSION || (kind != SEGMENT_PIECES && kind != SEGMENT_TRANSFERS))
		return ERR_UNSUPPORTED;
	header.kind = (enum segment_kind)kind;
	*ret = header;
	return ERR_OK;
}

void segment_entry_encode(const struct segment_entry *entry, uint8_t out[SEGMENT_ENTRY])
{
	struct writer w;

	writer_init(&w, out, SEGMENT_ENTRY);
	write_u16(&w, entry->satellite);
	write_u8(&w, entry->type);
	write_u8(&w, 0);
	write_raw(&w, entry->piece.b, 32);
	write_u32(&w, entry->offset);
	write_u64(&w, entry->sequence);
	write_u32(&w, entry->created);
	write_u32(&w, entry->size);
	write_u32(&w, entry->extent);
	write_u32(&w, entry->expires);
	assert(w.err == ERR_OK && w.len == SEGMENT_ENTRY);
}

enum err segment_entry_decode(const uint8_t from[SEGMENT_ENTRY], struct segment_entry *ret)
{
	struct segment_entry entry;
	struct reader r;

	reader_init(&r, bytes_of(from, SEGMENT_ENTRY));
	entry.satellite = read_u16(&r);
	entry.type = read_u8(&r);
	read_u8(&r);
	read_raw(&r, entry.piece.b, 32);
	entry.offset = read_u32(&r);
	entry.sequence = read_u64(&r);
	entry.created = read_u32(&r);
	entry.size = read_u32(&r);
	entry.extent = read_u32(&r);
	entry.expires = read_u32(&r);
	if (entry.type < RECORD_PIECE || entry.type > RECORD_TRANSFER || entry.offset < SEGMENT_HEADER ||
	    entry.offset % RECORD_UNIT != 0)
		return ERR_CORRUPT;
	if (entry.type == RECORD_PIECE && (entry.size > TREE_PIECE || entry.extent < entry.size))
		return ERR_CORRUPT;
	*ret = entry;
	return ERR_OK;
}

static uint32_t saturated(uint64_t seconds)
{
	return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static bool speaks_of_another(uint8_t type)
{
	return type == RECORD_TOMBSTONE || type == RECORD_TRASH || type == RECORD_RESTORE;
}

struct segment_entry segment_entry_of(const struct record *record, uint32_t offset)
{
	struct segment_entry entry = {
		.satellite = record->satellite,
		.type = (uint8_t)record->type,
		.piece = record->piece,
		.offset = offset,
		.sequence = record->sequence,
		.created = saturated(record->created),
		.size = record->size,
		.extent = record->extent,
		.expires = saturated(record->expires),
	};

	if (speaks_of_another(entry.type)) {
		entry.size = record->target.place.offset;
		entry.extent = record->target.extent;
		entry.expires = record->target.place.segment;
	}
	return entry;
}

static uint64_t trailer_mac(const uint8_t *trailer, const struct record_secret *secret)
{
	uint8_t input[1 + AT_TRAILER_MAC], mac[crypto_shorthash_BYTES];

	input[0] = 'f';
	memcpy(input + 1, trailer, AT_TRAILER_MAC);
	crypto_shorthash(mac, input, sizeof(input), secret->b);
	return get_be64(mac);
}

void segment_trailer_encode(const struct segment_trailer *trailer, const struct record_secret *secret,
			    uint8_t out[SEGMENT_TRAILER])
{
	struct writer w;

	writer_init(&w, out, SEGMENT_TRAILER);
	write_raw(&w, trailer_magic, sizeof(trailer_magic));
	write_u16(&w, VERSION);
	write_u16(&w, 0);
	write_u32(&w, trailer->id);
	write_u32(&w, trailer->count);
	write_u32(&w, trailer->tombstones);
	write_u32(&w, trailer->checksum);
	write_u32(&w, 0);
	write_u64(&w, trailer->first_sequence);
	write_u64(&w, trailer->last_sequence);
	write_u64(&w, trailer->last_expiry);
	assert(w.err == ERR_OK && w.len == AT_TRAILER_MAC);
	write_u64(&w, trailer_mac(out, secret));
}

enum err segment_trailer_decode(const uint8_t from[SEGMENT_TRAILER], const struct record_secret *secret,
				struct segment_trailer *ret)
{
	struct segment_trailer trailer;
	struct reader r;
	uint16_t version;

	if (memcmp(from, trailer_magic, sizeof(trailer_magic)) != 0)
		return ERR_FORMAT;
	if (get_be64(from + AT_TRAILER_MAC) != trailer_mac(from, secret))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from + sizeof(trailer_magic), SEGMENT_TRAILER - sizeof(trailer_magic)));
	version = read_u16(&r);
	read_u16(&r);
	trailer.id = read_u32(&r);
	trailer.count = read_u32(&r);
	trailer.tombstones = read_u32(&r);
	trailer.checksum = read_u32(&r);
	read_u32(&r);
	trailer.first_sequence = read_u64(&r);
	trailer.last_sequence = read_u64(&r);
	trailer.last_expiry = read_u64(&r);
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	*ret = trailer;
	return ERR_OK;
}

void segment_path(const char *dir, uint32_t id, char out[SEGMENT_PATH])
{
	int len = snprintf(out, SEGMENT_PATH, "%s/%08x%s", dir, id, SEGMENT_SUFFIX);

	assert(len > 0 && len < SEGMENT_PATH);
}

static bool numbered_name(const char *name, const char *suffix, uint32_t *ret)
{
	char expected[16];
	unsigned long id = strtoul(name, NULL, 16);

	if (id == 0 || id > UINT32_MAX)
		return false;
	snprintf(expected, sizeof(expected), "%08lx%s", id, suffix);
	if (strcmp(name, expected) != 0)
		return false;
	*ret = (uint32_t)id;
	return true;
}

bool segment_name(const char *name, uint32_t *ret)
{
	return numbered_name(name, SEGMENT_SUFFIX, ret);
}

struct ids {
	const char *suffix;
	uint32_t *list;
	size_t count;
	size_t room;
};

static void add_id(void *arg, const char *name)
{
	struct ids *ids = arg;
	uint32_t id;

	if (!numbered_name(name, ids->suffix, &id))
		return;
	ids->list = memory_grow(ids->list, &ids->room, ids->count + 1, sizeof(*ids->list));
	ids->list[ids->count++] = id;
}

static int compare_ids(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

bool segment_has_id(const uint32_t *ids, size_t count, uint32_t id)
{
	return count > 0 && bsearch(&id, ids, count, sizeof(id), compare_ids) != NULL;
}

enum err segment_list_ids(const struct seam *seam, const char *dir, const char *suffix, uint32_t **ret,
			  size_t *ret_count)
{
	struct ids ids = {.suffix = suffix};
	enum err err = seam_list_directory(seam, dir, add_id, &ids);
	size_t kept = 0;

	if (ids.count > 0)
		qsort(ids.list, ids.count, sizeof(*ids.list), compare_ids);
	for (size_t i = 0; i < ids.count; i++) {
		if (kept == 0 || ids.list[i] != ids.list[kept - 1])
			ids.list[kept++] = ids.list[i];
	}
	*ret = ids.list;
	*ret_count = kept;
	return err;
}

struct segment *segment_new(uint32_t id, enum segment_kind kind, uint32_t class, int fd)
{
	struct segment *segment = memory_new(1, sizeof(*segment));

	segment->id = id;
	segment->kind = kind;
	segment->class = class;
	segment->fd = fd;
	segment->state = SEGMENT_SPARE;
	segment->tail = SEGMENT_HEADER;
	segment->bytes.overhead = SEGMENT_HEADER;
	segment->twin_fd = -1;
	atomic_init(&segment->pins, 1);
	return segment;
}

void segment_free(const struct seam *seam, struct segment *segment)
{
	if (segment == NULL)
		return;
	seam->close(seam, segment->fd);
	if (segment->twin_fd >= 0)
		seam->close(seam, segment->twin_fd);
	free(segment->gaps);
	free(segment->entries);
	free(segment);
}

static enum err write_new(const struct seam *seam, const char *dir, const struct segment_header *header, int fd)
{
	uint8_t block[SEGMENT_HEADER];
	enum err err = seam_allocate_file(seam, fd, header->size);

	segment_header_encode(header, block);
	if (err == ERR_OK)
		err = seam_write_full(seam, fd, block, sizeof(block), 0);
	if (err == ERR_OK)
		err = seam_sync_file(seam, fd);
	if (err == ERR_OK && !planted(NO_DIRECTORY_SYNC))
		err = seam_sync_directory(seam, dir);
	return err;
}

enum err segment_create(const struct seam *seam, const char *dir, const struct segment_header *header,
			struct segment **ret)
{
	char path[SEGMENT_PATH];
	struct segment *segment;
	enum err err;
	int fd;

	segment_path(dir, header->id, path);
	err = seam_open_file(seam, path, O_RDWR | O_CREAT | O_EXCL, &fd);
	if (err != ERR_OK)
		return err;
	err = write_new(seam, dir, header, fd);
	if (err != ERR_OK) {
		seam->close(seam, fd);
		/* Best effort: opening the store copes with what is left. */
		(void)!seam_unlink_file(seam, path);
		return err;
	}
	segment = segment_new(header->id, header->kind, header->class, fd);
	segment->size = (uint32_t)header->size;
	segment->planned = segment->size;
	*ret = segment;
	return ERR_OK;
}

void segment_add_entry(struct segment *segment, const struct segment_entry *entry)
{
	segment->entries = memory_grow(segment->entries, &segment->entry_room, segment->entry_count + 1,
				       sizeof(*segment->entries));
	segment->entries[segment->entry_count++] = *entry;
}

uint64_t segment_free_bytes(const struct segment *segment)
{
	uint64_t sum = 0;

	if (segment->state == SEGMENT_SEALED)
		return 0;
	for (size_t i = 0; i < segment->gap_count; i++)
		sum += segment->gaps[i].len;
	return sum + segment->size - segment->tail;
}

static int compare_entries(const void *left, const void *right)
{
	const struct segment_entry *a = left, *b = right;
	int order = (int)a->satellite - (int)b->satellite;

	if (order == 0)
		order = bytes32_compare(&a->piece, &b->piece);
	if (order == 0)
		order = a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
	return order;
}

static struct segment_trailer summarise(const struct segment *segment)
{
	struct segment_trailer trailer = {.id = segment->id, .count = (uint32_t)segment->entry_count};
	bool forever = false;

	trailer.first_sequence = segment->entry_count > 0 ? UINT64_MAX : 0;
	for (size_t i = 0; i < segment->entry_count; i++) {
		const struct segment_entry *entry = &segment->entries[i];

		if (entry->sequence < trailer.first_sequence)
			trailer.first_sequence = entry->sequence;
		if (entry->sequence > trailer.last_sequence)
			trailer.last_sequence = entry->sequence;
		if (speaks_of_another(entry->type)) {
			trailer.tombstones++;
			continue;
		}
		if (entry->expires == 0)
			forever = true;
		if (entry->expires > trailer.last_expiry)
			trailer.last_expiry = entry->expires;
	}
	if (forever)
		trailer.last_expiry = 0;
	return trailer;
}

/* Free extents get a head of their own, so that a walk over a segment whose footer is damaged steps over them. */
static enum err write_pads(const struct seam *seam, const struct segment *segment, const struct record_secret *secret)
{
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < segment->gap_count; i++) {
		const struct segment_gap *gap = &segment->gaps[i];
		struct record pad = {.type = RECORD_PAD, .committed = true, .extent = gap->len, .head = RECORD_CORE};
		uint8_t core[RECORD_CORE];

		if (gap->len < RECORD_CORE)
			continue;
		record_encode_core(&pad, secret, &(struct record_place){segment->id, gap->offset}, core);
		err = seam_write_full(seam, segment->fd, core, sizeof(core), gap->offset);
	}
	return err;
}

enum err segment_write_footer(const struct seam *seam, struct segment *segment, const struct record_secret *secret,
			      uint32_t at, bool pads, struct segment_trailer *ret)
{
	size_t count = segment->entry_count, len = count * SEGMENT_ENTRY + SEGMENT_TRAILER;
	uint8_t *footer = memory_new(1, len);
	struct segment_trailer trailer;
	enum err err = ERR_OK;

	if (planted(FOOTER_STALE) && count > 0)
		segment->entries[count - 1].type = RECORD_PAD;
	if (count > 0)
		qsort(segment->entries, count, sizeof(*segment->entries), compare_entries);
	for (size_t i = 0; i < count; i++)
		segment_entry_encode(&segment->entries[i], footer + i * SEGMENT_ENTRY);
	trailer = summarise(segment);
	trailer.checksum = crc_of(footer, count * SEGMENT_ENTRY);
	segment_trailer_encode(&trailer, secret, footer + count * SEGMENT_ENTRY);
	if (pads)
		err = write_pads(seam, segment, secret);
	if (err == ERR_OK)
		err = seam_write_full(seam, segment->fd, footer, len, at);
	if (err == ERR_OK)
		err = seam_cut_file(seam, segment->fd, at + len);
	if (err == ERR_OK)
		err = seam_sync_file(seam, segment->fd);
	free(footer);
	if (err == ERR_OK)
		*ret = trailer;
	return err;
}

static enum err decode_entries(const uint8_t *raw, uint32_t count, struct segment_entry *entries)
{
	enum err err = ERR_OK;

	for (uint32_t i = 0; err == ERR_OK && i < count; i++)
		err = segment_entry_decode(raw + (size_t)i * SEGMENT_ENTRY, &entries[i]);
	return err;
}

enum err segment_read_footer(const struct seam *seam, int fd, uint64_t size, uint32_t id,
			     const struct record_secret *secret, struct segment_trailer *ret,
			     struct segment_entry **ret_entries)
{
	uint8_t end[SEGMENT_TRAILER], *raw = NULL;
	struct segment_entry *entries = NULL;
	struct segment_trailer trailer;
	enum err err;
	size_t len;

	if (size < SEGMENT_HEADER + SEGMENT_TRAILER)
		return ERR_FORMAT;
	err = seam_read_full(seam, fd, end, sizeof(end), size - sizeof(end));
	if (err == ERR_OK)
		err = segment_trailer_decode(end, secret, &trailer);
	if (err != ERR_OK)
		return err;
	len = (size_t)trailer.count * SEGMENT_ENTRY;
	if (trailer.id != id || len > size - SEGMENT_HEADER - SEGMENT_TRAILER)
		return ERR_CORRUPT;
	raw = memory_new(1, len + 1);
	entries = memory_new(trailer.count + 1u, sizeof(*entries));
	err = seam_read_full(seam, fd, raw, len, size - SEGMENT_TRAILER - len);
	if (err == ERR_OK && crc_of(raw, len) != trailer.checksum)
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = decode_entries(raw, trailer.count, entries);
	free(raw);
	if (err != ERR_OK) {
		free(entries);
		return err;
	}
	*ret = trailer;
	*ret_entries = entries;
	return ERR_OK;
}
