/* Each slot moves one piece after the other until none is left. */
#include "tests/bench/moves.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/tree.h"
#include "common/memory.h"
#include "common/random.h"
#include "tests/bench/bench.h"
#include "uplink/piece_get.h"
#include "uplink/piece_put.h"

static uint8_t content[TREE_PIECE];

struct run {
	struct moves *moves;
	struct permit *permits;
	bool put;
	size_t next; /* the first that was not begun */
	size_t done;
};

static void begin(struct run *run);

static void end_one(struct run *run, enum err err, const char *why)
{
	if (err != ERR_OK) {
		fprintf(stderr, "bench: a piece failed: %s\n", why);
		exit(1);
	}
	run->done++;
	if (run->next < run->moves->count)
		begin(run);
	else if (run->done == run->moves->count)
		loop_stop(run->moves->net->uplink->loop);
}

/* The client hashes what it sends, block by block, in the thread that sends. */
static enum piece_next next_block(void *arg, uint32_t index, struct piece_block *ret)
{
	static struct bytes32 hash;
	struct run *run = arg;

	if ((uint64_t)index * TREE_BLOCK >= run->moves->size)
		return PIECE_END;
	ret->data = bytes_of(content + (size_t)index * TREE_BLOCK, tree_block_size(run->moves->size, index));
	tree_block_hash(ret->data.data, ret->data.len, &hash);
	ret->hash = &hash;
	return PIECE_BLOCK;
}

static void on_put_done(void *arg, const struct piece_receipt *result)
{
	end_one(arg, result->err, result->why);
}

static void on_block(void *arg, uint32_t block, uint8_t *data, size_t len)
{
	struct run *run = arg;

	(void)block;
	(void)len;
	buffers_give(run->moves->net->uplink->blocks, data);
}

static void on_get_done(void *arg, enum err err, const char *why)
{
	end_one(arg, err, why);
}

static const struct piece_source source = {next_block, on_put_done};
static const struct piece_sink sink = {on_block, on_get_done};

static void begin(struct run *run)
{
	struct uplink *uplink = run->moves->net->uplink;
	struct permit *permit = &run->permits[run->next++];
	const struct piece_range range = {run->moves->size, 0, tree_blocks(run->moves->size)};

	if (run->put)
		piece_put_start(uplink, permit, run->moves->size, &source, run);
	else
		piece_get_start(uplink, permit, &range, range.count, &sink, run);
}

static double run_all(struct moves *moves, bool put)
{
	struct run run = {.moves = moves, .put = put};
	double start;

	run.permits = memory_new(moves->count, sizeof(*run.permits));
	for (size_t i = 0; i < moves->count; i++) {
		piece_net_permit(moves->net, &moves->ids[i], put ? ACTION_PUT : ACTION_GET, moves->size,
				 &run.permits[i]);
		run.permits[i].root = moves->root;
	}
	start = bench_now();
	for (size_t i = 0; i < moves->at_once && run.next < moves->count; i++)
		begin(&run);
	loop_run(moves->net->uplink->loop);
	free(run.permits);
	return bench_now() - start;
}

double moves_put(struct moves *moves)
{
	return run_all(moves, true);
}

double moves_get(struct moves *moves)
{
	return run_all(moves, false);
}

void moves_init(struct moves *moves, struct piece_net *net, size_t count, size_t at_once, uint64_t size)
{
	struct tree tree;

	*moves = (struct moves){net, count, at_once, size, memory_new(count, sizeof(struct bytes32)), {{0}}};
	random_bytes(moves->ids, count * sizeof(*moves->ids));
	if (content[0] == 0 && content[1] == 0)
		random_bytes(content, sizeof(content));
	tree_init(&tree);
	for (uint32_t i = 0; i < tree_blocks(size); i++) {
		if (tree_add(&tree, content + (size_t)i * TREE_BLOCK, tree_block_size(size, i)) != ERR_OK)
			abort();
	}
	tree_final(&tree, &moves->root);
}

void moves_clear(struct moves *moves)
{
	free(moves->ids);
}
