/*
 * Makes a golden store: `make_store DIR`. Pack it with
 *
 *	tar -C DIR --sort=name --owner=0 --group=0 -czf store-vN.tar.gz store store.id
 *
 * It is run once for each format version, when that is released; then the archive is kept as it is.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/key.h"
#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/golden/golden.h"
#include "tests/kit/pieces.h"

static void need(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "make_store: %s: %s\n", what, err_text(err));
	exit(1);
}

static struct store *open_store(const char *dir, const struct key *key)
{
	const struct store_options options = {.allocation = GOLDEN_ALLOCATION, .no_upkeep = true, .owner = key_id(key)};
	char why[STORE_MESSAGE] = "";
	struct store *store = NULL;

	need(store_open(dir, &options, &seam_system, &store, why), why);
	return store;
}

static void done(void *arg, enum err err)
{
	need(err, "commit");
	sem_post(arg);
}

static void put(struct store *store, const struct golden_piece *piece, uint32_t version)
{
	struct allocation allocation = pieces_allocation(piece->number, piece->size);
	struct order order = {.amount = piece->size};
	struct signature signature = {{3}};
	uint8_t *content = memory_new(1, piece->size + 1);
	struct store_upload *upload;
	struct bytes32 hash;
	sem_t committed;

	golden_fill(piece->number, version, content, piece->size);
	if (piece->fate == GOLDEN_EXPIRING)
		allocation.pieceExpires = GOLDEN_EXPIRES;
	typed_hash(&typed_allocation, &allocation, &hash);
	need(store_put_begin(store, 0, &allocation, &signature, &hash, &upload), "begin");
	for (size_t at = 0; at < piece->size; at += TREE_BLOCK)
		need(store_put_block(upload, content + at,
				     piece->size - at < TREE_BLOCK ? piece->size - at : TREE_BLOCK),
		     "write");
	sem_init(&committed, 0, 0);
	order.allocation = hash;
	store_put_end(upload, &order, &signature, 1500 + version, done, &committed);
	while (sem_wait(&committed) != 0) /* a signal came */
		;
	sem_destroy(&committed);
	free(content);
}

static void fill(struct store *store)
{
	for (size_t i = 0; i < GOLDEN_COUNT(golden_pieces); i++)
		put(store, &golden_pieces[i], 1);
	for (size_t i = 0; i < GOLDEN_COUNT(golden_transfers); i++)
		need(pieces_transfer(store, golden_transfers[i].number, golden_transfers[i].amount), "transfer");
}

static void change(struct store *store)
{
	for (size_t i = 0; i < GOLDEN_COUNT(golden_pieces); i++) {
		const struct golden_piece *piece = &golden_pieces[i];

		if (piece->fate == GOLDEN_DELETED || piece->fate == GOLDEN_AGAIN)
			need(pieces_delete(store, piece->number), "delete");
		if (piece->fate == GOLDEN_AGAIN)
			put(store, piece, 2);
		if (piece->fate == GOLDEN_TRASHED || piece->fate == GOLDEN_RESTORED)
			need(pieces_trash(store, piece->number), "trash");
		if (piece->fate == GOLDEN_RESTORED)
			need(pieces_restore(store, piece->number), "restore");
	}
}

/* Spoil the last byte of the piece's payload on the disk, and let the store notice. */
static void damage(struct store *store, const struct golden_piece *piece)
{
	struct store_key key = pieces_key(piece->number);
	struct located found;
	uint64_t at;
	uint8_t byte;

	need(store_locate(store, &key, LOCATE_HEAD, &found, NULL), "locate");
	at = found.place.offset + found.record.head + piece->size - 1;
	if (pread(found.segment->fd, &byte, 1, (off_t)at) != 1)
		need(ERR_IO, "read");
	byte ^= 1;
	if (pwrite(found.segment->fd, &byte, 1, (off_t)at) != 1)
		need(ERR_IO, "write");
	segments_unpin(store->segments, found.segment);
	if (pieces_check(store, piece->number, 1, piece->size) != ERR_CORRUPT)
		need(ERR_CONFLICT, "damage");
}

int main(int argc, char **argv)
{
	uint8_t secret[32] = {[31] = GOLDEN_KEY};
	char why[STORE_MESSAGE] = "";
	struct store *store;
	struct key *key;

	if (argc != 2) {
		fputs("usage: make_store DIR\n", stderr);
		return 2;
	}
	need(key_from_secret(secret, &key), "key");
	need(store_init(argv[1], GOLDEN_ALLOCATION, SEGMENT_LEAST, &seam_system, why), why);
	store = open_store(argv[1], key);
	fill(store);
	store_close(store);
	/* Sealed by now, so that some marks stand in other segments than what they speak of. */
	store = open_store(argv[1], key);
	change(store);
	for (size_t i = 0; i < GOLDEN_COUNT(golden_pieces); i++) {
		if (golden_pieces[i].fate == GOLDEN_DAMAGED)
			damage(store, &golden_pieces[i]);
	}
	while (store_scrub_step(store, 1 << 20))
		;
	need(store_checkpoint(store), "checkpoint");
	store_close(store);
	key_free(key);
	return 0;
}
