/* A queue of tasks, and a job that works off one at a time. */
#include "node/store/collect.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/fuse.h"
#include "node/store/marks.h"
#include "node/store/sweep.h"

#define TASKS_MOST 64
#define MARK_COST 256	/* bytes: the record and its entry */
#define MARKS_MOST 4096 /* on their way at once */

enum phase { WAITING, COUNTING, MOVING };

struct task {
	struct task *prev, *next;
	uint16_t satellite;
	struct filter *filter; /* NULL: restore what came into the trash … */
	uint64_t since;	       /* … from this moment on, Unix seconds */
	void (*done)(void *arg, enum err err, const struct store_collected *result);
	void *arg;
	enum phase phase;
	struct sweep sweep;
	bool whole; /* count the satellite's bytes beside the shard's */
	uint64_t total;
	struct store_collected result;
	atomic_uint_fast64_t pieces; /* moved durably */
	atomic_uint_fast64_t bytes;
};

struct collector {
	struct store *store;
	pthread_mutex_t lock;
	struct task *tasks; /* the first is being worked off */
	unsigned waiting;
	struct fuse fuse;
};

static void path_of(const struct store *store, const char *suffix, char out[SEGMENT_PATH])
{
	snprintf(out, SEGMENT_PATH, "%s/index/fuse%s", store->dir, suffix);
}

/* A file that is lost or damaged costs what was held its age, nothing else: the fuses begin anew. */
static void load_fuse(struct collector *collector)
{
	const struct seam *seam = collector->store->seam;
	char path[SEGMENT_PATH];
	struct seam_stat st;
	uint8_t *raw = NULL;
	int fd = -1;
	enum err err;

	path_of(collector->store, "", path);
	err = seam_stat_path(seam, path, &st);
	if (err == ERR_OK && st.size > FUSE_FILE_MOST)
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = seam_open_file(seam, path, O_RDONLY, &fd);
	if (err != ERR_OK)
		return;
	raw = memory_new(1, st.size + 1);
	err = seam_read_full(seam, fd, raw, st.size, 0);
	if (err == ERR_OK)
		(void)!fuse_decode(bytes_of(raw, st.size), &collector->fuse);
	free(raw);
	seam->close(seam, fd);
}

static enum err write_fuse(const struct seam *seam, const char *path, const uint8_t *raw, size_t len)
{
	enum err err;
	int fd;

	err = seam_open_file(seam, path, O_RDWR | O_CREAT | O_TRUNC, &fd);
	if (err != ERR_OK)
		return err;
	err = seam_write_full(seam, fd, raw, len, 0);
	if (err == ERR_OK)
		err = seam_sync_file(seam, fd);
	seam->close(seam, fd);
	return err;
}

/* With the lock. */
static enum err save_fuse(struct collector *collector)
{
	struct store *store = collector->store;
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH], dir[SEGMENT_PATH];
	uint8_t *raw;
	size_t len;
	enum err err;

	path_of(store, "", path);
	path_of(store, ".new", temporary);
	snprintf(dir, sizeof(dir), "%s/index", store->dir);
	fuse_encode(&collector->fuse, &raw, &len);
	err = write_fuse(store->seam, temporary, raw, len);
	free(raw);
	if (err == ERR_OK)
		err = seam_rename_file(store->seam, temporary, path);
	if (err == ERR_OK)
		err = seam_sync_directory(store->seam, dir);
	/* On a full disk the fuses are remembered until the next stop. */
	if (err == ERR_OK || err == ERR_FULL)
		return ERR_OK;
	health_fail(&store->health, "writing index/fuse", 0, err);
	return ERR_READ_ONLY;
}

struct collector *collect_new(struct store *store)
{
	struct collector *collector = memory_new(1, sizeof(*collector));

	collector->store = store;
	pthread_mutex_init(&collector->lock, NULL);
	load_fuse(collector);
	return collector;
}

static void answer(struct collector *collector, struct task *task, enum err err)
{
	void (*done)(void *arg, enum err err, const struct store_collected *result);

	pthread_mutex_lock(&collector->lock);
	DL_DELETE(collector->tasks, task);
	collector->waiting--;
	done = task->done;
	pthread_mutex_unlock(&collector->lock);
	task->result.moved_pieces = atomic_load(&task->pieces);
	task->result.moved_bytes = atomic_load(&task->bytes);
	if (done != NULL)
		done(task->arg, err, &task->result);
	sweep_leave(&task->sweep, collector->store);
	filter_free(task->filter);
	free(task);
}

