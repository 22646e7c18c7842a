/* The receive buffer of a channel. */
#include "common/incoming.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REST_ROOM 4096 /* what a short rest of a message waits in */

size_t incoming_held(const struct incoming *in)
{
	return in->end - in->start;
}

/* Move what is held to the front of a buffer of `room` bytes. */
static void resize(struct incoming *in, size_t room)
{
	struct incoming fresh = {in->data, 0, incoming_held(in), room};

	assert(fresh.end <= room);
	if (room != in->room) {
		fresh.data = malloc(room); /* not memory_new: zeroing would cost as much as reading */
		if (fresh.data == NULL)
			abort();
	}
	if (fresh.end > 0)
		memmove(fresh.data, in->data + in->start, fresh.end);
	if (room != in->room)
		free(in->data);
	*in = fresh;
}

ssize_t incoming_receive(struct incoming *in, int fd, size_t room)
{
	ssize_t got;

	resize(in, room);
	assert(in->end < in->room);
	got = recv(fd, in->data + in->end, in->room - in->end, 0);
	if (got > 0)
		in->end += (size_t)got;
	return got;
}

uint8_t *incoming_take(struct incoming *in, size_t len)
{
	uint8_t *at;

	if (incoming_held(in) < len)
		return NULL;
	at = in->data + in->start;
	in->start += len;
	return at;
}

void incoming_trim(struct incoming *in)
{
	if (incoming_held(in) == 0)
		incoming_clear(in);
	else if (in->room > REST_ROOM && incoming_held(in) <= REST_ROOM)
		resize(in, REST_ROOM);
}

void incoming_clear(struct incoming *in)
{
	free(in->data);
	*in = (struct incoming){0};
}
