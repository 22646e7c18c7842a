/*
 * Byte strings and the two cursors through which all outside bytes pass.
 *
 * A reader or a writer remembers its first failure: every later call does nothing and returns zeros, so a parser
 * reads field after field and asks once at the end. Integers are big-endian.
 */
#ifndef GRANARY_COMMON_BYTES_H
#define GRANARY_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

typedef unsigned __int128 uint128;

/* A view of bytes owned by someone else. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

struct bytes32 {
	uint8_t b[32];
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){data, len};
}

/* View of a C string, without its NUL. NULL gives an empty view. */
struct bytes bytes_of_text(const char *text);

/* Same length and content. Not constant-time. */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes32_equal(const struct bytes32 *a, const struct bytes32 *b);
/* Order of memcmp. Usable as a qsort comparator through a cast-free wrapper. */
int bytes32_compare(const struct bytes32 *a, const struct bytes32 *b);
bool bytes32_is_zero(const struct bytes32 *a);

/* Fixed-width big-endian integers at p. */
uint16_t get_be16(const uint8_t *p);
uint32_t get_be32(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);
void put_be16(uint8_t *p, uint16_t v);
void put_be32(uint8_t *p, uint32_t v);
void put_be64(uint8_t *p, uint64_t v);

struct reader {
	const uint8_t *at;
	size_t left;
	enum err err; /* ERR_OK, or ERR_FORMAT once something ran short */
};

void reader_init(struct reader *r, struct bytes from);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
uint128 read_u128(struct reader *r);
/* Copy len bytes to out; zeros on failure. */
void read_raw(struct reader *r, void *out, size_t len);
/* A view of the next len bytes; an empty view on failure. */
struct bytes read_view(struct reader *r, size_t len);
/* Mark the reader failed. */
void reader_fail(struct reader *r, enum err err);
/* ERR_OK when nothing failed and nothing is left. */
enum err reader_end(const struct reader *r) WARN_UNUSED;

struct writer {
	uint8_t *start;
	size_t len;  /* written so far */
	size_t room; /* capacity in all */
	enum err err; /* ERR_OK, or ERR_OVERFLOW once something did not fit */
};

void writer_init(struct writer *w, void *buffer, size_t room);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_u128(struct writer *w, uint128 v);
void write_raw(struct writer *w, const void *data, size_t len);
/* What was written; empty after a failure. */
struct bytes writer_bytes(const struct writer *w);

#endif
