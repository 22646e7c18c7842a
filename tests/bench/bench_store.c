/*
 * The piece store at its own interface, durable, against what the same disk does bare in the same run: large pieces
 * against a sequential write, small ones against a file per piece, reads against preads of the same bytes.
 *
 * Everything happens in a directory of its own below the current one, so the disk measured is the one one is on. Reads
 * come from the page cache on both sides: what is compared is the store's own cost.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/store/store.h"
#include "tests/bench/bench.h"
#include "tests/kit/pieces.h"

#define MB 1e6
#define WRITERS 128
#define LARGE_WRITERS 16
#define SECONDS 4.0
#define SLICE (64u << 20) /* the plain stream syncs this often */
#define SMALL 4096

struct run {
	char dir[32];
	struct store *store;
	uint8_t *content; /* TREE_PIECE bytes */
	size_t len;	  /* of each piece */
	double until;
	uint32_t first; /* number of the first piece */
	atomic_uint next;
	bool as_files;
};

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

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

static void put_piece(struct run *run, uint32_t number, struct answer *answer)
{
	struct allocation allocation = pieces_allocation(number, run->len);
	struct signature signature = {{1}};
	struct bytes32 hash = {{2}};
	struct order order = {hash, run->len};
	struct store_upload *upload;

	if (store_put_begin(run->store, 0, &allocation, &signature, &hash, &upload) != ERR_OK)
		die("the store has no room");
	for (size_t at = 0; at < run->len; at += TREE_BLOCK) {
		size_t len = run->len - at < TREE_BLOCK ? run->len - at : TREE_BLOCK;

		if (store_put_block(upload, run->content + at, len) != ERR_OK)
			die("the store cannot write");
	}
	store_put_end(upload, &order, &signature, 1, answered, answer);
	sem_wait(&answer->come);
	if (answer->err != ERR_OK)
		die("the store cannot commit");
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
		die("cannot write a file");
	close(fd);
	if (rename(temporary, path) != 0 || file_sync_dir(dir) != ERR_OK)
		die("cannot name a file");
}

static void *write_pieces(void *arg)
{
	struct run *run = arg;
	struct answer answer;

	sem_init(&answer.come, 0, 0);
	while (bench_now() < run->until) {
		uint32_t number = run->first + atomic_fetch_add(&run->next, 1);

		if (run->as_files)
			put_file(run, number);
		else
			put_piece(run, number, &answer);
	}
	sem_destroy(&answer.come);
	return NULL;
}

/* Pieces per second that so many writers put. */
static double put_rate(struct run *run, unsigned writers, uint32_t first, size_t len, bool as_files)
{
	pthread_t threads[WRITERS];
	double start = bench_now();

	run->first = first;
	run->len = len;
	run->as_files = as_files;
	run->until = start + SECONDS;
	atomic_store(&run->next, 0);
	for (unsigned i = 0; i < writers; i++) {
		if (pthread_create(&threads[i], NULL, write_pieces, run) != 0)
			die("cannot start a thread");
	}
	for (unsigned i = 0; i < writers; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&run->next) / (bench_now() - start);
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
		die("cannot make a file");
	do {
		if (written % (16ull * SLICE) == 0 && posix_fallocate(fd, (off_t)written, 16ll * SLICE) != 0)
			die("the disk is full");
		if (pwrite(fd, run->content, TREE_PIECE, (off_t)written) != (ssize_t)TREE_PIECE)
			die("cannot write");
		written += TREE_PIECE;
		if (written % SLICE == 0 && fdatasync(fd) != 0)
			die("cannot sync");
	} while (bench_now() - start < SECONDS || written % SLICE != 0);
	seconds = bench_now() - start;
	close(fd);
	unlink(path);
	return (double)written / seconds;
}

/* Reading the pieces that were put, one after the other, and again. */
struct reading {
	struct run *run;
	uint32_t at;
	uint32_t count;
	uint8_t *out;
	int fd; /* a file of the same bytes, for bare reads */
};

