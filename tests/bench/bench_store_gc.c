/*
 * Garbage collection of ten million pieces of which a hundredth is garbage: from the filter's arrival until the last
 * TRASH record is durable, cold, against reading the same footers once in one stream from the same disk. Upkeep's rests
 * are left out: what is measured is the work.
 *
 * The pieces are synthetic (synthetic.h). BIG in the environment adds a hundred million, in shards. With too little
 * disk nothing is reported.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "node/store/store.h"
#include "tests/bench/bench.h"
#include "tests/bench/synthetic.h"

#define FEW 10000000ull
#define MANY 100000000ull
#define GARBAGE 100    /* one piece in so many */
#define BYTES_EACH 120 /* of disk: an entry, slots in two checkpoints, and something to spare */

struct answer {
	bool come;
	enum err err;
	struct store_collected result;
};

/* Of all threads of this process. */
static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void answered(void *arg, enum err err, const struct store_collected *result)
{
	*(struct answer *)arg = (struct answer){true, err, *result};
}

/* All filters of a round. */
static struct filter **make_filters(uint64_t pieces, uint8_t bits)
{
	struct filter **filters = calloc(1u << bits, sizeof(struct filter *));

	if (filters == NULL)
		bench_die("no memory");
	for (unsigned shard = 0; shard < 1u << bits; shard++) {
		struct filter_shape shape = {.hashes = FILTER_HASHES,
					     .bits = bits,
					     .shard = (uint8_t)shard,
					     .time = clock_wall(),
					     .pieces = (pieces >> bits) + (pieces >> bits) / 100,
					     .seed = {{(uint8_t)shard, 1}}};

		filters[shard] = filter_new(&shape);
	}
	for (uint64_t i = 0; i < pieces; i++) {
		struct store_key key = synthetic_key(i);

		if (i % GARBAGE != 0)
			filter_add(filters[filter_shard(&key.piece, bits)], &key.piece);
	}
	return filters;
}

static uint64_t collect(struct store *store, struct filter *filter)
{
	struct answer answer = {.come = false};

	if (store_collect(store, 0, filter, answered, &answer) != ERR_OK)
		bench_die("the store takes no filter");
	while (!answer.come)
		(void)store_upkeep_step(store, "collect");
	if (answer.err != ERR_OK || answer.result.held)
		bench_die("the collection failed");
	return answer.result.moved_pieces;
}

static void collect_all(const char *dir, uint64_t pieces, const char *suffix)
{
	const struct store_options options = {.allocation = SYNTHETIC_ALLOCATION, .no_upkeep = true};
	uint8_t bits = filter_bits_for(pieces);
	struct filter **filters = make_filters(pieces, bits);
	char why[STORE_MESSAGE] = "", name[32];
	struct store *store;
	uint64_t moved = 0, bytes;
	double begun, seconds, bound, cpu;

	if (store_open(dir, &options, &seam_system, &store, why) != ERR_OK)
		bench_die(why);
	synthetic_forget(dir);
	bytes = synthetic_footers(dir, &bound);
	synthetic_forget(dir);
	begun = bench_now();
	cpu = cpu_seconds();
	for (unsigned shard = 0; shard < 1u << bits; shard++)
		moved += collect(store, filters[shard]);
	seconds = bench_now() - begun;
	cpu = cpu_seconds() - cpu;
	snprintf(name, sizeof(name), "store_gc_%s", suffix);
	bench_result(name, seconds, "s", bound, BENCH_LESS_IS_BETTER);
	bench_say("%llu pieces, %u shards, %llu pieces trashed, %.3g s of processor; bound: one stream of %.0f MB of "
		  "footers, which are read twice",
		  (unsigned long long)pieces, 1u << bits, (unsigned long long)moved, cpu, (double)bytes / 1e6);
	if (moved < pieces / GARBAGE * 95 / 100 || moved > pieces / GARBAGE)
		bench_die("another number of pieces was trashed than there is garbage");
	store_close(store);
	free(filters);
}

static bool has_room(uint64_t pieces)
{
	struct statvfs st;

	return statvfs(".", &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize > pieces * BYTES_EACH + (1ull << 30);
}

static void measure(uint64_t pieces, const char *suffix)
{
	char dir[64];

	if (!has_room(pieces)) {
		bench_say("%llu pieces left out: too little disk", (unsigned long long)pieces);
		return;
	}
	snprintf(dir, sizeof(dir), "bench-store-gc-%d", (int)getpid());
	synthetic_make(dir, pieces);
	collect_all(dir, pieces, suffix);
	synthetic_remove(dir);
}

int main(void)
{
	measure(FEW, "10m");
	if (getenv("BIG") != NULL)
		measure(MANY, "100m");
	return 0;
}
