/* The erasure code: any `required` units give all the others, fewer are refused. */
#include "tests/kit/vectors.h"

#include "common/hash.h"
#include "common/random.h"
#include "uplink/erasure.h"

/* A stripe, its parity made, and a second copy to be rebuilt into. */
struct stripe {
	struct erasure *code;
	uint32_t required;
	uint32_t total;
	size_t len;
	uint8_t *made[ERASURE_TOTAL];
	uint8_t *rebuilt[ERASURE_TOTAL];
};

static void stripe_make(struct stripe *s, uint32_t required, uint32_t total, size_t len)
{
	struct random_stream random;

	*s = (struct stripe){.required = required, .total = total, .len = len};
	assert_int_equal(erasure_new(required, total, &s->code), ERR_OK);
	assert_int_equal(erasure_required(s->code), required);
	assert_int_equal(erasure_total(s->code), total);
	random_stream_init(&random, bytes_of_text("stripe"));
	for (uint32_t i = 0; i < total; i++) {
		s->made[i] = malloc(len);
		s->rebuilt[i] = malloc(len);
		for (size_t at = 0; i < required && at < len; at += 8)
			put_be64(s->made[i] + at, random_stream_u64(&random));
	}
	assert_int_equal(erasure_encode(s->code, s->made, len), ERR_OK);
}

static void stripe_free(struct stripe *s)
{
	for (uint32_t i = 0; i < s->total; i++) {
		free(s->made[i]);
		free(s->rebuilt[i]);
	}
	erasure_free(s->code);
}

static struct erasure_set set_of_range(uint32_t from, uint32_t count)
{
	struct erasure_set set = {{0}};

	for (uint32_t i = from; i < from + count; i++)
		erasure_set_add(&set, i);
	return set;
}

static struct erasure_set random_set(struct random_stream *random, uint32_t total, uint32_t count)
{
	struct erasure_set set = {{0}};

	while (erasure_set_count(&set) < count)
		erasure_set_add(&set, (uint32_t)random_stream_below(random, total));
	return set;
}

/* Rebuild `want` with only `have` at hand; units in neither are not even pointed to. */
static void expect_rebuilt(struct stripe *s, const struct erasure_set *have, const struct erasure_set *want)
{
	uint8_t *view[ERASURE_TOTAL] = {NULL};

	for (uint32_t i = 0; i < s->total; i++) {
		memset(s->rebuilt[i], 0xee, s->len);
		if (erasure_set_has(have, i))
			memcpy(s->rebuilt[i], s->made[i], s->len);
		if (erasure_set_has(have, i) || erasure_set_has(want, i))
			view[i] = s->rebuilt[i];
	}
	assert_int_equal(erasure_rebuild(s->code, have, want, view, s->len), ERR_OK);
	for (uint32_t i = 0; i < s->total; i++) {
		if (view[i] != NULL)
			assert_memory_equal(s->rebuilt[i], s->made[i], s->len);
	}
}

/* Every choice of survivors of small codes. */
static void test_all_survivors(void **state)
{
	struct stripe s;
	struct erasure_set all;

	(void)state;
	for (uint32_t required = 1; required <= 5; required++) {
		stripe_make(&s, required, 8, 64);
		all = set_of_range(0, 8);
		for (uint64_t bits = 0; bits < 256; bits++) {
			struct erasure_set have = {{bits}};

			if (erasure_set_count(&have) >= required)
				expect_rebuilt(&s, &have, &all);
			else
				assert_int_equal(erasure_rebuild(s.code, &have, &all, s.rebuilt, s.len), ERR_RANGE);
		}
		stripe_free(&s);
	}
}

