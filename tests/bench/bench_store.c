/*
 * The piece store at its own interface, durable, against what the same disk does bare in the same run: large pieces
 * against a sequential write, small ones against a file per piece, reads against preads of as many bytes from as many
 * threads, past the page cache on both sides.
 *
 * Everything happens in a directory of its own below the current one, so the disk measured is the one one is on. Each
 * measurement takes 30 seconds, or GRANARY_BENCH_SECONDS.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/store/store.h"
#include "tests/bench/bench.h"
#include "tests/bench/preads.h"
#include "tests/kit/pieces.h"

#define MB 1e6
#define WRITERS 128
#define LARGE_WRITERS 16
#define SECONDS 30.0
#define BYTES_MOST (6ull << 30) /* of one measurement */
#define SLICE (64u << 20)	/* the plain stream syncs this often */
#define READERS 16
#define GET_PIECES 16384 /* of 64 KiB: what is read, in random order, each once */
#define GET_SIZE 65536
#define READ_ROUNDS 5
#define COUNTED 2000

struct run {
	char dir[32];
	struct store *store;
	uint8_t *content; /* TREE_PIECE bytes */
	size_t len;	  /* of each piece */
	double seconds;	  /* of each measurement */
	double until;
	uint32_t first; /* number of the first piece */
	uint32_t most;	/* pieces of this measurement */
	atomic_uint next;
	struct drive *drive; /* of the writers under way */
};

static void start_thread(pthread_t *ret, void *(*work)(void *arg), void *arg)
{
	if (pthread_create(ret, NULL, work, arg) != 0)
		bench_die("cannot start a thread");
}

/*
 * Writers of the store: each is an upload on its way, as in a daemon, and a few threads drive them all. When a put is
 * answered, in the committer's thread, its writer goes to the queue of those that may begin the next.
 */
struct putter {
	struct run *run;
	struct putter *next;
};

#define DRIVERS 2

struct drive {
	struct run *run;
	struct putter writers[WRITERS];
	unsigned writer_count;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct putter *ready;
	unsigned waiting;  /* drivers */
	unsigned finished; /* writers */
};

static void answered(void *arg, enum err err)
{
	struct putter *putter = arg;
	struct drive *drive = putter->run->drive;

	if (err != ERR_OK)
		bench_die("the store cannot commit");
	pthread_mutex_lock(&drive->lock);
	putter->next = drive->ready;
	drive->ready = putter;
	if (drive->waiting > 0)
		pthread_cond_signal(&drive->more);
	pthread_mutex_unlock(&drive->lock);
}

static void put_piece(struct run *run, uint32_t number, struct putter *putter)
{
	struct allocation allocation = pieces_allocation(number, run->len);
	struct signature signature = {{1}};
	struct bytes32 hash = {{2}};
	struct order order = {hash, run->len};
	struct store_upload *upload;

	if (store_put_begin(run->store, 0, &allocation, &signature, &hash, &upload) != ERR_OK)
		bench_die("the store has no room");
	for (size_t at = 0; at < run->len; at += TREE_BLOCK) {
		size_t len = run->len - at < TREE_BLOCK ? run->len - at : TREE_BLOCK;

		if (store_put_block(upload, run->content + at, len) != ERR_OK)
			bench_die("the store cannot write");
	}
	store_put_end(upload, &order, &signature, 1, answered, putter);
}

/* All that are ready; NULL when every writer has finished. */
static struct putter *take_ready(struct drive *drive)
{
	struct putter *taken;

	pthread_mutex_lock(&drive->lock);
	while (drive->ready == NULL && drive->finished < drive->writer_count) {
		drive->waiting++;
		pthread_cond_wait(&drive->more, &drive->lock);
		drive->waiting--;
	}
	taken = drive->ready;
	drive->ready = NULL;
	pthread_mutex_unlock(&drive->lock);
	return taken;
}

static void finish(struct drive *drive)
{
	pthread_mutex_lock(&drive->lock);
	if (++drive->finished == drive->writer_count)
		pthread_cond_broadcast(&drive->more);
	pthread_mutex_unlock(&drive->lock);
}

static void *drive_writers(void *arg)
{
	struct drive *drive = arg;
	struct run *run = drive->run;
	struct putter *putter, *next;

	while ((putter = take_ready(drive)) != NULL) {
		for (; putter != NULL; putter = next) {
			uint32_t at = bench_now() < run->until ? atomic_fetch_add(&run->next, 1) : UINT32_MAX;

			next = putter->next;
			if (at < run->most)
				put_piece(run, run->first + at, putter);
			else
				finish(drive);
		}
	}
	return NULL;
}

