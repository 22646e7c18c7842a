/* The format, and the files. */
#include "node/store/twin.h"

#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/engine.h"

#define VERSION 1
#define BATCH 512u /* entries written or read at once */

static const char magic[8] = "GRANTWIN";
static const char *const suffixes[] = {[TWIN_PROPER] = ".twin", [TWIN_GIVEN_UP] = ".gone"};

void twin_header_encode(const struct store_id *store, uint32_t id, uint8_t out[TWIN_HEADER])
{
	struct writer w;

	writer_init(&w, out, TWIN_HEADER);
	write_raw(&w, magic, sizeof(magic));
	write_u16(&w, VERSION);
	write_u16(&w, 0);
	write_u32(&w, id);
	write_raw(&w, store->b, sizeof(store->b));
	assert(w.err == ERR_OK && w.len == TWIN_HEADER);
}

enum err twin_header_check(const uint8_t from[TWIN_HEADER], const struct store_id *store, uint32_t id)
{
	struct store_id whose;
	struct reader r;
	uint16_t version;
	uint32_t of;

	if (memcmp(from, magic, sizeof(magic)) != 0)
		return ERR_FORMAT;
	reader_init(&r, bytes_of(from + sizeof(magic), TWIN_HEADER - sizeof(magic)));
	version = read_u16(&r);
	read_u16(&r);
	of = read_u32(&r);
	read_raw(&r, whose.b, sizeof(whose.b));
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	if (memcmp(whose.b, store->b, sizeof(whose.b)) != 0)
		return ERR_DENIED;
	return of == id ? ERR_OK : ERR_CORRUPT;
}

static uint64_t mac_of(const uint8_t entry[SEGMENT_ENTRY], const struct record_secret *secret, uint32_t id)
{
	uint8_t input[1 + 4 + SEGMENT_ENTRY], mac[crypto_shorthash_BYTES];

	input[0] = 't';
	put_be32(input + 1, id);
	memcpy(input + 5, entry, SEGMENT_ENTRY);
	crypto_shorthash(mac, input, sizeof(input), secret->b);
	return get_be64(mac);
}

void twin_entry_encode(const struct segment_entry *entry, const struct record_secret *secret, uint32_t id,
		       uint8_t out[TWIN_ENTRY])
{
	segment_entry_encode(entry, out);
	put_be64(out + SEGMENT_ENTRY, mac_of(out, secret, id));
}

enum err twin_entry_decode(const uint8_t from[TWIN_ENTRY], const struct record_secret *secret, uint32_t id,
			   struct segment_entry *ret)
{
	if (get_be64(from + SEGMENT_ENTRY) != mac_of(from, secret, id))
		return ERR_CORRUPT;
	return segment_entry_decode(from, ret);
}

void twin_path(const struct twins *twins, enum twin_kind kind, uint32_t id, char out[SEGMENT_PATH])
{
	int len = snprintf(out, SEGMENT_PATH, "%s/%08x%s", twins->dir, id, suffixes[kind]);

	assert(len > 0 && len < SEGMENT_PATH);
}

enum err twin_list(const struct twins *twins, enum twin_kind kind, uint32_t **ret, size_t *ret_count)
{
	return segment_list_ids(twins->seam, twins->dir, suffixes[kind], ret, ret_count);
}

enum err twin_append(const struct twins *twins, int fd, uint32_t id, const struct segment_entry *entries, size_t count,
		     size_t from)
{
	uint8_t *raw = memory_new(count < BATCH ? count + 1 : BATCH, TWIN_ENTRY);
	enum err err = ERR_OK;

	for (size_t done = 0, batch; err == ERR_OK && done < count; done += batch) {
		batch = count - done < BATCH ? count - done : BATCH;
		for (size_t i = 0; i < batch; i++)
			twin_entry_encode(&entries[done + i], &twins->secret, id, raw + i * TWIN_ENTRY);
		err = seam_write_full(twins->seam, fd, raw, batch * TWIN_ENTRY,
				      TWIN_HEADER + (uint64_t)(from + done) * TWIN_ENTRY);
	}
	free(raw);
	return err;
}

/* Write the file at this path, and sync it; *ret_fd is open after a success only. */
static enum err write_file(const struct twins *twins, const char *path, uint32_t id,
			   const struct segment_entry *entries, size_t count, int *ret_fd)
{
	uint8_t header[TWIN_HEADER];
	enum err err;
	int fd;

	err = seam_open_file(twins->seam, path, O_RDWR | O_CREAT | O_TRUNC, &fd);
	if (err != ERR_OK)
		return err;
	twin_header_encode(&twins->store, id, header);
	err = seam_write_full(twins->seam, fd, header, sizeof(header), 0);
	if (err == ERR_OK)
		err = twin_append(twins, fd, id, entries, count, 0);
	if (err == ERR_OK)
		err = seam_sync_file(twins->seam, fd);
	if (err == ERR_OK)
		*ret_fd = fd;
	else
		twins->seam->close(twins->seam, fd);
	return err;
}

enum err twin_create(const struct twins *twins, uint32_t id, int *ret_fd)
{
	char path[SEGMENT_PATH];
	enum err err;
	int fd;

	twin_path(twins, TWIN_PROPER, id, path);
	err = write_file(twins, path, id, NULL, 0, &fd);
	if (err != ERR_OK)
		return err;
	err = seam_sync_directory(twins->seam, twins->dir);
	if (err == ERR_OK)
		*ret_fd = fd;
	else
		twins->seam->close(twins->seam, fd);
	return err;
}

enum err twin_write(const struct twins *twins, uint32_t id, const struct segment_entry *entries, size_t count)
{
	char path[SEGMENT_PATH], temporary[SEGMENT_PATH + 4];
	enum err err;
	int fd;

