/* The set of segments: table, reservations, sealing. */
#include "node/store/segments.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/planted.h"
#include "node/store/room.h"
#include "node/store/segments_private.h"

#define TRANSFERS_MOST (16u << 20) /* bytes of a segment of the transfer log */

struct segments *segments_new(const struct segments_config *config)
{
	struct segments *set = memory_new(1, sizeof(*set));

	set->seam = config->seam;
	set->health = config->health;
	set->sequence = config->sequence;
	for (int kind = SEGMENT_PIECES; kind < SEGMENT_KINDS; kind++)
		set->dirs[kind] = memory_copy(config->dirs[kind], strlen(config->dirs[kind]));
	set->twins = *config->twins;
	set->store = config->store;
	set->secret = config->secret;
	set->sizes[SEGMENT_PIECES] = config->segment_size;
	set->sizes[SEGMENT_TRANSFERS] = config->segment_size < TRANSFERS_MOST ? config->segment_size : TRANSFERS_MOST;
	set->allocation = config->allocation;
	set->next_id = 1;
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->changed, NULL);
	pthread_cond_init(&set->work, NULL);
	return set;
}

static _Atomic(struct segment **) *chunk_of(struct segments *set, uint32_t number)
{
	assert(number < INDEX_SEGMENTS);
	return &set->chunks[number / CHUNK];
}

struct segment *segments_row(struct segments *set, uint32_t number)
{
	struct segment **chunk = atomic_load(chunk_of(set, number));

	return chunk == NULL ? NULL : chunk[number % CHUNK];
}

static void set_row(struct segments *set, uint32_t number, struct segment *segment)
{
	_Atomic(struct segment **) *slot = chunk_of(set, number);

	if (atomic_load(slot) == NULL)
		atomic_store(slot, (struct segment **)memory_new(CHUNK, sizeof(struct segment *)));
	atomic_load(slot)[number % CHUNK] = segment;
}

void segments_free(struct segments *set)
{
	if (set == NULL)
		return;
	for (uint32_t i = 0; i < set->rows; i++)
		segment_free(set->seam, segments_row(set, i));
	for (uint32_t i = 0; i < CHUNKS; i++)
		free(atomic_load(&set->chunks[i]));
	for (int kind = 0; kind < SEGMENT_KINDS; kind++)
		free(set->dirs[kind]);
	pthread_cond_destroy(&set->work);
	pthread_cond_destroy(&set->changed);
	pthread_mutex_destroy(&set->lock);
	free(set);
}

static void add_locked(struct segments *set, struct segment *segment)
{
	uint32_t row = set->full;

	while (row < set->rows && segments_row(set, row) != NULL)
		row++;
	assert(row < INDEX_SEGMENTS);
	set->full = row + 1;
	if (row == set->rows)
		set->rows++;
	segment->number = row;
	set_row(set, row, segment);
	set->files += segment->size;
	if (segment->id >= set->next_id)
		set->next_id = segment->id + 1;
}

void segments_add(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	add_locked(set, segment);
	if (segment->state == SEGMENT_SPARE && set->emergency == NULL && segment->kind == SEGMENT_PIECES &&
	    segment->size == set->sizes[SEGMENT_PIECES]) {
		set->emergency = segment;
	} else if (segment->state == SEGMENT_SPARE) {
		segment->next = set->spares[segment->kind];
		set->spares[segment->kind] = segment;
	}
	pthread_mutex_unlock(&set->lock);
}

void segments_set_next_id(struct segments *set, uint32_t id)
{
	pthread_mutex_lock(&set->lock);
	if (id > set->next_id)
		set->next_id = id;
	pthread_mutex_unlock(&set->lock);
}

uint32_t segments_next_id(struct segments *set)
{
	uint32_t id;

	pthread_mutex_lock(&set->lock);
	id = set->next_id;
	pthread_mutex_unlock(&set->lock);
	return id;
}

void segments_set_allocation(struct segments *set, uint64_t allocation)
{
	atomic_store(&set->allocation, allocation);
}

uint64_t segments_allocation(const struct segments *set)
{
	return atomic_load(&set->allocation);
}

