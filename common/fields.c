/* Encoding, decoding, bounding and printing by description. */
#include "common/fields.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/hex.h"

static const size_t width[] = {
	[FIELD_U8] = 1,	      [FIELD_U16] = 2,	    [FIELD_U32] = 4,	   [FIELD_U64] = 8,
	[FIELD_U128] = 16,    [FIELD_U256] = 32,    [FIELD_BYTES32] = 32,  [FIELD_ID] = KEY_ID_BYTES,
	[FIELD_ADDRESS] = 20, [FIELD_SIGNATURE] = 65, [FIELD_BLOB] = 0,	   [FIELD_TEXT] = 0,
	[FIELD_LIST] = 0,
};

size_t field_width(enum field_kind kind)
{
	return width[kind];
}

static const void *member(const struct field *field, const void *object)
{
	return (const uint8_t *)object + field->offset;
}

static uint64_t integer_of(const struct field *field, const void *object)
{
	const void *at = member(field, object);

	if (field->kind == FIELD_U8)
		return *(const uint8_t *)at;
	if (field->kind == FIELD_U16)
		return *(const uint16_t *)at;
	if (field->kind == FIELD_U32)
		return *(const uint32_t *)at;
	return *(const uint64_t *)at;
}

static bool over_max(const struct field *field, uint64_t value)
{
	return field->max != 0 && value > field->max;
}

static void encode_sized(const struct field *field, struct bytes content, struct writer *w)
{
	if (field->kind != FIELD_LIST && over_max(field, content.len))
		w->err = ERR_RANGE;
	if (content.len > UINT16_MAX)
		w->err = ERR_RANGE;
	write_u16(w, (uint16_t)content.len);
	write_raw(w, content.data, content.len);
}

static void encode_list(const struct field *field, const struct list *list, struct writer *w)
{
	if (list->count > UINT16_MAX || over_max(field, list->count))
		w->err = ERR_RANGE;
	write_u16(w, (uint16_t)list->count);
	encode_sized(field, list->raw, w);
}

static void encode_field(const struct field *field, const void *object, struct writer *w)
{
	const void *at = member(field, object);

	switch (field->kind) {
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
		if (over_max(field, integer_of(field, object)))
			w->err = ERR_RANGE;
		if (field->kind == FIELD_U8)
			write_u8(w, *(const uint8_t *)at);
		else if (field->kind == FIELD_U16)
			write_u16(w, *(const uint16_t *)at);
		else
			write_u32(w, *(const uint32_t *)at);
		break;
	case FIELD_U64:
		write_u64(w, *(const uint64_t *)at);
		break;
	case FIELD_U128:
		write_u128(w, *(const uint128 *)at);
		break;
	case FIELD_U256:
	case FIELD_BYTES32:
	case FIELD_ID:
	case FIELD_ADDRESS:
	case FIELD_SIGNATURE:
		write_raw(w, at, width[field->kind]);
		break;
	case FIELD_BLOB:
	case FIELD_TEXT:
		encode_sized(field, *(const struct bytes *)at, w);
		break;
	case FIELD_LIST:
		encode_list(field, at, w);
		break;
	}
}

void fields_encode(const struct fields *fields, const void *object, struct writer *w)
{
	for (size_t i = 0; i < fields->count; i++)
		encode_field(&fields->list[i], object, w);
}

