/*
 * The store's face: making it, opening and closing it, satellites, walking pieces, space.
 *
 * Putting is in upload.c, reading in reader.c, deleting and the trash in marks.c, the transfer log in transfers.c.
 */
#include "node/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/random.h"
#include "node/store/checkpointer.h"
#include "node/store/collect.h"
#include "node/store/compact.h"
#include "node/store/engine.h"
#include "node/store/home.h"
#include "node/store/jobs.h"
#include "node/store/planted.h"
#include "node/store/recovery.h"
#include "node/store/scrub.h"

#define ALLOCATION_LEAST (8ull << 20)
#define SEGMENTS_ABOUT 1000
#define SEGMENTS_MOST 65536 /* when the allocation grew since the store was made, new segments grow too */
#define ROOMY (16u << 20)   /* segments smaller than this are for small stores only: rolling over costs syncs */

static enum err fail(enum err err, char why[STORE_MESSAGE], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum err fail(enum err err, char why[STORE_MESSAGE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, STORE_MESSAGE, format, args);
	va_end(args);
	return err;
}

/* The power of two nearest to a thousandth of the allocation, within what suits it. */
static uint32_t segment_size_for(uint64_t allocation)
{
	uint32_t least = allocation / 32 >= ROOMY ? ROOMY : SEGMENT_LEAST, size = SEGMENT_LEAST;

	while (size < SEGMENT_MOST && (uint64_t)size * 3 / 2 < allocation / SEGMENTS_ABOUT)
		size *= 2;
	return size > least ? size : least;
}

static bool good_segment_size(uint64_t size)
{
	return size >= SEGMENT_LEAST && size <= SEGMENT_MOST && (size & (size - 1)) == 0;
}

static enum err join(const char *dir, const char *name, char *out, size_t room, char why[STORE_MESSAGE])
{
	int len = snprintf(out, room, "%s/%s", dir, name);

	return len > 0 && (size_t)len < room ? ERR_OK : fail(ERR_RANGE, why, "the path %.100s… is too long", dir);
}

static void note_name(void *arg, const char *name)
{
	uint32_t id;

	if (segment_name(name, &id))
		*(bool *)arg = true;
}

/* DIR/store must not hold anything that could be a store's. */
static enum err check_vacant(const struct seam *seam, const char *path, const char *super, const char *segments,
			     char why[STORE_MESSAGE])
{
	struct seam_stat st;
	bool occupied = false;
	enum err err = seam_stat_path(seam, super, &st);

	if (err == ERR_OK)
		return fail(ERR_EXISTS, why, "%.200s holds a store already", path);
	if (err == ERR_NOT_FOUND)
		err = seam_list_directory(seam, segments, note_name, &occupied);
	if (occupied)
		return fail(ERR_EXISTS, why, "%.200s holds segments of a store that lost its SUPER file", path);
	/* A disk that does not answer is not an empty one. */
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return fail(err, why, "cannot look into %.180s: %s", path, err_text(err));
	return ERR_OK;
}

static enum err make_directories(const struct seam *seam, const char *path)
{
	static const char *const names[] = {"segments", "transfers", "index", "twins"};
	char inner[SEGMENT_PATH];
	enum err err = seam_make_directory(seam, path);

	for (size_t i = 0; err == ERR_OK && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(inner, sizeof(inner), "%s/%s", path, names[i]);
		err = seam_make_directory(seam, inner);
	}
	/* A disk may keep the name of SUPER, which makes it a store, and lose theirs. */
	return err == ERR_OK ? seam_sync_directory(seam, path) : err;
}

enum err store_init(const char *dir, uint64_t allocation, uint64_t segment_size, const struct seam *seam,
		    char why[STORE_MESSAGE])
{
	char path[SEGMENT_PATH / 2], super_path[SEGMENT_PATH], segments[SEGMENT_PATH];
	struct super super = {.sequence = 1, .next_segment = 1, .clean = true};
	enum err err = join(dir, "store", path, sizeof(path), why);

	if (err != ERR_OK)
		return err;
	if (allocation < ALLOCATION_LEAST)
		return fail(ERR_RANGE, why, "the allocation must be at least %llu bytes", ALLOCATION_LEAST);
	if (segment_size != 0 && !good_segment_size(segment_size))
		return fail(ERR_RANGE, why, "the segment size must be a power of two from 1 MiB to 1 GiB");
	snprintf(super_path, sizeof(super_path), "%s/SUPER", path);
	snprintf(segments, sizeof(segments), "%s/segments", path);
	err = check_vacant(seam, path, super_path, segments, why);
	if (err != ERR_OK)
		return err;
	random_bytes(super.store.b, sizeof(super.store.b));
	random_bytes(super.secret.b, sizeof(super.secret.b));
	super.created = clock_wall();
	super.segment_size = segment_size != 0 ? (uint32_t)segment_size : segment_size_for(allocation);
	err = make_directories(seam, path);
	if (err == ERR_OK)
		err = super_create(seam, path, &super);
	if (err == ERR_OK)
		err = seam_sync_directory(seam, dir);
	return err == ERR_OK ? ERR_OK : fail(err, why, "cannot make a store in %.180s: %s", path, err_text(err));
}

/* The lock first, so that two processes never even read at once. */
static enum err lock_store(struct store *store, const char *dir, char why[STORE_MESSAGE])
{
	char path[SEGMENT_PATH];
	enum err err;

	snprintf(path, sizeof(path), "%s/SUPER", store->dir);
	err = seam_open_file(store->seam, path, O_RDWR, &store->super_fd);
	if (err != ERR_OK)
		return home_explain(store, dir, err, why);
	snprintf(path, sizeof(path), "%s/LOCK", store->dir);
	err = seam_open_file(store->seam, path, O_RDWR | O_CREAT, &store->lock_fd);
	if (err != ERR_OK)
		return fail(err, why, "cannot open %.180s: %s", path, err_text(err));
	err = seam_lock_file(store->seam, store->lock_fd);
	if (err == ERR_BUSY)
		return fail(ERR_BUSY, why, "the store in %.160s is open already, in another process", store->dir);
	if (err != ERR_OK)
		return fail(err, why, "cannot lock %.180s: %s", path, err_text(err));
	return ERR_OK;
}

static enum err load_super(struct store *store, char why[STORE_MESSAGE])
{
	enum err err = super_load(store->seam, store->super_fd, &store->super);

	if (err == ERR_UNSUPPORTED)
		return fail(err, why, "the store in %.180s is of a newer version", store->dir);
	if (err == ERR_CORRUPT)
		return fail(err, why, "both copies in %.120s/SUPER are damaged, and without one no piece can be read",
			    store->dir);
	if (err != ERR_OK)
		return fail(err, why, "%.180s/SUPER cannot be read: %s", store->dir, err_text(err));
	store->secret = store->super.secret;
	return ERR_OK;
}

static void make_parts(struct store *store)
{
	struct segments_config config = {
		.seam = store->seam,
		.health = &store->health,
		.sequence = &store->sequence,
		.store = store->super.store,
		.secret = store->secret,
		.segment_size = store->super.segment_size,
		.allocation = store->options.allocation,
	};

	while (config.segment_size < SEGMENT_MOST && store->options.allocation / config.segment_size > SEGMENTS_MOST)
		config.segment_size *= 2;
	store->twins.seam = store->seam;
	snprintf(store->twins.dir, sizeof(store->twins.dir), "%s/twins", store->dir);
	store->twins.store = store->super.store;
	store->twins.secret = store->secret;
	config.twins = &store->twins;
	config.dirs[SEGMENT_PIECES] = store->pieces_dir;
	config.dirs[SEGMENT_TRANSFERS] = store->transfers_dir;
	store->segments = segments_new(&config);
	segments_set_next_id(store->segments, store->super.next_segment);
}

enum err store_save_super(struct store *store)
{
	enum err err;

	pthread_mutex_lock(&store->super_lock);
	store->super.sequence = sequence_next(&store->sequence);
	store->super.next_segment = segments_next_id(store->segments);
	err = super_save(store->seam, store->super_fd, &store->super);
	pthread_mutex_unlock(&store->super_lock);
	if (err == ERR_OK)
		return ERR_OK;
	health_fail(&store->health, "writing SUPER", 0, err);
	return ERR_READ_ONLY;
}

/* Making the store may have been cut off just before its names were durable. */
static enum err sync_directories(struct store *store, const char *dir)
{
	const char *const paths[] = {dir, store->dir, store->pieces_dir, store->transfers_dir};
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < sizeof(paths) / sizeof(paths[0]); i++)
		err = seam_sync_directory(store->seam, paths[i]);
	return err;
}