uint64_t segments_growth_locked(const struct segments *set)
{
	uint64_t used = set->files + set->promised + set->sizes[SEGMENT_TRANSFERS], most = segments_allocation(set);

	return used < most ? most - used : 0;
}

void segments_add_taker(struct segments *set, struct segment *segment, enum segment_state state)
{
	struct segment **end = &set->takers;

	while (*end != NULL)
		end = &(*end)->next;
	segment->next = NULL;
	segment->state = state;
	*end = segment;
}

static void remove_taker(struct segments *set, struct segment *segment)
{
	struct segment **at = &set->takers;

	while (*at != segment)
		at = &(*at)->next;
	*at = segment->next;
}

enum err segments_make_locked(struct segments *set, enum segment_kind kind, uint32_t class, uint32_t size,
			      struct segment **ret)
{
	struct segment_header header = {
		.store = set->store,
		.secret = set->secret,
		.kind = kind,
		.class = class,
		.id = set->next_id++,
		.size = size,
		.created = clock_wall(),
		.first_sequence = sequence_next(set->sequence),
	};
	enum err err;

	set->promised += size;
	pthread_mutex_unlock(&set->lock);
	err = segment_create(set->seam, set->dirs[kind], &header, ret);
	if (err == ERR_OK && kind == SEGMENT_PIECES && twin_create(&set->twins, header.id, &(*ret)->twin_fd) != ERR_OK)
		(*ret)->twin_state = TWIN_STALE;
	pthread_mutex_lock(&set->lock);
	set->promised -= size;
	if (err == ERR_OK) {
		add_locked(set, *ret);
	} else if (err != ERR_FULL) {
		health_fail(set->health, "making", header.id, err);
		err = ERR_READ_ONLY;
	}
	return err;
}

static struct segment *take_spare(struct segments *set, enum segment_kind kind, uint32_t len)
{
	struct segment **at = &set->spares[kind], *spare;

	while (*at != NULL && (*at)->size < SEGMENT_LEAST_ROOM + len)
		at = &(*at)->next;
	spare = *at;
	if (spare != NULL)
		*at = spare->next;
	return spare;
}

static void close_open(struct segments *set, enum segment_kind kind)
{
	if (set->open[kind] == NULL)
		return;
	set->open[kind]->state = SEGMENT_CLOSING;
	set->open[kind] = NULL;
	set->spare_refused = false;
	pthread_cond_signal(&set->work);
}

/* A piece larger than a segment gets a file that fits it, which takes nothing else unless it happens to fit. */
static enum err make_large(struct segments *set, enum segment_kind kind, uint32_t len, bool urgent)
{
	uint32_t size = (SEGMENT_LEAST_ROOM + len + 4095) / 4096 * 4096;
	struct segment *segment;
	enum err err;

	if (!urgent && size > segments_growth_locked(set))
		return ERR_FULL;
	err = segments_make_locked(set, kind, 0, size, &segment);
	if (err == ERR_OK)
		segments_add_taker(set, segment, SEGMENT_CLOSING);
	return err;
}

/* Open another segment for at least `len` bytes, or wait for whoever is doing that. */
static enum err open_another(struct segments *set, enum segment_kind kind, uint32_t len, bool urgent)
{
	uint32_t size = set->sizes[kind];
	struct segment *segment;
	enum err err = ERR_OK;

	if (set->making[kind]) {
		pthread_cond_wait(&set->changed, &set->lock);
		return ERR_OK;
	}
	/* An upload opens no segment while there is none for emergencies. */
	if (kind == SEGMENT_PIECES && !urgent && set->emergency == NULL)
		return segments_make_emergency(set);
	if (size < SEGMENT_LEAST_ROOM + len)
		return make_large(set, kind, len, urgent);
	segment = take_spare(set, kind, len);
	if (segment == NULL) {
		if (kind == SEGMENT_PIECES && size > segments_growth_locked(set))
			return ERR_FULL;
		set->making[kind] = true;
		err = segments_make_locked(set, kind, 0, size, &segment);
		set->making[kind] = false;
		pthread_cond_broadcast(&set->changed);
	}
	if (err != ERR_OK)
		return err;
	close_open(set, kind);
	segments_add_taker(set, segment, SEGMENT_OPEN);
	set->open[kind] = segment;
	pthread_cond_signal(&set->work); /* the spare is used up */
	return ERR_OK;
}

