/* The list in memory and on disk. */
#include "node/store/damage.h"

#include <assert.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "node/store/verify.h"

#define VERSION 1
#define AT_CRC (DAMAGE_ENTRY - 4)
#define STEP (512u * DAMAGE_ENTRY) /* the file grows by so much, ahead of need: a full disk can still be told of */

static const char magic[4] = "GRND";

struct damaged {
	struct damage_entry entry;
	UT_hash_handle hh;
};

static uint32_t crc_of(const uint8_t entry[DAMAGE_ENTRY])
{
	/* ISA-L takes no const; it reads only. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)entry, AT_CRC, UINT32_MAX);
}

void damage_entry_encode(const struct damage_entry *entry, uint8_t out[DAMAGE_ENTRY])
{
	struct writer w;

	memset(out, 0, DAMAGE_ENTRY);
	writer_init(&w, out, AT_CRC);
	write_raw(&w, magic, sizeof(magic));
	write_u8(&w, VERSION);
	write_u8(&w, (uint8_t)entry->state);
	write_u16(&w, entry->key.satellite);
	write_raw(&w, entry->key.piece.b, sizeof(entry->key.piece.b));
	write_u64(&w, entry->target.sequence);
	write_u32(&w, entry->target.place.segment);
	write_u32(&w, entry->target.place.offset);
	write_u32(&w, entry->target.size);
	write_u32(&w, entry->target.extent);
	write_u64(&w, entry->found);
	assert(w.err == ERR_OK);
	put_be32(out + AT_CRC, crc_of(out));
}

enum err damage_entry_decode(const uint8_t from[DAMAGE_ENTRY], struct damage_entry *ret)
{
	struct damage_entry entry;
	struct reader r;
	uint8_t version, state;

	if (memcmp(from, magic, sizeof(magic)) != 0)
		return ERR_FORMAT;
	if (get_be32(from + AT_CRC) != crc_of(from))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from + sizeof(magic), AT_CRC - sizeof(magic)));
	version = read_u8(&r);
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	state = read_u8(&r);
	if (state < DAMAGE_BAD || state > DAMAGE_GONE)
		return ERR_CORRUPT;
	memset(&entry, 0, sizeof(entry));
	entry.state = (enum damage_state)state;
	entry.key.satellite = read_u16(&r);
	read_raw(&r, entry.key.piece.b, sizeof(entry.key.piece.b));
	entry.target.sequence = read_u64(&r);
	entry.target.place.segment = read_u32(&r);
	entry.target.place.offset = read_u32(&r);
	entry.target.size = read_u32(&r);
	entry.target.extent = read_u32(&r);
	entry.found = read_u64(&r);
	assert(r.err == ERR_OK);
	*ret = entry;
	return ERR_OK;
}

void damage_init(struct damage_list *damage)
{
	*damage = (struct damage_list){.fd = -1};
	pthread_mutex_init(&damage->lock, NULL);
}

void damage_destroy(struct damage_list *damage, const struct seam *seam)
{
	struct damaged *at, *next;

	HASH_ITER(hh, damage->table, at, next) {
		HASH_DEL(damage->table, at);
		free(at);
	}
	if (damage->fd >= 0)
		seam->close(seam, damage->fd);
	pthread_mutex_destroy(&damage->lock);
}

static struct damaged *look_up(struct damage_list *damage, const struct store_key *key)
{
	struct damaged *found;

	HASH_FIND(hh, damage->table, key, sizeof(*key), found);
	return found;
}

/* An entry counts no more. */
static void discount(struct damage_list *damage, const struct damage_entry *entry)
{
	damage->bytes -= entry->target.size;
	if (entry->state == DAMAGE_BAD)
		damage->untold--;
}

/* Take what an entry says into the table. */
static void apply(struct damage_list *damage, const struct damage_entry *entry)
{
	struct damaged *at = look_up(damage, &entry->key);

	if (at != NULL)
		discount(damage, &at->entry);
	if (entry->state == DAMAGE_GONE) {
		if (at != NULL)
			HASH_DEL(damage->table, at);
		free(at);
		return;
	}
	if (at == NULL) {
		at = memory_new(1, sizeof(*at));
		at->entry.key = entry->key;
		HASH_ADD(hh, damage->table, entry.key, sizeof(at->entry.key), at);
	}
	at->entry = *entry;
	damage->bytes += entry->target.size;
	if (entry->state == DAMAGE_BAD)
		damage->untold++;
}

static void path_of(const struct store *store, const char *suffix, char out[SEGMENT_PATH])
{
	snprintf(out, SEGMENT_PATH, "%s/DAMAGE%s", store->dir, suffix);
}

static enum err open_list(struct store *store)
{
	struct damage_list *damage = &store->damage;
	char path[SEGMENT_PATH];
	enum err err;

	if (damage->fd >= 0)
		return ERR_OK;
	path_of(store, "", path);
	err = seam_open_file(store->seam, path, O_RDWR | O_CREAT, &damage->fd);
	return err == ERR_OK ? seam_sync_directory(store->seam, store->dir) : err;
}

/* Write an entry behind the last one. The caller holds the lock. */
static enum err append(struct store *store, const struct damage_entry *entry)
{
	struct damage_list *damage = &store->damage;
	uint8_t raw[DAMAGE_ENTRY];
	enum err err;

	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	err = open_list(store);
	if (err == ERR_OK && damage->end + DAMAGE_ENTRY > damage->size) {
		err = seam_allocate_file(store->seam, damage->fd, damage->end + STEP);
		if (err == ERR_OK)
			damage->size = damage->end + STEP;
	}
	if (err != ERR_OK)
		return err;
	damage_entry_encode(entry, raw);
	err = seam_write_full(store->seam, damage->fd, raw, sizeof(raw), damage->end);
	if (err != ERR_OK) {
		health_fail(&store->health, "writing the list of damaged pieces", 0, err);
		return ERR_READ_ONLY;
	}
	damage->end += DAMAGE_ENTRY;
	return ERR_OK;
}

static enum err sync_list(struct store *store)
{
	enum err err = store->damage.fd < 0 ? ERR_OK : seam_sync_file(store->seam, store->damage.fd);

	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&store->health, "syncing the list of damaged pieces", 0, err);
	return ERR_READ_ONLY;
}

