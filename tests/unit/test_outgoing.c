/* The two buffers of a channel over a socketpair: nothing is lost, reordered or kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "common/incoming.h"
#include "common/outgoing.h"

struct pipe {
	int fds[2];
	struct outgoing out;
	struct incoming in;
	uint8_t next_out, next_in; /* the bytes count up */
	size_t taken;
};

static void pipe_open(struct pipe *p)
{
	*p = (struct pipe){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
}

static void pipe_close(struct pipe *p)
{
	outgoing_clear(&p->out);
	incoming_clear(&p->in);
	close(p->fds[0]);
	close(p->fds[1]);
}

static void put(struct pipe *p, size_t len)
{
	uint8_t *to = outgoing_reserve(&p->out, len + 100);

	assert_ptr_equal(outgoing_reserve(&p->out, len), to); /* the same room, until it is committed */
	for (size_t i = 0; i < len; i++)
		to[i] = p->next_out++;
	outgoing_commit(&p->out, len);
}

/* Take all that is there, `unit` bytes at a time. */
static void take(struct pipe *p, size_t unit)
{
	const uint8_t *at = incoming_take(&p->in, unit);

	for (; at != NULL; at = incoming_take(&p->in, unit)) {
		for (size_t i = 0; i < unit; i++)
			assert_int_equal(at[i], p->next_in++);
		p->taken += unit;
	}
}

static void test_through(void **state)
{
	static const size_t lengths[] = {1, 3999, 4000, 50000, 65569, 1, 200000, 7, 131072, 65536};
	struct pipe p;
	size_t put_in = 0, sent = 1, sum = 0;

	(void)state;
	pipe_open(&p);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		put(&p, lengths[i]);
		put_in += lengths[i];
		assert_int_equal(p.out.pending, put_in);
	}
	while (p.out.pending > 0 || sent > 0) {
		assert_int_equal(outgoing_send(&p.out, p.fds[0], &sent), ERR_OK);
		sum += sent;
		assert_int_equal(p.out.pending, put_in - sum);
		while (incoming_receive(&p.in, p.fds[1], 128 * 1024) > 0)
			take(&p, 777);
		incoming_trim(&p.in);
	}
	assert_int_equal(p.taken, put_in - put_in % 777);
	assert_int_equal(incoming_held(&p.in), put_in % 777);
	assert_true(p.in.room < 128 * 1024); /* a short rest is kept in little room */
	take(&p, 1);
	incoming_trim(&p.in);
	assert_null(p.in.data);
	assert_null(p.out.first);
	pipe_close(&p);
}

static void test_nothing_committed(void **state)
{
	struct pipe p;
	size_t sent = 1;

	(void)state;
	pipe_open(&p);
	outgoing_reserve(&p.out, 70000);
	outgoing_commit(&p.out, 0);
	assert_null(p.out.first);
	assert_int_equal(outgoing_send(&p.out, p.fds[0], &sent), ERR_OK);
	assert_int_equal(sent, 0);
	pipe_close(&p);
}

static void test_broken(void **state)
{
	struct pipe p;
	size_t sent = 0;

	(void)state;
	pipe_open(&p);
	close(p.fds[1]);
	put(&p, 10);
	assert_int_equal(outgoing_send(&p.out, p.fds[0], &sent), ERR_CLOSED);
	p.fds[1] = dup(p.fds[0]);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_through),
		cmocka_unit_test(test_nothing_committed),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
