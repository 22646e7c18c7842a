/* The model in front of the store. */
#include "tests/kit/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/kit/pieces.h"

#define ALLOCATION (64ull << 20)
#define COMPACT_STEPS 10000 /* more for one segment are none that end */

static bool flawed(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool flawed(struct model *model, const char *format, ...)
{
	va_list args;

	if (model->flaw[0] != '\0')
		return false;
	va_start(args, format);
	vsnprintf(model->flaw, sizeof(model->flaw), format, args);
	va_end(args);
	return false;
}

void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++)
		model->keys[i].count = 1;
}

static void add_state(struct model *model, uint32_t number, struct model_state state)
{
	struct model_key *key = &model->keys[number];

	for (uint32_t i = 0; i < key->count; i++) {
		const struct model_state *other = &key->states[i];

		if (other->version == state.version && other->len == state.len && other->trashed == state.trashed)
			return;
	}
	if (key->count == MODEL_STATES)
		flawed(model, "key %u: the test leaves too many states open", number);
	else
		key->states[key->count++] = state;
}

/* These answers say that nothing was done. */
static bool is_refusal(enum err err)
{
	return err == ERR_EXISTS || err == ERR_NOT_FOUND || err == ERR_FULL;
}

static void note_change(struct model *model, const struct step *step, enum err err)
{
	struct model_state state = {0, 0, false};

	if (is_refusal(err))
		return;
	if (step->verb == STEP_PUT)
		state = (struct model_state){step->version, step->len, false};
	if (err == ERR_OK)
		model->keys[step->key].count = 0;
	add_state(model, step->key, state);
}

/* Into the trash, or out of it: `sure`, or perhaps. */
static void note_trash(struct model *model, uint32_t number, bool trashed, bool sure)
{
	struct model_key *key = &model->keys[number], before = *key;

	if (sure)
		key->count = 0;
	for (uint32_t i = 0; i < before.count; i++) {
		struct model_state state = before.states[i];

		state.trashed = trashed && state.version != 0;
		add_state(model, number, state);
	}
}

void model_note(struct model *model, const struct step *step, enum err err, bool settled)
{
	switch (step->verb) {
	case STEP_PUT:
	case STEP_DELETE:
		note_change(model, step, err);
		break;
	case STEP_TRASH:
	case STEP_RESTORE:
		if (!is_refusal(err))
			note_trash(model, step->key, step->verb == STEP_TRASH, err == ERR_OK);
		break;
	case STEP_GET:
		if (err == ERR_CONFLICT)
			flawed(model, "key %u: read as what it cannot be", step->key);
		else
			note_trash(model, step->key, false, err == ERR_OK && settled);
		break;
	case STEP_TRANSFER:
		if (err == ERR_OK)
			model->written[step->key] = true;
		break;
	case STEP_FLUSH:
	case STEP_RESTART:
		/* What a failed sync did not take, the page cache need not have kept. */
		if (settled)
			memcpy(model->durable, model->written, sizeof(model->durable));
		else if (step->verb == STEP_RESTART)
			memcpy(model->written, model->durable, sizeof(model->written));
		break;
	case STEP_ABORT:
	case STEP_HOLD:
	case STEP_DROP:
	case STEP_CHECKPOINT:
	case STEP_UPKEEP:
		break;
	case STEP_COMPACT:
		if (err == ERR_TIMEOUT)
			flawed(model, "compaction goes on for ever");
		break;
	}
}

void model_guess(struct model *model, const struct step *step)
{
	if (step->verb != STEP_RESTART && step->verb != STEP_FLUSH)
		model_note(model, step, ERR_IO, false);
}

/* Where the piece is, without reading it, which would take it out of the trash. Damage shows when it is read. */
static bool is_trashed(struct store *store, uint32_t piece)
{
	struct store_key key = pieces_key(piece);
	struct located found;

	if (store_locate(store, &key, LOCATE_CORE, &found, NULL) != ERR_OK)
		return false;
	segments_unpin(store->segments, found.segment);
	return (found.place.flags & INDEX_TRASHED) != 0;
}

/* Which of its states does it show? ERR_CONFLICT for none of them, and what the store says when it cannot be read. */
static enum err match(const struct model *model, struct store *store, uint32_t number, struct model_state *ret)
{
	const struct model_key *key = &model->keys[number];
	uint32_t piece = model->first + number;
	bool trashed = is_trashed(store, piece);

	for (uint32_t i = 0; i < key->count; i++) {
		struct model_state state = key->states[i];
		enum err err = pieces_check(store, piece, state.version, state.len);

		if (err == (state.version == 0 ? ERR_NOT_FOUND : ERR_OK) && state.trashed == trashed) {
			*ret = state;
			return ERR_OK;
		}
		if (err != ERR_OK && err != ERR_NOT_FOUND && err != ERR_CONFLICT)
			return err;
	}
	return ERR_CONFLICT;
}