static void test_large_codes(void **state)
{
	static const uint32_t codes[][2] = {{4, 8}, {29, 110}, {16, 20}, {29, 29}, {1, 255}, {254, 255}, {100, 255}};
	struct random_stream random;
	struct stripe s;

	(void)state;
	random_stream_init(&random, bytes_of_text("large codes"));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		stripe_make(&s, codes[i][0], codes[i][1], 192);
		for (int round = 0; round < 12; round++) {
			uint32_t more = (uint32_t)random_stream_below(&random, s.total - s.required + 1);
			struct erasure_set have = random_set(&random, s.total, s.required + more);
			struct erasure_set want =
				random_set(&random, s.total, (uint32_t)random_stream_below(&random, s.total + 1));

			expect_rebuilt(&s, &have, &want);
		}
		stripe_free(&s);
	}
}

/* A whole block, and lengths that do not fill ISA-L's vectors; the same sets again and more pairs than are kept. */
static void test_lengths_and_cache(void **state)
{
	static const size_t lengths[] = {64, 128, 192, 4096 + 64, 32704, 32768};
	struct stripe s;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		stripe_make(&s, 4, 8, lengths[i]);
		for (uint32_t round = 0; round < 40; round++) {
			struct erasure_set have = set_of_range(1 + round % 4, 4), want = set_of_range(0, 1 + round % 8);

			expect_rebuilt(&s, &have, &want);
			expect_rebuilt(&s, &have, &want);
		}
		stripe_free(&s);
	}
}

static void test_refuses(void **state)
{
	struct erasure_set have = set_of_range(0, 4), few = set_of_range(0, 3), want = set_of_range(4, 1);
	struct erasure_set outside = set_of_range(8, 1), last = set_of_range(255, 1), none = {{0}};
	struct erasure *code = NULL;
	struct stripe s;

	(void)state;
	assert_int_equal(erasure_new(0, 4, &code), ERR_RANGE);
	assert_int_equal(erasure_new(5, 4, &code), ERR_RANGE);
	assert_int_equal(erasure_new(4, 256, &code), ERR_RANGE);
	assert_null(code);
	stripe_make(&s, 4, 8, 64);
	assert_int_equal(erasure_encode(s.code, s.made, 0), ERR_RANGE);
	assert_int_equal(erasure_encode(s.code, s.made, 63), ERR_RANGE);
	assert_int_equal(erasure_encode(s.code, s.made, 32768 + 64), ERR_RANGE);
	assert_int_equal(erasure_rebuild(s.code, &have, &want, s.made, 32), ERR_RANGE);
	assert_int_equal(erasure_rebuild(s.code, &few, &want, s.made, 64), ERR_RANGE);
	assert_int_equal(erasure_rebuild(s.code, &have, &outside, s.made, 64), ERR_RANGE);
	assert_int_equal(erasure_rebuild(s.code, &have, &last, s.made, 64), ERR_RANGE);
	erasure_set_add(&have, 9);
	assert_int_equal(erasure_rebuild(s.code, &have, &want, s.made, 64), ERR_RANGE);
	erasure_set_remove(&have, 9);
	assert_int_equal(erasure_rebuild(s.code, &have, &none, s.made, 64), ERR_OK);
	stripe_free(&s);
	erasure_free(NULL);
}

static void test_vectors(void **state)
{
	json_t *file = vectors_load("objects"), *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors_list(file, "parity"), i, vector)
	{
		struct stripe s;
		struct bytes32 hash;
		struct hash h;

		stripe_make(&s, (uint32_t)vector_number(vector, "required"), (uint32_t)vector_number(vector, "total"),
			    vector_number(vector, "size"));
		for (uint32_t unit = 0; unit < s.required; unit++) {
			for (size_t at = 0; at < s.len; at++)
				s.made[unit][at] = (uint8_t)(unit * 37 + at * 11);
		}
		assert_int_equal(erasure_encode(s.code, s.made, s.len), ERR_OK);
		hash_init(&h, "");
		for (uint32_t unit = s.required; unit < s.total; unit++)
			hash_update(&h, s.made[unit], s.len);
		hash_final(&h, &hash);
		vector_expect(vector, "blake2b", bytes_of(hash.b, sizeof(hash.b)));
		stripe_free(&s);
	}
	json_decref(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_survivors),	  cmocka_unit_test(test_large_codes),
		cmocka_unit_test(test_lengths_and_cache), cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