void collect_free(struct collector *collector)
{
	if (collector == NULL)
		return;
	while (collector->tasks != NULL)
		answer(collector, collector->tasks, ERR_CANCELLED);
	fuse_free(&collector->fuse);
	pthread_mutex_destroy(&collector->lock);
	free(collector);
}

unsigned collect_waiting(struct collector *collector)
{
	unsigned waiting;

	pthread_mutex_lock(&collector->lock);
	waiting = collector->waiting;
	pthread_mutex_unlock(&collector->lock);
	return waiting;
}

/* ERR_LIMIT when too many wait. */
static enum err enqueue(struct store *store, const struct task *what)
{
	struct collector *collector = store->collector;
	struct task *task = memory_copy(what, sizeof(*what));
	enum err err = ERR_OK;

	pthread_mutex_lock(&collector->lock);
	if (collector->waiting == TASKS_MOST) {
		err = ERR_LIMIT;
	} else {
		DL_APPEND(collector->tasks, task);
		collector->waiting++;
	}
	pthread_mutex_unlock(&collector->lock);
	if (err == ERR_OK)
		upkeep_kick(store->upkeep, "collect");
	else
		free(task);
	return err;
}

enum err store_collect(struct store *store, uint16_t satellite, struct filter *filter,
		       void (*done)(void *arg, enum err err, const struct store_collected *result), void *arg)
{
	struct collector *collector = store->collector;
	const struct task task = {.satellite = satellite, .filter = filter, .done = done, .arg = arg};
	const struct fuse_row *row;
	enum err err = ERR_OK;

	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	pthread_mutex_lock(&collector->lock);
	row = fuse_row(&collector->fuse, satellite);
	if (row == NULL)
		err = ERR_LIMIT;
	else if (filter_shape(filter)->time < row->time)
		err = ERR_EXPIRED;
	pthread_mutex_unlock(&collector->lock);
	return err == ERR_OK ? enqueue(store, &task) : err;
}

enum err store_restore_since(struct store *store, uint16_t satellite, uint64_t since,
			     void (*done)(void *arg, enum err err, const struct store_collected *result), void *arg)
{
	const struct task task = {.satellite = satellite, .since = since, .done = done, .arg = arg};

	return health_failed(&store->health) ? ERR_READ_ONLY : enqueue(store, &task);
}

bool store_collect_forget(struct store *store, void *arg)
{
	struct collector *collector = store->collector;
	struct task *task;
	bool found = false;

	pthread_mutex_lock(&collector->lock);
	DL_FOREACH(collector->tasks, task) {
		if (task->done == NULL || task->arg != arg)
			continue;
		task->done = NULL;
		found = true;
	}
	pthread_mutex_unlock(&collector->lock);
	return found;
}

size_t store_collect_held(struct store *store, struct store_held **ret)
{
	struct collector *collector = store->collector;
	struct store_held *list;
	size_t count = 0;

	pthread_mutex_lock(&collector->lock);
	list = memory_new(collector->fuse.count + 1, sizeof(*list));
	for (size_t i = 0; i < collector->fuse.count; i++) {
		const struct fuse_row *row = &collector->fuse.rows[i];

		if (row->held)
			list[count++] = (struct store_held){row->satellite,  {{0}},	   row->held_since,
							    row->held_bytes, row->held_of, row->agreed};
	}
	pthread_mutex_unlock(&collector->lock);
	pthread_mutex_lock(&store->super_lock);
	for (size_t i = 0; i < count; i++) {
		if (list[i].satellite < store->super.satellite_count)
			list[i].address = store->super.satellites[list[i].satellite];
	}
	pthread_mutex_unlock(&store->super_lock);
	*ret = list;
	return count;
}

enum err store_collect_agree(struct store *store, uint16_t satellite)
{
	struct collector *collector = store->collector;
	enum err err = ERR_NOT_FOUND;

	if (health_failed(&store->health))
		return ERR_READ_ONLY;
	pthread_mutex_lock(&collector->lock);
	for (size_t i = 0; i < collector->fuse.count; i++) {
		struct fuse_row *row = &collector->fuse.rows[i];

		if (row->satellite == satellite && fuse_agree(row))
			err = save_fuse(collector);
	}
	pthread_mutex_unlock(&collector->lock);
	return err;
}