/* Mark the live record at that place; false when it is not the live one of its key. */
static bool mark_slot(struct store *store, const struct store_key *key, uint32_t segment, uint32_t offset)
{
	const struct index_change change = {.set = INDEX_BAD};
	const struct index_spot spot = {segment, offset};
	struct index_place before;

	return index_mark(store->index, index_hash(store->index, key->satellite, &key->piece), &spot, &change, &before);
}

bool damage_disk_answers(struct store *store)
{
	struct super *copy = memory_new(1, sizeof(*copy));
	enum err err;

	pthread_mutex_lock(&store->super_lock);
	store->seam->advise(store->seam, store->super_fd, 0, 0, POSIX_FADV_DONTNEED);
	err = super_load(store->seam, store->super_fd, copy);
	pthread_mutex_unlock(&store->super_lock);
	free(copy);
	return err == ERR_OK;
}

enum err damage_mark(struct store *store, struct segment *segment, const struct segment_entry *entry)
{
	struct damage_list *damage = &store->damage;
	struct store_key key = {entry->satellite, entry->piece};
	const struct damage_entry found = {
		.state = DAMAGE_BAD,
		.key = key,
		.target = {{segment->id, entry->offset}, entry->size, entry->extent, entry->sequence},
		.found = clock_wall(),
	};
	const struct damaged *known;
	enum err err = ERR_OK;

