/*
 * Bytes waiting to be sent: written once, where they are encrypted, and given to the kernel from there.
 *
 * A queue of chunks. Room is reserved at the end of the last chunk and committed when it is filled; a chunk that was
 * sent is freed, so an idle queue holds no memory.
 */
#ifndef GRANARY_COMMON_OUTGOING_H
#define GRANARY_COMMON_OUTGOING_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct chunk;

/* Starts zeroed. */
struct outgoing {
	struct chunk *first;
	struct chunk *last;
	size_t pending; /* bytes committed and not sent */
};

/* Room for `len` bytes in one piece. A later reserve without a commit takes the same room. */
uint8_t *outgoing_reserve(struct outgoing *out, size_t len);
/* The first `len` reserved bytes are there to be sent. */
void outgoing_commit(struct outgoing *out, size_t len);
/* Send what a non-blocking socket takes, within a fair share; the number of bytes goes to *ret_sent.
 * ERR_CLOSED when the connection broke. */
enum err outgoing_send(struct outgoing *out, int fd, size_t *ret_sent) WARN_UNUSED;
void outgoing_clear(struct outgoing *out);

#endif
