/* The format, and reading it through a window. */
#include "node/store/checkpoint.h"

#include <assert.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

#define VERSION 1
#define AT_END_MAC (CHECKPOINT_END - 8)
#define WINDOW (1u << 20)
#define COVERED 1

static const char header_magic[8] = "GRANCHKP";
static const char end_magic[8] = "GRANCHKE";

uint32_t checkpoint_crc(uint32_t crc, const void *data, size_t len)
{
	/* ISA-L takes no const; it reads only. */
	return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, crc);
}

void checkpoint_row_encode(const struct checkpoint_row *row, uint8_t out[CHECKPOINT_ROW])
{
	struct writer w;

	writer_init(&w, out, CHECKPOINT_ROW);
	write_u32(&w, row->number);
	write_u32(&w, row->id);
	write_u8(&w, (uint8_t)row->kind);
	write_u8(&w, row->covered ? COVERED : 0);
	write_u16(&w, 0);
	write_u32(&w, row->class);
	write_u32(&w, row->size);
	write_u32(&w, row->planned);
	write_u32(&w, row->pieces);
	write_u32(&w, row->trashed);
	write_u64(&w, row->bytes.live);
	write_u64(&w, row->bytes.trash);
	write_u64(&w, row->bytes.overhead);
	write_u32(&w, row->trailer.count);
	write_u32(&w, row->trailer.tombstones);
	write_u32(&w, row->trailer.checksum);
	write_u32(&w, 0);
	write_u64(&w, row->trailer.first_sequence);
	write_u64(&w, row->trailer.last_sequence);
	write_u64(&w, row->trailer.last_expiry);
	assert(w.err == ERR_OK && w.len == CHECKPOINT_ROW);
}

enum err checkpoint_row_decode(const uint8_t from[CHECKPOINT_ROW], struct checkpoint_row *ret)
{
	struct checkpoint_row row = {0};
	uint8_t kind, flags;
	struct reader r;

	reader_init(&r, bytes_of(from, CHECKPOINT_ROW));
	row.number = read_u32(&r);
	row.id = read_u32(&r);
	kind = read_u8(&r);
	flags = read_u8(&r);
	read_u16(&r);
	row.class = read_u32(&r);
	row.size = read_u32(&r);
	row.planned = read_u32(&r);
	row.pieces = read_u32(&r);
	row.trashed = read_u32(&r);
	row.bytes.live = read_u64(&r);
	row.bytes.trash = read_u64(&r);
	row.bytes.overhead = read_u64(&r);
	row.trailer.count = read_u32(&r);
	row.trailer.tombstones = read_u32(&r);
	row.trailer.checksum = read_u32(&r);
	read_u32(&r);
	row.trailer.first_sequence = read_u64(&r);
	row.trailer.last_sequence = read_u64(&r);
	row.trailer.last_expiry = read_u64(&r);
	row.trailer.id = row.id;
	row.covered = (flags & COVERED) != 0;
	if (row.number >= INDEX_SEGMENTS || row.id == 0 || (kind != SEGMENT_PIECES && kind != SEGMENT_TRANSFERS))
		return ERR_CORRUPT;
	/* What lives in a file is not more than the file. */
	if (row.bytes.live > row.size || row.bytes.trash > row.size || row.bytes.overhead > row.size ||
	    row.bytes.live + row.bytes.trash + row.bytes.overhead > row.size)
		return ERR_CORRUPT;
	row.kind = (enum segment_kind)kind;
	*ret = row;
	return ERR_OK;
}

static uint64_t end_mac(const uint8_t *end, const struct record_secret *secret)
{
	uint8_t input[1 + AT_END_MAC], mac[crypto_shorthash_BYTES];

	input[0] = 'k';
	memcpy(input + 1, end, AT_END_MAC);
	crypto_shorthash(mac, input, sizeof(input), secret->b);
	return get_be64(mac);
}