/* All in them can be made anew, so an owner may have deleted them. Without them a store works, but starts slowly, and
 * cannot tell what was in a file that is gone. */
static void make_spare_directories(const struct store *store)
{
	char path[SEGMENT_PATH];

	snprintf(path, sizeof(path), "%s/index", store->dir);
	(void)!seam_make_directory(store->seam, path);
	(void)!seam_make_directory(store->seam, store->twins.dir);
}

/* What was found must be on stable storage before anything is built on it, and SUPER must say that we are at it. */
static void settle_recovery(struct store *store, const char *dir, bool clean)
{
	enum err err = sync_directories(store, dir);

	if (err != ERR_OK)
		health_fail(&store->health, "syncing a directory", 0, err);
	if (!clean)
		store->super.floor = clock_wall();
	store->super.clean = false;
	(void)!store_save_super(store);
	recovery_seal(store);
}

/* From the committer's thread. */
static void after_group(void *arg)
{
	const struct store *store = arg;

	segments_note_twins(store->segments);
}

static void start_parts(struct store *store, const char *dir, const struct recovery_found *found)
{
	store->short_start = found->newest >= 0;
	store->gone_files = found->gone_files;
	store->gone_pieces = found->gone_pieces;
	store->checkpointer = checkpointer_new(store, found);
	store->committer = committer_start(store->seam, &store->health, after_group, store);
	store->keeper = keeper_start(store->segments);
	store->collector = collect_new(store);
	store->log = transfer_log_start(store);
	store->scrub = scrub_new(store);
	home_keep(store, dir);
	store->options.owner = NULL;
	if (!store->options.no_upkeep)
		upkeep_start(store->upkeep);
}

