/*
 * Files and pipes as the source and the sink of a copy. Reads and writes block in the uplink's file thread; stopping
 * one from another thread makes it return at once, also when it waits for the other end of a pipe.
 */
#ifndef GRANARY_UPLINK_STREAM_H
#define GRANARY_UPLINK_STREAM_H

#include "uplink/object_get.h"
#include "uplink/object_put.h"

#define STREAM_WHY 200

struct stream {
	int fd;
	int stop_fd; /* an eventfd */
	char why[STREAM_WHY];
};

/* Borrow a descriptor. */
void stream_init(struct stream *stream, int fd);
void stream_clear(struct stream *stream);

/* The functions of struct object_source and struct object_sink; `arg` is a stream. */
enum err stream_read(void *arg, uint8_t *buffer, size_t len, size_t *ret_len, const char **ret_why);
enum err stream_write(void *arg, const uint8_t *data, size_t len, const char **ret_why);
void stream_stop(void *arg);

#endif
