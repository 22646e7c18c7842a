/* RLP against ethers' encodings of strings, numbers and lists, and every way in which an encoding can be wrong. */
#include "tests/kit/vectors.h"

#include "payments/ethereum/rlp.h"

#define ROOM 2048

static int load(void **state)
{
	*state = vectors_load("transactions");
	return 0;
}

static int unload(void **state)
{
	json_decref(*state);
	return 0;
}

static void test_strings(void **state)
{
	const json_t *vector;
	size_t i;

	json_array_foreach(vectors_list(*state, "strings"), i, vector) {
		uint8_t string[ROOM], buffer[ROOM];
		size_t len = vector_bytes(vector, "string", string, sizeof(string));
		struct writer w;
		struct reader r;

		writer_init(&w, buffer, sizeof(buffer));
		rlp_write_bytes(&w, bytes_of(string, len));
		vector_expect(vector, "rlp", writer_bytes(&w));
		reader_init(&r, writer_bytes(&w));
		assert_true(bytes_equal(rlp_read_bytes(&r), bytes_of(string, len)));
		assert_int_equal(reader_end(&r), ERR_OK);
		/* A list it is not, and cut off anywhere it is nothing. */
		reader_init(&r, writer_bytes(&w));
		assert_int_equal(rlp_read_list(&r).len, 0);
		assert_int_equal(reader_end(&r), ERR_FORMAT);
		for (size_t cut = 0; cut < w.len; cut++) {
			reader_init(&r, bytes_of(buffer, cut));
			assert_int_equal(rlp_read_bytes(&r).len, 0);
			assert_int_equal(reader_end(&r), ERR_FORMAT);
		}
	}
}

static void write_items(struct writer *w, const json_t *items)
{
	uint8_t buffer[ROOM];
	struct writer inner;
	const json_t *item;
	size_t i;

	writer_init(&inner, buffer, sizeof(buffer));
	json_array_foreach(items, i, item) {
		uint8_t string[ROOM];
		const char *hex = json_string_value(item);

		if (json_is_array(item)) {
			write_items(&inner, item);
			continue;
		}
		assert_non_null(hex);
		assert_true(strlen(hex) / 2 - 1 <= 300);
		for (size_t at = 2; hex[at] != '\0'; at += 2)
			assert_int_equal(hex_decode((char[]){hex[at], hex[at + 1], 0}, string + at / 2 - 1, 1), ERR_OK);
		rlp_write_bytes(&inner, bytes_of(string, strlen(hex) / 2 - 1));
	}
	rlp_write_list(w, writer_bytes(&inner));
}

static void test_lists(void **state)
{
	const json_t *vector;
	size_t i;

	json_array_foreach(vectors_list(*state, "lists"), i, vector) {
		uint8_t buffer[ROOM];
		struct writer w;
		struct reader r, items;

		writer_init(&w, buffer, sizeof(buffer));
		write_items(&w, json_object_get(vector, "items"));
		vector_expect(vector, "rlp", writer_bytes(&w));
		reader_init(&r, writer_bytes(&w));
		reader_init(&items, rlp_read_list(&r));
		assert_int_equal(reader_end(&r), ERR_OK);
		for (size_t n = json_array_size(json_object_get(vector, "items")); n > 0; n--) {
			struct reader try = items;

			rlp_read_bytes(&try);
			if (try.err != ERR_OK)
				rlp_read_list(&items);
			else
				items = try;
		}
		assert_int_equal(reader_end(&items), ERR_OK);
		reader_init(&r, writer_bytes(&w));
		assert_int_equal(rlp_read_bytes(&r).len, 0);
		assert_int_equal(r.err, ERR_FORMAT);
	}
}

static uint128 number_of(const char *text)
{
	uint128 number = 0;

	for (; *text != '\0'; text++)
		number = number * 10 + (unsigned)(*text - '0');
	return number;
}

static void test_numbers(void **state)
{
	const json_t *vector;
	size_t i;

	json_array_foreach(vectors_list(*state, "numbers"), i, vector) {
		uint128 number = number_of(vector_text(vector, "number"));
		uint8_t buffer[ROOM];
		struct writer w;
		struct reader r;

		writer_init(&w, buffer, sizeof(buffer));
		rlp_write_u128(&w, number);
		vector_expect(vector, "rlp", writer_bytes(&w));
		reader_init(&r, writer_bytes(&w));
		assert_true(rlp_read_u128(&r) == number);
		assert_int_equal(reader_end(&r), ERR_OK);
		reader_init(&r, writer_bytes(&w));
		assert_true(rlp_read_u64(&r) == (number > UINT64_MAX ? 0 : number));
		assert_int_equal(r.err, number > UINT64_MAX ? ERR_OVERFLOW : ERR_OK);
		if (number > UINT64_MAX)
			continue;
		writer_init(&w, buffer, sizeof(buffer));
		rlp_write_u64(&w, (uint64_t)number);
		vector_expect(vector, "rlp", writer_bytes(&w));
	}
}

/* What could be written shorter, or claims more than there is. */
static void test_refuses(void **state)
{
	static const struct {
		uint8_t bytes[12];
		size_t len;
	} strings[] = {
		{{0x81, 0x00}, 2},					     /* a byte that needs no head */
		{{0x81, 0x7f}, 2},					     /* the largest such */
		{{0xb8, 0x01, 0x80}, 3},				     /* a length that fits the first byte */
		{{0xb8, 0x00}, 2},					     /* so does zero */
		{{0xb9, 0x00, 0x38}, 3},				     /* a length with a leading zero */
		{{0xbb, 0xff, 0xff, 0xff, 0xff}, 5},			     /* longer than what there is */
		{{0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 9}, /* as long as can be said */
		{{0xbf, 0x01}, 2},					     /* a length cut off */
		{{0xc0}, 1},						     /* a list */
	};
	static const uint8_t lists[][3] = {
		{0xf8, 0x01, 0x01}, {0xf9, 0x00, 0x38}, {0xff, 0xff, 0xff}, {0xc3, 0x01, 0x02}};
	static const uint8_t zero[] = {0x00}, led[] = {0x82, 0x00, 0x01};
	struct reader r;

	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		reader_init(&r, bytes_of(strings[i].bytes, strings[i].len));
		assert_int_equal(rlp_read_bytes(&r).len, 0);
		assert_int_equal(r.err, ERR_FORMAT);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		reader_init(&r, bytes_of(lists[i], sizeof(lists[i])));
		assert_int_equal(rlp_read_list(&r).len, 0);
		assert_int_equal(r.err, ERR_FORMAT);
	}
	reader_init(&r, bytes_of(zero, sizeof(zero)));
	assert_int_equal(rlp_read_u64(&r), 0);
	assert_int_equal(r.err, ERR_FORMAT);
	reader_init(&r, bytes_of(led, sizeof(led)));
	assert_int_equal(rlp_read_u64(&r), 0);
	assert_int_equal(r.err, ERR_FORMAT);
}

static void test_no_room(void **state)
{
	uint8_t buffer[3];
	struct writer w;

	(void)state;
	writer_init(&w, buffer, sizeof(buffer));
	rlp_write_bytes(&w, bytes_of_text("dog"));
	assert_int_equal(w.err, ERR_OVERFLOW);
	assert_int_equal(writer_bytes(&w).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings), cmocka_unit_test(test_lists),	cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_refuses), cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
