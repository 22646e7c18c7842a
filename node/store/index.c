/*
 * 4096 open-addressing tables under 64 locks.
 *
 * A slot is two words: 42 bits hash, 16 bits day, 6 bits flags; 18 bits segment, 24 bits offset in units, 22 bits
 * size. The second word of a slot in use is never 0, because no record starts at offset 0. Within a table the low 30
 * bits of the hash, scaled to its capacity, say where a slot belongs; removing closes the gap by moving back those
 * that probed over it, so there are no marks of the dead to pile up.
 */
#include "node/store/index.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define HASH_BITS 42
#define LOW_BITS 30
#define TABLES (1u << (HASH_BITS - LOW_BITS))
#define LOCKS 64
#define LEAST 8
#define BLOCK (ARENA_BLOCK / sizeof(struct index_slot)) /* slots of a block */

/* Slots in blocks. The only block of a table smaller than one is not the arena's. */
struct table {
	struct index_slot **blocks;
	uint32_t room; /* slots; a multiple of BLOCK, or less than it */
	uint32_t count;
};

struct scan {
	pthread_mutex_t lock; /* of the edits */
	atomic_uint next;     /* tables before it were visited; 0: no scan is on, or none was */
	struct index_edit *edits;
	size_t count;
	size_t room;
};

struct index {
	struct record_secret secret;
	struct arena *arena;
	pthread_mutex_t locks[LOCKS];
	atomic_uint_fast64_t count;
	atomic_uint_fast64_t extra; /* bytes beside the arena */
	struct scan scan;
	struct table tables[TABLES];
};

struct index_slot index_pack(uint64_t hash, const struct index_place *place)
{
	uint64_t units = place->offset / RECORD_UNIT;

	assert(place->segment < INDEX_SEGMENTS && units > 0 && units < 1u << 24 && place->size < 1u << 22);
	assert(place->flags < 1u << 6);
	return (struct index_slot){hash << 22 | (uint64_t)place->day << 6 | place->flags,
				   (uint64_t)place->segment << 46 | units << 22 | place->size};
}

static uint64_t hash_of(const struct index_slot *slot)
{
	return slot->key >> 22;
}

uint64_t index_unpack(const struct index_slot *slot, struct index_place *ret)
{
	*ret = (struct index_place){
		.segment = (uint32_t)(slot->place >> 46),
		.offset = (uint32_t)(slot->place >> 22 & ((1u << 24) - 1)) * RECORD_UNIT,
		.size = (uint32_t)(slot->place & ((1u << 22) - 1)),
		.day = (uint16_t)(slot->key >> 6),
		.flags = (uint8_t)(slot->key & 63),
	};
	return hash_of(slot);
}

static bool stands_at(const struct index_slot *slot, uint64_t hash, uint32_t segment, uint32_t offset)
{
	return hash_of(slot) == hash && slot->place >> 22 == ((uint64_t)segment << 24 | offset / RECORD_UNIT);
}

struct index *index_new(const struct record_secret *secret)
{
	return index_new_in(secret, arena_new());
}

struct index *index_new_in(const struct record_secret *secret, struct arena *arena)
{
	struct index *index = memory_new(1, sizeof(*index));

	index->secret = *secret;
	index->arena = arena;
	pthread_mutex_init(&index->scan.lock, NULL);
	for (unsigned i = 0; i < LOCKS; i++)
		pthread_mutex_init(&index->locks[i], NULL);
	return index;
}

void index_free(struct index *index)
{
	if (index == NULL)
		return;
	for (unsigned i = 0; i < TABLES; i++) {
		if (index->tables[i].room > 0 && index->tables[i].room < BLOCK)
			free(index->tables[i].blocks[0]);
		free(index->tables[i].blocks);
	}
	for (unsigned i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&index->locks[i]);
	pthread_mutex_destroy(&index->scan.lock);
	free(index->scan.edits);
	arena_free(index->arena);
	free(index);
}