static void get_once(void *arg)
{
	struct reading *reading = arg;
	struct store_key key = pieces_key(reading->run->first + reading->at++ % reading->count);
	struct store_reader *reader;
	size_t len;

	if (store_get(reading->run->store, &key, &reader) != ERR_OK)
		die("a piece is gone");
	if (store_reader_blocks(reader, 0, tree_blocks(reading->run->len), reading->out, &len) != ERR_OK)
		die("a piece is damaged");
	store_reader_free(reader);
}

static void pread_once(void *arg)
{
	struct reading *reading = arg;
	size_t len = reading->run->len;

	if (pread(reading->fd, reading->out, len, (off_t)((reading->at++ % reading->count) * len)) != (ssize_t)len)
		die("cannot read");
}

/* Gets per second, and the rate of bare reads of as many bytes. */
static void measure_gets(struct run *run, const char *name, uint32_t first, size_t len, uint32_t count)
{
	struct reading reading = {run, 0, count, memory_new(1, TREE_PIECE), -1};
	double gets, reads;
	char path[64];

	run->first = first;
	run->len = len;
	snprintf(path, sizeof(path), "%s/bare", run->dir);
	reading.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (uint32_t i = 0; i < count; i++) {
		if (pwrite(reading.fd, run->content, len, (off_t)(i * len)) != (ssize_t)len)
			die("cannot write");
	}
	gets = bench_rate(SECONDS / 4, get_once, &reading);
	reads = bench_rate(SECONDS / 4, pread_once, &reading);
	bench_result(name, gets, "pieces/s", reads, BENCH_MORE_IS_BETTER);
	close(reading.fd);
	unlink(path);
	free(reading.out);
}

static void make_directories(struct run *run)
{
	char path[64];

	snprintf(run->dir, sizeof(run->dir), "bench-store.XXXXXX");
	if (mkdtemp(run->dir) == NULL)
		die("cannot make a directory here");
	for (unsigned i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "%s/files/%02x", run->dir, i);
		if (file_make_dirs(path, 0700) != ERR_OK)
			die("cannot make a directory here");
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

static void measure(struct run *run)
{
	uint32_t small, large;
	double bare, rate;

	bare = sequential_rate(run);
	rate = put_rate(run, LARGE_WRITERS, 1 << 28, TREE_PIECE, false);
	large = atomic_load(&run->next);
	bench_result("store_put_2mib_vs_sequential", rate * (double)TREE_PIECE / MB, "MB/s", bare / MB,
		     BENCH_MORE_IS_BETTER);
	bench_say("2 MiB: %u writers, each piece hashed, summed and synced; bound: one stream synced every %u MiB",
		  LARGE_WRITERS, SLICE >> 20);
	rate = put_rate(run, WRITERS, 0, SMALL, false);
	small = atomic_load(&run->next);
	bare = put_rate(run, WRITERS, 0, SMALL, true);
	bench_result("store_put_4kib", rate, "pieces/s", 0, BENCH_NO_SHARE);
	bench_result("store_put_4kib_vs_files", rate / bare, "times", 0, BENCH_NO_SHARE);
	bench_say("4 KiB: %u writers; a synced, renamed file per piece: %.0f pieces/s", WRITERS, bare);
	measure_gets(run, "store_get_4kib", 0, SMALL, small);
	measure_gets(run, "store_get_2mib", 1 << 28, TREE_PIECE, large < 100 ? large : 100);
}

int main(void)
{
	struct run run = {.content = memory_new(1, TREE_PIECE)};
	const struct store_options options = {.allocation = 64ull << 30};
	char why[STORE_MESSAGE];

	make_directories(&run);
	pieces_fill(1, 1, run.content, TREE_PIECE);
	if (store_init(run.dir, options.allocation, 0, &seam_system, why) != ERR_OK ||
	    store_open(run.dir, &options, &seam_system, &run.store, why) != ERR_OK)
		die(why);
	measure(&run);
	store_close(run.store);
	remove_tree(run.dir);
	free(run.content);
	return 0;
}
