/* Blocks between loop and job: in order, bounded, each side told when to go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/blocks.h"

static void add(struct blocks *blocks, uint8_t value)
{
	blocks_add(blocks, bytes_of(&value, 1));
}

/* Take and write one; returns what blocks_written said. */
static bool write_one(struct blocks *blocks, uint8_t expected)
{
	struct bytes data;

	assert_int_equal(blocks_take(blocks, &data), BLOCKS_ONE);
	assert_int_equal(data.len, 1);
	assert_int_equal(data.data[0], expected);
	return blocks_written(blocks, data);
}

static void test_order_and_end(void **state)
{
	struct blocks blocks;
	struct bytes data;

	(void)state;
	blocks_init(&blocks);
	assert_false(blocks_is_due(&blocks));
	assert_int_equal(blocks_take(&blocks, &data), BLOCKS_NONE);
	for (uint8_t i = 0; i < 20; i++) { /* several times round the ring */
		add(&blocks, i);
		assert_true(blocks_is_due(&blocks));
		write_one(&blocks, i);
	}
	add(&blocks, 99);
	blocks_end(&blocks);
	write_one(&blocks, 99);
	assert_true(blocks_is_due(&blocks));
	assert_int_equal(blocks_take(&blocks, &data), BLOCKS_ENDED);
	blocks_clear(&blocks);
}

/* The block that is being written counts until it is freed. */
static void test_bound(void **state)
{
	struct blocks blocks;
	struct bytes data;

	(void)state;
	blocks_init(&blocks);
	for (uint8_t i = 0; i < BLOCKS_MOST; i++) {
		assert_false(blocks_is_full(&blocks));
		add(&blocks, i);
	}
	assert_true(blocks_is_full(&blocks));
	assert_int_equal(blocks_take(&blocks, &data), BLOCKS_ONE);
	assert_true(blocks_is_full(&blocks));
	assert_false(blocks_written(&blocks, data));
	assert_false(blocks_is_full(&blocks));
	/* At half, whoever stopped at the whole is told. */
	assert_true(write_one(&blocks, 1));
	assert_false(write_one(&blocks, 2));
	blocks_clear(&blocks); /* with one still waiting */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_end),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
