/*
 * An encoding begins with one byte: up to 0x7f it is the string itself; from 0x80 on the string's length is added to
 * it, from 0xc0 on the list's; lengths above 55 follow in as few bytes as they need, whose number is added to 0xb7 or
 * 0xf7.
 */
#include "payments/ethereum/rlp.h"

#define STRING 0x80
#define LIST 0xc0
#define SHORT_MOST 55 /* the longest content whose length stands in the first byte */

/* Bytes that an integer takes without leading zeros. */
static unsigned width_of(uint128 value)
{
	unsigned width = 0;

	for (; value > 0; value >>= 8)
		width++;
	return width;
}

static void write_integer(struct writer *w, uint128 value, unsigned width)
{
	while (width-- > 0)
		write_u8(w, (uint8_t)(value >> 8 * width));
}

static void write_head(struct writer *w, uint8_t kind, size_t len)
{
	if (len <= SHORT_MOST) {
		write_u8(w, (uint8_t)(kind + len));
	} else {
		write_u8(w, (uint8_t)(kind + SHORT_MOST + width_of(len)));
		write_integer(w, len, width_of(len));
	}
}

void rlp_write_bytes(struct writer *w, struct bytes string)
{
	if (string.len != 1 || string.data[0] >= STRING)
		write_head(w, STRING, string.len);
	write_raw(w, string.data, string.len);
}

void rlp_write_u64(struct writer *w, uint64_t value)
{
	rlp_write_u128(w, value);
}

void rlp_write_u128(struct writer *w, uint128 value)
{
	unsigned width = width_of(value);

	if (value == 0 || value >= STRING)
		write_head(w, STRING, width);
	write_integer(w, value, width);
}

void rlp_write_list(struct writer *w, struct bytes items)
{
	write_head(w, LIST, items.len);
	write_raw(w, items.data, items.len);
}

/* A length that follows in `width` bytes, 1 to 8. */
static uint64_t read_length(struct reader *r, unsigned width)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < width; i++)
		len = len << 8 | read_u8(r);
	if (len <= SHORT_MOST || width_of(len) != width)
		reader_fail(r, ERR_FORMAT);
	return len;
}

/* The content behind a first byte of this kind; `lead` is what is left of it. */
static struct bytes read_content(struct reader *r, unsigned lead)
{
	uint64_t len = lead <= SHORT_MOST ? lead : read_length(r, lead - SHORT_MOST);

	if (len > r->left)
		reader_fail(r, ERR_FORMAT);
	return read_view(r, (size_t)len);
}

struct bytes rlp_read_bytes(struct reader *r)
{
	const uint8_t *start = r->at;
	uint8_t first = read_u8(r);
	struct bytes content;

	if (r->err != ERR_OK)
		return bytes_of(NULL, 0);
	if (first < STRING)
		return bytes_of(start, 1);
	if (first >= LIST) {
		reader_fail(r, ERR_FORMAT);
		return bytes_of(NULL, 0);
	}
	content = read_content(r, first - STRING);
	if (content.len == 1 && content.data[0] < STRING) {
		reader_fail(r, ERR_FORMAT);
		return bytes_of(NULL, 0);
	}
	return content;
}

struct bytes rlp_read_list(struct reader *r)
{
	uint8_t first = read_u8(r);

	if (r->err == ERR_OK && first < LIST)
		reader_fail(r, ERR_FORMAT);
	return r->err != ERR_OK ? bytes_of(NULL, 0) : read_content(r, first - LIST);
}

/* An integer of at most `most` bytes. */
static uint128 read_integer(struct reader *r, size_t most)
{
	struct bytes string = rlp_read_bytes(r);
	uint128 value = 0;

	if (string.len > 0 && string.data[0] == 0)
		reader_fail(r, ERR_FORMAT);
	else if (string.len > most)
		reader_fail(r, ERR_OVERFLOW);
	if (r->err != ERR_OK)
		return 0;
	for (size_t i = 0; i < string.len; i++)
		value = value << 8 | string.data[i];
	return value;
}

uint64_t rlp_read_u64(struct reader *r)
{
	return (uint64_t)read_integer(r, sizeof(uint64_t));
}

uint128 rlp_read_u128(struct reader *r)
{
	return read_integer(r, sizeof(uint128));
}
