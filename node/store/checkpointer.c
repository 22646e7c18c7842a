/* From the index to a file, in steps. */
#include "node/store/checkpointer.h"

#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/checkpoint.h"
#include "node/store/planted.h"

#define SECONDS 900
#define RECORDS 1000000
#define BUFFER (1u << 20)
#define SYNC_EVERY (32u << 20)
#define ROOM (1u << 20)	   /* bytes of a checkpoint besides the slots, generously */
#define EDITS_MOST 1000000 /* when more pile up, the scan hurries to its end */
#define NANOSECONDS 1000000000ull

/* What is being written. */
struct stream {
	int fd;
	uint64_t at;
	uint64_t synced; /* bytes */
	uint8_t *buffer;
	size_t used;
	uint32_t crc;
	enum err err; /* the first */
};

struct checkpointer {
	struct store *store;
	uint64_t generation; /* of the newest one on disk */
	int newest;	     /* where that is; -1: nowhere */
	uint64_t horizon;    /* that it reaches to */
	uint64_t when;	     /* clock_monotonic of the last one, or of the start */
	atomic_bool asked;
	bool writing;
	struct stream stream;
	struct checkpoint_end end;
};

struct checkpointer *checkpointer_new(struct store *store, const struct recovery_found *found)
{
	struct checkpointer *checkpointer = memory_new(1, sizeof(*checkpointer));

	checkpointer->store = store;
	checkpointer->generation = found->generation;
	checkpointer->newest = found->newest;
	checkpointer->horizon = found->horizon;
	checkpointer->when = clock_monotonic();
	atomic_init(&checkpointer->asked, found->replayed);
	return checkpointer;
}

static void new_path(const struct store *store, char out[SEGMENT_PATH])
{
	snprintf(out, SEGMENT_PATH, "%s/index/checkpoint.new", store->dir);
}

static void flush(struct checkpointer *checkpointer)
{
	struct stream *stream = &checkpointer->stream;

	if (stream->err == ERR_OK)
		stream->err = seam_write_full(checkpointer->store->seam, stream->fd, stream->buffer, stream->used,
					      stream->at);
	stream->at += stream->used;
	stream->used = 0;
	/* Not all at the end, where it would hold up everybody's syncs. */
	if (stream->err == ERR_OK && stream->at - stream->synced >= SYNC_EVERY) {
		stream->err = seam_sync_file(checkpointer->store->seam, stream->fd);
		stream->synced = stream->at;
	}
}

static void put(struct checkpointer *checkpointer, const void *data, size_t len)
{
	struct stream *stream = &checkpointer->stream;

	if (stream->used + len > BUFFER)
		flush(checkpointer);
	memcpy(stream->buffer + stream->used, data, len);
	stream->used += len;
	stream->crc = checkpoint_crc(stream->crc, data, len);
}

/* The sum of what was put since the last call. */
static uint32_t take_crc(struct checkpointer *checkpointer)
{
	uint32_t crc = ~checkpointer->stream.crc;

	checkpointer->stream.crc = UINT32_MAX;
	return crc;
}

/* Let go of what was begun; the file is gone unless it was renamed. */
static void drop(struct checkpointer *checkpointer, bool renamed)
{
	const struct seam *seam = checkpointer->store->seam;
	char path[SEGMENT_PATH];
	size_t count;

	if (!checkpointer->writing)
		return;
	free(index_scan_end(checkpointer->store->index, &count));
	seam->close(seam, checkpointer->stream.fd);
	free(checkpointer->stream.buffer);
	new_path(checkpointer->store, path);
	if (!renamed)
		(void)!seam_unlink_file(seam, path); /* or the next one does it */
	checkpointer->writing = false;
}

void checkpointer_free(struct checkpointer *checkpointer)
{
	if (checkpointer == NULL)
		return;
	drop(checkpointer, false);
	free(checkpointer);
}

/* On a full disk the older generation makes room for the next try. */
static void make_room(struct checkpointer *checkpointer)
{
	char path[SEGMENT_PATH];

	checkpoint_path(checkpointer->store->dir, checkpointer->newest == 0 ? 1 : 0, path);
	(void)!seam_unlink_file(checkpointer->store->seam, path);
}

/* On a disk that is nearly full what is left is for pieces. */
static bool has_room(const struct store *store)
{
	uint64_t needed = index_count(store->index) * CHECKPOINT_SLOT + ROOM;
	struct seam_space disk;

	return seam_free_space(store->seam, store->dir, &disk) != ERR_OK || disk.free >= 2 * needed;
}

static enum err begin(struct checkpointer *checkpointer)
{
	struct store *store = checkpointer->store;
	uint8_t header[CHECKPOINT_HEADER];
	char path[SEGMENT_PATH];
	enum err err;
	int fd;

