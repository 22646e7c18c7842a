/* The codec over descriptions: what goes in comes out, limits are kept, hostile bytes are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/fields.h"
#include "common/message.h"

struct sample {
	uint8_t small;
	uint16_t medium;
	uint64_t large;
	uint128 huge;
	struct bytes32 hash;
	struct bytes blob;
	struct bytes text;
	struct list items;
};

static const struct field sample_list[] = {
	FIELD_MAX(sample, small, FIELD_U8, 5),
	FIELD(sample, medium, FIELD_U16),
	FIELD(sample, large, FIELD_U64),
	FIELD(sample, huge, FIELD_U128),
	FIELD(sample, hash, FIELD_BYTES32),
	FIELD_MAX(sample, blob, FIELD_BLOB, 4),
	FIELD_MAX(sample, text, FIELD_TEXT, 16),
	FIELD_ITEMS(sample, items, 2, &item_piece_fields),
};
static const struct fields sample_fields = {"sample", sample_list, 8, sizeof(struct sample)};

struct fixture {
	uint8_t list_bytes[128];
	uint8_t wire[512];
	struct sample in;
	struct writer w;
};

static void make_sample(struct fixture *f)
{
	struct writer items;
	struct item_piece piece = {{{7}}};

	memset(f, 0, sizeof(*f));
	writer_init(&items, f->list_bytes, sizeof(f->list_bytes));
	fields_encode(&item_piece_fields, &piece, &items);
	fields_encode(&item_piece_fields, &piece, &items);
	f->in = (struct sample){3, 500, UINT64_MAX, (uint128)1 << 100, {{1, 2}}, bytes_of("abc", 3),
				bytes_of_text("grün"), list_of(&items, 2)};
	writer_init(&f->w, f->wire, sizeof(f->wire));
	fields_encode(&sample_fields, &f->in, &f->w);
}

static void test_round_trip(void **state)
{
	struct fixture f;
	struct sample out;
	struct item_piece piece;
	struct reader r, items;

	(void)state;
	make_sample(&f);
	assert_int_equal(f.w.err, ERR_OK);
	assert_true(f.w.len <= fields_max_size(&sample_fields));
	reader_init(&r, writer_bytes(&f.w));
	assert_null(fields_decode(&sample_fields, &r, &out));
	assert_int_equal(reader_end(&r), ERR_OK);
	assert_int_equal(out.small, 3);
	assert_int_equal(out.medium, 500);
	assert_true(out.large == UINT64_MAX && out.huge == (uint128)1 << 100);
	assert_true(bytes_equal(out.blob, f.in.blob) && bytes_equal(out.text, f.in.text));
	assert_int_equal(out.items.count, 2);
	reader_init(&items, out.items.raw);
	list_next(&item_piece_fields, &items, &piece);
	assert_int_equal(piece.piece.b[0], 7);
}

/* Every proper prefix fails, and names a field. */
static void test_truncated(void **state)
{
	struct fixture f;
	struct sample out;
	struct reader r;

	(void)state;
	make_sample(&f);
	for (size_t len = 0; len < f.w.len; len++) {
		reader_init(&r, bytes_of(f.wire, len));
		assert_non_null(fields_decode(&sample_fields, &r, &out));
	}
}

static void expect_refused(const uint8_t *wire, size_t len, const char *field)
{
	struct sample out;
	struct reader r;

	reader_init(&r, bytes_of(wire, len));
	assert_string_equal(fields_decode(&sample_fields, &r, &out), field);
}

static void test_limits(void **state)
{
	struct fixture f;
	const size_t blob_at = 1 + 2 + 8 + 16 + 32, text_at = blob_at + 2 + 3, items_at = text_at + 2 + 5;

	(void)state;
	make_sample(&f);
	f.wire[0] = 6;
	expect_refused(f.wire, f.w.len, "small");
	make_sample(&f);
	f.wire[blob_at + 1] = 5;
	expect_refused(f.wire, f.w.len, "blob");
	make_sample(&f);
	f.wire[text_at + 2] = '\n';
	expect_refused(f.wire, f.w.len, "text");
	make_sample(&f);
	f.wire[items_at + 1] = 3;
	expect_refused(f.wire, f.w.len, "items");
	make_sample(&f);
	f.wire[items_at + 1] = 1; /* one item announced, bytes of two */
	expect_refused(f.wire, f.w.len, "items");
}

static void test_encode_refuses(void **state)
{
	struct fixture f;
	uint8_t wire[512];
	struct writer w;

	(void)state;
	make_sample(&f);
	f.in.blob = bytes_of("abcde", 5);
	writer_init(&w, wire, sizeof(wire));
	fields_encode(&sample_fields, &f.in, &w);
	assert_int_equal(w.err, ERR_RANGE);
	make_sample(&f);
	writer_init(&w, wire, 20);
	fields_encode(&sample_fields, &f.in, &w);
	assert_int_equal(w.err, ERR_OVERFLOW);
}

static void test_text(void **state)
{
	static const char *const good[] = {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xbe"};
	static const char *const bad[] = {"\x1b[0m", "\x7f", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					  "\xc2\x85", "\xe2\x82", "\xff", "\xe0\x80\xaf", "\xf0\x80\x80\xaf"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(text_is_printable(bytes_of_text(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_is_printable(bytes_of_text(bad[i])));
}

static void test_print_is_bounded(void **state)
{
	struct fixture f;
	char line[600];

	(void)state;
	make_sample(&f);
	for (size_t room = 1; room < sizeof(line); room++) {
		memset(line, 'x', sizeof(line));
		fields_print(&sample_fields, &f.in, line, room);
		assert_true(strlen(line) < room);
	}
	assert_non_null(strstr(line, "huge=1267650600228229401496703205376"));
	assert_non_null(strstr(line, "blob=616263"));
	assert_non_null(strstr(line, "items=[2]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_text),	       cmocka_unit_test(test_print_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
