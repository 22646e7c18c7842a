/*
 * Putting a piece. Room is reserved before the first byte, so a full disk is a clean refusal.
 *
 * The first RECORD_SMALL bytes are collected, behind room for their head. A piece that ends there is written in one
 * call, and when it is very small, by the committer in one call with its neighbours. A larger one gets an uncommitted
 * core and what was collected when the next block comes, then each block as it comes, and at the end the complete head
 * over the core. The committer syncs, and only then does the index know the piece.
 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "node/store/gather.h"
#include "node/store/planted.h"

/* Of all pieces that are small: a head for more blocks than they have would not fit in front of them. */
#define SMALL_HEAD 576

struct store_upload {
	struct commit commit;
	struct store *store;
	struct claim claim;
	struct sequence_ticket ticket;
	bool numbered; /* the ticket is taken */
	bool claimed;
	struct extent extent;
	struct record record;
	uint32_t limit;
	uint32_t size; /* bytes that came; their blocks are in the record */
	/* SMALL_HEAD bytes, then room for the first RECORD_SMALL, or the limit if that is less, and for the padding.
	 * NULL while nothing came, and once it is written. */
	uint8_t *buffer;
	bool on_disk; /* a core stands at the extent's start */
	void (*done)(void *arg, enum err err);
	void *arg;
};

static_assert(SMALL_HEAD % RECORD_UNIT == 0, "heads are whole units");
static_assert(offsetof(struct store_upload, commit) == 0, "a commit is cast to the upload that holds it");

static const uint8_t zeros[RECORD_HEAD_MAX];

static struct record_place place_of(const struct store_upload *upload)
{
	return (struct record_place){upload->extent.segment->id, upload->extent.offset};
}

/* A piece of that key is there already, or cannot be told from one. */
static enum err check_absent(struct store *store, const struct store_key *key)
{
	struct located found;
	enum err err = store_locate(store, key, LOCATE_CORE, &found, NULL);

	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	segments_unpin(store->segments, found.segment);
	return ERR_EXISTS;
}

enum err store_put_begin(struct store *store, uint16_t satellite, const struct allocation *allocation,
			 const struct signature *signature, const struct bytes32 *allocation_hash,
			 struct store_upload **ret)
{
	struct store_key key = {satellite, allocation->piece};
	struct segments_need need = {.kind = SEGMENT_PIECES,
				     .class = segments_class_of(store->segments, allocation->pieceExpires)};
	struct store_upload *upload;
	struct extent extent;
	uint32_t head;
	enum err err;

	if (allocation->limit > TREE_PIECE)
		return ERR_RANGE;
	err = check_absent(store, &key);
	if (err != ERR_OK)
		return err;
	head = record_head_of_piece(tree_blocks(allocation->limit));
	need.len = record_extent(head, (uint32_t)allocation->limit);
	err = segments_reserve(store->segments, &need, &extent);
	if (err == ERR_FULL)
		upkeep_kick(store->upkeep, "compact");
	if (err != ERR_OK)
		return err;
	upload = memory_new(1, sizeof(*upload));
	upload->store = store;
	upload->extent = extent;
	upload->limit = (uint32_t)allocation->limit;
	upload->record.type = RECORD_PIECE;
	upload->record.satellite = satellite;
	upload->record.piece = allocation->piece;
	upload->record.size = upload->limit;
	upload->record.extent = extent.len;
	upload->record.head = head;
	upload->record.created = clock_wall();
	upload->record.expires = allocation->pieceExpires;
	store_deal_of(allocation, signature, allocation_hash, &upload->record.deal);
	*ret = upload;
	return ERR_OK;
}

/* Write the uncommitted core, what was collected (a block at least) and this block. */
static enum err start_writing(struct store_upload *upload, const void *data, size_t len)
{
	struct record_place place = place_of(upload);
	uint8_t core[RECORD_CORE];
	struct iovec parts[] = {
		{core, sizeof(core)},
		{(void *)(uintptr_t)zeros, upload->record.head - sizeof(core)},
		{upload->buffer + SMALL_HEAD, upload->size},
		{(void *)(uintptr_t)data, len},
	};
	enum err err;

