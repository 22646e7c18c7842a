/*
 * What compaction costs, and what a store's files hold besides pieces.
 *
 * Segments of which every other piece was deleted, for the bytes copied per byte that comes free; customers with and
 * without compaction beside them, for what they feel of it; a random week on a disk in memory, for what stays dead;
 * pieces of 2 MiB, for the overhead. All but the week on the disk of the current directory.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "node/store/engine.h"
#include "tests/bench/bench.h"
#include "tests/kit/pieces.h"
#include "tests/kit/scratch.h"
#include "tests/kit/week.h"

#define ALLOCATION (16ull << 30)
#define MIDDLING 65536u
#define WRITERS 32
#define CUSTOMERS 8
#define SECONDS 12.0 /* of customers with compaction beside them, and as many without, … */
#define ROUNDS 12    /* … in turns */
#define SAMPLES 20000u

struct answer {
	sem_t come;
	enum err err;
};

static void answered(void *arg, enum err err)
{
	struct answer *answer = arg;

	answer->err = err;
	sem_post(&answer->come);
}

struct bench {
	char dir[64];
	struct store *store;
	uint8_t *content; /* TREE_PIECE bytes */
};

static void put_piece(struct bench *bench, uint32_t number, size_t len)
{
	struct allocation allocation = pieces_allocation(number, len);
	struct signature signature = {{1}};
	struct order order = {{{2}}, len};
	struct store_upload *upload;
	struct answer answer;

	if (store_put_begin(bench->store, 0, &allocation, &signature, &order.allocation, &upload) != ERR_OK)
		bench_die("the store has no room");
	for (size_t at = 0; at < len; at += TREE_BLOCK) {
		if (store_put_block(upload, bench->content + at, len - at < TREE_BLOCK ? len - at : TREE_BLOCK) !=
		    ERR_OK)
			bench_die("the store cannot write");
	}
	sem_init(&answer.come, 0, 0);
	store_put_end(upload, &order, &signature, 1, answered, &answer);
	while (sem_wait(&answer.come) != 0) /* a signal came */
		;
	sem_destroy(&answer.come);
	if (answer.err != ERR_OK)
		bench_die("the store cannot commit");
}

static void open_store(struct bench *bench, bool upkeep)
{
	const struct store_options options = {.allocation = ALLOCATION, .no_upkeep = !upkeep};
	char why[STORE_MESSAGE];

	if (store_open(bench->dir, &options, &seam_system, &bench->store, why) != ERR_OK)
		bench_die(why);
}

/* A store of its own, so that no figure hangs on another. */
static void begin(struct bench *bench, uint64_t segment_size)
{
	char why[STORE_MESSAGE];

	snprintf(bench->dir, sizeof(bench->dir), "bench-compact.XXXXXX");
	if (mkdtemp(bench->dir) == NULL)
		bench_die("cannot make a directory here");
	if (store_init(bench->dir, ALLOCATION, segment_size, &seam_system, why) != ERR_OK)
		bench_die(why);
	open_store(bench, false);
}

static void end(struct bench *bench)
{
	store_close(bench->store);
	scratch_remove(".", bench->dir);
}

/* Work that several threads share: pieces, or deletes, by number. */
struct gang {
	struct bench *bench;
	atomic_uint next;
	uint32_t until;
	uint32_t step;
	size_t len; /* 0: delete */
};

static void *work(void *arg)
{
	struct gang *gang = arg;

	for (;;) {
		uint32_t number = atomic_fetch_add(&gang->next, gang->step);

		if (number >= gang->until)
			return NULL;
		if (gang->len > 0)
			put_piece(gang->bench, number, gang->len);
		else if (pieces_delete(gang->bench->store, number) != ERR_OK)
			bench_die("the store cannot delete");
	}
}