static bool find_slot(struct store *store, struct segment *segment, const struct segment_entry *entry,
		      struct index_place *ret)
{
	uint64_t hash = index_hash(store->index, entry->satellite, &entry->piece);

	return index_get(store->index, hash, &(struct index_spot){segment->number, entry->offset}, ret);
}

static bool is_piece_of(const struct task *task, const struct segment_entry *entry)
{
	return entry->type == RECORD_PIECE && entry->satellite == task->satellite;
}

/* Of the filter's shard, old enough, and not in the filter. */
static bool is_unwanted(const struct task *task, const struct segment_entry *entry)
{
	uint64_t time = filter_shape(task->filter)->time;

	return filter_covers(task->filter, &entry->piece) && entry->created < time &&
	       time - entry->created > COLLECT_AGE && !filter_has(task->filter, &entry->piece);
}

static void count_entry(struct store *store, struct task *task, struct segment *segment,
			const struct segment_entry *entry)
{
	bool covered = filter_covers(task->filter, &entry->piece);
	struct index_place place;

	if (!is_piece_of(task, entry) || (!covered && !task->whole) || !find_slot(store, segment, entry, &place))
		return;
	task->total += entry->size;
	if (!covered)
		return;
	task->result.pieces++;
	task->result.bytes += entry->size;
	if ((place.flags & INDEX_TRASHED) == 0 && is_unwanted(task, entry)) {
		task->result.unwanted_pieces++;
		task->result.unwanted_bytes += entry->size;
	}
}

/* Whether the task moves this piece. The filter is asked first: it knows most pieces, and the index costs more. */
static bool is_meant(struct store *store, const struct task *task, struct segment *segment,
		     const struct segment_entry *entry)
{
	struct index_place place;

	if (!is_piece_of(task, entry) || (task->filter != NULL && !is_unwanted(task, entry)) ||
	    !find_slot(store, segment, entry, &place))
		return false;
	if (task->filter != NULL)
		return (place.flags & INDEX_TRASHED) == 0;
	/* Only the day is known on which it may go for good. */
	return (place.flags & INDEX_TRASHED) != 0 &&
	       place.day >= marks_day(task->since) + MARKS_TRASH_SECONDS / 86400 - 1;
}

struct move {
	struct task *task;
	uint32_t size;
};

static void moved(void *arg, enum err err)
{
	struct move *move = arg;

	if (err == ERR_OK) {
		atomic_fetch_add(&move->task->pieces, 1);
		atomic_fetch_add(&move->task->bytes, move->size);
	}
	free(move);
}

static enum err move_entry(struct store *store, struct task *task, struct segment *segment,
			   const struct segment_entry *entry)
{
	struct marked what = marks_of_entry(store, segment, entry);
	struct move *move = memory_new(1, sizeof(*move));
	const struct mark_options options = {task->filter != NULL ? RECORD_TRASH : RECORD_RESTORE, true, moved, move};
	enum err err;

	*move = (struct move){task, entry->size};
	err = marks_write(store, &what, &options);
	if (err != ERR_OK)
		free(move);
	/* A piece of which another mark is on its way is left to that. */
	return err == ERR_BUSY ? ERR_OK : err;
}

/* Write marks from the sweep's place on, as far as the budget goes; *ret_finished when it sufficed. */
static enum err move_entries(struct store *store, struct task *task, uint64_t *budget, bool *ret_finished)
{
	struct sweep *sweep = &task->sweep;
	enum err err = ERR_OK;

	for (; err == ERR_OK && sweep->next < sweep->count; sweep->next++) {
		const struct segment_entry *entry = &sweep->entries[sweep->next];

		if (!is_meant(store, task, sweep->segment, entry))
			continue;
		if (*budget < MARK_COST)
			return ERR_OK;
		*budget -= MARK_COST;
		err = move_entry(store, task, sweep->segment, entry);
	}
	*ret_finished = err == ERR_OK;
	return err;
}

/* From the task's place on through the segments; *ret_finished when all of them were visited. Pieces whose footer
 * cannot be read stay where they are. */
static enum err go_on(struct store *store, struct task *task, uint64_t *budget, bool *ret_finished)
{
	struct sweep *sweep = &task->sweep;
	enum err err = ERR_OK;