	record_encode_core(&upload->record, &upload->store->secret, &place, core);
	upload->on_disk = true;
	err = seam_write_parts(upload->store->seam, upload->extent.segment->fd, parts, 4, place.offset);
	free(upload->buffer);
	upload->buffer = NULL;
	return err;
}

/* The buffer, made when it is first asked for. */
static uint8_t *payload_of(struct store_upload *upload)
{
	uint32_t most = upload->limit < RECORD_SMALL ? upload->limit : RECORD_SMALL;

	if (upload->buffer == NULL)
		upload->buffer = malloc(record_extent(SMALL_HEAD, most));
	if (upload->buffer == NULL)
		abort();
	return upload->buffer + SMALL_HEAD;
}

enum err store_put_block(struct store_upload *upload, const void *data, size_t len)
{
	struct store *store = upload->store;
	struct record *record = &upload->record;
	uint32_t at = upload->size, block = at / TREE_BLOCK;
	enum err err = ERR_OK;

	upkeep_note_customer(store->upkeep);
	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	if (len == 0 || len > TREE_BLOCK || at % TREE_BLOCK != 0)
		return ERR_RANGE;
	if (at + len > upload->limit)
		return ERR_LIMIT;
	tree_block_hash(data, len, &record->blocks[block]);
	record->checksums[block] = record_checksum(&record->piece, block, data, len);
	if (!upload->on_disk && at + len <= RECORD_SMALL)
		memcpy(payload_of(upload) + at, data, len);
	else if (!upload->on_disk)
		err = start_writing(upload, data, len);
	else
		err = seam_write_full(store->seam, upload->extent.segment->fd, data, len,
				      (uint64_t)upload->extent.offset + record->head + at);
	upload->size += (uint32_t)len;
	if (err != ERR_OK) {
		health_fail(&store->health, "writing", upload->extent.segment->id, err);
		return ERR_READ_ONLY;
	}
	return ERR_OK;
}

void store_put_root(const struct store_upload *upload, struct bytes32 *ret_root, uint64_t *ret_size)
{
	struct bytes32 empty;

	*ret_size = upload->size;
	if (upload->size > 0) {
		tree_root(upload->record.blocks, upload->size, ret_root);
		return;
	}
	tree_block_hash(NULL, 0, &empty);
	tree_root(&empty, 0, ret_root);
}

/* Give the extent back, once nothing there looks like a record any more. */
static void give_back(struct store_upload *upload)
{
	struct store *store = upload->store;
	enum err err = ERR_OK;

	if (health_failed(&store->health))
		return;
	if (upload->on_disk && !planted(HEAD_NOT_WIPED))
		err = seam_write_full(store->seam, upload->extent.segment->fd, zeros, RECORD_CORE,
				      upload->extent.offset);
	if (err == ERR_OK)
		segments_release(store->segments, &upload->extent);
	else
		health_fail(&store->health, "writing", upload->extent.segment->id, err);
}

static void free_upload(struct store_upload *upload)
{
	free(upload->buffer);
	free(upload);
}

void store_put_abort(struct store_upload *upload)
{
	if (upload == NULL)
		return;
	give_back(upload);
	free_upload(upload);
}

/* A small record as it will stand on the disk: the head in front of the payload, zeros behind it. */
static struct bytes assemble(struct store_upload *upload)
{
	struct record_place place = place_of(upload);
	struct record *record = &upload->record;
	uint8_t *payload = payload_of(upload), *start = payload - record->head;
	size_t padding = record->extent - record->head - record->size;

	assert(record->head <= SMALL_HEAD);
	record_encode(record, &upload->store->secret, &place, start);
	memset(payload + record->size, 0, padding);
	return bytes_of(start, record->extent);
}