	if (!has_room(store))
		return ERR_FULL;
	new_path(store, path);
	err = seam_open_file(store->seam, path, O_RDWR | O_CREAT | O_TRUNC, &fd);
	if (err != ERR_OK)
		return err;
	checkpointer->writing = true;
	checkpointer->stream = (struct stream){.fd = fd, .buffer = memory_new(1, BUFFER), .crc = UINT32_MAX};
	checkpointer->end = (struct checkpoint_end){
		.store = store->super.store,
		.generation = checkpointer->generation + 1,
		.created = clock_wall(),
	};
	checkpoint_header_encode(&checkpointer->end, header);
	put(checkpointer, header, sizeof(header));
	(void)take_crc(checkpointer);
	index_scan_begin(store->index);
	return ERR_OK;
}

static void put_slot(void *arg, const struct index_slot *slot)
{
	struct checkpointer *checkpointer = arg;
	uint8_t raw[CHECKPOINT_SLOT];

	checkpoint_slot_encode(slot, raw);
	put(checkpointer, raw, sizeof(raw));
	checkpointer->end.slots++;
}

/* Scan on within the budget; false when the scan is over. */
static bool scan(struct checkpointer *checkpointer, uint64_t *budget)
{
	struct index *index = checkpointer->store->index;
	uint64_t before = checkpointer->end.slots;
	bool more = true;

	while (more &&
	       ((checkpointer->end.slots - before) * CHECKPOINT_SLOT < *budget || index_scan_edits(index) > EDITS_MOST))
		more = index_scan_next(index, put_slot, checkpointer);
	before = (checkpointer->end.slots - before) * CHECKPOINT_SLOT;
	*budget -= before < *budget ? before : *budget;
	return more;
}

/* The moment that counts. */
struct moment {
	struct commit commit;
	struct checkpointer *checkpointer;
	pthread_mutex_t lock;
	pthread_cond_t reached;
	bool done;
	enum err err;
	uint64_t horizon;
	struct index_edit *edits;
	size_t edit_count;
	struct checkpoint_row *rows;
	size_t row_count;
	size_t row_room;
};

static_assert(offsetof(struct moment, commit) == 0, "a commit is cast to the moment that holds it");

static void note_row(void *arg, const struct segment *segment)
{
	struct moment *moment = arg;
	struct checkpoint_row row = {
		.number = segment->number,
		.id = segment->id,
		.kind = segment->kind,
		.class = segment->class,
		.size = segment->size,
		.planned = segment->planned,
		.pieces = segment->pieces,
		.trashed = segment->trashed,
		.bytes = segment->bytes,
		.trailer = segment->trailer,
	};

	row.covered = segment->state == SEGMENT_SEALED && segment->entries == NULL && !segment->suspect &&
		      segment->trailer.last_sequence <= moment->horizon;
	if (planted(CHECKPOINT_COVERS_OPEN))
		row.covered = true;
	moment->rows = memory_grow(moment->rows, &moment->row_room, moment->row_count + 1, sizeof(*moment->rows));
	moment->rows[moment->row_count++] = row;
}

static void take_down(struct moment *moment)
{
	struct store *store = moment->checkpointer->store;

	moment->horizon = sequence_horizon(&store->sequence);
	segments_visit(store->segments, note_row, moment);
	moment->edits = index_scan_end(store->index, &moment->edit_count);
}

static void reach(struct commit *commit, enum err err)
{
	struct moment *moment = (struct moment *)commit;

	if (err == ERR_OK)
		take_down(moment);
	pthread_mutex_lock(&moment->lock);
	moment->err = err;
	moment->done = true;
	pthread_cond_signal(&moment->reached);
	pthread_mutex_unlock(&moment->lock);
}

static void await(struct moment *moment)
{
	moment->commit.settle = reach;
	pthread_mutex_init(&moment->lock, NULL);
	pthread_cond_init(&moment->reached, NULL);
	committer_add(moment->checkpointer->store->committer, &moment->commit);
	pthread_mutex_lock(&moment->lock);
	while (!moment->done)
		pthread_cond_wait(&moment->reached, &moment->lock);
	pthread_mutex_unlock(&moment->lock);
	pthread_cond_destroy(&moment->reached);
	pthread_mutex_destroy(&moment->lock);
}

/* What stands behind the slots. */
static void put_rest(struct checkpointer *checkpointer, const struct moment *moment)
{
	struct checkpoint_end *end = &checkpointer->end;
	uint8_t raw[CHECKPOINT_END];

	end->slots_crc = take_crc(checkpointer);
	for (size_t i = 0; i < moment->edit_count && !planted(CHECKPOINT_LOSES_EDITS); i++) {
		checkpoint_edit_encode(&moment->edits[i], raw);
		put(checkpointer, raw, CHECKPOINT_EDIT);
	}
	end->edits = planted(CHECKPOINT_LOSES_EDITS) ? 0 : moment->edit_count;
	end->edits_crc = take_crc(checkpointer);
	for (size_t i = 0; i < moment->row_count; i++) {
		checkpoint_row_encode(&moment->rows[i], raw);
		put(checkpointer, raw, CHECKPOINT_ROW);
	}
	end->rows = (uint32_t)moment->row_count;
	end->rows_crc = take_crc(checkpointer);
	end->horizon = moment->horizon;
	end->newest_record = atomic_load(&checkpointer->store->newest);
	checkpoint_end_encode(end, &checkpointer->store->secret, raw);
	put(checkpointer, raw, CHECKPOINT_END);
	flush(checkpointer);
}

