/*
 * Starting a store of ten million pieces: after a clean stop, after the process was killed, and from the segments
 * alone; each against reading the same bytes in one stream from the same disk, both past the page cache. And what the
 * index takes in memory while it is made.
 *
 * The pieces are synthetic (synthetic.h): footers only. Each start is in a process of its own, so that the memory
 * counted is its own. BIG in the environment adds a hundred million. With too little disk for all of
 * them nothing is reported: a smaller number of pieces says nothing about a larger one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/store/engine.h"
#include "tests/bench/bench.h"
#include "tests/bench/synthetic.h"
#include "tests/kit/pieces.h"

#define FEW 10000000ull
#define MANY 100000000ull
#define BYTES_EACH 120 /* of disk: an entry, slots in two checkpoints, and something to spare */
#define LATE 2000      /* pieces that are put before the process is killed */

struct run {
	char dir[64];
	uint64_t pieces;
	const char *suffix;
};

struct outcome {
	double seconds;
	uint64_t memory; /* bytes that the process grew by, at most */
	uint64_t pieces;
};

/* A line of /proc/self/status, in bytes. */
static uint64_t status_of(const char *name)
{
	FILE *from = fopen("/proc/self/status", "re");
	char line[256];
	unsigned long long kib = 0;

	while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoull(line + strlen(name), NULL, 10);
	}
	if (from != NULL)
		fclose(from);
	return kib * 1024;
}

static struct store *open_store(const struct run *run, enum store_index index, bool rebuild)
{
	const struct store_options options = {
		.allocation = SYNTHETIC_ALLOCATION, .no_upkeep = true, .index = index, .rebuild = rebuild};
	char why[STORE_MESSAGE] = "";
	struct store *store;

	if (store_open(run->dir, &options, &seam_system, &store, why) != ERR_OK)
		bench_die(why);
	return store;
}

/* A start, timed; `way` says from what, and how the process ends. */
enum way { FROM_SEGMENTS, FROM_CHECKPOINT, MAPPED_FROM_SEGMENTS, AND_BE_KILLED };

static struct outcome start(const struct run *run, enum way way)
{
	bool rebuild = way == FROM_SEGMENTS || way == MAPPED_FROM_SEGMENTS;
	uint64_t before = status_of("VmRSS:");
	struct outcome outcome;
	struct store_space space;
	double begun = bench_now();
	struct store *store =
		open_store(run, way == MAPPED_FROM_SEGMENTS ? STORE_INDEX_MAPPED : STORE_INDEX_MEMORY, rebuild);

	outcome.seconds = bench_now() - begun;
	outcome.memory = status_of("VmHWM:") - before;
	store_space(store, &space);
	outcome.pieces = space.pieces;
	if (!rebuild && !store->short_start)
		bench_die("a checkpoint was of no use");
	for (uint32_t i = 0; way == AND_BE_KILLED && i < LATE; i++) {
		if (pieces_put(store, i, 1, 1000, 0) != ERR_OK)
			bench_die("cannot put a piece");
	}
	if (way != AND_BE_KILLED)
		store_close(store);
	return outcome;
}

static struct outcome start_apart(const struct run *run, enum way way)
{
	struct outcome outcome;
	int ends[2], status;
	pid_t child;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) != 0)
		bench_die("no pipe");
	child = fork();
	if (child == 0) {
		outcome = start(run, way);
		_exit(write(ends[1], &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0 ||
	    read(ends[0], &outcome, sizeof(outcome)) != (ssize_t)sizeof(outcome))
		bench_die("a start failed");
	close(ends[0]);
	close(ends[1]);
	return outcome;
}

static void report(const struct run *run, const char *what, double value, double bound)
{
	char name[64];

	snprintf(name, sizeof(name), "store_%s_%s", what, run->suffix);
	bench_result(name, value, "s", bound, BENCH_LESS_IS_BETTER);
}

static double cold_footers(const struct run *run, uint64_t *ret_bytes)
{
	double seconds;

	synthetic_forget(run->dir);
	*ret_bytes = synthetic_footers(run->dir, &seconds);
	synthetic_forget(run->dir);
	return seconds;
}

/* Both generations are of one size; which is the newer makes no difference. */
static double cold_checkpoint(const struct run *run, uint64_t *ret_bytes)
{
	double seconds;

	synthetic_forget(run->dir);
	*ret_bytes = synthetic_file(run->dir, "index/checkpoint-0", &seconds);
	synthetic_forget(run->dir);
	return seconds;
}

static void rebuild(const struct run *run)
{
	uint64_t bytes;
	double bound = cold_footers(run, &bytes);
	struct outcome outcome = start_apart(run, FROM_SEGMENTS);

	if (outcome.pieces != run->pieces)
		bench_die("the start found another number of pieces");
	report(run, "rebuild", outcome.seconds, bound);
	bench_say("%llu pieces from footers of %.0f MB; bound: one stream of the same bytes",
		  (unsigned long long)run->pieces, (double)bytes / 1e6);
	if (run->pieces == FEW)
		bench_result("store_index_bytes_per_piece", (double)outcome.memory / (double)run->pieces, "bytes", 22,
			     BENCH_LESS_IS_BETTER);
	bench_say("what the whole process grew by at most while it rebuilt");
	bound = cold_footers(run, &bytes);
	outcome = start_apart(run, MAPPED_FROM_SEGMENTS);
	bench_say("into a mapped file: %.3g s, against %.3g s for the stream", outcome.seconds, bound);
}

static void start_clean(const struct run *run)
{
	uint64_t bytes;
	double bound = cold_checkpoint(run, &bytes);
	struct outcome outcome = start_apart(run, FROM_CHECKPOINT);

	if (outcome.pieces != run->pieces)
		bench_die("the start found another number of pieces");
	report(run, "open_clean", outcome.seconds, bound);
	bench_say("%llu pieces from a checkpoint of %.0f MB; bound: one stream of it", (unsigned long long)run->pieces,
		  (double)bytes / 1e6);
}

/* The process was killed with a segment open: that one is walked whole. */
static void start_unclean(const struct run *run)
{
	struct outcome outcome;
	uint64_t bytes;
	double bound;

	(void)start_apart(run, AND_BE_KILLED);
	bound = cold_checkpoint(run, &bytes);
	outcome = start_apart(run, FROM_CHECKPOINT);
	if (outcome.pieces != run->pieces + LATE)
		bench_die("the start found another number of pieces");
	report(run, "open_unclean", outcome.seconds, bound);
	bench_say("%llu pieces, %u of them behind the checkpoint; bound: one stream of the checkpoint",
		  (unsigned long long)outcome.pieces, LATE);
}

static bool has_room(uint64_t pieces)
{
	struct statvfs st;

	return statvfs(".", &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize > pieces * BYTES_EACH + (1ull << 30);
}

static void measure(uint64_t pieces, const char *suffix)
{
	struct run run = {.pieces = pieces, .suffix = suffix};

	if (!has_room(pieces)) {
		bench_say("%llu pieces left out: too little disk", (unsigned long long)pieces);
		return;
	}
	snprintf(run.dir, sizeof(run.dir), "bench-store-open-%d", (int)getpid());
	synthetic_make(run.dir, pieces);
	rebuild(&run);
	start_clean(&run);
	start_unclean(&run);
	synthetic_remove(run.dir);
}

int main(void)
{
	measure(FEW, "10m");
	if (getenv("BIG") != NULL)
		measure(MANY, "100m");
	return 0;
}