/* Put pieces with so many writers until the time is up, or run->most are on their way. */
static void put_pieces(struct run *run, unsigned writers)
{
	struct drive *drive = memory_new(1, sizeof(*drive));
	pthread_t threads[DRIVERS];

	*drive = (struct drive){.run = run, .writer_count = writers};
	pthread_mutex_init(&drive->lock, NULL);
	pthread_cond_init(&drive->more, NULL);
	run->drive = drive;
	for (unsigned i = 0; i < writers; i++) {
		drive->writers[i] = (struct putter){run, drive->ready};
		drive->ready = &drive->writers[i];
	}
	for (unsigned i = 0; i < DRIVERS; i++)
		start_thread(&threads[i], drive_writers, drive);
	for (unsigned i = 0; i < DRIVERS; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&drive->more);
	pthread_mutex_destroy(&drive->lock);
	free(drive);
}

/* What is done where there is no store: a temporary file, synced, renamed, its directory synced. */
static void put_file(struct run *run, uint32_t number)
{
	char dir[64], path[96], temporary[96];
	int fd;

	snprintf(dir, sizeof(dir), "%s/files/%02x", run->dir, number % 256);
	snprintf(path, sizeof(path), "%s/%08x", dir, number);
	snprintf(temporary, sizeof(temporary), "%s/%08x.t", dir, number);
	fd = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, run->content, run->len) != (ssize_t)run->len || fdatasync(fd) != 0)
		bench_die("cannot write a file");
	close(fd);
	if (rename(temporary, path) != 0 || file_sync_dir(dir) != ERR_OK)
		bench_die("cannot name a file");
}

static void *write_files(void *arg)
{
	struct run *run = arg;

	while (bench_now() < run->until) {
		uint32_t at = atomic_fetch_add(&run->next, 1);

		if (at >= run->most)
			break;
		put_file(run, run->first + at);
	}
	return NULL;
}

/* Pieces of the last measurement. */
static uint32_t written(const struct run *run)
{
	uint32_t next = atomic_load(&run->next);

	return next < run->most ? next : run->most;
}

/* Pieces per second that so many writers put; files, by a thread for each writer. */
static double put_rate(struct run *run, unsigned writers, uint32_t first, size_t len, bool as_files)
{
	pthread_t threads[WRITERS];
	double start = bench_now();

	run->first = first;
	run->len = len;
	run->until = start + run->seconds;
	run->most = (uint32_t)(BYTES_MOST / len < 1u << 26 ? BYTES_MOST / len : 1u << 26);
	atomic_store(&run->next, 0);
	if (!as_files) {
		put_pieces(run, writers);
		return written(run) / (bench_now() - start);
	}
	for (unsigned i = 0; i < writers; i++)
		start_thread(&threads[i], write_files, run);
	for (unsigned i = 0; i < writers; i++)
		pthread_join(threads[i], NULL);
	return written(run) / (bench_now() - start);
}

/* Bytes per second of a plain stream into a preallocated file. */
static double sequential_rate(struct run *run)
{
	double start = bench_now(), seconds;
	uint64_t written = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/stream", run->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		bench_die("cannot make a file");
	do {
		if (written % (16ull * SLICE) == 0 && posix_fallocate(fd, (off_t)written, 16ll * SLICE) != 0)
			bench_die("the disk is full");
		if (pwrite(fd, run->content, TREE_PIECE, (off_t)written) != (ssize_t)TREE_PIECE)
			bench_die("cannot write");
		written += TREE_PIECE;
		if (written % SLICE == 0 && fdatasync(fd) != 0)
			bench_die("cannot sync");
	} while ((bench_now() - start < run->seconds && written < BYTES_MOST) || written % SLICE != 0);
	seconds = bench_now() - start;
	close(fd);
	unlink(path);
	return (double)written / seconds;
}

/* What one writer waits for when it syncs one block: what a lone put cannot beat. */
static void say_sync_latency(struct run *run)
{
	double start, seconds = 0;
	unsigned syncs = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/sync", run->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (start = bench_now(); fd >= 0 && seconds < 1; seconds = bench_now() - start, syncs++) {
		if (pwrite(fd, run->content, 4096, 0) != 4096 || fdatasync(fd) != 0)
			bench_die("cannot sync");
	}
	close(fd);
	unlink(path);
	bench_say("write and fdatasync of 4 KiB on this disk: %.3f ms", 1e3 * seconds / syncs);
}