/* Make it one of the two generations, durably. */
static enum err publish(struct checkpointer *checkpointer)
{
	struct store *store = checkpointer->store;
	int which = checkpointer->newest == 0 ? 1 : 0;
	char path[SEGMENT_PATH], from[SEGMENT_PATH], dir[SEGMENT_PATH];
	enum err err = checkpointer->stream.err;

	new_path(store, from);
	checkpoint_path(store->dir, which, path);
	snprintf(dir, sizeof(dir), "%s/index", store->dir);
	if (err == ERR_OK)
		err = seam_sync_file(store->seam, checkpointer->stream.fd);
	if (err == ERR_OK)
		err = seam_rename_file(store->seam, from, path);
	if (err != ERR_OK)
		return err;
	/* Whether the new name is durable or not, what the old one stood for is not relied on any more. */
	checkpointer->newest = which;
	checkpointer->generation = checkpointer->end.generation;
	return seam_sync_directory(store->seam, dir);
}

static enum err finish(struct checkpointer *checkpointer, struct moment *moment)
{
	enum err err;

	put_rest(checkpointer, moment);
	err = publish(checkpointer);
	if (err == ERR_OK)
		checkpointer->horizon = moment->horizon;
	drop(checkpointer, err == ERR_OK);
	free(moment->edits);
	free(moment->rows);
	return err;
}

/* Not again at once after a failure either. */
static void rest(struct checkpointer *checkpointer)
{
	drop(checkpointer, false);
	checkpointer->when = clock_monotonic();
	atomic_store(&checkpointer->asked, false);
}

/* A step, or all of them when `budget` has no end. */
static enum err step(struct checkpointer *checkpointer, uint64_t *budget, bool *ret_more)
{
	struct moment moment = {.checkpointer = checkpointer};
	enum err err = ERR_OK;

	*ret_more = false;
	if (health_failed(&checkpointer->store->health))
		err = ERR_READ_ONLY;
	else if (!checkpointer->writing)
		err = begin(checkpointer);
	if (err == ERR_OK && scan(checkpointer, budget)) {
		*ret_more = checkpointer->stream.err == ERR_OK;
		err = checkpointer->stream.err;
	} else if (err == ERR_OK) {
		await(&moment);
		err = moment.err == ERR_OK ? finish(checkpointer, &moment) : moment.err;
	}
	if (!*ret_more)
		rest(checkpointer);
	if (err == ERR_FULL)
		make_room(checkpointer);
	return err;
}

static bool is_due(struct checkpointer *checkpointer)
{
	const struct store_options *options = &checkpointer->store->options;
	uint64_t seconds = options->checkpoint_seconds != 0 ? options->checkpoint_seconds : SECONDS;
	uint64_t records = options->checkpoint_records != 0 ? options->checkpoint_records : RECORDS;
	uint64_t written = sequence_horizon(&checkpointer->store->sequence) - checkpointer->horizon;

	if (checkpointer->writing || atomic_load(&checkpointer->asked) || written >= records)
		return true;
	return written > 0 && clock_monotonic() - checkpointer->when >= seconds * NANOSECONDS;
}

enum upkeep_turn checkpointer_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	bool more = false;

	if (is_due(store->checkpointer))
		(void)!step(store->checkpointer, budget, &more);
	return more ? UPKEEP_MORE : UPKEEP_REST;
}

void checkpointer_ask(struct store *store)
{
	atomic_store(&store->checkpointer->asked, true);
	upkeep_kick(store->upkeep, "checkpoint");
}

enum err store_checkpoint(struct store *store)
{
	uint64_t budget = UINT64_MAX;
	enum err err;
	bool more;

	upkeep_enter(store->upkeep);
	err = step(store->checkpointer, &budget, &more);
	upkeep_leave(store->upkeep);
	return err;
}

static bool says_all(const struct checkpointer *checkpointer)
{
	return checkpointer->newest >= 0 && !atomic_load(&checkpointer->asked) &&
	       checkpointer->horizon + 1 == sequence_next(&checkpointer->store->sequence);
}

enum err checkpointer_close(struct store *store)
{
	struct checkpointer *checkpointer = store->checkpointer;
	struct moment moment = {.checkpointer = checkpointer};
	uint64_t budget = UINT64_MAX;
	enum err err;

	if (says_all(checkpointer))
		return ERR_OK;
	err = checkpointer->writing ? ERR_OK : begin(checkpointer);
	if (err != ERR_OK)
		return err;
	(void)scan(checkpointer, &budget);
	take_down(&moment);
	return finish(checkpointer, &moment);
}
