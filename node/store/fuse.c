/* Sums, a window of a day, and what the operator said. */
#include "node/store/fuse.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define VERSION 1
#define DAY 86400u
#define SLACK (16u << 20) /* bytes */
#define HEAD 12		  /* bytes before the rows */
#define ROW 116
#define HELD 1u
#define AGREED 2u

static const char magic[8] = "GRANFUSE";

void fuse_free(struct fuse *fuse)
{
	free(fuse->rows);
	*fuse = (struct fuse){NULL, 0, 0};
}

struct fuse_row *fuse_row(struct fuse *fuse, uint16_t satellite)
{
	for (size_t i = 0; i < fuse->count; i++) {
		if (fuse->rows[i].satellite == satellite)
			return &fuse->rows[i];
	}
	if (fuse->count == FUSE_ROWS_MOST)
		return NULL;
	fuse->rows = memory_grow(fuse->rows, &fuse->room, fuse->count + 1, sizeof(*fuse->rows));
	fuse->rows[fuse->count] = (struct fuse_row){.satellite = satellite};
	return &fuse->rows[fuse->count++];
}

bool fuse_begins(const struct fuse_row *row, uint64_t now)
{
	return row->begun == 0 || (now >= row->begun && now - row->begun >= DAY);
}

/* Without overflow: part > whole / FUSE_PART. */
static bool too_much(uint64_t part, uint64_t whole)
{
	return part > whole / FUSE_PART;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Another filter of the same pieces keeps others by chance, and garbage grows meanwhile. */
static uint64_t with_slack(uint64_t bytes)
{
	return add(bytes, add(bytes / 10, SLACK));
}

static bool shard_is_held(const struct fuse_row *row, uint8_t shard)
{
	return (row->held_map[shard / 8] & 1u << shard % 8) != 0;
}

/* Nothing of this shard is held any more. */
static void release(struct fuse_row *row, const struct fuse_wish *wish)
{
	static const uint8_t none[sizeof(row->held_map)];

	if (!row->held)
		return;
	if (row->held_bits == wish->bits)
		row->held_map[wish->shard / 8] &= (uint8_t) ~(1u << wish->shard % 8);
	else
		memset(row->held_map, 0, sizeof(row->held_map)); /* the satellite cut its shards anew */
	if (memcmp(row->held_map, none, sizeof(none)) == 0)
		row->held = row->agreed = false;
}

static void hold(struct fuse_row *row, const struct fuse_wish *wish)
{
	bool same = row->held && row->held_time == wish->time && row->held_bits == wish->bits;
	uint64_t before = row->held ? row->held_bytes : 0, since = row->held ? row->held_since : wish->now;

	if (!same) {
		memset(row->held_map, 0, sizeof(row->held_map));
		row->held_bytes = 0;
		row->held_of = 0;
	}
	if (!shard_is_held(row, wish->shard)) {
		row->held_bytes = add(row->held_bytes, wish->bytes);
		row->held_of = add(row->held_of, wish->shard_bytes);
	}
	/* What waited a day must be what goes: a larger wish waits from its own beginning. */
	if (!same && row->held && row->held_bytes > with_slack(before))
		since = wish->now;
	row->held_map[wish->shard / 8] |= (uint8_t)(1u << wish->shard % 8);
	row->held = true;
	row->agreed = false;
	row->held_bits = wish->bits;
	row->held_time = wish->time;
	row->held_since = since;
}

bool fuse_agree(struct fuse_row *row)
{
	if (!row->held)
		return false;
	row->agreed = true;
	row->left = with_slack(row->held_bytes);
	return true;
}

/* Whether somebody stands behind a wish that the fuse would not let through. */
static bool is_confirmed(struct fuse_row *row, const struct fuse_wish *wish)
{
	if (row->held && !row->agreed && wish->now >= row->held_since &&
	    wish->now - row->held_since >= FUSE_REPEAT_SECONDS)
		(void)fuse_agree(row);
	if (!row->agreed || wish->bytes > row->left)
		return false;
	row->left -= wish->bytes;
	return true;
}

bool fuse_allows(struct fuse_row *row, const struct fuse_wish *wish)
{
	bool blown;

	if (fuse_begins(row, wish->now)) {
		row->begun = wish->now;
		row->total = wish->total;
		row->trashed = 0;
	}
	row->time = wish->time;
	blown = too_much(wish->bytes, wish->shard_bytes) || too_much(add(row->trashed, wish->bytes), row->total);
	/* A wish for nothing is no danger, whatever went before. */
	if (blown && wish->bytes > 0 && !is_confirmed(row, wish)) {
		hold(row, wish);
		return false;
	}
	release(row, wish);
	return true;
}

void fuse_note(struct fuse_row *row, uint64_t bytes)
{
	row->trashed = add(row->trashed, bytes);
}

static uint32_t crc_of(const uint8_t *data, size_t len)
{
	/* ISA-L takes no const; it reads only. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, UINT32_MAX);
}

static void encode_row(struct writer *w, const struct fuse_row *row)
{
	write_u16(w, row->satellite);
	write_u8(w, (uint8_t)((row->held ? HELD : 0) | (row->agreed ? AGREED : 0)));
	write_u8(w, row->held_bits);
	write_u64(w, row->time);
	write_u64(w, row->begun);
	write_u64(w, row->total);
	write_u64(w, row->trashed);
	write_u64(w, row->held_time);
	write_u64(w, row->held_since);
	write_u64(w, row->held_bytes);
	write_u64(w, row->held_of);
	write_u64(w, row->left);
	write_raw(w, row->held_map, sizeof(row->held_map));
	write_u64(w, 0);
}

void fuse_encode(const struct fuse *fuse, uint8_t **ret, size_t *ret_len)
{
	size_t len = HEAD + fuse->count * ROW + 4;
	uint8_t *out = memory_new(1, len);
	struct writer w;

	writer_init(&w, out, len);
	write_raw(&w, magic, sizeof(magic));
	write_u16(&w, VERSION);
	write_u16(&w, (uint16_t)fuse->count);
	for (size_t i = 0; i < fuse->count; i++)
		encode_row(&w, &fuse->rows[i]);
	write_u32(&w, crc_of(out, len - 4));
	assert(w.err == ERR_OK && w.len == len);
	*ret = out;
	*ret_len = len;
}

static void decode_row(struct reader *r, struct fuse_row *row)
{
	uint8_t flags;

	row->satellite = read_u16(r);
	flags = read_u8(r);
	row->held = (flags & HELD) != 0;
	row->agreed = (flags & AGREED) != 0;
	row->held_bits = read_u8(r);
	row->time = read_u64(r);
	row->begun = read_u64(r);
	row->total = read_u64(r);
	row->trashed = read_u64(r);
	row->held_time = read_u64(r);
	row->held_since = read_u64(r);
	row->held_bytes = read_u64(r);
	row->held_of = read_u64(r);
	row->left = read_u64(r);
	read_raw(r, row->held_map, sizeof(row->held_map));
	read_u64(r);
}

enum err fuse_decode(struct bytes from, struct fuse *ret)
{
	struct fuse fuse = {NULL, 0, 0};
	struct reader r;
	uint16_t version, count;

	if (from.len < HEAD + 4 || memcmp(from.data, magic, sizeof(magic)) != 0)
		return ERR_FORMAT;
	if (get_be32(from.data + from.len - 4) != crc_of(from.data, from.len - 4))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from.data + sizeof(magic), from.len - sizeof(magic)));
	version = read_u16(&r);
	count = read_u16(&r);
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	if (count > FUSE_ROWS_MOST || from.len != HEAD + (size_t)count * ROW + 4)
		return ERR_CORRUPT;
	for (uint16_t i = 0; i < count; i++) {
		struct fuse_row row = {0}, *place;

		decode_row(&r, &row);
		place = fuse_row(&fuse, row.satellite);
		assert(place != NULL); /* they are no more than there may be */
		*place = row;
	}
	*ret = fuse;
	return ERR_OK;
}