enum err model_read(const struct model *model, struct store *store, uint32_t number)
{
	struct model_state ignored;

	return match(model, store, number, &ignored);
}

static bool check_key(struct model *model, struct store *store, uint32_t number)
{
	struct model_key *key = &model->keys[number];
	const struct model_state *sure = &key->states[0];
	struct model_state found;
	enum err err = match(model, store, number, &found);

	if (err != ERR_OK)
		return flawed(model, "key %u: %s, with %u states that it may have; version %u with %u bytes%s was sure",
			      number, err_name(err), key->count, sure->version, sure->len,
			      sure->trashed ? " in the trash" : "");
	key->states[0] = found;
	key->count = 1;
	return true;
}

/* What was seen of the models that share a store. */
struct seen {
	struct model *models;
	size_t count;
	bool (*transfers)[WORKLOAD_TRANSFERS];
	bool (*pieces)[WORKLOAD_KEYS];
	uint64_t last;
};

static bool see_transfer(void *arg, const struct store_transfer *transfer)
{
	struct seen *seen = arg;
	uint32_t number = get_be32(transfer->allocation.serial.b);

	if (transfer->sequence <= seen->last)
		return flawed(seen->models, "the transfers are not in order");
	seen->last = transfer->sequence;
	for (size_t i = 0; i < seen->count && transfer->allocation.action == ACTION_GET; i++) {
		uint32_t at = number - seen->models[i].first;

		if (at < WORKLOAD_TRANSFERS)
			seen->transfers[i][at] = true;
	}
	return true;
}

static bool see_piece(void *arg, const struct store_key *key, uint64_t size)
{
	struct seen *seen = arg;

	for (size_t i = 0; i < seen->count * WORKLOAD_KEYS; i++) {
		struct model *model = &seen->models[i / WORKLOAD_KEYS];
		uint32_t number = (uint32_t)(i % WORKLOAD_KEYS);
		const struct model_state *state = &model->keys[number].states[0];
		struct store_key expected = pieces_key(model->first + number);

		if (!bytes32_equal(&expected.piece, &key->piece))
			continue;
		if (state->version == 0 || size != state->len || seen->pieces[i / WORKLOAD_KEYS][number])
			return flawed(seen->models, "key %u is listed twice, or should not be", number);
		seen->pieces[i / WORKLOAD_KEYS][number] = true;
		return true;
	}
	return flawed(seen->models, "a piece of %llu bytes is listed that nobody put", (unsigned long long)size);
}

static bool check_seen(const struct seen *seen, const struct model *model, const bool *transfers)
{
	size_t which = (size_t)(model - seen->models);

	for (uint32_t i = 0; i < WORKLOAD_KEYS; i++) {
		if (model->keys[i].states[0].version != 0 && !seen->pieces[which][i])
			return flawed(seen->models, "key %u is not listed", i);
	}
	for (uint32_t i = 0; i < WORKLOAD_TRANSFERS; i++) {
		if (transfers[i] && !seen->transfers[which][i])
			return flawed(seen->models, "transfer %u is lost", i);
	}
	return true;
}

/* `transfers` NULL: the durable ones of each. */
static bool check_lists(struct model *models, size_t count, struct store *store, const bool *transfers)
{
	struct seen seen = {.models = models, .count = count};
	bool fine;

	seen.transfers = memory_new(count, sizeof(*seen.transfers));
	seen.pieces = memory_new(count, sizeof(*seen.pieces));
	fine = store_each(store, see_piece, &seen) == ERR_OK || flawed(models, "the pieces cannot be listed");
	if (fine && store_transfers_each(store, 0, 0, see_transfer, &seen) != ERR_OK)
		fine = flawed(models, "the transfers cannot be listed");
	for (size_t i = 0; fine && i < count; i++)
		fine = check_seen(&seen, &models[i], transfers != NULL ? transfers : models[i].durable);
	free(seen.transfers);
	free(seen.pieces);
	return fine && models->flaw[0] == '\0';
}

struct names {
	uint32_t *ids;
	size_t count;
	size_t room;
};

static void add_name(void *arg, const char *name)
{
	struct names *names = arg;
	uint32_t id;

	if (!segment_name(name, &id))
		return;
	names->ids = memory_grow(names->ids, &names->room, names->count + 1, sizeof(*names->ids));
	names->ids[names->count++] = id;
}