static void run_gang(struct bench *bench, uint32_t until, uint32_t step, size_t len)
{
	struct gang gang = {bench, 0, until, step, len};
	pthread_t threads[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		if (pthread_create(&threads[i], NULL, work, &gang) != 0)
			bench_die("cannot start a thread");
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
}

static void measure_overhead(struct bench *bench)
{
	struct store_space space;
	uint32_t count = 256;
	double files;

	begin(bench, 0);
	run_gang(bench, count, 1, TREE_PIECE);
	store_close(bench->store);
	open_store(bench, false);
	store_space(bench->store, &space);
	files = (double)(space.live + space.overhead + space.dead);
	bench_result("store_overhead_2mib", (files / (double)space.live - 1) * 100, "%", 0, BENCH_NO_SHARE);
	bench_say("%u pieces of 2 MiB; heads, headers, footers, and room left between records: at most 0.3 %%", count);
	end(bench);
}

/* Half of `count` pieces deleted, and all sealed. */
static void make_halves(struct bench *bench, uint32_t count)
{
	run_gang(bench, count, 1, MIDDLING);
	run_gang(bench, count, 2, 0);
	store_close(bench->store);
}

static void measure_copied(struct bench *bench)
{
	struct store_compacted step = {.more = true};
	double copied = 0, freed = 0, start;

	begin(bench, 16 << 20);
	make_halves(bench, 8192);
	open_store(bench, false);
	start = bench_now();
	while (step.more) {
		if (store_compact_step(bench->store, 0, &step) != ERR_OK)
			bench_die("the store cannot compact");
		copied += (double)step.copied;
		freed += (double)step.freed;
	}
	if (freed <= copied)
		bench_die("nothing came free");
	bench_result("store_compact_copied_per_freed", copied / (freed - copied), "", 0, BENCH_NO_SHARE);
	bench_say("%.0f MB of half dead segments at %.0f MB/s; bytes copied per byte of room won: at most 1.0",
		  freed / 1e6, freed / 1e6 / (bench_now() - start));
	end(bench);
}

/* Customers: each puts a piece, and reads one that is there. */
struct customer {
	struct bench *bench;
	pthread_t thread;
	double until;
	uint32_t first;
	uint32_t put;
	uint32_t there; /* odd numbers below it are there */
	double *samples;
	size_t count;
};

static void get_piece(struct bench *bench, uint32_t number, uint8_t *out)
{
	struct store_key key = pieces_key(number);
	struct store_reader *reader;
	size_t len;

	if (store_get(bench->store, &key, &reader) != ERR_OK)
		bench_die("a piece is gone");
	if (store_reader_blocks(reader, 0, tree_blocks(MIDDLING), out, &len) != ERR_OK)
		bench_die("a piece is damaged");
	store_reader_free(reader);
}

static void *serve(void *arg)
{
	struct customer *customer = arg;
	uint8_t *out = memory_new(1, MIDDLING);
	uint32_t at = customer->first;

	while (bench_now() < customer->until && customer->count + 2 <= SAMPLES) {
		double start = bench_now(), middle;

		put_piece(customer->bench, customer->first + customer->put++, MIDDLING);
		middle = bench_now();
		at = at * 1103515245 + 12345;
		get_piece(customer->bench, (at >> 8) % (customer->there / 2) * 2 + 1, out);
		customer->samples[customer->count++] = middle - start;
		customer->samples[customer->count++] = bench_now() - middle;
	}
	free(out);
	return NULL;
}

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* What customers waited for, puts and gets alike, in seconds. */
struct waits {
	double *list;
	size_t count;
};

static void serve_all(struct bench *bench, uint32_t first, uint32_t there, struct waits *waits)
{
	struct customer *customers = memory_new(CUSTOMERS, sizeof(*customers));

	for (uint32_t i = 0; i < CUSTOMERS; i++) {
		customers[i] = (struct customer){.bench = bench,
						 .until = bench_now() + SECONDS / ROUNDS,
						 .first = first + (i << 20),
						 .there = there,
						 .samples = memory_new(SAMPLES, sizeof(double))};
		if (pthread_create(&customers[i].thread, NULL, serve, &customers[i]) != 0)
			bench_die("cannot start a thread");
	}
	for (int i = 0; i < CUSTOMERS; i++) {
		pthread_join(customers[i].thread, NULL);
		memcpy(waits->list + waits->count, customers[i].samples, customers[i].count * sizeof(double));
		waits->count += customers[i].count;
		free(customers[i].samples);
	}
	free(customers);
}

static double p99(struct waits *waits)
{
	double result;

	if (waits->count < 100)
		bench_die("hardly anybody was served");
	qsort(waits->list, waits->count, sizeof(double), compare);
	result = waits->list[waits->count * 99 / 100];
	free(waits->list);
	return result;
}

/* In turns of a second, so that whatever else the machine does meets both alike. */
static void measure_p99(struct bench *bench)
{
	struct waits alone = {memory_new(ROUNDS * CUSTOMERS * SAMPLES, sizeof(double)), 0};
	struct waits beside = {memory_new(ROUNDS * CUSTOMERS * SAMPLES, sizeof(double)), 0};
	const uint32_t there = 16384;
	struct store_space space;
	double first, second;

	begin(bench, 16 << 20);
	make_halves(bench, there);
	open_store(bench, true);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t fresh = (1 << 24) + (round << 16);

		upkeep_enter(bench->store->upkeep);
		serve_all(bench, fresh, there, &alone);
		upkeep_leave(bench->store->upkeep);
		serve_all(bench, fresh + (1 << 15), there, &beside);
	}
	store_space(bench->store, &space);
	if (space.copied == 0)
		bench_die("compaction did not run");
	first = p99(&alone);
	second = p99(&beside);
	bench_result("store_compact_p99", second / first, "times", 0, BENCH_NO_SHARE);
	bench_say("%u customers put and get 64 KiB: p99 %.1f ms, %.1f ms while compaction frees %.1f MB/s: at most 2",
		  CUSTOMERS, first * 1e3, second * 1e3, (double)space.freed / 1e6 / SECONDS);
	end(bench);
}

static void measure_steady(void)
{
	const struct week_plan plan = {1, 256ull << 20, 2 << 20, 120};
	struct week_result result;

	week_live(&plan, &result);
	bench_result("store_steady_dead", result.mean * 100, "%", 0, BENCH_NO_SHARE);
	bench_say("a random week, on average; at its worst hour %.1f %%: at most 25 %%; %.2f bytes copied per byte put",
		  result.worst * 100, (double)result.copied / (double)result.put);
}

int main(void)
{
	struct bench bench = {.content = memory_new(1, TREE_PIECE)};

	pieces_fill(1, 1, bench.content, TREE_PIECE);
	measure_overhead(&bench);
	measure_copied(&bench);
	measure_p99(&bench);
	measure_steady();
	free(bench.content);
	return 0;
}
