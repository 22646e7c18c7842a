/* One block that stays in the cache; one socket pair; one file. */
#include "tests/bench/bounds.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <isa-l/crc.h>

#include "audit/tree.h"
#include "common/noise.h"
#include "tests/bench/bench.h"

#define MB 1e6
#define SLICE 0.3 /* seconds for each number */
#define CHUNK 262144
#define FILE_BYTES (128u << 20)

struct work {
	uint8_t block[TREE_BLOCK];
	uint8_t out[NOISE_HEADER + TREE_BLOCK + NOISE_TAG];
	struct noise_cipher cipher;
};

static void seal_once(void *arg)
{
	struct work *work = arg;

	noise_encrypt(&work->cipher, work->block, TREE_BLOCK, work->out);
}

static void hash_once_block(void *arg)
{
	struct work *work = arg;
	struct bytes32 hash;

	tree_block_hash(work->block, TREE_BLOCK, &hash);
}

static void crc_once(void *arg)
{
	struct work *work = arg;
	volatile unsigned sum = crc32_iscsi(work->block, TREE_BLOCK, 0);

	(void)sum;
}

static double seconds_per_byte(void (*once)(void *arg), struct work *work)
{
	return 1 / (bench_rate(SLICE, once, work) * TREE_BLOCK);
}

static void keep_less(double *kept, double fresh)
{
	if (*kept == 0 || fresh < *kept)
		*kept = fresh;
}

void bound_measure(struct bound *bound)
{
	static struct work work;

	keep_less(&bound->aead, seconds_per_byte(seal_once, &work));
	keep_less(&bound->hash, seconds_per_byte(hash_once_block, &work));
	keep_less(&bound->crc, seconds_per_byte(crc_once, &work));
}

double bound_transfer(const struct bound *bound)
{
	double rate = 1 / (bound->aead + bound->hash + bound->crc);

	bench_say("bound = 1 / (AEAD %.3f + tree hash %.3f + CRC32C %.3f ns per byte) = %.0f MB/s", bound->aead * 1e9,
		  bound->hash * 1e9, bound->crc * 1e9, rate / MB);
	return rate;
}

static void *drain_socket(void *arg)
{
	static uint8_t sink[CHUNK];

	while (read(*(int *)arg, sink, sizeof(sink)) > 0)
		;
	return NULL;
}

/* A connected pair of TCP sockets on loopback. */
static void tcp_pair(int ret[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listening, (struct sockaddr *)&at, len) != 0 || listen(listening, 1) != 0 ||
	    getsockname(listening, (struct sockaddr *)&at, &len) != 0 ||
	    connect(ret[0], (struct sockaddr *)&at, len) != 0)
		abort();
	ret[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	close(listening);
}

static double loopback_rate(void)
{
	static uint8_t chunk[CHUNK];
	double start, seconds, bytes = 0;
	pthread_t reader;
	int pair[2];

	tcp_pair(pair);
	if (pthread_create(&reader, NULL, drain_socket, &pair[1]) != 0)
		abort();
	start = bench_now();
	while (bench_now() - start < 2 * SLICE) {
		ssize_t done = write(pair[0], chunk, sizeof(chunk));

		if (done < 0)
			abort();
		bytes += (double)done;
	}
	seconds = bench_now() - start;
	close(pair[0]);
	pthread_join(reader, NULL);
	close(pair[1]);
	return bytes / seconds;
}

static double disk_rate(const char *dir)
{
	static uint8_t chunk[CHUNK];
	char path[200];
	double start, seconds;
	int fd;

	snprintf(path, sizeof(path), "%s/disk-rate", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	start = bench_now();
	for (size_t done = 0; done < FILE_BYTES; done += sizeof(chunk)) {
		if (write(fd, chunk, sizeof(chunk)) != (ssize_t)sizeof(chunk))
			abort();
	}
	if (fdatasync(fd) != 0)
		abort();
	seconds = bench_now() - start;
	close(fd);
	unlink(path);
	return FILE_BYTES / seconds;
}

void bounds_show_machine(const char *dir)
{
	bench_say("beside it: plain TCP over loopback %.0f MB/s; plain writes and one sync under %s %.0f MB/s",
		  loopback_rate() / MB, dir, disk_rate(dir) / MB);
}