bool segments_take_in(struct segment *segment, uint32_t len, struct extent *ret)
{
	if (!room_take(segment, len, &ret->offset))
		return false;
	ret->segment = segment;
	ret->len = len;
	segment->on_the_way++;
	segment->bytes.reserved += len;
	return true;
}

static bool take_room(struct segments *set, const struct segments_need *need, struct extent *ret)
{
	for (struct segment *segment = set->takers; segment != NULL; segment = segment->next) {
		if (segment->kind != need->kind || segment->class != need->class || segment->state == SEGMENT_SEALING ||
		    segment == set->target)
			continue;
		if (!segments_take_in(segment, need->len, ret))
			continue;
		segment->used = ++set->uses;
		return true;
	}
	return false;
}

enum err segments_reserve(struct segments *set, const struct segments_need *need, struct extent *ret)
{
	struct segments_need now = *need;
	enum err err = ERR_OK;

	pthread_mutex_lock(&set->lock);
	while (err == ERR_OK) {
		if (health_failed(set->health))
			err = ERR_READ_ONLY;
		else if (take_room(set, &now, ret))
			break;
		else if (now.class == 0)
			err = open_another(set, now.kind, now.len, now.urgent);
		else
			err = segments_open_class(set, now.class, now.len);
		if (err == ERR_FULL && now.class != 0) {
			now.class = 0;
			err = ERR_OK;
		}
	}
	if (err == ERR_FULL && now.urgent && now.kind == SEGMENT_PIECES)
		err = segments_take_urgent(set, now.len, ret);
	pthread_mutex_unlock(&set->lock);
	return err;
}

/* One extent less on its way: perhaps its segment can be sealed now. */
static void arrived(struct segments *set, struct segment *segment)
{
	assert(segment->on_the_way > 0);
	segment->on_the_way--;
	if (segment->on_the_way == 0 && segment->state == SEGMENT_CLOSING)
		pthread_cond_signal(&set->work);
}

void segments_release(struct segments *set, const struct extent *extent)
{
	struct segment *segment = extent->segment;

	pthread_mutex_lock(&set->lock);
	room_give(segment, extent->offset, extent->len);
	room_give_slot(segment);
	segment->bytes.reserved -= extent->len;
	arrived(set, segment);
	pthread_mutex_unlock(&set->lock);
}

void segments_shorten(struct segments *set, struct extent *extent, uint32_t len)
{
	assert(len <= extent->len);
	if (len == extent->len)
		return;
	pthread_mutex_lock(&set->lock);
	room_give(extent->segment, extent->offset + len, extent->len - len);
	extent->segment->bytes.reserved -= extent->len - len;
	pthread_mutex_unlock(&set->lock);
	extent->len = len;
}

void segments_settle(struct segments *set, const struct extent *extent, const struct record *record)
{
	struct segment_entry entry = segment_entry_of(record, extent->offset);

	segments_settle_entry(set, extent, &entry);
}

void segments_settle_entry(struct segments *set, const struct extent *extent, const struct segment_entry *entry)
{
	struct segment *segment = extent->segment;

	pthread_mutex_lock(&set->lock);
	segment_add_entry(segment, entry);
	segment->bytes.reserved -= extent->len;
	segment->bytes.overhead += extent->len;
	if (entry->type == RECORD_PIECE) {
		segment->bytes.overhead -= entry->size;
		segment->bytes.live += entry->size;
		segment->pieces++;
	}
	arrived(set, segment);
	pthread_mutex_unlock(&set->lock);
}

void segments_bury(struct segments *set, struct segment *segment, const struct index_place *gone, uint32_t extent)
{
	pthread_mutex_lock(&set->lock);
	if ((gone->flags & INDEX_TRASHED) != 0) {
		segment->bytes.trash -= gone->size;
		segment->trashed--;
	} else {
		segment->bytes.live -= gone->size;
		segment->pieces--;
	}
	segment->bytes.overhead -= extent - gone->size;
	segment->bytes.dead += extent;
	pthread_mutex_unlock(&set->lock);
}