/* Drop the files of the store, or a single one, from the page cache. */
static void make_cold(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int fd;

	if (dir == NULL) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
			bench_die("cannot drop a file from the page cache");
		close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *inner;

		if (entry->d_name[0] == '.')
			continue;
		inner = file_join(path, entry->d_name);
		make_cold(inner);
		free(inner);
	}
	closedir(dir);
}

static void make_store_cold(const struct run *run)
{
	char *segments = file_join(run->dir, "store/segments");

	make_cold(segments);
	free(segments);
}

/* As the server of pieces does. */
static void read_blocks(struct run *run, uint32_t number, uint32_t block, uint32_t count, uint8_t *out)
{
	struct store_key key = pieces_key(number);
	struct store_reader *reader;
	const uint8_t *data;
	enum err err;
	size_t len;

	if (store_get(run->store, &key, &reader) != ERR_OK)
		bench_die("a piece is gone");
	err = store_reader_view(reader, block, count, &data, &len);
	if (err == ERR_UNSUPPORTED)
		err = store_reader_blocks(reader, block, count, out, &len);
	if (err != ERR_OK)
		bench_die("a piece is damaged");
	store_reader_free(reader);
}

/* Reading pieces of one size, each once and in random order, from several threads. */
struct reading {
	struct run *run;
	uint32_t *order;
	atomic_uint next;
	int fd; /* bare: a file of as many bytes; -1: the store */
};

static void *read_all(void *arg)
{
	struct reading *reading = arg;
	uint8_t *out = memory_new(1, GET_SIZE);

	for (;;) {
		uint32_t at = atomic_fetch_add(&reading->next, 1), piece;

		if (at >= GET_PIECES)
			break;
		piece = reading->order[at];
		if (reading->fd < 0)
			read_blocks(reading->run, reading->run->first + piece, 0, GET_SIZE / TREE_BLOCK, out);
		else if (pread(reading->fd, out, GET_SIZE, (off_t)piece * GET_SIZE) != GET_SIZE)
			bench_die("cannot read");
	}
	free(out);
	return NULL;
}

static double read_rate(struct reading *reading)
{
	pthread_t threads[READERS];
	double start = bench_now();

	atomic_store(&reading->next, 0);
	for (unsigned i = 0; i < READERS; i++)
		start_thread(&threads[i], read_all, reading);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	return GET_PIECES / (bench_now() - start);
}