	if (!index_has(store->index, index_hash(store->index, key.satellite, &key.piece), segment->number,
		       entry->offset))
		return ERR_NOT_FOUND;
	if (verify_record(store, segment, entry) == ERR_OK)
		return ERR_OK;
	if (!damage_disk_answers(store))
		return ERR_IO;
	pthread_mutex_lock(&damage->lock);
	known = look_up(damage, &key);
	if (known == NULL || known->entry.target.sequence != entry->sequence) {
		err = HASH_COUNT(damage->table) < DAMAGE_MOST ? append(store, &found) : ERR_LIMIT;
		if (err == ERR_OK)
			err = sync_list(store);
		if (err == ERR_OK) {
			apply(damage, &found);
			damage->found++;
		}
	}
	pthread_mutex_unlock(&damage->lock);
	if (err != ERR_OK)
		return err;
	return mark_slot(store, &key, segment->number, entry->offset) ? ERR_CORRUPT : ERR_NOT_FOUND;
}

enum err damage_mark_head(struct store *store, struct segment *segment, uint32_t offset, const struct store_key *key,
			  enum err err)
{
	struct segment_entry *entries = NULL;
	size_t count = 0;

	if (segments_entries(store->segments, segment, &entries, &count) != ERR_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		const struct segment_entry *entry = &entries[i];
		bool is_key = entry->satellite == key->satellite && bytes32_equal(&entry->piece, &key->piece);

		if (entry->type != RECORD_PIECE || entry->offset != offset)
			continue;
		err = damage_mark(store, segment, entry);
		if (!is_key && err != ERR_IO)
			err = ERR_NOT_FOUND;
		else if (err == ERR_OK)
			err = ERR_IO; /* three reads, two answers: who asks may ask again */
		else if (err != ERR_IO && err != ERR_NOT_FOUND)
			err = ERR_CORRUPT;
		break;
	}
	free(entries);
	return err;
}

enum err damage_list_lost(struct store *store, const struct damage_entry *entries, size_t count)
{
	struct damage_list *damage = &store->damage;
	enum err err = ERR_OK;

	pthread_mutex_lock(&damage->lock);
	for (size_t i = 0; i < count; i++) {
		const struct damaged *known = look_up(damage, &entries[i].key);

		if (known != NULL && known->entry.target.sequence == entries[i].target.sequence)
			continue;
		if (err == ERR_OK)
			err = HASH_COUNT(damage->table) < DAMAGE_MOST ? append(store, &entries[i]) : ERR_LIMIT;
		if (HASH_COUNT(damage->table) >= DAMAGE_MOST)
			break;
		apply(damage, &entries[i]);
		damage->found++;
	}
	if (err == ERR_OK && count > 0)
		err = sync_list(store);
	pthread_mutex_unlock(&damage->lock);
	return err;
}

bool damage_find(struct store *store, const struct store_key *key, struct damage_entry *ret)
{
	struct damage_list *damage = &store->damage;
	const struct damaged *found;

	pthread_mutex_lock(&damage->lock);
	found = look_up(damage, key);
	if (found != NULL)
		*ret = found->entry;
	pthread_mutex_unlock(&damage->lock);
	return found != NULL;
}

/* Change the state of a listed piece, in the file first. The caller holds the lock. */
static enum err change(struct store *store, const struct store_key *key, enum damage_state state)
{
	struct damaged *at = look_up(&store->damage, key);
	struct damage_entry entry;
	enum err err;

	if (at == NULL || at->entry.state == state)
		return ERR_OK;
	entry = at->entry;
	entry.state = state;
	err = append(store, &entry);
	if (err == ERR_OK)
		apply(&store->damage, &entry);
	return err;
}

/* Whether the record of this listed piece holds; then it is marked no more. */
static bool is_well(struct store *store, struct segment *segment, const struct damage_entry *listed)
{
	const struct segment_entry entry = {
		.satellite = listed->key.satellite,
		.type = RECORD_PIECE,
		.piece = listed->key.piece,
		.offset = listed->target.place.offset,
		.sequence = listed->target.sequence,
		.size = listed->target.size,
		.extent = listed->target.extent,
	};
	const struct index_change change = {.clear = INDEX_BAD};
	const struct index_spot spot = {segment->number, entry.offset};
	struct index_place before;

	if (verify_record(store, segment, &entry) != ERR_OK)
		return false;
	(void)index_mark(store->index, index_hash(store->index, entry.satellite, &entry.piece), &spot, &change,
			 &before);
	return true;
}