/* The complete head; a small piece as a whole, by the committer if that is better. */
static enum err write_record(struct store_upload *upload)
{
	struct record_place place = place_of(upload);
	uint8_t head[RECORD_HEAD_MAX];
	struct bytes record;
	enum err err;

	if (upload->on_disk) {
		record_encode(&upload->record, &upload->store->secret, &place, head);
		record = bytes_of(head, upload->record.head);
	} else {
		record = assemble(upload);
	}
	if (!upload->on_disk && record.len <= GATHER_MOST) {
		upload->commit.record = record;
		upload->commit.offset = place.offset;
		return ERR_OK;
	}
	err = seam_write_full(upload->store->seam, upload->extent.segment->fd, record.data, record.len, place.offset);
	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&upload->store->health, "writing", place.segment, err);
	return ERR_READ_ONLY;
}

/* From the committer's thread: the record is durable, or nobody knows. */
static void settle(struct commit *commit, enum err err)
{
	struct store_upload *upload = (struct store_upload *)commit;
	struct store *store = upload->store;
	struct record *record = &upload->record;
	uint64_t day = (record->expires + 86399) / 86400;

	if (err == ERR_OK) {
		struct index_place place = {
			.segment = upload->extent.segment->number,
			.offset = upload->extent.offset,
			.size = record->size,
			.day = day > UINT16_MAX ? UINT16_MAX : (uint16_t)day,
		};

		/* Counted before it can be found, or a delete could come first. */
		segments_settle(store->segments, &upload->extent, record);
		store_note_created(store, record->created);
		index_insert(store->index, index_hash(store->index, record->satellite, &record->piece), &place);
	}
	if (upload->numbered && err == ERR_OK)
		sequence_done(&store->sequence, &upload->ticket);
	else if (upload->numbered)
		sequence_lost(&store->sequence, &upload->ticket);
	if (upload->claimed)
		claims_drop(&store->claims, &upload->claim);
	upload->done(upload->arg, err);
	free_upload(upload);
}

static void complete_record(struct store_upload *upload, uint64_t stored_at)
{
	struct record *record = &upload->record;

	record->size = upload->size;
	record->stored_at = stored_at;
	if (upload->size == 0) {
		/* The empty piece: one block of nothing. */
		tree_block_hash(NULL, 0, &record->blocks[0]);
		record->checksums[0] = record_checksum(&record->piece, 0, NULL, 0);
	}
	tree_root(record->blocks, record->size, &record->root);
	if (!upload->on_disk)
		record->head = record_head_of_piece(tree_blocks(record->size));
	record->extent = record_extent(record->head, record->size);
}

static enum err claim_key(struct store_upload *upload)
{
	struct store *store = upload->store;
	struct store_key key = {upload->record.satellite, upload->record.piece};
	enum err err;

	if (!claims_take(&store->claims, &upload->claim, &key))
		return ERR_EXISTS;
	err = check_absent(store, &key);
	if (err == ERR_OK)
		upload->claimed = true;
	else
		claims_drop(&store->claims, &upload->claim);
	return err;
}

void store_put_end(struct store_upload *upload, const struct order *order, const struct signature *signature,
		   uint64_t stored_at, void (*done)(void *arg, enum err err), void *arg)
{
	struct store *store = upload->store;
	enum err err;

	upkeep_note_customer(store->upkeep);
	upload->done = done;
	upload->arg = arg;
	upload->commit.settle = settle;
	err = health_failed(&store->health) ? ERR_READ_ONLY : claim_key(upload);
	if (err != ERR_OK) {
		give_back(upload);
	} else {
		store_deal_order(order, signature, &upload->record.deal);
		complete_record(upload, stored_at);
		upload->record.sequence = sequence_take(&store->sequence, &upload->ticket);
		upload->numbered = true;
		err = write_record(upload);
	}
	if (err == ERR_OK) {
		segments_shorten(store->segments, &upload->extent, upload->record.extent);
		upload->commit.segment = upload->extent.segment;
	}
	upload->commit.err = err;
	committer_add(store->committer, &upload->commit);
}