	twin_path(twins, TWIN_PROPER, id, path);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	err = write_file(twins, temporary, id, entries, count, &fd);
	if (err != ERR_OK)
		return err;
	twins->seam->close(twins->seam, fd);
	err = seam_rename_file(twins->seam, temporary, path);
	return err == ERR_OK ? seam_sync_directory(twins->seam, twins->dir) : err;
}

enum err twin_give_up(const struct twins *twins, uint32_t id, const struct segment_entry *entries, size_t count)
{
	char path[SEGMENT_PATH];
	enum err err;
	int fd;

	twin_path(twins, TWIN_GIVEN_UP, id, path);
	err = write_file(twins, path, id, entries, count, &fd);
	if (err != ERR_OK)
		return err;
	twins->seam->close(twins->seam, fd);
	err = seam_sync_directory(twins->seam, twins->dir);
	return err == ERR_OK ? twin_remove(twins, TWIN_PROPER, id) : err;
}

/* What the disk cannot read is passed over, as what does not hold is. */
static size_t read_entries(const struct twins *twins, int fd, uint32_t id, size_t most, struct segment_entry *out)
{
	uint8_t *raw = memory_new(BATCH, TWIN_ENTRY);
	size_t found = 0;

	for (size_t done = 0, batch; done < most; done += batch) {
		batch = most - done < BATCH ? most - done : BATCH;
		if (seam_read_full(twins->seam, fd, raw, batch * TWIN_ENTRY,
				   TWIN_HEADER + (uint64_t)done * TWIN_ENTRY) != ERR_OK)
			continue;
		for (size_t i = 0; i < batch; i++) {
			if (twin_entry_decode(raw + i * TWIN_ENTRY, &twins->secret, id, &out[found]) == ERR_OK)
				found++;
		}
	}
	free(raw);
	return found;
}

enum err twin_read(const struct twins *twins, enum twin_kind kind, uint32_t id, struct segment_entry **ret,
		   size_t *ret_count)
{
	const size_t most = SEGMENT_MOST / RECORD_UNIT; /* records that a segment can hold */
	struct segment_entry *entries;
	uint8_t header[TWIN_HEADER];
	char path[SEGMENT_PATH];
	struct seam_stat st;
	size_t count;
	enum err err;
	int fd;

	twin_path(twins, kind, id, path);
	err = seam_stat_path(twins->seam, path, &st);
	if (err == ERR_OK)
		err = seam_open_file(twins->seam, path, O_RDONLY, &fd);
	if (err != ERR_OK)
		return err;
	err = st.size < TWIN_HEADER ? ERR_FORMAT : seam_read_full(twins->seam, fd, header, sizeof(header), 0);
	if (err == ERR_OK)
		err = twin_header_check(header, &twins->store, id);
	if (err == ERR_OK) {
		count = (st.size - TWIN_HEADER) / TWIN_ENTRY;
		count = count < most ? count : most;
		entries = memory_new(count + 1, sizeof(*entries));
		*ret_count = read_entries(twins, fd, id, count, entries);
		*ret = entries;
	}
	twins->seam->close(twins->seam, fd);
	return err;
}

enum err twin_remove(const struct twins *twins, enum twin_kind kind, uint32_t id)
{
	char path[SEGMENT_PATH];
	enum err err;

	twin_path(twins, kind, id, path);
	err = seam_unlink_file(twins->seam, path);
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	return err == ERR_OK ? seam_sync_directory(twins->seam, twins->dir) : err;
}

/* Only the size is looked at: a whole one was synced, and what rots in it later is passed over. */
static bool has_all(const struct twins *twins, uint32_t id, size_t count)
{
	char path[SEGMENT_PATH];
	struct seam_stat st;

	twin_path(twins, TWIN_PROPER, id, path);
	return seam_stat_path(twins->seam, path, &st) == ERR_OK &&
	       st.size == TWIN_HEADER + (uint64_t)count * TWIN_ENTRY;
}

static enum err make_whole(struct store *store, struct segment *segment, uint64_t *budget)
{
	struct segment_entry *entries = NULL;
	size_t count = 0;
	enum err err;

	if (segments_twin_state(store->segments, segment) == TWIN_UNKNOWN &&
	    has_all(&store->twins, segment->id, segment->trailer.count))
		return ERR_OK;
	err = segments_entries(store->segments, segment, &entries, &count);
	/* A footer that does not hold is the next start's business. */
	if (err != ERR_OK)
		return err == ERR_CORRUPT ? ERR_OK : err;
	err = twin_write(&store->twins, segment->id, entries, count);
	free(entries);
	*budget -= count * TWIN_ENTRY < *budget ? count * TWIN_ENTRY : *budget;
	return err;
}

enum upkeep_turn twins_step(void *arg, uint64_t *budget)
{
	struct store *store = arg;
	struct segment *segment;
	uint32_t row = 0;
	enum err err = ERR_OK;

	while (err == ERR_OK && *budget > 0 && !health_failed(&store->health)) {
		segment = segments_next(store->segments, &row);
		if (segment == NULL)
			return UPKEEP_REST;
		row++;
		if (segments_twin_state(store->segments, segment) != TWIN_WHOLE) {
			err = make_whole(store, segment, budget);
			if (err == ERR_OK)
				segments_twin_is_whole(store->segments, segment);
			*budget -= TWIN_ENTRY < *budget ? TWIN_ENTRY : *budget;
		}
		segments_unpin(store->segments, segment);
	}
	/* A full disk: not now. */
	return err == ERR_OK && !health_failed(&store->health) ? UPKEEP_MORE : UPKEEP_REST;
}