enum err damage_recheck(struct store *store, uint32_t id)
{
	struct damage_list *damage = &store->damage;
	struct segment *segment = segments_find(store->segments, SEGMENT_PIECES, id);
	struct damaged *at, *next;
	enum err err = ERR_OK;

	if (segment == NULL)
		return ERR_OK;
	pthread_mutex_lock(&damage->lock);
	HASH_ITER(hh, damage->table, at, next) {
		if (err == ERR_OK && at->entry.target.place.segment == id && is_well(store, segment, &at->entry))
			err = change(store, &at->entry.key, DAMAGE_GONE);
	}
	pthread_mutex_unlock(&damage->lock);
	segments_unpin(store->segments, segment);
	return err;
}

void damage_forget(struct store *store, const struct store_key *key)
{
	struct damage_entry gone = {.state = DAMAGE_GONE, .key = *key};

	pthread_mutex_lock(&store->damage.lock);
	/* Not synced: were it lost, the next start would find that the index has no such record. */
	if (change(store, key, DAMAGE_GONE) != ERR_OK)
		apply(&store->damage, &gone);
	pthread_mutex_unlock(&store->damage.lock);
}

static int compare_found(const void *left, const void *right)
{
	const struct store_loss *a = left, *b = right;

	if (a->found != b->found)
		return a->found < b->found ? -1 : 1;
	return bytes32_compare(&a->piece, &b->piece);
}

size_t store_losses(struct store *store, uint16_t satellite, struct store_loss **ret)
{
	struct damage_list *damage = &store->damage;
	struct store_loss *list = NULL;
	size_t count = 0, room = 0;

	pthread_mutex_lock(&damage->lock);
	for (const struct damaged *at = damage->table; at != NULL && damage->untold > 0; at = at->hh.next) {
		if (at->entry.key.satellite != satellite || at->entry.state != DAMAGE_BAD)
			continue;
		list = memory_grow(list, &room, count + 1, sizeof(*list));
		list[count++] = (struct store_loss){at->entry.key.piece, at->entry.target.size, at->entry.found};
	}
	pthread_mutex_unlock(&damage->lock);
	if (count > 0)
		qsort(list, count, sizeof(*list), compare_found);
	*ret = list;
	return count;
}

enum err store_losses_told(struct store *store, uint16_t satellite, const struct bytes32 *pieces, size_t count)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&store->damage.lock);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		const struct store_key key = {satellite, pieces[i]};

		err = change(store, &key, DAMAGE_TOLD);
	}
	if (err == ERR_OK)
		err = sync_list(store);
	pthread_mutex_unlock(&store->damage.lock);
	return err;
}

void store_damage(struct store *store, struct store_damage *ret)
{
	pthread_mutex_lock(&store->damage.lock);
	*ret = (struct store_damage){
		.pieces = HASH_COUNT(store->damage.table),
		.bytes = store->damage.bytes,
		.untold = store->damage.untold,
		.found = store->damage.found,
		.gone_files = store->gone_files,
		.gone_pieces = store->gone_pieces,
	};
	pthread_mutex_unlock(&store->damage.lock);
}

/* Read all entries of the file. */
static enum err read_list(struct store *store)
{
	struct damage_list *damage = &store->damage;
	uint8_t raw[64 * DAMAGE_ENTRY];
	struct damage_entry entry;