/* Fill the index from the files, and say on disk what was found. */
static enum err recover(struct store *store, const char *dir, struct recovery_found *found, char why[STORE_MESSAGE])
{
	bool clean = store->super.clean;
	enum err err = recovery_read(store, clean, found, why);

	if (err != ERR_OK)
		return err;
	if (found->last_sequence + 1 > store->super.sequence && !planted(SEQUENCE_REUSED))
		store->super.sequence = found->last_sequence + 1;
	sequence_set_next(&store->sequence, store->super.sequence);
	settle_recovery(store, dir, clean);
	err = damage_load(store);
	if (err != ERR_OK)
		return fail(err, why, "%.180s/DAMAGE cannot be read: %s", store->dir, err_text(err));
	recovery_list(store, found);
	return ERR_OK;
}

static enum err open_parts(struct store *store, const char *dir, char why[STORE_MESSAGE])
{
	struct recovery_found found;
	enum err err = lock_store(store, dir, why);

	if (err == ERR_OK)
		err = load_super(store, why);
	if (err == ERR_OK)
		err = home_admit(store, dir, why);
	if (err != ERR_OK)
		return err;
	home_note_place(store);
	make_parts(store);
	make_spare_directories(store);
	err = recover(store, dir, &found, why);
	if (err == ERR_OK)
		start_parts(store, dir, &found);
	recovery_found_free(store, &found);
	return err;
}

static void free_store(struct store *store)
{
	if (store->super_fd >= 0)
		store->seam->close(store->seam, store->super_fd);
	collect_free(store->collector);
	compact_free(store->compact);
	checkpointer_free(store->checkpointer);
	segments_free(store->segments);
	index_free(store->index);
	if (store->lock_fd >= 0)
		store->seam->close(store->seam, store->lock_fd);
	upkeep_free(store->upkeep);
	damage_destroy(&store->damage, store->seam);
	heads_destroy(&store->heads);
	claims_destroy(&store->claims);
	sequence_destroy(&store->sequence);
	health_destroy(&store->health);
	pthread_mutex_destroy(&store->super_lock);
	free(store);
}

enum err store_open(const char *dir, const struct store_options *options, const struct seam *seam, struct store **ret,
		    char why[STORE_MESSAGE])
{
	struct store *store = memory_new(1, sizeof(*store));
	enum err err;

	store->seam = seam;
	store->lock_fd = -1;
	store->super_fd = -1;
	store->options = *options;
	pthread_mutex_init(&store->super_lock, NULL);
	health_init(&store->health);
	sequence_init(&store->sequence, 1);
	claims_init(&store->claims);
	heads_init(&store->heads);
	damage_init(&store->damage);
	store->upkeep = upkeep_new(store_jobs, store);
	store->compact = compact_new(store);
	atomic_init(&store->newest, 0);
	err = join(dir, "store", store->dir, sizeof(store->dir), why);
	if (err == ERR_OK) {
		snprintf(store->pieces_dir, sizeof(store->pieces_dir), "%s/segments", store->dir);
		snprintf(store->transfers_dir, sizeof(store->transfers_dir), "%s/transfers", store->dir);
		err = open_parts(store, dir, why);
	}
	if (err != ERR_OK) {
		free_store(store);
		return err;
	}
	*ret = store;
	return ERR_OK;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	upkeep_stop(store->upkeep);
	reaper_stop(store);
	collect_free(store->collector);
	store->collector = NULL;
	compact_free(store->compact);
	store->compact = NULL;
	scrub_free(store->scrub);
	store->scrub = NULL;
	transfer_log_stop(store->log);
	committer_stop(store->committer);
	segments_finish(store->segments);
	keeper_stop(store->keeper);
	if (!health_failed(&store->health) && segments_all_sealed(store->segments)) {
		/* Without it the next start takes longer, no more. */
		(void)!checkpointer_close(store);
		store->super.clean = true;
		(void)!store_save_super(store);
	}
	free_store(store);
}

void store_note_created(struct store *store, uint64_t created)
{
	uint64_t newest = atomic_load(&store->newest);

	while (created > newest && !atomic_compare_exchange_weak(&store->newest, &newest, created))
		;
}

