/*
 * Checkpoints from a hostile disk. Ends and rows are decoded as they are; then the input becomes a file whose sums and
 * MAC hold, so that what is behind them is reached, and a store starts from it.
 */
#include <assert.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/checkpoint.h"
#include "node/store/super.h"
#include "tests/kit/fault.h"
#include "tests/kit/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALLOCATION (16ull << 20)
#define PATH "//store/index/checkpoint-0"
#define PIECES 6

static const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = true};

/* A small store, closed, whose only checkpoint is to be replaced. */
static struct fault *make_disk(struct super *ret_super)
{
	struct fault *fault = fault_new(64 << 20);
	char why[STORE_MESSAGE];
	struct store *store;
	int fd;

	assert(store_init("/", ALLOCATION, 0, fault_seam(fault), why) == ERR_OK);
	assert(store_open("/", &options, fault_seam(fault), &store, why) == ERR_OK);
	for (uint32_t i = 0; i < PIECES; i++)
		assert(pieces_put(store, i, 1, 1000 * i, 0) == ERR_OK);
	store_close(store);
	assert(seam_open_file(fault_seam(fault), "//store/SUPER", O_RDONLY, &fd) == ERR_OK);
	assert(super_load(fault_seam(fault), fd, ret_super) == ERR_OK);
	fault_seam(fault)->close(fault_seam(fault), fd);
	return fault;
}

/* The first byte of the input says how many rows, the second how many edits there are; all else is slots. */
static void make_file(const struct super *super, const uint8_t *data, size_t size, struct fault *fault)
{
	struct checkpoint_end end = {.store = super->store, .generation = 1000};
	size_t rows = size > 0 ? data[0] % 8u : 0, edits = size > 1 ? data[1] % 8u : 0, len, slots;
	const struct seam *seam = fault_seam(fault);
	uint8_t *file;
	int fd;

	data += size > 2 ? 2 : size;
	size -= size > 2 ? 2 : size;
	while (rows * CHECKPOINT_ROW + edits * CHECKPOINT_EDIT > size) {
		rows /= 2;
		edits /= 2;
	}
	slots = (size - rows * CHECKPOINT_ROW - edits * CHECKPOINT_EDIT) / CHECKPOINT_SLOT;
	end.rows = (uint32_t)rows;
	end.edits = edits;
	end.slots = slots;
	end.horizon = slots; /* some records below it, some above */
	len = slots * CHECKPOINT_SLOT + edits * CHECKPOINT_EDIT + rows * CHECKPOINT_ROW;
	end.slots_crc = ~checkpoint_crc(UINT32_MAX, data, slots * CHECKPOINT_SLOT);
	end.edits_crc = ~checkpoint_crc(UINT32_MAX, data + slots * CHECKPOINT_SLOT, edits * CHECKPOINT_EDIT);
	end.rows_crc = ~checkpoint_crc(UINT32_MAX, data + len - rows * CHECKPOINT_ROW, rows * CHECKPOINT_ROW);
	file = memory_new(1, CHECKPOINT_HEADER + len + CHECKPOINT_END);
	checkpoint_header_encode(&end, file);
	memcpy(file + CHECKPOINT_HEADER, data, len);
	checkpoint_end_encode(&end, &super->secret, file + CHECKPOINT_HEADER + len);
	assert(seam_open_file(seam, PATH, O_RDWR | O_CREAT | O_TRUNC, &fd) == ERR_OK);
	assert(seam_write_full(seam, fd, file, CHECKPOINT_HEADER + len + CHECKPOINT_END, 0) == ERR_OK);
	seam->close(seam, fd);
	free(file);
}

/* Whatever such a file says, the store starts, and serves no wrong bytes. */
static void try_start(const uint8_t *data, size_t size)
{
	struct super super;
	struct fault *fault = make_disk(&super);
	char why[STORE_MESSAGE];
	struct store *store;

	make_file(&super, data, size, fault);
	assert(store_open("/", &options, fault_seam(fault), &store, why) == ERR_OK);
	for (uint32_t i = 0; i < PIECES; i++)
		assert(pieces_check(store, i, 1, 1000 * i) != ERR_CONFLICT);
	store_close(store);
	fault_free(fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct record_secret secret = {{7}};
	uint8_t raw[CHECKPOINT_END];
	struct checkpoint_row row;
	struct checkpoint_end end;

	if (size > 4096)
		return 0;
	if (size >= CHECKPOINT_ROW && checkpoint_row_decode(data, &row) == ERR_OK) {
		checkpoint_row_encode(&row, raw);
		assert(checkpoint_row_decode(raw, &row) == ERR_OK);
	}
	if (size >= CHECKPOINT_END)
		(void)!checkpoint_end_decode(data, &secret, &end);
	try_start(data, size);
	return 0;
}