void segments_note_mark(struct segments *set, struct segment *segment, const struct index_place *before,
			const struct index_change *change)
{
	uint8_t after = (uint8_t)((before->flags | change->set) & ~change->clear);
	bool was = (before->flags & INDEX_TRASHED) != 0, is = (after & INDEX_TRASHED) != 0;

	pthread_mutex_lock(&set->lock);
	if (!was && is) {
		segment->bytes.live -= before->size;
		segment->bytes.trash += before->size;
		segment->pieces--;
		segment->trashed++;
	} else if (was && !is) {
		segment->bytes.trash -= before->size;
		segment->bytes.live += before->size;
		segment->trashed--;
		segment->pieces++;
	}
	if (change->dated && change->day != 0 && change->day < segment->reap_day)
		segment->reap_day = change->day;
	pthread_mutex_unlock(&set->lock);
}

void segments_pin(void *set, uint32_t number)
{
	struct segment *segment = segments_row(set, number);

	assert(segment != NULL);
	atomic_fetch_add(&segment->pins, 1);
}

void segments_pin_again(struct segment *segment)
{
	atomic_fetch_add(&segment->pins, 1);
}

void segments_unpin(struct segments *set, struct segment *segment)
{
	if (atomic_fetch_sub(&segment->pins, 1) == 1)
		segment_free(set->seam, segment);
}

struct segment *segments_find(struct segments *set, enum segment_kind kind, uint32_t id)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&set->lock);
	for (uint32_t i = 0; found == NULL && i < set->rows; i++) {
		struct segment *segment = segments_row(set, i);

		if (segment != NULL && segment->kind == kind && segment->id == id)
			found = segment;
	}
	if (found != NULL)
		atomic_fetch_add(&found->pins, 1);
	pthread_mutex_unlock(&set->lock);
	return found;
}

struct segment **segments_list(struct segments *set, size_t *ret_count)
{
	struct segment **list;
	size_t count = 0;

	pthread_mutex_lock(&set->lock);
	list = memory_new(set->rows + 1u, sizeof(*list));
	for (uint32_t i = 0; i < set->rows; i++) {
		struct segment *segment = segments_row(set, i);

		if (segment == NULL)
			continue;
		atomic_fetch_add(&segment->pins, 1);
		list[count++] = segment;
	}
	pthread_mutex_unlock(&set->lock);
	*ret_count = count;
	return list;
}

void segments_unlist(struct segments *set, struct segment **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		segments_unpin(set, list[i]);
	free(list);
}

bool segments_suspect(struct segments *set, struct segment *segment)
{
	bool known;

	pthread_mutex_lock(&set->lock);
	known = segment->suspect;
	segment->suspect = true;
	pthread_mutex_unlock(&set->lock);
	return !known;
}

void segments_visit(struct segments *set, void (*each)(void *arg, const struct segment *segment), void *arg)
{
	pthread_mutex_lock(&set->lock);
	for (uint32_t i = 0; i < set->rows; i++) {
		if (segments_row(set, i) != NULL)
			each(arg, segments_row(set, i));
	}
	pthread_mutex_unlock(&set->lock);
}

static void remove_locked(struct segments *set, struct segment *segment)
{
	assert(segment->state == SEGMENT_SEALED);
	set_row(set, segment->number, NULL);
	if (segment->number < set->full)
		set->full = segment->number;
	/* Whoever still has it pinned and looks for its slots must find none: the row will be another's. */
	atomic_store(&segment->number, INDEX_SEGMENTS);
	set->files -= segment->size;
}

void segments_forget(struct segments *set, struct segment *segment)
{
	pthread_mutex_lock(&set->lock);
	remove_locked(set, segment);
	pthread_mutex_unlock(&set->lock);
	segments_unpin(set, segment);
}

enum err segments_unlink(struct segments *set, struct segment *segment)
{
	char path[SEGMENT_PATH];
	enum err err;

