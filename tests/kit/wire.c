/* A raw end of a BOLT 8 connection. Anything unexpected ends the test program. */
#include "tests/kit/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/memory.h"

static void require(bool true_thing)
{
	if (!true_thing)
		abort();
}

/* Let the channel do its part until the socket is ready; the short timeout only saves a spin. */
static void turn(struct wire *wire, short events)
{
	struct pollfd one = {wire->fd, events, 0};

	event_base_loop(wire->base, EVLOOP_NONBLOCK);
	poll(&one, 1, 1);
}

void wire_run_until(struct event_base *base, const bool *flag)
{
	while (!*flag)
		require(event_base_loop(base, EVLOOP_ONCE) == 0);
}

int wire_pair(struct wire *wire, struct event_base *base)
{
	int fds[2];

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	*wire = (struct wire){.base = base, .fd = fds[0]};
	return fds[1];
}

int wire_listen(struct endpoint *ret_at)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	require(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 16) == 0);
	require(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	memcpy(ret_at->at.host, "127.0.0.1", sizeof("127.0.0.1"));
	ret_at->at.port = ntohs(at.sin_port);
	return fd;
}

void wire_accept(struct wire *wire, struct event_base *base, int listening)
{
	struct wire waiting = {.base = base, .fd = listening};
	int fd;

	do {
		turn(&waiting, POLLIN);
		fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && errno == EAGAIN);
	require(fd >= 0);
	*wire = (struct wire){.base = base, .fd = fd};
}

void wire_connect(struct wire *wire, struct event_base *base, const struct hostport *at)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(fd >= 0 && inet_pton(AF_INET, at->host, &to.sin_addr) == 1);
	require(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	require(evutil_make_socket_nonblocking(fd) == 0);
	*wire = (struct wire){.base = base, .fd = fd};
}

void wire_close(struct wire *wire)
{
	close(wire->fd);
	wire->fd = -1;
}

void wire_write(struct wire *wire, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t sent = send(wire->fd, at, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			return; /* the other side hung up; the test will see it */
		if (sent > 0) {
			at += sent;
			len -= (size_t)sent;
		} else {
			turn(wire, POLLOUT);
		}
	}
}

bool wire_read(struct wire *wire, void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		ssize_t got = recv(wire->fd, at, len, 0);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		if (got > 0) {
			at += got;
			len -= (size_t)got;
		} else {
			turn(wire, POLLIN);
		}
	}
	return true;
}

bool wire_at_end(struct wire *wire)
{
	uint8_t one;

	return !wire_read(wire, &one, 1);
}

static void take_ciphers(struct wire *wire, struct noise_handshake *h)
{
	noise_split(h, &wire->send, &wire->receive);
	noise_free(h);
}

bool wire_initiate(struct wire *wire, const struct key *key, const struct id *remote)
{
	struct noise_handshake *h = noise_initiator(key, remote);
	uint8_t act[NOISE_ACT_THREE];

	noise_write_act_one(h, act);
	wire_write(wire, act, NOISE_ACT_ONE);
	if (!wire_read(wire, act, NOISE_ACT_TWO)) {
		noise_free(h);
		return false;
	}
	require(noise_read_act_two(h, act) == ERR_OK && noise_write_act_three(h, act) == ERR_OK);
	wire_write(wire, act, NOISE_ACT_THREE);
	take_ciphers(wire, h);
	return true;
}

bool wire_respond(struct wire *wire, const struct key *key)
{
	struct noise_handshake *h = noise_responder(key);
	uint8_t act[NOISE_ACT_THREE];

	require(wire_read(wire, act, NOISE_ACT_ONE));
	if (noise_read_act_one(h, act) != ERR_OK) {
		noise_free(h);
		return false;
	}
	require(noise_write_act_two(h, act) == ERR_OK);
	wire_write(wire, act, NOISE_ACT_TWO);
	require(wire_read(wire, act, NOISE_ACT_THREE) && noise_read_act_three(h, act) == ERR_OK);
	take_ciphers(wire, h);
	return true;
}

void wire_send(struct wire *wire, struct bytes message)
{
	size_t len = NOISE_HEADER + message.len + NOISE_TAG;
	uint8_t *frame = memory_new(1, len);

	noise_encrypt(&wire->send, message.data, message.len, frame);
	wire_write(wire, frame, len);
	free(frame);
}

long wire_receive(struct wire *wire, uint8_t *out)
{
	uint8_t header[NOISE_HEADER];
	size_t len;

	if (!wire_read(wire, header, sizeof(header)))
		return -1;
	require(noise_decrypt_header(&wire->receive, header, &len) == ERR_OK);
	require(wire_read(wire, out, len + NOISE_TAG));
	require(noise_decrypt_body(&wire->receive, out, len) == ERR_OK);
	return (long)len;
}