uint64_t index_hash(const struct index *index, uint16_t satellite, const struct bytes32 *piece)
{
	uint8_t input[34], hash[crypto_shorthash_BYTES];

	put_be16(input, satellite);
	memcpy(input + 2, piece->b, 32);
	crypto_shorthash(hash, input, sizeof(input), index->secret.b);
	return get_be64(hash) >> (64 - HASH_BITS);
}

static struct index_slot *slot_at(const struct table *table, uint32_t at)
{
	return &table->blocks[at / BLOCK][at % BLOCK];
}

static bool is_used(const struct table *table, uint32_t at)
{
	return slot_at(table, at)->place != 0;
}

static uint32_t home_of(const struct table *table, uint64_t hash)
{
	return (uint32_t)((hash & ((1u << LOW_BITS) - 1)) * table->room >> LOW_BITS);
}

static uint32_t after(const struct table *table, uint32_t at)
{
	return at + 1 == table->room ? 0 : at + 1;
}

static uint32_t number_of(uint64_t hash)
{
	assert(hash >> HASH_BITS == 0);
	return (uint32_t)(hash >> LOW_BITS);
}

static struct table *enter(struct index *index, uint64_t hash)
{
	pthread_mutex_lock(&index->locks[number_of(hash) % LOCKS]);
	return &index->tables[number_of(hash)];
}

static void leave(struct index *index, uint64_t hash)
{
	pthread_mutex_unlock(&index->locks[number_of(hash) % LOCKS]);
}

/* Under the table's lock: a scan that has passed it must hear of the change. */
static void note_edit(struct index *index, uint64_t hash, const struct index_slot *old, const struct index_slot *new)
{
	struct scan *scan = &index->scan;

	if (number_of(hash) >= atomic_load(&scan->next))
		return;
	pthread_mutex_lock(&scan->lock);
	scan->edits = memory_grow(scan->edits, &scan->room, scan->count + 1, sizeof(*scan->edits));
	scan->edits[scan->count++] = (struct index_edit){*old, *new};
	pthread_mutex_unlock(&scan->lock);
}

static const struct index_slot nothing;

static void put_slot(struct table *table, struct index_slot slot)
{
	uint32_t at = home_of(table, hash_of(&slot));

	while (is_used(table, at))
		at = after(table, at);
	*slot_at(table, at) = slot;
}

/* Replace what stands at this position. */
static void rewrite(struct index *index, struct table *table, uint32_t at, struct index_slot slot)
{
	note_edit(index, hash_of(&slot), slot_at(table, at), &slot);
	*slot_at(table, at) = slot;
}

/* The slots in use, and the table empty. */
static struct index_slot *take_all(struct table *table)
{
	struct index_slot *all = memory_new(table->count + 1u, sizeof(*all));
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->room; i++) {
		if (is_used(table, i))
			all[count++] = *slot_at(table, i);
	}
	for (uint32_t i = 0; i < table->room; i += BLOCK)
		memset(slot_at(table, i), 0, (table->room < BLOCK ? table->room : BLOCK) * sizeof(*all));
	assert(count == table->count);
	return all;
}

static uint32_t larger_room(uint32_t room)
{
	uint32_t larger = room + room / 8 + LEAST;

	if (larger < BLOCK)
		return larger;
	/* Whole blocks: an eighth more, and one at least. */
	return (uint32_t)((room + room / 8) / BLOCK * BLOCK + (room < 8 * BLOCK ? BLOCK : 0));
}

