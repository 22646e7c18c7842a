/* Bounded reading and writing of big-endian data. The only pointer arithmetic on wire bytes is here. */
#include "common/bytes.h"

#include <string.h>

struct bytes bytes_of_text(const char *text)
{
	return bytes_of(text, text == NULL ? 0 : strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes32_equal(const struct bytes32 *a, const struct bytes32 *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int bytes32_compare(const struct bytes32 *a, const struct bytes32 *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool bytes32_is_zero(const struct bytes32 *a)
{
	static const struct bytes32 zero;

	return bytes32_equal(a, &zero);
}

uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

void reader_init(struct reader *r, struct bytes from)
{
	*r = (struct reader){from.data, from.len, ERR_OK};
}

void reader_fail(struct reader *r, enum err err)
{
	if (r->err == ERR_OK)
		r->err = err;
}

struct bytes read_view(struct reader *r, size_t len)
{
	struct bytes view = {r->at, len};

	if (len > r->left)
		reader_fail(r, ERR_FORMAT);
	if (r->err != ERR_OK)
		return bytes_of(NULL, 0);
	r->left -= len;
	if (len > 0)
		r->at += len;
	return view;
}

void read_raw(struct reader *r, void *out, size_t len)
{
	struct bytes view = read_view(r, len);

	if (r->err != ERR_OK)
		memset(out, 0, len);
	else if (len > 0)
		memcpy(out, view.data, len);
}

uint8_t read_u8(struct reader *r)
{
	uint8_t v;

	read_raw(r, &v, 1);
	return v;
}

uint16_t read_u16(struct reader *r)
{
	uint8_t b[2];

	read_raw(r, b, sizeof(b));
	return get_be16(b);
}

uint32_t read_u32(struct reader *r)
{
	uint8_t b[4];

	read_raw(r, b, sizeof(b));
	return get_be32(b);
}

uint64_t read_u64(struct reader *r)
{
	uint8_t b[8];

	read_raw(r, b, sizeof(b));
	return get_be64(b);
}

uint128 read_u128(struct reader *r)
{
	uint64_t high = read_u64(r);

	return (uint128)high << 64 | read_u64(r);
}

enum err reader_end(const struct reader *r)
{
	if (r->err != ERR_OK)
		return r->err;
	return r->left == 0 ? ERR_OK : ERR_FORMAT;
}

void writer_init(struct writer *w, void *buffer, size_t room)
{
	*w = (struct writer){buffer, 0, room, ERR_OK};
}

void write_raw(struct writer *w, const void *data, size_t len)
{
	if (w->err != ERR_OK)
		return;
	if (len > w->room - w->len) {
		w->err = ERR_OVERFLOW;
		return;
	}
	if (len > 0)
		memcpy(w->start + w->len, data, len);
	w->len += len;
}

void write_u8(struct writer *w, uint8_t v)
{
	write_raw(w, &v, 1);
}

void write_u16(struct writer *w, uint16_t v)
{
	uint8_t b[2];

	put_be16(b, v);
	write_raw(w, b, sizeof(b));
}

void write_u32(struct writer *w, uint32_t v)
{
	uint8_t b[4];

	put_be32(b, v);
	write_raw(w, b, sizeof(b));
}

void write_u64(struct writer *w, uint64_t v)
{
	uint8_t b[8];

	put_be64(b, v);
	write_raw(w, b, sizeof(b));
}

void write_u128(struct writer *w, uint128 v)
{
	write_u64(w, (uint64_t)(v >> 64));
	write_u64(w, (uint64_t)v);
}

struct bytes writer_bytes(const struct writer *w)
{
	return w->err == ERR_OK ? bytes_of(w->start, w->len) : bytes_of(NULL, 0);
}
