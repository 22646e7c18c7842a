/* Segment files from footers. */
#include "tests/bench/synthetic.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/memory.h"
#include "node/store/super.h"
#include "tests/bench/bench.h"

#define SEGMENT_SIZE (64u << 20)
#define CREATED 1700000000u
#define CHUNK (1u << 20)

/* Mixes well, and is its own stream for each number (splitmix64). */
static uint64_t mixed(uint64_t number)
{
	number += 0x9e3779b97f4a7c15;
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 27) * 0x94d049bb133111eb;
	return number ^ number >> 31;
}

struct store_key synthetic_key(uint64_t number)
{
	struct store_key key = {0, {{0}}};

	for (unsigned i = 0; i < 4; i++)
		put_be64(key.piece.b + (size_t)i * 8, mixed(number * 4 + i));
	return key;
}

static void load_super(const char *dir, struct super *ret)
{
	char path[SEGMENT_PATH];
	int fd;

	snprintf(path, sizeof(path), "%s/store/SUPER", dir);
	if (seam_open_file(&seam_system, path, O_RDONLY, &fd) != ERR_OK || super_load(&seam_system, fd, ret) != ERR_OK)
		bench_die("cannot read SUPER");
	close(fd);
}

static uint32_t extent_of_piece(void)
{
	return record_extent(record_head_of_piece(tree_blocks(SYNTHETIC_SIZE)), SYNTHETIC_SIZE);
}

static void make_segment(const char *dir, const struct super *super, uint32_t id, uint64_t first, uint32_t count)
{
	struct segment_header header = {.store = super->store,
					.secret = super->secret,
					.kind = SEGMENT_PIECES,
					.id = id,
					.size = SEGMENT_SIZE,
					.created = CREATED,
					.first_sequence = first + 1};
	struct segment_trailer trailer;
	uint8_t raw[SEGMENT_HEADER];
	struct segment *segment;
	char path[SEGMENT_PATH], segments[SEGMENT_PATH - 16];
	int fd;

	snprintf(segments, sizeof(segments), "%s/store/segments", dir);
	segment_path(segments, id, path);
	if (seam_open_file(&seam_system, path, O_RDWR | O_CREAT | O_EXCL, &fd) != ERR_OK)
		bench_die("cannot make a segment");
	segment_header_encode(&header, raw);
	segment = segment_new(id, SEGMENT_PIECES, 0, fd);
	for (uint32_t i = 0; i < count; i++) {
		struct segment_entry entry = {
			.type = RECORD_PIECE,
			.piece = synthetic_key(first + i).piece,
			.offset = SEGMENT_HEADER + i * extent_of_piece(),
			.sequence = first + i + 1,
			.created = CREATED,
			.size = SYNTHETIC_SIZE,
			.extent = extent_of_piece(),
		};

		segment_add_entry(segment, &entry);
	}
	if (seam_write_full(&seam_system, fd, raw, sizeof(raw), 0) != ERR_OK ||
	    segment_write_footer(&seam_system, segment, &super->secret, SEGMENT_HEADER + count * extent_of_piece(),
				 false, &trailer) != ERR_OK)
		bench_die("cannot write a segment");
	segment_free(&seam_system, segment);
}

void synthetic_make(const char *dir, uint64_t pieces)
{
	uint32_t most = (SEGMENT_SIZE - SEGMENT_HEADER - SEGMENT_TRAILER) / (extent_of_piece() + SEGMENT_ENTRY);
	uint32_t id = 1;
	char why[STORE_MESSAGE];
	struct super super;

	if (mkdir(dir, 0700) != 0 || store_init(dir, SYNTHETIC_ALLOCATION, SEGMENT_SIZE, &seam_system, why) != ERR_OK)
		bench_die("cannot make a store");
	load_super(dir, &super);
	for (uint64_t first = 0; first < pieces; first += most, id++)
		make_segment(dir, &super, id, first, (uint32_t)(pieces - first < most ? pieces - first : most));
}

/* Call each(path, arg) for all files below a directory. */
static void walk(const char *path, void (*each)(const char *path, void *arg), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL) {
		each(path, arg);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		char *inner;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		inner = file_join(path, entry->d_name);
		walk(inner, each, arg);
		free(inner);
	}
	closedir(dir);
}

static void forget(const char *path, void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)arg;
	if (fd < 0)
		return;
	(void)!fsync(fd); /* dirty pages stay */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

void synthetic_forget(const char *dir)
{
	char path[SEGMENT_PATH];

	snprintf(path, sizeof(path), "%s/store", dir);
	walk(path, forget, NULL);
}

/* Read [from, size) of an open file. */
static void read_on(int fd, uint64_t from, uint64_t size, uint8_t *chunk)
{
	while (from < size) {
		ssize_t got = pread(fd, chunk, size - from < CHUNK ? (size_t)(size - from) : CHUNK, (off_t)from);

		if (got <= 0)
			bench_die("cannot read");
		from += (uint64_t)got;
	}
}

struct reading {
	uint8_t *chunk;
	uint64_t bytes;
};

static void read_footer(const char *path, void *arg)
{
	struct reading *reading = arg;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t end[SEGMENT_TRAILER];
	struct stat st;
	uint64_t len;

	if (fd < 0 || fstat(fd, &st) != 0)
		bench_die("cannot open a segment");
	if ((uint64_t)st.st_size > sizeof(end) &&
	    pread(fd, end, sizeof(end), st.st_size - (off_t)sizeof(end)) == (ssize_t)sizeof(end) &&
	    memcmp(end, "GRANFOOT", 8) == 0) {
		len = get_be32(end + 16) * (uint64_t)SEGMENT_ENTRY + sizeof(end);
		read_on(fd, (uint64_t)st.st_size - len, (uint64_t)st.st_size, reading->chunk);
		reading->bytes += len;
	}
	close(fd);
}

static void read_whole(const char *path, void *arg)
{
	struct reading *reading = arg;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		bench_die("cannot open a file");
	read_on(fd, 0, (uint64_t)st.st_size, reading->chunk);
	reading->bytes += (uint64_t)st.st_size;
	close(fd);
}

static uint64_t timed(const char *path, void (*each)(const char *path, void *arg), double *ret_seconds)
{
	struct reading reading = {memory_new(1, CHUNK), 0};
	double start = bench_now();

	walk(path, each, &reading);
	*ret_seconds = bench_now() - start;
	free(reading.chunk);
	return reading.bytes;
}

uint64_t synthetic_footers(const char *dir, double *ret_seconds)
{
	char path[SEGMENT_PATH];

	snprintf(path, sizeof(path), "%s/store/segments", dir);
	return timed(path, read_footer, ret_seconds);
}

uint64_t synthetic_file(const char *dir, const char *name, double *ret_seconds)
{
	char path[SEGMENT_PATH];

	snprintf(path, sizeof(path), "%s/store/%s", dir, name);
	return timed(path, read_whole, ret_seconds);
}

static void remove_file(const char *path, void *arg)
{
	(void)arg;
	unlink(path);
}

void synthetic_remove(const char *dir)
{
	static const char *const names[] = {"/store/segments", "/store/transfers", "/store/index",
					    "/store/twins",    "/store",	   ""};
	char path[SEGMENT_PATH];

	walk(dir, remove_file, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		rmdir(path);
	}
}
