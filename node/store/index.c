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

struct slot {
	uint64_t key;	/* hash, day, flags */
	uint64_t place; /* segment, offset, size; 0: empty */
};

struct table {
	struct slot *slots;
	uint32_t room;
	uint32_t count;
};

struct index {
	struct record_secret secret;
	pthread_mutex_t locks[LOCKS];
	atomic_uint_fast64_t count;
	atomic_uint_fast64_t room;
	struct table tables[TABLES];
};

static struct slot pack(uint64_t hash, const struct index_place *place)
{
	uint64_t units = place->offset / RECORD_UNIT;

	assert(place->segment < INDEX_SEGMENTS && units > 0 && units < 1u << 24 && place->size < 1u << 22);
	assert(place->flags < 1u << 6);
	return (struct slot){hash << 22 | (uint64_t)place->day << 6 | place->flags,
			     (uint64_t)place->segment << 46 | units << 22 | place->size};
}

static struct index_place unpack(const struct slot *slot)
{
	return (struct index_place){
		.segment = (uint32_t)(slot->place >> 46),
		.offset = (uint32_t)(slot->place >> 22 & ((1u << 24) - 1)) * RECORD_UNIT,
		.size = (uint32_t)(slot->place & ((1u << 22) - 1)),
		.day = (uint16_t)(slot->key >> 6),
		.flags = (uint8_t)(slot->key & 63),
	};
}

static uint64_t hash_of(const struct slot *slot)
{
	return slot->key >> 22;
}

static bool stands_at(const struct slot *slot, uint64_t hash, uint32_t segment, uint32_t offset)
{
	return hash_of(slot) == hash && slot->place >> 22 == ((uint64_t)segment << 24 | offset / RECORD_UNIT);
}

struct index *index_new(const struct record_secret *secret)
{
	struct index *index = memory_new(1, sizeof(*index));

	index->secret = *secret;
	for (unsigned i = 0; i < LOCKS; i++)
		pthread_mutex_init(&index->locks[i], NULL);
	return index;
}

void index_free(struct index *index)
{
	if (index == NULL)
		return;
	for (unsigned i = 0; i < TABLES; i++)
		free(index->tables[i].slots);
	for (unsigned i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&index->locks[i]);
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

static uint32_t home_of(const struct table *table, uint64_t hash)
{
	return (uint32_t)((hash & ((1u << LOW_BITS) - 1)) * table->room >> LOW_BITS);
}

static uint32_t after(const struct table *table, uint32_t at)
{
	return at + 1 == table->room ? 0 : at + 1;
}

static struct table *enter(struct index *index, uint64_t hash)
{
	uint32_t number = (uint32_t)(hash >> LOW_BITS);

	assert(number < TABLES);
	pthread_mutex_lock(&index->locks[number % LOCKS]);
	return &index->tables[number];
}

static void leave(struct index *index, uint64_t hash)
{
	pthread_mutex_unlock(&index->locks[(hash >> LOW_BITS) % LOCKS]);
}

static void put_slot(struct table *table, struct slot slot)
{
	uint32_t at = home_of(table, hash_of(&slot));

	while (table->slots[at].place != 0)
		at = after(table, at);
	table->slots[at] = slot;
}

static void grow(struct index *index, struct table *table)
{
	struct table larger = {NULL, table->room + table->room / 8 + LEAST, table->count};

	larger.slots = memory_new(larger.room, sizeof(*larger.slots));
	for (uint32_t i = 0; i < table->room; i++) {
		if (table->slots[i].place != 0)
			put_slot(&larger, table->slots[i]);
	}
	atomic_fetch_add(&index->room, larger.room - table->room);
	free(table->slots);
	*table = larger;
}

void index_insert(struct index *index, uint64_t hash, const struct index_place *place)
{
	struct table *table = enter(index, hash);

	if ((uint64_t)(table->count + 1) * 8 > (uint64_t)table->room * 7)
		grow(index, table);
	put_slot(table, pack(hash, place));
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

		for (; table->slots[at].place != 0 && found < INDEX_MATCHES; at = after(table, at)) {
			if (hash_of(&table->slots[at]) != hash)
				continue;
			ret[found] = unpack(&table->slots[at]);
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
	for (at = home_of(table, hash); table->slots[at].place != 0; at = after(table, at)) {
		if (stands_at(&table->slots[at], hash, segment, offset))
			return at;
	}
	return table->room;
}

/* Steps from a slot's home to `at`. */
static uint32_t distance(const struct table *table, const struct slot *slot, uint32_t at)
{
	uint32_t home = home_of(table, hash_of(slot));

	return at >= home ? at - home : at + table->room - home;
}

static void close_gap(struct table *table, uint32_t gap)
{
	uint32_t at = after(table, gap), steps = 1;

	for (; table->slots[at].place != 0; at = after(table, at), steps++) {
		if (distance(table, &table->slots[at], at) < steps)
			continue;
		table->slots[gap] = table->slots[at];
		gap = at;
		steps = 0;
	}
	table->slots[gap] = (struct slot){0, 0};
}

bool index_remove(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset, struct index_place *ret)
{
	struct table *table = enter(index, hash);
	uint32_t at = position_of(table, hash, segment, offset);
	bool found = at < table->room;

	if (found) {
		if (ret != NULL)
			*ret = unpack(&table->slots[at]);
		close_gap(table, at);
		table->count--;
		atomic_fetch_sub(&index->count, 1);
	}
	leave(index, hash);
	return found;
}

bool index_replace(struct index *index, uint64_t hash, uint32_t segment, uint32_t offset,
		   const struct index_place *place)
{
	struct table *table = enter(index, hash);
	uint32_t at = position_of(table, hash, segment, offset);
	bool found = at < table->room;

	if (found)
		table->slots[at] = pack(hash, place);
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
		struct index_place place = unpack(&table->slots[position]);

		*ret = place;
		place.flags = (uint8_t)((place.flags | change->set) & ~change->clear);
		if (change->dated)
			place.day = change->day;
		table->slots[position] = pack(hash, &place);
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
		*ret = unpack(&table->slots[position]);
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

uint64_t index_count(const struct index *index)
{
	return atomic_load(&index->count);
}

uint64_t index_bytes(const struct index *index)
{
	return sizeof(*index) + atomic_load(&index->room) * sizeof(struct slot);
}
