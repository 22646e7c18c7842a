/* From twins without files to a list of lost pieces. */
#include "node/store/gone.h"

#include <fcntl.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"
#include "node/store/engine.h"

/* A segment of which there is the twin alone. Its descriptor is the twin's: no record is found in there. */
static struct segment *ghost_new(struct store *store, enum twin_kind kind, uint32_t id,
				 struct segment_entry *entries, size_t count)
{
	char path[SEGMENT_PATH];
	struct segment *ghost;
	int fd;

	twin_path(&store->twins, kind, id, path);
	if (seam_open_file(store->seam, path, O_RDONLY, &fd) != ERR_OK)
		return NULL;
	ghost = segment_new(id, SEGMENT_PIECES, 0, fd);
	ghost->state = SEGMENT_SEALED;
	ghost->ghost = true;
	ghost->entries = entries;
	ghost->entry_count = count;
	ghost->entry_room = count;
	return ghost;
}

static void add_file(struct store *store, struct gone *gone, uint32_t id, enum twin_kind kind)
{
	struct gone_file file = {.id = id, .given_up = kind == TWIN_GIVEN_UP};
	struct segment_entry *entries = NULL;
	size_t count = 0;
	enum err err;

	err = twin_read(&store->twins, kind, id, &entries, &count);
	if (err == ERR_DENIED)
		return; /* another store's that was here before */
	if (err == ERR_OK)
		file.segment = ghost_new(store, kind, id, entries, count);
	if (file.segment == NULL)
		free(entries);
	gone->files[gone->count++] = file;
}

static void note_last(struct gone *gone, const uint32_t *ids, size_t count)
{
	if (count > 0 && ids[count - 1] > gone->last_id)
		gone->last_id = ids[count - 1];
}

static int compare_files(const void *left, const void *right)
{
	const struct gone_file *a = left, *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

enum err gone_find(struct store *store, const uint32_t *ids, size_t count, struct gone *ret)
{
	uint32_t *twins = NULL, *given_up = NULL;
	size_t twin_count = 0, given_up_count = 0;
	struct gone gone = {0};
	enum err err = twin_list(&store->twins, TWIN_PROPER, &twins, &twin_count);

	if (err == ERR_OK)
		err = twin_list(&store->twins, TWIN_GIVEN_UP, &given_up, &given_up_count);
	if (err == ERR_OK) {
		gone.files = memory_new(twin_count + given_up_count + 1, sizeof(*gone.files));
		gone.back = memory_new(given_up_count + 1, sizeof(*gone.back));
		note_last(&gone, twins, twin_count);
		note_last(&gone, given_up, given_up_count);
	}
	for (size_t i = 0; err == ERR_OK && i < twin_count; i++) {
		if (!segment_has_id(ids, count, twins[i]))
			add_file(store, &gone, twins[i], TWIN_PROPER);
	}
	for (size_t i = 0; err == ERR_OK && i < given_up_count; i++) {
		if (segment_has_id(ids, count, given_up[i]))
			gone.back[gone.back_count++] = given_up[i];
		else if (!segment_has_id(twins, twin_count, given_up[i]))
			add_file(store, &gone, given_up[i], TWIN_GIVEN_UP);
	}
	free(twins);
	free(given_up);
	if (gone.count > 0)
		qsort(gone.files, gone.count, sizeof(*gone.files), compare_files);
	/* Nobody made a twin here yet. */
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		*ret = gone;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Ours may be the only pin left, or the table still has one after a start that failed. */
static void drop(struct store *store, struct segment *segment)
{
	if (segment != NULL)
		segments_unpin(store->segments, segment);
}

void gone_free(struct store *store, struct gone *gone)
{
	for (size_t i = 0; i < gone->count; i++)
		drop(store, gone->files[i].segment);
	free(gone->files);
	free(gone->back);
	free(gone->lost);
	*gone = (struct gone){0};
}

static void take_piece(struct store *store, struct gone *gone, struct gone_file *file,
		       const struct segment_entry *entry)
{
	const uint64_t now = clock_wall();
	const struct damage_entry lost = {
		.state = DAMAGE_BAD,
		.key = {entry->satellite, entry->piece},
		.target = {{file->id, entry->offset}, entry->size, entry->extent, entry->sequence},
		.found = now,
	};
	struct index_place place;

	if (!index_remove(store->index, index_hash(store->index, entry->satellite, &entry->piece),
			  file->segment->number, entry->offset, &place))
		return;
	/* What is over is nobody's loss. */
	if (entry->expires != 0 && entry->expires <= now)
		return;
	gone->lost = memory_grow(gone->lost, &gone->lost_room, gone->lost_count + 1, sizeof(*gone->lost));
	gone->lost[gone->lost_count++] = lost;
	file->lost++;
}

void gone_take_out(struct store *store, struct gone *gone)
{
	for (size_t i = 0; i < gone->count; i++) {
		struct gone_file *file = &gone->files[i];

		if (file->segment == NULL)
			continue;
		for (size_t k = 0; k < file->segment->entry_count; k++) {
			const struct segment_entry *entry = &file->segment->entries[k];

			if (entry->type == RECORD_PIECE)
				take_piece(store, gone, file, entry);
		}
		segments_forget(store->segments, file->segment);
	}
}

/* Keep of the twin what says something of others. */
static enum err give_up(struct store *store, const struct gone_file *file)
{
	struct segment_entry *kept = NULL;
	size_t count = 0;
	enum err err;

	if (file->segment != NULL) {
		kept = memory_new(file->segment->entry_count + 1, sizeof(*kept));
		for (size_t i = 0; i < file->segment->entry_count; i++) {
			if (file->segment->entries[i].type != RECORD_PIECE)
				kept[count++] = file->segment->entries[i];
		}
	}
	err = twin_give_up(&store->twins, file->id, kept, count);
	free(kept);
	return err;
}

void gone_settle(struct store *store, struct gone *gone)
{
	enum err err = damage_list_lost(store, gone->lost, gone->lost_count);

	for (size_t i = 0; err == ERR_OK && i < gone->count; i++) {
		if (!gone->files[i].given_up)
			err = give_up(store, &gone->files[i]);
	}
	for (size_t i = 0; err == ERR_OK && i < gone->back_count; i++)
		err = damage_recheck(store, gone->back[i]);
	for (size_t i = 0; err == ERR_OK && i < gone->back_count; i++)
		err = twin_remove(&store->twins, TWIN_GIVEN_UP, gone->back[i]);
}
