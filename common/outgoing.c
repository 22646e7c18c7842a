/* The chunks of a send queue. */
#include "common/outgoing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/memory.h"

#define SMALL_ROOM 4000	   /* for the odd request */
#define LARGE_ROOM 139264u /* four DATA messages: what a channel holds at its high-water mark */
#define MOST_CHUNKS 8	   /* given to the kernel in one call */
#define FAIR_SHARE 524288u /* bytes before other channels get their turn */

struct chunk {
	struct chunk *next;
	size_t start; /* sent up to here */
	size_t end;   /* written up to here */
	size_t room;
	uint8_t data[];
};

static struct chunk *add_chunk(struct outgoing *out, size_t len)
{
	size_t room = len <= SMALL_ROOM / 2 && out->first == NULL ? SMALL_ROOM : LARGE_ROOM;
	struct chunk *chunk;

	if (room < len)
		room = len;
	/* Not memory_new: the content need not be zeroed. */
	chunk = malloc(sizeof(*chunk) + room);
	if (chunk == NULL)
		abort();
	*chunk = (struct chunk){.room = room};
	if (out->last != NULL)
		out->last->next = chunk;
	else
		out->first = chunk;
	out->last = chunk;
	return chunk;
}

uint8_t *outgoing_reserve(struct outgoing *out, size_t len)
{
	struct chunk *chunk = out->last;

	if (chunk == NULL || chunk->room - chunk->end < len)
		chunk = add_chunk(out, len);
	return chunk->data + chunk->end;
}

void outgoing_commit(struct outgoing *out, size_t len)
{
	struct chunk *chunk = out->last;

	assert(chunk != NULL && len <= chunk->room - chunk->end);
	chunk->end += len;
	out->pending += len;
	if (out->pending == 0)
		outgoing_clear(out);
}

static void drop_sent(struct outgoing *out, size_t len)
{
	struct chunk *chunk = out->first;

	out->pending -= len;
	while (chunk != NULL && len >= chunk->end - chunk->start) {
		len -= chunk->end - chunk->start;
		out->first = chunk->next;
		free(chunk);
		chunk = out->first;
	}
	if (chunk == NULL)
		out->last = NULL;
	else
		chunk->start += len;
}

static ssize_t send_once(struct outgoing *out, int fd)
{
	struct iovec parts[MOST_CHUNKS];
	struct msghdr message = {.msg_iov = parts};
	ssize_t sent;

	for (struct chunk *c = out->first; c != NULL && message.msg_iovlen < MOST_CHUNKS; c = c->next)
		parts[message.msg_iovlen++] = (struct iovec){c->data + c->start, c->end - c->start};
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent;
}

enum err outgoing_send(struct outgoing *out, int fd, size_t *ret_sent)
{
	size_t total = 0;

	while (out->pending > 0 && total < FAIR_SHARE) {
		size_t before = out->pending;
		ssize_t sent = send_once(out, fd);

		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return ERR_CLOSED;
		if (sent <= 0)
			break;
		drop_sent(out, (size_t)sent);
		total += (size_t)sent;
		if ((size_t)sent < before)
			break;
	}
	*ret_sent = total;
	return ERR_OK;
}

void outgoing_clear(struct outgoing *out)
{
	struct chunk *next;

	for (struct chunk *chunk = out->first; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*out = (struct outgoing){0};
}
