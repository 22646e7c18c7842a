/* Records of a group: neighbours go in one call, whatever their order, and each to its place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "node/store/gather.h"

#define ROOM 65536
#define MANY 600

/* A disk of two files, of which the descriptors are 0 and 1. */
struct paper {
	struct seam seam; /* first: `self` is the paper too */
	uint8_t files[2][ROOM];
	unsigned calls;
	unsigned fail_at; /* this call, from 1 on; 0: none */
};

static ssize_t paper_pwritev(const struct seam *self, int fd, const struct iovec *parts, int count, uint64_t offset)
{
	struct paper *paper = (struct paper *)(uintptr_t)self;
	size_t len = 0;

	if (++paper->calls == paper->fail_at)
		return -EIO;
	for (int i = 0; i < count; i++) {
		assert_true(offset + len + parts[i].iov_len <= ROOM);
		memcpy(paper->files[fd] + offset + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	return (ssize_t)len;
}

struct fixture {
	struct paper paper;
	struct health health;
	struct gather gather;
	struct segment segments[2];
	struct commit commits[MANY];
	uint8_t data[MANY];
	unsigned count;
};

static int set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	f->paper.seam.pwritev = paper_pwritev;
	health_init(&f->health);
	for (int i = 0; i < 2; i++) {
		f->segments[i].id = (uint32_t)i + 1;
		f->segments[i].fd = i;
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	gather_free(&f->gather);
	health_destroy(&f->health);
	free(f);
	return 0;
}

/* A record of one byte. */
static struct commit *add(struct fixture *f, int segment, uint32_t offset)
{
	struct commit *commit = &f->commits[f->count];

	f->data[f->count] = (uint8_t)(1 + offset % 251);
	*commit = (struct commit){
		.segment = &f->segments[segment],
		.record = bytes_of(&f->data[f->count], 1),
		.offset = offset,
	};
	if (f->count > 0)
		commit[-1].next = commit;
	f->count++;
	return commit;
}

static enum err write_all(struct fixture *f)
{
	return gather_write(&f->gather, &f->paper.seam, &f->health, f->count > 0 ? f->commits : NULL);
}

static void test_runs(void **state)
{
	static const uint32_t offsets[] = {7, 3, 20, 4, 6, 5, 21};
	struct fixture *f = *state;

	assert_int_equal(write_all(f), ERR_OK);
	assert_int_equal(f->paper.calls, 0);
	for (int segment = 0; segment < 2; segment++) {
		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
			add(f, segment, offsets[i]);
	}
	assert_int_equal(write_all(f), ERR_OK);
	assert_int_equal(f->paper.calls, 4); /* 3 to 7 and 20 to 21, in each */
	for (int segment = 0; segment < 2; segment++) {
		for (uint32_t at = 0; at < 30; at++) {
			bool there = (at >= 3 && at <= 7) || at == 20 || at == 21;

			assert_int_equal(f->paper.files[segment][at], there ? 1 + at : 0);
		}
	}
}

/* More than one call takes. */
static void test_many(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = MANY; i > 0; i--)
		add(f, 0, i - 1);
	assert_int_equal(write_all(f), ERR_OK);
	assert_in_range(f->paper.calls, 2, 4);
	for (uint32_t at = 0; at < MANY; at++)
		assert_int_equal(f->paper.files[0][at], 1 + at % 251);
	assert_int_equal(f->paper.files[0][MANY], 0);
}

/* What is written already, or failed, stays as it is. */
static void test_nothing_to_write(void **state)
{
	struct fixture *f = *state;

	add(f, 0, 1)->record = bytes_of(NULL, 0);
	add(f, 0, 2)->err = ERR_READ_ONLY;
	add(f, 0, 3)->segment = NULL;
	f->commits[2].record = bytes_of(NULL, 0);
	assert_int_equal(write_all(f), ERR_OK);
	assert_int_equal(f->paper.calls, 0);
	assert_int_equal(f->paper.files[0][2], 0);
}

static void test_failure(void **state)
{
	struct fixture *f = *state;
	char reason[HEALTH_REASON];

	add(f, 0, 1);
	add(f, 1, 1);
	f->paper.fail_at = 2;
	assert_int_equal(write_all(f), ERR_READ_ONLY);
	assert_true(health_failed(&f->health));
	health_reason(&f->health, reason);
	assert_non_null(strstr(reason, "writing segment 00000002"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_to_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
