/* Paths of components as a satellite handles them, against the ways in which bytes can go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/components.h"
#include "common/random.h"

/* "ab" in "x", "c": 0x0002 'a' 'b' 0x0001 'x' 0x0001 'c' */
static const uint8_t path_bytes[] = {0, 2, 'a', 'b', 0, 1, 'x', 0, 1, 'c'};

static struct bytes path(size_t len)
{
	return bytes_of(path_bytes, len);
}

static void test_check(void **state)
{
	static const uint8_t empty[] = {0, 0}, empty_after[] = {0, 1, 'a', 0, 0};

	(void)state;
	for (size_t len = 0; len <= sizeof(path_bytes); len++) {
		bool whole = len == 0 || len == 4 || len == 7 || len == 10;

		assert_int_equal(components_check(path(len)), whole ? ERR_OK : ERR_FORMAT);
	}
	assert_int_equal(components_check(bytes_of(empty, sizeof(empty))), ERR_FORMAT);
	assert_int_equal(components_check(bytes_of(empty_after, sizeof(empty_after))), ERR_FORMAT);
}

static void test_walk(void **state)
{
	struct bytes rest = path(10), component;

	(void)state;
	assert_int_equal(components_count(path(10)), 3);
	assert_int_equal(components_count(path(0)), 0);
	assert_true(components_next(&rest, &component));
	assert_true(bytes_equal(component, bytes_of_text("ab")));
	assert_true(components_next(&rest, &component));
	assert_true(bytes_equal(component, bytes_of_text("x")));
	assert_true(components_next(&rest, &component));
	assert_true(bytes_equal(component, bytes_of_text("c")));
	assert_false(components_next(&rest, &component));
}

static void test_children(void **state)
{
	static const uint8_t sibling[] = {0, 2, 'a', 'c'};

	(void)state;
	assert_int_equal(components_child(path(10), path(0)).len, 4);
	assert_int_equal(components_child(path(10), path(4)).len, 7);
	assert_int_equal(components_child(path(10), path(7)).len, 10);
	assert_int_equal(components_child(path(10), path(10)).len, 0);
	assert_int_equal(components_child(path(4), path(7)).len, 0);
	assert_int_equal(components_child(path(10), bytes_of(sibling, sizeof(sibling))).len, 0);
	assert_int_equal(components_parent(path(10)).len, 7);
	assert_int_equal(components_parent(path(7)).len, 4);
	assert_int_equal(components_parent(path(4)).len, 0);
	assert_int_equal(components_parent(path(0)).len, 0);
}

static int order(struct bytes a, struct bytes b)
{
	int common = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return common != 0 ? common : (a.len > b.len) - (a.len < b.len);
}

static size_t random_path(struct random_stream *random, uint8_t *out, size_t count)
{
	struct writer w;

	writer_init(&w, out, 64);
	for (size_t i = 0; i < count; i++) {
		size_t len = 1 + random_stream_below(random, 3);

		write_u16(&w, (uint16_t)len);
		for (size_t at = 0; at < len; at++)
			write_u8(&w,
				 random_stream_below(random, 3) == 0 ? 0xff : (uint8_t)random_stream_below(random, 3));
	}
	assert_int_equal(w.err, ERR_OK);
	return w.len;
}

/* The range of bytes from a folder to what comes after it holds exactly what is below the folder. */
static void test_ranges(void **state)
{
	uint8_t folder[64], other[64], after[64];
	struct random_stream random;
	size_t below = 0;

	(void)state;
	random_stream_init(&random, bytes_of_text("components"));
	for (int round = 0; round < 20000; round++) {
		struct bytes f = bytes_of(folder, random_path(&random, folder, 1 + random_stream_below(&random, 2)));
		struct bytes o = bytes_of(other, random_path(&random, other, 1 + random_stream_below(&random, 4)));
		size_t after_len = components_after(f, after);
		bool in_range = order(o, f) > 0 && order(o, bytes_of(after, after_len)) < 0;
		bool is_below = components_child(o, f).len > 0;

		assert_true(after_len <= f.len);
		assert_int_equal(in_range, is_below);
		below += is_below;
	}
	assert_true(below > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