	segment_path(set->dirs[segment->kind], segment->id, path);
	/* First: a twin alone means that the file was lost. */
	err = segment->kind == SEGMENT_PIECES && !planted(TWIN_KEPT)
		      ? twin_remove(&set->twins, TWIN_PROPER, segment->id)
		      : ERR_OK;
	if (err == ERR_OK)
		err = seam_unlink_file(set->seam, path);
	if (err != ERR_OK) {
		health_fail(set->health, "removing", segment->id, err);
		return err;
	}
	pthread_mutex_lock(&set->lock);
	remove_locked(set, segment);
	set->unlinked++;
	set->spare_refused = false;
	pthread_cond_signal(&set->work);
	pthread_mutex_unlock(&set->lock);
	/* Records in it must not come back after others forgot that they were deleted. */
	err = seam_sync_directory(set->seam, set->dirs[segment->kind]);
	if (err != ERR_OK)
		health_fail(set->health, "syncing the directory after", segment->id, err);
	segments_unpin(set, segment);
	return err;
}

void segments_space(struct segments *set, struct segments_space *ret)
{
	struct segments_space sum = {0};

	pthread_mutex_lock(&set->lock);
	for (uint32_t i = 0; i < set->rows; i++) {
		struct segment *segment = segments_row(set, i);

		if (segment == NULL)
			continue;
		sum.bytes.live += segment->bytes.live;
		sum.bytes.trash += segment->bytes.trash;
		sum.bytes.overhead += segment->bytes.overhead;
		sum.bytes.reserved += segment->bytes.reserved;
		sum.bytes.dead += segment->bytes.dead;
		sum.pieces += segment->pieces;
		sum.trashed += segment->trashed;
		sum.free += segment_free_bytes(segment);
		if (segment->kind == SEGMENT_PIECES && segment != set->emergency && segment != set->target)
			sum.free_pieces += segment_free_bytes(segment);
	}
	sum.files = set->files;
	sum.growth = segments_growth_locked(set);
	if (set->emergency == NULL) /* it comes first */
		sum.growth -= sum.growth < set->sizes[SEGMENT_PIECES] ? sum.growth : set->sizes[SEGMENT_PIECES];
	pthread_mutex_unlock(&set->lock);
	*ret = sum;
}

static struct segment *find_sealable(struct segments *set)
{
	for (struct segment *segment = set->takers; segment != NULL; segment = segment->next) {
		if (segment->state == SEGMENT_CLOSING && segment->on_the_way == 0)
			return segment;
	}
	return NULL;
}

static bool wants_spare(const struct segments *set)
{
	return !set->finishing && !set->spare_refused && !set->making[SEGMENT_PIECES] &&
	       set->spares[SEGMENT_PIECES] == NULL && set->sizes[SEGMENT_PIECES] <= segments_growth_locked(set);
}

enum segments_job segments_wait_job(struct segments *set, struct segment **ret)
{
	enum segments_job job = SEGMENTS_STOP;

	pthread_mutex_lock(&set->lock);
	set->working = false;
	pthread_cond_broadcast(&set->changed);
	for (;;) {
		struct segment *segment = health_failed(set->health) ? NULL : find_sealable(set);

		if (segment != NULL) {
			segment->state = SEGMENT_SEALING;
			*ret = segment;
			job = SEGMENTS_SEAL;
			break;
		}
		if (!health_failed(set->health) && (segments_wants_emergency(set) || wants_spare(set))) {
			job = SEGMENTS_MAKE_SPARE;
			break;
		}
		if (set->finishing)
			break;
		/* Perhaps there was something to do before the store turned read-only, and somebody waits for that. */
		pthread_cond_broadcast(&set->changed);
		pthread_cond_wait(&set->work, &set->lock);
	}
	set->working = job != SEGMENTS_STOP;
	pthread_mutex_unlock(&set->lock);
	return job;
}

/* Its trailer is set, its footer stands at `at`. */
static void become_sealed(struct segments *set, struct segment *segment, uint32_t at)
{
	uint32_t footer = segment->trailer.count * SEGMENT_ENTRY + SEGMENT_TRAILER;

	for (size_t i = 0; i < segment->gap_count; i++)
		segment->bytes.dead += segment->gaps[i].len;
	segment->gap_count = 0;
	segment->bytes.overhead += footer;
	set->files -= segment->size;
	segment->size = at + footer;
	set->files += segment->size;
	segment->state = SEGMENT_SEALED;
	segment->reap_day = 0;
	free(segment->entries);
	segment->entries = NULL;
	segment->entry_count = 0;
	segment->entry_room = 0;
}

