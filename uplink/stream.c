/* poll(2) on the descriptor and on an eventfd, then one read or write. */
#include "uplink/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WRITE_MOST 65536 /* at once, so that a full pipe never holds us longer than one such piece */

void stream_init(struct stream *stream, int fd)
{
	stream->fd = fd;
	stream->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stream->stop_fd < 0)
		abort();
}

void stream_clear(struct stream *stream)
{
	close(stream->stop_fd);
}

static enum err wait_for(struct stream *stream, short events, const char **ret_why)
{
	struct pollfd fds[2] = {{stream->fd, events, 0}, {stream->stop_fd, POLLIN, 0}};

	while (poll(fds, 2, -1) < 0) {
		if (errno == EINTR)
			continue;
		snprintf(stream->why, sizeof(stream->why), "%s", strerror(errno));
		*ret_why = stream->why;
		return ERR_IO;
	}
	*ret_why = "stopped";
	return fds[1].revents != 0 ? ERR_CANCELLED : ERR_OK;
}

static enum err fail(struct stream *stream, const char *what, const char **ret_why)
{
	enum err err = err_from_errno(errno);

	snprintf(stream->why, sizeof(stream->why), "%s: %s", what, strerror(errno));
	*ret_why = stream->why;
	return err;
}

enum err stream_read(void *arg, uint8_t *buffer, size_t len, size_t *ret_len, const char **ret_why)
{
	struct stream *stream = arg;
	ssize_t got;
	enum err err;

	do {
		err = wait_for(stream, POLLIN, ret_why);
		if (err != ERR_OK)
			return err;
		got = read(stream->fd, buffer, len);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got < 0)
		return fail(stream, "cannot read", ret_why);
	*ret_len = (size_t)got;
	return ERR_OK;
}

enum err stream_write(void *arg, const uint8_t *data, size_t len, const char **ret_why)
{
	struct stream *stream = arg;
	enum err err;

	while (len > 0) {
		ssize_t done;

		err = wait_for(stream, POLLOUT, ret_why);
		if (err != ERR_OK)
			return err;
		done = write(stream->fd, data, len < WRITE_MOST ? len : WRITE_MOST);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return fail(stream, "cannot write", ret_why);
		data += done;
		len -= (size_t)done;
	}
	return ERR_OK;
}

void stream_stop(void *arg)
{
	struct stream *stream = arg;

	if (eventfd_write(stream->stop_fd, 1) != 0)
		abort(); /* one write to a fresh counter */
}