/* Bytes of the UTF-8 sequence at p (1 to 4), 0 when it is none or not printable (C0, DEL and C1 controls). RFC 3629. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
	uint32_t point;
	size_t len;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > left)
		return 0;
	point = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && point < 0x800) || (len == 4 && point < 0x10000))
		return 0;
	if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) || point < 0xa0)
		return 0;
	return len;
}

bool text_is_printable(struct bytes text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t step = utf8_sequence(text.data + at, text.len - at);

		if (step == 0)
			return false;
		at += step;
	}
	return true;
}

static struct bytes decode_sized(const struct field *field, struct reader *r)
{
	size_t len = read_u16(r);

	if (field->kind != FIELD_LIST && over_max(field, len))
		reader_fail(r, ERR_RANGE);
	return read_view(r, len);
}

static void decode_list(const struct field *field, struct reader *r, struct list *ret)
{
	uint64_t scratch[64];
	struct reader items;

	assert(field->items->size <= sizeof(scratch));
	ret->count = read_u16(r);
	if (over_max(field, ret->count))
		reader_fail(r, ERR_RANGE);
	ret->raw = decode_sized(field, r);
	if (r->err != ERR_OK)
		return;
	reader_init(&items, ret->raw);
	for (uint32_t i = 0; i < ret->count && items.err == ERR_OK; i++)
		fields_decode(field->items, &items, scratch);
	if (reader_end(&items) != ERR_OK)
		reader_fail(r, items.err == ERR_OK ? ERR_FORMAT : items.err);
}

static void decode_field(const struct field *field, struct reader *r, void *object)
{
	void *at = (uint8_t *)object + field->offset;

	switch (field->kind) {
	case FIELD_U8:
		*(uint8_t *)at = read_u8(r);
		break;
	case FIELD_U16:
		*(uint16_t *)at = read_u16(r);
		break;
	case FIELD_U32:
		*(uint32_t *)at = read_u32(r);
		break;
	case FIELD_U64:
		*(uint64_t *)at = read_u64(r);
		break;
	case FIELD_U128:
		*(uint128 *)at = read_u128(r);
		break;
	case FIELD_U256:
	case FIELD_BYTES32:
	case FIELD_ID:
	case FIELD_ADDRESS:
	case FIELD_SIGNATURE:
		read_raw(r, at, width[field->kind]);
		if (field->kind == FIELD_ID && r->err == ERR_OK && id_check(at) != ERR_OK)
			reader_fail(r, ERR_FORMAT);
		break;
	case FIELD_TEXT:
	case FIELD_BLOB:
		*(struct bytes *)at = decode_sized(field, r);
		if (field->kind == FIELD_TEXT && !text_is_printable(*(struct bytes *)at))
			reader_fail(r, ERR_FORMAT);
		break;
	case FIELD_LIST:
		decode_list(field, r, at);
		break;
	}
	if (field->kind <= FIELD_U32 && over_max(field, integer_of(field, object)))
		reader_fail(r, ERR_RANGE);
}

const char *fields_decode(const struct fields *fields, struct reader *r, void *object)
{
	memset(object, 0, fields->size);
	for (size_t i = 0; i < fields->count; i++) {
		decode_field(&fields->list[i], r, object);
		if (r->err != ERR_OK)
			return fields->list[i].name;
	}
	return NULL;
}

size_t fields_size(const struct fields *fields, const void *object)
{
	size_t sum = 0;

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->list[i];
		const void *at = member(field, object);

		if (field->kind == FIELD_LIST)
			sum += 4 + ((const struct list *)at)->raw.len;
		else if (width[field->kind] == 0)
			sum += 2 + ((const struct bytes *)at)->len;
		else
			sum += width[field->kind];
	}
	return sum;
}

size_t fields_max_size(const struct fields *fields)
{
	size_t sum = 0;

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->list[i];

		if (field->kind == FIELD_LIST)
			sum += 4 + field->max * fields_max_size(field->items);
		else if (width[field->kind] == 0)
			sum += 2 + field->max;
		else
			sum += width[field->kind];
	}
	return sum;
}

/* A bounded sink for text; what does not fit is dropped. */
struct text {
	char *out;
	size_t room;
	size_t len;
};

static void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(t->out + t->len, t->room - t->len, format, args);
	va_end(args);
	if (len > 0)
		t->len += (size_t)len < t->room - t->len ? (size_t)len : t->room - t->len - 1;
}

static void print_bytes(struct text *t, struct bytes content)
{
	char hex[2 * 65 + 1];

	if (content.len > 65) {
		text_add(t, "(%zu bytes)", content.len);
		return;
	}
	hex_encode(content, hex);
	text_add(t, "%s", hex);
}

static void print_u128(struct text *t, uint128 value)
{
	char digits[40];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value > 0);
	text_add(t, "%s", digits + at);
}

static void print_field(const struct field *field, const void *object, struct text *t)
{
	const void *at = member(field, object);

	switch (field->kind) {
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_U32:
	case FIELD_U64:
		text_add(t, "%" PRIu64, integer_of(field, object));
		break;
	case FIELD_U128:
		print_u128(t, *(const uint128 *)at);
		break;
	case FIELD_U256:
	case FIELD_BYTES32:
	case FIELD_ID:
	case FIELD_ADDRESS:
	case FIELD_SIGNATURE:
		print_bytes(t, bytes_of(at, width[field->kind]));
		break;
	case FIELD_BLOB:
		print_bytes(t, *(const struct bytes *)at);
		break;
	case FIELD_TEXT:
		text_add(t, "\"%.*s\"", (int)((const struct bytes *)at)->len,
			 (const char *)((const struct bytes *)at)->data);
		break;
	case FIELD_LIST:
		text_add(t, "[%" PRIu32 "]", ((const struct list *)at)->count);
		break;
	}
}

char *fields_print(const struct fields *fields, const void *object, char *out, size_t room)
{
	struct text t = {out, room, 0};

	assert(room > 0);
	out[0] = '\0';
	for (size_t i = 0; i < fields->count; i++) {
		text_add(&t, "%s%s=", i == 0 ? "" : " ", fields->list[i].name);
		print_field(&fields->list[i], object, &t);
	}
	return out;
}

struct list list_of(const struct writer *w, uint32_t count)
{
	return (struct list){writer_bytes(w), count};
}

void list_next(const struct fields *items, struct reader *r, void *item)
{
	const char *bad = fields_decode(items, r, item);

	assert(bad == NULL);
}