void checkpoint_end_encode(const struct checkpoint_end *end, const struct record_secret *secret,
			   uint8_t out[CHECKPOINT_END])
{
	struct writer w;

	memset(out, 0, CHECKPOINT_END);
	writer_init(&w, out, AT_END_MAC);
	write_raw(&w, end_magic, sizeof(end_magic));
	write_u16(&w, VERSION);
	write_u16(&w, 0);
	write_u32(&w, end->rows);
	write_raw(&w, end->store.b, sizeof(end->store.b));
	write_u64(&w, end->generation);
	write_u64(&w, end->created);
	write_u64(&w, end->horizon);
	write_u64(&w, end->slots);
	write_u64(&w, end->edits);
	write_u32(&w, end->slots_crc);
	write_u32(&w, end->edits_crc);
	write_u32(&w, end->rows_crc);
	write_u64(&w, end->newest_record);
	assert(w.err == ERR_OK);
	put_be64(out + AT_END_MAC, end_mac(out, secret));
}

enum err checkpoint_end_decode(const uint8_t from[CHECKPOINT_END], const struct record_secret *secret,
			       struct checkpoint_end *ret)
{
	struct checkpoint_end end;
	struct reader r;
	uint16_t version;

	if (memcmp(from, end_magic, sizeof(end_magic)) != 0)
		return ERR_FORMAT;
	if (get_be64(from + AT_END_MAC) != end_mac(from, secret))
		return ERR_CORRUPT;
	reader_init(&r, bytes_of(from + sizeof(end_magic), CHECKPOINT_END - sizeof(end_magic)));
	version = read_u16(&r);
	read_u16(&r);
	end.rows = read_u32(&r);
	read_raw(&r, end.store.b, sizeof(end.store.b));
	end.generation = read_u64(&r);
	end.created = read_u64(&r);
	end.horizon = read_u64(&r);
	end.slots = read_u64(&r);
	end.edits = read_u64(&r);
	end.slots_crc = read_u32(&r);
	end.edits_crc = read_u32(&r);
	end.rows_crc = read_u32(&r);
	end.newest_record = read_u64(&r);
	if (version != VERSION)
		return ERR_UNSUPPORTED;
	*ret = end;
	return ERR_OK;
}

void checkpoint_header_encode(const struct checkpoint_end *end, uint8_t out[CHECKPOINT_HEADER])
{
	struct writer w;

	memset(out, 0, CHECKPOINT_HEADER);
	writer_init(&w, out, CHECKPOINT_HEADER);
	write_raw(&w, header_magic, sizeof(header_magic));
	write_u16(&w, VERSION);
	write_u16(&w, 0);
	write_u32(&w, 0);
	write_raw(&w, end->store.b, sizeof(end->store.b));
	write_u64(&w, end->generation);
	assert(w.err == ERR_OK);
}

void checkpoint_slot_encode(const struct index_slot *slot, uint8_t out[CHECKPOINT_SLOT])
{
	put_be64(out, slot->key);
	put_be64(out + 8, slot->place);
}

static struct index_slot decode_slot(const uint8_t *from)
{
	return (struct index_slot){get_be64(from), get_be64(from + 8)};
}

void checkpoint_edit_encode(const struct index_edit *edit, uint8_t out[CHECKPOINT_EDIT])
{
	checkpoint_slot_encode(&edit->old, out);
	checkpoint_slot_encode(&edit->new, out + CHECKPOINT_SLOT);
}

void checkpoint_path(const char *dir, int which, char out[SEGMENT_PATH])
{
	int len = snprintf(out, SEGMENT_PATH, "%s/index/checkpoint-%d", dir, which);

	assert(len > 0 && len < SEGMENT_PATH);
}

/* Do the parts make up the file? Each is checked by itself first, so that no sum overflows. */
static bool fits(const struct checkpoint_end *end, uint64_t size)
{
	if (end->rows > INDEX_SEGMENTS || end->slots > size / CHECKPOINT_SLOT || end->edits > size / CHECKPOINT_EDIT)
		return false;
	return size == CHECKPOINT_HEADER + end->slots * CHECKPOINT_SLOT + end->edits * CHECKPOINT_EDIT +
			       (uint64_t)end->rows * CHECKPOINT_ROW + CHECKPOINT_END;
}

