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
	memcpy(reader->piece.blocks, record->blocks, sizeof(record->blocks));
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

static enum err fetch(struct store_reader *reader, uint64_t from, size_t len, uint8_t *out)
{
	uint32_t head = reader->at.record.head;

	if (reader->raw != NULL) {
		memcpy(out, reader->raw + head + from, len);
		return ERR_OK;
	}
	return seam_read_full(reader->store->seam, reader->at.segment->fd, out, len,
			      reader->at.place.offset + head + from);
}

/* The piece cannot be read, now and again. What to answer. */
static enum err note_damage(struct store_reader *reader, enum err err)
{
	const struct segment_entry entry = segment_entry_of(&reader->at.record, reader->at.place.offset);
	enum err marked = damage_mark(reader->store, reader->at.segment, &entry);

	return marked == ERR_CORRUPT || marked == ERR_IO ? marked : err;
}

enum err store_reader_blocks(struct store_reader *reader, uint32_t block, uint32_t count, uint8_t *out, size_t *ret_len)
{
	uint32_t blocks = tree_blocks(reader->piece.size);
	uint64_t from = (uint64_t)block * TREE_BLOCK;
	size_t len = 0;
	enum err err;

	upkeep_note_customer(reader->store->upkeep);
	if (count == 0 || block >= blocks || count > blocks - block)
		return ERR_RANGE;
	for (uint32_t i = block; i < block + count; i++)
		len += tree_block_size(reader->piece.size, i);
	err = fetch(reader, from, len, out);
	/* A bad sector spoils its own block only: each is tried by itself. */
	if (err == ERR_IO || err == ERR_CORRUPT) {
		memset(out, 0, len);
		err = ERR_OK;
	}
	for (uint32_t i = block; err == ERR_OK && i < block + count; i++) {
		uint8_t *data = out + (size_t)(i - block) * TREE_BLOCK;
		size_t size = tree_block_size(reader->piece.size, i);

		if (!block_holds(reader, i, data, size))
			err = read_again(reader, i, data, size);
	}
	if (err != ERR_OK) {
		memset(out, 0, len);
		return note_damage(reader, err);
	}
	*ret_len = len;
	return ERR_OK;
}
