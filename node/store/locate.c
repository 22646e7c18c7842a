/* From a key to its record: index, one read, and the full key checked in what was read. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/engine.h"

/* How much to read at a place, given what its slot says. */
static size_t length_of(const struct index_place *place, enum locate_depth depth)
{
	if (depth == LOCATE_CORE)
		return RECORD_CORE;
	if (place->size > RECORD_SMALL)
		return RECORD_HEAD_MAX;
	return record_head_of_piece(tree_blocks(place->size)) + place->size;
}

static enum err decode(const struct store *store, const struct record_place *where, enum locate_depth depth,
		       struct bytes raw, struct record *ret)
{
	if (depth == LOCATE_CORE)
		return record_decode_core(raw.data, &store->secret, where, ret);
	return record_decode(raw, &store->secret, where, ret);
}

/* Read the head at `ret->place`; what does not check out is read again past the page cache. */
static enum err read_head(struct store *store, enum locate_depth depth, struct located *ret, uint8_t **ret_raw)
{
	struct record_place where = {ret->segment->id, ret->place.offset};
	size_t len = length_of(&ret->place, depth);
	uint8_t *raw = malloc(len);
	enum err err;

	if (raw == NULL)
		abort();
	err = seam_read_full(store->seam, ret->segment->fd, raw, len, where.offset);
	if (err == ERR_OK)
		err = decode(store, &where, depth, bytes_of(raw, len), &ret->record);
	if (err != ERR_OK) {
		seam_drop_cache(store->seam, ret->segment->fd, where.offset, len);
		err = seam_read_full(store->seam, ret->segment->fd, raw, len, where.offset);
		if (err == ERR_OK)
			err = decode(store, &where, depth, bytes_of(raw, len), &ret->record);
	}
	if (err == ERR_OK && (ret->record.type != RECORD_PIECE || ret->record.size != ret->place.size))
		err = ERR_CORRUPT;
	if (err != ERR_OK || ret_raw == NULL)
		free(raw);
	else
		*ret_raw = raw;
	if (err == ERR_OK || err == ERR_IO)
		return err;
	return ERR_CORRUPT;
}

static bool is_key(const struct record *record, const struct store_key *key)
{
	return record->satellite == key->satellite && bytes32_equal(&record->piece, &key->piece);
}

/* Look at one match of the hash: ERR_NOT_FOUND when it is another key's. */
static enum err examine(struct store *store, const struct store_key *key, enum locate_depth depth, struct located *ret,
			uint8_t **ret_raw)
{
	struct record_place where = {ret->segment->id, ret->place.offset};
	bool cacheable = depth == LOCATE_HEAD && ret->place.size > RECORD_SMALL;
	struct damage_entry damaged;
	enum err err;

	if ((ret->place.flags & INDEX_BAD) != 0 && damage_find(store, key, &damaged))
		return ERR_CORRUPT;
	if (cacheable && heads_get(&store->heads, &where, &ret->record) && is_key(&ret->record, key))
		return ERR_OK;
	err = read_head(store, depth, ret, ret_raw);
	if (err != ERR_OK)
		return damage_mark_head(store, ret->segment, ret->place.offset, key, err);
	if (!is_key(&ret->record, key)) {
		if (ret_raw != NULL) {
			free(*ret_raw);
			*ret_raw = NULL;
		}
		return ERR_NOT_FOUND;
	}
	if (cacheable)
		heads_put(&store->heads, &where, &ret->record);
	return ERR_OK;
}

enum err store_locate(struct store *store, const struct store_key *key, enum locate_depth depth, struct located *ret,
		      uint8_t **ret_raw)
{
	uint64_t hash = index_hash(store->index, key->satellite, &key->piece);
	struct index_place places[INDEX_MATCHES];
	size_t count = index_find(store->index, hash, segments_pin, store->segments, places);
	enum err err = ERR_NOT_FOUND, worst = ERR_NOT_FOUND;

	if (ret_raw != NULL)
		*ret_raw = NULL;
	for (size_t i = 0; i < count; i++) {
		struct segment *segment = segments_row(store->segments, places[i].segment);

		if (err != ERR_OK) {
			ret->segment = segment;
			ret->hash = hash;
			ret->place = places[i];
			err = examine(store, key, depth, ret, ret_raw);
			if (err == ERR_OK)
				continue; /* stays pinned */
			if (err != ERR_NOT_FOUND)
				worst = err;
		}
		segments_unpin(store->segments, segment);
	}
	return err == ERR_OK ? ERR_OK : worst;
}

enum err store_locate_damaged(struct store *store, const struct store_key *key, struct located *ret)
{
	uint64_t hash = index_hash(store->index, key->satellite, &key->piece);
	struct damage_entry entry;
	struct segment *segment;

	if (!damage_find(store, key, &entry))
		return ERR_NOT_FOUND;
	segment = segments_find(store->segments, SEGMENT_PIECES, entry.target.place.segment);
	if (segment == NULL)
		return ERR_NOT_FOUND;
	if (!index_has(store->index, hash, segment->number, entry.target.place.offset)) {
		segments_unpin(store->segments, segment);
		return ERR_NOT_FOUND;
	}
	ret->segment = segment;
	ret->hash = hash;
	ret->place = (struct index_place){.segment = segment->number,
					  .offset = entry.target.place.offset,
					  .size = entry.target.size,
					  .flags = INDEX_BAD};
	memset(&ret->record, 0, sizeof(ret->record));
	ret->record.type = RECORD_PIECE;
	ret->record.satellite = key->satellite;
	ret->record.piece = key->piece;
	ret->record.size = entry.target.size;
	ret->record.extent = entry.target.extent;
	ret->record.sequence = entry.target.sequence;
	return ERR_OK;
}