/* Bytes of the segment files of a directory, as the disk has them. */
static bool add_files(struct model *model, struct store *store, const char *dir, uint64_t *sum)
{
	struct names names = {NULL, 0, 0};
	enum err err = seam_list_directory(store->seam, dir, add_name, &names);

	for (size_t i = 0; err == ERR_OK && i < names.count; i++) {
		char path[SEGMENT_PATH];
		struct seam_stat st;

		segment_path(dir, names.ids[i], path);
		err = seam_stat_path(store->seam, path, &st);
		*sum += err == ERR_OK ? st.size : 0;
	}
	free(names.ids);
	return err == ERR_OK || flawed(model, "the segments cannot be listed");
}

/* Sums of what the keys hold. */
struct sums {
	uint64_t live, pieces, trash, trashed;
};

static struct sums sums_of(const struct model *models, size_t count)
{
	struct sums sums = {0, 0, 0, 0};

	for (size_t i = 0; i < count * WORKLOAD_KEYS; i++) {
		const struct model_state *state = &models[i / WORKLOAD_KEYS].keys[i % WORKLOAD_KEYS].states[0];

		if (state->trashed) {
			sums.trash += state->len;
			sums.trashed++;
		} else {
			sums.live += state->len;
			sums.pieces += state->version != 0;
		}
	}
	return sums;
}

/* What the store counts, and what the disk says. */
struct measured {
	struct store_space space;
	struct store_scan scan;
	uint64_t files;
};

static bool measure(struct model *model, struct store *store, struct measured *ret)
{
	committer_flush(store->committer); /* transfers that are written and not synced yet */
	segments_wait_idle(store->segments);
	store_space(store, &ret->space);
	if (store_scan(store, &ret->scan) != ERR_OK)
		return flawed(model, "the disk cannot be counted");
	ret->files = 0;
	return add_files(model, store, store->pieces_dir, &ret->files) &&
	       add_files(model, store, store->transfers_dir, &ret->files);
}

static bool check_sums(struct model *model, size_t count, const struct measured *measured)
{
	const struct store_space *space = &measured->space;
	uint64_t all = space->live + space->trash + space->dead + space->overhead + space->reserved + space->free;
	struct sums sums = sums_of(model, count);

	if (space->live != sums.live || space->pieces != sums.pieces)
		return flawed(model, "%llu pieces of %llu bytes are there, %llu of %llu are counted",
			      (unsigned long long)sums.pieces, (unsigned long long)sums.live,
			      (unsigned long long)space->pieces, (unsigned long long)space->live);
	if (space->trash != sums.trash || space->trashed != sums.trashed)
		return flawed(model, "%llu pieces of %llu bytes are in the trash, %llu of %llu are counted",
			      (unsigned long long)sums.trashed, (unsigned long long)sums.trash,
			      (unsigned long long)space->trashed, (unsigned long long)space->trash);
	if (space->live != measured->scan.live || space->dead != measured->scan.dead ||
	    space->overhead != measured->scan.overhead || space->trash != measured->scan.trash ||
	    measured->scan.bytes != measured->files)
		return flawed(model, "the disk has %llu live, %llu dead, %llu overhead, not %llu, %llu, %llu",
			      (unsigned long long)measured->scan.live, (unsigned long long)measured->scan.dead,
			      (unsigned long long)measured->scan.overhead, (unsigned long long)space->live,
			      (unsigned long long)space->dead, (unsigned long long)space->overhead);
	if (all != measured->files)
		return flawed(model, "%llu bytes are accounted for, the files have %llu", (unsigned long long)all,
			      (unsigned long long)measured->files);
	return true;
}

static bool check(struct model *models, size_t count, struct store *store, const bool *transfers)
{
	struct measured before, after;
	struct store_damage damage;

	/* Nobody takes files away here: it would be a false alarm. */
	store_damage(store, &damage);
	if (damage.gone_files > 0)
		return flawed(models, "%llu files are said to be gone", (unsigned long long)damage.gone_files);
	if (!measure(models, store, &before))
		return false;
	for (size_t i = 0; i < count * WORKLOAD_KEYS; i++) {
		struct model *model = &models[i / WORKLOAD_KEYS];

		if (!check_key(model, store, (uint32_t)(i % WORKLOAD_KEYS)))
			return flawed(models, "%s", model->flaw);
	}
	if (!check_sums(models, count, &before))
		return false;
	committer_flush(store->committer); /* they are on their way out of the trash */
	for (size_t i = 0; i < count * WORKLOAD_KEYS; i++)
		models[i / WORKLOAD_KEYS].keys[i % WORKLOAD_KEYS].states[0].trashed = false;
	return measure(models, store, &after) && check_sums(models, count, &after) &&
	       check_lists(models, count, store, transfers);
}

bool model_check(struct model *model, struct store *store, const bool transfers[WORKLOAD_TRANSFERS])
{
	return check(model, 1, store, transfers);
}

bool model_check_all(struct model *models, size_t count, struct store *store)
{
	return check(models, count, store, NULL);
}