static void shuffle(uint32_t *order, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = (uint32_t)random() % i, kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static void put_many(struct run *run, uint32_t first, size_t len, uint32_t count)
{
	run->first = first;
	run->len = len;
	run->until = bench_now() + 3600; /* by count, not by time */
	run->most = count;
	atomic_store(&run->next, 0);
	put_pieces(run, WRITERS);
}

/* A file of as many bytes as the pieces have. */
static int make_bare_file(struct run *run, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (uint32_t i = 0; i < GET_PIECES; i++) {
		if (pwrite(fd, run->content, GET_SIZE, (off_t)i * GET_SIZE) != GET_SIZE)
			bench_die("cannot write");
	}
	return fd;
}

static int compare_rates(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

/* 64 KiB, cold, against bare preads of a cold file. In turns, and the middle of each: how fast the kernel is depends on
 * what its memory was used for just before. */
static void measure_cold_gets(struct run *run, uint32_t first)
{
	struct reading gets = {.run = run, .order = memory_new(GET_PIECES, sizeof(uint32_t)), .fd = -1}, bare;
	double get_rates[READ_ROUNDS], bare_rates[READ_ROUNDS];
	char path[64];

	srandom(1);
	shuffle(gets.order, GET_PIECES);
	run->first = first;
	snprintf(path, sizeof(path), "%s/bare", run->dir);
	bare = gets;
	bare.fd = make_bare_file(run, path);
	for (int i = 0; i < READ_ROUNDS; i++) {
		make_store_cold(run);
		get_rates[i] = read_rate(&gets);
		make_cold(path);
		bare_rates[i] = read_rate(&bare);
	}
	qsort(get_rates, READ_ROUNDS, sizeof(double), compare_rates);
	qsort(bare_rates, READ_ROUNDS, sizeof(double), compare_rates);
	bench_result("store_get_64kib_vs_pread", get_rates[READ_ROUNDS / 2], "pieces/s", bare_rates[READ_ROUNDS / 2],
		     BENCH_MORE_IS_BETTER);
	bench_say("64 KiB pieces, cold, in random order, %u threads; bound: bare preads of a cold file; medians of %d",
		  READERS, READ_ROUNDS);
	close(bare.fd);
	unlink(path);
	free(gets.order);
}

/* Reads that one get takes, past the page cache. */
static void count_preads(struct run *run, uint32_t small, uint32_t large, uint32_t large_count)
{
	uint8_t *out = memory_new(1, TREE_PIECE);
	unsigned long before;

	make_store_cold(run);
	before = preads_so_far();
	for (uint32_t i = 0; i < COUNTED; i++)
		read_blocks(run, small + (uint32_t)random() % GET_PIECES, 0, GET_SIZE / TREE_BLOCK, out);
	bench_result("store_preads_per_get", (double)(preads_so_far() - before) / COUNTED, "preads", 1,
		     BENCH_LESS_IS_BETTER);
	before = preads_so_far();
	for (uint32_t i = 0; i < COUNTED; i++)
		read_blocks(run, large + (uint32_t)random() % large_count, (uint32_t)random() % TREE_BLOCKS, 1, out);
	bench_result("store_preads_per_block", (double)(preads_so_far() - before) / COUNTED, "preads", 2,
		     BENCH_LESS_IS_BETTER);
	bench_say("whole pieces of 64 KiB; one random block of pieces of 2 MiB");
	free(out);
}

static void make_directories(struct run *run)
{
	char path[64];

	snprintf(run->dir, sizeof(run->dir), "bench-store.XXXXXX");
	if (mkdtemp(run->dir) == NULL)
		bench_die("cannot make a directory here");
	for (unsigned i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "%s/files/%02x", run->dir, i);
		if (file_make_dirs(path, 0700) != ERR_OK)
			bench_die("cannot make a directory here");
	}
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char *inner;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		inner = file_join(path, entry->d_name);
		if (unlink(inner) != 0)
			remove_tree(inner);
		free(inner);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

/* Small pieces against a file for each. */
static double measure_small(struct run *run, const char *name, uint32_t first, size_t len)
{
	double rate = put_rate(run, WRITERS, first, len, false);
	double files = put_rate(run, WRITERS, first, len, true);

	bench_result(name, rate / files, "times", 0, BENCH_NO_SHARE);
	bench_say("%zu bytes, %u writers: %.0f pieces/s; a synced, renamed file per piece: %.0f/s", len, WRITERS, rate,
		  files);
	return rate * (double)len;
}

static void measure(struct run *run)
{
	double bare = sequential_rate(run), rate;
	uint32_t large;

	say_sync_latency(run);
	rate = put_rate(run, LARGE_WRITERS, 1 << 28, TREE_PIECE, false);
	large = written(run);
	bench_result("store_put_2mib_vs_sequential", rate * (double)TREE_PIECE / MB, "MB/s", bare / MB,
		     BENCH_MORE_IS_BETTER);
	bench_say("2 MiB: %u writers, each piece hashed, summed and synced; bound: one stream synced every %u MiB",
		  LARGE_WRITERS, SLICE >> 20);
	measure_small(run, "store_put_1kib_vs_files", 0, 1024);
	rate = measure_small(run, "store_put_16kib_vs_files", 1 << 27, 16384);
	bench_result("store_put_16kib_vs_sequential", rate / MB, "MB/s", bare / MB, BENCH_MORE_IS_BETTER);
	put_many(run, 1 << 29, GET_SIZE, GET_PIECES);
	measure_cold_gets(run, 1 << 29);
	count_preads(run, 1 << 29, 1 << 28, large);
}

int main(void)
{
	struct run run = {.content = memory_new(1, TREE_PIECE)};
	const struct store_options options = {.allocation = 64ull << 30, .no_upkeep = true};
	const char *seconds = getenv("GRANARY_BENCH_SECONDS");
	struct seam seam = preads_seam();
	char why[STORE_MESSAGE];

	run.seconds = seconds != NULL && atof(seconds) > 0 ? atof(seconds) : SECONDS;
	make_directories(&run);
	pieces_fill(1, 1, run.content, TREE_PIECE);
	if (store_init(run.dir, options.allocation, 0, &seam, why) != ERR_OK ||
	    store_open(run.dir, &options, &seam, &run.store, why) != ERR_OK)
		bench_die(why);
	measure(&run);
	store_close(run.store);
	remove_tree(run.dir);
	free(run.content);
	return 0;
}
