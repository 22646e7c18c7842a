/*
 * The table of messages and the codec over it. Samples of every row are made from its own description: with every
 * member at its smallest, and at its largest as far as the row's bound lets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/memory.h"
#include "common/message.h"

static uint8_t material[MESSAGE_MAX]; /* what blobs and texts are made of */
static struct key *someone;

static int prepare(void **state)
{
	(void)state;
	memset(material, 'a', sizeof(material));
	someone = key_generate();
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	key_free(someone);
	return 0;
}

/* Set a member of fixed width to zeros or to its largest value. */
static void fill_fixed(const struct field *field, void *at, bool large)
{
	static const size_t sizes[] = {
		[FIELD_U8] = 1,	      [FIELD_U16] = 2,	      [FIELD_U32] = 4,	    [FIELD_U64] = 8,
		[FIELD_U128] = 16,    [FIELD_U256] = 32,      [FIELD_BYTES32] = 32, [FIELD_ID] = KEY_ID_BYTES,
		[FIELD_ADDRESS] = 20, [FIELD_SIGNATURE] = 65,
	};

	memset(at, large ? 0xff : 0, sizes[field->kind]);
	if (field->kind == FIELD_ID)
		memcpy(at, key_id(someone), KEY_ID_BYTES);
	if (large && field->max != 0 && field->kind == FIELD_U8)
		*(uint8_t *)at = (uint8_t)field->max;
	if (large && field->max != 0 && field->kind == FIELD_U16)
		*(uint16_t *)at = (uint16_t)field->max;
	if (large && field->max != 0 && field->kind == FIELD_U32)
		*(uint32_t *)at = field->max;
}

static void fill(const struct fields *fields, void *object, bool large, struct writer *items);

/* As many items as are allowed and fit. */
static struct list make_list(const struct field *field, struct writer *items)
{
	uint64_t item[64];
	struct writer before;
	uint32_t count = 0;

	do {
		before = *items;
		fill(field->items, item, true, items);
		fields_encode(field->items, item, items);
	} while (items->err == ERR_OK && ++count < field->max);
	if (items->err != ERR_OK)
		*items = before;
	return list_of(items, count);
}

static void fill(const struct fields *fields, void *object, bool large, struct writer *items)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->list[i];
		void *at = (uint8_t *)object + field->offset;

		if (field->kind == FIELD_LIST)
			*(struct list *)at = large ? make_list(field, items) : (struct list){{NULL, 0}, 0};
		else if (field->kind == FIELD_BLOB || field->kind == FIELD_TEXT)
			*(struct bytes *)at = bytes_of(material, large ? field->max : 0);
		else
			fill_fixed(field, at, large);
	}
}

static void round_trip(const struct message_spec *spec, bool large)
{
	uint8_t *wire = memory_new(1, MESSAGE_MAX), *again = memory_new(1, MESSAGE_MAX);
	uint8_t *list_room = memory_new(1, MESSAGE_MAX);
	struct message message = {.type = spec->type, .request = 0x01020304}, back;
	struct writer w, items;
	const char *why;
	char line[4096];

	/* Lists get what the other members leave over. */
	writer_init(&items, list_room, spec->max - 16 - (large ? 5200 : 0) * (spec->max == MESSAGE_MAX));
	fill(&spec->fields, &message.empty, large, &items);
	writer_init(&w, wire, MESSAGE_MAX);
	message_encode(&message, &w);
	assert_int_equal(w.err, ERR_OK);
	assert_true(w.len <= spec->max);
	assert_int_equal(message_size(&message), w.len);
	assert_int_equal(message_decode(writer_bytes(&w), &back, &why), REFUSAL_NONE);
	assert_int_equal(back.type, spec->type);
	assert_int_equal(back.request, 0x01020304);
	writer_init(&items, again, MESSAGE_MAX);
	message_encode(&back, &items);
	assert_true(bytes_equal(writer_bytes(&items), writer_bytes(&w)));
	message_print(&back, line, sizeof(line));
	assert_int_equal(strncmp(line, spec->fields.name, strlen(spec->fields.name)), 0);
	assert_non_null(strstr(line, "request=16909060"));
	for (size_t i = 0; i < spec->fields.count; i++)
		assert_non_null(strstr(line, spec->fields.list[i].name));
	free(list_room);
	free(again);
	free(wire);
}

static void test_round_trips(void **state)
{
	size_t count;
	const struct message_spec *table = message_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		round_trip(&table[i], false);
		round_trip(&table[i], true);
	}
}

static bool holds_list(const struct fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (fields->list[i].kind == FIELD_LIST)
			return true;
	}
	return false;
}

/* Numbers grow from row to row, so they are unique and the binary search finds each; names are unique. All that we
 * send must be understood, so every number is even, but for the hint that has no answer. */