enum err store_rebuild(const char *dir, const struct store_options *options, const struct seam *seam,
		       struct store_space *ret, char why[STORE_MESSAGE])
{
	struct store_options anew = *options;
	struct store *store;
	enum err err;

	anew.rebuild = true;
	anew.no_upkeep = true;
	err = store_open(dir, &anew, seam, &store, why);
	if (err != ERR_OK)
		return err;
	store_space(store, ret);
	err = store_checkpoint(store);
	store_close(store);
	return err == ERR_OK ? ERR_OK : fail(err, why, "cannot write a checkpoint of the index: %s", err_text(err));
}

bool store_upkeep_step(struct store *store, const char *job)
{
	return upkeep_step(store->upkeep, job);
}

enum err store_satellite(struct store *store, const struct address *satellite, uint16_t *ret)
{
	enum err err = ERR_OK;
	uint16_t number = 0;

	pthread_mutex_lock(&store->super_lock);
	while (number < store->super.satellite_count && !address_equal(&store->super.satellites[number], satellite))
		number++;
	if (number == store->super.satellite_count) {
		if (health_failed(&store->health))
			err = ERR_READ_ONLY;
		else if (number == SUPER_SATELLITES)
			err = ERR_LIMIT;
		else
			store->super.satellites[store->super.satellite_count++] = *satellite;
		if (err == ERR_OK && super_save(store->seam, store->super_fd, &store->super) != ERR_OK) {
			store->super.satellite_count--;
			health_fail(&store->health, "writing SUPER", 0, ERR_IO);
			err = ERR_READ_ONLY;
		}
	}
	pthread_mutex_unlock(&store->super_lock);
	if (err == ERR_OK)
		*ret = number;
	return err;
}

size_t store_satellites(struct store *store, struct address **ret)
{
	size_t count;

	pthread_mutex_lock(&store->super_lock);
	count = store->super.satellite_count;
	*ret = memory_new(count + 1, sizeof(**ret));
	memcpy(*ret, store->super.satellites, count * sizeof(**ret));
	pthread_mutex_unlock(&store->super_lock);
	return count;
}

/* Visit the live pieces of one segment; false in *go_on when `each` has enough. */
static enum err each_of(struct store *store, struct segment *segment,
			bool (*each)(void *arg, const struct store_key *key, uint64_t size), void *arg, bool *go_on)
{
	struct segment_entry *entries;
	size_t count;
	enum err err = segments_entries(store->segments, segment, &entries, &count);

	if (err != ERR_OK)
		return err;
	for (size_t i = 0; *go_on && i < count; i++) {
		const struct segment_entry *entry = &entries[i];
		struct store_key key = {entry->satellite, entry->piece};
		struct index_place place;

		if (entry->type != RECORD_PIECE)
			continue;
		if (index_get(store->index, index_hash(store->index, key.satellite, &key.piece),
			      &(struct index_spot){segment->number, entry->offset}, &place) &&
		    (place.flags & INDEX_TRASHED) == 0)
			*go_on = each(arg, &key, entry->size);
	}
	free(entries);
	return ERR_OK;
}

enum err store_each(struct store *store, bool (*each)(void *arg, const struct store_key *key, uint64_t size), void *arg)
{
	enum err err = ERR_OK;
	struct segment **list;
	bool go_on = true;
	size_t count;

	list = segments_list(store->segments, &count);
	for (size_t i = 0; err == ERR_OK && go_on && i < count; i++) {
		if (list[i]->kind == SEGMENT_PIECES)
			err = each_of(store, list[i], each, arg, &go_on);
	}
	segments_unlist(store->segments, list, count);
	return err;
}

void store_resize(struct store *store, uint64_t allocation)
{
	segments_set_allocation(store->segments, allocation);
}

void store_space(struct store *store, struct store_space *ret)
{
	struct segments_space space;
	struct seam_space disk = {0, 0};
	uint64_t growth;

	segments_space(store->segments, &space);
	if (seam_free_space(store->seam, store->dir, &disk) != ERR_OK)
		disk.free = 0;
	growth = space.growth < disk.free ? space.growth : disk.free;
	*ret = (struct store_space){
		.allocation = segments_allocation(store->segments),
		.live = space.bytes.live,
		.pieces = space.pieces,
		.trash = space.bytes.trash,
		.trashed = space.trashed,
		.dead = space.bytes.dead,
		.overhead = space.bytes.overhead,
		.reserved = space.bytes.reserved,
		.free = space.free,
		.available = space.free_pieces + growth,
		.read_only = health_failed(&store->health),
	};
	compact_totals(store->compact, &ret->copied, &ret->freed);
	if (ret->read_only)
		ret->available = 0;
	health_reason(&store->health, ret->reason);
}
