/*
 * Counting all bytes again from the disk, file by file, and what the filesystem gives for them.
 *
 * It reads what a start would read, through descriptors of its own, so that a counter that went wrong shows.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/engine.h"
#include "node/store/walk.h"

#define BLOCK 4096 /* what common filesystems give at least */

struct scan {
	struct store *store;
	struct store_scan sum;
};

/* Whose bytes a record's are; returns how many. */
static uint64_t count_entry(struct scan *scan, const struct segment *segment, const struct segment_entry *entry)
{
	struct index *index = scan->store->index;
	struct index_spot spot = {segment->number, entry->offset};
	struct store_scan *sum = &scan->sum;
	struct index_place place;

	if (entry->type != RECORD_PIECE) {
		sum->overhead += record_head_of((enum record_type)entry->type);
		return record_head_of((enum record_type)entry->type);
	}
	if (!index_get(index, index_hash(index, entry->satellite, &entry->piece), &spot, &place)) {
		sum->dead += entry->extent;
		return entry->extent;
	}
	sum->overhead += entry->extent - entry->size;
	if ((place.flags & INDEX_TRASHED) != 0) {
		sum->trash += entry->size;
		sum->trashed++;
	} else {
		sum->live += entry->size;
		sum->pieces++;
	}
	return entry->extent;
}

/* Find the records of a file without a footer that holds. */
static uint64_t walk_file(struct scan *scan, const struct segment *segment, int fd, uint32_t size)
{
	struct segment *seen = segment_new(segment->id, segment->kind, segment->class, fd);
	uint64_t used = 0;
	struct walk walk;

	seen->size = size;
	walk_segment(scan->store->seam, &scan->store->secret, seen, &walk);
	free(walk.pieces);
	for (size_t i = 0; i < seen->entry_count; i++)
		used += count_entry(scan, segment, &seen->entries[i]);
	segment_free(scan->store->seam, seen);
	return used;
}

static void count_file(struct scan *scan, struct segment *segment, int fd, uint32_t size)
{
	struct segment_entry *entries = NULL;
	struct segment_trailer trailer;
	uint64_t used = SEGMENT_HEADER;
	bool sealed = segments_ends_before(scan->store->segments, segment, UINT64_MAX);
	enum err err = segment_read_footer(scan->store->seam, fd, size, segment->id, &scan->store->secret, &trailer,
					   &entries);

	scan->sum.overhead += SEGMENT_HEADER;
	if (err == ERR_OK) {
		for (uint32_t i = 0; i < trailer.count; i++)
			used += count_entry(scan, segment, &entries[i]);
		scan->sum.overhead += (uint64_t)trailer.count * SEGMENT_ENTRY + SEGMENT_TRAILER;
		used += (uint64_t)trailer.count * SEGMENT_ENTRY + SEGMENT_TRAILER;
		scan->store->seam->close(scan->store->seam, fd);
	} else {
		scan->sum.bad += sealed;
		used += walk_file(scan, segment, fd, size);
	}
	free(entries);
	if (sealed || err == ERR_OK)
		scan->sum.dead += size - used;
	else
		scan->sum.unused += size - used;
}

static enum err scan_file(struct scan *scan, enum segment_kind kind, uint32_t id)
{
	struct store *store = scan->store;
	struct segment *segment = segments_find(store->segments, kind, id);
	char path[SEGMENT_PATH];
	struct seam_stat st;
	enum err err;
	int fd;

	segment_path(kind == SEGMENT_PIECES ? store->pieces_dir : store->transfers_dir, id, path);
	err = seam_stat_path(store->seam, path, &st);
	if (err == ERR_OK && segment == NULL) {
		scan->sum.strange++;
		scan->sum.others += st.size;
		return ERR_OK;
	}
	if (err == ERR_OK)
		err = seam_open_file(store->seam, path, O_RDONLY, &fd);
	if (err == ERR_OK) {
		scan->sum.segments++;
		scan->sum.bytes += st.size;
		scan->sum.blocks += st.blocks;
		scan->sum.rounding += (BLOCK - st.size % BLOCK) % BLOCK;
		count_file(scan, segment, fd, (uint32_t)st.size);
	}
	if (segment != NULL)
		segments_unpin(store->segments, segment);
	return err;
}

static enum err scan_kind(struct scan *scan, enum segment_kind kind)
{
	const char *dir = kind == SEGMENT_PIECES ? scan->store->pieces_dir : scan->store->transfers_dir;
	uint32_t *ids;
	size_t count;
	enum err err = segment_list_ids(scan->store->seam, dir, SEGMENT_SUFFIX, &ids, &count);

	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = scan_file(scan, kind, ids[i]);
	free(ids);
	return err;
}

/* Names first: a directory is not left open while its files are looked at. */
struct others {
	char **names;
	size_t count;
	size_t room;
};

static void add_other(void *arg, const char *name)
{
	struct others *others = arg;

	others->names = memory_grow(others->names, &others->room, others->count + 1, sizeof(*others->names));
	others->names[others->count++] = memory_copy(name, strlen(name));
}

static enum err scan_others(struct scan *scan, const char *dir)
{
	struct others others = {NULL, 0, 0};
	enum err err = seam_list_directory(scan->store->seam, dir, add_other, &others);

	for (size_t i = 0; i < others.count; i++) {
		char path[SEGMENT_PATH];
		struct seam_stat st;
		int len = snprintf(path, sizeof(path), "%s/%s", dir, others.names[i]);

		if (len > 0 && (size_t)len < sizeof(path) &&
		    seam_stat_path(scan->store->seam, path, &st) == ERR_OK && !st.directory)
			scan->sum.others += st.size;
		free(others.names[i]);
	}
	free(others.names);
	return err;
}

enum err store_scan(struct store *store, struct store_scan *ret)
{
	struct scan scan = {.store = store};
	char index_dir[SEGMENT_PATH];
	enum err err;

	snprintf(index_dir, sizeof(index_dir), "%s/index", store->dir);
	upkeep_enter(store->upkeep);
	segments_wait_idle(store->segments);
	err = scan_kind(&scan, SEGMENT_PIECES);
	if (err == ERR_OK)
		err = scan_kind(&scan, SEGMENT_TRANSFERS);
	if (err == ERR_OK)
		err = scan_others(&scan, store->dir);
	if (err == ERR_OK)
		err = scan_others(&scan, index_dir);
	if (err == ERR_OK)
		err = scan_others(&scan, store->twins.dir);
	upkeep_leave(store->upkeep);
	if (err != ERR_OK)
		return err;
	scan.sum.extra = (int64_t)(scan.sum.blocks - scan.sum.bytes - scan.sum.rounding);
	*ret = scan.sum;
	return ERR_OK;
}