void segments_seal(struct segments *set, struct segment *segment)
{
	struct segment_trailer trailer;
	enum err err;

	segments_finish_twin(set, segment);
	err = segment_write_footer(set->seam, segment, &set->secret, segment->tail, true, &trailer);
	pthread_mutex_lock(&set->lock);
	if (err == ERR_OK) {
		segment->trailer = trailer;
		become_sealed(set, segment, segment->tail);
		remove_taker(set, segment);
		set->spare_refused = false;
	} else {
		health_fail(set->health, "sealing", segment->id, err);
		segment->state = SEGMENT_CLOSING;
	}
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

/* Where the footer of a walked segment goes: behind the last record. But a file that was cut before, and whose footer
 * no longer holds, may end in a record that cannot be recognised any more, so there it goes to the end. */
static uint32_t footer_place(const struct segment *segment, uint32_t footer)
{
	uint32_t end;

	if (segment->size == segment->planned || segment->size == segment->tail + footer)
		return segment->tail;
	end = (segment->size + RECORD_UNIT - 1) / RECORD_UNIT * RECORD_UNIT;
	return end > segment->tail ? end : segment->tail;
}

void segments_settle_found(struct segments *set, struct segment *segment)
{
	uint32_t footer = (uint32_t)segment->entry_count * SEGMENT_ENTRY + SEGMENT_TRAILER;
	uint32_t at = footer_place(segment, footer);
	enum err err;

	if (segment->entries != NULL && !health_failed(set->health)) {
		err = segment_write_footer(set->seam, segment, &set->secret, at, false, &segment->trailer);
		if (err != ERR_OK)
			health_fail(set->health, "sealing", segment->id, err);
		pthread_mutex_lock(&set->lock);
		if (err == ERR_OK)
			become_sealed(set, segment, at);
		segment->twin_state = TWIN_STALE;
		pthread_mutex_unlock(&set->lock);
	}
	segment->bytes.dead = segment->size - segment->bytes.live - segment->bytes.trash - segment->bytes.overhead;
}

void segments_make_spare(struct segments *set)
{
	struct segment *spare;
	enum err err = ERR_OK;

	pthread_mutex_lock(&set->lock);
	if (segments_wants_emergency(set)) {
		err = segments_make_emergency(set);
	} else if (wants_spare(set)) {
		/* Whoever needs a segment meanwhile waits for this one: it may be the last that there is room for. */
		set->making[SEGMENT_PIECES] = true;
		err = segments_make_locked(set, SEGMENT_PIECES, 0, set->sizes[SEGMENT_PIECES], &spare);
		set->making[SEGMENT_PIECES] = false;
		if (err == ERR_OK) {
			spare->next = set->spares[SEGMENT_PIECES];
			set->spares[SEGMENT_PIECES] = spare;
		}
	}
	if (err != ERR_OK)
		set->spare_refused = true;
	pthread_cond_broadcast(&set->changed);
	pthread_mutex_unlock(&set->lock);
}

void segments_finish(struct segments *set)
{
	pthread_mutex_lock(&set->lock);
	for (int kind = SEGMENT_PIECES; kind < SEGMENT_KINDS; kind++)
		close_open(set, (enum segment_kind)kind);
	segments_close_classes_locked(set, UINT32_MAX);
	segments_close_target_locked(set);
	set->finishing = true;
	pthread_cond_signal(&set->work);
	pthread_mutex_unlock(&set->lock);
}

bool segments_all_sealed(struct segments *set)
{
	bool result;

	pthread_mutex_lock(&set->lock);
	result = set->takers == NULL;
	pthread_mutex_unlock(&set->lock);
	return result;
}

void segments_wait_idle(struct segments *set)
{
	pthread_mutex_lock(&set->lock);
	while (!health_failed(set->health) &&
	       (set->working || find_sealable(set) != NULL || wants_spare(set) || segments_wants_emergency(set))) {
		pthread_cond_signal(&set->work);
		pthread_cond_wait(&set->changed, &set->lock);
	}
	pthread_mutex_unlock(&set->lock);
}
