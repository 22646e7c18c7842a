/*
 * Reading a piece: its head once, with the payload of a small piece in the same read; then blocks, each against its
 * checksum. What does not match is read again past the page cache, because memory and cables err too; then it is
 * ERR_CORRUPT, and noted (damage.h). Wrong bytes are never handed out.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/marks.h"
#include "node/store/planted.h"

struct store_reader {
	struct store *store;
	struct located at;
	struct store_piece piece;
	uint8_t *raw; /* head and payload of a small piece, else NULL */
};

static void forget(void *arg, enum err err)
{
	(void)arg;
	(void)err;
}

/* Who reads a piece in the trash needs it. The reader does not wait for it to be durable: until the trash is emptied
 * nothing is lost, and if it fails the store says so by itself. */
static void rescue(struct store *store, const struct located *found)
{
	struct mark_options options = {RECORD_RESTORE, true, forget, NULL};
	struct marked what = marks_of_located(found);

	if ((found->place.flags & INDEX_TRASHED) != 0)
		(void)!marks_write(store, &what, &options);
}

enum err store_get(struct store *store, const struct store_key *key, struct store_reader **ret)
{
	struct store_reader *reader = malloc(sizeof(*reader));
	const struct record *record;
	enum err err;

	if (reader == NULL)
		abort();
	upkeep_note_customer(store->upkeep);
	err = store_locate(store, key, LOCATE_HEAD, &reader->at, &reader->raw);
	if (err != ERR_OK) {
		free(reader);
		return err;
	}
	record = &reader->at.record;
	if (record->expires != 0 && record->expires <= clock_wall()) {
		segments_unpin(store->segments, reader->at.segment);
		free(reader->raw);
		free(reader);
		return ERR_NOT_FOUND;
	}
	rescue(store, &reader->at);
	if (record->size > RECORD_SMALL) {
		free(reader->raw);
		reader->raw = NULL;
	}
	reader->store = store;
	reader->piece.size = record->size;
	reader->piece.stored_at = record->stored_at;
	reader->piece.expires = record->expires;
	reader->piece.root = record->root;
	reader->piece.allocation = record->deal.allocation_hash;
	memcpy(reader->piece.blocks, record->blocks, tree_blocks(record->size) * sizeof(record->blocks[0]));
	*ret = reader;
	return ERR_OK;
}

const struct store_piece *store_reader_piece(const struct store_reader *reader)
{
	return &reader->piece;
}

void store_reader_free(struct store_reader *reader)
{
	if (reader == NULL)
		return;
	segments_unpin(reader->store->segments, reader->at.segment);
	free(reader->raw);
	free(reader);
}

static bool block_holds(const struct store_reader *reader, uint32_t block, const uint8_t *data, size_t len)
{
	const struct record *record = &reader->at.record;

	return planted(READ_UNCHECKED) ||
	       record_checksum(&record->piece, block, data, len) == record->checksums[block];
}

/* A block that did not match, once more from the disk itself. */
static enum err read_again(struct store_reader *reader, uint32_t block, uint8_t *out, size_t len)
{
	const struct seam *seam = reader->store->seam;
	int fd = reader->at.segment->fd;
	uint64_t offset = reader->at.place.offset + (uint64_t)reader->at.record.head + (uint64_t)block * TREE_BLOCK;
	enum err err;

	seam_drop_cache(seam, fd, offset, len);
	err = seam_read_full(seam, fd, out, len, offset);
	if (err == ERR_OK && !block_holds(reader, block, out, len))
		err = ERR_CORRUPT;
	return err;
}

/* The piece cannot be read, now and again. What to answer. */
static enum err note_damage(struct store_reader *reader, enum err err)
{
	const struct segment_entry entry = segment_entry_of(&reader->at.record, reader->at.place.offset);
	enum err marked = damage_mark(reader->store, reader->at.segment, &entry);

	return marked == ERR_CORRUPT || marked == ERR_IO ? marked : err;
}

/* Whether there are such blocks, and how long they are together. */
static enum err measure(const struct store_reader *reader, uint32_t block, uint32_t count, size_t *ret_len)
{
	uint32_t blocks = tree_blocks(reader->piece.size);
	size_t len = 0;

	if (count == 0 || block >= blocks || count > blocks - block)
		return ERR_RANGE;
	for (uint32_t i = block; i < block + count; i++)
		len += tree_block_size(reader->piece.size, i);
	*ret_len = len;
	return ERR_OK;
}

/* Hold what was read, `len` bytes, against its checksums. When that fails it is zeros. */
static enum err check(struct store_reader *reader, uint32_t block, uint8_t *data, size_t len)
{
	enum err err = ERR_OK;

	for (size_t at = 0; err == ERR_OK && at < len; at += TREE_BLOCK, block++) {
		size_t size = tree_block_size(reader->piece.size, block);

		if (!block_holds(reader, block, data + at, size))
			err = read_again(reader, block, data + at, size);
	}
	if (err == ERR_OK)
		return ERR_OK;
	memset(data, 0, len);
	return note_damage(reader, err);
}

/* The blocks in what was read with the head. */
static uint8_t *held(struct store_reader *reader, uint32_t block)
{
	return reader->raw + reader->at.record.head + (size_t)block * TREE_BLOCK;
}

enum err store_reader_view(struct store_reader *reader, uint32_t block, uint32_t count, const uint8_t **ret,
			   size_t *ret_len)
{
	enum err err;
	size_t len;

	if (reader->raw == NULL)
		return ERR_UNSUPPORTED;
	upkeep_note_customer(reader->store->upkeep);
	err = measure(reader, block, count, &len);
	if (err == ERR_OK)
		err = check(reader, block, held(reader, block), len);
	if (err != ERR_OK)
		return err;
	*ret = held(reader, block);
	*ret_len = len;
	return ERR_OK;
}

static enum err read_blocks(struct store_reader *reader, uint32_t block, uint8_t *out, size_t len)
{
	uint64_t offset = reader->at.place.offset + (uint64_t)reader->at.record.head + (uint64_t)block * TREE_BLOCK;
	enum err err = seam_read_full(reader->store->seam, reader->at.segment->fd, out, len, offset);

	/* A bad sector spoils its own block only: each is tried by itself. */
	if (err == ERR_IO || err == ERR_CORRUPT) {
		memset(out, 0, len);
		err = ERR_OK;
	}
	return err == ERR_OK ? check(reader, block, out, len) : err;
}

enum err store_reader_blocks(struct store_reader *reader, uint32_t block, uint32_t count, uint8_t *out, size_t *ret_len)
{
	const uint8_t *data;
	enum err err;
	size_t len;

	if (reader->raw != NULL) {
		err = store_reader_view(reader, block, count, &data, &len);
		if (err == ERR_OK)
			memcpy(out, data, len);
	} else {
		upkeep_note_customer(reader->store->upkeep);
		err = measure(reader, block, count, &len);
		if (err == ERR_OK)
			err = read_blocks(reader, block, out, len);
	}
	if (err == ERR_OK)
		*ret_len = len;
	return err;
}