static enum err read_ends(struct checkpoint *checkpoint, const struct record_secret *secret,
			  const struct store_id *store)
{
	uint8_t end[CHECKPOINT_END], header[CHECKPOINT_HEADER], expected[CHECKPOINT_HEADER];
	enum err err;

	if (checkpoint->size < CHECKPOINT_HEADER + CHECKPOINT_END)
		return ERR_FORMAT;
	err = seam_read_full(checkpoint->seam, checkpoint->fd, end, sizeof(end), checkpoint->size - sizeof(end));
	if (err == ERR_OK)
		err = checkpoint_end_decode(end, secret, &checkpoint->end);
	if (err == ERR_OK)
		err = seam_read_full(checkpoint->seam, checkpoint->fd, header, sizeof(header), 0);
	if (err != ERR_OK)
		return err;
	checkpoint_header_encode(&checkpoint->end, expected);
	if (memcmp(header, expected, sizeof(header)) != 0 || !fits(&checkpoint->end, checkpoint->size) ||
	    memcmp(checkpoint->end.store.b, store->b, sizeof(store->b)) != 0)
		return ERR_CORRUPT;
	return ERR_OK;
}

static bool comes_before(const struct checkpoint_row *row, enum segment_kind kind, uint32_t id)
{
	return row->kind < kind || (row->kind == kind && row->id < id);
}

static int compare_rows(const void *left, const void *right)
{
	const struct checkpoint_row *const *a = left, *const *b = right;

	if ((*a)->kind == (*b)->kind && (*a)->id == (*b)->id)
		return 0;
	return comes_before(*a, (*b)->kind, (*b)->id) ? -1 : 1;
}

/* No segment stands there twice. */
static enum err sort_rows(struct checkpoint *checkpoint)
{
	uint32_t count = checkpoint->end.rows;
	const struct checkpoint_row **rows = memory_new(count + 1u, sizeof(struct checkpoint_row *));

	for (uint32_t i = 0; i < count; i++)
		rows[i] = &checkpoint->rows[i];
	if (count > 0)
		qsort(rows, count, sizeof(struct checkpoint_row *), compare_rows);
	checkpoint->by_id = rows;
	for (uint32_t i = 1; i < count; i++) {
		if (compare_rows(&rows[i - 1], &rows[i]) == 0)
			return ERR_CORRUPT;
	}
	return ERR_OK;
}

static enum err read_rows(struct checkpoint *checkpoint)
{
	uint32_t count = checkpoint->end.rows;
	size_t len = (size_t)count * CHECKPOINT_ROW;
	uint8_t *raw = memory_new(1, len + 1);
	enum err err =
		seam_read_full(checkpoint->seam, checkpoint->fd, raw, len, checkpoint->size - CHECKPOINT_END - len);

	checkpoint->rows = memory_new(count + 1u, sizeof(*checkpoint->rows));
	if (err == ERR_OK && ~checkpoint_crc(UINT32_MAX, raw, len) != checkpoint->end.rows_crc)
		err = ERR_CORRUPT;
	for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
		err = checkpoint_row_decode(raw + (size_t)i * CHECKPOINT_ROW, &checkpoint->rows[i]);
		if (err == ERR_OK && i > 0 && checkpoint->rows[i].number <= checkpoint->rows[i - 1].number)
			err = ERR_CORRUPT;
	}
	free(raw);
	return err == ERR_OK ? sort_rows(checkpoint) : err;
}