static void set_room(struct index *index, struct table *table, uint32_t room)
{
	size_t had = (table->room + BLOCK - 1) / BLOCK, count = (room + BLOCK - 1) / BLOCK;

	table->blocks = realloc(table->blocks, count * sizeof(struct index_slot *));
	if (table->blocks == NULL)
		abort();
	atomic_fetch_add(&index->extra, (count - had) * sizeof(struct index_slot *));
	if (table->room > 0 && table->room < BLOCK) {
		free(table->blocks[0]);
		atomic_fetch_sub(&index->extra, table->room * sizeof(struct index_slot));
		had = 0;
	}
	if (room < BLOCK) {
		table->blocks[0] = memory_new(room, sizeof(struct index_slot));
		atomic_fetch_add(&index->extra, room * sizeof(struct index_slot));
		had = 1;
	}
	for (size_t i = had; i < count; i++)
		table->blocks[i] = arena_take(index->arena);
	table->room = room;
}

static void grow(struct index *index, struct table *table)
{
	struct index_slot *all = take_all(table);

	set_room(index, table, larger_room(table->room));
	for (uint32_t i = 0; i < table->count; i++)
		put_slot(table, all[i]);
	free(all);
}

static uint32_t root_of(uint32_t square)
{
	uint32_t root = 0;

	while ((uint64_t)(root + 1) * (root + 1) <= square)
		root++;
	return root;
}

void index_reserve(struct index *index, uint64_t count)
{
	/* Tables differ by about the root of their count; three times that is enough for all but a few. */
	uint32_t each = (uint32_t)(count / TABLES), room = (each + 3 * root_of(each) + 1) * 8 / 7;

	if (room > BLOCK)
		room = (uint32_t)((room + BLOCK - 1) / BLOCK * BLOCK);
	for (uint32_t i = 0; i < TABLES; i++) {
		struct table *table = &index->tables[i];

		pthread_mutex_lock(&index->locks[i % LOCKS]);
		if (table->count == 0 && table->room < room)
			set_room(index, table, room);
		pthread_mutex_unlock(&index->locks[i % LOCKS]);
	}
}

void index_insert(struct index *index, uint64_t hash, const struct index_place *place)
{
	struct table *table = enter(index, hash);
	struct index_slot slot = index_pack(hash, place);

	if ((uint64_t)(table->count + 1) * 8 > (uint64_t)table->room * 7)
		grow(index, table);
	put_slot(table, slot);
	note_edit(index, hash, &nothing, &slot);
	table->count++;
	atomic_fetch_add(&index->count, 1);
	leave(index, hash);
}

size_t index_find(struct index *index, uint64_t hash, void (*pin)(void *arg, uint32_t segment), void *arg,
		  struct index_place ret[INDEX_MATCHES])
{
	struct table *table = enter(index, hash);
	size_t found = 0;

	if (table->room > 0) {
		uint32_t at = home_of(table, hash);

		for (; is_used(table, at) && found < INDEX_MATCHES; at = after(table, at)) {
			if (hash_of(slot_at(table, at)) != hash)
				continue;
			index_unpack(slot_at(table, at), &ret[found]);
			if (pin != NULL)
				pin(arg, ret[found].segment);
			found++;
		}
	}
	leave(index, hash);
	return found;
}

/* The slot's position, or `room` when it is not there. */
static uint32_t position_of(const struct table *table, uint64_t hash, uint32_t segment, uint32_t offset)
{
	uint32_t at;

	if (table->room == 0)
		return 0;
	for (at = home_of(table, hash); is_used(table, at); at = after(table, at)) {
		if (stands_at(slot_at(table, at), hash, segment, offset))
			return at;
	}
	return table->room;
}

/* Steps from a slot's home to `at`. */
static uint32_t distance(const struct table *table, const struct index_slot *slot, uint32_t at)
{
	uint32_t home = home_of(table, hash_of(slot));

	return at >= home ? at - home : at + table->room - home;
}

static void close_gap(struct table *table, uint32_t gap)
{
	uint32_t at = after(table, gap), steps = 1;

	for (; is_used(table, at); at = after(table, at), steps++) {
		if (distance(table, slot_at(table, at), at) < steps)
			continue;
		*slot_at(table, gap) = *slot_at(table, at);
		gap = at;
		steps = 0;
	}
	*slot_at(table, gap) = nothing;
}

