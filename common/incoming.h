/*
 * Bytes that came from a socket and are not used yet: one buffer, which exists only while something is in it.
 */
#ifndef GRANARY_COMMON_INCOMING_H
#define GRANARY_COMMON_INCOMING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts zeroed. */
struct incoming {
	uint8_t *data;
	size_t start; /* used up to here */
	size_t end;   /* filled up to here */
	size_t room;
};

/* Read once from a non-blocking socket, after what is held, into a buffer of `room` bytes, more than is held. Returns
 * what recv does. */
ssize_t incoming_receive(struct incoming *in, int fd, size_t room);
/* The next `len` bytes, used up, which stay valid and may be changed until the next call but this; NULL when they have
 * not all come. */
uint8_t *incoming_take(struct incoming *in, size_t len);
size_t incoming_held(const struct incoming *in);
/* Give back memory: all when nothing is held, most when it is little. */
void incoming_trim(struct incoming *in);
void incoming_clear(struct incoming *in);

#endif