static void test_table(void **state)
{
	size_t count;
	const struct message_spec *table = message_table(&count);

	(void)state;
	assert_true(count > 40);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || table[i].type > table[i - 1].type);
		assert_int_equal(table[i].type % 2, table[i].type == MSG_REPORT);
		assert_ptr_equal(message_find(table[i].type), &table[i]);
		assert_true(i + 1 == count || table[i + 1].type == table[i].type + 1 ||
			    message_find((uint16_t)(table[i].type + 1)) == NULL);
		assert_true(table[i].fields.size <= sizeof(struct message) - offsetof(struct message, empty));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(table[i].fields.name, table[k].fields.name);
	}
	assert_null(message_find(0));
	assert_null(message_find(UINT16_MAX));
}

/* A row's bound admits all that its fields may hold. Lists are the exception: their items are bounded by the largest
 * message, and longer ones go in several. */
static void test_bounds(void **state)
{
	size_t count;
	const struct message_spec *table = message_table(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		assert_true(table[i].max <= MESSAGE_MAX);
		if (!holds_list(&table[i].fields))
			assert_true(MESSAGE_HEAD + fields_max_size(&table[i].fields) <= table[i].max);
		else
			assert_int_equal(table[i].max, MESSAGE_MAX);
	}
	/* A block with its siblings, and nothing much larger, is DATA. */
	assert_true(message_find(MSG_DATA)->max < MESSAGE_BLOCK + 1024);
}

static void expect_refused(const void *bytes, size_t len, enum refusal refusal, const char *expected_why)
{
	struct message message;
	const char *why = NULL;

	assert_int_equal(message_decode(bytes_of(bytes, len), &message, &why), refusal);
	assert_string_equal(why, expected_why);
}

static void test_decode_refuses(void **state)
{
	static const uint8_t hello_prefix[] = {0, 2, 0, 0, 0, 0, 0, 1};
	static const uint8_t odd[] = {0, 7, 0, 0, 0, 9};
	static const uint8_t done_and_more[] = {0, 10, 0, 0, 0, 9, 0};
	static const uint8_t pong_and_more[] = {0, 8, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	static const uint8_t reachable_2[] = {2, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0};
	static const uint8_t bad_text[] = {0, 4, 0, 0, 0, 9, 0, 1, 0, 2, 'a', '\n'};
	static uint8_t large[65] = {0, 2};
	struct message message;
	const char *why;

	(void)state;
	expect_refused("", 0, REFUSAL_MALFORMED, "head");
	expect_refused(odd, 5, REFUSAL_MALFORMED, "head");
	expect_refused(odd, sizeof(odd), REFUSAL_UNKNOWN_TYPE, "type");
	expect_refused(hello_prefix, sizeof(hello_prefix), REFUSAL_MALFORMED, "features");
	expect_refused(done_and_more, sizeof(done_and_more), REFUSAL_TOO_LONG, "DONE");
	expect_refused(pong_and_more, sizeof(pong_and_more), REFUSAL_MALFORMED, "trailing bytes");
	expect_refused(reachable_2, sizeof(reachable_2), REFUSAL_MALFORMED, "reachable");
	expect_refused(bad_text, sizeof(bad_text), REFUSAL_MALFORMED, "text");
	expect_refused(large, sizeof(large), REFUSAL_TOO_LONG, "HELLO");
	/* Whom to tell is known as soon as the head is. */
	assert_int_equal(message_decode(bytes_of(bad_text, sizeof(bad_text)), &message, &why), REFUSAL_MALFORMED);
	assert_int_equal(message.type, MSG_ERROR);
	assert_int_equal(message.request, 9);
}

static void test_encode_refuses(void **state)
{
	static uint8_t wire[MESSAGE_MAX];
	struct message message = {.type = 7};
	struct writer w;

	(void)state;
	writer_init(&w, wire, sizeof(wire));
	message_encode(&message, &w);
	assert_int_equal(w.err, ERR_RANGE);
	message = (struct message){.type = MSG_ENROL, .enrol = {bytes_of(material, 65)}};
	writer_init(&w, wire, sizeof(wire));
	message_encode(&message, &w);
	assert_int_equal(w.err, ERR_RANGE);
	message = (struct message){.type = MSG_PING};
	writer_init(&w, wire, 13);
	message_encode(&message, &w);
	assert_int_equal(w.err, ERR_OVERFLOW);
}

static void test_print(void **state)
{
	struct message message = {.type = 7, .request = 3};
	char line[200];

	(void)state;
	assert_string_equal(message_print(&message, line, sizeof(line)), "UNKNOWN request=3 ");
	message = (struct message){.type = MSG_ERROR, .request = 8, .error = {50, bytes_of_text("too \xe2\x82\xac")}};
	assert_string_equal(message_print(&message, line, sizeof(line)),
			    "ERROR request=8 code=50 text=\"too \xe2\x82\xac\"");
	message = (struct message){.type = MSG_DATA, .request = 8, .data = {3, {NULL, 0}, {material, 32768}}};
	assert_string_equal(message_print(&message, line, sizeof(line)),
			    "DATA request=8 block=3 siblings= payload=(32768 bytes)");
	assert_string_equal(message_print(&message, line, 8), "DATA re");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),    cmocka_unit_test(test_table),
		cmocka_unit_test(test_bounds),	       cmocka_unit_test(test_decode_refuses),
		cmocka_unit_test(test_encode_refuses), cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, prepare, clean_up);
}
