/* Sequential reading of a segment through a window of a megabyte. */
#include "node/store/walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/planted.h"

#define WINDOW (1u << 20)
#define PAGE 4096

struct window {
	const struct seam *seam;
	const struct record_secret *secret;
	struct segment *segment;
	struct walk *walk;
	uint8_t *bytes;
	uint32_t start; /* offset of the first byte */
	uint32_t len;
	struct record record; /* the one looked at */
};

/* What the disk cannot read counts as zeros: the records around it must still be found. */
static void load(struct window *w, uint32_t at)
{
	uint32_t left = w->segment->size - at;

	w->start = at;
	w->len = left < WINDOW ? left : WINDOW;
	if (seam_read_full(w->seam, w->segment->fd, w->bytes, w->len, at) == ERR_OK)
		return;
	for (uint32_t done = 0; done < w->len; done += PAGE) {
		uint32_t len = w->len - done < PAGE ? w->len - done : PAGE;

		if (seam_read_full(w->seam, w->segment->fd, w->bytes + done, len, at + done) == ERR_OK)
			continue;
		memset(w->bytes + done, 0, len);
		w->walk->unreadable++;
	}
}

/* `len` bytes at `at`, at most TREE_BLOCK; NULL when the file ends before. */
static const uint8_t *look(struct window *w, uint32_t at, uint32_t len)
{
	if (at > w->segment->size || len > w->segment->size - at)
		return NULL;
	if (at < w->start || at + len > w->start + w->len)
		load(w, at);
	return w->bytes + (at - w->start);
}

static bool payload_holds(struct window *w, uint32_t at)
{
	const struct record *record = &w->record;

	for (uint32_t i = 0; i < tree_blocks(record->size); i++) {
		uint32_t len = (uint32_t)tree_block_size(record->size, i);
		const uint8_t *data = look(w, at + record->head + i * TREE_BLOCK, len);

		if (data == NULL || record_checksum(&record->piece, i, data, len) != record->checksums[i])
			return false;
	}
	return true;
}

/* A committed core holds here: does the rest? */
static bool record_holds(struct window *w, uint32_t at)
{
	struct record_place place = {w->segment->id, at};
	const uint8_t *head = look(w, at, w->record.head);

	if (head == NULL)
		return false;
	if (record_decode(bytes_of(head, w->record.head), w->secret, &place, &w->record) != ERR_OK)
		return false;
	return w->record.type != RECORD_PIECE || payload_holds(w, at);
}

static void add_torn(struct walk *walk, const struct segment_entry *entry)
{
	walk->pieces = memory_grow(walk->pieces, &walk->piece_room, walk->piece_count + 1, sizeof(*walk->pieces));
	walk->pieces[walk->piece_count++] = *entry;
}

static void note(struct window *w, uint32_t at)
{
	struct segment_entry entry;

	if (w->record.type == RECORD_PAD)
		return;
	if (w->record.sequence > w->walk->last_sequence)
		w->walk->last_sequence = w->record.sequence;
	entry = segment_entry_of(&w->record, at);
	if (record_holds(w, at)) {
		entry = segment_entry_of(&w->record, at);
		segment_add_entry(w->segment, &entry);
		return;
	}
	w->walk->torn++;
	if (entry.type == RECORD_PIECE)
		add_torn(w->walk, &entry);
}

static bool all_zero(const uint8_t *bytes)
{
	uint64_t word, any = 0;

	for (int i = 0; i < RECORD_UNIT; i += 8) {
		memcpy(&word, bytes + i, 8);
		any |= word;
	}
	return any == 0;
}

/* Look at one place; how far it is to the next. */
static uint32_t step(struct window *w, uint32_t at)
{
	struct record_place place = {w->segment->id, at};
	const uint8_t *core = look(w, at, RECORD_CORE);
	uint32_t extent;

	if (core == NULL)
		return RECORD_UNIT;
	if (record_decode_core(core, w->secret, &place, &w->record) != ERR_OK) {
		if (w->walk->blank && !all_zero(core))
			w->walk->blank = false;
		return planted(WALK_STOPS) ? w->segment->size : RECORD_UNIT;
	}
	w->walk->blank = false;
	extent = w->record.extent;
	if (w->record.committed)
		note(w, at);
	/* Not past the end: an extent is ours, but the file may have been cut. */
	if (extent > w->segment->size - at)
		extent = w->segment->size - at;
	w->segment->tail = at + extent;
	return extent < RECORD_UNIT ? RECORD_UNIT : extent;
}

void walk_segment(const struct seam *seam, const struct record_secret *secret, struct segment *segment,
		  struct walk *ret)
{
	struct window *w = memory_new(1, sizeof(*w));

	*ret = (struct walk){.blank = true};
	w->seam = seam;
	w->secret = secret;
	w->segment = segment;
	w->walk = ret;
	w->bytes = memory_new(1, WINDOW);
	segment->tail = SEGMENT_HEADER;
	for (uint64_t at = SEGMENT_HEADER; at < segment->size;)
		at += step(w, (uint32_t)at);
	free(w->bytes);
	free(w);
}