void play_init(struct play *play, const char *dir, const struct seam *seam, struct model *model)
{
	*play = (struct play){.dir = dir, .seam = seam, .model = model};
	play->options = (struct store_options){.allocation = ALLOCATION, .no_upkeep = true};
	pthread_mutex_init(&play->lock, NULL);
}

void play_end(struct play *play)
{
	play_close(play);
	pthread_mutex_destroy(&play->lock);
}

enum err play_make(struct play *play)
{
	return store_init(play->dir, play->options.allocation, SEGMENT_LEAST, play->seam, play->why);
}

enum err play_open(struct play *play)
{
	return store_open(play->dir, &play->options, play->seam, &play->store, play->why);
}

void play_close(struct play *play)
{
	store_put_abort(play->held);
	play->held = NULL;
	store_close(play->store);
	play->store = NULL;
}

static bool is_whole(struct play *play)
{
	return play->store != NULL && !health_failed(&play->store->health);
}

static bool ignore_transfer(void *arg, const struct store_transfer *transfer)
{
	(void)arg;
	(void)transfer;
	return true;
}

/* Whatever it shows now it may not show after a crash, so nothing is settled but that it is one of its states. */
static enum err read_key(struct play *play, uint32_t key)
{
	enum err err = model_read(play->model, play->store, key);

	committer_flush(play->store->committer); /* it may be on its way out of the trash */
	return err;
}

static enum err compact(struct store *store)
{
	struct store_compacted done = {.more = true};
	enum err err = ERR_OK;

	for (int i = 0; i < COMPACT_STEPS && err == ERR_OK && done.more && done.segments == 0; i++)
		err = store_compact_step(store, 1, &done);
	return err == ERR_OK && done.more && done.segments == 0 ? ERR_TIMEOUT : err;
}

static enum err act(struct play *play, const struct step *step)
{
	struct store *store = play->store;
	uint32_t number = play->model->first + step->key;

	switch (step->verb) {
	case STEP_PUT:
		return step->days == 0 ? pieces_put(store, number, step->version, step->len, step->limit) :
					 pieces_put_until(store, number, step->version, step->len,
							  clock_wall() + step->days * 86400ull);
	case STEP_GET:
		return read_key(play, step->key);
	case STEP_DELETE:
		return pieces_delete(store, number);
	case STEP_TRASH:
		return pieces_trash(store, number);
	case STEP_RESTORE:
		return pieces_restore(store, number);
	case STEP_ABORT:
		return pieces_abort(store, number, step->len, step->limit == 0 ? step->len : step->limit);
	case STEP_HOLD:
		store_put_abort(play->held);
		play->held = NULL;
		return pieces_hold(store, number, step->len, step->limit == 0 ? step->len : step->limit,
				   &play->held);
	case STEP_DROP:
		store_put_abort(play->held);
		play->held = NULL;
		return ERR_OK;
	case STEP_TRANSFER:
		return pieces_transfer(store, number, step->len);
	case STEP_FLUSH:
		return store_transfers_each(store, 0, 0, ignore_transfer, NULL);
	case STEP_COMPACT:
		return compact(store);
	case STEP_CHECKPOINT:
		return store_checkpoint(store);
	case STEP_UPKEEP:
		(void)store_upkeep_step(store, NULL);
		return ERR_OK;
	case STEP_RESTART:
		play_close(play);
		return play_open(play);
	}
	return ERR_OK;
}

/* Did all go well that should have made all durable? After a restart the floor tells: a stop that was not clean set it
 * to the time of the start, which counts seconds, so a recent one proves nothing. */
static bool is_settled(struct play *play, const struct step *step, bool whole_before, uint64_t floor_before)
{
	uint64_t floor;

	if (step->verb != STEP_RESTART || !whole_before || play->store == NULL)
		return whole_before && is_whole(play);
	floor = store_transfers_floor(play->store);
	return floor == 0 || (floor == floor_before && floor + 2 < clock_wall());
}

enum err play_take(struct play *play, const struct step *step)
{
	bool whole = is_whole(play);
	uint64_t floor = store_transfers_floor(play->store);
	enum err err;

	pthread_mutex_lock(&play->lock);
	play->now = step;
	pthread_mutex_unlock(&play->lock);
	err = act(play, step);
	pthread_mutex_lock(&play->lock);
	play->settled = is_settled(play, step, whole, floor);
	model_note(play->model, step, err, play->settled);
	play->now = NULL;
	pthread_mutex_unlock(&play->lock);
	if (play->store != NULL && !play->restless)
		segments_wait_idle(play->store->segments);
	return err;
}

void play_moment(struct play *play, struct model *ret)
{
	pthread_mutex_lock(&play->lock);
	*ret = *play->model;
	if (play->now != NULL)
		model_guess(ret, play->now);
	pthread_mutex_unlock(&play->lock);
}