bool index_remove(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset, struct index_place *ret)
{
	struct table *table = enter(index, hash);
	uint32_t at = position_of(table, hash, segment, offset);
	bool found = at < table->room;

	if (found) {
		if (ret != NULL)
			index_unpack(slot_at(table, at), ret);
		note_edit(index, hash, slot_at(table, at), &nothing);
		close_gap(table, at);
		table->count--;
		atomic_fetch_sub(&index->count, 1);
	}
	leave(index, hash);
	return found;
}

bool index_mark(struct index *index, uint64_t hash, const struct index_spot *at, const struct index_change *change,
		struct index_place *ret)
{
	struct table *table = enter(index, hash);
	uint32_t position = position_of(table, hash, at->segment, at->offset);
	bool found = position < table->room;

	if (found) {
		struct index_place place;

		index_unpack(slot_at(table, position), &place);
		*ret = place;
		place.flags = (uint8_t)((place.flags | change->set) & ~change->clear);
		if (change->dated)
			place.day = change->day;
		rewrite(index, table, position, index_pack(hash, &place));
	}
	leave(index, hash);
	return found;
}

bool index_move(struct index *index, uint64_t hash, const struct index_spot *from, const struct index_spot *to,
		struct index_place *ret)
{
	struct table *table = enter(index, hash);
	uint32_t at = position_of(table, hash, from->segment, from->offset);
	bool found = at < table->room;

	if (found) {
		index_unpack(slot_at(table, at), ret);
		ret->segment = to->segment;
		ret->offset = to->offset;
		rewrite(index, table, at, index_pack(hash, ret));
	}
	leave(index, hash);
	return found;
}

bool index_get(struct index *index, uint64_t hash, const struct index_spot *at, struct index_place *ret)
{
	struct table *table = enter(index, hash);
	uint32_t position = position_of(table, hash, at->segment, at->offset);
	bool found = position < table->room;

	if (found)
		index_unpack(slot_at(table, position), ret);
	leave(index, hash);
	return found;
}

bool index_has(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset)
{
	struct table *table = enter(index, hash);
	bool found = position_of(table, hash, segment, offset) < table->room;

	leave(index, hash);
	return found;
}

void index_scan_begin(struct index *index)
{
	size_t count;

	free(index_scan_end(index, &count));
}

bool index_scan_next(struct index *index, void (*each)(void *arg, const struct index_slot *slot), void *arg)
{
	uint32_t number = atomic_load(&index->scan.next);
	struct table *table = &index->tables[number];

	if (number == TABLES)
		return false;
	pthread_mutex_lock(&index->locks[number % LOCKS]);
	for (uint32_t i = 0; i < table->room; i++) {
		if (is_used(table, i))
			each(arg, slot_at(table, i));
	}
	atomic_store(&index->scan.next, number + 1);
	pthread_mutex_unlock(&index->locks[number % LOCKS]);
	return true;
}

size_t index_scan_edits(struct index *index)
{
	size_t count;

	pthread_mutex_lock(&index->scan.lock);
	count = index->scan.count;
	pthread_mutex_unlock(&index->scan.lock);
	return count;
}

struct index_edit *index_scan_end(struct index *index, size_t *ret_count)
{
	struct scan *scan = &index->scan;
	struct index_edit *edits;

	pthread_mutex_lock(&scan->lock);
	atomic_store(&scan->next, 0);
	edits = scan->edits;
	*ret_count = scan->count;
	scan->edits = NULL;
	scan->count = 0;
	scan->room = 0;
	pthread_mutex_unlock(&scan->lock);
	return edits;
}

uint64_t index_count(const struct index *index)
{
	return atomic_load(&index->count);
}

uint64_t index_bytes(struct index *index)
{
	return sizeof(*index) + atomic_load(&index->extra) + arena_bytes(index->arena);
}
