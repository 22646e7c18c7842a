/*
 * Descriptions of structures, and the one codec that walks them.
 *
 * A structure that crosses the wire or is signed is described once, as a list of fields with their C members. The
 * same description encodes, decodes, prints and bounds it (messages, common/message.h) and hashes it as EIP-712
 * typed data (payments/typed.h), so there is one parser to fuzz. Integers are big-endian. A BLOB or TEXT is a u16
 * length and the bytes; a LIST is a u16 count, a u16 length in bytes and the items one after the other.
 *
 * Decoding makes no copies: a BLOB, TEXT or LIST member is a view into the bytes that were decoded.
 */
#ifndef GRANARY_COMMON_FIELDS_H
#define GRANARY_COMMON_FIELDS_H

#include "common/bytes.h"
#include "common/key.h"

enum field_kind {
	FIELD_U8,	 /* uint8_t */
	FIELD_U16,	 /* uint16_t */
	FIELD_U32,	 /* uint32_t */
	FIELD_U64,	 /* uint64_t */
	FIELD_U128,	 /* uint128 */
	FIELD_U256,	 /* struct bytes32, big-endian */
	FIELD_BYTES32,	 /* struct bytes32 */
	FIELD_ID,	 /* struct id, checked to be a point of the curve */
	FIELD_ADDRESS,	 /* struct address */
	FIELD_SIGNATURE, /* struct signature; not checked here */
	FIELD_BLOB,	 /* struct bytes */
	FIELD_TEXT,	 /* struct bytes: printable UTF-8, no control characters */
	FIELD_LIST,	 /* struct list */
};

struct fields;

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;		    /* of the member in the structure */
	uint32_t max;		    /* BLOB, TEXT: most bytes; LIST: most items; U8 to U32: largest value, 0 for any */
	const struct fields *items; /* LIST: what one item is; items hold no lists */
};

struct fields {
	const char *name; /* "Allocation", "PUT" */
	const struct field *list;
	size_t count;
	size_t size; /* of the C structure */
};

/* A validated list of items, still encoded. */
struct list {
	struct bytes raw;
	uint32_t count;
};

#define FIELD(type, member, kind) {#member, kind, offsetof(struct type, member), 0, NULL}
#define FIELD_MAX(type, member, kind, most) {#member, kind, offsetof(struct type, member), most, NULL}
#define FIELD_ITEMS(type, member, most, of) {#member, FIELD_LIST, offsetof(struct type, member), most, of}

/* Write `object` (of fields->size bytes). Sets the writer's error to ERR_OVERFLOW when it does not fit and to
 * ERR_RANGE when a member is over its maximum. */
void fields_encode(const struct fields *fields, const void *object, struct writer *w);

/* Read into `object`, whose members are all set; on failure the reader's error is ERR_FORMAT or ERR_RANGE and the
 * name of the offending field is returned, else NULL. Trailing bytes are the caller's business. */
const char *fields_decode(const struct fields *fields, struct reader *r, void *object);

/* Bytes that a kind of fixed width takes on the wire; 0 for those of variable length. */
size_t field_width(enum field_kind kind);

/* The bytes that this object's encoding takes, when fields_encode accepts it. */
size_t fields_size(const struct fields *fields, const void *object);

/* The most bytes that an encoding can take. */
size_t fields_max_size(const struct fields *fields);

/* UTF-8 without control characters (RFC 3629): what may stand in a TEXT. */
bool text_is_printable(struct bytes text);

/* One line "name=value name=value", integers in decimal, bytes in hex (only their length when more than 65),
 * lists as their count. Always NUL-terminated within `room`. Returns out. */
char *fields_print(const struct fields *fields, const void *object, char *out, size_t room);

/* A list whose `count` items were encoded into `w`, one after the other, by fields_encode. */
struct list list_of(const struct writer *w, uint32_t count);

/* Walk a decoded list: reader_init(&r, list.raw), then once per item. Items were validated with the message. */
void list_next(const struct fields *items, struct reader *r, void *item);

#endif