	for (uint64_t at = 0; at + DAMAGE_ENTRY <= damage->size;) {
		uint64_t len = damage->size - at < sizeof(raw) ? (damage->size - at) / DAMAGE_ENTRY * DAMAGE_ENTRY
							       : sizeof(raw);

		if (seam_read_full(store->seam, damage->fd, raw, len, at) != ERR_OK)
			memset(raw, 0, sizeof(raw));
		for (uint64_t i = 0; i < len; i += DAMAGE_ENTRY) {
			enum err err = damage_entry_decode(raw + i, &entry);

			if (err == ERR_UNSUPPORTED)
				return err;
			if (err != ERR_OK)
				continue;
			apply(damage, &entry);
			damage->end = at + i + DAMAGE_ENTRY;
		}
		at += len;
	}
	return ERR_OK;
}

/* Whether the record of a listed piece is still the live one; then it is marked. */
static bool is_there(struct store *store, const struct damage_entry *entry)
{
	struct segment *segment = segments_find(store->segments, SEGMENT_PIECES, entry->target.place.segment);
	bool marked;

	if (segment == NULL)
		return false;
	marked = mark_slot(store, &entry->key, segment->number, entry->target.place.offset);
	segments_unpin(store->segments, segment);
	return marked;
}

/* Whether a sound record of that key is there. */
static bool is_sound(struct store *store, const struct store_key *key)
{
	struct located found;

	if (store_locate(store, key, LOCATE_CORE, &found, NULL) != ERR_OK)
		return false;
	segments_unpin(store->segments, found.segment);
	return true;
}

/* What is gone, and was acknowledged or put anew, need not be kept. */
static void settle_list(struct store *store)
{
	struct damage_list *damage = &store->damage;
	struct damaged *at, *next;

	HASH_ITER(hh, damage->table, at, next) {
		if (is_there(store, &at->entry) || (at->entry.state == DAMAGE_BAD && !is_sound(store, &at->entry.key)))
			continue;
		discount(damage, &at->entry);
		HASH_DEL(damage->table, at);
		free(at);
	}
}

static enum err write_list(struct store *store, int fd, uint64_t *ret_end)
{
	uint8_t raw[DAMAGE_ENTRY];
	uint64_t end = 0;
	enum err err = ERR_OK;

	for (const struct damaged *at = store->damage.table; at != NULL && err == ERR_OK; at = at->hh.next) {
		damage_entry_encode(&at->entry, raw);
		err = seam_write_full(store->seam, fd, raw, sizeof(raw), end);
		end += sizeof(raw);
	}
	if (err == ERR_OK)
		err = seam_sync_file(store->seam, fd);
	*ret_end = end;
	return err;
}

/* Write the file anew when most of it says nothing. When that fails, the old one is as good. */
static void tidy(struct store *store)
{
	struct damage_list *damage = &store->damage;
	uint64_t needed = (uint64_t)HASH_COUNT(damage->table) * DAMAGE_ENTRY, end = 0;
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH];
	enum err err;
	int fd;

	if (damage->end <= 2 * needed + STEP || health_failed(&store->health))
		return;
	path_of(store, "", path);
	path_of(store, ".new", temporary);
	if (seam_open_file(store->seam, temporary, O_RDWR | O_CREAT | O_TRUNC, &fd) != ERR_OK)
		return;
	err = write_list(store, fd, &end);
	if (err == ERR_OK)
		err = seam_rename_file(store->seam, temporary, path);
	if (err != ERR_OK) {
		store->seam->close(store->seam, fd);
		return;
	}
	store->seam->close(store->seam, damage->fd);
	damage->fd = fd;
	damage->size = damage->end = end;
	err = seam_sync_directory(store->seam, store->dir);
	if (err != ERR_OK)
		health_fail(&store->health, "syncing a directory", 0, err);
}

enum err damage_load(struct store *store)
{
	struct damage_list *damage = &store->damage;
	char path[SEGMENT_PATH];
	struct seam_stat st;
	enum err err;

	path_of(store, "", path);
	err = seam_stat_path(store->seam, path, &st);
	if (err == ERR_OK)
		err = seam_open_file(store->seam, path, O_RDWR, &damage->fd);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	damage->size = st.size;
	err = read_list(store);
	if (err != ERR_OK)
		return err;
	settle_list(store);
	tidy(store);
	return ERR_OK;
}