	*ret_finished = false;
	while (err == ERR_OK && *budget > 0) {
		bool finished = true;

		if (!sweep_go_on(sweep, store, NULL, budget)) {
			*ret_finished = true;
			return ERR_OK;
		}
		if (task->phase == MOVING) {
			finished = false;
			err = move_entries(store, task, budget, &finished);
		} else {
			for (size_t i = 0; i < sweep->count; i++)
				count_entry(store, task, sweep->segment, &sweep->entries[i]);
		}
		if (!finished)
			break;
		sweep_leave(sweep, store);
	}
	return err;
}

static void begin(struct collector *collector, struct task *task)
{
	const struct fuse_row *row;

	task->phase = task->filter != NULL ? COUNTING : MOVING;
	if (task->filter == NULL)
		return;
	pthread_mutex_lock(&collector->lock);
	row = fuse_row(&collector->fuse, task->satellite);
	task->whole = row != NULL && fuse_begins(row, clock_wall());
	pthread_mutex_unlock(&collector->lock);
}

/* All is counted: does the fuse let it through? */
static enum err judge(struct collector *collector, struct task *task)
{
	const struct filter_shape *shape = filter_shape(task->filter);
	const struct fuse_wish wish = {
		.now = clock_wall(),
		.time = shape->time,
		.bits = shape->bits,
		.shard = shape->shard,
		.shard_bytes = task->result.bytes,
		.bytes = task->result.unwanted_bytes,
		.total = task->total,
	};
	struct fuse_row *row;
	enum err err = ERR_LIMIT;

	pthread_mutex_lock(&collector->lock);
	row = fuse_row(&collector->fuse, task->satellite);
	if (row != NULL && fuse_begins(row, wish.now) && !task->whole) {
		/* The day of the round ended while this was counted. */
		task->phase = WAITING;
		err = ERR_OK;
	} else if (row != NULL) {
		task->result.held = !fuse_allows(row, &wish);
		task->result.held_since = task->result.held ? row->held_since : 0;
		err = save_fuse(collector);
	}
	pthread_mutex_unlock(&collector->lock);
	return err;
}

static enum err finish_moving(struct collector *collector, struct task *task)
{
	struct fuse_row *row;
	enum err err = ERR_OK;

	committer_flush(collector->store->committer);
	if (health_failed(&collector->store->health))
		return ERR_READ_ONLY;
	if (task->filter == NULL)
		return ERR_OK;
	pthread_mutex_lock(&collector->lock);
	row = fuse_row(&collector->fuse, task->satellite);
	if (row != NULL && atomic_load(&task->bytes) > 0) {
		fuse_note(row, atomic_load(&task->bytes));
		err = save_fuse(collector);
	}
	pthread_mutex_unlock(&collector->lock);
	return err;
}

/* Begin the first count again, or go to the next phase; *ret_over when there is none. */
static enum err advance(struct collector *collector, struct task *task, bool *ret_over)
{
	enum err err;

	if (task->phase == MOVING) {
		*ret_over = true;
		return finish_moving(collector, task);
	}
	err = judge(collector, task);
	*ret_over = err != ERR_OK || task->result.held || task->result.unwanted_pieces == 0;
	sweep_restart(&task->sweep, collector->store);
	task->total = 0;
	if (task->phase == WAITING) {
		task->result = (struct store_collected){.held = false};
		*ret_over = err != ERR_OK;
	} else {
		task->phase = MOVING;
	}
	return err;
}

enum upkeep_turn collect_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	struct collector *collector = store->collector;
	bool finished = false, over = false;
	struct task *task;
	enum err err;

	pthread_mutex_lock(&collector->lock);
	task = collector->tasks;
	pthread_mutex_unlock(&collector->lock);
	if (task == NULL)
		return UPKEEP_REST;
	if (task->phase == WAITING)
		begin(collector, task);
	if (task->phase == MOVING && *budget > MARKS_MOST * MARK_COST)
		*budget = MARKS_MOST * MARK_COST;
	err = health_failed(&store->health) ? ERR_READ_ONLY : go_on(store, task, budget, &finished);
	/* The marks of this step count in the task, which must not go before them. */
	if (task->phase == MOVING)
		committer_flush(store->committer);
	if (err == ERR_OK && finished)
		err = advance(collector, task, &over);
	if (err != ERR_OK || over)
		answer(collector, task, err);
	return UPKEEP_MORE;
}