enum err checkpoint_open(const struct seam *seam, const char *path, const struct record_secret *secret,
			 const struct store_id *store, struct checkpoint *ret)
{
	struct checkpoint checkpoint = {.seam = seam};
	struct seam_stat st;
	enum err err = seam_stat_path(seam, path, &st);

	if (err == ERR_OK)
		err = seam_open_file(seam, path, O_RDONLY, &checkpoint.fd);
	if (err != ERR_OK)
		return err;
	checkpoint.size = st.size;
	err = read_ends(&checkpoint, secret, store);
	if (err == ERR_OK)
		err = read_rows(&checkpoint);
	if (err == ERR_OK)
		*ret = checkpoint;
	else
		checkpoint_close(&checkpoint);
	return err;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
	if (checkpoint->seam != NULL)
		checkpoint->seam->close(checkpoint->seam, checkpoint->fd);
	free(checkpoint->by_id);
	free(checkpoint->rows);
	*checkpoint = (struct checkpoint){.seam = NULL};
}

const struct checkpoint_row *checkpoint_find(const struct checkpoint *checkpoint, enum segment_kind kind, uint32_t id)
{
	const struct checkpoint_row **rows = checkpoint->by_id;
	uint32_t low = 0, high = checkpoint->end.rows;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (comes_before(rows[middle], kind, id))
			low = middle + 1;
		else
			high = middle;
	}
	return low < checkpoint->end.rows && rows[low]->kind == kind && rows[low]->id == id ? rows[low] : NULL;
}

/* `count` things of `size` bytes from `at` on. */
struct section {
	uint64_t at;
	uint64_t count;
	uint32_t size;
	uint32_t crc;
	bool (*each)(void *arg, const uint8_t *raw);
	void *arg;
};

static enum err read_section(const struct checkpoint *checkpoint, const struct section *section)
{
	uint8_t *window = memory_new(1, WINDOW);
	uint64_t left = section->count, at = section->at;
	uint32_t crc = UINT32_MAX;
	enum err err = ERR_OK;

	while (err == ERR_OK && left > 0) {
		uint32_t count = (uint32_t)(left < WINDOW / section->size ? left : WINDOW / section->size);
		size_t len = (size_t)count * section->size;

		err = seam_read_full(checkpoint->seam, checkpoint->fd, window, len, at);
		if (err == ERR_OK)
			crc = checkpoint_crc(crc, window, len);
		for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
			if (!section->each(section->arg, window + (size_t)i * section->size))
				err = ERR_CORRUPT;
		}
		at += len;
		left -= count;
	}
	free(window);
	return err == ERR_OK && ~crc != section->crc ? ERR_CORRUPT : err;
}

struct slot_visit {
	bool (*each)(void *arg, const struct index_slot *slot);
	void *arg;
};

static bool visit_slot(void *arg, const uint8_t *raw)
{
	const struct slot_visit *visit = arg;
	struct index_slot slot = decode_slot(raw);

	return visit->each(visit->arg, &slot);
}

enum err checkpoint_each_slot(const struct checkpoint *checkpoint,
			      bool (*each)(void *arg, const struct index_slot *slot), void *arg)
{
	struct slot_visit visit = {each, arg};
	struct section section = {CHECKPOINT_HEADER, checkpoint->end.slots,
				  CHECKPOINT_SLOT,   checkpoint->end.slots_crc,
				  visit_slot,	     &visit};

	return read_section(checkpoint, &section);
}

struct edit_visit {
	bool (*each)(void *arg, const struct index_edit *edit);
	void *arg;
};

static bool visit_edit(void *arg, const uint8_t *raw)
{
	const struct edit_visit *visit = arg;
	struct index_edit edit = {decode_slot(raw), decode_slot(raw + CHECKPOINT_SLOT)};

	return visit->each(visit->arg, &edit);
}

enum err checkpoint_each_edit(const struct checkpoint *checkpoint,
			      bool (*each)(void *arg, const struct index_edit *edit), void *arg)
{
	struct edit_visit visit = {each, arg};
	struct section section = {CHECKPOINT_HEADER + checkpoint->end.slots * CHECKPOINT_SLOT,
				  checkpoint->end.edits,
				  CHECKPOINT_EDIT,
				  checkpoint->end.edits_crc,
				  visit_edit,
				  &visit};

	return read_section(checkpoint, &section);
}
